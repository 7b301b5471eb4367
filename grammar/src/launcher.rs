//! Reader of `launcher.conf` (files.md §3): one `[server]` section, and a `[cluster]` section for each
//! cluster, the header repeated.
//!
//! The form is that of [`crate::ini`]. Which reader the product uses is not established
//! (open-questions.md B1): what its documents show is taken, what they do not show is refused where a
//! wrong guess would start sessions in the wrong place. Unknown names are warnings, since the public
//! list is incomplete.

use std::collections::BTreeMap;

use crate::codes;
use crate::document::{Document, Section};
use crate::error::{Problem, Problems, Severity, quoted};
use crate::ini;
use crate::lookup::{Lookup, Rules, Seen};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::suggest;
use crate::tree::{Item, Parse, Tree};

/// What goes wrong in writing `launcher.conf`, beyond its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// An option before the first header.
    OutsideSection {
        /// Its name.
        name: Span,
    },
    /// A section that is neither `[server]` nor `[cluster]`.
    UnknownSection {
        /// Its name.
        name: Span,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A second `[server]`.
    SecondServer {
        /// Its name in the header.
        name: Span,
        /// That of the first.
        first: Span,
    },
    /// Clusters, and no `[server]`.
    NoServer,
    /// A cluster without an option that it needs, or with an empty one.
    Missing {
        /// The section's name in its header, or the empty value.
        at: Span,
        /// The option.
        option: &'static str,
    },
    /// Two clusters of one name.
    SameName {
        /// The second's name.
        name: Span,
        /// The first's.
        first: Span,
    },
    /// A type that no launcher has, and no plugin named for it.
    NoSuchType {
        /// The type.
        at: Span,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// Two clusters of one type, of which one has no file of its own.
    SharedSettings {
        /// The type of the one without.
        at: Span,
        /// That of the other.
        other: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Warning};
        let at = source.problems_at();
        match self {
            Mistake::OutsideSection { name } => {
                let message = format!("{} stands before any section", quoted(source.slice(name)));
                at(codes::OUTSIDE_SECTION, Error, &message, name, "belongs to no section")
                    .help("put it below [server] or [cluster]")
            }
            Mistake::UnknownSection { name, nearest } => {
                let message = format!("unknown section {}", quoted(source.slice(name)));
                let label = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "only [server] and [cluster] are known".to_owned(),
                };
                at(codes::UNKNOWN_SECTION, Error, &message, name, &label)
            }
            Mistake::SecondServer { name, first } => {
                let message = "[server] stands twice";
                at(codes::DUPLICATE, Error, message, name, "again here")
                    .label(&source.file, Some(first), "first here")
                    .help("put all of its options into one section")
            }
            Mistake::NoServer => {
                let problem = Problem::new(codes::MISSING, Error, "there is no [server] section");
                problem.label(&source.file, None, "it may be empty, but has to be there")
            }
            Mistake::Missing { at: span, option } => {
                let message = format!("this cluster has no `{option}`");
                at(codes::MISSING, Error, &message, span, &format!("needs `{option}=...`"))
            }
            Mistake::SameName { name, first } => {
                let message = format!("two clusters are called {}", quoted(source.slice(name)));
                at(codes::SAME_CLUSTER, Error, &message, name, "again here")
                    .label(&source.file, Some(first), "first here")
                    .note("the name is what every other file refers to")
            }
            Mistake::NoSuchType { at: span, nearest } => {
                let message = format!("no launcher is of type {}", quoted(source.slice(span)));
                let (severity, label) = match nearest {
                    Some(nearest) => (Error, format!("did you mean `{nearest}`?")),
                    None => (Warning, "neither Local, Slurm nor Kubernetes".to_owned()),
                };
                let problem = at(codes::WRONG_VALUE, severity, &message, span, &label);
                if source.slice(span).eq_ignore_ascii_case("podman") {
                    problem.help("clusters of podman are declared in wharf.toml")
                } else {
                    problem.help("a plugin of another type is named by `exe=`")
                }
            }
            Mistake::SharedSettings { at: span, other } => {
                let message = "two clusters of one type would share one settings file";
                at(codes::SHARED_SETTINGS, Warning, message, span, "this one has no `config-file`")
                    .label(&source.file, Some(other), "of the same type")
                    .help("give each a `config-file=` of its own")
            }
        }
    }
}

const TYPES: [&str; 3] = ["Local", "Slurm", "Kubernetes"];

