//! One door to all readers: a file's text to its document and all its problems.
//!
//! Knows which reader reads which kind of file, nothing else. Read next: [`crate::options`].

use crate::document::{Document, Section};
use crate::error::Problem;
use crate::kind::Reader;
use crate::source::{FileKind, Source};
use crate::span::Span;
use crate::tree::Tree;
use crate::{
    access, ini, items, launcher, load_balancer, options, records, repositories, sections,
    settings, text, variables,
};

/// A file as read.
#[derive(Clone, Debug)]
pub struct Read {
    /// What it says; as much as could be read, whatever the problems.
    pub document: Document,
    /// All that is wrong with it, sorted by place.
    pub problems: Vec<Problem>,
}

/// Reads a file of a known kind.
#[must_use]
pub fn read_file(kind: FileKind, source: &Source) -> Read {
    match kind.reader() {
        Reader::Options => options::read(kind, source),
        Reader::Launcher => launcher::read(source),
        Reader::LoadBalancer => load_balancer::read(source),
        Reader::Levels | Reader::Things => sections::read(kind, source),
        Reader::Repositories => repositories::read(kind, source),
        Reader::Settings => settings::read(kind, source),
        Reader::Records => records::read(kind, source),
        Reader::Variables => variables::read(kind, source),
        Reader::Access => access::read(kind, source),
        Reader::Items => items::read(kind, source),
        Reader::Text => text::read(kind, source),
    }
}

/// The tree of a file, as its reader parses it.
#[must_use]
pub fn parse_tree(kind: FileKind, text: &str) -> Tree<'_> {
    match kind.reader() {
        Reader::Options => options::parse(text).tree,
        Reader::Launcher
        | Reader::LoadBalancer
        | Reader::Levels
        | Reader::Things
        | Reader::Repositories => ini::parse(text).tree,
        Reader::Settings => settings::parse(text).tree,
        Reader::Records => records::parse(kind, text).tree,
        Reader::Variables => variables::parse(text).tree,
        Reader::Access => access::parse(text).tree,
        Reader::Items => items::parse(text).tree,
        Reader::Text => text::parse(text).tree,
    }
}

/// A section without entries yet, at a place.
pub(crate) fn new_section(source: &Source, name: Option<&str>, span: Span) -> Section {
    let line = source.lines.line(span.start);
    Section { name: name.map(Into::into), span, line, last_line: line, entries: Vec::new() }
}
