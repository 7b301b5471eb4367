//! What an incarnation's directory means: a pure function of its records and of who is alive.
//!
//! | records | processes | phase |
//! |---|---|---|
//! | `exit.json` | | Exited, as it says |
//! | any, of another boot | | Exited: the machine was restarted |
//! | `identity.json`, `ending.json` | child alive | Ending |
//! | `identity.json` | child alive, has answered | Ready |
//! | `identity.json` | child alive | Starting |
//! | `identity.json` | child gone, keeper alive | Ending: the rest is being ended |
//! | `identity.json` | both gone | Exited: how is not known |
//! | no `identity.json` | keeper answers, or young | Preparing |
//! | no `identity.json` | nobody answers, overdue | Exited: never started |
//!
//! A directory that cannot be understood does not come here: it is Unknown, never Absent.

use std::sync::Arc;

use engine_core::ids::Moment;
use engine_core::observed::{Exit, Phase};

use crate::keeper::record::{Ending, ExitRecord, Identity, Spec};

/// What stands in a directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// `spec.json`.
    pub spec: Option<Arc<Spec>>,
    /// `identity.json`.
    pub identity: Option<Identity>,
    /// Whether `ready.json` is there.
    pub ready: bool,
    /// `ending.json`.
    pub ending: Option<Ending>,
    /// `exit.json`.
    pub exit: Option<ExitRecord>,
    /// When the directory last changed.
    pub changed_at: Moment,
}

impl Records {
    /// The boot to which it belongs, where that is recorded.
    #[must_use]
    pub fn boot_id(&self) -> Option<&str> {
        let spec = self.spec.as_ref().map(|spec| spec.boot_id.as_str());
        self.identity.as_ref().map(|identity| identity.boot_id.as_str()).or(spec)
    }
}

/// What was found beside the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether it all belongs to this boot, as far as that is recorded.
    pub this_boot: bool,
    /// Whether the recorded child runs.
    pub child: bool,
    /// Whether the recorded keeper runs; without a record, whether one answers.
    pub keeper: bool,
    /// Whether it answered once.
    pub ready: bool,
    /// Whether its next trace should have come by now.
    pub overdue: bool,
}

/// The phase, and whether a keeper will record the end. `now` is when an end nobody recorded was noticed.
#[must_use]
pub fn judge(records: &Records, found: Found, now: Moment) -> (Phase, bool) {
    if let Some(exit) = &records.exit {
        return (Phase::Exited(exit.clone().into()), false);
    }
    let lost = |at, failure: &str| {
        let asked = records.ending.as_ref().is_some_and(|ending| ending.asked);
        let failure = failure.to_owned();
        let never_ran = records.identity.is_none();
        (Phase::Exited(Exit { at, code: None, signal: None, asked, failure, never_ran }), false)
    };
    if !found.this_boot {
        return lost(records.changed_at, "the machine was restarted");
    }
    if records.identity.is_none() {
        if found.keeper || !found.overdue {
            return (Phase::Preparing, found.keeper);
        }
        return lost(records.changed_at, "never started: nobody holds its directory");
    }
    let since = records.ending.as_ref().map(|ending| ending.since);
    let phase = match (found.child, since) {
        (true, Some(since)) => Phase::Ending { since },
        (true, None) if found.ready => Phase::Ready,
        (true, None) => Phase::Starting,
        (false, since) if found.keeper => Phase::Ending { since: since.unwrap_or(now) },
        (false, _) => return lost(now, "its keeper was gone: how it ended is not known"),
    };
    (phase, found.keeper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::process::ProcessId;
    use crate::keeper::record::{Containment, FORMAT};

    fn identity() -> Identity {
        let process = |pid| ProcessId { pid, start_ticks: 1 };
        Identity {
            format: FORMAT,
            boot_id: "b".to_owned(),
            keeper: process(7),
            child: process(8),
            started_at: Moment(1),
            containment: Containment::ProcessTree,
        }
    }

    fn check(records: &Records, [child, keeper, ready, overdue]: [bool; 4], expected: &str) {
        let found = Found { this_boot: true, child, keeper, ready, overdue };
        let (phase, kept) = judge(records, found, Moment(99));
        let word = match &phase {
            Phase::Preparing => "preparing".to_owned(),
            Phase::Starting => "starting".to_owned(),
            Phase::Ready => "ready".to_owned(),
            Phase::Ending { since } => format!("ending since {}", since.0),
            Phase::Exited(exit) => format!("exited at {}: {}", exit.at.0, exit.failure),
        };
        let word = if kept { format!("{word}, kept") } else { word };
        assert_eq!(word, expected, "{records:?} {found:?}");
    }

    #[test]
    fn every_line_of_the_table_holds() {
        let bare = Records { changed_at: Moment(5), ..Records::default() };
        check(&bare, [false, false, false, false], "preparing");
        check(&bare, [false, true, false, true], "preparing, kept");
        check(&bare, [false; 4].map(|_| false), "preparing");
        let never = "exited at 5: never started: nobody holds its directory";
        check(&bare, [false, false, false, true], never);

        let runs = Records { identity: Some(identity()), ..bare.clone() };
        check(&runs, [true, true, false, false], "starting, kept");
        check(&runs, [true, true, false, true], "starting, kept");
        check(&runs, [true, true, true, false], "ready, kept");
        check(&runs, [true, false, true, false], "ready");
        check(&runs, [false, true, true, false], "ending since 99, kept");
        let unknown = "exited at 99: its keeper was gone: how it ended is not known";
        check(&runs, [false, false, true, false], unknown);

        let ending = Ending { format: FORMAT, since: Moment(42), asked: true };
        let ends = Records { ending: Some(ending), ..runs.clone() };
        check(&ends, [true, true, true, false], "ending since 42, kept");
        check(&ends, [false, true, true, false], "ending since 42, kept");

        let exit = Exit {
            at: Moment(50),
            code: Some(0),
            signal: None,
            asked: false,
            failure: String::new(),
            never_ran: false,
        };
        let over = Records { exit: Some(exit.into()), ..ends };
        check(&over, [true, true, true, false], "exited at 50: ");

        let (phase, kept) =
            judge(&runs, Found { this_boot: false, ..Found::default() }, Moment(99));
        assert!(
            matches!(phase, Phase::Exited(exit) if exit.failure.contains("restarted")) && !kept
        );
    }
}
