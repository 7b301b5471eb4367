//! What people asked for by commands: requested sessions, and overrides of files.

use engine_core::desired::{Effect, Override, Request};
use engine_core::ids::SessionId;

use super::Ledger;
use super::wire::{self, encoded};
use crate::ports::{Batch, StoreError};
use crate::store::keys;

impl Ledger {
    /// Writes a person's request down.
    ///
    /// # Errors
    /// There is one of this id already, or the store cannot be written.
    pub fn put_request(&mut self, request: Request) -> Result<(), StoreError> {
        let key = keys::request(&request.spec.id);
        let bytes = encoded(&wire::RequestRecord::from(&request))?;
        let expect = vec![(key.clone(), None)];
        self.commit(Batch { expect, put: vec![(key, bytes)], remove: Vec::new() })?;
        self.requests.push(request);
        Ok(())
    }

    /// Marks a request as ending; false if there is none of this id.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn end_request(&mut self, session: &SessionId) -> Result<bool, StoreError> {
        let at = self.requests.iter().position(|request| &request.spec.id == session);
        let Some(at) = at else { return Ok(false) };
        let mut request = self.requests[at].clone();
        request.ending = true;
        self.put(keys::request(session), &wire::RequestRecord::from(&request))?;
        self.requests[at] = request;
        Ok(true)
    }

    /// Writes an override down, in place of what it replaces; drops those whose time is over.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_override(&mut self, given: &Override) -> Result<(), StoreError> {
        let gone =
            |other: &Override| given.effect.replaces(&other.effect) || !other.in_force(given.at);
        let key = keys::override_of(&given.id);
        let bytes = encoded(&wire::OverrideRecord::from(given))?;
        let removed = self.overrides.iter().filter(|other| gone(other));
        let removed = removed.map(|other| keys::override_of(&other.id)).filter(|old| *old != key);
        let batch =
            Batch { expect: Vec::new(), remove: removed.collect(), put: vec![(key, bytes)] };
        self.commit(batch)?;
        self.overrides.retain(|other| !gone(other));
        self.overrides.push(given.clone());
        Ok(())
    }

    /// Clears every override that one with this effect would replace; how many there were.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn clear_replaced(&mut self, effect: &Effect) -> Result<usize, StoreError> {
        self.clear_where(|given| effect.replaces(&given.effect))
    }

    /// Clears an override; false if there is none of this id.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn clear_override(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(self.clear_where(|given| given.id == id)? > 0)
    }

    fn clear_where(&mut self, gone: impl Fn(&Override) -> bool) -> Result<usize, StoreError> {
        let removed = self.overrides.iter().filter(|given| gone(given));
        let remove: Vec<String> = removed.map(|given| keys::override_of(&given.id)).collect();
        let count = remove.len();
        if count > 0 {
            self.commit(Batch { expect: Vec::new(), put: Vec::new(), remove })?;
            self.overrides.retain(|given| !gone(given));
        }
        Ok(count)
    }
}
