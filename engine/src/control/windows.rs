//! Answers to `change begin`, `end` and `list`, and what stands on disk while a window is open.

use std::sync::Arc;

use engine_core::ids::Moment;
use engine_core::site::SiteFiles;
use engine_core::window::TTL;
use grammar::value::Millis;

use super::Control;
use crate::admin::protocol::{Answer, DiffSide, Request};
use crate::admin::rights::Peer;

/// Opens a window; without a name it has the name of who asks.
pub(super) fn begin(
    control: &mut Control,
    peer: &Peer,
    id: Option<&str>,
    ttl_ms: Option<u64>,
    now: Moment,
) -> Result<Answer, String> {
    let ledger = control.reconciler.ledger();
    let (id, ttl) = (id.unwrap_or(&peer.name), ttl_ms.map_or(TTL, Millis));
    let window = ledger.windows().begin(id, &peer.name, ttl, now);
    let window = window.map_err(|error| error.to_string())?;
    ledger.put_window(window.clone()).map_err(|error| crate::chain(&error))?;
    Ok(Answer::Windows { windows: vec![window] })
}

/// Ends a window: the files are read anew, and judged.
pub(super) fn end(control: &mut Control, id: Option<&str>, now: Moment) -> Result<Answer, String> {
    let ledger = control.reconciler.ledger();
    let window = ledger.windows().end(id, now).map_err(|error| error.to_string())?.clone();
    ledger.end_window(&window.id).map_err(|error| crate::chain(&error))?;
    control.intake.look_again(now);
    Ok(Answer::Windows { windows: vec![window] })
}

/// The windows that are open.
pub(super) fn list(control: &mut Control, now: Moment) -> Answer {
    let open = control.reconciler.ledger().windows().open(now);
    Answer::Windows { windows: open.cloned().collect() }
}

/// The files on disk, as read last. Where a window keeps them from being read they were read for who asks
/// ([`needs_look`]).
pub(super) fn on_disk(control: &Control) -> Option<Arc<SiteFiles>> {
    control.intake.latest().cloned()
}

/// Whether a request is of the files on disk and nobody has read them since a window was opened: it waits for a look.
pub(super) fn needs_look(control: &mut Control, request: &Request, now: Moment) -> bool {
    let of_disk = match request {
        Request::Plan { site, pending, .. } => site.is_none() && !pending,
        Request::Apply { plan, .. } => plan.is_some(),
        Request::Diff { from, to, .. } => {
            [from, to].into_iter().any(|side| matches!(side, DiffSide::Disk))
        }
        _ => false,
    };
    of_disk && control.reconciler.ledger().windows().held_until(now).is_some()
}

/// What is said to who asked for the files on disk and has waited for them long enough: since when they are read.
pub(super) fn still_looking(since: Option<Moment>, now: Moment) -> Answer {
    let spent = since.map_or_else(String::new, |since| format!(" for {}", now.since(since)));
    let message = format!(
        "the files have been read{spent}, and what they say is not known yet; ask again, or see `wharf status`"
    );
    Answer::Error { message, denied: false }
}
