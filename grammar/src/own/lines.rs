//! Where each field of one of our files stands.
//!
//! Lies beside the value, never in it: a value is compared, a place is only shown.

use std::collections::BTreeMap;

use crate::span::Span;

/// A field's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line of its key, from 1.
    pub line: u32,
    /// Where its value stands; for a table with a header, the header.
    pub span: Span,
}

/// The places of a file's fields by dotted path: `resources.memory`, `drain`, `env.COURSE`.
///
/// A field that was not written stands where its table does, and the whole file stands in line 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    places: BTreeMap<String, Place>,
}

impl Lines {
    /// Remembers a field's place.
    pub(crate) fn insert(&mut self, path: &str, place: Place) {
        self.places.insert(path.to_owned(), place);
    }

    /// The place of exactly this field; none if it was not written.
    #[must_use]
    pub fn written(&self, path: &str) -> Option<Place> {
        self.places.get(path).copied()
    }

    /// The place of this field, or of the nearest table around it that was written.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(*place);
            }
            if path.is_empty() {
                return None;
            }
            path = path.rfind('.').map_or("", |dot| &path[..dot]);
        }
    }

    /// The line of this field, or of the nearest table around it that was written.
    #[must_use]
    pub fn line(&self, path: &str) -> Option<u32> {
        self.place(path).map(|place| place.line)
    }

    /// The fields below a table that were written, by path.
    pub fn below(&self, table: &str) -> impl Iterator<Item = (&str, Place)> {
        let prefix = format!("{table}.");
        let from = self.places.range(prefix.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, place)| (path.as_str(), *place))
    }

    /// Every field that was written, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Place)> {
        self.places.iter().map(|(path, place)| (path.as_str(), *place))
    }
}
