//! Whether each record of a store can be read, and whether those of accepted files belong together: what `state check`
//! says of a store, and `state import` before it makes one.
//!
//! Reads values, and no store. Read next: [`super::wire`].

use std::collections::{BTreeMap, BTreeSet};

use engine_core::doctor::{Finding, Verdict};
use engine_core::ids::{Digest, Generation};
use engine_core::observed::Records;
use serde::de::DeserializeOwned;

use super::wire::{self, Bad};
use super::{Seal, of_sessions};
use crate::ports::Versioned;
use crate::store::keys;

/// A store's records, looked at one by one.
#[derive(Debug, Default)]
pub struct Audit {
    /// How many there are of each kind.
    pub counts: BTreeMap<&'static str, usize>,
    /// What is wrong, and that accepted files can be read.
    pub findings: Vec<Finding>,
    /// What the store knows of sessions, as far as it can be read.
    pub records: Records,
    /// The generation in force.
    pub generation: Option<Generation>,
}

/// What the kind of sealed parts is called in [`Audit::counts`].
pub const PARTS: &str = "parts of generations";

/// Whether the bytes of one kind can be read.
type Reads = fn(&[u8]) -> Result<(), Bad>;

/// What a key begins with (all of it, without a `/` at its end), what people call its kind, and how it is read.
const KINDS: [(&str, &str, Reads); 14] = [
    (keys::SITE_CURRENT, "generation in force", reads::<wire::CurrentRecord>),
    (keys::SITE_HISTORY, "generations", reads::<wire::SiteRecord>),
    (keys::SITE_PARTS, PARTS, |_| Ok(())),
    (keys::NUMBERS, "start numbers", reads::<wire::NumberRecord>),
    (keys::PLACEMENTS, "placements", reads::<wire::PlacementRecord>),
    (keys::ENDS, "sessions with ends", reads::<wire::EndsRecord>),
    (keys::TERMS, "terms of sessions", reads::<wire::TermsRecord>),
    (keys::PORT_LEASES, "gateway ports", reads::<wire::PortRecord>),
    (keys::REQUESTS, "requests of people", reads::<wire::RequestRecord>),
    (keys::OVERRIDES, "overrides", reads::<wire::OverrideRecord>),
    (keys::HARMED, "sessions hurt lately", reads::<wire::HarmRecord>),
    (keys::APPROVAL, "approval", reads::<wire::ApprovalRecord>),
    (keys::WINDOWS, "change windows", reads::<wire::WindowRecord>),
    (keys::WWW, "listening nodes", reads::<wire::WwwRecord>),
];

fn reads<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), Bad> {
    wire::decode::<T>(bytes).map(drop)
}

/// Looks at records, ordered by key. `seal` opens accepted files; without it they are only counted.
#[must_use]
pub fn audit(records: &[(String, Versioned)], seal: Option<&Seal>) -> Audit {
    let mut audit = Audit::default();
    for (key, record) in records {
        let kind = KINDS.iter().find(|(prefix, ..)| match prefix.strip_suffix('/') {
            Some(_) => key.starts_with(prefix),
            None => key == prefix,
        });
        let Some((_, kind, reads)) = kind else {
            let text = "no record of a kind that this program knows";
            let help = "a newer program wrote it, or it is none of ours; it is left as it is";
            audit.findings.push(Finding::new(shown(key), Verdict::Degraded, text).help(help));
            continue;
        };
        *audit.counts.entry(kind).or_default() += 1;
        match reads(&record.bytes) {
            Ok(()) => {}
            // The engine can do without one: told of all of them, by [`generations`].
            Err(_) if key.starts_with(keys::SITE_HISTORY) => {}
            Err(Bad::Newer(found)) => {
                let text = format!("has format {found}; this program knows {}", wire::FORMAT);
                let help = "run the program that wrote it: this one would serve, and plan nothing";
                audit.findings.push(Finding::new(shown(key), Verdict::Failed, text).help(help));
            }
            Err(Bad::Garbled(how)) => {
                let text = format!("cannot be read: {how}");
                let help = "with it in the store the engine serves, and plans nothing";
                audit.findings.push(Finding::new(shown(key), Verdict::Failed, text).help(help));
            }
        }
    }
    audit.generation = current(records);
    audit.records = known(records);
    let generations = generations(records, seal, audit.generation);
    audit.findings.extend(generations);
    audit
}

