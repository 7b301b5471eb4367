//! Reader of records: `launcher-mounts`, `launcher-env`, `launcher-ports`, `r-versions`,
//! `notifications.conf` (files.md D, §6-§8, §18, §19).
//!
//! Records are separated by a blank line. A field is `Key: value`, its key in column 0 and without
//! blanks, in any letter case (but in `r-versions`); an indented line continues the field above it, whatever it looks like;
//! `#` makes a comment in column 0 only. Of two fields of one name in a record the first wins.
//! Blanks at the end of a value are dropped.
//!
//! **Bare form.** `launcher-env` and `launcher-ports` may instead list `NAME=VALUE` pairs or ports, one
//! a line, for everything. How the product tells the forms apart is not established
//! (open-questions.md B4). Here the first line that is neither blank nor a comment decides for the
//! whole file: it is bare if its `=` comes before any `:` (`PATH=/a:/b` is a pair,
//! `Environment: A=B` a field), or, among ports, if it begins with a digit. A line of the other form
//! further down is an error, so a wrong guess cannot pass unseen.
//!
//! `r-versions` is read record by record: one that begins with a path is a list of paths, each a
//! version. There a line of nothing but blanks separates nothing.

mod mistake;
mod rules;

use crate::catalogue;
use crate::document::{Document, Entry, Part, Section};
use crate::line::{RawLine, field, is_space, lines, trimmed};
use crate::lookup::{Lookup, Rules, Seen, Written};
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{self, Builder, Item, LineKind, Parse, TokenKind, Tree};

pub use mistake::Mistake;

/// The section of the catalogue that has the fields.
const RECORD: &str = "record";

/// Reads the form of a file of records.
#[must_use]
pub fn parse(kind: FileKind, text: &str) -> Parse<'_, Mistake> {
    let mut reader = Reader {
        kind,
        builder: Builder::new(text),
        mistakes: Vec::new(),
        above: Above::Nothing,
        bare: is_bare(kind, text),
        began: false,
        first_bare: None,
        blanks: None,
    };
    for line in lines(text) {
        reader.builder.piece(TokenKind::Junk, line.mark);
        let kind = reader.line(line);
        reader.builder.end_line(kind, line.eol);
    }
    Parse { tree: reader.builder.finish(), mistakes: reader.mistakes }
}

/// Whether a file is in the bare form. See the module.
#[must_use]
pub fn is_bare(kind: FileKind, text: &str) -> bool {
    let mut bodies = lines(text).map(|line| line.body);
    let first =
        bodies.find(|body| !body.starts_with('#') && !body.trim_matches(is_space).is_empty());
    first.is_some_and(|first| is_item(kind, first.trim_start_matches(is_space)))
}

/// Whether a line, without its indentation, begins like a pair or a port rather than a field.
fn is_item(kind: FileKind, text: &str) -> bool {
    match kind {
        FileKind::LauncherEnv => {
            text.find(['=', ':']).is_some_and(|at| text[at..].starts_with('='))
        }
        FileKind::LauncherPorts => text.starts_with(|c: char| c.is_ascii_digit()),
        FileKind::RVersions => text.starts_with('/'),
        _ => false,
    }
}

/// What a continuation line would continue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Nothing,
    Field,
    Bare,
    Refused,
}

