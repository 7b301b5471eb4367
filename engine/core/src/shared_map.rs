//! An ordered map in runs of about [`RUN`] entries: a copy shares all of them, an edit replaces one.
//!
//! Where a run ends is said by the keys themselves, so that maps with the same keys are cut alike, however they
//! came to be: two of them are compared run by run, and what a run comes to (a digest) is kept with it. Runs that
//! share their allocation are the same without a look, which is what makes an edit of one file among a hundred
//! thousand cost one run and not a hundred thousand looks. Knows nothing of what is in it. Read next: [`Changes`].

mod changes;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::fmt;
use std::iter::FlatMap;
use std::ops::{Bound, Index, RangeBounds};
use std::slice;
use std::sync::{Arc, OnceLock};

pub use changes::{Change, Changes};

use crate::ids::{Digest, GatewayId, Incarnation, NodeId, SessionId};

/// Entries of a run, on average.
const RUN: u64 = 64;

/// What entries are found by. Its bytes say whether a run ends with it.
pub trait Key: Ord + Clone {
    /// Bytes that are the same for equal keys, always and everywhere: digests rest on where they cut.
    fn bytes(&self) -> &[u8];

    /// Whether a run ends with this key: FNV-1a of its bytes, well mixed, one time in [`RUN`].
    fn ends_a_run(&self) -> bool {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.bytes() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // The last byte of a name moves few of its bits: mixed as the end of MurmurHash3 does.
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (hash ^ (hash >> 33)).is_multiple_of(RUN)
    }
}

macro_rules! keys {
    ($($key:ty),*) => { $(impl Key for $key {
        fn bytes(&self) -> &[u8] {
            let text: &str = self.borrow();
            text.as_bytes()
        }
    })* };
}

keys!(String, Arc<str>, SessionId, GatewayId, NodeId);

impl Key for Incarnation {
    fn bytes(&self) -> &[u8] {
        self.session.bytes()
    }
}

/// See the module.
pub struct SharedMap<K, V> {
    runs: Arc<Vec<Arc<Run<K, V>>>>,
    len: usize,
}

/// Some entries that follow each other. Never empty.
pub struct Run<K, V> {
    entries: Vec<(K, V)>,
    digest: OnceLock<Digest>,
}

impl<K, V> Run<K, V> {
    fn of(entries: Vec<(K, V)>) -> Self {
        Self { entries, digest: OnceLock::new() }
    }

    fn last(&self) -> Option<&K> {
        self.entries.last().map(|(key, _)| key)
    }

    /// Its entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[(K, V)] {
        &self.entries
    }

    /// What its entries come to by `digest`, where nobody has asked before: always call it with the same one.
    pub fn digest_by(&self, digest: impl FnOnce(&[(K, V)]) -> Digest) -> &Digest {
        self.digest.get_or_init(|| digest(&self.entries))
    }
}

impl<K: Clone, V: Clone> Clone for Run<K, V> {
    /// A copy is made to be changed: what its entries came to is not taken along.
    fn clone(&self) -> Self {
        Self::of(self.entries.clone())
    }
}

impl<K, V> SharedMap<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self { runs: Arc::default(), len: 0 }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its runs, in order.
    pub fn runs(&self) -> impl Iterator<Item = &Run<K, V>> {
        self.runs.iter().map(|run| &**run)
    }

    /// All entries, in the order of their keys.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        fn entries<K, V>(run: &Arc<Run<K, V>>) -> slice::Iter<'_, (K, V)> {
            run.entries.iter()
        }
        Iter { entries: self.runs.iter().flat_map(entries as _) }
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Whether both are one: copies of each other that nobody has changed since.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.runs, &other.runs)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The run in which a key is, if it is anywhere.
    fn run_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.runs.partition_point(|run| run.last().is_some_and(|last| last.borrow() < key))
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(usize, usize)>
    where
        K: Borrow<Q>,
    {
        let run = self.run_of(key);
        let entries = &self.runs.get(run)?.entries;
        let at = entries.binary_search_by(|(other, _)| other.borrow().cmp(key)).ok()?;
        Some((run, at))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (run, at) = self.find(key)?;
        Some(&self.runs[run].entries[at].1)
    }

    /// The entry of a key.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (run, at) = self.find(key)?;
        let (key, value) = &self.runs[run].entries[at];
        Some((key, value))
    }

    /// Whether there is an entry of a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_some()
    }

    /// The entries whose keys lie in a range, in order.
    pub fn range<R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)> + use<'_, K, V, R> {
        let before = |key: &K| match range.start_bound() {
            Bound::Included(start) => key < start,
            Bound::Excluded(start) => key <= start,
            Bound::Unbounded => false,
        };
        let within = |key: &K| match range.end_bound() {
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
            Bound::Unbounded => true,
        };
        let first = self.runs.partition_point(|run| run.last().is_some_and(before));
        let some = self.runs[first..]
            .iter()
            .take_while(|run| run.entries.first().is_some_and(|(key, _)| within(key)));
        let mut found = Vec::new();
        for run in some {
            let from = run.entries.partition_point(|(key, _)| before(key));
            let to = run.entries.partition_point(|(key, _)| within(key));
            found.extend(run.entries[from..to.max(from)].iter().map(|(key, value)| (key, value)));
        }
        found.into_iter()
    }
}

