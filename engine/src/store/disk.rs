//! sled 0.34, held at arm's length: opening, reading everything back, writing one group.
//!
//! Knows tables, not commits. What was found about sled and is guarded here:
//! - It may panic on damaged files: every call is under `catch_unwind`; a panic is a value.
//! - It syncs with sync_file_range, which neither syncs the file's length nor empties the disk's own
//!   cache: a power cut could take acknowledged records. So a group ends with our own fdatasync.
//! - Recovery keeps the longest beginning that it can read and says nothing of the rest: the tally in
//!   the store and the mark beside it are what proves that all is there.
//! - After a failed write it refuses everything until it is opened anew.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::directory::{Mark, STORE_FORMAT};
use super::frame::{Assembly, ChunkName, Space, chunk_key, chunks_of, frame, parse_chunk_key};
use super::table::{Changes, Entry, Table, Tally};

/// Pages that sled keeps beside the table in memory; it reads them only to write.
const CACHE_BYTES: u64 = 1 << 20;

/// The key of [`Meta`]; no [`chunk_key`] begins with it.
const META: &[u8] = b"meta";

/// Why sled did not do it. Can be told to every commit of a group.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum DiskError {
    /// What is on the disk is not what was written there.
    #[error("{0}")]
    Damaged(String),
    /// It was written by a newer program.
    #[error("it has format {0}; this program knows {STORE_FORMAT}")]
    Newer(u32),
    /// The system said no.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        #[source]
        source: Arc<io::Error>,
    },
}

