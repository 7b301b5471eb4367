//! Reader of files whose sections have names: levels (`[*]`, `[@group]`, `[user]`) and things
//! (a size, a workspace) (files.md B, §10, §15, §16).
//!
//! The form is that of [`crate::ini`]. A section stands once, a name once in a section. What stands
//! before the first header belongs to nobody.
//!
//! **Levels** go from everybody to one: the product's readers differ in how. That of
//! `launcher.*.profiles.conf` walks the file down and skips a section that is more general than one it
//! has used; that of `logging.conf` sorts; of `profiles` the guide says that later settings override.
//! A file that is written from the general to the particular means the same to all of them, and any
//! other order is said.

use std::collections::BTreeMap;

use crate::catalogue;
use crate::codes;
use crate::document::{Document, Section};
use crate::error::{Problem, Severity, quoted};
use crate::ini;
use crate::kind::Reader;
use crate::lookup::{Lookup, Rules, Seen};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Item, Parse, Token};

/// What goes wrong in writing sections, beyond their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// An option before the first header.
    OutsideSection {
        /// Its name.
        name: Span,
        /// Whether sections are levels.
        levels: bool,
    },
    /// A header without a name, or a group without one.
    Nameless {
        /// The name as it stands; may be empty.
        name: Span,
    },
    /// A section that stands twice.
    Twice {
        /// Its name.
        name: Span,
        /// The first one's.
        first: Span,
        /// Whether the product is known to refuse that.
        refused: bool,
    },
    /// A section below one that is more particular, where the product passes over it.
    Skipped {
        /// Its name.
        name: Span,
        /// The more particular one's.
        above: Span,
    },
    /// A section below one that is more particular, where it overrides that one.
    Overrides {
        /// Its name.
        name: Span,
        /// The more particular one's.
        above: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Warning};
        let at = source.problems_at();
        let shown = |span: Span| quoted(source.slice(span));
        match self {
            Mistake::OutsideSection { name, levels } => {
                let message = format!("{} stands before any section", shown(name));
                let label = "belongs to no section, and does nothing";
                let found = at(codes::OUTSIDE_SECTION, Warning, &message, name, label);
                if levels { found.help("put it below [*] for everybody") } else { found }
            }
            Mistake::Nameless { name } => {
                at(codes::NAMELESS_SECTION, Error, "a section without a name", name, "nobody's")
            }
            Mistake::Twice { name, first, refused } => {
                let message = format!("the section {} stands twice", shown(name));
                let severity = if refused { Error } else { Warning };
                let found = at(codes::DUPLICATE, severity, &message, name, "again here")
                    .label(&source.file, Some(first), "first here")
                    .help("put all of its options into one section");
                if refused {
                    found.note("the product refuses the whole file for it")
                } else {
                    found.note("it is not known which of the two the product takes")
                }
            }
            Mistake::Skipped { name, above } => {
                let message = format!("the section {} comes too late", shown(name));
                let label = "skipped for everybody to whom the other one applies";
                at(codes::SECTION_ORDER, Warning, &message, name, label)
                    .label(&source.file, Some(above), "more particular, and stands before")
                    .help("order sections from [*] over groups to users")
            }
            Mistake::Overrides { name, above } => {
                let message =
                    format!("the section {} overrides a more particular one", shown(name));
                at(codes::SECTION_ORDER, Warning, &message, name, "read last, and wins")
                    .label(&source.file, Some(above), "loses where both set the same")
                    .help("order sections from [*] over groups to users")
            }
        }
    }
}

/// What a section means that is more general than one above it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Nothing: the reader sorts.
    Free,
    /// It is passed over.
    Skipped,
    /// It wins.
    Overrides,
}

fn order(kind: FileKind) -> Order {
    match kind {
        _ if kind.reader() != Reader::Levels => Order::Free,
        FileKind::LoggingConf => Order::Free,
        FileKind::Profiles => Order::Overrides,
        _ => Order::Skipped,
    }
}

/// How particular a level is: everybody, a group, one.
fn level(name: &str) -> u8 {
    match name {
        "*" => 0,
        _ if name.starts_with('@') => 1,
        _ => 2,
    }
}

/// The sections so far.
struct Above<'t> {
    kind: FileKind,
    names: BTreeMap<&'t str, Span>,
    /// The most particular level so far, with its first section.
    deepest: Option<(u8, Span)>,
}

impl<'t> Above<'t> {
    /// Takes a section in, and says what is wrong with it there.
    fn enter(&mut self, token: &'t Token<'_>) -> Option<Mistake> {
        let (name, span) = (&*token.text, token.span);
        let levels = self.kind.reader() == Reader::Levels;
        if name.is_empty() || (levels && name == "@") {
            return Some(Mistake::Nameless { name: span });
        }
        if let Some(&first) = self.names.get(name) {
            let refused = self.kind.facts().is_established();
            return Some(Mistake::Twice { name: span, first, refused });
        }
        self.names.insert(name, span);
        let order = order(self.kind);
        let here = level(name);
        match self.deepest {
            Some((deepest, above)) if here < deepest => match order {
                Order::Free => None,
                Order::Skipped => Some(Mistake::Skipped { name: span, above }),
                Order::Overrides => Some(Mistake::Overrides { name: span, above }),
            },
            Some((deepest, _)) if here == deepest => None,
            _ => {
                self.deepest = Some((here, span));
                None
            }
        }
    }
}

