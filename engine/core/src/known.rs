//! What is known of a thing: it is there, it is not, or nobody could say.

use serde::{Deserialize, Serialize};

use crate::ids::Moment;

/// Three-valued knowledge. Absence of an answer is [`Known::Unknown`], never [`Known::Absent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// It is there, and this is what it is.
    Present(T),
    /// Somebody who knows said that it is not there.
    Absent,
    /// It could not be established.
    Unknown {
        /// Since when.
        since: Moment,
        /// Why, in words for a person.
        reason: String,
    },
}

impl<T> Known<T> {
    /// The thing, if it is known to be there.
    pub fn present(&self) -> Option<&T> {
        match self {
            Known::Present(thing) => Some(thing),
            Known::Absent | Known::Unknown { .. } => None,
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Known::Unknown { .. })
    }

    /// The reason why nothing is known.
    pub fn unknown_reason(&self) -> Option<&str> {
        match self {
            Known::Unknown { reason, .. } => Some(reason),
            Known::Present(_) | Known::Absent => None,
        }
    }

    /// The same knowledge of another thing.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Present(thing) => Known::Present(f(thing)),
            Known::Absent => Known::Absent,
            Known::Unknown { since, reason } => Known::Unknown { since, reason },
        }
    }

    /// The same knowledge, borrowed.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Known::Present(thing) => Known::Present(thing),
            Known::Absent => Known::Absent,
            Known::Unknown { since, reason } => {
                Known::Unknown { since: *since, reason: reason.clone() }
            }
        }
    }
}
