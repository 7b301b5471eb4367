//! Reader of `env-vars`: `NAME=VALUE` lines for the environment of the product's server (files.md 19).
//!
//! `#` makes a comment in column 0 only. Neither side of the `=` is trimmed: a blank there is part of
//! the name or of the value. Lines without `=` are passed over.

use crate::codes;
use crate::document::Document;
use crate::error::{Problem, Problems, Severity, quoted};
use crate::line::{is_space, lines, trimmed};
use crate::lookup::{Lookup, Rules};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Builder, LineKind, Parse, TokenKind};

/// What goes wrong in writing variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A line without `=`.
    NoEquals {
        /// What stands there.
        line: Span,
    },
    /// Nothing before `=`.
    NoName {
        /// The `=`.
        at: Span,
    },
    /// What cannot name a variable.
    BadName {
        /// The name.
        name: Span,
    },
    /// A blank right behind `=`.
    BlankInFront {
        /// The value.
        value: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Warning};
        let at = source.problems_at();
        match self {
            Mistake::NoEquals { line } => {
                let message = "this is no `NAME=VALUE` pair";
                at(codes::LINE_IGNORED, Warning, message, line, "passed over")
            }
            Mistake::NoName { at: span } => {
                at(codes::NO_NAME, Error, "a name is missing", span, "nothing before it")
            }
            Mistake::BadName { name } => {
                let text = source.slice(name);
                let message = format!("{} cannot name a variable", quoted(text));
                let label = "letters, digits and `_`, no digit first, no blanks";
                let problem = at(codes::BAD_PAIR, Warning, &message, name, label);
                if text.trim_start().starts_with('#') {
                    problem.help("`#` makes a comment in the first column only")
                } else if text.trim_start().starts_with("export ") {
                    problem.help("write the pair without `export`")
                } else {
                    problem
                }
            }
            Mistake::BlankInFront { value } => {
                let message = "the blank behind `=` is part of this value";
                at(codes::BAD_PAIR, Warning, message, value, "begins with a blank")
                    .help("write it right behind the `=`")
            }
        }
    }
}

/// Reads the form of a file of variables.
#[must_use]
pub fn parse(text: &str) -> Parse<'_, Mistake> {
    let mut builder = Builder::new(text);
    let mut mistakes = Vec::new();
    for line in lines(text) {
        builder.piece(TokenKind::Junk, line.mark);
        let (indent, inner, trail) = trimmed(line.body, is_space);
        let kind = if inner.is_empty() {
            builder.piece(TokenKind::Space, line.body);
            LineKind::Blank
        } else if line.body.starts_with('#') {
            builder.token(TokenKind::Comment, line.body);
            LineKind::Comment
        } else if let Some((name, value)) = inner.split_once('=') {
            builder.piece(TokenKind::Space, indent);
            let key = builder.token(TokenKind::Key, name);
            let separator = builder.token(TokenKind::Separator, "=");
            let value = builder.token(TokenKind::Value, value);
            builder.entry(Some(key), value, line.number);
            let (name, at) = (builder.span(key), builder.span(separator));
            let value = builder.span(value);
            mistakes.extend(look_at(text, name, at, value));
            builder.piece(TokenKind::Space, trail);
            LineKind::Entry
        } else {
            builder.piece(TokenKind::Space, indent);
            let junk = builder.token(TokenKind::Junk, inner);
            if !inner.starts_with('#') {
                mistakes.push(Mistake::NoEquals { line: builder.span(junk) });
            }
            builder.piece(TokenKind::Space, trail);
            LineKind::Ignored
        };
        builder.end_line(kind, line.eol);
    }
    Parse { tree: builder.finish(), mistakes }
}

fn look_at(text: &str, name: Span, at: Span, value: Span) -> Option<Mistake> {
    let written = text.get(name.range()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if written.is_empty() {
        return Some(Mistake::NoName { at });
    }
    if !written.chars().all(fits) || written.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Mistake::BadName { name });
    }
    let blank = text.get(value.range()).is_some_and(|value| value.starts_with(is_space));
    blank.then_some(Mistake::BlankInFront { value })
}

/// Reads a file of variables. No name is known to the catalogue: any may be set.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = parse(&source.text);
    let lookup = Lookup::new(source, Rules::of(kind));
    let mut problems = Problems::new(&source.file);
    check_text(source, &mut problems);
    for mistake in mistakes {
        problems.push(|| mistake.problem(source));
    }
    let mut section = new_section(source, None, Span::default());
    for (_, entry) in tree.entries() {
        let Some(written) = written(&tree, entry) else { continue };
        section.last_line = written.line;
        section.entries.push(lookup.unlisted(written));
    }
    let document = Document { kind, bare: false, sections: vec![section] };
    Read { document, problems: problems.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn read_text(text: &str) -> Read {
        assert_eq!(print(&parse(text).tree), text);
        read(FileKind::EnvVars, &Source::new("env-vars", text))
    }

    fn codes_of(text: &str) -> Vec<u16> {
        read_text(text).problems.iter().map(|problem| problem.code.0).collect()
    }

    #[test]
    fn pairs_are_read_as_they_stand() {
        let read = read_text("# proxy\nHTTP_PROXY=http://p:1 # x\n\n_A=\n");
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let entries = &read.document.sections[0].entries;
        let said: Vec<_> = entries.iter().map(|e| (&*e.name, &*e.value)).collect();
        assert_eq!(said, [("HTTP_PROXY", "http://p:1 # x"), ("_A", "")]);
    }

    #[test]
    fn blanks_belong_to_name_and_value() {
        assert_eq!(codes_of("A =1\n"), [118]);
        assert_eq!(codes_of("A= 1\n"), [118]);
        assert_eq!(codes_of("export A=1\n"), [118]);
        assert_eq!(codes_of(" # A=1\n"), [118]);
        assert_eq!(codes_of("=1\n"), [103]);
    }

    #[test]
    fn a_line_without_equals_sign_is_passed_over_and_said() {
        assert_eq!(codes_of("A\n"), [203]);
    }
}
