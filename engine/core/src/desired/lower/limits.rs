//! `launcher.*.profiles.conf` and `launcher.*.resources.conf`: what a cluster lets one person have.
//!
//! Levels go from `[*]` over `[@group]` to `[user]`; the file is walked down, a later line wins, and a
//! section that is more general than one that was used is passed over, as the product's reader does
//! (files.md B). Knows no session: a person, their groups, a cluster's type.

use std::collections::BTreeMap;

use grammar::document::Section;

use crate::desired::Origin;
use crate::ids::UserName;
use crate::read_site::ClusterDocument;

/// One limit of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The option: `max-cpus`.
    pub option: String,
    /// As written.
    pub value: String,
    /// The level that it stands in: `*`, `@staff`, `alice`.
    pub level: String,
    /// Its line.
    pub origin: Origin,
}

/// A named size of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its id: the section's name.
    pub id: String,
    /// What it gives, in file order.
    pub fields: Vec<(String, String)>,
    /// Its section.
    pub origin: Origin,
}

/// How particular a level is; none where it is not about this person.
fn rank(name: &str, user: &UserName, groups: &[String]) -> Option<u8> {
    match name.strip_prefix('@') {
        _ if name == "*" => Some(0),
        Some(group) => groups.iter().any(|own| own == group).then_some(1),
        None => (name == user.as_str()).then_some(2),
    }
}

/// What applies to a person, by option.
pub(super) fn limits_of(of: ClusterDocument<'_>, user: &UserName, groups: &[String]) -> Vec<Limit> {
    let mut limits = BTreeMap::new();
    let mut used = 0;
    for section in &of.document.sections {
        let name = section.name.as_deref().unwrap_or_default();
        let Some(rank) = rank(name, user, groups).filter(|rank| *rank >= used) else { continue };
        used = rank;
        for entry in &section.entries {
            let option = entry.name.to_string();
            let limit = Limit {
                option: option.clone(),
                value: entry.value.to_string(),
                level: name.to_owned(),
                origin: origin(of.file, entry.line, &option),
            };
            limits.insert(option, limit);
        }
    }
    limits.into_values().collect()
}

/// The named sizes of a cluster, in file order, of which `allowed` (a limit's value) leaves any.
pub(super) fn sizes_of(of: ClusterDocument<'_>, allowed: Option<&str>) -> Vec<Size> {
    let is_allowed = |section: &&Section| {
        let id = section.name.as_deref().unwrap_or_default();
        allowed.is_none_or(|ids| ids.split(',').any(|one| one.trim() == id))
    };
    let size = |section: &Section| {
        let fields = section.entries.iter().map(|e| (e.name.to_string(), e.value.to_string()));
        let id = section.name.as_deref().unwrap_or_default();
        Size {
            id: id.to_owned(),
            fields: fields.collect(),
            origin: origin(of.file, section.line, id),
        }
    };
    of.document.sections.iter().filter(is_allowed).map(size).collect()
}

fn origin(file: &str, line: u32, option: &str) -> Origin {
    Origin { file: file.into(), line, option: option.to_owned() }
}

#[cfg(test)]
mod tests {
    use grammar::source::{FileKind, Source};

    use super::*;

    fn limits(text: &str, groups: &[&str]) -> Vec<(String, String, u32)> {
        let kind = FileKind::LauncherSlurmProfiles;
        let document = grammar::read::read_file(kind, &Source::new("f", text)).document;
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let of = ClusterDocument { file: "f", document: &document };
        let found = limits_of(of, &UserName::new("alice").unwrap(), &groups);
        found.into_iter().map(|limit| (limit.value, limit.level, limit.origin.line)).collect()
    }

    #[test]
    fn the_most_particular_level_wins_and_groups_count_for_their_members_only() {
        let text =
            "[*]\nmax-cpus=2\n[@staff]\nmax-cpus=8\n[bob]\nmax-cpus=64\n[alice]\nmax-cpus=16\n";
        let one = |value: &str, level: &str, line| [(value.to_owned(), level.to_owned(), line)];
        assert_eq!(limits(text, &["staff"]), one("16", "alice", 8));
        let (text, _) = text.split_once("[bob]").unwrap();
        assert_eq!(limits(text, &["staff"]), one("8", "@staff", 4));
        assert_eq!(limits(text, &["students"]), one("2", "*", 2));
    }

    #[test]
    fn a_more_general_level_below_is_passed_over() {
        let text = "[alice]\nmax-cpus=16\n[*]\nmax-cpus=2\nmax-mem-mb=1\n";
        assert_eq!(limits(text, &[]), [("16".to_owned(), "alice".to_owned(), 2)]);
    }
}
