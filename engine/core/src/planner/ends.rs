//! Phase: sessions that are over. How each ended is written down, then what is left of it is removed; the
//! next round decides what follows.

use super::sessions::{Found, session};
use super::{Draft, Input, seen};
use crate::ids::{Incarnation, SessionId};
use crate::observed::{EndRecord, Exit, IncarnationSeen};
use crate::plan::{Action, Impact, On, WaitingOn};

/// An incarnation that was routed to, and of which nothing is left: it ended, and no record tells how.
pub(super) fn vanished(
    input: &Input<'_>,
    id: &SessionId,
    found: &Found<'_>,
) -> Option<Incarnation> {
    let placed = input.observed.records.present()?.placements.get(id)?;
    let route = input.observed.routes.get(id)?;
    let gone = found.live.is_empty() && found.over.is_empty();
    let was_it = route.incarnation.n == placed.n && placed.node == input.observed.node;
    (gone && was_it).then(|| route.incarnation.clone())
}

pub(super) fn forget_vanished(draft: &mut Draft, input: &Input<'_>, incarnation: Incarnation) {
    let how = "it is gone and left no exit record".to_owned();
    let because = seen(format!("{incarnation}: {how}"));
    let end = EndRecord { at: input.now, failed: true, asked: false, how, of: None };
    let id = format!("forget/{incarnation}");
    let action = Action::Forget { incarnation, end };
    draft.step(id, On::Node(input.observed.node.clone()), action, Impact::None, because);
}

/// Writes an end down and removes what is left: the next round decides what follows from it.
pub(super) fn forget(
    input: &Input<'_>,
    draft: &mut Draft,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
    exit: &Exit,
) {
    let Some(records) = input.observed.records.present() else {
        let reason = "the store cannot be written".to_owned();
        let because = seen(exit.to_string());
        let waiting = WaitingOn::Unknown { reason };
        draft.hold(
            session(&incarnation.session),
            "is written down as ended",
            waiting,
            Impact::None,
            because,
            None,
        );
        return;
    };
    // A start that never answered was written down when it was told to end: that is its end.
    let ends = records.ends.get(&incarnation.session);
    let written = ends
        .and_then(|ends| ends.last())
        .filter(|end| exit.asked && !end.asked && end.at >= found.started_at);
    let end = match written {
        Some(end) => end.clone(),
        None => EndRecord { of: Some(found.digest), ..EndRecord::from(exit) },
    };
    draft.step(
        format!("forget/{incarnation}"),
        On::Node(found.node.clone()),
        Action::Forget { incarnation: incarnation.clone(), end },
        Impact::None,
        seen(format!("{incarnation} is over: {exit}")),
    );
}
