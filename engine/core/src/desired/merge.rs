//! Files with people's requests and overrides on top.
//!
//! A declared session wins over a requested one of the same id; a command that contradicts a file is an
//! override. Read next: [`super::Override`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Desired, Effect, Override, Pinned, SessionSpec, WantedState};
use crate::ids::Moment;
use crate::known::Known;

/// A session that a person asked for; it keeps the resolved spec of its template. As JSON it is part of a recorded
/// round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        put(&mut desired, given);
    }
    desired
}

/// Puts one override on top.
fn put(desired: &mut Desired, given: &Override) {
    let command = given.command();
    match &given.effect {
        Effect::SessionState { session, state } => {
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
        Effect::Schedulable { node, schedulable } => {
            let told = desired.nodes_told.entry(node.clone()).or_default();
            told.new_sessions = Some((*schedulable, false, command));
        }
        Effect::Drain { node } => {
            let told = desired.nodes_told.entry(node.clone()).or_default();
            told.new_sessions = Some((false, true, command));
        }
        Effect::Weight { node, weight } => {
            let told = desired.nodes_told.entry(node.clone()).or_default();
            told.weight = Some((*weight, command));
        }
        // What is found is told apart from what is asked for: the planner is inert (`Memory::paused`).
        Effect::Pause => {}
        Effect::Pin { generation } => {
            let (generation, until) = (*generation, given.until);
            desired.pinned = Some(Pinned { generation, by: command, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_which_no_file_can_speak_may_be_told_to_stop_and_not_to_run() {
        let told = |state| {
            let session = "lab".parse().unwrap();
            let effect = Effect::SessionState { session, state };
            let given = Override::new(effect, "root", "why", Moment(0), None);
            merge(Desired::default(), &[], &[given], Moment(1)).told_to_stop
        };
        assert_eq!(told(WantedState::Running), [].into());
        let stopped = ("lab".parse().unwrap(), "stop-lab by root".to_owned());
        assert_eq!(told(WantedState::Stopped), [stopped].into());
    }
}
