//! What `wharf serve` says on its terminal: the banner, sessions as they change, generations, refusals.
//!
//! News go to stdout; progress goes to stderr, on a terminal only, and leaves nothing behind.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use super::print;
use crate::control::{Listener, Told, narrate};
use crate::status::{SessionView, StatusView};

/// Says what it is told. `link` makes a one-time sign-in link's path; it is printed to a terminal only.
pub(super) fn teller(link: impl Fn() -> String + Send + 'static) -> Listener {
    let mut teller = Teller {
        link: Box::new(link),
        told: BTreeMap::new(),
        observed: String::new(),
        begun: false,
        since: super::now(),
        progress: std::io::stderr().is_terminal(),
    };
    Box::new(move |told| teller.tell(told))
}

struct Teller {
    link: Box<dyn Fn() -> String + Send>,
    told: BTreeMap<String, SessionView>,
    /// What was said last of the product that runs on the same files.
    observed: String,
    begun: bool,
    since: engine_core::ids::Moment,
    progress: bool,
}

impl Teller {
    fn tell(&mut self, told: &Told<'_>) {
        match told {
            Told::Accepted { report, status } if self.begun => {
                self.say(&narrate::accepted(report, status).join("\n"));
            }
            Told::Accepted { .. } => {}
            Told::Refused { problems, status } => {
                self.say(&narrate::refused(problems, status).join("\n"));
            }
            Told::Round { after, .. } => self.round(after),
        }
    }

    fn round(&mut self, status: &StatusView) {
        let base = narrate::base_url(status);
        if base.is_empty() && status.mode != "observe" {
            return;
        }
        if !self.begun {
            self.begin(status, &base);
        }
        let observed = narrate::observes(status);
        if observed != self.observed {
            self.say(&observed);
            self.observed = observed;
        }
        for session in status.sessions.iter().filter(|session| session.state != "foreign") {
            if narrate::is_news(self.told.get(&session.id), session) {
                self.say(&narrate::session(session, &base));
            }
            self.told.insert(session.id.clone(), session.clone());
        }
        self.told.retain(|id, _| status.session(id).is_some());
        self.show_progress(status);
    }

    fn begin(&mut self, status: &StatusView, base: &str) {
        self.begun = true;
        let StatusView { version, site, generation, .. } = status;
        self.say(&format!("wharf {version}   site {site}   generation {generation}"));
        if let Some(adopted) = narrate::adopted(status, self.since) {
            self.say(&adopted);
        }
        if base.is_empty() {
            self.say(
                "  mode observe: nothing is started, changed or ended, and nobody is listened to",
            );
        } else if std::io::stdout().is_terminal() {
            let path = (self.link)();
            self.say(&format!("  sign in once: {base}{path}   (valid 10 min, this terminal only)"));
            if std::env::var_os("SSH_CONNECTION").is_some() {
                self.say(narrate::tunnel(base).trim_end());
            }
        } else {
            self.say(&format!("  pages at {base}/   (a sign-in link: wharf open)"));
        }
    }

    /// Prints lines above whatever progress is shown.
    fn say(&self, text: &str) {
        self.clear();
        if !text.is_empty() {
            print(&format!("{text}\n"));
        }
    }

    fn clear(&self) {
        if self.progress {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn show_progress(&self, status: &StatusView) {
        let running = status.sessions.iter().find_map(|session| Some((session, session.progress?)));
        if let (true, Some((session, (done, total)))) = (self.progress, running) {
            let of = if total > 0 { format!("{done} of {total}") } else { done.to_string() };
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[K  {}: installing {} ({of} packages)",
                session.id,
                session.workbench
            );
            let _ = std::io::stderr().flush();
        }
    }
}
