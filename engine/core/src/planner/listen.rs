//! Phase: where the site listens.

use super::{Draft, Input};
use crate::desired::{Desired, ListenAddress, ListenerId, Mode};
use crate::incumbent::HeldPort;
use crate::known::Known;
use crate::observed::Observed;
use crate::plan::{Action, Because, Impact, On, Resource, WaitingOn};

/// An address that was refused is tried again after this long, in milliseconds: it may have become free.
pub(super) const RETRY_MS: u64 = 30_000;

/// The product that holds the port of its own files, where this engine is asked to serve them: it is left
/// alone, and until it gives the port up there is nothing to do but to observe (product.md §3).
#[must_use]
pub fn in_the_way<'a>(desired: &Desired, observed: &'a Observed) -> Option<&'a HeldPort> {
    let wanted = desired.listen.as_ref().filter(|_| desired.mode == Mode::Serve)?;
    let ours = observed.listeners.get(&ListenerId::Www).and_then(Known::present);
    let found = observed.incumbent.present().filter(|found| found.of_this_site)?;
    if ours == Some(wanted) { None } else { found.holder(wanted.port) }
}

/// What is said while the product is in the way. Not tried again and again: the next look at it tells.
#[must_use]
pub fn in_the_way_words(held: &HeldPort) -> String {
    let HeldPort { port, pid, program } = held;
    format!(
        "{port} is held by {program} (pid {pid}), the product this directory belongs to. Observing only; \
         to serve beside it set [listen] in wharf.toml"
    )
}

/// Holds the listener back while the product has its port.
pub(super) fn hold_for_incumbent(input: &Input<'_>, draft: &mut Draft, held: &HeldPort) {
    let Some(wanted) = &input.desired.listen else { return };
    let waiting = WaitingOn::Problem { reason: in_the_way_words(held) };
    let resource = Resource::Listener(ListenerId::Www);
    let what = format!("listens on {wanted}");
    draft.hold(resource, &what, waiting, Impact::None, causes(input), None);
}

/// Mode `observe`: nobody is let in, as after a start in that mode; who is connected stays connected.
pub(super) fn close_all(input: &Input<'_>, draft: &mut Draft) {
    for (listener, known) in &input.observed.listeners {
        if known.present().is_some() {
            unlisten(input, draft, listener, input.origins.because_exactly("mode", "mode"));
        }
    }
}

/// Paused: traffic goes on, also where the engine itself was started again meanwhile. What listens stays as it is, and
/// what was open before is opened there again, wherever newer files say; those that say nowhere wait, too. A port that
/// the product has is not opened.
pub(super) fn keep_open(input: &Input<'_>, draft: &mut Draft, held: Option<&HeldPort>) {
    if is_open(input, &ListenerId::Www) {
        return;
    }
    let before = input.observed.records.present().and_then(|records| records.www.as_ref());
    let wanted = input.desired.listen.as_ref();
    let may_be = |address: &&ListenAddress| held.is_none_or(|held| held.port != address.port);
    if let Some(address) = before.or(wanted).filter(may_be) {
        let because = if wanted == Some(address) {
            causes(input)
        } else {
            vec![Because::Seen { what: format!("{address} was open before") }]
        };
        bind(input, draft, ListenerId::Www, address, because);
    }
}

/// Whether something listens for it, wherever.
pub(super) fn is_open(input: &Input<'_>, listener: &ListenerId) -> bool {
    input.observed.listeners.get(listener).is_some_and(|known| known.present().is_some())
}

pub(super) fn plan_www(input: &Input<'_>, draft: &mut Draft) {
    let listener = ListenerId::Www;
    match (&input.desired.listen, input.observed.listeners.get(&listener)) {
        (Some(wanted), seen) => {
            if seen.and_then(|known| known.present()) == Some(wanted) {
                return;
            }
            bind(input, draft, listener, wanted, causes(input));
        }
        (None, Some(seen)) if seen.present().is_some() => {
            unlisten(input, draft, &listener, causes(input));
        }
        (None, _) => {}
    }
}

