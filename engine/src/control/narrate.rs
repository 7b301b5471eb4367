//! What the terminal of `wharf serve` says, as lines made from one status and the next.
//!
//! Pure: the text of what happened, not how it is printed.

use engine_core::ids::{Generation, Moment};
use engine_core::report::Report;
use engine_core::report::text::summary_line;

use crate::status::{SessionView, StatusView};

/// The line for a generation that came into force.
#[must_use]
pub fn accepted(report: &Report, status: &StatusView) -> Vec<String> {
    if let Some(plan) = report.incumbent.as_deref().filter(|plan| plan.observing) {
        let (name, acts) = (plan.short_name(), plan.consequence.acts());
        let ends = plan.consequence.ending().count();
        let told = match (acts.is_empty(), ends) {
            (true, _) => format!("{name} has nothing to do for it"),
            (false, 0) => format!("{name} must {acts} for it"),
            (false, 1) => format!("{name} must {acts} for it, which ends 1 session"),
            (false, n) => format!("{name} must {acts} for it, which ends {n} sessions"),
        };
        return vec![format!("  generation {}: {told}", status.generation)];
    }
    let summary = summary_line(&report.summary());
    let summary = summary.trim_start_matches("Plan: ").trim_end_matches('.');
    let mut lines = vec![format!("  generation {}: {summary}", status.generation)];
    if let Some(acting) = status.acting {
        lines.push(format!("                waits for `wharf apply`; {}", acts(acting)));
    }
    for act in report.acts.iter().filter(|act| act.delayed_until.is_some()) {
        lines.push(format!(
            "                {} {}, after harm-delay ({})   [wharf apply to go on, put it back to cancel]",
            act.resource.to_string().trim_start_matches("session/"),
            act.what,
            report.harm_delay
        ));
    }
    lines
}

/// Which files act while newer ones wait for approval.
#[must_use]
pub fn acts(acting: Generation) -> String {
    match acting.0 {
        0 => "nothing was approved yet".to_owned(),
        n => format!("generation {n} acts until then"),
    }
}

/// The lines for files that were refused.
#[must_use]
pub fn refused(problems: &[String], status: &StatusView) -> Vec<String> {
    let stays = match status.generation.0 {
        0 => "nothing is in force".to_owned(),
        n => format!("generation {n} stays in force"),
    };
    let more = problems.len().saturating_sub(3);
    let mut lines: Vec<String> =
        problems.iter().take(3).map(|problem| format!("  refused: {problem}")).collect();
    if more > 0 {
        lines.push(format!("  refused: and {more} more problems"));
    }
    lines.push(format!("           {stays}"));
    lines
}

/// A session's line.
#[must_use]
pub fn session(session: &SessionView, base: &str) -> String {
    let line = format!("  {:<13} {:<11} {}", session.id, session.state, tail(session, base));
    line.trim_end().to_owned()
}

/// What a session's line is told anew for: not for each step of a progress.
#[must_use]
pub fn is_news(before: Option<&SessionView>, now: &SessionView) -> bool {
    let said = |session: &SessionView| {
        let progress = session.progress.is_some();
        let reason = if progress { String::new() } else { session.reason.clone() };
        let start = if session.state == "running" { session.incarnation } else { 0 };
        (session.state.clone(), start, progress, reason, session.outdated.len())
    };
    before.map(said) != Some(said(now))
}

/// Where a running session is, or why another is not.
fn tail(session: &SessionView, base: &str) -> String {
    let reason = session.reason.trim_start_matches("starts: ");
    match (session.state.as_str(), session.outdated.is_empty()) {
        ("running", true) => format!("{base}{}", session.path),
        ("running", false) => format!("outdated: {}", session.outdated.join(", ")),
        ("starting", _) => String::new(),
        _ => reason.to_owned(),
    }
}

/// Where the site's pages are, as a browser on this machine reaches them; empty while nothing listens.
#[must_use]
pub fn base_url(status: &StatusView) -> String {
    let Some(address) = status.listeners.get("listener") else { return String::new() };
    let local = address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    format!("http://{local}")
}