/// Reads `launcher.conf`.
pub(crate) fn read(source: &Source) -> Read {
    let Parse { tree, mistakes } = ini::parse(&source.text);
    let mut lookup = Lookup::new(source, Rules::of(FileKind::LauncherConf));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    let mut mistakes = Vec::new();
    let sections = read_sections(&tree, &mut lookup, &mut mistakes);
    check_sections(&sections, &mut mistakes);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    let document = Document { kind: FileKind::LauncherConf, bare: false, sections };
    Read { document, problems: lookup.problems.finish() }
}

fn read_sections(
    tree: &Tree<'_>,
    lookup: &mut Lookup<'_>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut seen = Seen::new();
    for item in tree.items() {
        match item {
            Item::Section { name, .. } => {
                let Some(name) = name.map(|id| tree.token(id)) else { continue };
                sections.push(new_section(lookup.source, Some(&name.text), name.span));
                seen.clear();
                if !matches!(&*name.text, "server" | "cluster") {
                    let may = lookup.problems.may_suggest();
                    let known = ["server", "cluster"].into_iter();
                    let nearest = may.then(|| suggest::nearest(&name.text, known)).flatten();
                    mistakes.push(Mistake::UnknownSection { name: name.span, nearest });
                }
            }
            Item::Entry(entry) => {
                let Some(written) = written(tree, entry) else { continue };
                let Some(section) = sections.last_mut() else {
                    mistakes.push(Mistake::OutsideSection { name: written.key_span });
                    continue;
                };
                section.last_line = written.line;
                let entry = match section.name.as_deref() {
                    Some(name @ ("server" | "cluster")) => lookup.entry(name, written, &mut seen),
                    _ => Some(lookup.unlisted(written)),
                };
                section.entries.extend(entry);
            }
        }
    }
    sections
}

fn check_sections(sections: &[Section], mistakes: &mut Vec<Mistake>) {
    let named = |name: &'static str| {
        sections.iter().filter(move |section| section.name.as_deref() == Some(name))
    };
    let mut servers = named("server");
    match servers.next() {
        Some(first) => mistakes.extend(
            servers.map(|section| Mistake::SecondServer { name: section.span, first: first.span }),
        ),
        // A misspelt header has been named already.
        None if mistakes.iter().any(is_meant_for_server) => {}
        None if named("cluster").next().is_some() => mistakes.push(Mistake::NoServer),
        None => {}
    }
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let mut types: BTreeMap<String, (Span, bool)> = BTreeMap::new();
    for section in named("cluster") {
        for option in ["name", "type"] {
            match section.get(option) {
                None => mistakes.push(Mistake::Missing { at: section.span, option }),
                // An empty type has been said to be no word.
                Some(entry) if entry.value.is_empty() && option == "name" => {
                    mistakes.push(Mistake::Missing { at: entry.value_span, option });
                }
                Some(_) => {}
            }
        }
        if let Some(name) = section.get("name").filter(|name| !name.value.is_empty()) {
            match names.get(&*name.value) {
                Some(&first) => {
                    mistakes.push(Mistake::SameName { name: name.value_span, first });
                }
                None => {
                    names.insert(&name.value, name.value_span);
                }
            }
        }
        check_type(section, &mut types, mistakes);
    }
}

fn is_meant_for_server(mistake: &Mistake) -> bool {
    matches!(mistake, Mistake::UnknownSection { nearest: Some("server"), .. })
}

