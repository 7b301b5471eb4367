//! The whole semantics of a store, as a value: records, leases, versions, compare-and-swap.
//!
//! Knows no disk and no thread. A [`Table`] is what is durable; [`Staged`] is a group of commits on
//! top of it, each seeing those before it; [`Changes`] is what is left to write, and the table takes
//! it up only once it is written. Both stores are made of this.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;
use serde::{Deserialize, Serialize};

use super::frame::{Space, digest_of};
use crate::ports::{Batch, StoreError, Version, Versioned};

/// Longest key in bytes; sled's pages are sized for it.
pub(super) const LONGEST_KEY: usize = 1024;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Which commit wrote it.
    pub(super) version: u64,
    /// Its digest.
    pub(super) digest: u128,
    /// Its bytes.
    pub(super) bytes: Arc<[u8]>,
}

impl Entry {
    /// A record with its digest.
    pub(super) fn new(space: Space, name: &str, version: u64, bytes: &[u8]) -> Self {
        Self { version, digest: digest_of(space, name, version, bytes), bytes: Arc::from(bytes) }
    }

    fn versioned(&self) -> Versioned {
        Versioned { version: Version(self.version), bytes: self.bytes.to_vec() }
    }
}

/// A lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseRow {
    /// The format of this row: 1.
    pub(super) format: u32,
    /// Who has it; none = it was given back. The row stays, for its epoch.
    pub(super) holder: Option<String>,
    /// Fencing token.
    pub(super) epoch: u64,
    /// From this moment on somebody else may take it.
    pub(super) expires: Moment,
}

/// The format of [`LeaseRow`].
pub(super) const LEASE_FORMAT: u32 = 1;

impl LeaseRow {
    /// Its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and text is always JSON")
    }
}

/// What a table holds, in three numbers: tells two tables apart, and a complete one from one with a
/// record missing, changed or come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// The newest commit.
    pub(super) version: u64,
    /// Records and leases.
    pub(super) entries: u64,
    /// Sum of their digests, modulo 2^128.
    #[serde(with = "hex")]
    pub(super) sum: u128,
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(sum: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{sum:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(entry.digest);
    }

    fn take(&mut self, entry: &Entry) {
        self.entries -= 1;
        self.sum = self.sum.wrapping_sub(entry.digest);
    }
}

/// Everything that is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    entries: BTreeMap<(Space, String), Entry>,
    tally: Tally,
}

impl Table {
    /// A table of these entries, whose newest commit was `version`.
    pub(super) fn of(entries: BTreeMap<(Space, String), Entry>, version: u64) -> Self {
        let mut tally = Tally { version, ..Tally::default() };
        entries.values().for_each(|entry| tally.add(entry));
        Self { entries, tally }
    }

    /// What it holds, in numbers.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// One record.
    pub(super) fn get(&self, key: &str) -> Option<Versioned> {
        self.entry(Space::Record, key).map(Entry::versioned)
    }

    /// All records whose key begins with `prefix`, ordered by key.
    pub(super) fn scan(&self, prefix: &str) -> Vec<(String, Versioned)> {
        let first = Bound::Included((Space::Record, prefix.to_owned()));
        let last = Bound::Excluded((Space::Lease, String::new()));
        self.entries
            .range((first, last))
            .take_while(|((_, key), _)| key.starts_with(prefix))
            .map(|((_, key), entry)| (key.clone(), entry.versioned()))
            .collect()
    }

    /// All entries, records before leases, ordered by name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Space, &str, &Entry)> {
        self.entries.iter().map(|((space, name), entry)| (*space, name.as_str(), entry))
    }

    /// One entry.
    pub(super) fn entry(&self, space: Space, name: &str) -> Option<&Entry> {
        self.entries.get(&(space, name.to_owned()))
    }

    /// Takes up what was written.
    pub(super) fn take_up(&mut self, changes: Changes) {
        for (key, entry) in changes.entries {
            match entry {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
        self.tally = changes.tally;
    }
}

/// What a group of commits changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changes {
    /// Put these; none = remove.
    pub(super) entries: BTreeMap<(Space, String), Option<Entry>>,
    /// What the table holds afterwards.
    pub(super) tally: Tally,
}

