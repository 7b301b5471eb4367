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
