//! `store.jsonl`: everything in the store as lines of JSON, for people, backups and a damaged store.
//!
//! ```text
//! {"what":"wharf store snapshot","format":1,"instance":"main","made_at":1760000000000,"version":12,"count":2}
//! {"key":"number/demo","version":7,"value":{"format":1,"n":3}}
//! {"lease":"site","version":12,"value":{"format":1,"holder":null,"epoch":4,"expires":0}}
//! {"end":2,"digest":"<SHA-256 of everything before this line>"}
//! ```
//!
//! A value that is JSON stands there byte for byte; one that is not stands as `"hex"`. Written to a
//! new file, synced, then renamed; the one before stays as `.1`. Loaded strictly: anything cut,
//! changed or added is refused, and the one before is tried.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use engine_core::ids::{Digest, Moment};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::frame::Space;
use super::table::{Entry, LeaseRow, Table};
use crate::hex::{from_hex, hex};
use crate::ports::{Version, Versioned};
use crate::whole_file::{private, sync_parent};

/// The format of a snapshot that this program writes.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// Largest snapshot that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// No store has made so many commits: a number above it was written by somebody else, and leaves no room for more.
const MOST_COMMITS: u64 = 1 << 62;

const WHAT: &str = "wharf store snapshot";

/// Everything a store held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Whose store it was.
    pub instance: String,
    /// When it was made.
    pub made_at: Moment,
    /// The newest commit in it.
    pub version: u64,
    /// Which program wrote it; empty = it does not say.
    pub by: String,
    /// What tells the key that sealed its texts from any other; empty = it does not say.
    pub key: String,
    /// Records, ordered by key.
    pub records: Vec<(String, Versioned)>,
    /// Leases by name, as the store keeps them; for their epochs.
    pub leases: Vec<(String, Versioned)>,
}

impl Image {
    /// Everything in a table.
    pub(super) fn of(table: &Table, instance: &str, made_at: Moment) -> Self {
        let mut image = Self {
            instance: instance.to_owned(),
            made_at,
            version: table.tally().version,
            ..Self::default()
        };
        for (space, name, entry) in table.entries() {
            let bytes = entry.bytes.to_vec();
            let versioned = Versioned { version: Version(entry.version), bytes };
            match space {
                Space::Record => image.records.push((name.to_owned(), versioned)),
                Space::Lease => image.leases.push((name.to_owned(), versioned)),
            }
        }
        image
    }

    /// A table of it whose newest commit is `version`.
    ///
    /// Nobody holds a lease in it, and each epoch is above any that was given since the snapshot:
    /// every new epoch took a commit, so there were at most as many as versions.
    pub(super) fn table(&self, version: u64) -> Table {
        let mut entries = BTreeMap::new();
        for (key, record) in &self.records {
            let entry = Entry::new(Space::Record, key, record.version.0, &record.bytes);
            entries.insert((Space::Record, key.clone()), entry);
        }
        for (name, lease) in &self.leases {
            let mut bytes = lease.bytes.clone();
            if let Ok(mut row) = serde_json::from_slice::<LeaseRow>(&bytes) {
                row.holder = None;
                row.epoch = row.epoch.saturating_add(version.saturating_sub(self.version));
                bytes = row.bytes();
            }
            let entry = Entry::new(Space::Lease, name, version, &bytes);
            entries.insert((Space::Lease, name.clone()), entry);
        }
        Table::of(entries, version)
    }
}

/// Why a snapshot was not written or not loaded.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what was once written.
    #[error("the snapshot {} is damaged: {reason}", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How that was seen, with the line.
        reason: String,
    },
    /// It was written by a newer program.
    #[error("the snapshot {} has format {found}; this program knows {SNAPSHOT_FORMAT}", .path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// What was found.
        found: u32,
    },
    /// The system said no.
    #[error("cannot {what} the snapshot {}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    what: String,
    format: u32,
    instance: String,
    made_at: Moment,
    version: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    key: String,
    count: usize,
}

#[derive(Deserialize)]
struct HeaderFormat {
    what: String,
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<String>,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    end: usize,
    digest: Digest,
}

/// Whether there is a snapshot at `path`, or one before it.
pub(super) fn exists(path: &Path) -> bool {
    [path.to_path_buf(), previous(path)].iter().any(|path| fs::symlink_metadata(path).is_ok())
}