/// Every line that says where to listen, or whether at all, those that are gone included.
fn causes(input: &Input<'_>) -> Vec<Because> {
    let lines = |what: &str| input.origins.because_exactly(what, "www-port");
    let all = ["listen/www-address", "listen/www-port", "mode"].into_iter().flat_map(lines);
    let found: Vec<Because> = all.filter(|cause| cause.place().is_some()).collect();
    if found.is_empty() { lines("listen/www-port") } else { found }
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
            let before = input.observed.listeners.get(&listener).and_then(Known::present);
            let stays =
                before.map(|before| format!("; {} stays open", before.port)).unwrap_or_default();
            let reason = format!("waits for port {} ({}){stays}", wanted.port, refusal.reason);
            let waiting = WaitingOn::Problem { reason };
            let what = match before {
                Some(before) => format!("{before} -> {wanted}"),
                None => format!("listens on {wanted}"),
            };
            draft.hold(resource, &what, waiting, Impact::None, because, None);
            return;
        }
    }
    draft.step(
        format!("listen/{}/{wanted}", of(&listener)),
        On::Node(input.observed.node.clone()),
        Action::Listen { listener, address: wanted.clone() },
        Impact::None,
        because,
    );
}

/// Closes a listener.
pub(super) fn unlisten(
    input: &Input<'_>,
    draft: &mut Draft,
    listener: &ListenerId,
    because: Vec<Because>,
) {
    let id = match listener {
        ListenerId::Www => "unlisten/www".to_owned(),
        ListenerId::Gateway { gateway, port } => format!("unlisten/{gateway}/{port}"),
    };
    let on = On::Node(input.observed.node.clone());
    let action = Action::Unlisten { listener: listener.clone() };
    draft.step(id, on, action, Impact::None, because);
}

