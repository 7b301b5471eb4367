//! The words of plans: what is waited for, what things are called, counts and spans.

use grammar::value::Millis;

use crate::plan::{Resource, WaitingOn};

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
        WaitingOn::Window => "in its time window".to_owned(),
        WaitingOn::Approval { reason } => format!("needs `wharf apply`: {reason}"),
        WaitingOn::Problem { reason } => reason.clone(),
        WaitingOn::Pinned { reason } => reason.clone(),
        WaitingOn::CrashLoop { failures } => {
            format!("gave up after {}", count(*failures as usize, "failed start"))
        }
    }
}

/// A span in seconds with a blank, as the product's texts have it.
pub(super) fn seconds(span: Millis) -> String {
    if span.0.is_multiple_of(1000) && span.0 <= 90_000 {
        format!("{} s", span.0 / 1000)
    } else {
        span.to_string()
    }
}

/// A value that does not make the table unreadable.
pub(super) fn short(value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if clean.chars().count() <= 40 {
        return if clean.is_empty() { "\"\"".to_owned() } else { clean };
    }
    let head: String = clean.chars().take(37).collect();
    format!("{head}...")
}

/// What a resource is called in a line of its own.
pub(super) fn name(resource: &Resource) -> String {
    match resource {
        Resource::Session(id) | Resource::Route(id) => id.to_string(),
        Resource::Node(id) => id.to_string(),
        Resource::Gateway(id) => format!("gateway {id}"),
        Resource::Workbench(id) => format!("workbench {id}"),
        Resource::Listener(listener) => listener.to_string(),
        Resource::Balancer => "balancer".to_owned(),
    }
}

/// `1 session`, `2 sessions`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
