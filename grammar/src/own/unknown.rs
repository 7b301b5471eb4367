//! Where a key belongs that stands in the wrong table or the wrong file.
//!
//! TOML lets a line that was meant for the top level slide into the table above it; and our kinds of files
//! share words. Both are told apart from a slip of the pen.

use super::OwnKind;
use super::leaf::shown;
use super::table::Keys;

/// The place where a misplaced key is known.
pub(super) enum Home {
    /// A table of the same kind of file, by its path; empty for the top level.
    Table(&'static str),
    /// The top level of another kind of file.
    File { kind: OwnKind, here: OwnKind },
}

impl Home {
    /// What to say about the key.
    pub(super) fn message(&self, given: &str) -> String {
        let given = shown(given);
        match self {
            Home::Table("") => format!("`{given}` belongs at the top of the file"),
            Home::Table(at) => format!("`{given}` belongs in [{at}]"),
            Home::File { kind, here } => {
                format!("`{given}` is a key of {}, not of {}", kind.shown(), here.shown())
            }
        }
    }

    /// What to do about it.
    pub(super) fn help(&self) -> String {
        match self {
            Home::Table("") => {
                "move it above the first [table]: below one, it is that table's key".to_owned()
            }
            Home::Table(at) => format!("move it below [{at}]"),
            Home::File { kind, .. } => match kind.directory() {
                Some(directory) => format!("write it into a file of {directory}, or leave it out"),
                None => "write it into wharf.toml, or leave it out".to_owned(),
            },
        }
    }
}

/// Where exactly this key is known, other than in the table it stands in.
pub(super) fn home_of(kind: OwnKind, stands_in: &Keys, given: &str) -> Option<Home> {
    let knows = |keys: &&&Keys| keys.names.contains(&given);
    // A table with names of the administrator's own cannot be told which of them is meant.
    let named = |keys: &&&Keys| !keys.at.contains('*') && keys.at != stands_in.at;
    if let Some(keys) = kind.tables().iter().filter(named).find(knows) {
        return Some(Home::Table(keys.at));
    }
    if !stands_in.at.is_empty() {
        return None;
    }
    let others = OwnKind::ALL.into_iter().filter(|other| *other != kind);
    let mut others = others.filter(|other| other.tables().first().is_some_and(|top| knows(&top)));
    others.next().map(|other| Home::File { kind: other, here: kind })
}
