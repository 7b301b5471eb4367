//! The form of INI files: `[section]` headers and `name=value` lines (files.md B and §3).
//!
//! A comment starts with `#` or `;` as the first character that is no blank, and nowhere else. What
//! follows a header's `]` on its line is passed over. Which sections and names a file has is its own
//! reader's business: [`crate::launcher`], [`crate::load_balancer`].

use crate::codes;
use crate::error::{Problem, Severity};
use crate::line::{Header, header, is_space, lines, setting, trimmed};
use crate::source::Source;
use crate::span::Span;
use crate::tree::{Builder, LineKind, Parse, TokenKind};

/// What goes wrong in writing an INI file, whichever it is.
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
    /// A header without `]`.
    OpenHeader {
        /// What stands there.
        header: Span,
    },
    /// Text behind a header's `]`.
    BehindHeader {
        /// That text.
        junk: Span,
    },
    /// A `#` or `;` behind a value.
    NoComment {
        /// From the character on.
        at: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        let at = source.problems_at();
        match self {
            Mistake::NoEquals { line } => {
                let message = "this line is no `name=value`";
                let problem =
                    at(codes::UNRECOGNISED_LINE, Severity::Error, message, line, "no `=`");
                if source.slice(line).contains(':') {
                    problem.help("name and value are separated by `=` in this file")
                } else {
                    problem
                }
            }
            Mistake::NoName { at: span } => {
                let message = "a name is missing";
                at(codes::NO_NAME, Severity::Error, message, span, "nothing before it")
            }
            Mistake::OpenHeader { header } => {
                let message = "this section's header is not closed";
                at(codes::OPEN_HEADER, Severity::Error, message, header, "`]` is missing")
            }
            Mistake::BehindHeader { junk } => {
                let message = "text behind a section's header is passed over";
                at(codes::LINE_IGNORED, Severity::Warning, message, junk, "ignored")
            }
            Mistake::NoComment { at: span } => {
                let message = "no comment can follow a value in this file";
                at(codes::NO_COMMENTS, Severity::Warning, message, span, "part of the value")
                    .help("put the comment on a line of its own")
            }
        }
    }
}

/// Reads the form of an INI file.
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
        } else if inner.starts_with(['#', ';']) {
            builder.piece(TokenKind::Space, indent);
            builder.token(TokenKind::Comment, inner);
            builder.piece(TokenKind::Space, trail);
            LineKind::Comment
        } else if let Some(header) = header(line.body) {
            push_header(&mut builder, &header, line.number, &mut mistakes)
        } else if push_setting(&mut builder, line.body, line.number, &mut mistakes) {
            LineKind::Entry
        } else {
            builder.piece(TokenKind::Space, indent);
            let refused = builder.token(TokenKind::Error, inner);
            mistakes.push(Mistake::NoEquals { line: builder.span(refused) });
            builder.piece(TokenKind::Space, trail);
            LineKind::Refused
        };
        builder.end_line(kind, line.eol);
    }
    Parse { tree: builder.finish(), mistakes }
}

fn push_header<'a>(
    builder: &mut Builder<'a>,
    header: &Header<'a>,
    line: u32,
    mistakes: &mut Vec<Mistake>,
) -> LineKind {
    builder.piece(TokenKind::Space, header.indent);
    if header.close.is_empty() {
        let start = builder.next_span(header.open);
        builder.token(TokenKind::Error, header.open);
        let name = builder.token(TokenKind::Error, header.name);
        let header = Span { start: start.start, end: builder.span(name).end };
        mistakes.push(Mistake::OpenHeader { header });
        return LineKind::Refused;
    }
    builder.token(TokenKind::Open, header.open);
    let (before, name, after) = trimmed(header.name, is_space);
    builder.piece(TokenKind::Space, before);
    let name = builder.token(TokenKind::SectionName, name);
    builder.piece(TokenKind::Space, after);
    builder.token(TokenKind::Close, header.close);
    builder.section(Some(name), line);
    let (before, junk, after) = trimmed(header.junk, is_space);
    builder.piece(TokenKind::Space, before);
    if !junk.is_empty() {
        let is_comment = junk.starts_with(['#', ';']);
        let junk = builder.token(TokenKind::Junk, junk);
        if !is_comment {
            mistakes.push(Mistake::BehindHeader { junk: builder.span(junk) });
        }
    }
    builder.piece(TokenKind::Space, after);
    LineKind::Header
}

fn push_setting<'a>(
    builder: &mut Builder<'a>,
    body: &'a str,
    line: u32,
    mistakes: &mut Vec<Mistake>,
) -> bool {
    let Some(setting) = setting(body, is_space) else { return false };
    builder.piece(TokenKind::Space, setting.indent);
    let key = builder.token(TokenKind::Key, setting.key);
    builder.piece(TokenKind::Space, setting.before);
    let separator = builder.token(TokenKind::Separator, setting.separator);
    builder.piece(TokenKind::Space, setting.after);
    let value = builder.token(TokenKind::Value, setting.value);
    builder.piece(TokenKind::Space, setting.trail);
    builder.entry(Some(key), value, line);
    if setting.key.is_empty() {
        mistakes.push(Mistake::NoName { at: builder.span(separator) });
    }
    let span = builder.span(value);
    // Quotes do not protect anything, but what stands between them is not meant as a comment.
    let quoted =
        setting.value.len() > 1 && setting.value.starts_with('"') && setting.value.ends_with('"');
    if quoted {
        return true;
    }
    if let Some(at) = [" #", " ;", "\t#", "\t;"].iter().filter_map(|c| setting.value.find(c)).min()
    {
        let start = span.start as usize + at + 1;
        mistakes.push(Mistake::NoComment { at: Span::new(start, span.end as usize) });
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn mistakes(text: &str) -> Vec<Mistake> {
        let parse = parse(text);
        assert_eq!(print(&parse.tree), text);
        parse.mistakes
    }

    #[test]
    fn comments_stand_on_lines_of_their_own() {
        assert!(mistakes("# a\n  ; b\n[s] # c\nk=v#w\n").is_empty());
        assert_eq!(mistakes("k=v # w\n"), [Mistake::NoComment { at: Span::new(4, 7) }]);
    }

    #[test]
    fn headers_end_at_their_bracket() {
        assert_eq!(mistakes("[s\n"), [Mistake::OpenHeader { header: Span::new(0, 2) }]);
        assert_eq!(mistakes("[s] t\n"), [Mistake::BehindHeader { junk: Span::new(4, 5) }]);
    }

    #[test]
    fn a_line_is_a_name_and_a_value() {
        assert!(mistakes("[s]\n k = v \r\n\n").is_empty());
        assert_eq!(mistakes("word\n"), [Mistake::NoEquals { line: Span::new(0, 4) }]);
        assert_eq!(mistakes("=v\n"), [Mistake::NoName { at: Span::new(0, 1) }]);
    }
}