/// What an engine that finds its sessions says of them.
#[must_use]
pub fn adopted(status: &StatusView, engine_since: Moment) -> Option<String> {
    let before = |session: &&SessionView| {
        session.state != "foreign" && session.since.is_some_and(|since| since < engine_since)
    };
    let old = status.sessions.iter().filter(before);
    let live: Vec<String> =
        old.filter_map(|session| session.pid).map(|pid| pid.to_string()).collect();
    let plural = if live.len() == 1 { "" } else { "s" };
    let held = if status.settled { ", plan empty" } else { "" };
    (!live.is_empty()).then(|| {
        format!("  adopted {} session{plural} (pid {}){held}", live.len(), live.join(", "))
    })
}

/// What an engine says of the product that runs on the same files; empty where none was found.
#[must_use]
pub fn observes(status: &StatusView) -> String {
    let Some(found) = &status.incumbent else { return String::new() };
    let verb = if status.mode == "observe" { "observes" } else { "beside" };
    match (found.name.is_empty(), found.sessions) {
        (true, _) => format!("  {verb}: {}", found.unknown.join("; ")),
        (false, Some(1)) => format!("  {verb} {}: 1 session of its own here", found.name),
        (false, Some(n)) => format!("  {verb} {}: {n} sessions of its own here", found.name),
        (false, None) => format!("  {verb} {}: {}", found.name, found.unknown.join("; ")),
    }
}

/// How to reach the pages from another machine, for who came by ssh.
#[must_use]
pub fn tunnel(base: &str) -> String {
    let address = base.trim_start_matches("http://");
    let port = address.rsplit(':').next().unwrap_or_default();
    format!("  from your laptop: ssh -L {port}:{address} you@this-host\n")
}

/// What Ctrl-C leaves behind.
#[must_use]
pub fn farewell(status: &StatusView) -> String {
    let live = |session: &&SessionView| {
        matches!(session.state.as_str(), "running" | "starting" | "ending")
    };
    let foreign = status.sessions.iter().any(|session| session.state == "foreign");
    match status.sessions.iter().filter(live).count() {
        0 if foreign => "No session of this engine runs; the product's go on.".to_owned(),
        0 => "No session runs.".to_owned(),
        1 => "1 session keeps running. End it with: wharf session stop --all".to_owned(),
        n => format!("{n} sessions keep running. End them with: wharf session stop --all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(state: &str, reason: &str) -> SessionView {
        SessionView {
            id: "demo".into(),
            state: state.into(),
            reason: reason.into(),
            path: "/s/demo/".into(),
            ..SessionView::default()
        }
    }

    #[test]
    fn sessions_of_the_product_are_never_adopted() {
        let mut foreign = view("foreign", "belongs to Workbench");
        foreign.since = Some(Moment(1));
        foreign.pid = Some(7);
        let status = StatusView { sessions: vec![foreign].into(), ..StatusView::default() };
        assert_eq!(adopted(&status, Moment(9)), None);
        assert!(farewell(&status).contains("the product's go on"));
    }

    #[test]
    fn a_session_is_told_when_it_says_something_new_and_only_then() {
        let running = view("running", "");
        assert_eq!(
            session(&running, "http://127.0.0.1:8787"),
            "  demo          running     http://127.0.0.1:8787/s/demo/"
        );
        assert!(is_news(None, &running));
        assert!(!is_news(Some(&running), &running));
        assert!(is_news(Some(&running), &view("stopped", "signal 9")));
        let installing = |done| SessionView {
            progress: Some((done, 90)),
            ..view("waiting", &format!("installing {done} of 90"))
        };
        assert!(!is_news(Some(&installing(1)), &installing(2)), "progress is no news");
    }

    #[test]
    fn ctrl_c_says_what_keeps_running() {
        let with = |n: usize| StatusView {
            sessions: (0..n)
                .map(|n| SessionView { id: format!("s{n}"), ..view("running", "") })
                .collect(),
            ..StatusView::default()
        };
        assert_eq!(farewell(&with(0)), "No session runs.");
        assert!(farewell(&with(1)).starts_with("1 session keeps running."));
        assert!(farewell(&with(2)).starts_with("2 sessions keep running."));
    }

    #[test]
    fn many_problems_are_counted() {
        let problems: Vec<String> = (0..5).map(|n| format!("p{n}")).collect();
        let lines = refused(&problems, &StatusView::default());
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[3], "  refused: and 2 more problems");
    }
}
