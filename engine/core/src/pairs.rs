//! Maps whose keys are no strings, as lists of pairs in JSON: for recorded rounds.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::Serializer;

use crate::shared_map::{Key, SharedMap};

/// Writes a map as a list of pairs in its order.
///
/// # Errors
/// The serializer's.
pub fn serialize<'m, M, S>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
where
    &'m M: IntoIterator<Item: serde::Serialize>,
    S: Serializer,
{
    serializer.collect_seq(map)
}

/// Reads a list of pairs; of two with one key the later wins.
///
/// # Errors
/// The deserializer's.
pub fn deserialize<'de, M, K, V, D>(deserializer: D) -> Result<M, D::Error>
where
    M: Map<K, V>,
    K: Deserialize<'de>,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}

/// A map of keys to values.
pub trait Map<K, V>: FromIterator<(K, V)> {}

impl<K: Ord, V> Map<K, V> for BTreeMap<K, V> {}

impl<K: Key, V: Clone> Map<K, V> for SharedMap<K, V> {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Leases(#[serde(with = "super")] BTreeMap<(String, u16), u8>);

    #[test]
    fn pairs_read_back_and_the_later_of_two_wins() {
        let leases = Leases([(("lab".to_owned(), 1), 7)].into());
        let text = serde_json::to_string(&leases).expect("pairs are lists");
        assert_eq!(text, r#"[[["lab",1],7]]"#);
        assert_eq!(serde_json::from_str::<Leases>(&text).ok(), Some(leases));
        let twice = r#"[[["lab",1],7],[["lab",1],8]]"#;
        let read: Leases = serde_json::from_str(twice).expect("pairs");
        assert_eq!(read.0.into_values().collect::<Vec<_>>(), [8]);
    }
}