impl<K: Key, V: Clone> SharedMap<K, V> {
    /// The value of a key, to be changed: its run is this map's alone from now on.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (run, at) = self.find(key)?;
        Some(&mut self.entries_mut(run)[at].1)
    }

    /// The value of a key, to be changed; made by `value` where there is none.
    pub fn get_or_insert_with(&mut self, key: &K, value: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(key) {
            self.insert(key.clone(), value());
        }
        self.get_mut(key).expect("it was just put there")
    }

    /// Puts a value in; the one that it takes the place of.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let run = self.run_of(&key);
        if run == self.runs.len() {
            self.len += 1;
            let open = run > 0 && self.runs[run - 1].last().is_some_and(|last| !last.ends_a_run());
            if open {
                self.entries_mut(run - 1).push((key, value));
            } else {
                Arc::make_mut(&mut self.runs).push(Arc::new(Run::of(vec![(key, value)])));
            }
            return None;
        }
        let entries = self.entries_mut(run);
        let at = match entries.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(at) => return Some(std::mem::replace(&mut entries[at].1, value)),
            Err(at) => at,
        };
        let rest = key.ends_a_run().then(|| entries.split_off(at));
        entries.insert(at, (key, value));
        if let Some(rest) = rest {
            Arc::make_mut(&mut self.runs).insert(run + 1, Arc::new(Run::of(rest)));
        }
        self.len += 1;
        None
    }

    /// Takes an entry out; its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (run, at) = self.find(key)?;
        let entries = self.entries_mut(run);
        let (_, value) = entries.remove(at);
        let (was_last, is_empty) = (at == entries.len(), entries.is_empty());
        self.len -= 1;
        if was_last && run + 1 < self.runs.len() {
            // The key that ended this run is gone: it goes on with the next one.
            let next = self.runs[run + 1].entries.clone();
            self.entries_mut(run).extend(next);
            Arc::make_mut(&mut self.runs).remove(run + 1);
        } else if is_empty {
            Arc::make_mut(&mut self.runs).remove(run);
        }
        Some(value)
    }

    /// Keeps only the entries that `keep` says; runs of which all stay are shared as before.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone = self.iter().filter(|(key, value)| !keep(key, value));
        let gone: Vec<K> = gone.map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
    }

    /// Shares the runs that say the same as those of `earlier`, which costs a comparison of each entry of runs that
    /// are not shared yet: for a map that was made anew.
    pub fn share(&mut self, earlier: &Self, same: impl Fn(&V, &V) -> bool) {
        if self.is(earlier) {
            return;
        }
        let mut before = earlier.runs.iter().peekable();
        let mut any = false;
        let runs = self.runs.iter().map(|run| {
            while before.next_if(|other| other.last() < run.last()).is_some() {}
            let alike = |other: &Arc<Run<K, V>>| {
                if Arc::ptr_eq(other, run) {
                    return true;
                }
                let pairs = other.entries.iter().zip(&run.entries);
                let mut pairs = pairs.map(|(a, b)| a.0 == b.0 && same(&a.1, &b.1));
                other.entries.len() == run.entries.len() && pairs.all(|same| same)
            };
            let found = before.next_if(|other| alike(other));
            any |= found.is_some_and(|found| !Arc::ptr_eq(found, run));
            Arc::clone(found.unwrap_or(run))
        });
        let runs: Vec<Arc<Run<K, V>>> = runs.collect();
        if any {
            self.runs = Arc::new(runs);
        }
        if self.len == earlier.len && self.runs.len() == earlier.runs.len() {
            let mut pairs = self.runs.iter().zip(&*earlier.runs);
            if pairs.all(|(a, b)| Arc::ptr_eq(a, b)) {
                self.runs = Arc::clone(&earlier.runs);
            }
        }
    }

    fn entries_mut(&mut self, run: usize) -> &mut Vec<(K, V)> {
        let run = Arc::make_mut(&mut Arc::make_mut(&mut self.runs)[run]);
        run.digest = OnceLock::new();
        &mut run.entries
    }

    /// A map of entries in the order of their keys, each key once.
    fn of_sorted(entries: impl Iterator<Item = (K, V)>) -> Self {
        let (mut runs, mut run, mut len) = (Vec::new(), Vec::new(), 0);
        for (key, value) in entries {
            let ends = key.ends_a_run();
            run.push((key, value));
            len += 1;
            if ends {
                run.shrink_to_fit();
                runs.push(Arc::new(Run::of(std::mem::take(&mut run))));
            }
        }
        if !run.is_empty() {
            runs.push(Arc::new(Run::of(run)));
        }
        Self { runs: Arc::new(runs), len }
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { runs: Arc::clone(&self.runs), len: self.len }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.changes_since(other).next().is_none()
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("there is such an entry")
    }
}

impl<K: Key, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    /// Of two entries of one key the later stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        if entries.is_sorted_by(|a, b| a.0 < b.0) {
            return Self::of_sorted(entries.into_iter());
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.reverse();
        entries.dedup_by(|earlier, later| earlier.0 == later.0);
        Self::of_sorted(entries.into_iter().rev())
    }
}

impl<K: Key, V: Clone, const N: usize> From<[(K, V); N]> for SharedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Key, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        if self.is_empty() {
            *self = entries.into_iter().collect();
            return;
        }
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

type Entries<'a, K, V> = FlatMap<
    slice::Iter<'a, Arc<Run<K, V>>>,
    slice::Iter<'a, (K, V)>,
    fn(&'a Arc<Run<K, V>>) -> slice::Iter<'a, (K, V)>,
>;

/// All entries of a map, in the order of their keys.
pub struct Iter<'a, K, V> {
    entries: Entries<'a, K, V>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        self.entries.next().map(|(key, value)| (key, value))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.entries.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}
