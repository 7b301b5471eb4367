//! Phase: gateways. Each session that is to be published has one port, leased until it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sessions::{on_here, session};
use super::{Draft, Input, listen, seen};
use crate::desired::{GatewaySpec, ListenAddress, ListenerId, Publish, SessionSpec};
use crate::ids::{GatewayId, SessionId};
use crate::known::Known;
use crate::observed::Records;
use crate::plan::{Action, Because, Impact, On, Resource, WaitingOn};

type Leases = BTreeMap<(GatewayId, u16), SessionId>;

/// `published` are the sessions that are to have a port.
pub(super) fn plan_gateways(input: &Input<'_>, draft: &mut Draft, published: &BTreeSet<SessionId>) {
    let Some(records) = input.observed.records.present() else { return };
    let mut leases = records.leases.clone();
    // First what is given back: who waits for such a port gets it in the same round, and it stays open.
    release(input, draft, records, &mut leases);
    for id in published {
        let Some(spec) = input.desired.sessions.get(id) else { continue };
        if let Some(publish) = &spec.publish {
            lease(input, draft, &mut leases, id, spec, publish);
        }
    }
    lead(input, draft, &leases);
    listen_for(input, draft, &leases);
    let kept = input.desired.gateways.known();
    draft.plan.unchanged.gateways +=
        kept.filter(|(id, _)| leases.keys().any(|(gateway, _)| gateway == *id)).count();
}

/// Paused: each leased port that is closed is opened again and leads where it did; no port changes hands.
pub(super) fn keep_open(input: &Input<'_>, draft: &mut Draft) {
    let Some(records) = input.observed.records.present() else { return };
    for (key, session) in &records.leases {
        let (gateway, port) = key;
        let listener = ListenerId::Gateway { gateway: gateway.clone(), port: *port };
        let Some(spec) = input.desired.gateways.get(gateway) else { continue };
        if listen::is_open(input, &listener) {
            continue;
        }
        if !input.observed.leads.contains_key(key) {
            lead_to(input, draft, key, Some(session));
        }
        listen_on(input, draft, listener, gateway, &ListenAddress { ip: spec.ip, port: *port });
    }
}

/// Gives a session its port, if it has none yet.
fn lease(
    input: &Input<'_>,
    draft: &mut Draft,
    leases: &mut Leases,
    id: &SessionId,
    spec: &Arc<SessionSpec>,
    publish: &Publish,
) {
    let mut because = input.origins.because(&format!("session/{id}/publish"), "publish");
    because
        .extend(input.origins.because_exactly(&format!("gateway/{}", publish.gateway), "gateway"));
    let stays = |port: u16, gateway: &GatewaySpec| suits(publish, &publish.gateway, port, gateway);
    let mut own = leases.iter().filter(|((of, _), holder)| *holder == id && *of == publish.gateway);
    let known = input.desired.gateways.things.get(&publish.gateway);
    let Some(gateway) = known.and_then(Known::present) else {
        if own.next().is_some() {
            // Its gateway cannot be read or is not managed: the address stays its own.
            return;
        }
        let reason = match known.and_then(Known::unknown_reason) {
            Some(reason) => format!("gateway {}: {reason}", publish.gateway),
            None => format!("no gateway is called `{}`", publish.gateway),
        };
        let waiting = WaitingOn::Problem { reason };
        draft.hold(session(id), "is published", waiting, Impact::None, because, None);
        return;
    };
    if own.any(|((_, port), _)| stays(*port, gateway)) {
        return;
    }
    match free_port(input, leases, &publish.gateway, gateway, publish.port) {
        Ok(port) => {
            leases.insert((publish.gateway.clone(), port), id.clone());
            let action =
                Action::Lease { gateway: publish.gateway.clone(), port, session: id.clone() };
            let step = format!("lease/{}/{port}", publish.gateway);
            draft.step(step, On::Site, action, Impact::None, because);
        }
        Err(reason) => {
            let waiting = WaitingOn::Problem { reason };
            draft.hold(session(&spec.id), "is published", waiting, Impact::None, because, None);
        }
    }
}

/// Whether a leased port is one that a session still asks for and its gateway still has.
fn suits(publish: &Publish, of: &GatewayId, port: u16, gateway: &GatewaySpec) -> bool {
    of == &publish.gateway
        && publish.port.is_none_or(|wanted| wanted == port)
        && (gateway.first_port..=gateway.last_port).contains(&port)
}

