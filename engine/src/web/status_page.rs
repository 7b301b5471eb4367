//! The page at `/`: what runs, what waits, what was refused, and why.
//!
//! A pure function of [`StatusView`] and of who looks. Who does not administer the site sees what is
//! theirs, and that something was refused, but not which line of which file.

use crate::identity::Person;
use crate::status::{HoldView, SessionView, StatusView};

use super::html::Html;
use super::layout::{Frame, time};
use super::startup::name_of;
use super::state_class;

/// Renders the page for `person`; `form_token` goes into its form. `status` holds only what they may see.
#[must_use]
pub fn render_status(status: &StatusView, person: &Person, form_token: &str) -> String {
    let mut body = Html::default();
    body.markup("<h1>Sessions</h1>\n").html(facts(status, person));
    body.html(overrides(status)).html(trouble(status, person)).html(sessions(status));
    body.html(holds(status));
    if person.admin {
        body.html(machines(status));
    }
    let mut bar = Html::default();
    bar.markup("<form method=\"post\" action=\"/sign-out\"><span>").text(&person.user);
    bar.markup(if person.admin { ", administrator" } else { "" });
    bar.markup("</span><input type=\"hidden\" name=\"token\" value=\"").text(form_token);
    bar.markup("\"><button>Sign out</button></form>");
    let title = format!("Wharfinger {}", status.instance);
    Frame { title: title.trim_end(), refresh_s: None, narrow: false, bar, body }.render()
}

fn facts(status: &StatusView, person: &Person) -> Html {
    let mut html = Html::default();
    html.markup("<p class=\"facts\">");
    if status.generation.0 == 0 {
        html.markup("No set of files is in force yet");
    } else {
        html.markup("Generation ").text(status.generation).markup(" in force since ");
        html.html(time(status.since));
    }
    if person.admin && !status.site.is_empty() {
        html.markup(" &middot; site <code>").text(&status.site).markup("</code>");
    }
    if !status.mode.is_empty() {
        html.markup(" &middot; mode ").text(&status.mode);
    }
    html.markup(if status.settled { " &middot; settled" } else { " &middot; changes under way" });
    html.markup(" &middot; as of ").html(time(status.round_at));
    html.markup(" &middot; <a href=\"/\">refresh</a></p>\n");
    html
}

fn trouble(status: &StatusView, person: &Person) -> Html {
    let mut html = Html::default();
    if let Some(refused) = &status.refused {
        html.markup(
            "<section class=\"bad\" role=\"alert\">\n<h2>The files on disk were refused</h2>\n<p>",
        );
        html.html(time(refused.at)).markup(". Generation ").text(status.generation);
        html.markup(" stays in force; nothing running is touched.</p>\n");
        if person.admin {
            html.markup("<ul class=\"plain\">\n");
            for problem in &refused.problems {
                html.markup("<li><code>").text(problem).markup("</code></li>\n");
            }
            html.markup("</ul>\n");
        } else {
            html.markup("<p class=\"soft\">Whoever administers this site sees the lines.</p>\n");
        }
        html.markup("</section>\n");
    }
    if let Some(problem) = status.store_problem.as_ref().filter(|_| person.admin) {
        html.markup(
            "<section class=\"bad\" role=\"alert\">\n<h2>The store cannot be used</h2>\n<p>",
        );
        html.text(problem).markup("</p>\n<p class=\"soft\">What runs is kept and reached; ");
        html.markup("starts wait.</p>\n</section>\n");
    }
    for window in &status.change_windows {
        html.markup(
            "<section class=\"wait\">\n<h2>Files are being written</h2>\n<p>Change window ",
        );
        html.markup("<code>").text(&window.id).markup("</code> is open until ");
        html.html(time(window.until))
            .markup(": no file is judged before it ends.</p>\n</section>\n");
    }
    if status.paused {
        html.markup("<section class=\"wait\">\n<h2>Paused</h2>\n<p>Nothing is changed until ");
        html.markup("<code>wharf resume</code>; sessions stay reachable.</p>\n</section>\n");
    }
    html
}

fn overrides(status: &StatusView) -> Html {
    let mut html = Html::default();
    if status.overrides.is_empty() {
        return html;
    }
    html.markup("<section class=\"wait\">\n<h2>Overrides</h2>\n<ul class=\"plain\">\n");
    for hidden in &status.overrides {
        html.markup("<li>").text(&hidden.what);
        if !hidden.hides.is_empty() {
            html.markup(", hides <code>").text(&hidden.hides).markup("</code>");
        }
        if !hidden.reason.is_empty() {
            html.markup(": ").text(&hidden.reason);
        }
        html.markup(" <span class=\"soft\">(");
        html.text(&hidden.owner);
        if let Some(until) = hidden.until {
            html.markup(", until ").html(time(until));
        }
        html.markup("; ends with <code>wharf override clear ").text(&hidden.id);
        html.markup("</code>)</span></li>\n");
    }
    html.markup("</ul>\n</section>\n");
    html
}

