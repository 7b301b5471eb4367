//! The store's records as the loop uses them: read once, kept in step with every commit.
//!
//! Every write is compare-and-swap on what was read, acknowledged after its flush, and only then
//! visible here. A store that cannot be written makes the records Unknown: starts are held, traffic goes on.

mod approvals;
pub mod audit;
mod listening;
mod parts;
mod people;
mod seal;
mod sites;
mod windows;
mod wire;
mod writes;

use parts::RunNames;
pub use seal::Seal;
use sites::Decoded;
pub use sites::Saved;
pub use writes::Write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use engine_core::approval::Approval;
use engine_core::desired::{ListenAddress, Override, Request};
use engine_core::ids::{Generation, Moment, NodeId, SessionId};
use engine_core::known::Known;
use engine_core::observed::Records;
use engine_core::window::ChangeWindows;
use grammar::value::Millis;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::{Batch, Store, StoreError, Version, Versioned};
use crate::store::keys;
use wire::{decoded, encoded};

/// How long a node holds the site's lease without renewing it.
const LEASE: Millis = Millis(15_000);
/// It is renewed once this much of it is over.
const RENEW_AFTER: Millis = Millis(5_000);
/// Harm within this time counts together.
const BRAKE_WINDOW: Millis = Millis(engine_core::planner::BRAKE_WINDOW_MS);
/// What is read of the store: everything but the sets of files themselves.
const READ: [&str; 12] = [
    keys::SITE_CURRENT,
    keys::NUMBERS,
    keys::PLACEMENTS,
    keys::ENDS,
    keys::TERMS,
    keys::PORT_LEASES,
    keys::REQUESTS,
    keys::OVERRIDES,
    keys::HARMED,
    keys::APPROVAL,
    keys::WINDOWS,
    keys::WWW,
];
/// The lease's name.
const SITE_LEASE: &str = "site";

/// The records, in step with the store.
pub struct Ledger {
    store: Arc<dyn Store>,
    seal: Seal,
    records: Records,
    requests: Vec<Request>,
    overrides: Vec<Override>,
    harmed: Vec<(Moment, SessionId)>,
    approval: Approval,
    /// The stored approval that is over since its set was replaced, until it is removed.
    approval_over: Option<Version>,
    windows: ChangeWindows,
    www: BTreeMap<NodeId, ListenAddress>,
    versions: BTreeMap<String, Version>,
    last_generation: Generation,
    run_names: RunNames,
    decoded: Decoded,
    /// Whether every part of a stored set that was looked for was there and could be opened.
    parts_are_whole: AtomicBool,
    problem: Option<(Moment, String)>,
    /// Whether what is here may differ from what is stored: it is read again before the next use.
    stale: bool,
    lease: Option<Moment>,
    now: Moment,
    /// Whether others write to the store, too: then it is read again each round.
    shared: bool,
}

impl Ledger {
    /// Reads everything. A store that cannot be read is no error: its records are Unknown until it can.
    #[must_use]
    pub fn open(store: Arc<dyn Store>, seal: Seal, now: Moment) -> Self {
        let mut ledger = Self {
            store,
            seal,
            records: Records::default(),
            requests: Vec::new(),
            overrides: Vec::new(),
            harmed: Vec::new(),
            approval: Approval::default(),
            approval_over: None,
            windows: ChangeWindows::default(),
            www: BTreeMap::new(),
            versions: BTreeMap::new(),
            last_generation: Generation(0),
            run_names: RunNames::default(),
            decoded: Decoded::default(),
            parts_are_whole: AtomicBool::new(true),
            problem: None,
            stale: true,
            lease: None,
            now,
            shared: false,
        };
        ledger.refresh();
        ledger
    }

    /// Says that other nodes write to the same store.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// The records, or why they cannot be used.
    pub fn records(&mut self, now: Moment) -> Known<Records> {
        self.now = now;
        self.refresh();
        match &self.problem {
            Some((since, reason)) => Known::Unknown { since: *since, reason: reason.clone() },
            None => Known::Present(self.records.clone()),
        }
    }

