//! The accepted sets of files in the store: the one in force, and those before it. How a set is cut: [`super::parts`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use engine_core::ids::{Digest, Generation, Moment, SiteDigest};
use engine_core::observed::InForce;
use engine_core::site::SiteFiles;

use super::Ledger;
use super::parts::{Part, joined, parts};
use super::wire::{self, Bad, encoded};
use crate::ports::{Batch, StoreError, Version, Versioned};
use crate::store::keys;

/// A stored set of files.
#[derive(Debug)]
pub struct Saved {
    /// Its number, digest and time.
    pub mark: InForce,
    /// The files.
    pub files: SiteFiles,
}

/// Records of sets by key as they were decoded last, each with its version. A version is one commit's, so a record that
/// has it is that record, whoever wrote it.
pub(super) type Decoded = Mutex<BTreeMap<String, (Version, Arc<wire::SiteRecord>)>>;

impl Ledger {
    /// The stored set of files, if there is one that can be read.
    #[must_use]
    pub fn site(&self) -> Option<Saved> {
        let stored = self.store.get(keys::SITE_CURRENT).ok().flatten()?;
        let current: wire::CurrentRecord = wire::decode(&stored.bytes).ok()?;
        self.site_of(current.generation)
    }

    /// The stored set of files of a generation, if it is kept and can be read.
    #[must_use]
    pub fn site_of(&self, generation: Generation) -> Option<Saved> {
        let stored = self.store.get(&keys::site_history(generation)).ok().flatten()?;
        let record: wire::SiteRecord = wire::decode(&stored.bytes).ok()?;
        let part = |name: &Digest| {
            let stored = self.store.get(&keys::site_part(*name)).ok().flatten()?;
            self.seal.open(&stored.bytes)
        };
        let files = joined(record.parts.iter().map(part));
        if files.is_none() {
            self.parts_are_whole.store(false, Ordering::Relaxed);
        }
        Some(Saved { mark: record.mark(), files: files? })
    }

    /// The digest of the stored set in force, if its number is this one.
    pub(super) fn current_of(&self, generation: Generation) -> Option<SiteDigest> {
        let stored = self.store.get(keys::SITE_CURRENT).ok().flatten()?;
        let current: wire::CurrentRecord = wire::decode(&stored.bytes).ok()?;
        let key = keys::site_history(generation);
        let stored =
            self.store.get(&key).ok().flatten().filter(|_| current.generation == generation)?;
        Some(wire::decode::<wire::SiteRecord>(&stored.bytes).ok()?.digest)
    }

