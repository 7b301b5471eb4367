//! Maps whose keys are no strings, as lists of pairs in JSON: for recorded rounds.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::Serializer;

/// Writes a map as a list of pairs in its order.
///
/// # Errors
/// The serializer's.
pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
where
    K: serde::Serialize,
    V: serde::Serialize,
    S: Serializer,
{
    serializer.collect_seq(map.iter())
}

/// Reads a list of pairs; of two with one key the later wins.
///
/// # Errors
/// The deserializer's.
pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}
