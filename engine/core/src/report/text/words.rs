//! The words of plans: what is waited for, what things are called, counts and spans.

use grammar::value::Millis;

use crate::ids::Moment;
use crate::plan::{Hold, Resource, WaitingOn};

/// What a hold waits for, in words.
#[must_use]
pub fn waiting(on: &WaitingOn) -> String {
    match on {
        WaitingOn::Draining => "until connections have run out".to_owned(),
        WaitingOn::InFlight { what } => format!("{what} is under way"),
        WaitingOn::BackOff { failures: 1 } => "waits after an end of its own".to_owned(),
        WaitingOn::BackOff { failures } => format!("waits after {failures} ends of its own"),
        WaitingOn::Budget => "waits for other starts".to_owned(),
        WaitingOn::Unknown { reason } => format!("not known: {reason}"),
        WaitingOn::HarmDelay => "waits for harm-delay".to_owned(),
        WaitingOn::Nodes { lacking } => format!("waits for {lacking}"),
        WaitingOn::NextStart { differs } => {
            format!("at its next start: {}", differs.join(", "))
        }
        WaitingOn::Idle => "once it is idle".to_owned(),
        WaitingOn::Window => "waits for its time window".to_owned(),
        WaitingOn::Approval { reason } => format!("needs `wharf apply`: {reason}"),
        WaitingOn::NoNode => "no node that suits it takes new sessions".to_owned(),
        WaitingOn::Problem { reason } => reason.clone(),
        WaitingOn::Pinned { reason } => reason.clone(),
        WaitingOn::CrashLoop { failures } => {
            format!("gave up after {}", count(*failures as usize, "failed start"))
        }
    }
}

/// A span in seconds with a blank, as the product's texts have it.
pub(in crate::report) fn seconds(span: Millis) -> String {
    if span.0.is_multiple_of(1000) && span.0 <= 90_000 {
        format!("{} s", span.0 / 1000)
    } else {
        span.to_string()
    }
}

/// Until when a hold lasts, where that is known.
pub(super) fn until(hold: &Hold, when: &dyn Fn(Moment) -> String) -> String {
    hold.until.map(|until| format!(" until {}", when(until))).unwrap_or_default()
}

/// A value of at most `length` columns: a longer one would make the table unreadable.
pub(super) fn short(value: &str, length: usize) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if clean.chars().count() <= length {
        return if clean.is_empty() { "\"\"".to_owned() } else { clean };
    }
    let head: String = clean.chars().take(length.saturating_sub(3)).collect();
    format!("{head}...")
}

/// What a resource is called in a line of its own.
pub(in crate::report) fn name(resource: &Resource) -> String {
    match resource {
        Resource::Session(id) | Resource::Route(id) => id.to_string(),
        Resource::Node(id) => id.to_string(),
        Resource::Gateway(id) => format!("gateway {id}"),
        Resource::Workbench(id) => format!("workbench {id}"),
        Resource::Listener(listener) => listener.to_string(),
        Resource::Site => "site".to_owned(),
        Resource::Balancer => "balancer".to_owned(),
    }
}

/// `1 session`, `2 sessions`.
pub(in crate::report) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_in_seconds_where_those_are_whole_and_few() {
        for (span, text) in [(0, "0 s"), (1_000, "1 s"), (90_000, "90 s")] {
            assert_eq!(seconds(Millis(span)), text);
        }
        for span in [1_500, 91_000, 3_600_000] {
            assert_eq!(seconds(Millis(span)), Millis(span).to_string());
            assert!(!seconds(Millis(span)).ends_with(" s"));
        }
    }
}
