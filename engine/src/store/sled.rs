//! The embedded store of one node: sled 0.34 behind [`Store`].
//!
//! Reads come from a table in memory that holds exactly what is durable, so that nobody ever sees a
//! write that a crash could take back, no reader waits for a disk, and a full or failing disk leaves
//! everything readable. Writes go to the store thread (`writer`). Read next: `writer`, then `disk`.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;

use super::directory::{Directory, OpenError};
use super::recovery::{self, Ready, Recovery};
use super::snapshot::{self, Image, SnapshotError};
use super::table::Table;
use super::writer::{Ask, Reply, Shared, Writer};
use crate::ports::{Batch, Store, StoreError, Version, Versioned};

/// How long a commit may take before nobody knows whether it was written.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long closing waits for the store thread.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// An open embedded store. Closing it (dropping) waits for commits under way and gives the lock back.
pub struct SledStore {
    table: Shared,
    asks: Option<Sender<Ask>>,
    /// Disconnected once the thread has ended; a lock only because a receiver cannot be shared.
    ended: Mutex<Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    snapshot_path: PathBuf,
}

/// A store with what had to be done to open it.
pub struct Opened {
    /// The store.
    pub store: SledStore,
    /// What was damaged and from what it was made anew; the engine says it and holds starts.
    pub recovered: Option<Recovery>,
}

impl SledStore {
    /// Opens the store in `dir`, or makes it. Snapshots lie beside it, as `DIR.jsonl`.
    ///
    /// `now` names what is moved aside.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it, it is newer, its place is not fit, or the system says no.
    /// A damaged store is none: it is moved aside and made anew, see [`Opened::recovered`].
    pub fn open(dir: &Path, now: Moment) -> Result<Opened, OpenError> {
        let directory = Directory::prepare(dir)?;
        let lock = directory.lock()?;
        let Ready { disk, table, recovered } = recovery::open(&directory, now)?;
        let table: Shared = Arc::new(RwLock::new(table));
        let writer = Writer {
            data: directory.data(),
            disk: Some(disk),
            table: Arc::clone(&table),
            doubtful: None,
            _lock: lock,
        };
        let (asks, asked) = channel();
        let (alive, ended) = sync_channel::<()>(0);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                writer.run(&asked);
                drop(alive);
            })
            .map_err(super::directory::failed("start the store thread for", dir))?;
        let store = SledStore {
            table,
            asks: Some(asks),
            ended: Mutex::new(ended),
            thread: Some(thread),
            snapshot_path: directory.snapshot(),
        };
        Ok(Opened { store, recovered })
    }

    /// Everything in it, as of its newest commit.
    #[must_use]
    pub fn image(&self, instance: &str, now: Moment) -> Image {
        Image::of(&self.read(), instance, now)
    }

    /// Writes a snapshot beside the store, from memory: possible also when the store itself is damaged.
    ///
    /// Syncs a file; not for a thread that must not wait.
    ///
    /// # Errors
    /// It could not be written; an older one is still there.
    pub fn write_snapshot(&self, instance: &str, now: Moment) -> Result<PathBuf, SnapshotError> {
        snapshot::write(&self.snapshot_path, &self.image(instance, now))?;
        Ok(self.snapshot_path.clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        // A poisoned lock holds a whole table: taking up changes does not panic half way.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let asked = self.asks.as_ref().is_some_and(|asks| asks.send(ask(reply)).is_ok());
        if !asked {
            return Err(StoreError::Failed {
                what: "write the store".to_owned(),
                source: "the store thread has ended".into(),
            });
        }
        answer.recv_timeout(ANSWER_LIMIT).unwrap_or_else(|gone| {
            let reason = match gone {
                RecvTimeoutError::Timeout => {
                    format!("the store did not answer within {} s", ANSWER_LIMIT.as_secs())
                }
                RecvTimeoutError::Disconnected => "the store thread has ended".to_owned(),
            };
            Err(StoreError::Unknown { reason })
        })
    }
}

impl Store for SledStore {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self.read().get(key))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Versioned)>, StoreError> {
        Ok(self.read().scan(prefix))
    }

    fn commit(&self, batch: &Batch) -> Result<Version, StoreError> {
        self.ask(|reply| Ask::Commit(batch.clone(), reply))
    }

    fn commit_all(&self, batches: &[Batch]) -> Vec<Result<Version, StoreError>> {
        let all = self.ask(|reply| Ask::CommitAll(batches.to_vec(), reply));
        all.unwrap_or_else(|error| {
            // Told once, and true of each: nobody knows which of them were written.
            let reason = crate::chain(&error);
            batches.iter().map(|_| Err(StoreError::Unknown { reason: reason.clone() })).collect()
        })
    }

    fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.ask(|reply| Ask::Lease { name, holder, now, ttl, reply })
    }

    fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.ask(|reply| Ask::Release { name, holder, reply })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.asks = None;
        let ended =
            self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(CLOSE_LIMIT);
        match (ended, self.thread.take()) {
            (Err(RecvTimeoutError::Disconnected), Some(thread)) => {
                if thread.join().is_err() {
                    tracing::warn!("the store thread ended in a panic");
                }
            }
            // sled never came back: the thread and its lock go with the process.
            _ => tracing::warn!("the store did not close within {} s", CLOSE_LIMIT.as_secs()),
        }
    }
}

#[cfg(test)]
#[path = "sled_tests.rs"]
mod tests;
