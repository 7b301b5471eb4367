//! A store in memory, for the simulator: the same semantics, with faults on request.
//!
//! Forgets everything when dropped; a simulated crash of the engine keeps the store and drops its
//! users. Delays are the simulator's own affair.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;

use super::snapshot::Image;
use super::table::{Staged, Table};
use crate::ports::{Batch, Store, StoreError, Version, Versioned};

/// What goes wrong with one write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It is refused, and nothing is written.
    Refused,
    /// There is no room: nothing is written, reading goes on.
    DiskFull,
    /// It is written and reported as [`StoreError::Unknown`].
    DoneButReportedFailed,
    /// It is not written and reported as [`StoreError::Unknown`].
    LostAndNobodyKnows,
}

/// What a store is asked to write.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// A batch.
    Commit(&'a Batch),
    /// A lease is taken or renewed.
    Lease(&'a str),
    /// A lease is given back.
    Release(&'a str),
}

/// Decides what goes wrong; asked once before each write.
pub trait Faults: Send {
    /// What goes wrong with this one.
    fn before(&mut self, write: Write<'_>) -> Fault;
}

/// Nothing goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before(&mut self, _: Write<'_>) -> Fault {
        Fault::None
    }
}

/// A store in memory.
pub struct MemoryStore {
    state: Mutex<State>,
}

struct State {
    table: Table,
    faults: Box<dyn Faults>,
}

impl Default for MemoryStore {
    /// Empty, and nothing goes wrong.
    fn default() -> Self {
        Self::with_faults(Box::new(NoFaults))
    }
}

impl MemoryStore {
    /// Empty, with faults.
    #[must_use]
    pub fn with_faults(faults: Box<dyn Faults>) -> Self {
        Self { state: Mutex::new(State { table: Table::default(), faults }) }
    }

    /// What a snapshot holds, for reading without an engine (`wharf plan` on the last snapshot).
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let table = image.table(image.version);
        Self { state: Mutex::new(State { table, faults: Box::new(NoFaults) }) }
    }

    /// Everything in it.
    #[must_use]
    pub fn image(&self, instance: &str, now: Moment) -> Image {
        Image::of(&self.state().table, instance, now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole even when poisoned: a table takes changes up at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(
        &self,
        write: Write<'_>,
        stage: impl FnOnce(&mut Staged<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.state();
        let fault = state.faults.before(write);
        let failed = |reason: &str| StoreError::Failed {
            what: "write the store".to_owned(),
            source: reason.into(),
        };
        let unknown = || StoreError::Unknown { reason: "the store did not answer".to_owned() };
        match fault {
            Fault::Refused => return Err(failed("the disk refused")),
            Fault::DiskFull => return Err(failed("no space left on device")),
            Fault::LostAndNobodyKnows => return Err(unknown()),
            Fault::None | Fault::DoneButReportedFailed => {}
        }
        let mut staged = Staged::on(&state.table);
        let answer = stage(&mut staged)?;
        let changes = staged.into_changes();
        state.table.take_up(changes);
        match fault {
            Fault::DoneButReportedFailed => Err(unknown()),
            _ => Ok(answer),
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self.state().table.get(key))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Versioned)>, StoreError> {
        Ok(self.state().table.scan(prefix))
    }

    fn commit(&self, batch: &Batch) -> Result<Version, StoreError> {
        self.write(Write::Commit(batch), |staged| staged.commit(batch))
    }

    fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError> {
        self.write(Write::Lease(name), |staged| staged.lease(name, holder, now, ttl))
    }

    fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.write(Write::Release(name), |staged| staged.release(name, holder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::conformance;

    struct Script(Vec<Fault>);

    impl Faults for Script {
        fn before(&mut self, _: Write<'_>) -> Fault {
            self.0.pop().unwrap_or_default()
        }
    }

    fn put(key: &str) -> Batch {
        Batch { put: vec![(key.to_owned(), b"{}".to_vec())], ..Batch::default() }
    }

    #[test]
    fn it_keeps_to_the_words_of_every_store() {
        conformance(&|| Box::new(MemoryStore::default()));
    }

    #[test]
    fn each_fault_writes_what_it_says() {
        let cases = [
            (Fault::None, true),
            (Fault::Refused, false),
            (Fault::DiskFull, false),
            (Fault::DoneButReportedFailed, true),
            (Fault::LostAndNobodyKnows, false),
        ];
        for (fault, written) in cases {
            let store = MemoryStore::with_faults(Box::new(Script(vec![fault])));
            let answer = store.commit(&put("a"));
            assert_eq!(answer.is_ok(), fault == Fault::None, "{fault:?}");
            assert_eq!(store.get("a").unwrap().is_some(), written, "{fault:?}");
            assert!(store.commit(&put("b")).is_ok(), "{fault:?} passes");
        }
    }

    #[test]
    fn a_snapshot_can_be_read_as_a_store() {
        let store = MemoryStore::default();
        let version = store.commit(&put("a")).unwrap();
        let again = MemoryStore::of(&store.image("main", Moment(0)));
        assert_eq!(again.get("a").unwrap().unwrap().version, version);
    }
}
