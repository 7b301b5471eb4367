//! What a rule says: problems with the places they stand at, and what it could not look at.

use grammar::document::Entry;
use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind;
use grammar::span::Span;

use super::{Rule, Site, Skipped};

/// What one rule found.
#[derive(Debug)]
pub struct Findings {
    code: Code,
    severity: Severity,
    problems: Vec<Problem>,
    skipped: Vec<Skipped>,
}

impl Findings {
    pub(super) fn new(rule: &Rule) -> Self {
        Self { code: rule.code, severity: rule.severity, problems: Vec::new(), skipped: Vec::new() }
    }

    /// A problem of this rule, to be given its places and [pushed](Self::push).
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.code, self.severity, message)
    }

    /// Takes a problem.
    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn finish(self) -> (Vec<Problem>, Vec<Skipped>) {
        (self.problems, self.skipped)
    }
}

impl Site<'_> {
    /// Adds the place of an option of a flat file: name and value, as one looks for it.
    pub(super) fn at(
        &self,
        problem: Problem,
        kind: FileKind,
        option: &str,
        text: impl Into<String>,
    ) -> Problem {
        match self.read.entry(kind, option) {
            Some(entry) => problem.label(&self.read.shown(kind), Some(whole(entry)), text),
            None => problem,
        }
    }

    /// Adds a file as a whole.
    pub(super) fn at_file(
        &self,
        problem: Problem,
        kind: FileKind,
        text: impl Into<String>,
    ) -> Problem {
        problem.label(&self.read.shown(kind), None, text)
    }
}

/// `name=value`, where both stand on one line.
pub(super) fn whole(entry: &Entry) -> Span {
    let (start, end) = (entry.name_span.start, entry.value_span.end.max(entry.name_span.end));
    Span { start, end }
}
