//! The accepted sets of files in the store: the one in force, and those before it.

use engine_core::ids::{Generation, Moment};
use engine_core::observed::InForce;
use engine_core::site::SiteFiles;

use super::{Ledger, encoded, wire};
use crate::hex::{from_hex, hex};
use crate::ports::{Batch, StoreError, Versioned};
use crate::saved::SavedSite;
use crate::store::keys;

/// A stored set of files.
#[derive(Debug)]
pub struct Saved {
    /// Its number, digest and time.
    pub mark: InForce,
    /// The files.
    pub files: SiteFiles,
}

impl Ledger {
    /// The stored set of files, if there is one that can be read.
    #[must_use]
    pub fn site(&self) -> Option<Saved> {
        self.stored_site(keys::SITE_CURRENT)
    }

    /// The stored set of files of a generation, if it is kept and can be read.
    #[must_use]
    pub fn site_of(&self, generation: Generation) -> Option<Saved> {
        self.stored_site(&keys::site_history(generation))
    }

    /// Every generation that is kept, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<InForce> {
        let stored = self.store.scan(keys::SITE_HISTORY).unwrap_or_default();
        let mark = |(_, record): &(String, Versioned)| {
            Some(wire::decode::<wire::SiteRecord>(&record.bytes).ok()?.mark())
        };
        stored.iter().filter_map(mark).collect()
    }

    /// The generation that a person has pinned.
    #[must_use]
    pub fn pinned(&self, now: Moment) -> Option<Generation> {
        let in_force = self.overrides.iter().filter(|given| given.in_force(now));
        in_force.filter_map(|given| given.effect.pinned()).next_back()
    }

    fn stored_site(&self, key: &str) -> Option<Saved> {
        let stored = self.store.get(key).ok().flatten()?;
        let record: wire::SiteRecord = wire::decode(&stored.bytes).ok()?;
        let sealed = from_hex(&record.sealed)?;
        let text = self.seal.open(&sealed)?;
        let saved: SavedSite = serde_json::from_slice(&text).ok()?;
        let mark = record.mark();
        Some(Saved { mark, files: saved.into_files().ok()? })
    }

    /// Stores a set of files as the one in force, before its first step; `keep` generations are kept.
    ///
    /// # Errors
    /// The store cannot be written, or another node was first.
    pub fn save_site(
        &mut self,
        mark: &InForce,
        files: &SiteFiles,
        keep: u32,
    ) -> Result<(), StoreError> {
        let failed = |what: &str| StoreError::Unknown { reason: what.to_owned() };
        let digest = mark.digest.ok_or_else(|| failed("a set without a digest"))?;
        let text = serde_json::to_vec(&SavedSite::from(files))
            .map_err(|error| failed(&error.to_string()))?;
        let sealed = self.seal.seal(&text).ok_or_else(|| failed("no random bytes"))?;
        let record = wire::SiteRecord {
            generation: mark.generation,
            digest,
            since: mark.since,
            sealed: hex(&sealed),
            acting: mark.acting,
        };
        let bytes = encoded(&record)?;
        let batch = Batch {
            expect: self.expect([keys::SITE_CURRENT]),
            put: vec![
                (keys::SITE_CURRENT.to_owned(), bytes.clone()),
                (keys::site_history(mark.generation), bytes),
            ],
            // One comes, one goes: `keep` of them stay.
            remove: mark
                .generation
                .0
                .checked_sub(u64::from(keep.max(1)))
                .map(Generation)
                .filter(|old| Some(*old) != mark.acting)
                .filter(|old| Some(*old) != self.pinned(mark.since))
                .map(keys::site_history)
                .into_iter()
                .collect(),
        };
        self.commit(batch)?;
        self.last_generation = self.last_generation.max(mark.generation);
        Ok(())
    }
}