/// Reads a file of sections.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = ini::parse(&source.text);
    let mut lookup = Lookup::new(source, Rules::of(kind));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    // All sections of such a file take the same options.
    let rows = catalogue::rows(kind.file_name());
    let in_catalogue = rows.first().map_or("", |row| row.section);
    let levels = kind.reader() == Reader::Levels;
    let mut sections: Vec<Section> = Vec::new();
    let mut above = Above { kind, names: BTreeMap::new(), deepest: None };
    let mut seen = Seen::new();
    for item in tree.items() {
        match item {
            Item::Section { name, .. } => {
                let Some(name) = name.map(|id| tree.token(id)) else { continue };
                sections.push(new_section(source, Some(&name.text), name.span));
                seen.clear();
                if let Some(mistake) = above.enter(name) {
                    lookup.problems.push(|| mistake.problem(source));
                }
            }
            Item::Entry(entry) => {
                let Some(written) = written(&tree, entry) else { continue };
                let Some(section) = sections.last_mut() else {
                    let mistake = Mistake::OutsideSection { name: written.key_span, levels };
                    lookup.problems.push(|| mistake.problem(source));
                    continue;
                };
                section.last_line = written.line;
                section.entries.extend(lookup.entry(in_catalogue, written, &mut seen));
            }
        }
    }
    let document = Document { kind, bare: false, sections };
    Read { document, problems: lookup.problems.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: FileKind, text: &str) -> Vec<(u16, bool)> {
        let read = read(kind, &Source::new(kind.file_name(), text));
        read.problems.iter().map(|problem| (problem.code.0, problem.is_error())).collect()
    }

    const SLURM: FileKind = FileKind::LauncherSlurmProfiles;

    #[test]
    fn levels_from_the_general_to_the_particular_are_read() {
        let text = "# limits\n[*]\nmax-cpus=2\n\n[@staff]\nmax-cpus=8\n[alice]\nmax-mem-mb=-1\n";
        let read = read(SLURM, &Source::new("f", text));
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let names: Vec<_> = read.document.sections.iter().map(|s| s.name.as_deref()).collect();
        assert_eq!(names, [Some("*"), Some("@staff"), Some("alice")]);
    }

    #[test]
    fn another_order_is_said_where_it_matters() {
        assert_eq!(found(SLURM, "[@a]\nmax-cpus=1\n[*]\nmax-cpus=2\n"), [(214, false)]);
        assert_eq!(found(FileKind::Profiles, "[bob]\nnice=1\n[@a]\nnice=2\n"), [(214, false)]);
        let logging = "[@rserver]\nlog-level=info\n[*]\nlog-level=warn\n";
        assert!(found(FileKind::LoggingConf, logging).is_empty());
        assert!(found(SLURM, "[@a]\nmax-cpus=1\n[@b]\nmax-cpus=2\n").is_empty());
    }

    #[test]
    fn a_section_and_a_name_in_it_stand_once() {
        assert_eq!(found(SLURM, "[*]\nmax-cpus=1\n[*]\nmax-mem-mb=1\n"), [(110, true)]);
        let sizes = FileKind::LauncherSlurmResources;
        assert_eq!(found(sizes, "[a]\ncpus=1\n[a]\ncpus=2\n"), [(110, false)]);
        assert_eq!(found(SLURM, "[*]\nmax-cpus=1\nmax-cpus=2\n"), [(110, true)]);
        assert!(found(SLURM, "[*]\nmax-cpus=1\n[@a]\nmax-cpus=2\n").is_empty());
    }

    #[test]
    fn what_belongs_to_no_section_does_nothing() {
        assert_eq!(found(SLURM, "max-cpus=1\n"), [(115, false)]);
        assert_eq!(found(SLURM, "[]\n"), [(123, true)]);
        assert_eq!(found(SLURM, "[@]\n"), [(123, true)]);
        assert!(found(FileKind::DatabricksConf, "[@]\nname=a\n").is_empty());
    }

    #[test]
    fn unknown_names_are_as_bad_as_the_product_takes_them() {
        assert_eq!(found(SLURM, "[*]\nmax-cpu=1\n"), [(107, true)]);
        assert_eq!(found(SLURM, "[*]\nflux=1\n"), [(109, false)]);
        assert_eq!(found(SLURM, "[*]\nmax-mem-mb=many\n"), [(111, true)]);
    }

    #[test]
    fn an_unknown_word_of_logging_falls_back_without_a_word() {
        let text = "[*]\nlog-level=WARNN\nlogger-type=Syslog\n";
        let read = read(FileKind::LoggingConf, &Source::new("f", text));
        assert_eq!(read.problems.len(), 1);
        assert!(!read.problems[0].is_error());
        let level = read.document.sections[0].get("log-level").and_then(|e| e.typed.clone());
        assert_eq!(level, Some(crate::value::Value::Word("warn".into())));
    }

    #[test]
    fn the_name_of_a_size_may_stand_in_quotes() {
        let text = "[small]\nname = \"Small #1 (1 cpu, 4 GB)\"\ncpus=1\nmem-mb=3596\n";
        assert!(found(FileKind::LauncherSlurmResources, text).is_empty());
    }
}
