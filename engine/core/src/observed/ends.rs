//! What is remembered of how starts ended. What follows from it is [`crate::planner`]'s.

use serde::{Deserialize, Serialize};

use super::Exit;
use crate::ids::{Incarnation, Moment, SpecDigest};

/// How many ends of a session are remembered.
pub const ENDS_KEPT: usize = 20;

/// How an incarnation ended, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRecord {
    /// When.
    pub at: Moment,
    /// Whether it counts as a failure.
    pub failed: bool,
    /// Whether it ended because it was told to.
    pub asked: bool,
    /// In words: `exit code 1`, `signal 9`.
    pub how: String,
    /// Which start of its session it was, from 1; none in records of before that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
    /// What it was started from: failures of another spec say nothing of this one.
    #[serde(default)]
    pub of: Option<SpecDigest>,
    /// Whether a crash let nothing of it run: then it was no end of the session, and is made up for whatever `restart`
    /// says. A start that failed by itself, and says how, is an end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_ran: bool,
}

impl EndRecord {
    /// Whether it is the end of a start, which began then. When a start began is known for sure only once it has a
    /// process, which may be after it was given up: so it goes by the number, wherever that is written.
    #[must_use]
    pub fn is_of(&self, incarnation: &Incarnation, began: Moment) -> bool {
        self.start.map_or(self.at >= began, |start| start == incarnation.n)
    }
}

impl From<&Exit> for EndRecord {
    fn from(exit: &Exit) -> Self {
        Self {
            start: None,
            at: exit.at,
            failed: exit.failed(),
            asked: exit.asked,
            how: exit.to_string(),
            of: None,
            never_ran: exit.never_ran,
        }
    }
}