/// Who else has a port on an address that overlaps a gateway's: another gateway, or the site itself.
fn other_holder(
    input: &Input<'_>,
    leases: &Leases,
    id: &GatewayId,
    gateway: &GatewaySpec,
    port: u16,
) -> Option<String> {
    let overlaps = |ip: std::net::IpAddr| {
        ip == gateway.ip || ip.is_unspecified() || gateway.ip.is_unspecified()
    };
    if let Some(site) = &input.desired.listen
        && site.port == port
        && overlaps(site.ip)
    {
        return Some("the site itself".to_owned());
    }
    let others = leases.keys().filter(|(other, of)| other != id && *of == port);
    let mut others =
        others.filter_map(|(other, _)| Some((other, input.desired.gateways.get(other)?)));
    others.find(|(_, spec)| overlaps(spec.ip)).map(|(other, _)| format!("gateway {other}"))
}

/// The port that was asked for, or the lowest that is neither leased nor refused.
fn free_port(
    input: &Input<'_>,
    leases: &Leases,
    id: &GatewayId,
    gateway: &GatewaySpec,
    wanted: Option<u16>,
) -> Result<u16, String> {
    let range = gateway.first_port..=gateway.last_port;
    if let Some(port) = wanted {
        if !range.contains(&port) {
            return Err(format!("port {port} is outside the range of gateway {id}"));
        }
        if let Some(holder) = leases.get(&(id.clone(), port)) {
            return Err(format!("port {port} of gateway {id} belongs to {holder}"));
        }
        if let Some(holder) = other_holder(input, leases, id, gateway, port) {
            return Err(format!("port {port} of gateway {id} belongs to {holder}"));
        }
        return Ok(port);
    }
    let refused =
        |port: u16| input.observed.refused.contains_key(&ListenAddress { ip: gateway.ip, port });
    let mut free = range
        .filter(|port| !leases.contains_key(&(id.clone(), *port)))
        .filter(|port| other_holder(input, leases, id, gateway, *port).is_none());
    free.find(|port| !refused(*port)).ok_or_else(|| format!("gateway {id} has no free port left"))
}

/// Takes ports back from sessions that are gone, or that are published elsewhere by now.
fn release(input: &Input<'_>, draft: &mut Draft, records: &Records, leases: &mut Leases) {
    for ((gateway, port), holder) in &records.leases {
        let spec = input.desired.sessions.things.get(holder);
        let because = match spec {
            Some(known) if known.is_unknown() => continue,
            Some(known) => {
                let publish = known.present().and_then(|spec| spec.publish.as_ref());
                let stays =
                    publish.filter(|publish| &publish.gateway == gateway).is_some_and(|publish| {
                        match input.desired.gateways.get(gateway) {
                            Some(spec) => suits(publish, gateway, *port, spec),
                            None => true,
                        }
                    });
                if stays {
                    continue;
                }
                release_causes(input, gateway, holder)
            }
            // The port stays until the session is removed; a live one has not been yet.
            None if is_live(input, holder) || !input.desired.sessions.managed => continue,
            None => seen(format!("{holder} is gone")),
        };
        leases.remove(&(gateway.clone(), *port));
        let action = Action::Release { gateway: gateway.clone(), port: *port };
        draft.step(format!("release/{gateway}/{port}"), On::Site, action, Impact::None, because);
    }
}

/// The lines that made a session's port another: its own, and its gateway's.
fn release_causes(input: &Input<'_>, gateway: &GatewayId, holder: &SessionId) -> Vec<Because> {
    let mut because =
        input.origins.because_exactly(&format!("session/{holder}/publish"), "publish");
    because.extend(input.origins.because_exactly(&format!("gateway/{gateway}"), "port-range"));
    because
}

fn is_live(input: &Input<'_>, id: &SessionId) -> bool {
    input.observed.of_session(id).any(|(_, known)| {
        known.is_unknown() || known.present().is_some_and(|seen| seen.phase.is_live())
    })
}

/// Leads every port to the session that has it, and those that nobody has nowhere.
fn lead(input: &Input<'_>, draft: &mut Draft, leases: &Leases) {
    let leads = &input.observed.leads;
    let ports: BTreeSet<_> = leads.keys().chain(leases.keys()).collect();
    for key in ports {
        let session = leases.get(key);
        if leads.get(key) == session {
            continue;
        }
        lead_to(input, draft, key, session);
    }
}

