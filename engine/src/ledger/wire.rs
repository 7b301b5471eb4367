//! Records as they are stored: each its own struct with a `format`. Core's types are mapped here.

use std::collections::BTreeMap;

use engine_core::approval::Matter;
use engine_core::desired::{Effect, ListenAddress, Override, Request, SessionSpec, WantedState};
use engine_core::ids::{Digest, Generation, Moment, NodeId, SessionId, SiteDigest};
use engine_core::observed::{EndRecord, InForce, Placed, Terms};
use engine_core::window::ChangeWindow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ports::{StoreError, Versioned};

/// The format of every record written by this version.
pub(super) const FORMAT: u32 = 1;

/// A record with its format.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Framed<T> {
    format: u32,
    #[serde(flatten)]
    record: T,
}

/// Why a record cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Newer(u32),
    Garbled(String),
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

fn encode<T: Serialize>(record: T) -> Result<Vec<u8>, Bad> {
    let framed = Framed { format: FORMAT, record };
    serde_json::to_vec(&framed).map_err(|error| Bad::Garbled(error.to_string()))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Bad> {
    let garbled = |error: serde_json::Error| Bad::Garbled(error.to_string());
    let FormatOnly { format } = serde_json::from_slice(bytes).map_err(garbled)?;
    if format > FORMAT {
        return Err(Bad::Newer(format));
    }
    let framed: Framed<T> = serde_json::from_slice(bytes).map_err(garbled)?;
    Ok(framed.record)
}

/// The record of a key, or why it is none, in words.
pub(super) fn decoded<T: DeserializeOwned>(key: &str, record: &Versioned) -> Result<T, String> {
    decode(&record.bytes).map_err(|bad| match bad {
        Bad::Newer(found) => format!(
            "record {key} has format {found}, this program knows {FORMAT}: it serves, and plans nothing"
        ),
        Bad::Garbled(how) => format!("record {key} cannot be read: {how}"),
    })
}

/// A record's bytes.
pub(super) fn encoded<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    encode(record).map_err(|bad| StoreError::Unknown {
        reason: match bad {
            Bad::Garbled(how) => how,
            Bad::Newer(format) => format!("format {format}"),
        },
    })
}

/// What a person has approved of a set of files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ApprovalRecord {
    /// Which set; none = of a time when sets were named by their numbers: then the one in force, if it has that.
    #[serde(default)]
    pub(super) site: Option<SiteDigest>,
    pub(super) generation: Generation,
    pub(super) matters: Vec<Matter>,
    /// The newest start of each session that it names.
    #[serde(default)]
    pub(super) starts: BTreeMap<SessionId, u32>,
}

/// An open change window.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WindowRecord {
    #[serde(flatten)]
    pub(super) window: ChangeWindow,
}

/// Where a node lets people in.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WwwRecord {
    #[serde(flatten)]
    pub(super) address: ListenAddress,
}

/// Which set of files is in force.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CurrentRecord {
    pub(super) generation: Generation,
}

/// An accepted set of files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SiteRecord {
    pub(super) generation: Generation,
    pub(super) digest: SiteDigest,
    pub(super) since: Moment,
    /// Names of the parts that it is made of.
    pub(super) parts: Vec<Digest>,
    /// The generation that acts until this one is approved; none = this one acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) acting: Option<Generation>,
}

