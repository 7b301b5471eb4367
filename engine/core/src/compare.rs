//! Two sets of files side by side: what they set differently, and which lines of which file differ.
//!
//! Pure. What may not be shown is covered before anything is compared with it: each line is shown as it may be,
//! and told apart by what it is. Decides nothing; what a difference *does* is [`crate::report`]'s.

mod cover;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::desired::Lowered;
use crate::known::Known;
use crate::settings::OptionChange;
use crate::site::{DropIn, SiteFiles, WHARF_TOML};
use cover::Covered;
use grammar::source::Source;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;

/// A set of files with what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// What it is called: `generation 41`, `on disk`.
    pub name: &'a str,
    /// The files.
    pub files: &'a SiteFiles,
    /// What they ask for.
    pub lowered: &'a Lowered,
}

/// How two sets differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What the first is called.
    pub from: String,
    /// What the second is called.
    pub to: String,
    /// Options that are set differently.
    pub options: Vec<OptionChange>,
    /// Files whose text differs, by name.
    pub files: Vec<FileChange>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its short name.
    pub file: String,
    /// How.
    pub change: Change,
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
    /// The lines as a unified diff, without the two lines of names; empty where nothing can be said of them.
    pub text: String,
}

/// How a file differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Change {
    /// It is there in the second set only.
    Added,
    /// It is there in the first set only.
    Removed,
    /// It says something else.
    Edited,
    /// It could not be read in one of them.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Comparison {
    /// Whether the two sets are the same, byte by byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.options.is_empty() && self.files.is_empty()
    }
}

/// Compares two sets of files.
#[must_use]
pub fn compare(from: Side<'_>, to: Side<'_>) -> Comparison {
    let (before, after) = (texts(from.files), texts(to.files));
    let mut files = Vec::new();
    for (name, old) in &before {
        let new = after.get(name).copied().unwrap_or(&Known::Absent);
        files.extend(changed(name, (from, *old), (to, new)));
    }
    let added = after.iter().filter(|(name, _)| !before.contains_key(*name));
    files.extend(added.filter_map(|(name, new)| changed(name, (from, &Known::Absent), (to, *new))));
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Comparison {
        from: from.name.to_owned(),
        to: to.name.to_owned(),
        options: from.lowered.settings.changes(&to.lowered.settings),
        files,
    }
}

/// Every file of a set by its short name.
fn texts(files: &SiteFiles) -> BTreeMap<String, &Known<Source>> {
    let of_workbench =
        files.workbench.iter().map(|(kind, file)| (kind.file_name().to_owned(), file));
    let of_clusters = files.cluster_files.iter().map(|(named, file)| {
        let name = file.present().map_or(&*named.path, |source| files.short_name(&source.file));
        (name.to_owned(), file)
    });
    let own = DropIn::ALL.into_iter().flat_map(|drop_in| {
        let in_dir = files.managed(drop_in).files();
        in_dir.map(move |(stem, file)| (format!("{}/{stem}.toml", drop_in.dir_name()), file))
    });
    let wharf = (WHARF_TOML.to_owned(), &files.wharf);
    // A file that is read by its name and by a value is one file.
    of_clusters.chain(of_workbench).chain(own).chain([wharf]).collect()
}

