//! The environment that files ask for: variables that every session of a kind gets alike, once for all of
//! them, and on top of them what is this session's own.
//!
//! Compares, serialises and lists as the one map that it stands for: how it is shared is nobody's business.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::EnvValue;

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// What others have as well.
    common: Arc<BTreeMap<String, EnvValue>>,
    /// What goes on top of it.
    own: BTreeMap<String, EnvValue>,
}

impl Environment {
    /// Variables that others have as well, with further ones on top.
    #[must_use]
    pub fn new(common: Arc<BTreeMap<String, EnvValue>>, own: BTreeMap<String, EnvValue>) -> Self {
        Self { common, own }
    }

    /// Whether two share what others have as well, in one allocation.
    #[cfg(test)]
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.common, &other.common)
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&EnvValue> {
        self.own.get(name).or_else(|| self.common.get(name))
    }

    /// Sets a variable, for this session only.
    pub fn insert(&mut self, name: String, value: EnvValue) {
        self.own.insert(name, value);
    }

    /// Every variable, by name.
    pub fn iter(&self) -> Merged<'_> {
        Merged { common: self.common.iter().peekable(), own: self.own.iter().peekable() }
    }
}

/// Both layers in one order; see [`Environment::iter`].
#[derive(Clone, Debug)]
pub struct Merged<'a> {
    common: Peekable<std::collections::btree_map::Iter<'a, String, EnvValue>>,
    own: Peekable<std::collections::btree_map::Iter<'a, String, EnvValue>>,
}

impl<'a> Iterator for Merged<'a> {
    type Item = (&'a String, &'a EnvValue);

    fn next(&mut self) -> Option<Self::Item> {
        let (Some((common, _)), Some((own, _))) = (self.common.peek(), self.own.peek()) else {
            return self.own.next().or_else(|| self.common.next());
        };
        if common < own {
            return self.common.next();
        }
        if common == own {
            self.common.next();
        }
        self.own.next()
    }
}

impl<'a> IntoIterator for &'a Environment {
    type Item = (&'a String, &'a EnvValue);
    type IntoIter = Merged<'a>;

    fn into_iter(self) -> Merged<'a> {
        self.iter()
    }
}

impl FromIterator<(String, EnvValue)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, EnvValue)>>(variables: I) -> Self {
        Self { common: Arc::default(), own: variables.into_iter().collect() }
    }
}

impl PartialEq for Environment {
    /// The same variables with the same values, however they are shared.
    fn eq(&self, other: &Self) -> bool {
        let alike = Arc::ptr_eq(&self.common, &other.common) && self.own == other.own;
        alike || self.iter().eq(other.iter())
    }
}

impl Eq for Environment {}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Environment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let own = BTreeMap::deserialize(deserializer)?;
        Ok(Self { common: Arc::default(), own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, EnvValue> {
        let pair = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), EnvValue::Plain((*value).to_owned()))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_is_shared_is_one_with_what_is_not() {
        let common = Arc::new(map(&[("A", "1"), ("C", "1"), ("E", "1")]));
        let shared = Environment::new(common, map(&[("B", "2"), ("C", "2"), ("F", "2")]));
        let all = map(&[("A", "1"), ("B", "2"), ("C", "2"), ("E", "1"), ("F", "2")]);
        let flat: Environment = all.clone().into_iter().collect();
        assert_eq!(shared, flat);
        assert!(shared.iter().eq(&all));
        assert_eq!(shared.get("C"), all.get("C"));
        assert_eq!(shared.get("D"), None);
        let text = serde_json::to_string(&shared).unwrap();
        assert_eq!(text, serde_json::to_string(&all).unwrap());
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), shared);
        let mut other = shared.clone();
        other.insert("A".into(), EnvValue::Plain("9".into()));
        assert_ne!(other, shared);
    }
}