impl SiteRecord {
    pub(super) fn mark(&self) -> InForce {
        InForce {
            generation: self.generation,
            digest: Some(self.digest),
            since: self.since,
            acting: self.acting,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NumberRecord {
    pub(super) n: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PlacementRecord {
    pub(super) n: u32,
    pub(super) node: NodeId,
    pub(super) at: Moment,
}

impl From<PlacementRecord> for Placed {
    fn from(record: PlacementRecord) -> Self {
        Placed { n: record.n, node: record.node, at: record.at }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndsRecord {
    pub(super) ends: Vec<EndRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TermsRecord {
    pub(super) terms: Terms,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PortRecord {
    pub(super) session: SessionId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HarmRecord {
    pub(super) at: Moment,
    pub(super) session: SessionId,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestRecord {
    pub(super) spec: SessionSpec,
    pub(super) template: String,
    pub(super) template_version: String,
    pub(super) ending: bool,
}

impl From<RequestRecord> for Request {
    fn from(record: RequestRecord) -> Self {
        Request {
            spec: std::sync::Arc::new(record.spec),
            template: record.template,
            template_version: record.template_version,
            ending: record.ending,
        }
    }
}

impl From<&Request> for RequestRecord {
    fn from(request: &Request) -> Self {
        Self {
            spec: SessionSpec::clone(&request.spec),
            template: request.template.clone(),
            template_version: request.template_version.clone(),
            ending: request.ending,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OverrideRecord {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) effect: EffectRecord,
    pub(super) owner: String,
    pub(super) reason: String,
    pub(super) at: Moment,
    pub(super) until: Option<Moment>,
}

/// What an override does; told apart by its fields, so that records of sessions read as they always did.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum EffectRecord {
    Session { session: SessionId, state: WantedState },
    Schedulable { node: NodeId, schedulable: bool },
    Weight { node: NodeId, weight: u32 },
    Drain { node: NodeId, drain: bool },
    Pin { generation: Generation },
    Pause { paused: bool },
}

impl From<EffectRecord> for Effect {
    fn from(record: EffectRecord) -> Self {
        match record {
            EffectRecord::Session { session, state } => Effect::SessionState { session, state },
            EffectRecord::Schedulable { node, schedulable } => {
                Effect::Schedulable { node, schedulable }
            }
            EffectRecord::Weight { node, weight } => Effect::Weight { node, weight },
            EffectRecord::Drain { node, .. } => Effect::Drain { node },
            EffectRecord::Pin { generation } => Effect::Pin { generation },
            EffectRecord::Pause { .. } => Effect::Pause,
        }
    }
}

impl From<&Effect> for EffectRecord {
    fn from(effect: &Effect) -> Self {
        match effect.clone() {
            Effect::SessionState { session, state } => EffectRecord::Session { session, state },
            Effect::Schedulable { node, schedulable } => {
                EffectRecord::Schedulable { node, schedulable }
            }
            Effect::Weight { node, weight } => EffectRecord::Weight { node, weight },
            Effect::Drain { node } => EffectRecord::Drain { node, drain: true },
            Effect::Pin { generation } => EffectRecord::Pin { generation },
            Effect::Pause => EffectRecord::Pause { paused: true },
        }
    }
}

impl From<OverrideRecord> for Override {
    fn from(record: OverrideRecord) -> Self {
        let OverrideRecord { id, effect, owner, reason, at, until } = record;
        Override { id, effect: effect.into(), owner, reason, at, until }
    }
}

impl From<&Override> for OverrideRecord {
    fn from(given: &Override) -> Self {
        let Override { id, effect, owner, reason, at, until } = given.clone();
        Self { id, effect: EffectRecord::from(&effect), owner, reason, at, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_reads_back_and_old_records_of_sessions_too() {
        let node = || "n1".parse::<NodeId>().unwrap();
        let session = "demo".parse::<SessionId>().unwrap();
        let stop = Effect::SessionState { session, state: WantedState::Stopped };
        for effect in [
            stop.clone(),
            Effect::Schedulable { node: node(), schedulable: false },
            Effect::Drain { node: node() },
            Effect::Weight { node: node(), weight: 0 },
            Effect::Pause,
            Effect::Pin { generation: Generation(3) },
        ] {
            let given = Override::new(effect, "root", "disk full", Moment(5), Some(Moment(9)));
            let bytes = encode(OverrideRecord::from(&given)).unwrap();
            let again: OverrideRecord = decode(&bytes).unwrap();
            assert_eq!(Override::from(again), given);
        }
        let old = br#"{"format":1,"id":"stop-demo","session":"demo","state":"stopped","owner":"root","reason":"","at":5,"until":null}"#;
        let old: OverrideRecord = decode(old).unwrap();
        assert_eq!(Override::from(old), Override::new(stop, "root", "", Moment(5), None));
    }
}
