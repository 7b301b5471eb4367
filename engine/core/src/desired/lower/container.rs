//! `launcher-mounts` and `launcher-ports`: what a session in a container finds mounted and open.
//!
//! Which clusters run containers is said here, too: on the others these records do nothing. Read next:
//! `env`, which has the selectors that all three files share.

use grammar::document::{Document, Section};
use grammar::source::FileKind;

use super::env::Selected;
use crate::desired::{Origin, for_user};
use crate::ids::UserName;

/// Something mounted into a session's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where the session finds it.
    pub path: String,
    /// `MountType`, as written.
    pub kind: String,
    /// Every other field of the record but its selectors, in file order, `{USER}` filled in.
    pub fields: Vec<(String, String)>,
    /// Its record.
    pub origin: Origin,
}

/// A port that a session's container opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPort {
    /// As written.
    pub port: String,
    /// Its line.
    pub origin: Origin,
}

/// Whether sessions of a cluster of this type run in containers (files.md, launcher-mounts).
#[must_use]
pub fn runs_containers(cluster_kind: &str) -> bool {
    matches!(cluster_kind, "kubernetes" | "podman")
}

/// Fields that say what a record applies to, and those that have a place of their own.
const APART: [&str; 5] = ["MountType", "MountPath", "JobType", "Workbench", "Cluster"];

/// The mounts of a session of `user`, in file order.
pub(super) fn mounts_of(
    document: &Document,
    selected: &Selected<'_>,
    user: &UserName,
) -> Vec<Mount> {
    let records = document.sections.iter().filter(|record| selected.matches(record));
    records.filter_map(|record| mount_of(record, user)).collect()
}

fn mount_of(record: &Section, user: &UserName) -> Option<Mount> {
    let filled = |text: &str| for_user(text, user);
    let path = record.get("MountPath")?;
    let kind = record.get("MountType")?;
    let others = record.entries.iter().filter(|entry| !APART.contains(&&*entry.name));
    let fields = others.map(|entry| (entry.name.to_string(), filled(&entry.joined())));
    let file = FileKind::LauncherMounts.file_name().into();
    Some(Mount {
        path: filled(&path.value),
        kind: kind.value.to_string(),
        fields: fields.collect(),
        origin: Origin { file, line: path.line, option: "MountPath".to_owned() },
    })
}

/// The ports of a session, in file order.
pub(super) fn ports_of(document: &Document, selected: &Selected<'_>) -> Vec<OpenPort> {
    let records = document.sections.iter().filter(|record| selected.matches(record));
    let entries =
        records.flat_map(|record| &record.entries).filter(|entry| &*entry.name == "Ports");
    let port = |part: &grammar::document::Part| {
        let file = FileKind::LauncherPorts.file_name().into();
        let origin = Origin { file, line: part.line, option: "Ports".to_owned() };
        OpenPort { port: part.text.trim().to_owned(), origin }
    };
    entries.flat_map(|entry| entry.parts.iter().map(port)).collect()
}
