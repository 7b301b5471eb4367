//! What is wanted and waits: for what, until when, and whether that passes by itself.

use serde::{Deserialize, Serialize};

use super::{Because, Impact, Mark, Resource, STARTS};
use crate::ids::Moment;

/// Something wanted that does not happen now.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// What waits.
    pub resource: Resource,
    /// For what.
    pub waiting_on: WaitingOn,
    /// Why it is wanted.
    pub because: Vec<Because>,
    /// When it goes on by itself, where that is known.
    pub until: Option<Moment>,
    /// The impact of what is kept back; None for next-start.
    pub impact: Impact,
    /// What would happen, in words: `ends`, `restarts`, `starts`.
    pub wanted: String,
}

impl Hold {
    /// Whether it passes by itself.
    #[must_use]
    pub fn kind(&self) -> HoldKind {
        self.waiting_on.kind()
    }

    /// What happens to the resource once it goes on.
    #[must_use]
    pub fn mark(&self) -> Mark {
        if self.wanted == STARTS { Mark::Start } else { Mark::of(self.impact) }
    }
}

/// Whether a hold passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldKind {
    /// It passes.
    Passing,
    /// It stays until a person, a start or an idle time ends it.
    Standing,
}

/// What a hold waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "waiting-on")]
pub enum WaitingOn {
    /// Connections to run out.
    Draining,
    /// Something under way.
    InFlight {
        /// What, in words: `start`, `end`, `installing 41 of 63`.
        what: String,
    },
    /// The time between starts that fail.
    BackOff {
        /// Failures in a row.
        failures: u32,
    },
    /// Other starts to finish.
    Budget,
    /// Something that nobody could say.
    Unknown {
        /// What and why.
        reason: String,
    },
    /// harm-delay.
    HarmDelay,
    /// Other nodes to have the same files.
    Nodes {
        /// Who lacks what.
        lacking: String,
    },
    /// The session's own next start.
    NextStart {
        /// What differs: `LC_ALL`, `exe`.
        differs: Vec<String>,
    },
    /// It to be idle.
    Idle,
    /// A time window.
    Window,
    /// `wharf apply`.
    Approval {
        /// Why it is asked for.
        reason: String,
    },
    /// A node that suits it and takes new sessions: none does, as people want it.
    NoNode,
    /// A person to solve something.
    Problem {
        /// What.
        reason: String,
    },
    /// An override to end.
    Pinned {
        /// Which.
        reason: String,
    },
    /// A person, after too many failures.
    CrashLoop {
        /// Failures within the policy's time.
        failures: u32,
    },
}

impl WaitingOn {
    /// Whether something has gone wrong with what waits, and a person has to put it right.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, WaitingOn::Problem { .. } | WaitingOn::CrashLoop { .. })
    }

    /// Whether it passes by itself.
    #[must_use]
    pub fn kind(&self) -> HoldKind {
        match self {
            WaitingOn::Draining
            | WaitingOn::InFlight { .. }
            | WaitingOn::BackOff { .. }
            | WaitingOn::Budget
            | WaitingOn::Unknown { .. }
            | WaitingOn::HarmDelay
            | WaitingOn::Nodes { .. } => HoldKind::Passing,
            WaitingOn::NextStart { .. }
            | WaitingOn::Idle
            | WaitingOn::Window
            | WaitingOn::Approval { .. }
            | WaitingOn::NoNode
            | WaitingOn::Problem { .. }
            | WaitingOn::Pinned { .. }
            | WaitingOn::CrashLoop { .. } => HoldKind::Standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_to_put_right_is_a_failure_and_stays() {
        let reason = || "it is broken".to_owned();
        for (waiting, failure) in [
            (WaitingOn::Problem { reason: reason() }, true),
            (WaitingOn::CrashLoop { failures: 5 }, true),
            (WaitingOn::Pinned { reason: reason() }, false),
            (WaitingOn::Approval { reason: reason() }, false),
            (WaitingOn::NoNode, false),
        ] {
            assert_eq!(waiting.is_failure(), failure, "{waiting:?}");
            assert_eq!(waiting.kind(), HoldKind::Standing, "{waiting:?}");
        }
        assert!(!WaitingOn::HarmDelay.is_failure());
        assert_eq!(WaitingOn::HarmDelay.kind(), HoldKind::Passing);
    }
}
