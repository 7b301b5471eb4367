//! What people asked for by commands: requested sessions, and overrides of files.

use engine_core::desired::{Effect, Override, Request};
use engine_core::ids::SessionId;

use super::{Ledger, encoded, wire};
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

    /// Writes an override down, in place of an older one of the same id.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_override(&mut self, given: &Override) -> Result<(), StoreError> {
        self.put(keys::override_of(&given.id), &wire::OverrideRecord::from(given))?;
        self.overrides.retain(|other| other.id != given.id);
        self.overrides.push(given.clone());
        Ok(())
    }

    /// Clears every override of a session.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn clear_overrides_of(&mut self, session: &SessionId) -> Result<(), StoreError> {
        let of = |given: &Override| {
            let Effect::SessionState { session: other, .. } = &given.effect;
            other == session
        };
        let ids: Vec<String> =
            self.overrides.iter().filter(|given| of(given)).map(|given| given.id.clone()).collect();
        for id in ids {
            self.remove(keys::override_of(&id))?;
            self.overrides.retain(|given| given.id != id);
        }
        Ok(())
    }
}
