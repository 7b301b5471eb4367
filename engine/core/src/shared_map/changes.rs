//! In what two maps differ, found without a look at the runs that they share.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Run, SharedMap};

/// An entry that is another one than before.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'a, K, V> {
    /// Its key.
    pub key: &'a K,
    /// What it was; none = it was not there.
    pub before: Option<&'a V>,
    /// What it is; none = it is there no more.
    pub now: Option<&'a V>,
}

/// The entries in which a map differs from another one, in the order of keys.
pub struct Changes<'a, K, V> {
    now: Cursor<'a, K, V>,
    before: Cursor<'a, K, V>,
    same: fn(&V, &V) -> bool,
}

impl<K: Ord, V: PartialEq> SharedMap<K, V> {
    /// The entries that are not what they were in `before`.
    #[must_use]
    pub fn changes_since<'a>(&'a self, before: &'a Self) -> Changes<'a, K, V> {
        self.changes_by(before, V::eq)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The entries that are not what they were in `before`; those of runs that both share are the same.
    #[must_use]
    pub fn changes_by<'a>(
        &'a self,
        before: &'a Self,
        same: fn(&V, &V) -> bool,
    ) -> Changes<'a, K, V> {
        let (mut now, mut before) = (Cursor::of(&self.runs), Cursor::of(&before.runs));
        if Arc::ptr_eq(now.runs, before.runs) {
            (now.run, before.run) = (now.runs.len(), before.runs.len());
        }
        Changes { now, before, same }
    }
}

impl<'a, K: Ord, V> Iterator for Changes<'a, K, V> {
    type Item = Change<'a, K, V>;

    fn next(&mut self) -> Option<Change<'a, K, V>> {
        loop {
            while self.now.shares_a_run_with(&self.before) {
                self.now.run += 1;
                self.before.run += 1;
            }
            let order = match (self.now.peek(), self.before.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let now = order.is_le().then(|| self.now.next()).flatten();
            let before = order.is_ge().then(|| self.before.next()).flatten();
            let key = now.or(before).map(|(key, _)| key)?;
            let (now, before) = (now.map(|(_, value)| value), before.map(|(_, value)| value));
            if !matches!((now, before), (Some(now), Some(before)) if (self.same)(now, before)) {
                return Some(Change { key, before, now });
            }
        }
    }
}

/// A place in a map.
struct Cursor<'a, K, V> {
    runs: &'a Arc<Vec<Arc<Run<K, V>>>>,
    run: usize,
    at: usize,
}

impl<'a, K, V> Cursor<'a, K, V> {
    fn of(runs: &'a Arc<Vec<Arc<Run<K, V>>>>) -> Self {
        Self { runs, run: 0, at: 0 }
    }

    /// Whether both stand at the beginning of one and the same run.
    fn shares_a_run_with(&self, other: &Self) -> bool {
        self.at == 0
            && other.at == 0
            && matches!((self.runs.get(self.run), other.runs.get(other.run)),
                (Some(a), Some(b)) if Arc::ptr_eq(a, b))
    }

    fn peek(&self) -> Option<(&'a K, &'a V)> {
        self.runs.get(self.run)?.entries.get(self.at).map(|(key, value)| (key, value))
    }

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        let found = self.peek()?;
        self.at += 1;
        if self.runs.get(self.run).is_none_or(|run| self.at == run.entries.len()) {
            (self.run, self.at) = (self.run + 1, 0);
        }
        Some(found)
    }
}
