//! The store thread: the only one that writes. Takes what waits as one group, writes it, answers all.
//!
//! ```text
//! commit ──ask──► [ stage each on the table ] ─► write + flush + sync ─► table takes it up ─► answers
//!                    a conflict is found here      one for the group      readers see it
//! ```
//!
//! A failed write leaves it open whether the group is on the disk. sled refuses everything after one
//! anyway, so the database is opened anew and its tally tells: the one before (it failed, and nothing
//! was written), the one after (it was written after all), or neither (damage). Only where it cannot
//! even be opened is the answer "nobody knows", except on a full disk, where a group is never whole.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;

use super::disk::{Disk, DiskError};
use super::table::{Changes, Staged, Table, Tally};
use crate::ports::{Batch, StoreError, Version};

/// Most asks in one group; bounds how long the first of them waits.
const LARGEST_GROUP: usize = 256;

/// The table that readers see: exactly what is durable.
pub(super) type Shared = Arc<RwLock<Table>>;

/// Where an answer goes.
pub(super) type Reply<T> = SyncSender<Result<T, StoreError>>;

/// What a caller wants, with where its answer goes.
pub(super) enum Ask {
    /// [`crate::ports::Store::commit`].
    Commit(Batch, Reply<Version>),
    /// [`crate::ports::Store::commit_all`]; of one group, however many they are.
    CommitAll(Vec<Batch>, Reply<Vec<Result<Version, StoreError>>>),
    /// [`crate::ports::Store::lease`].
    Lease {
        /// Which.
        name: String,
        /// Who wants it.
        holder: String,
        /// When.
        now: Moment,
        /// For how long.
        ttl: Millis,
        /// The answer.
        reply: Reply<Epoch>,
    },
    /// [`crate::ports::Store::release`].
    Release {
        /// Which.
        name: String,
        /// Who had it.
        holder: String,
        /// The answer.
        reply: Reply<()>,
    },
}

/// What became of a group.
type Outcome<'a> = Result<(), &'a Failure>;

