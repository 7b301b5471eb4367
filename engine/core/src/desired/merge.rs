//! Files with people's requests and overrides on top.
//!
//! A declared session wins over a requested one of the same id; a command that contradicts a file is
//! an override, with an owner, a reason and an end, and never silent.

use std::sync::Arc;

use super::{Desired, SessionSpec, WantedState};
use crate::ids::{Moment, SessionId};
use crate::known::Known;

/// A session that a person asked for; it keeps the resolved spec of its template.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What was asked for, resolved.
    pub spec: Arc<SessionSpec>,
    /// The template it came from.
    pub template: String,
    /// The template's version then.
    pub template_version: String,
    /// Whether the person has asked for its end.
    pub ending: bool,
}

/// A command that hides a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Who asked.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub at: Moment,
    /// Until when; none = until it is cleared.
    pub until: Option<Moment>,
}

impl Override {
    /// Whether it is still in force.
    #[must_use]
    pub fn in_force(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What an override does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Whether a declared session should run.
    SessionState {
        /// Which.
        session: SessionId,
        /// What it should be instead.
        state: WantedState,
    },
}

/// Puts requests and overrides on top of what the files ask for.
#[must_use]
pub fn merge(
    mut desired: Desired,
    requests: &[Request],
    overrides: &[Override],
    now: Moment,
) -> Desired {
    if let Some(waiting) = desired.waiting.take() {
        let waiting = merge(Arc::unwrap_or_clone(waiting), requests, overrides, now);
        desired.waiting = Some(Arc::new(waiting));
    }
    for request in requests {
        let id = &request.spec.id;
        if desired.sessions.things.contains_key(id) {
            continue;
        }
        let spec = if request.ending {
            let mut spec = SessionSpec::clone(&request.spec);
            spec.state = WantedState::Stopped;
            spec.ending = true;
            spec.state_by = Some("asked to end".to_owned());
            Arc::new(spec)
        } else {
            Arc::clone(&request.spec)
        };
        desired.sessions.things.insert(id.clone(), Known::Present(spec));
    }
    for given in overrides.iter().filter(|given| given.in_force(now)) {
        let Effect::SessionState { session, state } = &given.effect;
        let command = format!("{} by {}", given.id, given.owner);
        match desired.sessions.things.get_mut(session) {
            Some(Known::Present(spec)) => {
                let spec = Arc::make_mut(spec);
                spec.state = *state;
                spec.state_by = Some(command);
            }
            // Nobody can say what it should be, but that a person wants its end is clear.
            _ if *state == WantedState::Stopped => {
                desired.told_to_stop.insert(session.clone(), command);
            }
            _ => {}
        }
    }
    desired
}
