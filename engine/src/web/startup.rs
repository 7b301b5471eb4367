//! The page that somebody sees who opens a session which does not answer (yet).
//!
//! It asks again by itself, without a script, and says what is being waited for.

use crate::status::{HoldView, SessionView, StatusView};

use super::html::Html;
use super::layout::Frame;
use super::state_class;

/// What is to be said about a session that does not answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Startup<'a> {
    /// What pages call it.
    pub display_name: &'a str,
    /// Its kind.
    pub workbench: &'a str,
    /// A state of [`SessionView`].
    pub state: &'a str,
    /// Why, in one line.
    pub reason: &'a str,
    /// Done and total.
    pub progress: Option<(u32, u32)>,
    /// What it waits for.
    pub holds: Vec<&'a HoldView>,
}

impl<'a> Startup<'a> {
    /// What the last round said of `session`.
    #[must_use]
    pub fn of(session: &'a SessionView, status: &'a StatusView) -> Self {
        let resource = format!("session/{}", session.id);
        Self {
            display_name: name_of(session),
            workbench: &session.workbench,
            state: &session.state,
            reason: &session.reason,
            progress: session.progress,
            holds: status.holds.iter().filter(|hold| hold.resource == resource).collect(),
        }
    }

    /// Seconds until the browser asks again: soon for what comes by itself.
    #[must_use]
    pub fn refresh_s(&self) -> u32 {
        match self.state {
            "stopped" | "failed" | "foreign" => 15,
            _ => 2,
        }
    }

    /// What is the matter, as a heading.
    fn heading(&self) -> (&'static str, &'static str) {
        match self.state {
            "starting" => (" is starting", "It opens here by itself as soon as it answers."),
            "waiting" => (" waits for its start", "It opens here by itself as soon as it answers."),
            "ending" => (" is ending", "It opens here by itself if it is started again."),
            "stopped" => (" is stopped", "It opens here by itself once it is started."),
            "failed" => (" could not be started", "It opens here by itself once it runs again."),
            "unknown" => (
                ": nobody can say whether it runs",
                "It was left as it is. It opens here by itself once it can be reached.",
            ),
            "foreign" => (" belongs to another product", "It is only shown here."),
            _ => (" does not answer", "It opens here by itself as soon as it answers again."),
        }
    }
}

/// What to call a session.
pub(super) fn name_of(session: &SessionView) -> &str {
    if session.display_name.is_empty() { &session.id } else { &session.display_name }
}

/// The page.
#[must_use]
pub fn render_startup(startup: &Startup<'_>) -> String {
    let (verb, promise) = startup.heading();
    let mut body = Html::default();
    body.markup("<p class=\"small soft\">").text(startup.workbench).markup(" <span class=\"");
    body.markup(state_class(startup.state))
        .markup("\">")
        .text(startup.state)
        .markup("</span></p>\n");
    body.markup("<h1>")
        .text(startup.display_name)
        .markup(verb)
        .markup("</h1>\n<div role=\"status\">\n");
    if !startup.reason.is_empty() {
        body.markup("<p>").text(startup.reason).markup("</p>\n");
    }
    if let Some((done, total)) = startup.progress.filter(|(_, total)| *total > 0) {
        body.markup("<p><label class=\"small soft\" for=\"done\">").text(done).markup(" of ");
        body.text(total).markup("</label>\n<progress id=\"done\" value=\"").text(done);
        body.markup("\" max=\"").text(total).markup("\"></progress></p>\n");
    }
    if !startup.holds.is_empty() {
        body.markup("<ul>\n");
        for hold in &startup.holds {
            body.markup("<li>").text(&hold.wanted).markup(": ").text(&hold.waiting);
            if !hold.because.is_empty() {
                body.markup(" <span class=\"soft\">(").list(&hold.because).markup(")</span>");
            }
            body.markup("</li>\n");
        }
        body.markup("</ul>\n");
    }
    body.markup("</div>\n<p class=\"soft\">").markup(promise);
    body.markup("</p>\n<p class=\"small\"><a href=\"/\">All sessions</a></p>\n");
    let title = format!("{}: {}", startup.display_name, startup.state);
    let refresh_s = Some(startup.refresh_s());
    Frame { title: &title, refresh_s, narrow: true, bar: Html::default(), body }.render()
}