    /// Every generation that is kept and can be read, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<InForce> {
        self.kept().unwrap_or_default().sets.iter().map(|set| set.mark()).collect()
    }

    /// The generation that a person has pinned.
    #[must_use]
    pub fn pinned(&self, now: Moment) -> Option<Generation> {
        let in_force = self.overrides.iter().filter(|given| given.in_force(now));
        in_force.filter_map(|given| given.effect.pinned()).next_back()
    }

    /// Every set that is kept, oldest first. What was decoded before is not decoded again.
    fn kept(&self) -> Result<Kept, StoreError> {
        let (mut kept, stored) = (Kept::default(), self.store.scan(keys::SITE_HISTORY)?);
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *decoded);
        for (key, record) in stored {
            let version = record.version;
            let known = before.get(&key).filter(|(of, _)| *of == version);
            let set = match known {
                Some((_, set)) => Ok(Arc::clone(set)),
                None => wire::decode(&record.bytes).map(Arc::new),
            };
            match set {
                Ok(set) => {
                    kept.sets.push(Arc::clone(&set));
                    decoded.insert(key, (version, set));
                }
                Err(Bad::Newer(_)) => kept.has_newer = true,
                Err(Bad::Garbled(_)) => kept.garbled.extend(keys::parse_site_history(&key)),
            }
        }
        Ok(kept)
    }

    /// Names of every part in the store: the bulk of it is read for them.
    fn all_parts(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let all = self.store.scan(keys::SITE_PARTS)?;
        let name = |(key, _): &(String, Versioned)| {
            Digest::try_from(key.strip_prefix(keys::SITE_PARTS)?.to_owned()).ok()
        };
        Ok(all.iter().filter_map(name).collect())
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
        let digest = mark.digest.ok_or_else(|| failed("a set without a digest"))?;
        let parts = parts(files, &self.seal, &mut self.run_names);
        let parts = parts.map_err(|error| failed(&error.to_string()))?;
        let record = wire::SiteRecord {
            generation: mark.generation,
            digest,
            since: mark.since,
            parts: parts.iter().map(Part::name).collect(),
            acting: mark.acting,
        };
        let stored = self.kept()?;
        let (stay, go) = self.stay_and_go(&stored.sets, mark, keep);
        let garbled = self.counted_out(&stored.garbled, mark, keep);
        // A part that a stored set lacks, or that cannot be opened, is written again.
        let whole = self.parts_are_whole.load(Ordering::Relaxed);
        let stored_parts = names(stored.sets.iter().map(|set| &**set));
        let had = if whole { stored_parts.clone() } else { BTreeSet::new() };
        let needed = &names(stay.into_iter().chain([&record]));
        let mut put = vec![
            (
                keys::SITE_CURRENT.to_owned(),
                encoded(&wire::CurrentRecord { generation: mark.generation })?,
            ),
            (keys::site_history(mark.generation), encoded(&record)?),
        ];
        for part in parts.into_iter().filter(|part| !had.contains(&part.name())) {
            let key = keys::site_part(part.name());
            let text = part.into_text().map_err(|error| failed(&error.to_string()))?;
            put.push((key, self.seal.seal(&text).ok_or_else(|| failed("no random bytes"))?));
        }
        let gone = go.iter().map(|record| record.generation).chain(garbled.iter().copied());
        let mut remove: Vec<String> = gone.map(keys::site_history).collect();
        // What one that cannot be read was made of, nobody knows.
        let had = if garbled.is_empty() { stored_parts } else { self.all_parts()? };
        // Nor what a newer program's needs: it loses nothing.
        let idle = had.difference(needed).filter(|_| !stored.has_newer);
        remove.extend(idle.copied().map(keys::site_part));
        let mut expect = self.expect([keys::SITE_CURRENT]);
        if self.approval_over.is_some() {
            expect.push((keys::APPROVAL.to_owned(), self.approval_over));
            remove.push(keys::APPROVAL.to_owned());
        }
        self.commit(Batch { expect, put, remove })?;
        self.approval_over = None;
        self.parts_are_whole.store(true, Ordering::Relaxed);
        self.last_generation = self.last_generation.max(mark.generation);
        Ok(())
    }

    /// Of the generations whose records cannot be read, those that are kept no longer.
    fn counted_out(&self, garbled: &[Generation], new: &InForce, keep: u32) -> Vec<Generation> {
        let pinned = self.pinned(new.since);
        let goes = |generation: &&Generation| {
            generation.0 < oldest_kept(new, keep) && Some(**generation) != pinned
        };
        garbled.iter().filter(goes).copied().collect()
    }

    /// Which stored sets are still kept beside a new one, and which are not: `keep` of them in all, and
    /// whatever acts or is pinned.
    fn stay_and_go<'a>(
        &self,
        stored: &'a [Arc<wire::SiteRecord>],
        new: &InForce,
        keep: u32,
    ) -> (Vec<&'a wire::SiteRecord>, Vec<&'a wire::SiteRecord>) {
        let oldest = oldest_kept(new, keep);
        let pinned = self.pinned(new.since);
        let stays = |record: &&wire::SiteRecord| {
            let generation = record.generation;
            generation.0 >= oldest || Some(generation) == new.acting || Some(generation) == pinned
        };
        let stored = stored.iter().map(|record| &**record);
        let others = stored.filter(|record| record.generation != new.generation);
        others.partition(stays)
    }
}