    /// Why the store cannot be used, if so.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|(_, reason)| reason.clone())
    }

    /// What people asked for.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Commands that hide a line of a file; those whose time is over too.
    #[must_use]
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The highest generation ever given.
    #[must_use]
    pub fn last_generation(&self) -> Generation {
        self.last_generation
    }

    /// Takes or keeps the site's lease for this node; false while another node has it, or nobody knows.
    pub fn hold_site(&mut self, node: &NodeId, now: Moment) -> bool {
        self.now = now;
        // The beginning of a round: what others wrote meanwhile is read.
        self.stale |= self.shared;
        let fresh = self.lease.is_some_and(|taken| taken <= now && now.since(taken) < RENEW_AFTER);
        if fresh && self.problem.is_none() {
            return true;
        }
        match self.store.lease(SITE_LEASE, node.as_str(), now, LEASE) {
            Ok(_) => {
                self.lease = Some(now);
                self.problem = None;
                true
            }
            Err(StoreError::Held { .. }) => {
                self.lease = None;
                self.problem = None;
                false
            }
            Err(error) => {
                self.failed(&error);
                self.lease = None;
                false
            }
        }
    }

    /// Sessions hurt by changes of files within the time that counts together.
    pub fn harmed(&mut self, now: Moment) -> Vec<(Moment, SessionId)> {
        self.now = now;
        self.refresh();
        self.harmed.iter().filter(|(at, _)| now.since(*at) <= BRAKE_WINDOW).cloned().collect()
    }

    /// Forgets a session's ends, so that it starts again whatever they were.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn clear_ends(&mut self, session: &SessionId) -> Result<(), StoreError> {
        self.remove(keys::ends(session))?;
        self.records.ends.remove(session);
        Ok(())
    }

    fn put<T: Serialize>(&mut self, key: String, record: &T) -> Result<(), StoreError> {
        let bytes = encoded(record)?;
        let expect = self.expect([&key]);
        self.commit(Batch { expect, put: vec![(key, bytes)], remove: Vec::new() })
    }

    fn remove(&mut self, key: String) -> Result<(), StoreError> {
        self.commit(Batch { expect: Vec::new(), put: Vec::new(), remove: vec![key] })
    }

    /// The versions that were read of these keys.
    fn expect<const N: usize>(&self, keys: [impl AsRef<str>; N]) -> Vec<(String, Option<Version>)> {
        keys.into_iter()
            .map(|key| {
                let key = key.as_ref();
                (key.to_owned(), self.versions.get(key).copied())
            })
            .collect()
    }

    /// Writes; what is here follows only what was acknowledged.
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let result = self.store.commit(&batch);
        self.took(batch, result)
    }

    /// Follows what the store said of a batch.
    fn took(
        &mut self,
        batch: Batch,
        result: Result<Version, StoreError>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(version) => {
                for (key, _) in batch.put {
                    self.versions.insert(key, version);
                }
                for key in batch.remove {
                    self.versions.remove(&key);
                }
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }

    fn failed(&mut self, error: &StoreError) {
        // Whatever went wrong, what is stored may be something else than what is here.
        self.stale = true;
        if matches!(error, StoreError::Conflict { .. } | StoreError::Held { .. }) {
            return;
        }
        let since = self.problem.as_ref().map_or(self.now, |(since, _)| *since);
        self.problem = Some((since, crate::chain(error)));
    }

    /// Reads everything again, if what is here may be stale.
    fn refresh(&mut self) {
        if !self.stale {
            return;
        }
        match self.read() {
            Ok(()) => {
                self.stale = false;
            }
            Err(reason) => {
                let since = self.problem.as_ref().map_or(self.now, |(since, _)| *since);
                self.problem = Some((since, reason));
            }
        }
    }

    fn read(&mut self) -> Result<(), String> {
        // Sets of files are not needed here, and are the bulk of a store.
        let mut all = Vec::new();
        for prefix in READ {
            all.extend(self.store.scan(prefix).map_err(|error| crate::chain(&error))?);
        }
        self.versions = all.iter().map(|(key, record)| (key.clone(), record.version)).collect();
        let mut records = Records::default();
        for (session, number) in of_sessions::<wire::NumberRecord>(&all, keys::NUMBERS)? {
            records.numbers.insert(session, number.n);
        }
        for (session, placed) in of_sessions::<wire::PlacementRecord>(&all, keys::PLACEMENTS)? {
            records.placements.insert(session, placed.into());
        }
        for (session, ends) in of_sessions::<wire::EndsRecord>(&all, keys::ENDS)? {
            records.ends.insert(session, ends.ends);
        }
        for (session, terms) in of_sessions::<wire::TermsRecord>(&all, keys::TERMS)? {
            records.terms.insert(session, terms.terms);
        }
        for (key, record) in below(&all, keys::PORT_LEASES) {
            let Some(port) = keys::parse_port_lease(key) else { continue };
            records.leases.insert(port, decoded::<wire::PortRecord>(key, record)?.session);
        }
        let requests = of_sessions::<wire::RequestRecord>(&all, keys::REQUESTS)?;
        self.requests = requests.into_iter().map(|(_, record)| record.into()).collect();
        self.overrides = below(&all, keys::OVERRIDES)
            .map(|(key, record)| Ok(decoded::<wire::OverrideRecord>(key, record)?.into()))
            .collect::<Result<_, String>>()?;
        self.harmed = below(&all, keys::HARMED)
            .map(|(key, record)| {
                let record = decoded::<wire::HarmRecord>(key, record)?;
                Ok((record.at, record.session))
            })
            .collect::<Result<_, String>>()?;
        self.read_approval(&all)?;
        self.read_windows(&all)?;
        self.read_www(&all)?;
        // A set may have been approved and not stored: its number is not given again.
        self.last_generation = self.last_generation.max(self.approval.generation);
        let current = all.iter().find(|(key, _)| key == keys::SITE_CURRENT);
        if let Some((key, record)) = current {
            let current: wire::CurrentRecord = decoded(key, record)?;
            self.last_generation = self.last_generation.max(current.generation);
        }
        self.records = records;
        Ok(())
    }
}

fn below<'a>(
    all: &'a [(String, Versioned)],
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Versioned)> {
    all.iter()
        .filter(move |(key, _)| key.starts_with(prefix))
        .map(|(key, record)| (key.as_str(), record))
}

fn of_sessions<T: DeserializeOwned>(
    all: &[(String, Versioned)],
    prefix: &str,
) -> Result<Vec<(SessionId, T)>, String> {
    below(all, prefix)
        .filter_map(|(key, record)| {
            let session = keys::parse_session(prefix, key)?;
            Some(decoded(key, record).map(|record| (session, record)))
        })
        .collect()
}