struct Reader<'a> {
    kind: FileKind,
    builder: Builder<'a>,
    mistakes: Vec<Mistake>,
    above: Above,
    /// Whether lines are bare: of the whole file, or of this record of `r-versions`.
    bare: bool,
    /// Whether a bare line was read, and which is the first, until a field among them was named.
    began: bool,
    first_bare: Option<Span>,
    /// A line of blanks in `r-versions` that separates nothing.
    blanks: Option<Span>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: RawLine<'a>) -> LineKind {
        let (indent, inner, trail) = trimmed(line.body, is_space);
        if inner.is_empty() {
            let blanks = self.builder.next_span(line.body);
            self.builder.piece(TokenKind::Space, line.body);
            if self.kind != FileKind::RVersions || line.body.is_empty() {
                self.above = Above::Nothing;
                self.blanks = None;
            } else if self.above != Above::Nothing {
                self.blanks.get_or_insert(blanks);
            }
            return LineKind::Blank;
        }
        if line.body.starts_with('#') {
            self.builder.token(TokenKind::Comment, line.body);
            return LineKind::Comment;
        }
        if let Some(at) = self.blanks.take() {
            self.mistakes.push(Mistake::BlanksOnly { at });
        }
        if self.kind == FileKind::RVersions && self.above == Above::Nothing {
            self.bare = is_item(self.kind, inner);
            self.began = false;
        }
        self.builder.piece(TokenKind::Space, indent);
        let kind = if self.bare {
            self.bare_line(inner, line.number)
        } else if !indent.is_empty() {
            self.continuation(inner, line.number)
        } else {
            self.field_line(&line.body[..line.body.len() - trail.len()], line.number)
        };
        self.builder.piece(TokenKind::Space, trail);
        kind
    }

    fn bare_line(&mut self, inner: &'a str, line: u32) -> LineKind {
        let known = field(inner).and_then(|field| known_field(self.kind, field.key));
        if known.is_some() && !is_item(self.kind, inner) {
            let refused = self.builder.token(TokenKind::Error, inner);
            let at = self.builder.span(refused);
            // One line in the wrong form is one mistake, however many follow.
            if let Some(first) = self.first_bare.take() {
                let of_record = self.kind == FileKind::RVersions;
                self.mistakes.push(Mistake::FieldAmongBare { at, first, of_record });
            }
            return LineKind::Refused;
        }
        let value = self.builder.token(TokenKind::Value, inner);
        self.builder.entry(None, value, line);
        self.above = Above::Bare;
        if !self.began {
            self.began = true;
            self.first_bare = Some(self.builder.span(value));
        }
        LineKind::Entry
    }

    fn continuation(&mut self, inner: &'a str, line: u32) -> LineKind {
        if self.above == Above::Field {
            let value = self.builder.token(TokenKind::Value, inner);
            self.builder.more(value);
            return LineKind::Continuation;
        }
        let refused = self.builder.token(TokenKind::Error, inner);
        if self.above == Above::Nothing {
            self.builder.section(None, line);
            self.mistakes.push(Mistake::NothingAbove { at: self.builder.span(refused) });
            self.above = Above::Refused;
        }
        LineKind::Refused
    }

    fn field_with_equals(&self, body: &str) -> Option<&'static str> {
        let (name, _) = body.split_once('=')?;
        known_field(self.kind, name.trim_matches(is_space))
    }

    fn field_line(&mut self, body: &'a str, line: u32) -> LineKind {
        let Some(field) = field(body).filter(|_| !is_item(self.kind, body)) else {
            let refused = self.builder.token(TokenKind::Error, body);
            let at = self.builder.span(refused);
            let mistake = if is_item(self.kind, body) {
                Mistake::NotIndented { at, field: self.field_with_equals(body) }
            } else {
                Mistake::NotAField { at }
            };
            self.mistakes.push(mistake);
            if self.above == Above::Nothing {
                self.builder.section(None, line);
            }
            // A record goes on behind such a line; what is indented below it is passed over.
            self.above = Above::Refused;
            return LineKind::Refused;
        };
        if self.above == Above::Nothing {
            self.builder.section(None, line);
        }
        let key = self.builder.token(TokenKind::Key, field.key);
        self.builder.piece(TokenKind::Space, field.before);
        self.builder.token(TokenKind::Separator, field.separator);
        self.builder.piece(TokenKind::Space, field.after);
        let value = self.builder.token(TokenKind::Value, field.value);
        self.builder.piece(TokenKind::Space, field.trail);
        self.builder.entry(Some(key), value, line);
        self.above = Above::Field;
        LineKind::Entry
    }
}

/// The catalogue's spelling of a field's name, if it is one of that file.
fn known_field(kind: FileKind, name: &str) -> Option<&'static str> {
    catalogue::find_ignoring_case(kind.file_name(), RECORD, name).map(|row| row.name)
}

/// Reads a file of records, or its bare form.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = parse(kind, &source.text);
    let mut lookup = Lookup::new(source, Rules::of(kind));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    let bare = is_bare(kind, &source.text) && kind != FileKind::RVersions;
    let mut found = Vec::new();
    let sections = if bare {
        bare_section(kind, &tree, source).into_iter().collect()
    } else {
        read_records(kind, &tree, &mut lookup, &mut found)
    };
    for section in &sections {
        rules::check_record(kind, section, &mut found);
    }
    for mistake in found {
        lookup.problems.push(|| mistake.problem(source));
    }
    Read { document: Document { kind, bare, sections }, problems: lookup.problems.finish() }
}

