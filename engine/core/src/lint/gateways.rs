//! Gateways: whether their ports are theirs alone, and enough.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use grammar::error::{Code, Problem, Severity};
use grammar::own::fields::{Publish, PublishGateway};
use grammar::own::range::PortRange;
use grammar::own::wharf::Mode;
use grammar::own::{GatewayFile, Lines};
use grammar::source::FileKind::{LauncherConf, RserverConf};
use grammar::source::Source;

use super::finding::at_field;
use super::{Findings, Need, Rule, Site};
use crate::facts::Ports;
use crate::site::DropIn;

const GATEWAYS: Need = Need::Dir(DropIn::Gateways);

/// The rules about gateways.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(531),
        title: "two gateways share ports of one address",
        severity: Severity::Warning,
        needs: &[GATEWAYS],
        check: overlap,
    },
    Rule {
        code: Code(532),
        title: "a gateway has fewer ports than sessions that need one",
        severity: Severity::Warning,
        needs: &[GATEWAYS, Need::Dir(DropIn::Sessions), Need::Dir(DropIn::Templates)],
        check: too_few,
    },
    Rule {
        code: Code(533),
        title: "a gateway's range holds a port that something else of this site listens on",
        severity: Severity::Warning,
        needs: &[GATEWAYS, Need::Wharf, Need::File(RserverConf), Need::File(LauncherConf)],
        check: taken,
    },
    Rule {
        code: Code(621),
        title: "a gateway's range overlaps the kernel's ports for outgoing connections",
        severity: Severity::Warning,
        needs: &[GATEWAYS],
        check: ephemeral,
    },
];

/// A gateway with its place.
#[derive(Clone, Copy)]
struct Gateway<'a> {
    name: &'a str,
    file: &'a GatewayFile,
    source: &'a Source,
    lines: &'a Lines,
}

impl Gateway<'_> {
    fn range(&self) -> PortRange {
        self.file.port_range
    }

    fn address(&self) -> IpAddr {
        self.file.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    fn at(&self, problem: Problem, text: impl Into<String>) -> Problem {
        at_field(problem, self.source, self.lines, "port-range", text)
    }
}

fn gateways<'a>(site: &'a Site<'_>) -> Vec<Gateway<'a>> {
    let read = site.read.gateways.iter().filter_map(|(name, read)| {
        let own = read.own.as_ref()?;
        Some(Gateway { name, file: &own.value, source: read.source, lines: &own.lines })
    });
    read.collect()
}

/// Whether two listeners on these addresses are in each other's way.
fn collide(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() || other.is_unspecified()
}

/// The ports that two ranges share.
fn shared(one: (u16, u16), other: (u16, u16)) -> Option<(u16, u16)> {
    let (first, last) = (one.0.max(other.0), one.1.min(other.1));
    (first <= last).then_some((first, last))
}

fn ends(range: PortRange) -> (u16, u16) {
    (range.first.0, range.last.0)
}

/// `10000`, or `10000-10100`.
fn shown((first, last): (u16, u16)) -> String {
    if first == last { format!("port {first}") } else { format!("ports {first}-{last}") }
}

/// By first port, each against those that begin before it ends: as many steps as there are overlaps.
fn overlap(site: &Site<'_>, out: &mut Findings) {
    let mut all = gateways(site);
    all.sort_by_key(|gateway| (ends(gateway.range()), gateway.name));
    for (at, one) in all.iter().enumerate() {
        let near = all[at + 1..].iter().take_while(|other| other.range().first <= one.range().last);
        // One is said for each: a hundred files of one range are a hundred lines, not ten thousand.
        let Some(other) = near.into_iter().find(|other| collide(one.address(), other.address()))
        else {
            continue;
        };
        let Some(both) = shared(ends(one.range()), ends(other.range())) else { continue };
        let message = format!("gateways `{}` and `{}` share {}", one.name, other.name, shown(both));
        let problem = other.at(one.at(out.problem(message), ""), "");
        out.push(
            problem
                .note("each port goes to whoever takes it first, and is missing in the other")
                .help("give each its own ports, or its own address"),
        );
    }
}

/// Sessions that need a port of each gateway: those declared, and those that templates allow at most.
#[derive(Default)]
struct Needed {
    declared: u32,
    allowed: u32,
}

