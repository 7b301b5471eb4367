//! The check of one file: all its problems and how much was read; and the line that sums several up.
//!
//! Rules over several files are not here: they need the whole site (`engine-core`).

use crate::document::Document;
use crate::error::{Problem, Severity};
use crate::own::{self, OwnKind};
use crate::read::read_file;
use crate::source::{FileKind, Source};

/// A kind of file, the product's or ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyKind {
    /// One of Workbench's.
    Workbench(FileKind),
    /// One of ours.
    Own(OwnKind),
}

impl AnyKind {
    /// The kind that a path names: by the file's name, or for ours by its directory's.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.rsplit('/');
        let name = parts.next()?;
        if let Some(kind) = FileKind::of_file_name(name) {
            return Some(AnyKind::Workbench(kind));
        }
        let directory = parts.next();
        let ours = OwnKind::ALL.into_iter().find(|kind| match kind.directory() {
            None => name == kind.shown(),
            own => own == directory,
        });
        ours.map(AnyKind::Own)
    }

    /// The kind of that name: a file's, or one of our directories'.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let ours = OwnKind::ALL.into_iter().find(|kind| kind.shown() == name).map(AnyKind::Own);
        ours.or_else(|| FileKind::of_file_name(name).map(AnyKind::Workbench))
    }
}

/// What the check of one file found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// All that is wrong with it, sorted by place.
    pub problems: Vec<Problem>,
    /// How many options, fields and lines of fields were read.
    pub options: usize,
    /// What it says, where it is one of Workbench's.
    pub document: Option<Document>,
}

/// Checks one file by itself.
#[must_use]
pub fn check_file(kind: AnyKind, source: &Source) -> Checked {
    match kind {
        AnyKind::Workbench(kind) => {
            let read = read_file(kind, source);
            let options = read.document.sections.iter().map(|section| section.entries.len()).sum();
            Checked { problems: read.problems, options, document: Some(read.document) }
        }
        AnyKind::Own(kind) => {
            let (problems, options) = own::check_any(kind, source);
            Checked { problems, options, document: None }
        }
    }
}

/// `1 error, 2 warnings in 11 files (143 options)`; notes are not counted.
#[must_use]
pub fn render_summary(problems: &[Problem], files: usize, options: usize) -> String {
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let counts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let found: Vec<_> =
        counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| counted(n, word)).collect();
    let found = if found.is_empty() { "no problems".to_owned() } else { found.join(", ") };
    format!("{found} in {} ({})", counted(files, "file"), counted(options, "option"))
}

fn counted(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_check_counts_what_it_read() {
        let source = Source::new("rserver.conf", "www-port=80\nwww-address=::1\nwww-prot=1\n");
        let checked = check_file(AnyKind::Workbench(FileKind::RserverConf), &source);
        assert_eq!((checked.problems.len(), checked.options), (1, 3));
    }

    #[test]
    fn the_summary_counts_errors_and_warnings() {
        let problem = |severity| Problem::new(Code(1), severity, "m");
        let [error, warning, note] =
            [Severity::Error, Severity::Warning, Severity::Note].map(problem);
        let sum = |problems: &[Problem], files| render_summary(problems, files, 143);
        let all = [error, warning.clone(), warning.clone(), note.clone()];
        assert_eq!(sum(&all, 11), "1 error, 2 warnings in 11 files (143 options)");
        assert_eq!(sum(&[warning], 1), "1 warning in 1 file (143 options)");
        assert_eq!(sum(&[note], 2), "no problems in 2 files (143 options)");
    }
}
