//! What a person has approved, as it is stored: one record, of one set of files.
//!
//! It is over at once when its set is replaced, and goes from the store in the batch that stores the other set: until
//! then a record of that version is none.

use engine_core::approval::Approval;
use engine_core::ids::{SessionId, SiteDigest};

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
            site: approval.site,
            generation: approval.generation,
            matters: approval.matters().collect(),
            starts: approval.starts().clone(),
        };
        self.put(keys::APPROVAL.to_owned(), &record)?;
        self.approval = approval;
        self.approval_over = None;
        Ok(())
    }

    /// Another set takes the place of `replaced`: what was approved of that one is approved no longer.
    pub fn end_approval(&mut self, replaced: Option<SiteDigest>) {
        self.refresh();
        if self.approval.ends_with(replaced) {
            self.approval = Approval::default();
            self.approval_over = self.versions.get(keys::APPROVAL).copied();
        }
    }

    pub(super) fn read_approval(&mut self, all: &[(String, Versioned)]) -> Result<(), String> {
        let stored = all.iter().find(|(key, _)| key == keys::APPROVAL);
        let version = stored.map(|(_, record)| record.version);
        // Another one was given since, or it is gone.
        self.approval_over = self.approval_over.filter(|over| Some(*over) == version);
        let stored = stored.filter(|_| self.approval_over.is_none());
        self.approval = match stored {
            Some((key, record)) => {
                let record: wire::ApprovalRecord = decoded(key, record)?;
                let newest = |id: &SessionId| record.starts.get(id).copied().unwrap_or(0);
                let site = record.site.or_else(|| self.current_of(record.generation));
                Approval::new(site, record.generation, record.matters).of_starts(newest)
            }
            None => Approval::default(),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine_core::approval::Matter;
    use engine_core::ids::{Generation, Moment};
    use engine_core::observed::InForce;
    use engine_core::plan::{Impact, Resource};
    use engine_core::site::SiteFiles;
    use grammar::source::Source;

    use super::*;
    use crate::ledger::Seal;
    use crate::store::memory::{Fault, Faults, MemoryStore, Write};

    /// Refuses to write while it is full.
    #[derive(Default)]
    struct Full(Arc<std::sync::atomic::AtomicBool>);

    impl Faults for Full {
        fn before(&mut self, _: Write<'_>) -> Fault {
            match self.0.load(std::sync::atomic::Ordering::Relaxed) {
                true => Fault::DiskFull,
                false => Fault::None,
            }
        }
    }

    fn node(store: &Arc<MemoryStore>) -> Ledger {
        Ledger::open(Arc::<MemoryStore>::clone(store), Seal::new(&[7; 32]), Moment(0)).shared()
    }

    fn read_again(ledger: &mut Ledger) -> &Approval {
        ledger.stale = true;
        ledger.records(Moment(0));
        ledger.approval()
    }

    fn set(port: u16) -> SiteFiles {
        let mut files = SiteFiles::nothing("/e", "/w");
        let text = format!("# {port}\n");
        files.wharf = engine_core::known::Known::Present(Source::new("/w/wharf.toml", text));
        files
    }

    /// As when a set comes into force.
    fn accept(ledger: &mut Ledger, replaced: &SiteFiles, files: &SiteFiles, n: u64) -> bool {
        ledger.end_approval(Some(replaced.digest()));
        let mark = InForce {
            generation: Generation(n),
            digest: Some(files.digest()),
            since: Moment(0),
            acting: None,
        };
        ledger.save_site(&mark, files, 9).is_ok()
    }

    fn approved(files: &SiteFiles, n: u64) -> Approval {
        let lab = Resource::Session("lab".parse().unwrap());
        let matters = [Matter::harm(lab, Impact::Ended)];
        Approval::new(Some(files.digest()), Generation(n), matters).of_starts(|_| 1)
    }

    #[test]
    fn another_node_knows_the_set_by_another_number_and_obeys() {
        let store = Arc::new(MemoryStore::default());
        let (mut one, mut two) = (node(&store), node(&store));
        let (old, new) = (set(1), set(2));
        assert!(accept(&mut one, &old, &new, 4));
        let given = approved(&new, 4);
        one.put_approval(given.clone()).unwrap();
        assert_eq!(read_again(&mut two), &given);
        // It takes the same files up later: what is approved of them holds there, too.
        assert!(accept(&mut two, &old, &new, 5));
        assert_eq!(read_again(&mut two), &given);
        assert!(two.approval().is_of(Some(new.digest())));
    }

    #[test]
    fn it_is_over_when_its_set_is_replaced_on_every_node_and_stays_so() {
        let store = Arc::new(MemoryStore::default());
        let (mut one, mut two) = (node(&store), node(&store));
        let (old, new) = (set(1), set(2));
        one.put_approval(approved(&new, 4)).unwrap();
        assert!(accept(&mut one, &new, &old, 5));
        assert!(accept(&mut one, &old, &new, 6), "and back again");
        for ledger in [&mut one, &mut two] {
            assert_eq!(read_again(ledger), &Approval::default());
        }
    }

    #[test]
    fn it_is_over_although_the_store_is_full_until_another_is_given() {
        let full = Full::default();
        let switch = Arc::clone(&full.0);
        let store = Arc::new(MemoryStore::with_faults(Box::new(full)));
        let mut ledger = node(&store);
        let (old, new) = (set(1), set(2));
        ledger.put_approval(approved(&new, 4)).unwrap();
        switch.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(!accept(&mut ledger, &new, &old, 5) && !accept(&mut ledger, &old, &new, 6));
        assert_eq!(read_again(&mut ledger), &Approval::default(), "the record is still there");
        switch.store(false, std::sync::atomic::Ordering::Relaxed);
        ledger.put_approval(approved(&new, 6)).unwrap();
        assert_eq!(read_again(&mut ledger), &approved(&new, 6));
        assert!(accept(&mut ledger, &set(3), &new, 6));
        assert_eq!(read_again(&mut ledger), &approved(&new, 6), "what was over is not this one");
    }
}
