//! Reader of texts that are meant for another program or for people: nginx snippets, and the answer
//! to the health check with its placeholders (files.md 17, 19).
//!
//! Nothing but placeholders is looked at: `#name#` in `health-check`. There is no comment in that file.
//! What an nginx snippet says only nginx knows; that there is one matters ([`crate::kind::Facts::narrows`]).

use crate::catalogue;
use crate::codes;
use crate::document::{Document, Entry};
use crate::error::{Problem, Problems, Severity, quoted};
use crate::line::{is_space, lines};
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Builder, LineKind, Parse, TokenKind};
use crate::value::Value;

/// What goes wrong in writing such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A placeholder that the product does not replace.
    UnknownPlaceholder {
        /// The placeholder with its `#`.
        at: Span,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        match self {
            Mistake::UnknownPlaceholder { at, nearest } => {
                let message = format!("unknown placeholder {}", quoted(source.slice(at)));
                let (code, label) = match nearest {
                    Some(nearest) => {
                        (codes::UNKNOWN_OPTION, format!("did you mean `#{nearest}#`?"))
                    }
                    None => (codes::NOT_IN_CATALOGUE, "stays in the answer as it is".to_owned()),
                };
                Problem::new(code, Severity::Warning, message).label(&source.file, Some(at), label)
            }
        }
    }
}

/// Reads the form of a text: lines, and nothing in them.
#[must_use]
pub fn parse(text: &str) -> Parse<'_, Mistake> {
    let mut builder = Builder::new(text);
    for line in lines(text) {
        builder.piece(TokenKind::Junk, line.mark);
        let blank = line.body.chars().all(is_space);
        let kind = if blank { TokenKind::Space } else { TokenKind::Value };
        builder.piece(kind, line.body);
        builder.end_line(if blank { LineKind::Blank } else { LineKind::Ignored }, line.eol);
    }
    Parse { tree: builder.finish(), mistakes: Vec::new() }
}

/// Whether a text says anything: a line that is neither blank nor a comment behind `#`.
#[must_use]
pub fn says_anything(text: &str) -> bool {
    let inner = |line: &str| !line.is_empty() && !line.starts_with('#');
    text.lines().any(|line| inner(line.trim_start_matches('\u{feff}').trim_matches(is_space)))
}

/// Reads a text: one entry a placeholder, at its first place; none where the kind has none.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let mut problems = Problems::new(&source.file);
    check_text(source, &mut problems);
    let mut section = new_section(source, None, Span::default());
    let has_placeholders = !catalogue::rows(kind.file_name()).is_empty();
    let mut next = 0;
    for line in lines(&source.text).filter(|_| has_placeholders) {
        let start = next + line.mark.len();
        next = start + line.body.len() + line.eol.len();
        for (at, name) in placeholders(line.body) {
            let span = Span::new(start + at, start + at + name.len() + 2);
            let Some(row) = catalogue::find(kind.file_name(), "", name) else {
                let nearest = problems.may_suggest();
                let nearest = nearest.then(|| catalogue::nearest(kind.file_name(), "", name));
                let nearest = nearest.flatten();
                let mistake = Mistake::UnknownPlaceholder { at: span, nearest };
                problems.push(|| mistake.problem(source));
                continue;
            };
            if section.get(row.name).is_some() {
                continue;
            }
            section.last_line = line.number;
            section.entries.push(Entry {
                name: row.name.into(),
                name_span: span,
                value: source.slice(span).into(),
                value_span: span,
                parts: Vec::new(),
                line: line.number,
                row: Some(row),
                typed: Some(Value::Text(source.slice(span).into())),
            });
        }
    }
    let document = Document { kind, bare: false, sections: vec![section] };
    Read { document, problems: problems.finish() }
}

/// The `#name#` of a line, each with the place of its first `#`. A `#` alone is text.
fn placeholders(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let fits = |c: char| c.is_ascii_lowercase() || c == '-';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let open = at + line.get(at..)?.find('#')?;
            let name = &line[open + 1..];
            let name = &name[..name.find(|c: char| !fits(c)).unwrap_or(name.len())];
            let close = open + 1 + name.len();
            if !name.is_empty() && line[close..].starts_with('#') {
                at = close + 1;
                return Some((open, name));
            }
            at = close;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn read_text(kind: FileKind, text: &str) -> Read {
        assert_eq!(print(&parse(text).tree), text);
        read(kind, &Source::new(kind.file_name(), text))
    }

    #[test]
    fn placeholders_are_found_wherever_they_stand() {
        let text = "sessions: #active-sessions#\n# cpu #cpu-percent##memory-percent# # #\n";
        let read = read_text(FileKind::HealthCheck, text);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let entries = &read.document.sections[0].entries;
        let said: Vec<_> = entries.iter().map(|e| (e.line, &*e.value)).collect();
        let wanted = [(1, "#active-sessions#"), (2, "#cpu-percent#"), (2, "#memory-percent#")];
        assert_eq!(said, wanted);
    }

    #[test]
    fn an_unknown_placeholder_is_said() {
        let problems = read_text(FileKind::HealthCheck, "a #cpu-percnt# b #flux#\n").problems;
        let codes: Vec<_> = problems.iter().map(|problem| problem.code.0).collect();
        assert_eq!(codes, [107, 109]);
        assert_eq!(problems[0].labels[0].text, "did you mean `#cpu-percent#`?");
    }

    #[test]
    fn a_snippet_is_read_as_it_is() {
        let text = "client_max_body_size 0;\n# #flux#\n";
        assert!(read_text(FileKind::NginxSiteConf, text).problems.is_empty());
        assert!(says_anything(text));
        assert!(!says_anything("\n  # nothing yet\n\t\n"));
    }
}
