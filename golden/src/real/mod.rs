//! Real programs for the tests in `golden/tests/real_*.rs`: the built `wharf`, a browser, and what checks them.
//!
//! Starts and ends processes, and nothing else: what a status means is said by the tests. Everything waits on a
//! predicate with a limit; everything that was started ends with the value that started it, also on a panic.
//! Read next: [`engine`] (an engine with a site of its own), [`site`] (the ways in which files are changed),
//! [`chromium`] (a browser driven from outside).

pub mod binary;
pub mod chromium;
pub mod engine;
pub mod fuse;
pub mod http;
pub mod jupyter;
pub mod namespace;
pub mod port;
pub mod process;
pub mod site;
pub mod workbench;

use std::time::{Duration, Instant};

pub use binary::wharf;
pub use chromium::Chromium;
pub use engine::{Engine, Ran};
pub use fuse::SlowFs;
pub use http::{Browser, Page, Socket};
pub use namespace::{Own, within};
pub use port::Port;
pub use process::Process;
pub use site::Site;
pub use workbench::SimulatedWorkbench;

/// How long anything may take that takes no time on a quiet machine. Generous: a limit only bounds a failure.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How often a predicate is asked.
const EVERY: Duration = Duration::from_millis(25);

/// Waits until `found` finds something.
///
/// # Panics
/// It does not within [`LIMIT`]: with `what`, and what `found` has last seen instead.
#[track_caller]
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Result<T, String>) -> T {
    let limit = Instant::now() + LIMIT;
    loop {
        match found() {
            Ok(found) => return found,
            Err(instead) => {
                assert!(Instant::now() < limit, "{what}: not within {LIMIT:?}; instead: {instead}");
            }
        }
        std::thread::sleep(EVERY);
    }
}

/// Asks `holds` again and again for `span`: what must go on holding while something else is the case.
///
/// # Panics
/// Whenever `holds` does.
#[track_caller]
pub fn holds_for(span: Duration, mut holds: impl FnMut()) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        holds();
        std::thread::sleep(EVERY);
    }
    holds();
}
