//! What a person has approved, as it is stored: one record, of one generation.

use engine_core::approval::Approval;
use engine_core::ids::SessionId;

use super::Ledger;
use super::wire::{self, decoded};
use crate::ports::{StoreError, Versioned};
use crate::store::keys;

impl Ledger {
    /// What was approved last.
    #[must_use]
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// Stores what is approved, in the place of what was.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_approval(&mut self, approval: Approval) -> Result<(), StoreError> {
        let record = wire::ApprovalRecord {
            generation: approval.generation,
            matters: approval.matters().collect(),
            starts: approval.starts().clone(),
        };
        self.put(keys::APPROVAL.to_owned(), &record)?;
        self.approval = approval;
        Ok(())
    }

    pub(super) fn read_approval(&mut self, all: &[(String, Versioned)]) -> Result<(), String> {
        let stored = all.iter().find(|(key, _)| key == keys::APPROVAL);
        self.approval = match stored {
            Some((key, record)) => {
                let record: wire::ApprovalRecord = decoded(key, record)?;
                let newest = |id: &SessionId| record.starts.get(id).copied().unwrap_or(0);
                Approval::new(record.generation, record.matters).of_starts(newest)
            }
            None => Approval::default(),
        };
        Ok(())
    }
}