/// Leads a port to a session; none = nowhere.
fn lead_to(
    input: &Input<'_>,
    draft: &mut Draft,
    (gateway, port): &(GatewayId, u16),
    session: Option<&SessionId>,
) {
    let because = match session {
        Some(session) => seen(format!("port {port} of {gateway} is {session}'s")),
        None => seen(format!("port {port} of {gateway} is nobody's")),
    };
    draft.step(
        format!("lead/{gateway}/{port}"),
        on_here(input),
        Action::Lead { gateway: gateway.clone(), port: *port, session: session.cloned() },
        Impact::None,
        because,
    );
}

/// Listens on a port of a gateway.
fn listen_on(
    input: &Input<'_>,
    draft: &mut Draft,
    listener: ListenerId,
    gateway: &GatewayId,
    address: &ListenAddress,
) {
    let because = input.origins.because(&format!("gateway/{gateway}"), "gateway");
    listen::bind(input, draft, listener, address, because);
}

/// Listens on every leased port of a gateway that is asked for, and on no other.
fn listen_for(input: &Input<'_>, draft: &mut Draft, leases: &Leases) {
    let mut wanted = BTreeSet::new();
    for (gateway, port) in leases.keys() {
        let listener = ListenerId::Gateway { gateway: gateway.clone(), port: *port };
        let known = input.desired.gateways.things.get(gateway);
        if known.is_some_and(Known::is_unknown) || !input.desired.gateways.managed {
            wanted.insert(listener);
            continue;
        }
        let Some(spec) = input.desired.gateways.get(gateway) else { continue };
        let address = ListenAddress { ip: spec.ip, port: *port };
        wanted.insert(listener.clone());
        let open = input.observed.listeners.get(&listener).and_then(|known| known.present());
        if open != Some(&address) {
            listen_on(input, draft, listener, gateway, &address);
        }
    }
    let open = input.observed.listeners.iter().filter(|(_, known)| known.present().is_some());
    for (listener, _) in open.filter(|(listener, _)| !wanted.contains(listener)) {
        if let ListenerId::Gateway { gateway, port } = listener {
            close(input, draft, listener, gateway, *port, leases);
        }
    }
}

/// Closes a port that nobody asks for; a gateway whose sessions are connected refuses to go.
fn close(
    input: &Input<'_>,
    draft: &mut Draft,
    listener: &ListenerId,
    gateway: &GatewayId,
    port: u16,
    leases: &Leases,
) {
    let gone = input.desired.gateways.get(gateway).is_none();
    let holder = leases.get(&(gateway.clone(), port));
    let because = vec![Because::FileRemoved { file: format!("gateways.d/{gateway}.toml").into() }];
    let connected = holder
        .filter(|holder| input.observed.connections.get(*holder).is_some_and(|count| *count > 0));
    if let (true, Some(holder)) = (gone, connected) {
        let reason = format!("{holder} is connected on port {port}");
        let resource = Resource::Gateway(gateway.clone());
        let waiting = WaitingOn::Problem { reason };
        draft.hold(resource, "closes", waiting, Impact::None, because, None);
        return;
    }
    let because = if gone { because } else { seen(format!("port {port} is not leased")) };
    listen::unlisten(input, draft, listener, because);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leased_port_suits_whose_gateway_number_and_range_are_still_those_asked_for() {
        let id = |name: &str| -> GatewayId { name.parse().expect("a gateway") };
        let gateway = GatewaySpec {
            ip: [0, 0, 0, 0].into(),
            first_port: 10_000,
            last_port: 10_009,
            public_address: None,
            sign_in: true,
            allow_from: Vec::new(),
            disconnect_on_removal: false,
        };
        for (of, wanted, port, stays) in [
            ("lab", None, 10_000, true),
            ("lab", None, 10_009, true),
            ("lab", None, 10_010, false),
            ("lab", Some(10_003), 10_003, true),
            ("lab", Some(10_003), 10_004, false),
            ("lab", Some(9_999), 9_999, false),
            ("other", None, 10_000, false),
            ("other", Some(10_003), 10_003, false),
        ] {
            let publish = Publish { gateway: id("lab"), port: wanted };
            let suits = suits(&publish, &id(of), port, &gateway);
            assert_eq!(suits, stays, "{of} {wanted:?} {port}");
        }
    }
}
