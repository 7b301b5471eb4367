//! Phase: where the site listens.

use super::{Draft, Input};
use crate::desired::{ListenAddress, ListenerId};
use crate::plan::{Action, Because, Impact, On, Resource, WaitingOn};

/// An address that was refused is tried again after this long, in milliseconds: it may have become free.
pub(super) const RETRY_MS: u64 = 30_000;

pub(super) fn plan_www(input: &Input<'_>, draft: &mut Draft) {
    let listener = ListenerId::Www;
    let on = On::Node(input.observed.node.clone());
    match (&input.desired.listen, input.observed.listeners.get(&listener)) {
        (Some(wanted), seen) => {
            if seen.and_then(|known| known.present()) == Some(wanted) {
                return;
            }
            let because = input.origins.because("listen", "www-port");
            bind(input, draft, listener, wanted, because);
        }
        (None, Some(seen)) if seen.present().is_some() => {
            let because = input.origins.because("listen", "www-port");
            let id = format!("unlisten/{}", Resource::Listener(listener.clone()));
            draft.step(id, on, Action::Unlisten { listener }, Impact::None, because);
        }
        (None, _) => {}
    }
}

/// Listens, or says who holds the address.
pub(super) fn bind(
    input: &Input<'_>,
    draft: &mut Draft,
    listener: ListenerId,
    wanted: &ListenAddress,
    because: Vec<Because>,
) {
    let resource = Resource::Listener(listener.clone());
    if let Some(refusal) = input.observed.refused.get(wanted) {
        let again = refusal.at.plus(grammar::value::Millis(RETRY_MS));
        if input.now < again {
            let reason = format!("{wanted}: {}", refusal.reason);
            let waiting = WaitingOn::Problem { reason };
            draft.hold(resource, "listens", waiting, Impact::None, because, None);
            return;
        }
    }
    draft.step(
        format!("listen/{wanted}"),
        On::Node(input.observed.node.clone()),
        Action::Listen { listener, address: wanted.clone() },
        Impact::None,
        because,
    );
}