/// An answer that waits for its group; told what became of it.
type Waiting = Box<dyn FnOnce(Outcome<'_>)>;

/// Why a group was not written.
#[derive(Clone, Debug)]
enum Failure {
    Failed(DiskError),
    Unknown(DiskError),
    Damaged { path: String, reason: String },
}

impl Failure {
    fn error(&self) -> StoreError {
        match self {
            Failure::Failed(error) => StoreError::Failed {
                what: "write the store".to_owned(),
                source: error.clone().into(),
            },
            Failure::Unknown(error) => StoreError::Unknown { reason: error.to_string() },
            Failure::Damaged { path, reason } => {
                StoreError::Damaged { path: path.clone(), reason: reason.clone() }
            }
        }
    }
}

/// The store thread's state.
pub(super) struct Writer {
    /// Where sled's files are.
    pub(super) data: PathBuf,
    /// The open database; none = the last write failed and it could not be opened since.
    pub(super) disk: Option<Disk>,
    /// What readers see.
    pub(super) table: Shared,
    /// A group of which nobody knows whether it was written.
    pub(super) doubtful: Option<Changes>,
    /// Held as long as the thread lives, even if sled never returns.
    pub(super) _lock: File,
}

impl Writer {
    /// Serves until nobody can ask any more.
    pub(super) fn run(mut self, asks: &Receiver<Ask>) {
        while let Ok(first) = asks.recv() {
            let mut group = vec![first];
            group.extend(asks.try_iter().take(LARGEST_GROUP - 1));
            self.serve(group);
        }
    }

    fn serve(&mut self, group: Vec<Ask>) {
        // First, for it may take up a doubtful group: staging must see that.
        if let Err(failure) = self.ensure_open() {
            group.into_iter().for_each(|ask| ask.refuse(&failure));
            return;
        }
        let (waiting, changes) = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            let mut staged = Staged::on(&table);
            let waiting: Vec<Waiting> =
                group.into_iter().map(|ask| ask.stage(&mut staged)).collect();
            (waiting, staged.into_changes())
        };
        let outcome = self.write(changes);
        waiting.into_iter().for_each(|answer| answer(outcome.as_ref().copied()));
    }

    fn write(&mut self, changes: Changes) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        let written = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            match &self.disk {
                Some(disk) => disk.write(&table, &changes),
                None => return Err(self.damaged("it was not opened".to_owned())),
            }
        };
        let Err(error) = written else {
            self.take_up(changes);
            return Ok(());
        };
        tracing::warn!(%error, "a write to the store failed; opening it anew to see what is there");
        self.disk = None;
        let after = changes.tally;
        self.doubtful = Some(changes);
        match self.ensure_open() {
            Ok(()) if self.tally() == after => Ok(()),
            Ok(()) => Err(Failure::Failed(error)),
            Err(Failure::Failed(_)) if error.is_full() => Err(Failure::Failed(error)),
            Err(Failure::Failed(_)) => Err(Failure::Unknown(error)),
            Err(other) => Err(other),
        }
    }

    /// Opens the database if it is not open, and settles what became of the doubtful group.
    fn ensure_open(&mut self) -> Result<(), Failure> {
        if self.disk.is_some() {
            return Ok(());
        }
        let (disk, found) = match Disk::open(&self.data) {
            Ok(opened) => opened,
            Err(error @ DiskError::Io { .. }) => return Err(Failure::Failed(error)),
            Err(error) => return Err(self.damaged(error.to_string())),
        };
        let found = found.table.map(|table| table.tally());
        let before = self.tally();
        match self.doubtful.take() {
            _ if found == Some(before) => {}
            Some(changes) if found == Some(changes.tally) => self.take_up(changes),
            doubtful => {
                self.doubtful = doubtful;
                let reason = "it holds neither what it held before a failed write nor after it";
                return Err(self.damaged(reason.to_owned()));
            }
        }
        self.disk = Some(disk);
        Ok(())
    }

    fn tally(&self) -> Tally {
        self.table.read().unwrap_or_else(PoisonError::into_inner).tally()
    }

    fn take_up(&self, changes: Changes) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).take_up(changes);
    }

    fn damaged(&self, reason: String) -> Failure {
        Failure::Damaged { path: self.data.display().to_string(), reason }
    }
}

impl Ask {
    /// Does it on the staged table; what comes out is told once the group is written.
    fn stage(self, staged: &mut Staged<'_>) -> Waiting {
        match self {
            Ask::Commit(batch, reply) => waiting(staged.commit(&batch), reply),
            Ask::CommitAll(batches, reply) => {
                let all: Vec<_> = batches.iter().map(|batch| staged.commit(batch)).collect();
                Box::new(move |outcome| {
                    let told = |one| outcome.map_err(Failure::error).and(one);
                    send(&reply, Ok(all.into_iter().map(told).collect()));
                })
            }
            Ask::Lease { name, holder, now, ttl, reply } => {
                waiting(staged.lease(&name, &holder, now, ttl), reply)
            }
            Ask::Release { name, holder, reply } => waiting(staged.release(&name, &holder), reply),
        }
    }

    fn refuse(self, failure: &Failure) {
        match self {
            Ask::Commit(_, reply) => send(&reply, Err(failure.error())),
            Ask::CommitAll(batches, reply) => {
                send(&reply, Ok(batches.iter().map(|_| Err(failure.error())).collect()));
            }
            Ask::Lease { reply, .. } => send(&reply, Err(failure.error())),
            Ask::Release { reply, .. } => send(&reply, Err(failure.error())),
        }
    }
}

fn waiting<T: 'static>(staged: Result<T, StoreError>, reply: Reply<T>) -> Waiting {
    Box::new(move |outcome| {
        // A conflict with a commit of the same group is none if that one was not written.
        send(&reply, outcome.map_err(Failure::error).and(staged));
    })
}

fn send<T>(reply: &Reply<T>, answer: Result<T, StoreError>) {
    // Who asked may have gone; the answer is then nobody's.
    let _ = reply.send(answer);
}