impl Changes {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A group of commits on top of a table; each sees those before it.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    table: &'a Table,
    changes: Changes,
}

impl<'a> Staged<'a> {
    /// An empty group.
    pub(super) fn on(table: &'a Table) -> Self {
        let changes = Changes { entries: BTreeMap::new(), tally: table.tally };
        Self { table, changes }
    }

    /// What the group changes.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// One commit: all of it or nothing. Removes come before puts. A batch that writes nothing only
    /// compares, and makes no version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the first key whose version differs.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<Version, StoreError> {
        for (key, expected) in &batch.expect {
            let found = self.find(Space::Record, key).map(|entry| Version(entry.version));
            if found != *expected {
                return Err(StoreError::Conflict { key: key.clone() });
            }
        }
        if let Some((key, _)) = batch.put.iter().find(|(key, _)| key.len() > LONGEST_KEY) {
            return Err(refused(key));
        }
        if batch.put.is_empty() && batch.remove.is_empty() {
            return Ok(Version(self.changes.tally.version));
        }
        let version = self.next_version();
        for key in &batch.remove {
            self.set(Space::Record, key, None);
        }
        for (key, bytes) in &batch.put {
            self.set(Space::Record, key, Some(Entry::new(Space::Record, key, version, bytes)));
        }
        Ok(Version(version))
    }

    /// Takes or renews a lease: free, expired at `now`, or already the holder's own.
    ///
    /// # Errors
    /// [`StoreError::Held`] names who has it.
    pub(super) fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError> {
        if name.len() > LONGEST_KEY {
            return Err(refused(name));
        }
        let row = self.lease_row(name)?;
        let epoch = match row {
            Some(LeaseRow { holder: Some(other), expires, .. })
                if other != holder && now < expires =>
            {
                return Err(StoreError::Held { name: name.to_owned(), holder: other });
            }
            // Expired but taken by nobody since: its own epoch fences as well as before.
            Some(LeaseRow { holder: Some(same), epoch, .. }) if same == holder => epoch,
            Some(LeaseRow { epoch, .. }) => epoch + 1,
            None => 1,
        };
        let expires = now.plus(ttl);
        self.set_lease(name, Some(holder.to_owned()), epoch, expires);
        Ok(Epoch(epoch))
    }

    /// Gives a lease back; its epoch stays, so that the next holder's is higher.
    ///
    /// # Errors
    /// Its row cannot be read.
    pub(super) fn release(&mut self, name: &str, holder: &str) -> Result<(), StoreError> {
        match self.lease_row(name)? {
            Some(row) if row.holder.as_deref() == Some(holder) => {
                self.set_lease(name, None, row.epoch, row.expires);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn lease_row(&self, name: &str) -> Result<Option<LeaseRow>, StoreError> {
        let Some(entry) = self.find(Space::Lease, name) else { return Ok(None) };
        let row: LeaseRow = serde_json::from_slice(&entry.bytes).map_err(|source| {
            StoreError::Failed { what: format!("read lease {name}"), source: source.into() }
        })?;
        if row.format > LEASE_FORMAT {
            let what = format!("lease {name}");
            return Err(StoreError::Newer { what, found: row.format, known: LEASE_FORMAT });
        }
        Ok(Some(row))
    }

    fn set_lease(&mut self, name: &str, holder: Option<String>, epoch: u64, expires: Moment) {
        let version = self.next_version();
        let row = LeaseRow { format: LEASE_FORMAT, holder, epoch, expires };
        let entry = Entry::new(Space::Lease, name, version, &row.bytes());
        self.set(Space::Lease, name, Some(entry));
    }

    fn next_version(&mut self) -> u64 {
        self.changes.tally.version += 1;
        self.changes.tally.version
    }

    fn find(&self, space: Space, name: &str) -> Option<&Entry> {
        match self.changes.entries.get(&(space, name.to_owned())) {
            Some(changed) => changed.as_ref(),
            None => self.table.entry(space, name),
        }
    }

    fn set(&mut self, space: Space, name: &str, entry: Option<Entry>) {
        let old = self.find(space, name).map(|entry| entry.digest);
        if let Some(digest) = old {
            let gone = Entry { version: 0, digest, bytes: Arc::from([]) };
            self.changes.tally.take(&gone);
        }
        if let Some(new) = &entry {
            self.changes.tally.add(new);
        }
        self.changes.entries.insert((space, name.to_owned()), entry);
    }
}

fn refused(key: &str) -> StoreError {
    let shown: String = key.chars().take(40).collect();
    StoreError::Failed {
        what: format!("write {}...", shown.escape_debug()),
        source: format!("its key is longer than {LONGEST_KEY} bytes").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, bytes: &[u8]) -> Batch {
        Batch { put: vec![(key.to_owned(), bytes.to_vec())], ..Batch::default() }
    }

    fn apply(table: &mut Table, batch: &Batch) -> Result<Version, StoreError> {
        let mut staged = Staged::on(table);
        let answer = staged.commit(batch);
        let changes = staged.into_changes();
        table.take_up(changes);
        answer
    }

    #[test]
    fn a_group_sees_what_it_did_before_and_the_table_does_not() {
        let table = Table::default();
        let mut staged = Staged::on(&table);
        let first = staged.commit(&put("a", b"1")).unwrap();
        let again = Batch { expect: vec![("a".to_owned(), Some(first))], ..put("a", b"2") };
        assert!(staged.commit(&again).is_ok());
        assert!(matches!(staged.commit(&again), Err(StoreError::Conflict { .. })));
        assert_eq!(table.get("a"), None);
    }

    #[test]
    fn a_refused_commit_leaves_nothing_in_its_group() {
        let mut table = Table::default();
        let mut batch = put("a", b"1");
        batch.expect.push(("b".to_owned(), Some(Version(3))));
        assert!(apply(&mut table, &batch).is_err());
        assert_eq!(table, Table::default());
    }

    #[test]
    fn the_tally_kept_on_the_way_is_the_one_counted_anew() {
        let mut table = Table::default();
        for (key, bytes) in [("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")] {
            apply(&mut table, &put(key, bytes)).unwrap();
        }
        let remove = ["b", "nothing"].map(str::to_owned).to_vec();
        apply(&mut table, &Batch { remove, ..Batch::default() }).unwrap();
        let mut staged = Staged::on(&table);
        staged.lease("site", "n1", Moment(0), Millis(10)).unwrap();
        let changes = staged.into_changes();
        table.take_up(changes);
        let counted = Table::of(table.entries.clone(), table.tally.version);
        assert_eq!(table, counted);
        assert_eq!(table.tally.entries, 3);
    }

    #[test]
    fn a_missing_an_old_and_a_foreign_record_each_change_the_tally() {
        let mut table = Table::default();
        apply(&mut table, &put("a", b"1")).unwrap();
        let old = table.entries.clone();
        apply(&mut table, &put("a", b"2")).unwrap();
        apply(&mut table, &put("b", b"2")).unwrap();
        let version = table.tally.version;
        let mut missing = table.entries.clone();
        missing.remove(&(Space::Record, "b".to_owned()));
        let mut stale = table.entries.clone();
        stale.extend(old);
        for wrong in [missing, stale] {
            assert_ne!(Table::of(wrong, version).tally, table.tally);
        }
    }

    #[test]
    fn a_tally_is_stored_exactly() {
        let tally = Tally { version: 3, entries: 2, sum: u128::MAX - 5 };
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
    }

    #[test]
    fn a_key_that_is_too_long_is_refused() {
        let mut table = Table::default();
        assert!(apply(&mut table, &put(&"k".repeat(LONGEST_KEY), b"")).is_ok());
        assert!(apply(&mut table, &put(&"k".repeat(LONGEST_KEY + 1), b"")).is_err());
    }
}
