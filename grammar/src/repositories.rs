//! Reader of `repos.conf`: a repository's name and its URL, one a line, without sections (files.md 19).
//!
//! The form is that of [`crate::ini`]. The product ignores the whole file where no repository is called
//! `CRAN`, and where a name stands twice.

use std::collections::BTreeMap;

use crate::codes;
use crate::document::{Document, Entry};
use crate::error::{Problem, Severity, quoted};
use crate::ini;
use crate::lookup::{Lookup, Rules, Seen, Written};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Item, Parse};
use crate::value::{Value, parse_url};

/// The repository that has to be there.
const CRAN: &str = "CRAN";

/// What goes wrong in writing `repos.conf`, beyond its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A section's header.
    Section {
        /// Its name.
        name: Span,
    },
    /// A repository that stands twice.
    Twice {
        /// Its name.
        name: Span,
        /// The first one's.
        first: Span,
    },
    /// No URL.
    NotAUrl {
        /// What stands there.
        value: Span,
    },
    /// No repository is called `CRAN`, though there are others.
    NoCran {
        /// The first repository's name.
        first: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        let at = source.problems_at();
        match self {
            Mistake::Section { name } => {
                let message = "this file has no sections";
                let label = "what stands below it is passed over";
                at(codes::SECTION_IGNORED, Severity::Warning, message, name, label)
            }
            Mistake::Twice { name, first } => {
                let message = format!("the repository {} stands twice", quoted(source.slice(name)));
                at(codes::DUPLICATE, Severity::Error, &message, name, "again here")
                    .label(&source.file, Some(first), "first here")
                    .note("the product ignores the whole file for it")
            }
            Mistake::NotAUrl { value } => {
                let message = "this is no repository's URL";
                at(codes::WRONG_VALUE, Severity::Warning, message, value, "no `scheme://` in front")
            }
            Mistake::NoCran { first } => {
                let message = "no repository is called `CRAN`";
                at(codes::MISSING, Severity::Error, message, first, "`CRAN=...` is missing")
                    .note("the product ignores the whole file for it")
            }
        }
    }
}

/// Reads `repos.conf`.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = ini::parse(&source.text);
    let mut lookup = Lookup::new(source, Rules::of(kind));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    let mut section = new_section(source, None, Span::default());
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let mut seen = Seen::new();
    let mut found = Vec::new();
    for item in tree.items() {
        match item {
            Item::Section { name, .. } => {
                let name = name.map_or(Span::default(), |id| tree.token(id).span);
                found.push(Mistake::Section { name });
                break;
            }
            Item::Entry(entry) => {
                let Some(written) = written(&tree, entry) else { continue };
                section.last_line = written.line;
                let name = written.key_span;
                if let Some(&first) = names.get(written.key) {
                    found.push(Mistake::Twice { name, first });
                    continue;
                }
                names.insert(written.key, name);
                section.entries.extend(repository(&mut lookup, written, &mut seen, &mut found));
            }
        }
    }
    let first = section.entries.first().map(|entry| entry.name_span);
    found
        .extend(first.filter(|_| !names.contains_key(CRAN)).map(|first| Mistake::NoCran { first }));
    for mistake in found {
        lookup.problems.push(|| mistake.problem(source));
    }
    let document = Document { kind, bare: false, sections: vec![section] };
    Read { document, problems: lookup.problems.finish() }
}

/// One repository; only `CRAN` is a name that the catalogue knows.
fn repository(
    lookup: &mut Lookup<'_>,
    written: Written<'_>,
    seen: &mut Seen,
    found: &mut Vec<Mistake>,
) -> Option<Entry> {
    if written.key == CRAN {
        return lookup.entry("", written, seen);
    }
    if written.value.is_empty() || parse_url(written.value).is_err() {
        found.push(Mistake::NotAUrl { value: written.value_span });
    }
    let typed = Some(Value::Url(written.value.into()));
    Some(Entry { typed, ..lookup.unlisted(written) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(u16, bool)> {
        let kind = FileKind::ReposConf;
        let read = read(kind, &Source::new(kind.file_name(), text));
        read.problems.iter().map(|problem| (problem.code.0, problem.is_error())).collect()
    }

    #[test]
    fn any_name_is_a_repository_and_one_is_called_cran() {
        assert!(found("RSPM=https://a/b\nCRAN=https://c\n# x\n").is_empty());
        assert_eq!(found("RSPM=https://a/b\n"), [(113, true)]);
        assert_eq!(found("cran=https://a/b\n"), [(113, true)]);
        assert!(found("# nothing yet\n").is_empty());
    }

    #[test]
    fn a_repository_stands_once_and_has_a_url() {
        assert_eq!(found("CRAN=https://a\nCRAN=https://b\n"), [(110, true)]);
        assert_eq!(found("CRAN=https://a\nX=b\n"), [(111, false)]);
        assert_eq!(found("CRAN=b\n"), [(111, false)]);
    }

    #[test]
    fn there_are_no_sections() {
        assert_eq!(found("CRAN=https://a\n[more]\nX=y\n"), [(209, false)]);
    }
}
