//! What a rule says: problems with the places they stand at, and what it could not look at.

use grammar::document::{Entry, Section};
use grammar::error::{Code, Problem, Severity};
use grammar::own::Lines;
use grammar::source::{FileKind, Source};
use grammar::span::Span;

use super::{Rule, Site, Skipped};
use crate::facts::Facts;
use crate::known::Known;

/// What one rule found.
#[derive(Debug)]
pub struct Findings {
    code: Code,
    severity: Severity,
    problems: Vec<Problem>,
    left_out: Vec<Severity>,
    skipped: Vec<Skipped>,
}

impl Findings {
    /// More findings of one rule than this are counted, not listed.
    const LISTED: usize = 200;

    pub(super) fn new(rule: &Rule) -> Self {
        Self {
            code: rule.code,
            severity: rule.severity,
            problems: Vec::new(),
            left_out: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// A problem of this rule, to be given its places and [pushed](Self::push).
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.code, self.severity, message)
    }

    /// The same, where it is less bad than this rule's worst.
    pub(super) fn warning(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.code, Severity::Warning, message)
    }

    /// Takes a problem; beyond the bound only its severity is kept.
    pub(super) fn push(&mut self, problem: Problem) {
        if self.is_full() {
            self.left_out.push(problem.severity);
        } else {
            self.problems.push(problem);
        }
    }

    /// A fact, if it is there. That nobody knows skips the rule, once for each reason.
    pub(super) fn known<'k, T>(&mut self, known: &'k Known<T>) -> Option<&'k T> {
        if let Some(reason) = known.unknown_reason() {
            let skipped = Skipped { code: self.code, reason: reason.to_owned() };
            if !self.skipped.contains(&skipped) {
                self.skipped.push(skipped);
            }
        }
        known.present()
    }

    /// Whether further problems are only counted: then their places need not be looked for.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= Self::LISTED
    }

    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<Skipped>) {
        let last = self.problems.last().and_then(|problem| problem.labels.first());
        if let (Some(worst), Some(last)) = (self.left_out.iter().min(), last.cloned()) {
            let message = format!("{} more of these are not listed", self.left_out.len());
            let problem = Problem::new(self.code, *worst, message);
            self.problems.push(problem.label(&last.file, None, ""));
        }
        (self.problems, self.skipped)
    }
}

impl<'a> Site<'a> {
    /// What is known of the machine.
    pub(super) fn facts(&self) -> &'a Facts {
        &self.read.files.facts
    }

    /// The text of a Workbench file, if it is there.
    pub(super) fn source(&self, kind: FileKind) -> Option<&'a Source> {
        self.read.files.workbench.get(&kind)?.present()
    }

    /// The records or sections of a Workbench file; none where it is not there.
    pub(super) fn sections(&self, kind: FileKind) -> &'a [Section] {
        self.read.documents.get(&kind).map_or(&[], |document| &document.sections)
    }

    /// Adds the place of an option of a flat file: name and value, as one looks for it.
    pub(super) fn at(
        &self,
        problem: Problem,
        kind: FileKind,
        option: &str,
        text: impl Into<String>,
    ) -> Problem {
        match self.read.entry(kind, option) {
            Some(entry) => self.at_entry(problem, kind, entry, text),
            None => problem,
        }
    }

    /// Adds the place of an entry: name and value.
    pub(super) fn at_entry(
        &self,
        problem: Problem,
        kind: FileKind,
        entry: &Entry,
        text: impl Into<String>,
    ) -> Problem {
        let (start, end) = (entry.name_span.start, entry.value_span.end.max(entry.name_span.end));
        problem.label(&self.read.shown(kind), Some(Span { start, end }), text)
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

/// Adds the place of a field of one of our files.
pub(super) fn at_field(
    problem: Problem,
    source: &Source,
    lines: &Lines,
    field: &str,
    text: impl Into<String>,
) -> Problem {
    problem.label(&source.file, lines.place(field).map(|place| place.span), text)
}

/// The place of one item of a list in a value; the whole value where it cannot be told.
pub(super) fn item_span(source: Option<&Source>, entry: &Entry, item: &str) -> Span {
    let Some(source) = source.filter(|_| !item.is_empty()) else { return entry.value_span };
    let text = source.slice(entry.value_span);
    let is_edge = |c: Option<char>| c.is_none_or(|c| c == ',' || c.is_whitespace());
    let found = text.match_indices(item).find(|(at, _)| {
        is_edge(text[..*at].chars().next_back()) && is_edge(text[at + item.len()..].chars().next())
    });
    let start = entry.value_span.start as usize;
    found.map_or(entry.value_span, |(at, _)| Span::new(start + at, start + at + item.len()))
}

/// The items of a list between commas.
pub(super) fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_findings_are_counted_and_keep_their_weight() {
        let rule = crate::lint::rules().next().expect("there are rules");
        let mut findings = Findings::new(rule);
        let file = "f".into();
        for n in 0..Findings::LISTED + 3 {
            let severity = if n > Findings::LISTED { Severity::Error } else { Severity::Warning };
            findings.push(Problem::new(rule.code, severity, "p").label(&file, None, ""));
        }
        let (problems, _) = findings.finish();
        let last = problems.last().expect("there are many");
        assert_eq!(problems.len(), Findings::LISTED + 1);
        assert_eq!(last.message, "3 more of these are not listed");
        assert_eq!(last.severity, Severity::Error);
    }

    #[test]
    fn an_item_of_a_list_is_pointed_at_as_a_whole() {
        let source = Source::new("f", "x=ab,a, b");
        let read = grammar::read::read_file(FileKind::RserverConf, &source);
        let entry = &read.document.sections[0].entries[0];
        let text = |item| source.slice(item_span(Some(&source), entry, item)).to_owned();
        assert_eq!((text("a"), text("b"), text("c")), ("a".into(), "b".into(), "ab,a, b".into()));
        assert_eq!(item_span(Some(&source), entry, "a").start, 5);
    }
}
