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

/// A port of a gateway.
type Port = (GatewayId, u16);

type Leases = BTreeMap<Port, SessionId>;

/// Ports while they are leased.
struct Leasing<'a> {
    leases: Leases,
    /// The ports that a session had before, and still has.
    had: BTreeMap<&'a SessionId, Vec<&'a Port>>,
    /// No port of a gateway below this one is free: none becomes free while ports are leased.
    lowest: BTreeMap<GatewayId, u16>,
}

impl<'a> Leasing<'a> {
    /// `leases` are those of the records that are not given back.
    fn new(records: &'a Records, leases: Leases) -> Self {
        let mut had: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (port, holder) in records.leases.iter().filter(|(port, _)| leases.contains_key(*port)) {
            had.entry(holder).or_default().push(port);
        }
        Self { leases, had, lowest: BTreeMap::new() }
    }

    /// The ports of a gateway that a session had before.
    fn own(&self, id: &SessionId, gateway: &GatewayId) -> impl Iterator<Item = u16> {
        let ports = self.had.get(id).into_iter().flatten();
        ports.filter(move |(of, _)| of == gateway).map(|(_, port)| *port)
    }
}

/// `published` are the sessions that are to have a port.
pub(super) fn plan_gateways(input: &Input<'_>, draft: &mut Draft, published: &BTreeSet<SessionId>) {
    let Some(records) = input.observed.records.present() else { return };
    let mut leases = records.leases.clone();
    // First what is given back: who waits for such a port gets it in the same round, and it stays open.
    release(input, draft, records, &mut leases);
    let mut leasing = Leasing::new(records, leases);
    for id in published {
        let Some(spec) = input.desired.sessions.get(id) else { continue };
        if let Some(publish) = &spec.publish {
            lease(input, draft, &mut leasing, id, spec, publish);
        }
    }
    let leases = leasing.leases;
    lead(input, draft, &leases);
    listen_for(input, draft, &leases);
    let with_ports: BTreeSet<&GatewayId> = leases.keys().map(|(gateway, _)| gateway).collect();
    let kept = input.desired.gateways.known();
    draft.plan.unchanged.gateways += kept.filter(|(id, _)| with_ports.contains(id)).count();
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
    leasing: &mut Leasing<'_>,
    id: &SessionId,
    spec: &Arc<SessionSpec>,
    publish: &Publish,
) {
    let known = input.desired.gateways.things.get(&publish.gateway);
    let Some(gateway) = known.and_then(Known::present) else {
        if leasing.own(id, &publish.gateway).next().is_some() {
            // Its gateway cannot be read or is not managed: the address stays its own.
            return;
        }
        let reason = match known.and_then(Known::unknown_reason) {
            Some(reason) => format!("gateway {}: {reason}", publish.gateway),
            None => format!("no gateway is called `{}`", publish.gateway),
        };
        return not_published(input, draft, id, publish, reason);
    };
    let stays = |port: u16| suits(publish, &publish.gateway, port, gateway);
    if leasing.own(id, &publish.gateway).any(stays) {
        return;
    }
    match free_port(input, leasing, &publish.gateway, gateway, publish.port) {
        Ok(port) => {
            leasing.leases.insert((publish.gateway.clone(), port), id.clone());
            let action =
                Action::Lease { gateway: publish.gateway.clone(), port, session: id.clone() };
            let step = format!("lease/{}/{port}", publish.gateway);
            draft.step(step, On::Site, action, Impact::None, lease_causes(input, id, publish));
        }
        Err(reason) => not_published(input, draft, &spec.id, publish, reason),
    }
}

/// A session that is to have a port and gets none.
fn not_published(
    input: &Input<'_>,
    draft: &mut Draft,
    id: &SessionId,
    publish: &Publish,
    reason: String,
) {
    let because = lease_causes(input, id, publish);
    let waiting = WaitingOn::Problem { reason };
    draft.hold(session(id), "is published", waiting, Impact::None, because, None);
}

/// The lines by which a session is to have a port.
fn lease_causes(input: &Input<'_>, id: &SessionId, publish: &Publish) -> Vec<Because> {
    let mut because = input.origins.because(&format!("session/{id}/publish"), "publish");
    let gateway = format!("gateway/{}", publish.gateway);
    because.extend(input.origins.because_exactly(&gateway, "gateway"));
    because
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
    let mut others = input.desired.gateways.known().filter(|(other, spec)| {
        *other != id && overlaps(spec.ip) && leases.contains_key(&((*other).clone(), port))
    });
    others.next().map(|(other, _)| format!("gateway {other}"))
}

