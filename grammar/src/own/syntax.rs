//! From text to a table with places; what is no TOML becomes problems, all of them.
//!
//! The parser goes on after an error, so the rest of a broken file is still read. What was lost on the way
//! must not be called missing: [`Parsed::merge_problems`] keeps only what a person would agree with.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue, Error};

use super::{BAD_VALUE, SYNTAX, UNKNOWN_KEY, WRONG_TYPE};
use crate::error::{Problem, Severity, sort_problems};
use crate::source::Source;
use crate::span::Span;

/// How many syntax errors are shown: after that many the text is not meant as TOML.
const SHOWN_MAX: usize = 50;

/// A text as TOML, as far as it is.
pub(super) struct Parsed<'s> {
    /// What could be read.
    pub(super) table: DeTable<'s>,
    problems: Vec<Problem>,
    /// Lines with an error, from 1.
    broken: BTreeSet<u32>,
    /// Whether one of them is the header of a table.
    header_broken: bool,
}

/// Reads a text as TOML.
pub(super) fn parse(source: &Source) -> Parsed<'_> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut broken = BTreeSet::new();
    let mut problems = Vec::new();
    let mut header_broken = false;
    for error in &errors {
        let span = span_of(source, error);
        let line = source.lines.line(span.start);
        // One slip makes the parser stumble more than once in a line; the first says it.
        if !broken.insert(line) {
            continue;
        }
        header_broken = header_broken || is_in_header(source, span);
        if problems.len() < SHOWN_MAX {
            problems.push(problem_of(source, table.get_ref(), error, span));
        }
    }
    if broken.len() > SHOWN_MAX
        && let Some(last) = problems.pop()
    {
        let rest = broken.len() - SHOWN_MAX;
        problems.push(last.note(format!("{rest} more lines of this file are no TOML")));
    }
    Parsed { table: table.into_inner(), problems, broken, header_broken }
}

impl Parsed<'_> {
    /// Joins the problems of the text with those found in its tables, sorted by place.
    ///
    /// In a text with syntax errors a key may be missing, or stand in another table, only because a line
    /// before it broke: so nothing is called missing or contradicting there, and nothing at all is said
    /// about a broken line twice; after a broken table header only the syntax is reported.
    pub(super) fn merge_problems(self, source: &Source, found: Vec<Problem>) -> Vec<Problem> {
        let mut all = self.problems;
        all.extend(found.into_iter().filter(|problem| {
            if self.broken.is_empty() {
                return true;
            }
            let line = problem.labels.first().and_then(|label| label.span);
            let line = line.map(|span| source.lines.line(span.start));
            !self.header_broken
                && [UNKNOWN_KEY, WRONG_TYPE, BAD_VALUE].contains(&problem.code)
                && line.is_some_and(|line| !self.broken.contains(&line))
        }));
        sort_problems(&mut all);
        all
    }
}

fn span_of(source: &Source, error: &Error) -> Span {
    let end = source.text.len();
    error.span().map_or_else(
        || Span::new(end, end),
        |range| Span::new(range.start.min(end), range.end.min(end)),
    )
}

fn is_in_header(source: &Source, span: Span) -> bool {
    let before = source.text.get(..span.start as usize).unwrap_or("");
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    source
        .text
        .get(line..)
        .is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with('['))
}

fn problem_of(source: &Source, table: &DeTable<'_>, error: &Error, span: Span) -> Problem {
    let said = error.message().lines().collect::<Vec<_>>().join(", ");
    if said == "duplicate key" {
        let name = source.text.get(span.range()).unwrap_or("");
        let message = format!("`{}` is written twice", super::leaf::shown(name));
        let problem = Problem::new(SYNTAX, Severity::Error, message)
            .label(&source.file, Some(span), "the second one")
            .help("keep one of them");
        let first = if is_in_header(source, span) {
            first_header(source, span)
        } else {
            first_key(table, name.trim_matches(['"', '\'']), span)
        };
        return match first {
            Some(first) => problem.label(&source.file, Some(first), "the first one"),
            None => problem,
        };
    }
    let problem = |said: &str| {
        Problem::new(SYNTAX, Severity::Error, format!("this is no TOML: {said}")).label(
            &source.file,
            Some(span),
            "",
        )
    };
    // The parser guesses at a number or a date where a value begins with a letter; most often it is a text.
    let (before, rest) = source.text.split_at_checked(span.start as usize).unwrap_or_default();
    let is_value = !is_in_header(source, span)
        && before.trim_end_matches([' ', '\t']).ends_with(['=', '[', ',']);
    let word = rest.split([' ', '\t', '\r', '\n', ',', ']', '}', '#', '=']).next().unwrap_or("");
    if is_value && word.is_empty() && !rest.starts_with('=') {
        return problem("a value is missing");
    }
    if is_value && ["true", "false"].iter().any(|switch| word.eq_ignore_ascii_case(switch)) {
        let advice = format!("write {}", word.to_ascii_lowercase());
        return problem("true and false are written in small letters").help(advice);
    }
    if is_value && word.starts_with(char::is_alphabetic) {
        let advice = format!("write \"{}\"", super::leaf::shown(word.trim_matches(['"', '\''])));
        return problem("a text stands in quotes").help(advice);
    }
    problem(&said)
}

/// The header that stands in a line before `second` and says the same.
fn first_header(source: &Source, second: Span) -> Option<Span> {
    let before = source.text.get(..second.start as usize)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let header =
        |line: &str| line.split(']').next().map(|head| head.trim().replace([' ', '\t'], ""));
    let wanted = header(source.text.get(line_start..)?)?;
    let mut at = 0;
    for line in source.text.get(..line_start)?.split_inclusive('\n') {
        if line.trim_start().starts_with('[') && header(line).as_ref() == Some(&wanted) {
            return Some(Span::new(at, at + line.trim_end().len()));
        }
        at += line.len();
    }
    None
}

/// The key of this name that the parser kept: the last that stands before `second`.
fn first_key(table: &DeTable<'_>, name: &str, second: Span) -> Option<Span> {
    let deeper = table.iter().filter_map(|(_, value)| match value.get_ref() {
        DeValue::Table(table) => first_key(table, name, second),
        _ => None,
    });
    let here =
        table.get_key_value(name).map(|(key, _)| Span::new(key.span().start, key.span().end));
    deeper.chain(here).filter(|span| span.end <= second.start).max()
}