/// Whose listener it is, for ids of steps.
fn of(listener: &ListenerId) -> &str {
    match listener {
        ListenerId::Www => "www",
        ListenerId::Gateway { gateway, .. } => gateway.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::desired::{Desired, Mode, Origins};
    use crate::ids::{Digest, Moment, SiteDigest};
    use crate::incumbent::{Found, FoundService, Service};
    use crate::observed::{Observed, Records};
    use crate::planner::plan;

    fn found(trusted: bool, of_this_site: bool) -> Known<Arc<Found>> {
        let server = FoundService {
            program: "rserver".to_owned(),
            service: Service::Server,
            pid: 812,
            since: Moment(0),
            user: "root".to_owned(),
            trusted,
        };
        Known::Present(Arc::new(Found {
            looked_at: Moment(0),
            version: Known::Absent,
            services: vec![server],
            sessions: Known::Absent,
            nodes: Known::Absent,
            health: Known::Absent,
            metrics: Known::Absent,
            jobs: std::collections::BTreeMap::new(),
            ports: vec![HeldPort { port: 8787, pid: 812, program: "rserver".to_owned() }],
            of_this_site,
        }))
    }

    #[test]
    fn only_the_product_of_these_files_is_waited_for_and_only_by_who_would_serve_them() {
        let listen = |port| ListenAddress { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port };
        let unknown = Known::Unknown { since: Moment(0), reason: String::new() };
        for (mode, port, incumbent, ours, waits) in [
            (Mode::Serve, 8787, found(true, true), false, true),
            (Mode::Serve, 8788, found(true, true), false, false),
            (Mode::Serve, 8787, found(false, true), false, false),
            (Mode::Serve, 8787, found(true, false), false, false),
            (Mode::Serve, 8787, found(true, true), true, false),
            (Mode::Beside, 8787, found(true, true), false, false),
            (Mode::Serve, 8787, Known::Absent, false, false),
            (Mode::Serve, 8787, unknown, false, false),
        ] {
            let listen = listen(port);
            let desired = Desired { mode, listen: Some(listen.clone()), ..Desired::default() };
            let mut observed = Observed::empty("n1".parse().unwrap());
            if ours {
                observed.listeners.insert(ListenerId::Www, Known::Present(listen));
            }
            let case = format!("{mode} {port} {ours} {incumbent:?}");
            observed.incumbent = incumbent;
            assert_eq!(in_the_way(&desired, &observed).is_some(), waits, "{case}");
        }
    }

    /// Whether an engine that nothing listens for yet opens the site's listener.
    fn opens(change: impl Fn(&mut Desired, &mut Observed)) -> bool {
        let listen = Some(ListenAddress { ip: [127, 0, 0, 1].into(), port: 8787 });
        let mut desired = Desired { listen, mode: Mode::Serve, ..Desired::default() };
        let mut observed = Observed::empty("n1".parse().expect("a node"));
        observed.in_force.digest = Some(SiteDigest(Digest::of(b"")));
        change(&mut desired, &mut observed);
        let origins = Origins::default();
        let input =
            Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(0) };
        let plan = plan(&input);
        plan.steps.iter().any(|step| matches!(step.action, Action::Listen { .. }))
    }

    #[test]
    fn a_pause_lets_people_in_and_nothing_else_that_holds_the_engine_does() {
        assert!(opens(|_, _| {}));
        assert!(opens(|_, observed| observed.memory.paused = true));
        // Also where newer files do not: they wait like everything else.
        assert!(opens(|desired, observed| {
            observed.memory.paused = true;
            let open = desired.listen.take();
            observed.records = Known::Present(Records { www: open, ..Records::default() });
        }));
        assert!(!opens(|_, observed| observed.memory.pin_lost = true));
        assert!(!opens(|_, observed| {
            observed.memory.paused = true;
            observed.memory.pin_lost = true;
        }));
        assert!(!opens(|desired, observed| {
            observed.memory.paused = true;
            desired.mode = Mode::Observe;
        }));
        assert!(!opens(|_, observed| {
            observed.memory.paused = true;
            observed.in_force.digest = None;
        }));
    }

    #[test]
    fn a_pause_reopens_what_was_open_beside_the_product_and_never_a_port_that_it_has() {
        let opened = |before: Option<u16>, paused: bool| {
            opens(|desired, observed| {
                observed.memory.paused = paused;
                observed.incumbent = found(true, true);
                let open = desired.listen.as_ref().zip(before);
                let www = open.map(|(wanted, port)| ListenAddress { port, ..wanted.clone() });
                observed.records = Known::Present(Records { www, ..Records::default() });
            })
        };
        assert!(opened(Some(8790), true));
        assert!(!opened(Some(8787), true) && !opened(None, true));
        assert!(!opened(Some(8790), false), "not paused it only observes");
    }

    #[test]
    fn where_files_let_nothing_listen_only_what_is_open_is_closed() {
        let open = Known::Present(ListenAddress { ip: [127, 0, 0, 1].into(), port: 8787 });
        let unknown = Known::Unknown { since: Moment(0), reason: String::new() };
        for (seen, closes) in [
            (None, false),
            (Some(Known::Absent), false),
            (Some(unknown), false),
            (Some(open), true),
        ] {
            let desired = Desired { mode: Mode::Beside, listen: None, ..Desired::default() };
            let mut observed = Observed::empty("n1".parse().expect("a node"));
            observed.in_force.digest = Some(SiteDigest(Digest::of(b"")));
            observed.listeners.extend(seen.map(|seen| (ListenerId::Www, seen)));
            let origins = Origins::default();
            let input =
                Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(0) };
            let steps = plan(&input).steps;
            let closed = steps.iter().any(|step| matches!(step.action, Action::Unlisten { .. }));
            assert_eq!(closed, closes, "{:?}", observed.listeners);
        }
    }

    #[test]
    fn observing_closes_what_is_open_unless_a_person_or_a_lost_pin_holds_the_engine() {
        let closes = |change: fn(&mut Observed)| {
            let desired = Desired { mode: Mode::Observe, ..Desired::default() };
            let mut observed = Observed::empty("n1".parse().expect("a node"));
            observed.in_force.digest = Some(SiteDigest(Digest::of(b"")));
            let open = ListenAddress { ip: [127, 0, 0, 1].into(), port: 8787 };
            observed.listeners.insert(ListenerId::Www, Known::Present(open));
            change(&mut observed);
            let origins = Origins::default();
            let input =
                Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(0) };
            !plan(&input).steps.is_empty()
        };
        assert!(closes(|_| {}));
        assert!(!closes(|observed| observed.memory.paused = true));
        assert!(!closes(|observed| observed.memory.pin_lost = true));
        assert!(!closes(|observed| observed.in_force.digest = None));
    }
}
