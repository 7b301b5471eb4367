//! Reader of files of one item a line: the extensions that editors begin with (files.md 14).
//!
//! An item is `publisher.name`, `publisher.name@version`, or the path of a file, and may be followed by
//! arguments for the editor's own installer. `#` makes a comment as a line's first character.

use crate::codes;
use crate::document::{Document, Entry, Part};
use crate::error::{Problem, Problems, Severity, quoted};
use crate::line::{is_space, lines, trimmed};
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Builder, LineKind, Parse, TokenKind};
use crate::value::Value;

/// What goes wrong in writing items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Neither `publisher.name` nor a file.
    NotAnExtension {
        /// What stands there.
        item: Span,
    },
    /// An indented `#`.
    IndentedComment {
        /// From the `#` on.
        at: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        match self {
            Mistake::NotAnExtension { item } => {
                let message = format!("{} is no extension", quoted(source.slice(item)));
                Problem::new(codes::WRONG_VALUE, Severity::Warning, message).label(
                    &source.file,
                    Some(item),
                    "neither `publisher.name` nor a file",
                )
            }
            Mistake::IndentedComment { at } => {
                let message = "`#` makes a comment in the first column only";
                Problem::new(codes::NO_COMMENTS, Severity::Warning, message).label(
                    &source.file,
                    Some(at),
                    "taken for an extension",
                )
            }
        }
    }
}

/// Reads the form of a file of items.
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
        } else {
            builder.piece(TokenKind::Space, indent);
            let value = builder.token(TokenKind::Value, inner);
            let span = builder.span(value);
            builder.entry(None, value, line.number);
            builder.piece(TokenKind::Space, trail);
            if inner.starts_with('#') {
                mistakes.push(Mistake::IndentedComment { at: span });
            } else if !is_extension(inner) {
                mistakes.push(Mistake::NotAnExtension { item: span });
            }
            LineKind::Entry
        };
        builder.end_line(kind, line.eol);
    }
    Parse { tree: builder.finish(), mistakes }
}

fn is_extension(item: &str) -> bool {
    let name = item.split(is_space).next().unwrap_or_default();
    let id = name.split_once('@').map_or(name, |(id, _)| id);
    let fits = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.contains('/') || id.split_once('.').is_some_and(|(by, name)| fits(by) && fits(name))
}

/// Reads a file of items: one entry, a part for each item, as in the bare forms of records.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = parse(&source.text);
    let mut problems = Problems::new(&source.file);
    check_text(source, &mut problems);
    for mistake in mistakes {
        problems.push(|| mistake.problem(source));
    }
    let parts: Vec<Part> = tree
        .entries()
        .map(|(_, entry)| {
            let token = tree.token(entry.value);
            Part { text: (&*token.text).into(), span: token.span, line: entry.line }
        })
        .collect();
    let sections = parts.first().zip(parts.last()).map(|(first, last)| {
        let mut section = new_section(source, None, first.span);
        section.last_line = last.line;
        let texts: Vec<_> = parts.iter().map(|part| part.text.clone()).collect();
        section.entries.push(Entry {
            name: "extensions".into(),
            name_span: Span { end: first.span.start, ..first.span },
            value: texts.join("\n").into(),
            value_span: Span { start: first.span.start, end: last.span.end },
            line: first.line,
            row: None,
            typed: Some(Value::List(texts)),
            parts: parts.clone(),
        });
        section
    });
    let document = Document { kind, bare: true, sections: sections.into_iter().collect() };
    Read { document, problems: problems.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn read_text(text: &str) -> Read {
        assert_eq!(print(&parse(text).tree), text);
        read(FileKind::VscodeExtensions, &Source::new("vscode.extensions.conf", text))
    }

    #[test]
    fn items_stand_on_lines_of_their_own() {
        let read =
            read_text("# team\nquarto.quarto\n\nREditorSupport.r@2.8.2 --force\n/opt/a.vsix");
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let parts = &read.document.sections[0].entries[0].parts;
        let said: Vec<_> = parts.iter().map(|part| (part.line, &*part.text)).collect();
        let wanted =
            [(2, "quarto.quarto"), (4, "REditorSupport.r@2.8.2 --force"), (5, "/opt/a.vsix")];
        assert_eq!(said, wanted);
        assert!(read_text("# none\n").document.sections.is_empty());
    }

    #[test]
    fn what_cannot_be_an_extension_is_said() {
        for (text, code) in [("quarto\n", 111), (".r\n", 111), ("a=b\n", 111), (" # x\n", 202)] {
            let codes: Vec<_> = read_text(text).problems.iter().map(|p| p.code.0).collect();
            assert_eq!(codes, [code], "{text}");
        }
    }
}
