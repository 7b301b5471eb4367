//! One door to all readers: a file's text to its document and all its problems.
//!
//! Knows which reader reads which kind of file, nothing else. Read next: [`crate::options`].

use crate::document::{Document, Section};
use crate::error::Problem;
use crate::source::{FileKind, Source};
use crate::span::Span;
use crate::tree::Tree;
use crate::{ini, launcher, load_balancer, options, records, settings};

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
    match kind {
        FileKind::RserverConf => options::read(source),
        FileKind::LauncherConf => launcher::read(source),
        FileKind::DatabaseConf => settings::read(source),
        FileKind::LoadBalancer => load_balancer::read(source),
        FileKind::LauncherMounts | FileKind::LauncherEnv | FileKind::LauncherPorts => {
            records::read(kind, source)
        }
    }
}

/// The tree of a file, as its reader parses it.
#[must_use]
pub fn parse_tree(kind: FileKind, text: &str) -> Tree<'_> {
    match kind {
        FileKind::RserverConf => options::parse(text).tree,
        FileKind::LauncherConf | FileKind::LoadBalancer => ini::parse(text).tree,
        FileKind::DatabaseConf => settings::parse(text).tree,
        FileKind::LauncherMounts | FileKind::LauncherEnv | FileKind::LauncherPorts => {
            records::parse(kind, text).tree
        }
    }
}

/// A section without entries yet, at a place.
pub(crate) fn new_section(source: &Source, name: Option<&str>, span: Span) -> Section {
    let line = source.lines.line(span.start);
    Section { name: name.map(Into::into), span, line, last_line: line, entries: Vec::new() }
}
