//! The check of one file: all its problems and how much was read; and the line that sums several up.
//!
//! Rules over several files are not here: they need the whole site (`engine-core`).

use crate::error::{Problem, Severity};
use crate::read::read_file;
use crate::source::{FileKind, Source};

/// What the check of one file found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// All that is wrong with it, sorted by place.
    pub problems: Vec<Problem>,
    /// How many options, fields and lines of fields were read.
    pub options: usize,
}

/// Checks one file.
#[must_use]
pub fn check_file(kind: FileKind, source: &Source) -> Checked {
    let read = read_file(kind, source);
    let options = read.document.sections.iter().map(|section| section.entries.len()).sum();
    Checked { problems: read.problems, options }
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
        let checked = check_file(FileKind::RserverConf, &source);
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
