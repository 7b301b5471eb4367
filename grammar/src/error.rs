//! Problems in input, as values: what is wrong, where, and what to do.
//!
//! Knows nothing of rendering (`report` does that) and nothing of files beyond their shown names.
//! Each reader has its own enum with one variant per human mistake; such an enum turns into a
//! [`Problem`], which is what is collected, sorted and shown.

use std::fmt;
use std::sync::Arc;

use crate::span::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The set cannot be accepted.
    Error,
    /// The set is accepted; a person should look.
    Warning,
    /// Said once, asks for nothing.
    Note,
}

/// A stable number of a kind of problem, shown as `WH0107`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WH{:04}", self.0)
    }
}

/// A place in a file with what to say about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The file as shown to a person (the path it was read from).
    pub file: Arc<str>,
    /// Where in it; none = the file as a whole.
    pub span: Option<Span>,
    /// What stands there, in a few words; may be empty.
    pub text: String,
}

/// One problem, complete: sorted by its first label's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its stable code.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// One line, no full stop.
    pub message: String,
    /// The first is where it stands; further ones are what it conflicts with.
    pub labels: Vec<Label>,
    /// Further facts, one line each.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with no label yet.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Adds a place.
    #[must_use]
    pub fn label(mut self, file: &Arc<str>, span: Option<Span>, text: impl Into<String>) -> Self {
        self.labels.push(Label { file: Arc::clone(file), span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether a set that has it cannot be accepted.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Sorts by file, then place, then severity: the order in which problems are shown.
pub fn sort_problems(problems: &mut [Problem]) {
    problems.sort_by(|a, b| {
        let key = |p: &Problem| p.labels.first().map(|l| (Arc::clone(&l.file), l.span));
        key(a)
            .cmp(&key(b))
            .then(a.severity.cmp(&b.severity))
            .then(a.code.cmp(&b.code))
            .then_with(|| a.message.cmp(&b.message))
    });
}

/// The problems of one file while it is read: all of them, up to a bound that no honest file reaches.
#[derive(Debug)]
pub struct Problems {
    file: Arc<str>,
    kept: Vec<Problem>,
    left_out: usize,
    left_out_worst: Severity,
    suggestions: usize,
}

impl Problems {
    /// More problems than this in one file are counted, not listed.
    pub const LISTED: usize = 1000;
    /// More unknown names than this in one file get no suggestion.
    pub const SUGGESTED: usize = 50;

    /// None yet.
    pub fn new(file: &Arc<str>) -> Self {
        Self {
            file: Arc::clone(file),
            kept: Vec::new(),
            left_out: 0,
            left_out_worst: Severity::Note,
            suggestions: 0,
        }
    }

    /// Adds what `make` builds; beyond the bound only its severity is kept.
    pub fn push(&mut self, make: impl FnOnce() -> Problem) {
        if self.kept.len() < Self::LISTED {
            self.kept.push(make());
        } else {
            self.leave_out(make().severity);
        }
    }

    /// Counts a problem that is not listed.
    pub fn leave_out(&mut self, severity: Severity) {
        self.left_out += 1;
        self.left_out_worst = self.left_out_worst.min(severity);
    }

    /// Whether further problems are only counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kept.len() >= Self::LISTED
    }

    /// Whether one more suggestion may be looked for; counts it.
    pub fn may_suggest(&mut self) -> bool {
        self.suggestions += 1;
        self.suggestions <= Self::SUGGESTED
    }

    /// All problems, sorted by place.
    #[must_use]
    pub fn finish(mut self) -> Vec<Problem> {
        sort_problems(&mut self.kept);
        if self.left_out > 0 {
            let message = format!("{} more problems in this file are not listed", self.left_out);
            let problem = Problem::new(crate::codes::NOT_LISTED, self.left_out_worst, message);
            self.kept.push(problem.label(&self.file, None, ""));
        }
        self.kept
    }
}

/// A name from a file as it stands in a message: between back quotes, cut where it is very long.
#[must_use]
pub fn quoted(name: &str) -> String {
    const LONGEST: usize = 64;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}...`", &name[..end]),
        None => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_problems_are_counted_and_keep_their_weight() {
        let file: Arc<str> = "f".into();
        let mut problems = Problems::new(&file);
        for n in 0..Problems::LISTED + 2 {
            let severity = if n > Problems::LISTED { Severity::Error } else { Severity::Warning };
            problems.push(|| Problem::new(Code(1), severity, "p").label(&file, None, ""));
        }
        let problems = problems.finish();
        let last = problems.last().expect("there are many");
        assert_eq!(problems.len(), Problems::LISTED + 1);
        assert_eq!(last.message, "2 more problems in this file are not listed");
        assert_eq!(last.severity, Severity::Error);
    }

    #[test]
    fn problems_are_sorted_by_place() {
        let file: Arc<str> = "f".into();
        let mut problems = Problems::new(&file);
        for at in [9, 3, 6] {
            let span = Some(Span::new(at, at + 1));
            problems.push(|| Problem::new(Code(1), Severity::Error, "p").label(&file, span, ""));
        }
        let starts: Vec<_> =
            problems.finish().iter().map(|p| p.labels[0].span.map(|span| span.start)).collect();
        assert_eq!(starts, [Some(3), Some(6), Some(9)]);
    }

    #[test]
    fn a_very_long_name_is_cut() {
        assert_eq!(quoted("www-port"), "`www-port`");
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), 64 + 5);
    }
}