impl DiskError {
    /// Whether the system refused because there is no room: then not all of the group was written,
    /// and half a group is none (sled recovers a batch whole or not at all).
    pub(super) fn is_full(&self) -> bool {
        match self {
            DiskError::Io { source, .. } => is_full(source),
            DiskError::Damaged(_) | DiskError::Newer(_) => false,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> DiskError {
    move |source| DiskError::Io { what, source: Arc::new(source) }
}

fn sled_error(what: &'static str) -> impl Fn(::sled::Error) -> DiskError {
    move |error| match error {
        // Files that end early or are not there are damage; anything else is the system's.
        ::sled::Error::Io(source) if !is_damage(&source) => {
            DiskError::Io { what, source: Arc::new(source) }
        }
        other => DiskError::Damaged(format!("sled cannot {what}: {other}")),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
    )
}

/// Runs a call into sled and turns its panic into a value. Unwind safety: whatever the call touched
/// is dropped by the caller after an error, never used again.
fn guarded<T>(
    what: &'static str,
    call: impl FnOnce() -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        Err(DiskError::Damaged(format!("sled gave up trying to {what}: {}", said(panic.as_ref()))))
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

/// What every group writes beside its records.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u32,
    tally: Tally,
}

#[derive(Deserialize)]
struct MetaFormat {
    format: u32,
}

/// An open sled database.
pub(super) struct Disk {
    db: Option<::sled::Db>,
    file: File,
    mark: Mark,
}

/// What was found on opening.
pub(super) struct Found {
    /// The records; none = no group was ever written.
    pub(super) table: Option<Table>,
    /// The newest version that was acknowledged, where the mark tells.
    pub(super) mark: Option<u64>,
}

impl Disk {
    /// Opens what is in `data`, or makes it, and proves that everything is there.
    pub(super) fn open(data: &Path) -> Result<(Self, Found), DiskError> {
        match DirBuilder::new().mode(0o700).create(data) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error("make the data directory")(error)),
        }
        let mark = Mark::open(data).map_err(io_error("open the mark"))?;
        let path = data.to_path_buf();
        let db = guarded("open", || open_sled(&path).map_err(sled_error("open")))?;
        let file = File::open(data.join("db")).map_err(io_error("open the log"))?;
        let disk = Self { db: Some(db), file, mark };
        let table = guarded("read", || disk.read())?;
        let found = Found { table, mark: disk.mark.read() };
        let reached = found.table.as_ref().map(|table| table.tally().version);
        match found.mark {
            Some(mark) if reached.is_none_or(|version| version < mark) => {
                let reached = reached.unwrap_or(0);
                Err(DiskError::Damaged(format!(
                    "commits {} to {mark} were acknowledged and are gone",
                    reached + 1
                )))
            }
            Some(_) | None => Ok((disk, found)),
        }
    }

    /// Everything, each record proven by its digest and all together by the tally.
    fn read(&self) -> Result<Option<Table>, DiskError> {
        let mut meta = None;
        let mut parts: BTreeMap<(Space, String), Assembly> = BTreeMap::new();
        let mut problems = Vec::new();
        for pair in self.tree() {
            let (key, value) = pair.map_err(sled_error("read"))?;
            if key.as_ref() == META {
                meta = Some(value);
                continue;
            }
            let Some(ChunkName { space, name, chunk }) = parse_chunk_key(&key) else {
                problems.push(format!("the key {} is none of ours", key.escape_ascii()));
                continue;
            };
            let added = match (chunk, parts.get_mut(&(space, name.clone()))) {
                (0, _) => Assembly::begin(&value).map(|begun| {
                    parts.insert((space, name.clone()), begun);
                }),
                (chunk, Some(assembly)) => assembly.add(chunk, &value),
                (_, None) => Err("its head is missing".to_owned()),
            };
            if let Err(problem) = added {
                problems.push(format!("{}: {problem}", name.escape_debug()));
            }
        }
        let mut entries = BTreeMap::new();
        for ((space, name), assembly) in parts {
            match assembly.end(space, &name) {
                Ok(framed) => {
                    let (version, digest) = (framed.version, framed.digest);
                    let entry = Entry { version, digest, bytes: Arc::from(framed.data) };
                    entries.insert((space, name), entry);
                }
                Err(problem) => problems.push(format!("{}: {problem}", name.escape_debug())),
            }
        }
        complete(meta.as_deref(), entries, problems)
    }

    fn tree(&self) -> ::sled::Iter {
        self.db().iter()
    }

    fn db(&self) -> &::sled::Db {
        self.db.as_ref().expect("taken only by drop")
    }

    /// Writes a group on top of `table` and returns once it is durable.
    pub(super) fn write(&self, table: &Table, changes: &Changes) -> Result<(), DiskError> {
        let mut batch = ::sled::Batch::default();
        for ((space, name), entry) in &changes.entries {
            let old = table.entry(*space, name).map_or(0, |entry| chunks_of(entry.bytes.len()));
            let values = match entry {
                Some(entry) => frame(entry.version, entry.digest, &entry.bytes),
                None => Vec::new(),
            };
            let new = u32::try_from(values.len()).unwrap_or(u32::MAX);
            for (chunk, value) in (0..).zip(values) {
                batch.insert(chunk_key(*space, name, chunk), value);
            }
            for chunk in new..old {
                batch.remove(chunk_key(*space, name, chunk));
            }
        }
        let meta = Meta { format: STORE_FORMAT, tally: changes.tally };
        let meta = serde_json::to_vec(&meta).expect("a struct of numbers is always JSON");
        batch.insert(META, meta);
        guarded("write", || {
            self.db().apply_batch(batch).map_err(sled_error("write"))?;
            self.db().flush().map_err(sled_error("flush"))?;
            Ok(())
        })?;
        self.file.sync_data().map_err(io_error("sync the log"))?;
        // Last: it says what was acknowledged. That it could not be written loses a proof, no record.
        if let Err(error) = self.mark.write(changes.tally.version) {
            tracing::warn!(%error, "the store's mark could not be written");
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let db = self.db.take();
        // sled syncs and may panic when it goes; what was acknowledged is durable already.
        let closed = guarded("close", || {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the store was not closed cleanly");
        }
    }
}

/// How long sled's own lock may still be held by threads of a database that was just dropped.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

fn open_sled(path: &Path) -> ::sled::Result<::sled::Db> {
    let limit = Instant::now() + LOCK_LIMIT;
    loop {
        match open_once(path) {
            // sled says it in words only, with its kind `Other`. Ours is held already, so nobody but an
            // earlier database of this process can have this one.
            Err(::sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && Instant::now() < limit =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
}

fn open_once(path: &Path) -> ::sled::Result<::sled::Db> {
    ::sled::Config::default()
        .path(path)
        .mode(::sled::Mode::LowSpace)
        .cache_capacity(CACHE_BYTES)
        .use_compression(false)
        // Every group is flushed by itself; a thread that flushes by the clock would have nothing to do.
        .flush_every_ms(None)
        .open()
}

/// A table, if all that should be there is.
fn complete(
    meta: Option<&[u8]>,
    entries: BTreeMap<(Space, String), Entry>,
    mut problems: Vec<String>,
) -> Result<Option<Table>, DiskError> {
    let Some(meta) = meta else {
        if entries.is_empty() && problems.is_empty() {
            return Ok(None);
        }
        return Err(DiskError::Damaged("its tally is missing".to_owned()));
    };
    let unreadable =
        |error: serde_json::Error| DiskError::Damaged(format!("its tally cannot be read: {error}"));
    // The format alone first: a newer one may have another shape.
    let MetaFormat { format } = serde_json::from_slice(meta).map_err(unreadable)?;
    if format > STORE_FORMAT {
        return Err(DiskError::Newer(format));
    }
    let meta: Meta = serde_json::from_slice(meta).map_err(unreadable)?;
    let table = Table::of(entries, meta.tally.version);
    if problems.is_empty() && table.tally() != meta.tally {
        problems.push(format!(
            "it holds {} entries that are not the {} of its last commit {}",
            table.tally().entries,
            meta.tally.entries,
            meta.tally.version
        ));
    }
    if problems.is_empty() { Ok(Some(table)) } else { Err(DiskError::Damaged(list(&problems))) }
}

fn list(problems: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}
