//! Wharfinger: a cluster engine for interactive data-science sessions, driven by files.
//!
//! Read `engine/ARCHITECTURE.md` first; then `ports`, then `reconcile`.

pub mod admin;
pub mod boundary;
pub mod cli;
pub mod control;
pub mod demo;
pub mod execute;
mod hex;
pub mod identity;
pub mod incumbent;
pub mod instance;
pub mod intake;
pub mod keeper;
pub mod lab;
pub mod launcher;
pub mod layout;
pub mod ledger;
pub mod load;
pub mod logging;
pub mod name_service;
pub mod node;
pub mod observe;
pub mod panics;
pub mod ports;
pub mod proxy;
pub mod reconcile;
pub mod recorded;
pub mod saved;
pub mod saved_plan;
pub mod served;
pub mod session_socket;
pub mod status;
pub mod store;
pub mod warden;
pub mod watch;
pub mod web;
pub mod whole_file;

/// An error with its causes, outermost first, joined by `: `.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // A message that repeats its cause says it once.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