fn too_few(site: &Site<'_>, out: &mut Findings) {
    let all = gateways(site);
    let only = if let [only] = all[..] { Some(only.name) } else { None };
    let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
    let gateway_of = |publish: Option<&Publish>| match &publish?.gateway {
        PublishGateway::Named(name) => Some(name.clone()),
        PublishGateway::Auto => only.map(str::to_owned),
    };
    for own in site.read.sessions.notable().filter_map(|read| read.own.as_ref()) {
        if let Some(name) = gateway_of(own.value.fields.publish.as_ref()) {
            needed.entry(name).or_default().declared += 1;
        }
    }
    for own in site.read.templates.values().filter_map(|read| read.own.as_ref()) {
        let most = own.value.allow.as_ref().and_then(|allow| allow.max_total);
        if let (Some(name), Some(most)) = (gateway_of(own.value.fields.publish.as_ref()), most) {
            let needed = needed.entry(name).or_default();
            needed.allowed = needed.allowed.saturating_add(most);
        }
    }
    for gateway in all {
        let Some(needed) = needed.get(gateway.name) else { continue };
        let (ports, sum) = (gateway.range().len(), needed.declared.saturating_add(needed.allowed));
        if sum <= ports {
            continue;
        }
        let counted = if ports == 1 { "1 port".to_owned() } else { format!("{ports} ports") };
        let message = format!("gateway `{}` has {counted} for {sum} sessions", gateway.name);
        let problem = gateway.at(out.problem(message), "");
        out.push(
            problem
                .note(format!(
                    "{} declared in sessions.d, {} allowed by max-total of templates",
                    needed.declared, needed.allowed
                ))
                .help("widen the range, or lower max-total; the last ones wait for a port"),
        );
    }
}

/// The launcher's port unless `port` of `launcher.conf` says otherwise.
const LAUNCHER_PORT: u16 = 5559;

fn taken(site: &Site<'_>, out: &mut Findings) {
    let ip = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok());
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let server_ip = ip(site.read.text(RserverConf, "www-address")).unwrap_or(any);
    let server = site.read.port(RserverConf, "www-port");
    let launcher_ip = ip(site.read.text(LauncherConf, "address"));
    let launcher = site.read.port(LauncherConf, "port").unwrap_or(LAUNCHER_PORT);
    for gateway in gateways(site) {
        let (first, last) = ends(gateway.range());
        let within = |port: u16| (first..=last).contains(&port);
        let hits = |port: u16, ip: IpAddr| within(port) && collide(gateway.address(), ip);
        let own = site.read.wharf().filter(|_| site.mode == Mode::Beside);
        let own = own.and_then(|own| own.value.listen.as_ref()?.www_port).map(|port| port.0);
        if let Some(port) = own.or(server).filter(|port| hits(*port, server_ip)) {
            let problem = out.problem(format!("port {port} is the server's own"));
            let problem = gateway.at(problem, "a port of this gateway");
            let problem = match (&site.read.wharf, site.read.wharf(), own) {
                (Some(read), Some(wharf), Some(_)) => {
                    at_field(problem, read.source, &wharf.lines, "listen.www-port", "")
                }
                _ => site.at(problem, RserverConf, "www-port", ""),
            };
            out.push(problem.help("leave it out of the range"));
        }
        if launcher_ip.is_some_and(|ip| hits(launcher, ip)) {
            let problem = out.problem(format!("port {launcher} is the launcher's"));
            let problem = gateway.at(problem, "a port of this gateway");
            let problem = site.at(problem, LauncherConf, "address", "the launcher listens here");
            let problem = site.at(problem, LauncherConf, "port", "");
            out.push(problem.help("leave it out of the range"));
        }
    }
}

/// A connection that goes out takes any port of that range, and then a gateway's is taken.
fn ephemeral(site: &Site<'_>, out: &mut Findings) {
    let all = gateways(site);
    if all.is_empty() {
        return;
    }
    let facts = site.facts();
    let Some(kernel) = out.known(&facts.ephemeral_ports).copied() else { return };
    let reserved = out.known(&facts.reserved_ports).cloned().unwrap_or_default();
    for gateway in all {
        let Some(both) = shared(ends(gateway.range()), (kernel.first, kernel.last)) else {
            continue;
        };
        if is_reserved(both, &reserved) {
            continue;
        }
        let message = format!("gateway `{}` shares {} with the kernel", gateway.name, shown(both));
        let problem = gateway.at(out.problem(message), "");
        out.push(
            problem
                .note(format!(
                    "outgoing connections take ports {}-{} (net.ipv4.ip_local_port_range)",
                    kernel.first, kernel.last
                ))
                .help(format!(
                    "choose ports below {}, or reserve them: sysctl net.ipv4.ip_local_reserved_ports={}-{}",
                    kernel.first, both.0, both.1
                )),
        );
    }
}

/// Whether the kernel keeps its hands off all of these ports.
fn is_reserved((first, last): (u16, u16), reserved: &[Ports]) -> bool {
    let mut next = u32::from(first);
    let mut reserved: Vec<Ports> = reserved.to_vec();
    reserved.sort_by_key(|ports| ports.first);
    for ports in reserved {
        if u32::from(ports.first) <= next {
            next = next.max(u32::from(ports.last) + 1);
        }
    }
    next > u32::from(last)
}