/// What is kept of the history.
#[derive(Debug, Default)]
struct Kept {
    /// The sets, as far as they can be read.
    sets: Vec<Arc<wire::SiteRecord>>,
    /// Generations whose records cannot be read.
    garbled: Vec<Generation>,
    /// Whether a newer program has written some: they are never removed.
    has_newer: bool,
}

/// The oldest generation that is kept for its number, beside a new one.
fn oldest_kept(new: &InForce, keep: u32) -> u64 {
    (new.generation.0 + 1).saturating_sub(u64::from(keep.max(1)))
}

fn names<'a>(records: impl Iterator<Item = &'a wire::SiteRecord>) -> BTreeSet<Digest> {
    records.flat_map(|record| record.parts.iter().copied()).collect()
}

fn failed(what: &str) -> StoreError {
    StoreError::Unknown { reason: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use engine_core::desired::{Effect, Override};
    use engine_core::known::Known;
    use engine_core::site::Managed;
    use grammar::source::Source;

    use super::*;
    use crate::ledger::Seal;
    use crate::ledger::parts::RunNames;
    use crate::ports::Store;
    use crate::store::memory::MemoryStore;

    /// A store that keeps three generations, and what was put there.
    struct Kept {
        store: Arc<MemoryStore>,
        ledger: Ledger,
    }

    impl Kept {
        fn new() -> Self {
            let store = Arc::new(MemoryStore::default());
            let seal = Seal::new(&[7; 32]);
            let ledger = Ledger::open(Arc::<MemoryStore>::clone(&store), seal, Moment(0));
            Self { store, ledger }
        }

        /// Accepts a set of ten thousand sessions of which one says the generation.
        fn accept(&mut self, generation: u64) -> SiteFiles {
            let file = |n: u64| {
                let says = if n == 77 { generation } else { 0 };
                let source =
                    Source::new(format!("/w/sessions.d/s{n}.toml"), format!("n = {says}\n"));
                (format!("s{n}"), Known::Present(source))
            };
            let mut files = SiteFiles::nothing("/e", "/w");
            files.sessions = Managed::Managed((0..10_000).map(file).collect());
            let mark = InForce {
                generation: Generation(generation),
                digest: Some(files.digest()),
                since: Moment(i64::try_from(generation).unwrap()),
                acting: None,
            };
            self.ledger.save_site(&mark, &files, 3).unwrap();
            files
        }

        fn kept(&self) -> Vec<u64> {
            self.ledger.history().iter().map(|mark| mark.generation.0).collect()
        }

        fn bytes(&self) -> usize {
            self.store.scan("site/").unwrap().iter().map(|(_, record)| record.bytes.len()).sum()
        }
    }

    #[test]
    fn an_edit_stores_what_it_changed_and_old_generations_go_with_what_only_they_had() {
        let mut it = Kept::new();
        let first = it.accept(1);
        let once = it.bytes();
        let sets: Vec<SiteFiles> = (2..=9).map(|generation| it.accept(generation)).collect();
        assert_eq!(it.kept(), [7, 8, 9]);
        assert!(it.bytes() * 10 < once * 13, "{} after {once}", it.bytes());
        assert_eq!(it.ledger.site().unwrap().files.digest(), sets.last().unwrap().digest());
        for generation in 7..=9 {
            let stored = it.ledger.site_of(Generation(generation)).unwrap();
            assert_eq!(
                stored.files.digest(),
                sets[usize::try_from(generation).unwrap() - 2].digest()
            );
        }
        assert!(it.ledger.site_of(Generation(1)).is_none(), "{:?}", first.digest());
        // As many parts as one set has, and the changed one of each of the two others.
        let parts = it.store.scan(keys::SITE_PARTS).unwrap().len();
        let of_one =
            super::parts(&first, &Seal::new(&[7; 32]), &mut RunNames::default()).unwrap().len();
        assert_eq!(parts, of_one + 2);
    }

    #[test]
    fn a_part_that_was_lost_is_written_again_with_the_next_set() {
        let mut it = Kept::new();
        it.accept(1);
        let (lost, _) = it.store.scan(keys::SITE_PARTS).unwrap().swap_remove(3);
        it.store.commit(&Batch { remove: vec![lost], ..Batch::default() }).unwrap();
        assert!(it.ledger.site().is_none());
        let second = it.accept(2);
        assert_eq!(it.ledger.site().unwrap().files.digest(), second.digest());
    }

    #[test]
    fn a_record_that_another_has_written_is_read_as_it_is_now() {
        let mut it = Kept::new();
        it.accept(1);
        it.accept(2);
        let since =
            |it: &Kept| it.ledger.history().iter().map(|mark| mark.since.0).collect::<Vec<_>>();
        assert_eq!(since(&it), [1, 2]);
        let key = keys::site_history(Generation(1));
        let record = String::from_utf8(it.store.get(&key).unwrap().unwrap().bytes).unwrap();
        let other = record.replace("\"since\":1,", "\"since\":77,");
        assert_ne!(other, record);
        let put = vec![(key.clone(), other.into_bytes())];
        it.store.commit(&Batch { put, ..Batch::default() }).unwrap();
        assert_eq!(since(&it), [77, 2]);
        it.store.commit(&Batch { remove: vec![key], ..Batch::default() }).unwrap();
        assert_eq!(since(&it), [2]);
    }

    #[test]
    fn records_that_cannot_be_read_go_with_their_parts_and_a_newer_program_loses_nothing() {
        let mut it = Kept::new();
        let put = |it: &Kept, key: String, text: &str| {
            let put = vec![(key, text.as_bytes().to_vec())];
            it.store.commit(&Batch { put, ..Batch::default() }).unwrap();
        };
        let keys_of = |it: &Kept, prefix| {
            let all = it.store.scan(prefix).unwrap();
            all.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        it.accept(1);
        let orphan = keys::site_part(Digest::of(b"of what cannot be read"));
        put(&it, orphan.clone(), "sealed");
        put(&it, keys::site_history(Generation(1)), "{");
        for generation in 2..=3 {
            it.accept(generation);
            assert_eq!(
                keys_of(&it, keys::SITE_HISTORY).len(),
                usize::try_from(generation).unwrap()
            );
        }
        it.accept(4);
        assert_eq!(keys_of(&it, keys::SITE_HISTORY).len(), 3);
        assert!(!keys_of(&it, keys::SITE_PARTS).contains(&orphan));

        // Another goes, but nothing that a newer program may have use for.
        let newer = keys::site_history(Generation(2));
        put(&it, newer.clone(), r#"{"format":9,"generation":2}"#);
        let parts = keys_of(&it, keys::SITE_PARTS);
        (5..=9).for_each(|generation| drop(it.accept(generation)));
        assert_eq!(it.kept(), [7, 8, 9]);
        assert!(keys_of(&it, keys::SITE_HISTORY).contains(&newer));
        let left = keys_of(&it, keys::SITE_PARTS);
        assert!(parts.iter().all(|part| left.contains(part)));
    }

    #[test]
    fn a_pinned_generation_is_kept_and_no_longer_than_it_is_pinned() {
        let mut it = Kept::new();
        let first = it.accept(1);
        let pin = Effect::Pin { generation: Generation(1) };
        let given = Override::new(pin, "root", "", Moment(1), None);
        it.ledger.put_override(&given).unwrap();
        (2..=6).for_each(|generation| drop(it.accept(generation)));
        assert_eq!(it.kept(), [1, 4, 5, 6]);
        assert_eq!(it.ledger.site_of(Generation(1)).unwrap().files.digest(), first.digest());
        assert!(it.ledger.clear_override(&given.id).unwrap());
        it.accept(7);
        assert_eq!(it.kept(), [5, 6, 7]);
    }
}
