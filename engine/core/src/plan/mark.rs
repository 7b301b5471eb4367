//! What happens to a thing, in one word: how plans mark it, and what an approval is for.

use serde::{Deserialize, Serialize};

use super::Impact;

/// What happens to a thing, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// `-`
    End,
    /// `-/+`
    Restart,
    /// `+`
    Start,
    /// `~`
    Change,
}

impl Mark {
    /// Every mark, worst first.
    pub const ALL: [Mark; 4] = [Mark::End, Mark::Restart, Mark::Start, Mark::Change];

    /// The mark of what has this impact and is no start.
    #[must_use]
    pub fn of(impact: Impact) -> Self {
        match impact {
            Impact::Ended => Mark::End,
            Impact::Restarted => Mark::Restart,
            Impact::None
            | Impact::NewSessions
            | Impact::RequestsHeld
            | Impact::Suspended
            | Impact::Moved => Mark::Change,
        }
    }

    /// The mark itself.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Mark::End => "-",
            Mark::Restart => "-/+",
            Mark::Start => "+",
            Mark::Change => "~",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Mark::End => "end",
            Mark::Restart => "restart",
            Mark::Start => "start",
            Mark::Change => "change",
        }
    }
}