/// The port that was asked for, or the lowest that is neither leased nor refused.
fn free_port(
    input: &Input<'_>,
    leasing: &mut Leasing<'_>,
    id: &GatewayId,
    gateway: &GatewaySpec,
    wanted: Option<u16>,
) -> Result<u16, String> {
    let (leases, lowest) = (&leasing.leases, leasing.lowest.get(id));
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
    let first = lowest.map_or(gateway.first_port, |lowest| gateway.first_port.max(*lowest));
    let mut free = (first..=gateway.last_port)
        .filter(|port| !leases.contains_key(&(id.clone(), *port)))
        .filter(|port| other_holder(input, leases, id, gateway, *port).is_none());
    let found = free.find(|port| !refused(*port));
    leasing.lowest.insert(id.clone(), found.unwrap_or(u16::MAX));
    found.ok_or_else(|| format!("gateway {id} has no free port left"))
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
    use crate::ids::Moment;
    use crate::observed::PortRefusal;
    use crate::proof::tests::Site;

    /// A gateway of these ports on every address.
    fn ports(first_port: u16, last_port: u16) -> GatewaySpec {
        GatewaySpec {
            ip: [0, 0, 0, 0].into(),
            first_port,
            last_port,
            public_address: None,
            sign_in: true,
            allow_from: Vec::new(),
            disconnect_on_removal: false,
        }
    }

    #[test]
    fn each_session_gets_the_lowest_port_that_nobody_has_and_keeps_its_own() {
        let mut site = Site::at_rest();
        let id = |name: &str| -> SessionId { name.parse().expect("a session") };
        let gateway = |name: &str| -> GatewayId { name.parse().expect("a gateway") };
        let like = site.desired.sessions.things[&id("a")].present().expect("a session").clone();
        site.desired.sessions.things.clear();
        for (name, at, port) in [
            ("had", "lab", None),
            ("moved", "lab", Some(9002)),
            ("new", "lab", None),
            ("other", "two", None),
            ("other2", "two", None),
            ("taken", "lab", Some(9001)),
            ("unlucky", "lab", None),
        ] {
            let publish = Some(Publish { gateway: gateway(at), port });
            let spec = SessionSpec { id: id(name), publish, ..SessionSpec::clone(&like) };
            site.desired.sessions.things.insert(id(name), Known::Present(Arc::new(spec)));
        }
        site.desired.gateways.managed = true;
        for (name, spec) in [("lab", ports(9000, 9004)), ("two", ports(9003, 9009))] {
            site.desired.gateways.things.insert(gateway(name), Known::Present(Arc::new(spec)));
        }
        let refused = ListenAddress { ip: [0, 0, 0, 0].into(), port: 9003 };
        let refusal = PortRefusal { reason: "held by x".to_owned(), at: Moment(0) };
        site.observed.refused.insert(refused, refusal);
        let Known::Present(records) = &mut site.observed.records else { panic!("no records") };
        records.leases = [("lab", 9001, "had"), ("lab", 9000, "moved"), ("two", 9004, "gone")]
            .map(|(at, port, holder)| ((gateway(at), port), id(holder)))
            .into();
        let plan = crate::planner::plan(&site.input());
        let steps = plan.steps.iter().map(|step| step.id.as_str());
        let of_ports = steps.filter(|id| id.starts_with("lease/") || id.starts_with("release/"));
        assert_eq!(
            of_ports.collect::<Vec<_>>(),
            [
                "release/lab/9000",
                "release/two/9004",
                "lease/lab/9002",
                "lease/lab/9000",
                "lease/two/9004",
                "lease/two/9005",
            ]
        );
        let waiting: Vec<String> =
            plan.holds.iter().map(|hold| format!("{:?}", hold.waiting_on)).collect();
        let says = |text: &str| waiting.iter().any(|reason| reason.contains(text));
        assert!(says("port 9001 of gateway lab belongs to had"), "{waiting:?}");
        assert!(says("gateway lab has no free port left"), "{waiting:?}");
    }

    #[test]
    fn a_leased_port_suits_whose_gateway_number_and_range_are_still_those_asked_for() {
        let id = |name: &str| -> GatewayId { name.parse().expect("a gateway") };
        let gateway = ports(10_000, 10_009);
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