fn sessions(status: &StatusView) -> Html {
    let mut html = Html::default();
    html.markup("<section>\n");
    if status.sessions.is_empty() {
        html.markup("<h2>No sessions</h2>\n<p class=\"soft\">None is asked for, or none of them ");
        html.markup("is yours to see.</p>\n</section>\n");
        return html;
    }
    html.markup(
        "<div class=\"scroll\"><table>\n<caption class=\"hidden\">Sessions and their state",
    );
    html.markup(
        "</caption>\n<thead><tr><th scope=\"col\">Session</th><th scope=\"col\">State</th>",
    );
    html.markup("<th scope=\"col\">Kind</th><th scope=\"col\">Account</th>");
    html.markup("<th scope=\"col\">Node</th><th scope=\"col\">Since</th>");
    html.markup("<th scope=\"col\">Connections</th></tr></thead>\n<tbody>\n");
    for session in status.sessions.iter() {
        html.html(session_row(session));
    }
    html.markup("</tbody>\n</table></div>\n</section>\n");
    html
}

fn session_row(session: &SessionView) -> Html {
    let mut html = Html::default();
    html.markup("<tr><th scope=\"row\">");
    if session.path.starts_with("/s/") && session.state != "foreign" {
        html.markup("<a href=\"").text(&session.path).markup("\">").text(name_of(session));
        html.markup("</a>");
    } else {
        html.text(name_of(session));
    }
    if name_of(session) != session.id {
        html.markup("<br><span class=\"small soft\">").text(&session.id).markup("</span>");
    }
    html.markup("</th><td data-label=\"State\"><span class=\"")
        .markup(state_class(&session.state))
        .markup("\">");
    html.text(&session.state).markup("</span>");
    if !session.reason.is_empty() {
        html.markup("<br><span class=\"small\">").text(&session.reason).markup("</span>");
    }
    if let Some((done, total)) = session.progress {
        html.markup("<br><span class=\"small soft\">").text(done).markup(" of ").text(total);
        html.markup("</span>");
    }
    if !session.outdated.is_empty() {
        html.markup("<br><span class=\"small soft\">outdated: ").list(&session.outdated);
        html.markup(" &ndash; renewed at its next start</span>");
    }
    html.markup("</td><td data-label=\"Kind\">").text(&session.workbench);
    html.markup("</td><td data-label=\"Account\">").text(&session.user);
    html.markup("</td><td data-label=\"Node\">").text(&session.node);
    html.markup("</td><td data-label=\"Since\" class=\"small\">");
    if let Some(since) = session.since {
        html.html(time(since));
    }
    html.markup("</td><td data-label=\"Connections\" class=\"number\">").text(session.connections);
    html.markup("</td></tr>\n");
    html
}

fn holds(status: &StatusView) -> Html {
    let mut html = Html::default();
    if status.holds.is_empty() {
        return html;
    }
    html.markup("<section>\n<h2>Wanted, and waiting</h2>\n<ul class=\"plain\">\n");
    for hold in &status.holds {
        html.html(hold_line(hold));
    }
    html.markup("</ul>\n</section>\n");
    html
}

fn hold_line(hold: &HoldView) -> Html {
    let mut html = Html::default();
    html.markup("<li><code>").text(&hold.resource).markup("</code> ").text(&hold.wanted);
    html.markup(": ").text(&hold.waiting);
    if let Some(until) = hold.until {
        html.markup(", until ").html(time(until));
    }
    if !hold.because.is_empty() {
        html.markup(" <span class=\"soft\">because ").list(&hold.because).markup("</span>");
    }
    html.markup("</li>\n");
    html
}

fn machines(status: &StatusView) -> Html {
    let mut html = Html::default();
    html.markup("<section>\n<h2>Nodes and addresses</h2>\n<ul class=\"plain\">\n");
    for (name, node) in &status.nodes {
        html.markup("<li>node <code>").text(name).markup("</code> ").text(&node.state);
        html.markup(", weight ").text(node.weight).markup(", ").text(node.sessions);
        html.markup(if node.sessions == 1 { " session</li>\n" } else { " sessions</li>\n" });
    }
    for (name, address) in &status.listeners {
        html.markup("<li>").text(name).markup(" <code>").text(address).markup("</code></li>\n");
    }
    for (name, gateway) in &status.gateways {
        html.markup("<li>gateway <code>").text(name).markup("</code> ").text(&gateway.range);
        html.markup(", ").text(gateway.ports.len());
        html.markup(if gateway.ports.len() == 1 { " port" } else { " ports" });
        html.markup(" in use");
        if let Some(problem) = &gateway.problem {
            html.markup(", stays as it is: ").text(problem);
        }
        html.markup("</li>\n");
    }
    if !status.balancer.is_empty() {
        html.markup("<li>balancer ").text(&status.balancer).markup("</li>\n");
    }
    html.markup("</ul>\n<p class=\"small soft\">Version ").text(&status.version);
    html.markup(", process ").text(status.pid).markup(", ").text(status.rounds);
    html.markup(" rounds</p>\n</section>\n");
    html
}