fn read_records(
    kind: FileKind,
    tree: &Tree<'_>,
    lookup: &mut Lookup<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut record = Record::default();
    for item in tree.items() {
        match item {
            Item::Section { .. } => {
                sections.push(None);
                record = Record::default();
            }
            Item::Entry(entry) => {
                let Some(key) = entry.key.map(|key| tree.token(key)) else {
                    sections.push(Some(version(
                        kind,
                        written(tree, entry, lookup.source),
                        lookup.source,
                    )));
                    continue;
                };
                let slot = sections.last_mut().expect("a record was begun above");
                let section: &mut Section =
                    slot.get_or_insert_with(|| new_section(lookup.source, None, key.span));
                let written = written(tree, entry, lookup.source);
                let last = written.parts.last().map_or(entry.line, |part| part.line);
                section.last_line = section.last_line.max(last);
                if record.runs_on(known_field(kind, &key.text), key.span, mistakes) {
                    continue;
                }
                section.entries.extend(lookup.entry(RECORD, written, &mut record.seen));
            }
        }
    }
    sections.into_iter().flatten().collect()
}

/// A version of `r-versions` that is nothing but its path.
fn version(kind: FileKind, written: Written<'_>, source: &Source) -> Section {
    let mut section = new_section(source, None, written.value_span);
    let name = "Path";
    section.entries.push(Entry {
        name: name.into(),
        name_span: Span { end: written.value_span.start, ..written.value_span },
        value: written.value.into(),
        value_span: written.value_span,
        line: written.line,
        row: catalogue::find(kind.file_name(), RECORD, name),
        typed: Some(crate::value::Value::Path(written.value.into())),
        parts: written.parts,
    });
    section
}

/// What is known of the record that is being read.
#[derive(Default)]
struct Record {
    seen: Seen,
    first: Option<&'static str>,
    ran_on: bool,
}

impl Record {
    /// Whether a field belongs to a second record that follows without a blank line, and is lost.
    fn runs_on(
        &mut self,
        name: Option<&'static str>,
        at: Span,
        mistakes: &mut Vec<Mistake>,
    ) -> bool {
        let Some(name) = name else { return false };
        let Some(&first) = self.seen.get(name) else {
            self.first.get_or_insert(name);
            return false;
        };
        if self.first == Some(name) && !self.ran_on {
            self.ran_on = true;
            mistakes.push(Mistake::RunsOn { at, first });
        }
        self.ran_on
    }
}

/// An entry with the lines of its value. See [`Part`].
fn written<'t>(tree: &'t Tree<'_>, entry: &tree::Entry, source: &Source) -> Written<'t> {
    let value = tree.token(entry.value);
    let key = entry.key.map(|key| tree.token(key));
    let lines = std::iter::once(value).chain(entry.more.iter().map(|&id| tree.token(id)));
    let mut at = entry.line;
    let parts = lines.filter(|line| !line.text.is_empty()).map(|line| {
        at = source.lines.line_from(at, line.span.start);
        Part { text: (&*line.text).into(), span: line.span, line: at }
    });
    Written {
        key: key.map_or("", |key| &key.text),
        key_span: key.map_or(value.span, |key| key.span),
        value: &value.text,
        value_span: value.span,
        parts: parts.collect(),
        line: entry.line,
    }
}

/// The one section of a bare file: one entry, a part for each line.
fn bare_section(kind: FileKind, tree: &Tree<'_>, source: &Source) -> Option<Section> {
    let name = if kind == FileKind::LauncherPorts { "Ports" } else { "Environment" };
    let mut parts = Vec::new();
    for (_, entry) in tree.entries() {
        parts.extend(written(tree, entry, source).parts);
    }
    let (first, last) = (parts.first()?, parts.last()?);
    let start = Span { end: first.span.start, ..first.span };
    let mut section = new_section(source, None, first.span);
    section.last_line = last.line;
    let texts: Vec<_> = parts.iter().map(|part| part.text.clone()).collect();
    section.entries.push(Entry {
        name: name.into(),
        name_span: start,
        value: texts.join("\n").into(),
        value_span: Span { start: first.span.start, end: last.span.end },
        line: first.line,
        row: catalogue::find(kind.file_name(), RECORD, name),
        typed: Some(crate::value::Value::List(texts)),
        parts,
    });
    Some(section)
}

#[cfg(test)]
mod tests;
