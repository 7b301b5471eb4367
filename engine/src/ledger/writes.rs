//! What steps write before they act: prepared one by one, written as one group with one flush.
//!
//! Each is a commit of its own, with its own answer: of a group some may be refused. One that begins from a record
//! which an earlier one of the group writes would conflict: who makes the group keeps them apart.

use engine_core::ids::{GatewayId, Incarnation, Moment, NodeId, SessionId};
use engine_core::observed::{EndRecord, Placed, Terms};
use engine_core::predict::push_end;

use super::wire::{self, encoded};
use super::{BRAKE_WINDOW, Ledger};
use crate::ports::{Batch, StoreError};
use crate::store::keys;

/// One commit, and what becomes of the records once it is durable.
pub struct Write {
    batch: Batch,
    then: Box<dyn FnOnce(&mut Ledger)>,
}

impl Write {
    /// The records that it was made from: they must not have changed.
    pub fn begins_from(&self) -> impl Iterator<Item = &str> {
        self.batch.expect.iter().map(|(key, _)| key.as_str())
    }

    /// The records that it writes or removes.
    pub fn records(&self) -> impl Iterator<Item = &str> {
        let put = self.batch.put.iter().map(|(key, _)| key);
        put.chain(&self.batch.remove).map(String::as_str)
    }

    fn new(batch: Batch, then: impl FnOnce(&mut Ledger) + 'static) -> Self {
        Self { batch, then: Box::new(then) }
    }
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.batch.fmt(f)
    }
}

impl Ledger {
    /// Writes all of them with one flush, and says of each what became of it: somebody else was first, or the
    /// store cannot be written.
    pub fn write(&mut self, writes: Vec<Write>) -> Vec<Result<(), StoreError>> {
        let batches: Vec<Batch> = writes.iter().map(|write| write.batch.clone()).collect();
        let results = self.store.commit_all(&batches);
        let follow = |(Write { batch, then }, result)| {
            self.took(batch, result)?;
            then(self);
            Ok(())
        };
        writes.into_iter().zip(results).map(follow).collect()
    }