fn changed(
    name: &str,
    (from, old): (Side<'_>, &Known<Source>),
    (to, new): (Side<'_>, &Known<Source>),
) -> Option<FileChange> {
    let of = |change| FileChange {
        file: name.to_owned(),
        change,
        added: 0,
        removed: 0,
        text: String::new(),
    };
    let covered = |side: Side<'_>, file: &Known<Source>| {
        let text = file.present().map_or_else(|| Arc::from(""), |source| Arc::clone(&source.text));
        Covered::of(name, text, &side.lowered.settings)
    };
    let change = match (old, new) {
        (Known::Present(old), Known::Present(new)) if old.text == new.text => return None,
        (Known::Absent, Known::Absent) => return None,
        (Known::Unknown { reason: a, .. }, Known::Unknown { reason: b, .. }) if a == b => {
            return None;
        }
        (Known::Unknown { reason, .. }, _) | (_, Known::Unknown { reason, .. }) => {
            return Some(of(Change::Unknown { reason: reason.clone() }));
        }
        (Known::Absent, Known::Present(_)) => Change::Added,
        (Known::Present(_), Known::Absent) => Change::Removed,
        (Known::Present(_), Known::Present(_)) => Change::Edited,
    };
    let (added, removed, mut text) = unified(&covered(from, old), &covered(to, new));
    if text.is_empty() && change == Change::Edited {
        "(only the ends of lines differ)\n".clone_into(&mut text);
    }
    Some(FileChange { added, removed, text, ..of(change) })
}

/// The lines that differ, with those around them.
fn unified(from: &Covered, to: &Covered) -> (usize, usize, String) {
    let (old, new) = (from.lines(), to.lines());
    let diff = TextDiff::from_slices(&old, &new);
    let (mut added, mut removed, mut text) = (0, 0, String::new());
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let span = |start: usize, end: usize| match end - start {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            n => format!("{},{n}", start + 1),
        };
        let old_span = span(first.old_range().start, last.old_range().end);
        let new_span = span(first.new_range().start, last.new_range().end);
        let _ = writeln!(text, "@@ -{old_span} +{new_span} @@");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, line) = match (change.tag(), change.old_index(), change.new_index()) {
                (ChangeTag::Equal, _, Some(at)) => (' ', to.shown(at).to_owned()),
                (ChangeTag::Delete, Some(at), _) => {
                    removed += 1;
                    ('-', from.shown(at).to_owned())
                }
                (ChangeTag::Insert, _, Some(at)) => {
                    added += 1;
                    ('+', to.shown_beside(at, from))
                }
                _ => continue,
            };
            let _ = writeln!(text, "{}", format!("{sign}{line}").trim_end());
        }
    }
    (added, removed, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::lower;
    use grammar::source::FileKind;

    fn compared(from: &[(FileKind, &str)], to: &[(FileKind, &str)]) -> Comparison {
        let (old, new) = (site(from), site(to));
        let (a, b) = (lower(&old, &ground()), lower(&new, &ground()));
        let of = |name, files, lowered| Side { name, files, lowered };
        compare(of("a", &old, &a), of("b", &new, &b))
    }

    #[test]
    fn the_same_files_do_not_differ() {
        let files = [(FileKind::RserverConf, "www-port=1\n")];
        assert!(compared(&files, &files).is_empty());
    }

    #[test]
    fn a_comment_is_a_difference_of_text_and_of_no_option() {
        let found = compared(
            &[(FileKind::RserverConf, "www-port=1\n")],
            &[(FileKind::RserverConf, "# one\nwww-port=1\n")],
        );
        assert!(found.options.is_empty() && !found.is_empty());
        assert_eq!(found.files[0].text, "@@ -1 +1,2 @@\n+# one\n www-port=1\n");
        assert_eq!((found.files[0].added, found.files[0].removed), (1, 0));
    }

    #[test]
    fn files_come_and_go() {
        let one = (FileKind::RserverConf, "www-port=1\n");
        let two = (FileKind::LoadBalancer, "balancer=custom\n");
        let found = compared(&[one], &[two]);
        let how: Vec<_> = found.files.iter().map(|file| (&*file.file, &file.change)).collect();
        assert_eq!(how, [("load-balancer", &Change::Added), ("rserver.conf", &Change::Removed)]);
        assert_eq!(found.files[0].text, "@@ -0,0 +1 @@\n+balancer=custom\n");
    }

    #[test]
    fn a_secret_that_changed_is_seen_to_and_not_shown() {
        let found = compared(
            &[(FileKind::LauncherEnv, "JobType: session\nEnvironment: KEY=hunter2\n TZ=UTC\n")],
            &[(FileKind::LauncherEnv, "JobType: session\nEnvironment: KEY=hunter3\n TZ=UTC\n")],
        );
        let text = &found.files[0].text;
        assert!(text.contains("-Environment: KEY=(secret)\n+Environment: KEY=(secret, changed)\n"));
        assert!(text.contains("\n  TZ=UTC\n") && !text.contains("hunter"), "{text}");
        let password = |word: &str| format!("provider=sqlite\npasswrd={word}\nodd {word}\n");
        let (a, b) = (password("hunter2"), password("hunter3"));
        let found = compared(&[(FileKind::DatabaseConf, &a)], &[(FileKind::DatabaseConf, &b)]);
        let text = &found.files[0].text;
        assert!(!text.contains("hunter") && text.contains(" provider=sqlite"), "{text}");
    }

    #[test]
    fn each_place_that_differs_is_shown_with_its_lines_and_counted() {
        let lines = |changed: &str| -> String {
            let line =
                |n| if n == 2 || n == 30 { format!("# {changed}\n") } else { format!("# {n}\n") };
            (1..=40).map(line).collect()
        };
        let (old, new) = (lines("old"), lines("new"));
        let found =
            compared(&[(FileKind::RserverConf, &old)], &[(FileKind::RserverConf, &new)]).files;
        let heads: Vec<&str> = found[0].text.lines().filter(|l| l.starts_with("@@")).collect();
        assert_eq!(heads, ["@@ -1,5 +1,5 @@", "@@ -27,7 +27,7 @@"]);
        assert_eq!((found[0].added, found[0].removed), (2, 2));
    }

    #[test]
    fn where_only_the_ends_of_lines_differ_that_is_said() {
        let conf = |text| [(FileKind::RserverConf, text)];
        let found = compared(&conf("www-port=1\n"), &conf("www-port=1\r\n")).files;
        assert_eq!(found[0].text, "(only the ends of lines differ)\n");
        let found = compared(&[], &conf("")).files;
        assert_eq!((&found[0].change, &*found[0].text), (&Change::Added, ""));
    }

    #[test]
    fn a_file_that_cannot_be_read_differs_unless_it_could_not_before_for_the_same_reason() {
        let with = |why: Option<&str>| {
            let mut files = site(&[(FileKind::RserverConf, "www-port=1\n")]);
            let unknown =
                |why: &str| Known::Unknown { since: Default::default(), reason: why.into() };
            if let Some(why) = why {
                files.workbench.insert(FileKind::RserverConf, unknown(why));
            }
            files
        };
        for (old, new, told) in [
            (None, Some("denied"), Some("denied")),
            (Some("denied"), None, Some("denied")),
            (Some("denied"), Some("torn"), Some("denied")),
            (Some("denied"), Some("denied"), None),
        ] {
            let (a, b) = (with(old), with(new));
            let (low_a, low_b) = (lower(&a, &ground()), lower(&b, &ground()));
            let found = compare(
                Side { name: "a", files: &a, lowered: &low_a },
                Side { name: "b", files: &b, lowered: &low_b },
            );
            let change = told.map(|reason| Change::Unknown { reason: reason.to_owned() });
            let found = found.files.first().map(|file| file.change.clone());
            assert_eq!(found, change, "{old:?} {new:?}");
        }
    }
}
