//! What a record must have and what its values must be, beyond the types of single fields.
//!
//! Rules of one record only; whether its cluster exists is for whoever sees all files.

use super::{Mistake, known_field};
use crate::document::{Entry, Section};
use crate::line::field;
use crate::source::FileKind;
use crate::span::Span;
use crate::value::{Value, parse_int};

/// A type of mount: its word, the fields it needs, the further fields it has (administration guide,
/// Job Launcher chapter).
struct Mount {
    word: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
}

const MOUNTS: [Mount; 7] = [
    Mount { word: "Host", needs: &["Path"], takes: &[] },
    Mount { word: "NFS", needs: &["Path"], takes: &["Host"] },
    Mount {
        word: "CephFs",
        needs: &["Monitors"],
        takes: &["Path", "User", "SecretFile", "SecretRef"],
    },
    Mount { word: "GlusterFs", needs: &["Endpoints", "Path"], takes: &[] },
    Mount { word: "AzureFile", needs: &["SecretName"], takes: &["ShareName"] },
    Mount { word: "KubernetesPersistentVolumeClaim", needs: &["ClaimName"], takes: &["SubPath"] },
    Mount { word: "Passthrough", needs: &["FilePath"], takes: &[] },
];

/// The fields that every mount may have.
const COMMON: [&str; 6] = ["MountType", "MountPath", "ReadOnly", "JobType", "Workbench", "Cluster"];

/// Checks one record, or the one section of a bare file.
pub(super) fn check_record(kind: FileKind, record: &Section, mistakes: &mut Vec<Mistake>) {
    for entry in &record.entries {
        match &*entry.name {
            "Environment" => check_lines(kind, entry, mistakes, pair_mistake),
            "Ports" => check_lines(kind, entry, mistakes, port_mistake),
            "Message" => check_lines(kind, entry, mistakes, |_, _| None),
            _ => check_one_line(kind, entry, mistakes),
        }
    }
    match kind {
        FileKind::LauncherMounts => check_mount(record, mistakes),
        FileKind::RVersions if !has(record, "Path") && !has(record, "Module") => {
            mistakes.push(missing(record, "Path", "version"));
        }
        FileKind::NotificationsConf => {
            let needed = ["EndTime", "Message"].into_iter().filter(|field| !has(record, field));
            mistakes.extend(needed.map(|field| missing(record, field, "notice")));
        }
        _ => {}
    }
}

fn has(record: &Section, field: &str) -> bool {
    let given = |entry: &Entry| !entry.value.is_empty() || !entry.parts.is_empty();
    record.get(field).is_some_and(given)
}

fn missing(record: &Section, field: &'static str, noun: &'static str) -> Mistake {
    Mistake::Missing { record: record.span, field, noun, mount: None, old_form: false }
}

fn check_lines(
    kind: FileKind,
    entry: &Entry,
    mistakes: &mut Vec<Mistake>,
    check: fn(&str, Span) -> Option<Mistake>,
) {
    for part in &entry.parts {
        let looks = looks_like_field(kind, &part.text).filter(|_| part.line != entry.line);
        mistakes.extend(match looks {
            Some(field) => Some(Mistake::LooksLikeField { at: part.span, field }),
            None => check(&part.text, part.span),
        });
    }
}

/// Fields that have one value; the reader would join further lines to it.
fn check_one_line(kind: FileKind, entry: &Entry, mistakes: &mut Vec<Mistake>) {
    let Some(row) = entry.row else { return };
    for part in entry.parts.iter().filter(|part| part.line != entry.line) {
        mistakes.push(match looks_like_field(kind, &part.text) {
            Some(field) => Mistake::LooksLikeField { at: part.span, field },
            None => Mistake::OneLine { at: part.span, field: row.name },
        });
    }
}

fn looks_like_field(kind: FileKind, text: &str) -> Option<&'static str> {
    known_field(kind, field(text)?.key)
}

fn pair_mistake(text: &str, at: Span) -> Option<Mistake> {
    let Some((name, _)) = text.split_once('=') else { return Some(Mistake::NotAPair { at }) };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = name.chars().all(fits) && name.starts_with(|c: char| !c.is_ascii_digit());
    let start = at.start as usize;
    (!good).then(|| Mistake::BadVariable { name: Span::new(start, start + name.len().max(1)) })
}

fn port_mistake(text: &str, at: Span) -> Option<Mistake> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (!digits || parse_int(text, 1, 65535).is_err()).then_some(Mistake::NotAPort { at })
}

fn check_mount(record: &Section, mistakes: &mut Vec<Mistake>) {
    let missing = |field: &'static str, mount, old_form| Mistake::Missing {
        record: record.span,
        field,
        noun: "mount",
        mount,
        old_form,
    };
    let has = |field: &str| has(record, field);
    if record.get("MountType").is_none() {
        mistakes.push(missing("MountType", None, has("Host") && has("Path")));
    }
    if !has("MountPath") {
        mistakes.push(missing("MountPath", None, false));
    }
    let kind = record.get("MountType").and_then(|entry| entry.typed.as_ref());
    let Some(Value::Word(word)) = kind else { return };
    let Some(mount) = MOUNTS.iter().find(|mount| mount.word == &**word) else { return };
    for &field in mount.needs.iter().filter(|field| !has(field)) {
        mistakes.push(missing(field, Some(mount.word), false));
    }
    let belongs = |name: &&str| {
        COMMON.contains(name) || mount.needs.contains(name) || mount.takes.contains(name)
    };
    for entry in record.entries.iter().filter(|entry| entry.row.is_some()) {
        if !belongs(&&*entry.name) {
            mistakes.push(Mistake::NotOfThisMount { name: entry.name_span, mount: mount.word });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RECORD;
    use super::*;
    use crate::catalogue;

    #[test]
    fn the_table_of_mounts_and_the_catalogue_agree() {
        let row = catalogue::find("launcher-mounts", RECORD, "MountType").expect("it is there");
        let words: Vec<_> = MOUNTS.iter().map(|mount| mount.word).collect();
        assert_eq!(row.values, words);
        for field in MOUNTS.iter().flat_map(|mount| mount.needs.iter().chain(mount.takes)) {
            assert!(catalogue::find("launcher-mounts", RECORD, field).is_some(), "{field}");
        }
    }
}
