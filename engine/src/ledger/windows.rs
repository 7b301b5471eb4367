//! Change windows, as they are stored: one record each, so that a window outlives the engine.

use engine_core::window::{ChangeWindow, ChangeWindows};

use super::wire::{self, decoded, encoded};
use super::{Ledger, below};
use crate::ports::{Batch, StoreError, Versioned};
use crate::store::keys;

impl Ledger {
    /// The change windows; those whose time is over may be among them.
    #[must_use]
    pub fn windows(&self) -> &ChangeWindows {
        &self.windows
    }

    /// Writes an opened window down, and drops those that have run out.
    ///
    /// # Errors
    /// The store cannot be written: then nothing is held, since nobody could hold it after a restart.
    pub fn put_window(&mut self, window: ChangeWindow) -> Result<(), StoreError> {
        let over = self.windows.over(window.since).map(|over| over.id.clone());
        let over: Vec<String> = over.filter(|id| *id != window.id).collect();
        let record = wire::WindowRecord { window: window.clone() };
        let batch = Batch {
            expect: Vec::new(),
            put: vec![(keys::window(&window.id), encoded(&record)?)],
            remove: over.iter().map(|id| keys::window(id)).collect(),
        };
        self.commit(batch)?;
        over.iter().for_each(|id| self.windows.remove(id));
        self.windows.insert(window);
        Ok(())
    }

    /// Ends a window.
    ///
    /// # Errors
    /// The store cannot be written: it stays open.
    pub fn end_window(&mut self, id: &str) -> Result<(), StoreError> {
        self.remove(keys::window(id))?;
        self.windows.remove(id);
        Ok(())
    }

    pub(super) fn read_windows(&mut self, all: &[(String, Versioned)]) -> Result<(), String> {
        let stored = below(all, keys::WINDOWS);
        let stored = stored.map(|(key, record)| decoded::<wire::WindowRecord>(key, record));
        let windows = stored.map(|record| record.map(|record| record.window));
        self.windows = ChangeWindows::new(windows.collect::<Result<Vec<_>, String>>()?);
        Ok(())
    }
}
