//! Why a step or a hold is there.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a step is there: a line of a file, or something observed, or a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "because")]
pub enum Because {
    /// A line of a file.
    Line {
        /// The file as shown.
        file: Arc<str>,
        /// The line, from 1.
        line: u32,
        /// The option.
        option: String,
    },
    /// A line that is no longer there, where it last stood.
    LineRemoved {
        /// The file as shown.
        file: Arc<str>,
        /// The line it was, from 1.
        line: u32,
        /// The option.
        option: String,
    },
    /// A file that is no longer there.
    FileRemoved {
        /// The file as shown.
        file: Arc<str>,
    },
    /// Something observed.
    Seen {
        /// In words.
        what: String,
    },
    /// A person's request or override.
    Person {
        /// In words: who, when, why.
        what: String,
    },
    /// The built-in default of an option that no file sets.
    Default {
        /// The option.
        option: String,
    },
}

impl Because {
    /// The file and line it names, there or removed.
    #[must_use]
    pub fn place(&self) -> Option<(&Arc<str>, u32)> {
        match self {
            Because::Line { file, line, .. } | Because::LineRemoved { file, line, .. } => {
                Some((file, *line))
            }
            Because::FileRemoved { .. }
            | Because::Seen { .. }
            | Because::Person { .. }
            | Because::Default { .. } => None,
        }
    }

    /// The file it names.
    #[must_use]
    pub fn file(&self) -> Option<&Arc<str>> {
        match self {
            Because::FileRemoved { file } => Some(file),
            other => other.place().map(|(file, _)| file),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A directory has no lines.
            Because::Line { file, line: 0, .. } => f.write_str(file),
            Because::Line { file, line, .. } => write!(f, "{file}:{line}"),
            Because::LineRemoved { file, line: 0, .. } => write!(f, "{file} (removed)"),
            Because::LineRemoved { file, line, .. } => write!(f, "{file}:{line} (removed)"),
            Because::FileRemoved { file } => write!(f, "{file} (removed)"),
            Because::Seen { what } | Because::Person { what } => f.write_str(what),
            Because::Default { option } => write!(f, "{option} (default)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_of_a_file_names_it_and_another_names_none() {
        let file: Arc<str> = Arc::from("rserver.conf");
        let option = || "www-port".to_owned();
        for (cause, names, line) in [
            (Because::Line { file: Arc::clone(&file), line: 3, option: option() }, true, Some(3)),
            (
                Because::LineRemoved { file: Arc::clone(&file), line: 4, option: option() },
                true,
                Some(4),
            ),
            (Because::FileRemoved { file: Arc::clone(&file) }, true, None),
            (Because::Seen { what: option() }, false, None),
            (Because::Person { what: option() }, false, None),
            (Because::Default { option: option() }, false, None),
        ] {
            assert_eq!(cause.file(), names.then_some(&file), "{cause:?}");
            assert_eq!(cause.place().map(|(_, line)| line), line, "{cause:?}");
        }
    }
}