pub(super) fn previous(path: &Path) -> PathBuf {
    beside(path, ".1")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a snapshot in the place of the one at `path`, which becomes `path.1`.
///
/// Readable by this account only: the store holds people's requests and sealed texts.
///
/// # Errors
/// It could not be written; the one at `path` is then still there, or already `path.1`.
pub fn write(path: &Path, image: &Image) -> Result<(), SnapshotError> {
    put_in_place(path, image, || match fs::rename(path, previous(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    })
}

/// Writes `path.new`, and renames it over `path` after `keep`; a half one of somebody who was killed is written anew.
fn put_in_place(
    path: &Path,
    image: &Image,
    keep: impl FnOnce() -> io::Result<()>,
) -> Result<(), SnapshotError> {
    let fresh = beside(path, ".new");
    let of = |what, path: &Path, source| SnapshotError::Io { what, path: path.to_owned(), source };
    let io = |what| move |source| of(what, path, source);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(of("clear the way for", &fresh, error));
        }
        Ok(()) | Err(_) => {}
    }
    let made = private().create_new(true).open(&fresh);
    let made = made.map_err(|error| of("create", &fresh, error))?;
    fill(made, &fresh, image).map_err(|error| of("write", &fresh, error))?;
    keep().map_err(io("keep"))?;
    fs::rename(&fresh, path).map_err(io("put in place"))?;
    sync_parent(path).map_err(io("sync the directory of"))
}

/// Writes a copy at `path`, which nobody but this account may read from its first byte on.
///
/// # Errors
/// It could not be written. Something is there already ([`ErrorKind::AlreadyExists`]), unless it is to be replaced.
pub fn write_copy(path: &Path, image: &Image, replace: bool) -> Result<(), SnapshotError> {
    let io = |what| move |source| SnapshotError::Io { what, path: path.to_path_buf(), source };
    if !replace {
        let made = private().create_new(true).open(path).map_err(io("create"))?;
        return fill(made, path, image).map_err(io("write"));
    }
    put_in_place(path, image, || Ok(()))
}

