//! `wharf status`: what is in force, refused, held, overridden, outdated.

use std::fmt::Write as _;

use clap::Args;

use engine_core::ids::Moment;
use grammar::value::Millis;

use super::{CHANGES, Global, OK, ask, print, print_json, when};
use crate::control::narrate;
use crate::status::{SessionView, SessionViews, StatusView};

/// `wharf status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 healthy, 2 refused files, pending or degraded, 69 no engine.\n\n\
    Examples:\n  wharf status\n  wharf status --json | jq .generation"
)]
pub(super) struct StatusArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &StatusArgs) -> u8 {
    let status = match ask::status(global) {
        Ok(status) => status,
        Err(code) => return code,
    };
    if args.json {
        match serde_json::to_string_pretty(&status) {
            Ok(text) => print_json(text + "\n"),
            Err(error) => super::complain(&error.to_string()),
        }
    } else {
        print(&render(&StatusView { reading_since: long_since(&status), ..status.clone() }));
    }
    if is_healthy(&status) { OK } else { CHANGES }
}

/// A reading that takes longer than this is worth a line.
const SOON: Millis = Millis(2_000);

/// Since when the files are being read, where that takes long.
fn long_since(status: &StatusView) -> Option<Moment> {
    status.reading_since.filter(|since| super::now().since(*since) >= SOON)
}

/// Nothing refused, nothing pending, nobody asked; outdated alone is healthy.
fn is_healthy(status: &StatusView) -> bool {
    status.refused.is_none()
        && status.settled
        && !status.paused
        && status.acting.is_none()
        && !status.holds.iter().any(|hold| hold.approval)
        && status.store_problem.is_none()
        && !status.sessions.iter().any(|session| session.state == "failed")
}

/// The status as text: overrides first, refusals next.
#[must_use]
pub(super) fn render(status: &StatusView) -> String {
    let mut out = String::new();
    let pid = status.pid;
    let _ = writeln!(
        out,
        "wharf {}   site {}   {}   node {}   pid {pid}",
        status.version, status.site, status.mode, status.node
    );
    for given in &status.overrides {
        let _ = writeln!(out, "override {}", super::overrides::line(given));
    }
    for window in &status.change_windows {
        let (until, owner) = (when(window.until), &window.owner);
        let _ = writeln!(
            out,
            "change window \"{}\" open until {until} (by {owner}): no file is judged before it ends",
            window.id
        );
    }
    match (&status.refused, status.generation.0) {
        (None, 0) => out.push_str("nothing is in force yet\n"),
        (None, _) => {
            let since = when(status.since);
            let _ = writeln!(out, "in force: generation {} since {since}", status.generation);
        }
        (Some(refusal), n) => {
            let stays = if n == 0 {
                "nothing is in force".to_owned()
            } else {
                format!("generation {n} (since {}) stays in force", when(status.since))
            };
            let _ = writeln!(out, "REFUSED at {}; {stays}", when(refusal.at));
            for problem in &refusal.problems {
                let _ = writeln!(out, "  {problem}");
            }
            out.push_str("  with the lines, and what to do: wharf plan\n");
        }
    }
    if let Some(since) = status.reading_since {
        let since = when(since);
        let _ = writeln!(out, "READING the files since {since}; what they say is not known yet");
    }
    if let Some(acting) = status.acting {
        let _ = writeln!(
            out,
            "WAITS   generation {} waits for `wharf apply`; {}",
            status.generation,
            narrate::acts(acting)
        );
    }
    for problem in &status.problems {
        let _ = writeln!(out, "  {problem}");
    }
    for line in &status.next_start {
        let _ = writeln!(out, "RESTART {line}");
    }
    for (dir, why) in &status.polled {
        let _ =
            writeln!(out, "POLLED  {dir}: {why}; it is read every `poll` of [site] in wharf.toml");
    }
    if let Some(problem) = &status.store_problem {
        let _ = writeln!(out, "STORE   {problem}; starts are held");
    }
    if status.paused {
        out.push_str("PAUSED   traffic goes on, nothing else does; end it with: wharf resume\n");
    }
    incumbent(&mut out, status);
    listeners(&mut out, status);
    sessions(&mut out, &status.sessions);
    holds(&mut out, status);
    out
}

