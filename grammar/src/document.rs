//! What a file says, once its reader has read it: sections of entries, the same shape for all kinds.
//!
//! The lossless trees stay inside the readers; lowering sees only documents. An options file has one
//! unnamed section; a records file has one section a record; `launcher.conf` has `[server]` and one
//! `[cluster]` section a cluster. Of several entries with one name only the one that *that file's
//! reader* lets win is here, unless the option is repeatable; the others are problems.

use std::borrow::Cow;
use std::sync::Arc;

use crate::catalogue::OptionRow;
use crate::source::FileKind;
use crate::span::Span;
use crate::value::Value;

/// A file as read.
#[derive(Clone, Debug)]
pub struct Document {
    /// What file it is.
    pub kind: FileKind,
    /// Whether it was written in the bare form (`launcher-env`, `launcher-ports`).
    pub bare: bool,
    /// Its sections in file order.
    pub sections: Vec<Section>,
}

/// A section, a record, or the whole of a flat file.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name between brackets, where there is one.
    pub name: Option<Box<str>>,
    /// The header's place, or the first line's.
    pub span: Span,
    /// First line, from 1.
    pub line: u32,
    /// Last line that has content, from 1.
    pub last_line: u32,
    /// Its entries in file order.
    pub entries: Vec<Entry>,
}

impl Section {
    /// The entry of an option, by the catalogue's spelling of its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.name == name)
    }
}

/// One option with what was written for it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name as the catalogue spells it; as written, where the catalogue has none.
    pub name: Cow<'static, str>,
    /// Where the name stands.
    pub name_span: Span,
    /// The value as this file's reader yields it (cut at `#`, unescaped, trimmed: its rules, not ours);
    /// of a field of several lines, the one beside the name.
    pub value: Box<str>,
    /// Where the value stands.
    pub value_span: Span,
    /// In files of records the lines of the value, in order, the one beside the name included, empty
    /// ones left out; for the bare forms each line. Elsewhere nothing.
    pub parts: Vec<Part>,
    /// Line of the name, from 1.
    pub line: u32,
    /// The option's row, where the catalogue knows it.
    pub row: Option<&'static OptionRow>,
    /// The value in its type; none where the catalogue has no row, or where the text does not fit its
    /// type, which is an error.
    pub typed: Option<Value>,
}

impl Entry {
    /// A value of several lines in one.
    #[must_use]
    pub fn joined(&self) -> Cow<'_, str> {
        if self.parts.len() <= 1 {
            return Cow::Borrowed(&self.value);
        }
        let parts: Vec<&str> = self.parts.iter().map(|part| &*part.text).collect();
        Cow::Owned(parts.join(" "))
    }
}

/// One line of a value of several lines, such as one `NAME=VALUE` pair of `launcher-env`.
#[derive(Clone, Debug)]
pub struct Part {
    /// The text, without its indentation; the entry's typed list shares it.
    pub text: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// Its line, from 1.
    pub line: u32,
}