/// Writes and syncs a file that was just made; on a full disk the half of it must not take the room that the
/// store needs.
fn fill(made: File, path: &Path, image: &Image) -> io::Result<()> {
    let written = render(made, image).and_then(|file| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// A snapshot as bytes.
///
/// # Panics
/// Never: memory takes every write, and the lines have string keys only.
#[must_use]
pub fn bytes(image: &Image) -> Vec<u8> {
    render(Vec::new(), image).expect("memory takes every write")
}

fn render<W: Write>(to: W, image: &Image) -> io::Result<W> {
    let mut to = Summed { to: io::BufWriter::new(to), sum: Context::new(&SHA256) };
    let count = image.records.len() + image.leases.len();
    to.line(&Header {
        what: WHAT.to_owned(),
        format: SNAPSHOT_FORMAT,
        instance: image.instance.clone(),
        made_at: image.made_at,
        version: image.version,
        by: image.by.clone(),
        key: image.key.clone(),
        count,
    })?;
    for (key, record) in &image.records {
        to.line(&Line { key: Some(key.clone()), lease: None, ..line_of(record) })?;
    }
    for (name, lease) in &image.leases {
        to.line(&Line { key: None, lease: Some(name.clone()), ..line_of(lease) })?;
    }
    let digest = digest(to.sum.clone());
    to.line(&Trailer { end: count, digest })?;
    to.to.into_inner().map_err(io::IntoInnerError::into_error)
}

fn digest(sum: Context) -> Digest {
    Digest::try_from(hex(sum.finish().as_ref())).expect("SHA-256 has 64 hex digits")
}

struct Summed<W> {
    to: W,
    sum: Context,
}

impl<W: Write> Summed<W> {
    fn line<T: Serialize>(&mut self, line: &T) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.sum.update(&text);
        self.to.write_all(&text)
    }
}

fn line_of(record: &Versioned) -> Line {
    let value = raw_of(&record.bytes);
    let hex = value.is_none().then(|| hex(&record.bytes));
    Line { key: None, lease: None, version: record.version.0, value, hex }
}

/// The bytes as they are, if they are JSON on one line that reads back as the same bytes. `null` is
/// not: as a value it could not be told from no value.
fn raw_of(bytes: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains(['\n', '\r']) || text == "null" {
        return None;
    }
    let raw = RawValue::from_string(text.to_owned()).ok()?;
    (raw.get() == text && text.trim() == text).then_some(raw)
}

/// The newest snapshot that can be loaded, with its path, and why newer ones could not be.
#[must_use]
pub fn load_newest(path: &Path) -> (Option<(PathBuf, Image)>, Vec<SnapshotError>) {
    let mut refused = Vec::new();
    for path in [path.to_path_buf(), previous(path)] {
        match load(&path) {
            Ok(image) => return (Some((path, image)), refused),
            Err(SnapshotError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => refused.push(error),
        }
    }
    (None, refused)
}

/// Loads one snapshot, or refuses it as a whole.
///
/// # Errors
/// It is torn, changed, newer, no regular file, or cannot be read.
pub fn load(path: &Path) -> Result<Image, SnapshotError> {
    let io = |what| move |source| SnapshotError::Io { what, path: path.to_path_buf(), source };
    let damaged = |reason: String| SnapshotError::Damaged { path: path.to_path_buf(), reason };
    // Asked before opening: opening a pipe would wait for its writer.
    let kind = fs::symlink_metadata(path).map_err(io("look at"))?;
    if !kind.is_file() || kind.len() > LARGEST {
        return Err(damaged("it is no regular file of a sensible size".to_owned()));
    }
    let file = File::open(path).map_err(io("open"))?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(io("read"))?;
    of_bytes(&bytes, path)
}

/// The snapshot that these bytes are, called `path` where they are none.
///
/// # Errors
/// They are cut, changed, or of a newer program.
pub fn of_bytes(bytes: &[u8], path: &Path) -> Result<Image, SnapshotError> {
    let path = path.to_path_buf();
    parse(bytes).map_err(|problem| match problem {
        Problem::Newer(found) => SnapshotError::Newer { path, found },
        Problem::Damaged(reason) => SnapshotError::Damaged { path, reason },
    })
}

#[derive(Debug)]
enum Problem {
    Newer(u32),
    Damaged(String),
}

fn parse(bytes: &[u8]) -> Result<Image, Problem> {
    let damaged = |reason: &str| Problem::Damaged(reason.to_owned());
    let (header, _) = split_line(bytes).ok_or_else(|| damaged("it has no header"))?;
    let known: HeaderFormat = read_line(1, header)?;
    if known.what != WHAT {
        return Err(damaged("it is no snapshot of a store"));
    }
    if known.format > SNAPSHOT_FORMAT {
        return Err(Problem::Newer(known.format));
    }
    let body = bytes.strip_suffix(b"\n").ok_or_else(|| damaged("its end is cut off"))?;
    let cut = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let trailer: Trailer = serde_json::from_slice(&body[cut..])
        .map_err(|_| damaged("its last line, with the digest, is missing"))?;
    if Digest::of(&bytes[..cut]) != trailer.digest {
        return Err(damaged("its digest does not agree with its lines"));
    }
    let image = parse_lines(&bytes[..cut])?;
    if trailer.end != image.records.len() + image.leases.len() {
        return Err(damaged("its lines are not as many as it says"));
    }
    Ok(image)
}

fn parse_lines(bytes: &[u8]) -> Result<Image, Problem> {
    let (header, mut rest) = split_line(bytes).unwrap_or_default();
    let header: Header = read_line(1, header)?;
    let possible = |number: usize, version: u64| match version {
        0..=MOST_COMMITS => Ok(()),
        _ => Err(Problem::Damaged(format!("line {number} has version {version}: no store has"))),
    };
    possible(1, header.version)?;
    let mut image = Image {
        instance: header.instance,
        made_at: header.made_at,
        version: header.version,
        by: header.by,
        key: header.key,
        ..Image::default()
    };
    let mut number = 1;
    while let Some((line, after)) = split_line(rest) {
        (rest, number) = (after, number + 1);
        let line: Line = read_line(number, line)?;
        possible(number, line.version)?;
        let bytes = match (line.value, line.hex) {
            (Some(value), None) => Some(value.get().as_bytes().to_vec()),
            (None, Some(hex)) => from_hex(&hex),
            (Some(_), Some(_)) | (None, None) => None,
        };
        let bytes = bytes.ok_or_else(|| Problem::Damaged(format!("line {number} has no value")))?;
        let record = Versioned { version: Version(line.version), bytes };
        match (line.key, line.lease) {
            (Some(key), None) => image.records.push((key, record)),
            (None, Some(name)) => image.leases.push((name, record)),
            _ => return Err(Problem::Damaged(format!("line {number} has no key"))),
        }
    }
    let ordered = |list: &[(String, Versioned)]| list.is_sorted_by(|a, b| a.0 < b.0);
    let whole = header.count == image.records.len() + image.leases.len();
    if !(whole && ordered(&image.records) && ordered(&image.leases)) {
        return Err(Problem::Damaged("its records are not those its header counts".to_owned()));
    }
    Ok(image)
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

fn read_line<'a, T: Deserialize<'a>>(number: usize, line: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(line)
        .map_err(|error| Problem::Damaged(format!("line {number}: {}", printable(&error))))
}

/// Words about a foreign file, which may repeat it: nothing in them moves a terminal's cursor.
fn printable(words: &dyn std::fmt::Display) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    words.to_string().chars().map(escaped).collect()
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
