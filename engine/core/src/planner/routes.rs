//! Phase: routes. Every live session has one, whoever asks for it; nothing unknown loses one.

use std::collections::{BTreeMap, BTreeSet};

use super::sessions::{Found, on_here};
use super::{Draft, Input, seen};
use crate::desired::Access;
use crate::ids::{Incarnation, SessionId};
use crate::observed::{IncarnationSeen, Phase};
use crate::plan::{Action, Impact, RouteSpec};

pub(super) fn plan_routes(input: &Input<'_>, draft: &mut Draft) {
    let mut wanted = BTreeMap::new();
    let mut ids: BTreeSet<&SessionId> = input.observed.routes.keys().collect();
    ids.extend(input.observed.incarnations.keys().map(|incarnation| &incarnation.session));
    for id in ids {
        if let Some(route) = route_of(input, id) {
            wanted.insert(id.clone(), route);
        }
    }
    for (id, route) in &wanted {
        if input.observed.routes.get(id) == Some(route) {
            draft.plan.unchanged.routes += 1;
            continue;
        }
        let what = if route.ready { "answers" } else { "is starting" };
        draft.step(
            format!("route/{}", route.incarnation),
            on_here(input),
            Action::SetRoute(Box::new(route.clone())),
            Impact::None,
            seen(format!("{} {what}", route.incarnation)),
        );
    }
    for id in input.observed.routes.keys().filter(|id| !wanted.contains_key(*id)) {
        draft.step(
            format!("unroute/{id}"),
            on_here(input),
            Action::DropRoute { session: id.clone() },
            Impact::None,
            seen(why_none(input, id)),
        );
    }
}

/// Why a session has no route here any more.
fn why_none(input: &Input<'_>, id: &SessionId) -> String {
    match Found::of(input, id).live.last() {
        Some((incarnation, seen)) => format!("{incarnation} runs on {}", seen.node),
        None => format!("{id} does not run"),
    }
}

/// The route that a session should have.
fn route_of(input: &Input<'_>, id: &SessionId) -> Option<RouteSpec> {
    let found = Found::of(input, id);
    let before = input.observed.routes.get(id);
    if found.unknown.is_some() {
        // Absence of an answer is not absence of the thing: its route stays as it is.
        return before.cloned();
    }
    match found.live.last() {
        Some((incarnation, seen)) => match seen.phase {
            Phase::Ending { .. } => {
                before.filter(|route| &route.incarnation == *incarnation).cloned()
            }
            // A session of another node has its route there; node-to-node relays come with nodes.
            _ if seen.node != input.observed.node => None,
            _ => Some(route_to(input, incarnation, seen)),
        },
        None => {
            // It may be one of those that a silent launcher does not tell of.
            let keep = found.over.is_empty() && input.observed.is_anything_silent();
            before.filter(|_| keep).cloned()
        }
    }
}

fn route_to(input: &Input<'_>, incarnation: &Incarnation, found: &IncarnationSeen) -> RouteSpec {
    let spec = input.desired.sessions.get(&incarnation.session);
    let before = input.observed.routes.get(&incarnation.session);
    let access = match (spec, before) {
        // What runs is the account's that it runs as, whatever files ask for by now.
        (Some(spec), _) => Access {
            owner: spec.access.owner.as_ref().map(|_| found.launch.user.clone()),
            ..spec.access.clone()
        },
        (None, Some(before)) => before.access.clone(),
        (None, None) => Access { owner: Some(found.launch.user.clone()), ..Access::default() },
    };
    let display_name = match (spec, before) {
        (Some(spec), _) => spec.display_name.clone(),
        (None, Some(before)) => before.display_name.clone(),
        (None, None) => incarnation.session.to_string(),
    };
    RouteSpec {
        incarnation: incarnation.clone(),
        socket_dir: found.socket_dir.clone(),
        socket: found.socket.clone(),
        uid: found.uid,
        base: found.launch.base,
        access,
        ready: matches!(found.phase, Phase::Ready),
        display_name,
        workbench: found.launch.workbench.clone(),
    }
}