fn check_type(
    section: &Section,
    types: &mut BTreeMap<String, (Span, bool)>,
    mistakes: &mut Vec<Mistake>,
) {
    let Some(kind) = section.get("type").filter(|kind| !kind.value.is_empty()) else { return };
    let known = TYPES.iter().any(|known| known.eq_ignore_ascii_case(&kind.value));
    if !known && section.get("exe").is_none() {
        let may = mistakes.len() < Problems::SUGGESTED;
        let nearest = may.then(|| suggest::nearest(&kind.value, TYPES.into_iter())).flatten();
        mistakes.push(Mistake::NoSuchType { at: kind.value_span, nearest });
    }
    let has_file = section.get("config-file").is_some_and(|file| !file.value.is_empty());
    match types.get(&kind.value.to_ascii_lowercase()) {
        Some(&(other, other_has_file)) if !has_file || !other_has_file => {
            let (at, other) =
                if has_file { (other, kind.value_span) } else { (kind.value_span, other) };
            mistakes.push(Mistake::SharedSettings { at, other });
        }
        Some(_) => {}
        None => {
            types.insert(kind.value.to_ascii_lowercase(), (kind.value_span, has_file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes_of(text: &str) -> Vec<u16> {
        let read = read(&Source::new("launcher.conf", text));
        read.problems.iter().map(|problem| problem.code.0).collect()
    }

    const SERVER: &str = "[server]\naddress=localhost\nport=5559\n";
    const LOCAL: &str = "[cluster]\nname=Local\ntype=Local\n";

    #[test]
    fn one_server_and_repeated_clusters_are_read() {
        let text = format!("{SERVER}{LOCAL}[cluster]\nname=Batch\ntype=SLURM\n");
        let read = read(&Source::new("launcher.conf", &*text));
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let names: Vec<_> = read.document.sections.iter().map(|s| s.name.as_deref()).collect();
        assert_eq!(names, [Some("server"), Some("cluster"), Some("cluster")]);
        let kind = read.document.sections[2].get("type").and_then(|entry| entry.typed.clone());
        assert_eq!(kind, Some(crate::value::Value::Word("Slurm".into())));
        assert_eq!((read.document.sections[1].line, read.document.sections[1].last_line), (4, 6));
    }

    #[test]
    fn trailing_blanks_and_comments_at_line_start_are_tolerated() {
        assert!(codes_of(&format!("# x\n[server]\naddress=0.0.0.0  \n  # y\n{LOCAL}")).is_empty());
    }

    #[test]
    fn a_cluster_needs_a_name_and_a_type() {
        assert_eq!(codes_of(&format!("{SERVER}[cluster]\nname=Local\n")), [113]);
        assert_eq!(codes_of(&format!("{SERVER}[cluster]\n")), [113, 113]);
        assert_eq!(codes_of(&format!("{SERVER}[cluster]\nname=\ntype=Local\n")), [113]);
    }

    #[test]
    fn clusters_of_one_name_are_refused() {
        let again = "[cluster]\nname=Local\ntype=Slurm\n";
        assert_eq!(codes_of(&format!("{SERVER}{LOCAL}{again}")), [116]);
    }

    #[test]
    fn clusters_of_one_type_want_their_own_files() {
        let first = "[cluster]\nname=a\ntype=Slurm\nconfig-file=/a\n";
        let bare = "[cluster]\nname=b\ntype=slurm\n";
        assert_eq!(codes_of(&format!("{SERVER}{first}{bare}")), [213]);
        assert_eq!(codes_of(&format!("{SERVER}{bare}{first}")), [213]);
        assert!(codes_of(&format!("{SERVER}{first}{bare}config-file=/b\n")).is_empty());
    }

    #[test]
    fn there_is_exactly_one_server_section() {
        assert_eq!(codes_of(LOCAL), [113]);
        assert_eq!(codes_of(&format!("{SERVER}[server]\n")), [110]);
        assert!(codes_of("").is_empty());
        assert!(codes_of("# nothing yet\n").is_empty());
    }

    #[test]
    fn sections_and_options_in_the_wrong_place_are_refused() {
        assert_eq!(codes_of("port=1\n"), [115]);
        assert_eq!(codes_of("[Server]\n"), [102]);
        assert_eq!(codes_of("[nodes]\n"), [102]);
        assert_eq!(codes_of("[server]\ntype=Local\n"), [108]);
    }

    #[test]
    fn unknown_names_are_warnings_and_near_misses_errors() {
        let read = read(&Source::new("launcher.conf", "[server]\nadmin-gruop=a\nflux=1\n"));
        let found: Vec<_> = read.problems.iter().map(|p| (p.code.0, p.is_error())).collect();
        assert_eq!(found, [(107, true), (109, false)]);
    }

    #[test]
    fn a_type_of_ones_own_names_its_program() {
        let with = |rest| format!("{SERVER}[cluster]\nname=a\n{rest}");
        assert!(codes_of(&with("type=Mine\nexe=/opt/mine\n")).is_empty());
        assert_eq!(codes_of(&with("type=Mine\n")), [111]);
        assert_eq!(codes_of(&with("type=Kubernets\n")), [111]);
    }

    #[test]
    fn options_stand_once_a_section() {
        assert_eq!(codes_of("[server]\nport=1\nport=2\n"), [110]);
    }
}
