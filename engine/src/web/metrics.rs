//! `/metrics` in the text format that Prometheus reads: a pure function of the status and the counters.
//!
//! Names as in interface.md §6; base units; no name of a person is ever a label.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use crate::status::StatusView;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A session behind the proxy.
    Session,
    /// A page of the engine.
    Page,
    /// The engine's API.
    Api,
    /// Health and metrics.
    Health,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 4] = [Kind::Session, Kind::Page, Kind::Api, Kind::Health];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Session => "session",
            Kind::Page => "page",
            Kind::Api => "api",
            Kind::Health => "health",
        }
    }
}

/// Why a connection or request was dropped by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// As many connections as allowed were open.
    Limit,
    /// The request was malformed or ambiguous, or its head took too long.
    Malformed,
    /// The session could not be reached.
    Upstream,
    /// Who or what listens at the session's socket is not the session.
    Impostor,
    /// The session did not answer in time.
    Timeout,
    /// A tunnel ended because its session's route went, or its person may no longer use it.
    Route,
}

impl Dropped {
    /// All of them, in the order of their numbers.
    pub const ALL: [Dropped; 6] = [
        Dropped::Limit,
        Dropped::Malformed,
        Dropped::Upstream,
        Dropped::Impostor,
        Dropped::Timeout,
        Dropped::Route,
    ];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dropped::Limit => "limit",
            Dropped::Malformed => "malformed",
            Dropped::Upstream => "upstream",
            Dropped::Impostor => "impostor",
            Dropped::Timeout => "timeout",
            Dropped::Route => "route",
        }
    }
}

/// What the data path has counted since the start, summed over its threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests by kind and by the first digit of their answer's status, from `1xx` to `5xx`.
    pub requests: [[u64; 5]; Kind::ALL.len()],
    /// Client connections open now, tunnels among them.
    pub open_connections: u64,
    /// Tunnels open now.
    pub open_tunnels: u64,
    /// What was dropped, by reason.
    pub dropped: [u64; Dropped::ALL.len()],
}

/// Renders the whole page.
#[must_use]
pub fn render_metrics(status: &StatusView, counters: &Counters) -> String {
    let mut page = Page::default();
    render_engine(&mut page, status);
    render_proxy(&mut page, counters);
    page.0
}

fn render_engine(page: &mut Page, status: &StatusView) {
    page.family("wharf_build_info", "gauge", "The program's version.");
    page.sample("wharf_build_info", &[("version", &status.version)], 1);

    let mut sessions = BTreeMap::<(&str, &str), u64>::new();
    for session in status.sessions.iter() {
        *sessions.entry((&session.state, &session.workbench)).or_default() += 1;
    }
    page.family("wharf_sessions", "gauge", "Sessions by state and workbench.");
    for ((state, workbench), count) in sessions {
        page.sample("wharf_sessions", &[("state", state), ("workbench", workbench)], count);
    }
    let outdated = status.sessions.iter().filter(|session| !session.outdated.is_empty()).count();
    page.single("wharf_sessions_outdated", "Sessions that wait for their next start.", outdated);

    let accepted = u8::from(status.refused.is_none());
    page.single(
        "wharf_config_last_reload_successful",
        "Whether the last set of files was accepted.",
        accepted,
    );
    page.single(
        "wharf_config_last_reload_success_timestamp_seconds",
        "When the set in force was accepted.",
        seconds(status.since.0),
    );
    page.single(
        "wharf_config_polled_directories",
        "Directories whose changes raise no event; they are read again and again.",
        status.polled.len(),
    );
    page.family("wharf_config_generation", "gauge", "The generation in force.");
    page.sample("wharf_config_generation", &[("node", &status.node)], status.generation);

    page.single("wharf_settled", "No steps and no passing holds.", u8::from(status.settled));
    page.single("wharf_paused", "Whether reconciliation is paused.", u8::from(status.paused));
    page.single("wharf_store_usable", "Whether the store can be used.", {
        u8::from(status.store_problem.is_none())
    });
    let standing = status.holds.iter().filter(|hold| hold.standing).count();
    page.family("wharf_holds", "gauge", "What is wanted and waits.");
    page.sample("wharf_holds", &[("kind", "passing")], status.holds.len() - standing);
    page.sample("wharf_holds", &[("kind", "standing")], standing);

    page.family("wharf_reconcile_rounds_total", "counter", "Rounds since the start.");
    page.sample("wharf_reconcile_rounds_total", &[], status.rounds);
    page.single(
        "wharf_reconcile_duration_seconds",
        "How long the last round took.",
        format_args!("{}.{:06}", status.round_us / 1_000_000, status.round_us % 1_000_000),
    );
    page.family("wharf_reconcile_errors_total", "counter", "Steps that failed, by what was tried.");
    for (reason, count) in &status.step_failures {
        page.sample("wharf_reconcile_errors_total", &[("reason", reason)], count);
    }
}

fn render_proxy(page: &mut Page, counters: &Counters) {
    let name = "wharf_proxy_requests_total";
    page.family(name, "counter", "Requests by what they were for and their answer's class.");
    for (kind, classes) in Kind::ALL.iter().zip(&counters.requests) {
        for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(classes) {
            page.sample(name, &[("kind", kind.as_str()), ("class", class)], count);
        }
    }
    let name = "wharf_proxy_open_connections";
    page.family(name, "gauge", "Client connections open now.");
    let http = counters.open_connections.saturating_sub(counters.open_tunnels);
    page.sample(name, &[("kind", "http")], http);
    page.sample(name, &[("kind", "tunnel")], counters.open_tunnels);
    let name = "wharf_proxy_connections_dropped_total";
    page.family(name, "counter", "Connections and requests dropped by the proxy.");
    for (reason, count) in Dropped::ALL.iter().zip(&counters.dropped) {
        page.sample(name, &[("reason", reason.as_str())], count);
    }
}

/// Milliseconds as seconds with three decimals.
fn seconds(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn single(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            for c in text.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_of_its_line() {
        let mut status = StatusView::default();
        status.step_failures.insert("a\"} 1\nb\\".to_owned(), 3);
        let page = render_metrics(&status, &Counters::default());
        assert!(page.contains("errors_total{reason=\"a\\\"} 1\\nb\\\\\"} 3\n"), "{page}");
    }

    #[test]
    fn a_moment_is_shown_in_seconds() {
        assert_eq!(seconds(1_500), "1.500");
        assert_eq!(seconds(-5), "0.000", "before the epoch there was no site");
    }
}
