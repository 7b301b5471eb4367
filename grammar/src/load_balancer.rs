//! Reader of `load-balancer` (files.md §4): flat `name=value` lines, or the older form below `[config]`.
//!
//! The form is that of [`crate::ini`]. The file may be empty. A section that lists nodes is of before
//! 2021.09: nodes register themselves now, so it is said and passed over.

use crate::codes;
use crate::document::Document;
use crate::error::{Problem, Severity, quoted};
use crate::ini;
use crate::lookup::{Lookup, Rules, Seen};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Item, Parse, Tree};

/// What goes wrong in writing `load-balancer`, beyond its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The old list of nodes.
    OldNodes {
        /// The section's name.
        name: Span,
    },
    /// Neither `[config]` nor the old list.
    UnknownSection {
        /// The section's name.
        name: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        let at = source.problems_at();
        match self {
            Mistake::OldNodes { name } => {
                let message = "nodes are no longer listed in this file";
                at(codes::SECTION_IGNORED, Severity::Warning, message, name, "passed over")
                    .note("since 2021.09 every node registers itself in the store")
                    .help("remove the section")
            }
            Mistake::UnknownSection { name } => {
                let message = format!("unknown section {}", quoted(source.slice(name)));
                let label = "only [config] is known, and not needed";
                at(codes::UNKNOWN_SECTION, Severity::Error, &message, name, label)
            }
        }
    }
}

/// The names that old guides give the list of nodes.
fn lists_nodes(section: &str) -> bool {
    ["nodes", "node", "cluster"].iter().any(|name| name.eq_ignore_ascii_case(section))
}

/// Reads `load-balancer`. Both forms give one unnamed section.
pub(crate) fn read(source: &Source) -> Read {
    let Parse { tree, mistakes } = ini::parse(&source.text);
    let nodes = old_nodes(&tree, source);
    let mut lookup = Lookup::new(source, Rules::of(FileKind::LoadBalancer));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        // Lines of the old list are host names, not settings: the section has been spoken of.
        let inside = |span: Span| {
            let line = source.lines.line(span.start);
            let before = nodes.partition_point(|lines| lines.start <= line);
            before > 0 && nodes[before - 1].contains(&line)
        };
        if !matches!(mistake, ini::Mistake::NoEquals { line } if inside(line)) {
            lookup.problems.push(|| mistake.problem(source));
        }
    }
    let mut flat = new_section(source, None, Span::default());
    let mut seen = Seen::new();
    let mut known = true;
    for item in tree.items() {
        match item {
            Item::Section { name, .. } => {
                let Some(name) = name.map(|id| tree.token(id)) else { continue };
                known = &*name.text == "config";
                let mistake = if known {
                    continue;
                } else if lists_nodes(&name.text) {
                    Mistake::OldNodes { name: name.span }
                } else {
                    Mistake::UnknownSection { name: name.span }
                };
                lookup.problems.push(|| mistake.problem(source));
            }
            Item::Entry(entry) if known => {
                let Some(written) = written(&tree, entry) else { continue };
                flat.last_line = written.line;
                flat.entries.extend(lookup.entry("", written, &mut seen));
            }
            Item::Entry(_) => {}
        }
    }
    let document = Document { kind: FileKind::LoadBalancer, bare: false, sections: vec![flat] };
    Read { document, problems: lookup.problems.finish() }
}

/// The lines of the sections that list nodes, in order.
fn old_nodes(tree: &Tree<'_>, source: &Source) -> Vec<std::ops::Range<u32>> {
    let headers = tree.items().iter().filter_map(|item| match item {
        Item::Section { name: Some(name), line } => Some((&*tree.token(*name).text, *line)),
        _ => None,
    });
    let headers: Vec<_> = headers.collect();
    let end = source.lines.line(u32::MAX) + 1;
    let ends = headers.iter().skip(1).map(|header| header.1).chain([end]);
    headers
        .iter()
        .zip(ends)
        .filter(|(header, _)| lists_nodes(header.0))
        .map(|(header, end)| header.1..end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Read {
        read(&Source::new("load-balancer", text))
    }

    fn codes_of(text: &str) -> Vec<u16> {
        read_text(text).problems.iter().map(|problem| problem.code.0).collect()
    }

    #[test]
    fn the_flat_and_the_older_form_say_the_same() {
        for text in ["balancer=user-hash\n", "[config]\n\nbalancer = user-hash\n"] {
            let read = read_text(text);
            assert!(read.problems.is_empty(), "{:?}", read.problems);
            let entry = read.document.sections[0].get("balancer").expect("it is set");
            assert_eq!(entry.typed, Some(crate::value::Value::Word("user-hash".into())));
        }
    }

    #[test]
    fn an_empty_file_is_a_file() {
        assert!(codes_of("").is_empty());
        assert!(codes_of("# nothing\n\n").is_empty());
    }

    #[test]
    fn the_old_list_of_nodes_is_said_and_passed_over() {
        let text = "[config]\nbalancer=sessions\n[nodes]\nnode1.example.com\nnode2:8787\n";
        assert_eq!(codes_of(text), [209]);
        assert_eq!(codes_of("[nodes]\nnode1\n[config]\nword\n"), [209, 101]);
    }

    #[test]
    fn other_sections_are_refused() {
        assert_eq!(codes_of("[conf]\nbalancer=sessions\n"), [102]);
    }

    #[test]
    fn names_and_values_are_checked() {
        assert_eq!(codes_of("balencer=sessions\n"), [107]);
        assert_eq!(codes_of("flux=1\n"), [109]);
        assert_eq!(codes_of("balancer=session\n"), [111]);
        assert_eq!(codes_of("timeout=1\ntimeout=2\n"), [110]);
        assert_eq!(codes_of("word\n"), [101]);
    }
}
