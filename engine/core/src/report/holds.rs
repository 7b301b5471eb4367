//! What waits when all that can happen has happened, and which sessions run as once asked.

use std::collections::BTreeSet;

use super::{Held, Outdated, People};
use crate::desired::ListenerId;
use crate::forecast::Forecast;
use crate::ids::{Generation, SessionId};
use crate::known::Known;
use crate::observed::Observed;
use crate::plan::{Hold, HoldKind, Resource, WaitingOn};

/// What is held: standing holds at the end, and passing ones of things to which nothing happens.
pub(super) fn holds(
    forecast: &Forecast,
    people: &People<'_>,
    touched: &BTreeSet<&Resource>,
    observed: &Observed,
) -> (Vec<Held>, Vec<Outdated>) {
    let mut held = Vec::new();
    let mut outdated = Vec::new();
    for hold in &forecast.last().holds {
        let whose = people.get(&hold.resource);
        let workbench = whose.map(|(_, workbench)| workbench.to_string()).unwrap_or_default();
        if let (WaitingOn::NextStart { differs }, Resource::Session(id)) =
            (&hold.waiting_on, &hold.resource)
        {
            outdated.push(Outdated {
                session: id.clone(),
                workbench,
                differs: differs.clone(),
                generation: started_from(observed, id),
                because: hold.because.clone(),
                pending: false,
            });
            continue;
        }
        if hold.kind() == HoldKind::Passing && touched.contains(&hold.resource) {
            continue;
        }
        held.push(Held {
            user: people.user(&hold.resource),
            detail: workbench,
            note: rebinding(&hold.resource, hold, observed),
            hold: hold.clone(),
            pending: false,
        });
    }
    (held, outdated)
}

/// The generation whose files a session was started from.
fn started_from(observed: &Observed, id: &SessionId) -> Option<Generation> {
    let (_, newest) = observed.of_session(id).next_back()?;
    newest.present()?.generation
}

/// What becomes of those who are connected, where a listener waits to move.
fn rebinding(resource: &Resource, hold: &Hold, observed: &Observed) -> Option<String> {
    match (resource, &hold.waiting_on) {
        (Resource::Listener(listener), WaitingOn::Problem { .. }) => {
            connected(listener, observed).map(|connected| format!("when it goes: {connected}"))
        }
        _ => None,
    }
}

/// What becomes of those who are connected when the site's listener moves; none while nobody is.
pub(super) fn connected(listener: &ListenerId, observed: &Observed) -> Option<String> {
    if *listener != ListenerId::Www {
        return None;
    }
    let before = observed.listeners.get(listener).and_then(Known::present)?;
    let open: u64 = observed.connections.values().map(|count| u64::from(*count)).sum();
    let (connections, stay, they, close) = match open {
        0 => return None,
        1 => ("connection", "stays", "it", "closes"),
        _ => ("connections", "stay", "they", "close"),
    };
    Some(format!(
        "{open} open {connections} to sessions {stay} until {they} {close}; new ones on {} are refused",
        before.port
    ))
}