/// A key as it may be printed: no line of a message is made by it.
fn shown(key: &str) -> String {
    let text: String = key.chars().take(80).flat_map(char::escape_debug).collect();
    format!("record {text}")
}

fn current(records: &[(String, Versioned)]) -> Option<Generation> {
    let at = records.binary_search_by(|(key, _)| key.as_str().cmp(keys::SITE_CURRENT)).ok()?;
    wire::decode::<wire::CurrentRecord>(&records[at].1.bytes).ok().map(|record| record.generation)
}

/// What can be read of sessions; a record that cannot was complained about already.
fn known(records: &[(String, Versioned)]) -> Records {
    let mut known = Records::default();
    let readable: Vec<(String, Versioned)> = records
        .iter()
        .filter(|(key, record)| {
            key.starts_with(keys::NUMBERS) && reads::<wire::NumberRecord>(&record.bytes).is_ok()
                || key.starts_with(keys::PLACEMENTS)
                    && reads::<wire::PlacementRecord>(&record.bytes).is_ok()
        })
        .cloned()
        .collect();
    let numbers = of_sessions::<wire::NumberRecord>(&readable, keys::NUMBERS).unwrap_or_default();
    known.numbers.extend(numbers.into_iter().map(|(session, record)| (session, record.n)));
    let placed = of_sessions::<wire::PlacementRecord>(&readable, keys::PLACEMENTS);
    let placed = placed.unwrap_or_default().into_iter();
    known.placements.extend(placed.map(|(session, record)| (session, record.into())));
    known
}

/// Whether every accepted set is whole and can be opened.
fn generations(
    records: &[(String, Versioned)],
    seal: Option<&Seal>,
    current: Option<Generation>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut parts: BTreeMap<Digest, bool> = BTreeMap::new();
    for (key, record) in records {
        if let Some(name) = key.strip_prefix(keys::SITE_PARTS)
            && let Ok(name) = Digest::try_from(name.to_owned())
        {
            parts.insert(name, seal.is_none_or(|seal| seal.open(&record.bytes).is_some()));
        }
    }
    let mut needed: BTreeSet<Digest> = BTreeSet::new();
    let mut kept = BTreeSet::new();
    let mut unread = Unread::default();
    for (key, record) in records.iter().filter(|(key, _)| key.starts_with(keys::SITE_HISTORY)) {
        let site = match wire::decode::<wire::SiteRecord>(&record.bytes) {
            Ok(site) => site,
            Err(bad) => {
                unread.count(&bad);
                continue;
            }
        };
        kept.insert(site.generation);
        needed.extend(&site.parts);
        let lost = site.parts.iter().filter(|name| !parts.contains_key(name)).count();
        let sealed = site.parts.iter().filter(|name| parts.get(name) == Some(&false)).count();
        let text = match (lost, sealed) {
            (0, 0) => continue,
            (0, sealed) => {
                format!("{sealed} of its parts cannot be opened with this instance's key")
            }
            (lost, _) => format!("{lost} of its parts are missing"),
        };
        let help = "it cannot act again; the files on disk come into force anew";
        let area = format!("generation {}", site.generation);
        out.push(Finding::new(area, Verdict::Failed, text).help(help).at(shown(key)));
    }
    if let Some(current) = current.filter(|current| !kept.contains(current)) {
        let text = "is in force and is not kept";
        let area = format!("generation {current}");
        let help = "the files on disk come into force anew when the engine starts";
        out.push(Finding::new(area, Verdict::Failed, text).help(help));
    }
    unread.tell(&mut out);
    let idle = parts.keys().filter(|name| !needed.contains(name)).count();
    // Whose parts they are is not known as long as something cannot be read.
    if idle > 0 && unread == Unread::default() {
        let text = format!("{idle} parts belong to no generation that is kept");
        let help = "they take room and do no harm";
        out.push(Finding::new("generations", Verdict::Note, text).help(help));
    }
    if out.is_empty() && !kept.is_empty() {
        let kept = kept.len();
        let (verdict, text) = match (seal, parts.is_empty()) {
            (Some(_), _) => (Verdict::Ok, format!("{kept} kept, each whole, and can be opened")),
            (None, true) => (Verdict::Ok, format!("{kept} kept, each whole, without any part")),
            (None, false) => {
                (Verdict::Unknown, format!("{kept} kept, each whole, not opened: no key"))
            }
        };
        out.push(Finding::new("generations", verdict, text));
    }
    out
}

