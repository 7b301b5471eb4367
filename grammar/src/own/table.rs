//! One table while its fields are taken out of it by name.
//!
//! Each table declares its keys once ([`Keys`]); what is taken, what is unknown and what was probably meant
//! all come from that list, and a debug build asserts that a table takes exactly what it declares.
//! Knows TOML's shapes, not what any field means. The places and problems go to the
//! [`super::reader::Reader`].

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::MISSING;
use super::check::{Check, label};
use super::leaf::{Leaf, Wrong, shown};
use super::reader::{Item, Reader, span_of};
use super::schema::{self, Schema};
use crate::error::Severity;
use crate::span::Span;
use crate::suggest::nearest;

/// The keys of a table.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The table's path in its file, empty for the top level; `*` for a name that the administrator gives.
    pub(crate) at: &'static str,
    /// Its keys, in the order in which the manual shows them.
    pub(crate) names: &'static [&'static str],
}

/// One table while its fields are taken.
pub(crate) struct Table<'r, 's> {
    reader: &'r mut Reader<'s>,
    entries: &'r DeTable<'r>,
    path: String,
    header: Option<Span>,
    keys: &'static Keys,
    /// One bit for each of `keys.names` that was taken.
    taken: u64,
}

impl<'r, 's> Table<'r, 's> {
    /// Reads a table: `read` takes its fields, what it leaves is reported.
    pub(crate) fn read<T>(
        reader: &'r mut Reader<'s>,
        entries: &'r DeTable<'r>,
        path: String,
        header: Option<Span>,
        keys: &'static Keys,
        read: impl FnOnce(&mut Table<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let mut table = Table { reader, entries, path, header, keys, taken: 0 };
        let value = read(&mut table);
        table.finish();
        value
    }

    /// The dotted path of one of its keys.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The reader, to read a value that [`Table::item`] gave.
    pub(crate) fn reader(&mut self) -> &mut Reader<'s> {
        self.reader
    }

    /// Whether a key was written.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// A key's value as it stands, its place remembered; none if it was not written.
    pub(crate) fn item(&mut self, name: &'static str) -> Option<&'r Item<'r>> {
        let index = self.keys.names.iter().position(|known| *known == name);
        debug_assert!(index.is_some(), "`{name}` is not declared in [{}]", self.keys.at);
        self.taken |= index.map_or(0, |index| 1 << index);
        let (key, item) = self.entries.get_key_value(name)?;
        let path = self.path_of(name);
        let key = Span::new(key.span().start, key.span().end);
        self.reader.remember(&path, key, span_of(item));
        Some(item)
    }

