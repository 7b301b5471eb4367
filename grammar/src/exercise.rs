//! What holds for every text whatsoever, as a function: the body of the fuzz targets and of the
//! ordinary tests that run them over samples.
//!
//! The only module that is meant to panic: a panic here is a bug of a reader.

mod target;

use crate::error::{Problem, Problems};
use crate::own::{OwnKind, problems_of};
use crate::print::print;
use crate::read::{parse_tree, read_file};
use crate::report::{Format, Style, render};
use crate::source::{FileKind, Source, decode};
use crate::tree::Tree;

pub use target::{Target, target, targets};

/// Entries of one file whose values are changed; more would make long files slow.
const CHANGED: usize = 16;

/// Reads bytes as a file of a kind and holds the readers to their promises.
///
/// # Panics
/// If one is broken: the printed tree differs from the text, tokens do not tile it, a place lies
/// outside of it, a changed value changes other bytes, or a rendered problem would reach the terminal.
pub fn exercise(kind: FileKind, bytes: &[u8]) {
    let source = match decode(kind.file_name(), bytes) {
        Ok(source) => source,
        Err(problem) => {
            assert!(problem.is_error() && problem.labels.len() == 1, "it says where");
            return;
        }
    };
    let tree = parse_tree(kind, &source.text);
    assert_eq!(print(&tree), &*source.text, "printing walks every byte");
    assert_tiles(&tree, &source);
    for at in 0..tree.entries().count().min(CHANGED) {
        assert_change(kind, &source, at);
    }
    assert_problems(kind, &source);
}

/// Reads bytes as one of our own files and holds its reader to what it promises.
///
/// # Panics
/// If a promise is broken: a place lies outside of the text, a file is refused without a word, or a rendered problem
/// would reach the terminal.
pub fn exercise_own(kind: OwnKind, bytes: &[u8]) {
    let Ok(source) = decode(kind.shown(), bytes) else { return };
    let problems = problems_of(kind, &source);
    assert_places(&problems, &source);
    assert_rendered(&problems, &source);
}

fn assert_tiles(tree: &Tree<'_>, source: &Source) {
    let mut at = 0;
    for token in tree.tokens() {
        assert_eq!(token.span.start, at, "no gap and no overlap");
        assert_eq!(source.slice(token.span), token.text, "a token is its text");
        at = token.span.end;
    }
    assert_eq!(at as usize, source.text.len(), "tokens reach the end");
    let in_lines: usize = tree.lines().map(|(_, tokens)| tokens.len()).sum();
    assert_eq!(in_lines, tree.tokens().len(), "every token is on a line");
    let lines = source.text.split_inclusive('\n').count();
    assert_eq!(tree.lines().count(), lines, "lines are lines");
}

/// Changes the value of an entry and expects exactly its bytes to change.
fn assert_change(kind: FileKind, source: &Source, at: usize) {
    let mut tree = parse_tree(kind, &source.text);
    let Some((id, entry)) = tree.entries().nth(at) else { return };
    let (mut span, more) = (tree.token(entry.value).span, entry.more.clone());
    let mut change = tree.set_value(id, "changed");
    if let Some(&last) = more.last() {
        let mut other = parse_tree(kind, &source.text);
        span = other.token(last).span;
        change = other.set_more(id, more.len() - 1, "changed");
        tree = other;
    }
    assert_eq!(change, Ok(()), "one line fits on one line");
    let mut expected = source.text.to_string();
    expected.replace_range(span.range(), "changed");
    assert_eq!(print(&tree), expected, "the change stays where it belongs");
    assert!(tree.set_value(id, "two\nlines").is_err(), "two lines do not fit");
    assert_eq!(print(&tree), expected, "a refused change changes nothing");
}

fn assert_problems(kind: FileKind, source: &Source) {
    let read = read_file(kind, source);
    assert!(read.problems.len() <= Problems::LISTED + 1, "the list is bounded");
    assert_places(&read.problems, source);
    let refused = read.problems.iter().any(Problem::is_error);
    for section in &read.document.sections {
        assert!(section.line <= section.last_line, "sections end below their begin");
        for entry in &section.entries {
            assert!(entry.row.is_none() || entry.typed.is_some() || refused, "no value, no error");
            for part in &entry.parts {
                assert_eq!(source.slice(part.span), &*part.text, "a part is its text");
            }
        }
    }
    assert_rendered(&read.problems, source);
}

fn assert_places(problems: &[Problem], source: &Source) {
    for label in problems.iter().flat_map(|problem| &problem.labels) {
        let Some(span) = label.span else { continue };
        assert!(source.text.get(span.range()).is_some(), "places lie in the text: {label:?}");
    }
}

fn assert_rendered(problems: &[Problem], source: &Source) {
    let some = &problems[..problems.len().min(20)];
    for format in [Format::Human, Format::Short, Format::Json, Format::Github] {
        let style = Style { color: false, width: Some(100) };
        let text = render(some, [source], format, style);
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(obeyed), "nothing that a terminal obeys: {text:?}");
    }
}