/// So many options that the product has not taken up are shown.
const NOT_TAKEN_UP: usize = 12;

/// The product that runs on the same files, and what could not be read of it.
fn incumbent(out: &mut String, status: &StatusView) {
    let Some(found) = &status.incumbent else {
        if status.mode == "observe" {
            out.push_str("observes: no Workbench or RStudio Server runs here\n");
        }
        return;
    };
    let word = if status.mode == "observe" { "observes" } else { "beside" };
    if !found.name.is_empty() {
        let services: Vec<String> =
            found.services.iter().map(|(s, since)| format!("{s} since {}", when(*since))).collect();
        let sessions = found.sessions.map(|n| format!("   {}", count(n, "session")));
        let services = services.join(", ");
        let sessions = sessions.unwrap_or_default();
        let _ = writeln!(out, "{word}: {}   {services}{sessions}", found.name);
    }
    if found.nodes.len() > 1 {
        let _ = writeln!(out, "  its nodes: {}", found.nodes.join(", "));
    }
    for unknown in &found.unknown {
        let _ = writeln!(out, "  not known: {unknown}");
    }
    for option in found.not_taken_up.iter().take(NOT_TAKEN_UP) {
        let _ = writeln!(out, "  not taken up yet by {option}");
    }
    let more = found.not_taken_up.len().saturating_sub(NOT_TAKEN_UP);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more");
    }
}

fn count(n: u32, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn listeners(out: &mut String, status: &StatusView) {
    for (name, address) in &status.listeners {
        let _ = writeln!(out, "{name}   {address}");
    }
    if status.nodes.len() > 1 {
        for (name, node) in &status.nodes {
            let _ = writeln!(
                out,
                "node {name}   {}   weight {}   {} sessions",
                node.state, node.weight, node.sessions
            );
        }
    }
}

/// The table of sessions.
pub(super) fn sessions(out: &mut String, sessions: &SessionViews) {
    if sessions.is_empty() {
        out.push_str("no sessions\n");
        return;
    }
    let width = |of: fn(&SessionView) -> usize, least: usize| {
        sessions.iter().map(of).max().unwrap_or(0).max(least)
    };
    let id = width(|s| s.id.chars().count(), 7);
    let kind = width(|s| s.workbench.chars().count(), 9);
    let user = width(|s| s.user.chars().count(), 4);
    let _ = writeln!(
        out,
        "{:<id$}   {:<9}   {:<kind$}   {:<user$}   {:>7}   WHY",
        "SESSION", "STATE", "WORKBENCH", "USER", "PID"
    );
    for session in sessions.iter() {
        let pid = session.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let mut why = session.reason.clone();
        if !session.outdated.is_empty() {
            let separator = if why.is_empty() { "" } else { "; " };
            let _ = write!(why, "{separator}outdated: {}", session.outdated.join(", "));
        }
        let line = format!(
            "{:<id$}   {:<9}   {:<kind$}   {:<user$}   {pid:>7}   {why}",
            session.id, session.state, session.workbench, session.user
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn holds(out: &mut String, status: &StatusView) {
    let shown: Vec<_> = status.holds.iter().filter(|hold| !hold.outdated).collect();
    if shown.is_empty() {
        return;
    }
    out.push_str("held\n");
    for hold in shown {
        let until = hold.until.map(|until| format!(" until {}", when(until)));
        let because = hold.because.join(", ");
        let _ = writeln!(
            out,
            "  | {}   {}: {}{}   ({because})",
            hold.resource,
            hold.wanted,
            hold.waiting,
            until.unwrap_or_default()
        );
    }
}