    /// Tells what a key takes, while a schema is made.
    pub(crate) fn tell(&mut self, name: &str, schema: impl FnOnce(&mut Reader<'s>) -> Schema) {
        if self.reader.outline().is_some() {
            let schema = schema(self.reader);
            self.reader.outline().into_iter().for_each(|outline| outline.add(name, schema.clone()));
        }
    }

    /// Takes a value that may be absent.
    pub(crate) fn take<T: Leaf>(&mut self, name: &'static str, check: Check<T>) -> Option<T> {
        self.tell(name, |_| schema::leaf(check));
        let item = self.item(name)?;
        let path = self.path_of(name);
        self.reader.leaf(&path, item, check)
    }

    /// Takes a value that must be there.
    pub(crate) fn need<T: Leaf>(&mut self, name: &'static str, check: Check<T>) -> Option<T> {
        self.must_have(name, "");
        self.take(name, check)
    }

    /// Says that a key is missing if it was not written; `help` says what to write.
    pub(crate) fn must_have(&mut self, name: &'static str, help: &str) {
        if let Some(outline) = self.reader.outline() {
            outline.require(name);
        } else if !self.has(name) {
            self.missing(name, help);
        }
    }

    /// Takes a list that may be absent.
    pub(crate) fn list<T: Leaf>(&mut self, name: &'static str, check: Check<T>) -> Option<Vec<T>> {
        self.tell(name, |_| schema::list_of(schema::leaf(check)));
        let item = self.item(name)?;
        let path = self.path_of(name);
        self.reader.list(&path, item, check)
    }

    /// Takes a table of fixed keys.
    pub(crate) fn sub<T>(
        &mut self,
        name: &'static str,
        keys: &'static Keys,
        read: impl FnOnce(&mut Table<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        if self.reader.outline().is_some() {
            self.tell(name, |reader| reader.tell(keys, read));
            self.item(name);
            return None;
        }
        let item = self.item(name)?;
        let path = self.path_of(name);
        self.reader.sub(path, item, keys, read)
    }

    /// Takes a table whose keys are names that the administrator gives, each with one value.
    pub(crate) fn entries<T: Leaf>(
        &mut self,
        name: &'static str,
        key_check: Check<String>,
        check: Check<T>,
    ) -> Option<BTreeMap<String, T>> {
        self.tell(name, |_| schema::named(key_check, schema::leaf(check)));
        self.each(name, key_check, |reader, path, item| reader.leaf(path, item, check))
    }

    /// Takes a table whose keys are names that the administrator gives, each with a table of fixed keys.
    pub(crate) fn tables<T>(
        &mut self,
        name: &'static str,
        keys: &'static Keys,
        mut read: impl FnMut(&str, &mut Table<'_, '_>) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        self.tell(name, |reader| {
            let told = reader.tell(keys, |table| read("", table));
            schema::named(label(), told)
        });
        self.each(name, label(), |reader, path, item| {
            let given = path.split_once('.').map_or(path, |(_, given)| given).to_owned();
            reader.sub(path.to_owned(), item, keys, |table| read(&given, table))
        })
    }

    /// Takes a table whose keys are names that the administrator gives; what it takes is told by the caller.
    pub(crate) fn each<T>(
        &mut self,
        name: &'static str,
        key_check: Check<String>,
        mut read: impl FnMut(&mut Reader<'_>, &str, &Item<'_>) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let item = self.item(name)?;
        let path = self.path_of(name);
        let DeValue::Table(entries) = item.get_ref() else {
            self.reader.refuse(&path, item, "a table", Wrong::Type(None));
            return None;
        };
        let mut values = Some(BTreeMap::new());
        for (key, item) in entries {
            let key_span = Span::new(key.span().start, key.span().end);
            let given = key.get_ref().to_string();
            let path = format!("{path}.{given}");
            self.reader.remember(&path, key_span, span_of(item));
            let mut good_key = true;
            if let Err(wrong) = (key_check.holds)(&given) {
                good_key = false;
                self.reader.refuse_key(&given, key_span, wrong);
            }
            let value = read(self.reader, &path, item).filter(|_| good_key);
            values = values.zip(value).map(|(mut all, value)| {
                all.insert(given, value);
                all
            });
        }
        values
    }

    /// Says that a key must be there.
    ///
    /// Unless it is there, misspelt: then the unknown key is reported, and that is enough.
    pub(crate) fn missing(&mut self, name: &'static str, help: &str) {
        let misspelt = |key: &str| {
            !self.keys.names.contains(&key) && nearest(key, std::iter::once(name)).is_some()
        };
        if self.entries.keys().any(|key| misspelt(key.get_ref())) {
            return;
        }
        let message = format!("`{}` is missing", shown(&self.path_of(name)));
        let label = if self.header.is_some() { "it belongs in here" } else { "" };
        let problem = self.reader.problem(MISSING, message, self.header, label.to_owned());
        self.reader.push(if help.is_empty() { problem } else { problem.help(help) });
    }

    /// Says that the fields at `names` of this table cannot all be meant.
    pub(crate) fn contradiction(&mut self, message: &str, names: &[&str], help: &str) {
        let paths: Vec<_> = names.iter().map(|name| self.path_of(name)).collect();
        self.reader.contradiction(Severity::Error, message, &paths, help);
    }

    /// Says that a field has no effect as things stand in this file.
    pub(crate) fn idle_field(&mut self, message: &str, names: &[&str], help: &str) {
        let paths: Vec<_> = names.iter().map(|name| self.path_of(name)).collect();
        self.reader.contradiction(Severity::Warning, message, &paths, help);
    }

    /// Refuses a value that was read, for what is known only now.
    pub(crate) fn refuse(&mut self, name: &str, wrong: Wrong) {
        if let Some((_, item)) = self.entries.get_key_value(name) {
            let path = self.path_of(name);
            self.reader.refuse(&path, item, "another value", wrong);
        }
    }

    /// Reports what was not taken.
    fn finish(self) {
        debug_assert_eq!(
            self.taken.count_ones() as usize,
            self.keys.names.len(),
            "[{}] declares a key that it does not take",
            self.keys.at
        );
        for (key, _) in self.entries {
            let name = key.get_ref();
            if !self.keys.names.contains(&&**name) {
                let span = Span::new(key.span().start, key.span().end);
                self.reader.unknown(&self.path, self.keys, name, span);
            }
        }
    }
}
