//! Where a crash can fall between two things that last: before and after each step, each write of the store, and
//! each part of a start. A debug build that `serve` has told so dies there by its own hand, as if the kernel had
//! killed it; in a release build nothing of this is there.
//!
//! Told by an argument of the engine alone, so that no session inherits it. Read next: `golden/tests/real_kills`.

/// Marks a place that a crash may fall on.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reached(_when: &str, _what: &str) {}

#[cfg(debug_assertions)]
pub use told::{reached, tell};

#[cfg(debug_assertions)]
mod told {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What `serve` was told.
    struct Told {
        passed: AtomicU64,
        /// Each boundary that is reached becomes a line of it.
        log: File,
        /// The boundary to die at, from 1.
        die_at: Option<u64>,
    }

    static TOLD: OnceLock<Told> = OnceLock::new();

    /// Writes each boundary into `log` from now on, and dies at the one with the number `die_at`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn tell(log: &Path, die_at: Option<u64>) -> std::io::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let _ = TOLD.set(Told { passed: AtomicU64::new(0), log, die_at });
        Ok(())
    }

    /// Marks a place that a crash may fall on.
    pub fn reached(when: &str, what: &str) {
        let Some(told) = TOLD.get() else { return };
        let number = told.passed.fetch_add(1, Ordering::SeqCst) + 1;
        // Not synced: what a process has written outlives it.
        let written = (&told.log).write_all(format!("{when} {what}\n").as_bytes());
        written.expect("a debugging aid may stop its program");
        if told.die_at == Some(number) {
            let killed = kill_process(getpid(), Signal::KILL);
            killed.expect("a process may kill itself");
        }
    }
}
