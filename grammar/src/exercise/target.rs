//! What a fuzzer drives: one reader at a time, with the kinds of files that it reads.
//!
//! An input is a byte that picks the kind, and the file. So one corpus serves all kinds of a reader, and an input
//! can be read by a person: the byte is a digit or letter in what we keep.

use std::collections::BTreeSet;

use super::{exercise, exercise_own};
use crate::catalogue;
use crate::kind::{FileKind, Reader};
use crate::own::OwnKind;

/// A reader to drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of the product's readers, with the kinds that it reads.
    Product(Reader, Vec<FileKind>),
    /// The reader of our own files.
    Own,
}

/// Every reader, each once.
#[must_use]
pub fn targets() -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for kind in FileKind::ALL {
        let known = targets.iter_mut().find_map(|target| match target {
            Target::Product(reader, kinds) if *reader == kind.reader() => Some(kinds),
            _ => None,
        });
        match known {
            Some(kinds) => kinds.push(kind),
            None => targets.push(Target::Product(kind.reader(), vec![kind])),
        }
    }
    targets.push(Target::Own);
    targets
}

/// The reader of a name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name() == name)
}

impl Target {
    /// Its name: one word, which also names the directory of its corpus.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Target::Product(reader, _) => reader.name().replace(' ', "-"),
            Target::Own => "own".to_owned(),
        }
    }

    /// Reads an input and holds the reader to its promises. See [`exercise`].
    ///
    /// # Panics
    /// If one is broken.
    pub fn exercise(&self, input: &[u8]) {
        let Some((&pick, file)) = input.split_first() else { return };
        let pick = usize::from(pick);
        match self {
            Target::Product(_, kinds) => exercise(kinds[pick % kinds.len()], file),
            Target::Own => exercise_own(OwnKind::ALL[pick % OwnKind::ALL.len()], file),
        }
    }

    /// Words that its files are made of, which a fuzzer would not come upon by itself.
    #[must_use]
    pub fn words(&self) -> BTreeSet<&'static str> {
        match self {
            Target::Product(_, kinds) => {
                let rows = kinds.iter().flat_map(|kind| catalogue::rows(kind.file_name()));
                rows.flat_map(|row| row.values.iter().copied().chain([row.name, row.section]))
                    .filter(|word| !word.is_empty())
                    .collect()
            }
            Target::Own => {
                let tables = OwnKind::ALL.into_iter().flat_map(OwnKind::tables);
                tables.flat_map(|table| table.names.iter().copied()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_is_driven_by_exactly_one_target() {
        let targets = targets();
        for kind in FileKind::ALL {
            let driven = |target: &&Target| matches!(target, Target::Product(_, kinds) if kinds.contains(&kind));
            assert_eq!(targets.iter().filter(driven).count(), 1, "{kind:?}");
        }
        let names: BTreeSet<String> = targets.iter().map(Target::name).collect();
        assert_eq!(names.len(), targets.len());
        assert!(names.iter().all(|name| !name.contains(' ')));
        assert_eq!(target("own"), Some(Target::Own));
    }

    #[test]
    fn an_input_without_a_file_is_read_by_nobody() {
        targets().iter().for_each(|target| target.exercise(b""));
    }
}
