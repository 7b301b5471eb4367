//! A store that may open later: what the engine serves on when its store cannot be opened at the start.
//!
//! A full disk or a failing one must cost no live session: the engine starts, adopts and routes, every
//! call to the store says why it is not there (so that the records are Unknown and starts are held),
//! and from time to time a call tries to open it again. Only for [`OpenError::Failed`]: a store that
//! is locked, newer, or in an unfit place needs a person, and is a reason not to start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;

use super::directory::OpenError;
use super::recovery::Recovery;
use super::sled::{Opened, SledStore};
use super::snapshot::{Image, SnapshotError};
use crate::boundary;
use crate::ports::{Batch, Clock, Store, StoreError, Version, Versioned};

/// How long after a failed opening the next is tried.
const RETRY: Duration = Duration::from_secs(5);

/// An embedded store, open or not yet.
pub struct LateStore {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    retry: Duration,
    opened: OnceLock<Opened>,
    attempt: Mutex<Attempt>,
}

/// The last opening that failed.
struct Attempt {
    at: Instant,
    reason: String,
}

impl LateStore {
    /// Opens the store in `dir`; if the system says no, it is tried again later.
    ///
    /// # Errors
    /// Every [`OpenError`] but [`OpenError::Failed`].
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(dir, clock, RETRY)
    }

    fn open_with(dir: &Path, clock: Arc<dyn Clock>, retry: Duration) -> Result<Self, OpenError> {
        let opened = OnceLock::new();
        let mut reason = String::new();
        match SledStore::open(dir, clock.now()) {
            Ok(store) => {
                // Empty until here: nobody else has it yet.
                let _ = opened.set(store);
            }
            Err(error @ OpenError::Failed { .. }) => reason = crate::chain(&error),
            Err(error) => return Err(error),
        }
        let attempt = Mutex::new(Attempt { at: Instant::now(), reason });
        Ok(Self { dir: dir.to_path_buf(), clock, retry, opened, attempt })
    }

    /// What opening had to repair; none also while it is not open.
    #[must_use]
    pub fn recovered(&self) -> Option<&Recovery> {
        self.opened.get()?.recovered.as_ref()
    }

    /// Why it is not open, if so.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.opened.get().is_none().then(|| self.attempt().reason.clone())
    }

    /// As [`SledStore::write_snapshot`]; none while it is not open.
    ///
    /// # Errors
    /// It could not be written; an older one is still there.
    pub fn write_snapshot(
        &self,
        instance: &str,
        now: Moment,
    ) -> Result<Option<PathBuf>, SnapshotError> {
        self.opened.get().map(|opened| opened.store.write_snapshot(instance, now)).transpose()
    }

    /// As [`SledStore::image`]; none while it is not open.
    #[must_use]
    pub fn image(&self, instance: &str, now: Moment) -> Option<Image> {
        self.opened.get().map(|opened| opened.store.image(instance, now))
    }

    fn attempt(&self) -> MutexGuard<'_, Attempt> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, opened now if it is time to try.
    fn store(&self) -> Result<&SledStore, StoreError> {
        if let Some(opened) = self.opened.get() {
            return Ok(&opened.store);
        }
        let mut attempt = self.attempt();
        // Somebody else may have opened it while this call waited for the lock.
        if self.opened.get().is_none() && attempt.at.elapsed() >= self.retry {
            match SledStore::open(&self.dir, self.clock.now()) {
                Ok(opened) => {
                    tracing::info!(store = %self.dir.display(), "the store is open now");
                    // Only under this lock, so it is still empty.
                    let _ = self.opened.set(opened);
                }
                Err(error) => {
                    *attempt = Attempt { at: Instant::now(), reason: crate::chain(&error) };
                }
            }
        }
        self.opened.get().map(|opened| &opened.store).ok_or_else(|| StoreError::Failed {
            what: "use the store".to_owned(),
            source: attempt.reason.clone().into(),
        })
    }
}

impl Store for LateStore {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.store()?.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.store()?.scan(prefix)
    }

    fn commit(&self, batch: &Batch) -> Result<Version, StoreError> {
        let store = self.store()?;
        boundary::reached("before", "store-commit");
        let done = store.commit(batch);
        boundary::reached("after", "store-commit");
        done
    }

    fn commit_all(&self, batches: &[Batch]) -> Vec<Result<Version, StoreError>> {
        match self.store() {
            Ok(store) => {
                boundary::reached("before", "store-group");
                let done = store.commit_all(batches);
                boundary::reached("after", "store-group");
                done
            }
            Err(_) => batches.iter().map(|batch| self.commit(batch)).collect(),
        }
    }

    fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError> {
        self.store()?.lease(name, holder, now, ttl)
    }

    fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.store()?.release(name, holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Moment {
            Moment(1_000)
        }
    }

    /// A store whose opening fails, for root too: where a file should be is a directory.
    fn blocked(retry: Duration) -> (tempfile::TempDir, PathBuf, LateStore) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        std::fs::create_dir(&dir).unwrap();
        std::fs::create_dir(dir.join("format")).unwrap();
        let store = LateStore::open_with(&dir, Arc::new(Stopped), retry).unwrap();
        (scratch, dir, store)
    }

    #[test]
    fn while_it_cannot_be_opened_every_call_says_why() {
        let (_scratch, _, store) = blocked(Duration::ZERO);
        assert!(store.problem().unwrap().contains("format"), "{:?}", store.problem());
        let Err(StoreError::Failed { source, .. }) = store.scan("") else { panic!("it is there") };
        assert!(source.to_string().contains("format"), "{source}");
        assert!(store.commit(&Batch::default()).is_err());
        assert!(store.lease("site", "n1", Moment(0), Millis(1)).is_err());
        assert!(store.write_snapshot("main", Moment(0)).unwrap().is_none());
    }

    #[test]
    fn once_it_can_be_opened_the_next_call_works() {
        let (_scratch, dir, store) = blocked(Duration::ZERO);
        std::fs::remove_dir(dir.join("format")).unwrap();
        assert!(store.commit(&Batch::default()).is_ok());
        assert_eq!((store.problem(), store.recovered()), (None, None));
    }

    #[test]
    fn it_is_not_tried_at_every_call() {
        let (_scratch, dir, store) = blocked(Duration::from_secs(3600));
        std::fs::remove_dir(dir.join("format")).unwrap();
        assert!(store.get("a").is_err());
    }

    #[test]
    fn what_needs_a_person_is_no_reason_to_wait() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        let first = LateStore::open(&dir, Arc::new(Stopped)).unwrap();
        let second = LateStore::open(&dir, Arc::new(Stopped));
        assert!(matches!(second, Err(OpenError::Locked { .. })));
        assert!(first.get("a").is_ok());
    }
}
