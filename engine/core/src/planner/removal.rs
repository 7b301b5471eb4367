//! Phase: sessions that nobody asks for any more.

use super::found::Found;
use super::sessions::{end_step, session};
use super::{Draft, Harm, Input, seen};
use crate::desired::OnRemoval;
use crate::ids::{Incarnation, SessionId};
use crate::observed::{IncarnationSeen, Phase, Terms};
use crate::plan::{Action, Because, EndPurpose, Impact, On, WaitingOn};

pub(super) fn plan_removal(
    input: &Input<'_>,
    draft: &mut Draft,
    id: &SessionId,
    newest: Option<(&Incarnation, &IncarnationSeen)>,
    found: &Found<'_>,
) {
    match newest {
        Some(_) if !input.desired.sessions.managed => {
            // A missing directory is "not managed": nothing ends.
            draft.plan.unchanged.sessions += 1;
        }
        Some((incarnation, seen)) => end_removed(input, draft, incarnation, seen),
        None if found.over.is_empty() && input.desired.sessions.managed => {
            retire(input, draft, id);
        }
        None => {}
    }
}

/// A live session whose file is gone.
fn end_removed(
    input: &Input<'_>,
    draft: &mut Draft,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
) {
    let id = &incarnation.session;
    let resource = session(id);
    if matches!(found.phase, Phase::Ending { .. }) {
        let waiting = WaitingOn::InFlight { what: "end".to_owned() };
        let because = seen(format!("{incarnation} is ending"));
        draft.hold(resource, "ends", waiting, Impact::None, because, None);
        return;
    }
    let Terms { on_removal, stop } = terms_of(input, found, id);
    let because = vec![Because::FileRemoved { file: format!("sessions.d/{id}.toml").into() }];
    match on_removal {
        OnRemoval::Keep => {
            let waiting = WaitingOn::Pinned { reason: "its on-removal is \"keep\"".to_owned() };
            draft.hold(resource, "ends", waiting, Impact::Ended, because, None);
            draft.plan.unchanged.sessions += 1;
        }
        OnRemoval::WhenIdle => {
            draft.hold(resource, "ends", WaitingOn::Idle, Impact::Ended, because, None);
            draft.plan.unchanged.sessions += 1;
        }
        OnRemoval::Stop => {
            let purpose = EndPurpose::Removed;
            let step = end_step(incarnation, found, stop, purpose, Impact::Ended, because);
            draft.harms.push(Harm { resource, step, wanted: "ends" });
        }
    }
}

/// A live session without a usable file that a person has told to stop: no delay, whatever its file would say.
pub(super) fn end_told(
    input: &Input<'_>,
    draft: &mut Draft,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
    command: &str,
) {
    let id = &incarnation.session;
    if matches!(found.phase, Phase::Ending { .. }) {
        let waiting = WaitingOn::InFlight { what: "end".to_owned() };
        let because = seen(format!("{incarnation} is ending"));
        draft.hold(session(id), "ends", waiting, Impact::None, because, None);
        return;
    }
    let Terms { stop, .. } = terms_of(input, found, id);
    let because = vec![Because::Person { what: command.to_owned() }];
    let purpose = EndPurpose::Stopped;
    draft.plan.steps.push(end_step(incarnation, found, stop, purpose, Impact::Ended, because));
}

/// On which terms it runs: as last remembered, else as it was started.
fn terms_of(input: &Input<'_>, found: &IncarnationSeen, id: &SessionId) -> Terms {
    let records = input.observed.records.present();
    let terms = records.and_then(|records| records.terms.get(id)).cloned();
    terms.unwrap_or_else(|| found.terms.clone())
}

/// Drops what is remembered of a session that is over and that nobody asks for.
pub(super) fn retire(input: &Input<'_>, draft: &mut Draft, id: &SessionId) {
    let Some(records) = input.observed.records.present() else { return };
    let placed = records.placements.get(id).map(|placed| &placed.node);
    let elsewhere = placed.is_some_and(|node| *node != input.observed.node);
    if elsewhere || input.observed.is_anything_silent() {
        // It may live where this node does not see it.
        return;
    }
    // Only the node that was to start it knows that it did not.
    let on = placed.map_or(On::Site, |node| On::Node(node.clone()));
    let remembered = records.placements.contains_key(id)
        || records.terms.contains_key(id)
        || records.ends.contains_key(id);
    if remembered {
        draft.step(
            format!("retire/{id}"),
            on,
            Action::Retire { session: id.clone() },
            Impact::None,
            seen(format!("{id} is over and nobody asks for it")),
        );
    }
}