    /// Takes an incarnation's number and writes the intent to start it on a node.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn placing(
        &self,
        incarnation: &Incarnation,
        node: &NodeId,
        now: Moment,
    ) -> Result<Write, StoreError> {
        let Incarnation { session, n } = incarnation.clone();
        let (number, placement) = (keys::number(&session), keys::placement(&session));
        let placed = Placed { n, node: node.clone(), at: now };
        let record = wire::PlacementRecord { n, node: placed.node.clone(), at: placed.at };
        let batch = Batch {
            expect: self.expect([&number, &placement]),
            put: vec![
                (number, encoded(&wire::NumberRecord { n })?),
                (placement, encoded(&record)?),
            ],
            remove: Vec::new(),
        };
        Ok(Write::new(batch, move |ledger| {
            ledger.records.numbers.insert(session.clone(), n);
            ledger.records.placements.insert(session, placed);
        }))
    }

    /// Writes a failure down.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn failing(&self, session: &SessionId, end: EndRecord) -> Result<Write, StoreError> {
        let (ends, bytes) = self.ends_with(session, end)?;
        let key = keys::ends(session);
        let expect = self.expect([&key]);
        let session = session.clone();
        let batch = Batch { expect, put: vec![(key, bytes)], remove: Vec::new() };
        Ok(Write::new(batch, move |ledger| {
            ledger.records.ends.insert(session, ends);
        }))
    }

    /// Writes an incarnation's end down and drops its intent.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn ending(&self, incarnation: &Incarnation, end: EndRecord) -> Result<Write, StoreError> {
        let Incarnation { session, n } = incarnation.clone();
        let (ends, bytes) = self.ends_with(&session, end)?;
        let mut batch = Batch {
            expect: self.expect([&keys::ends(&session)]),
            put: vec![(keys::ends(&session), bytes)],
            remove: Vec::new(),
        };
        let placed = self.records.placements.get(&session).is_some_and(|placed| placed.n == n);
        if placed {
            batch.expect.extend(self.expect([&keys::placement(&session)]));
            batch.remove.push(keys::placement(&session));
        }
        // A number that the world knows and the store does not (it was lost) is taken for good.
        let new = self.records.numbers.get(&session).is_none_or(|known| *known < n);
        if new {
            batch.put.push((keys::number(&session), encoded(&wire::NumberRecord { n })?));
        }
        Ok(Write::new(batch, move |ledger| {
            let records = &mut ledger.records;
            records.ends.insert(session.clone(), ends);
            if new {
                records.numbers.insert(session.clone(), n);
            }
            if placed {
                records.placements.remove(&session);
            }
        }))
    }

    /// Drops what is remembered of a session; its number stays.
    #[must_use]
    pub fn retiring(&self, session: &SessionId) -> Write {
        let remove = vec![
            keys::placement(session),
            keys::ends(session),
            keys::terms(session),
            keys::request(session),
        ];
        let session = session.clone();
        let batch = Batch { expect: Vec::new(), put: Vec::new(), remove };
        Write::new(batch, move |ledger| {
            ledger.records.placements.remove(&session);
            ledger.records.ends.remove(&session);
            ledger.records.terms.remove(&session);
            ledger.requests.retain(|request| request.spec.id != session);
        })
    }

    /// Remembers what a session's file says of its end.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn remembering(&self, session: &SessionId, terms: &Terms) -> Result<Write, StoreError> {
        let key = keys::terms(session);
        let bytes = encoded(&wire::TermsRecord { terms: terms.clone() })?;
        let (session, terms) = (session.clone(), terms.clone());
        let expect = self.expect([&key]);
        let batch = Batch { expect, put: vec![(key, bytes)], remove: Vec::new() };
        Ok(Write::new(batch, move |ledger| {
            ledger.records.terms.insert(session, terms);
        }))
    }

    /// Gives a gateway's port to a session, if nobody has it.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn leasing(
        &self,
        gateway: &GatewayId,
        port: u16,
        session: &SessionId,
    ) -> Result<Write, StoreError> {
        let key = keys::port_lease(gateway, port);
        let bytes = encoded(&wire::PortRecord { session: session.clone() })?;
        let expect = vec![(key.clone(), None)];
        let (gateway, session) = (gateway.clone(), session.clone());
        let batch = Batch { expect, put: vec![(key, bytes)], remove: Vec::new() };
        Ok(Write::new(batch, move |ledger| {
            ledger.records.leases.insert((gateway, port), session);
        }))
    }

    /// Takes a gateway's port back.
    #[must_use]
    pub fn releasing(&self, gateway: &GatewayId, port: u16) -> Write {
        let remove = vec![keys::port_lease(gateway, port)];
        let gateway = gateway.clone();
        let batch = Batch { expect: Vec::new(), put: Vec::new(), remove };
        Write::new(batch, move |ledger| {
            ledger.records.leases.remove(&(gateway, port));
        })
    }

    /// Writes down that a change of files hurts a session, and drops what does not count any more; where it cannot
    /// be written nobody may be hurt.
    ///
    /// # Errors
    /// The record cannot be made.
    pub fn harming(&self, session: &SessionId, now: Moment) -> Result<Write, StoreError> {
        let old = self.harmed.iter().filter(|(at, _)| now.since(*at) > BRAKE_WINDOW);
        let record = wire::HarmRecord { at: now, session: session.clone() };
        let batch = Batch {
            expect: Vec::new(),
            put: vec![(keys::harmed(now, session), encoded(&record)?)],
            remove: old.map(|(at, session)| keys::harmed(*at, session)).collect(),
        };
        let session = session.clone();
        Ok(Write::new(batch, move |ledger| {
            ledger.harmed.retain(|(at, _)| now.since(*at) <= BRAKE_WINDOW);
            ledger.harmed.push((now, session));
        }))
    }

    /// A session's ends with one more, and as they are stored.
    fn ends_with(
        &self,
        session: &SessionId,
        end: EndRecord,
    ) -> Result<(Vec<EndRecord>, Vec<u8>), StoreError> {
        let mut ends = self.records.ends.get(session).cloned().unwrap_or_default();
        push_end(&mut ends, end);
        let bytes = encoded(&wire::EndsRecord { ends: ends.clone() })?;
        Ok((ends, bytes))
    }
}