/// Generations whose records cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unread {
    garbled: usize,
    newer: usize,
}

impl Unread {
    fn count(&mut self, bad: &Bad) {
        match bad {
            Bad::Garbled(_) => self.garbled += 1,
            Bad::Newer(_) => self.newer += 1,
        }
    }

    fn tell(&self, out: &mut Vec<Finding>) {
        let Self { garbled, newer } = *self;
        if garbled > 0 {
            let text = format!("{garbled} cannot be read, and can neither act nor be pinned");
            let help = "the engine leaves them out, and removes them once `[history] keep` others are newer";
            out.push(Finding::new("generations", Verdict::Degraded, text).help(help));
        }
        if newer > 0 {
            let text =
                format!("{newer} were written by a newer program: they are left as they are");
            let help = "run that program to have them back; nothing that they may need is removed";
            out.push(Finding::new("generations", Verdict::Note, text).help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Version;

    fn said(records: &[(&str, &str)], seal: Option<&Seal>) -> Vec<String> {
        let mut records: Vec<(String, Versioned)> = records
            .iter()
            .map(|(key, text)| {
                let bytes = text.as_bytes().to_vec();
                ((*key).to_owned(), Versioned { version: Version(1), bytes })
            })
            .collect();
        records.sort_by(|a, b| a.0.cmp(&b.0));
        let findings = audit(&records, seal).findings;
        findings
            .iter()
            .map(|of| format!("{} {}: {}", of.verdict.word(), of.area, of.text))
            .collect()
    }

    #[test]
    fn what_can_be_read_is_counted_and_what_cannot_is_named() {
        let lines = said(
            &[
                ("number/a", r#"{"format":1,"n":3}"#),
                ("number/b", "{"),
                ("number/c", r#"{"format":7,"new":true}"#),
                ("strange/x\n", "x"),
            ],
            None,
        );
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("FAIL record number/b: cannot be read: EOF"), "{lines:?}");
        assert_eq!(lines[1], "FAIL record number/c: has format 7; this program knows 1");
        assert_eq!(
            lines[2],
            r"warn record strange/x\n: no record of a kind that this program knows"
        );
    }

    #[test]
    fn generations_that_cannot_be_read_are_counted_and_no_damage_of_the_rest() {
        let part = format!("site/part/{}", "1".repeat(64));
        let lines = said(
            &[
                ("site/history/00000000000000000001", "{"),
                ("site/history/00000000000000000002", r#"{"format":1,"generation":2}"#),
                ("site/history/00000000000000000003", r#"{"format":2,"new":true}"#),
                (part.as_str(), "sealed"),
            ],
            None,
        );
        assert_eq!(
            lines,
            [
                "warn generations: 2 cannot be read, and can neither act nor be pinned",
                "note generations: 1 were written by a newer program: they are left as they are",
            ]
        );
    }

    #[test]
    fn a_generation_is_whole_only_with_all_its_parts_and_the_key() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let site = format!(
            r#"{{"format":1,"generation":4,"digest":"{one}","since":5,"parts":["{one}","{two}"]}}"#
        );
        let current = ("site/current", r#"{"format":1,"generation":4}"#);
        let history = ("site/history/00000000000000000004", site.as_str());
        let (first, second) = (format!("site/part/{one}"), format!("site/part/{two}"));
        let both = [current, history, (first.as_str(), "sealed"), (second.as_str(), "sealed")];
        assert_eq!(said(&both, None), ["? generations: 1 kept, each whole, not opened: no key"]);
        let other_key = Seal::new(&[7; 32]);
        assert_eq!(
            said(&both, Some(&other_key)),
            ["FAIL generation 4: 2 of its parts cannot be opened with this instance's key"]
        );
        assert_eq!(said(&both[..3], None), ["FAIL generation 4: 1 of its parts are missing"]);
        let alone = [current, both[2]];
        assert_eq!(
            said(&alone, None),
            [
                "FAIL generation 4: is in force and is not kept",
                "note generations: 1 parts belong to no generation that is kept"
            ]
        );
    }
}
