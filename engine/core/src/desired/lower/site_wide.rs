//! What Workbench's files say of the site as a whole: clusters, listener, balancer.
//!
//! Whether they agree with each other is for the rules of [`crate::lint`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind;

use super::Lowering;
use crate::desired::{BalancerMethod, ClusterSpec, ListenAddress, Mode};
use crate::ids::ClusterName;

/// The port where a package of the product listens unless told otherwise (options.toml, www-port).
const DEFAULT_PORT: u16 = 8787;

/// The name of the cluster that is there when no `launcher.conf` is.
const LOCAL: &str = "Local";

impl Lowering<'_> {
    /// `[cluster]` sections; without a `launcher.conf` there is one local cluster.
    pub(super) fn lower_clusters(&mut self) {
        let mut clusters = Vec::new();
        if let Some(document) = self.read.documents.get(&FileKind::LauncherConf) {
            for section in &document.sections {
                if section.name.as_deref() != Some("cluster") {
                    continue;
                }
                let (Some(name), Some(kind)) = (section.get("name"), section.get("type")) else {
                    continue;
                };
                if let Ok(id) = ClusterName::new(&name.value) {
                    clusters.push((id, kind.value.to_ascii_lowercase(), name.line));
                }
            }
        }
        for (id, kind, line) in clusters {
            let origin = self.origin(FileKind::LauncherConf, line, "name");
            self.out.origins.add(format!("cluster/{id}"), origin);
            self.out.desired.clusters.insert(id, ClusterSpec { kind, left_alone: false });
        }
        if !self.read.documents.contains_key(&FileKind::LauncherConf) {
            let local = ClusterName::new(LOCAL).expect("the word is a cluster's name");
            let spec = ClusterSpec { kind: "local".to_owned(), left_alone: false };
            self.out.desired.clusters.entry(local).or_insert(spec);
        }
    }

    /// The cluster of sessions that name none: `launcher-default-cluster`, else the only one.
    pub(super) fn default_cluster(&self) -> Option<(ClusterName, Option<u32>)> {
        if let Some((name, line)) = self.text(FileKind::RserverConf, "launcher-default-cluster")
            && let Ok(id) = ClusterName::new(&name)
        {
            return Some((id, Some(line)));
        }
        let clusters = &self.out.desired.clusters;
        let local = clusters.iter().find(|(_, spec)| spec.kind == "local");
        local.or_else(|| clusters.iter().next()).map(|(id, _)| (id.clone(), None))
    }

    /// `www-address` and `www-port`, by mode.
    pub(super) fn lower_listen(&mut self) {
        let mode = self.out.desired.mode;
        if mode == Mode::Observe {
            self.out.desired.listen = None;
            return;
        }
        let address = self.text(FileKind::RserverConf, "www-address");
        let ip = match address.as_ref().map(|(text, line)| (parse_ip(text), *line)) {
            None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Some((Some(ip), line)) => {
                let origin = self.origin(FileKind::RserverConf, line, "www-address");
                self.listen_origin("www-address", origin);
                ip
            }
            Some((None, _)) => {
                self.bad_address();
                return;
            }
        };
        let own = self.own_www_port.clone();
        let port = match (mode, own, self.port(FileKind::RserverConf, "www-port")) {
            (Mode::Beside, Some((port, origin)), _) => {
                self.listen_origin("www-port", origin);
                Some(port)
            }
            // Its own is missing, which a rule says: the product's is not taken.
            (Mode::Beside, None, _) => None,
            (_, _, Some((port, line))) => {
                let origin = self.origin(FileKind::RserverConf, line, "www-port");
                self.listen_origin("www-port", origin);
                Some(port)
            }
            (_, _, None) => Some(DEFAULT_PORT),
        };
        self.out.desired.listen = port.map(|port| ListenAddress { ip, port });
    }

    /// Each part for itself, too: one may go while the other stays.
    fn listen_origin(&mut self, part: &str, origin: crate::desired::Origin) {
        self.out.origins.add(format!("listen/{part}"), origin.clone());
        self.out.origins.add("listen", origin);
    }

    fn bad_address(&mut self) {
        let Some(entry) = self.flat(FileKind::RserverConf, "www-address") else { return };
        if entry.typed.is_none() {
            // It is no address at all, which has been said.
            return;
        }
        let problem = Problem::new(
            Code(341),
            Severity::Error,
            format!("`{}` is no address to listen on", entry.value.escape_debug()),
        )
        .label(&self.read.shown(FileKind::RserverConf), Some(entry.value_span), "not an IP address")
        .help("write an IP address of this machine, 0.0.0.0 for all, or 127.0.0.1 for this machine only");
        self.out.problems.push(problem);
    }

    /// `balancer` of `load-balancer`.
    pub(super) fn lower_balancer(&mut self) {
        let Some((word, line)) = self.text(FileKind::LoadBalancer, "balancer") else { return };
        let method = match word.to_ascii_lowercase().as_str() {
            "system-load" => BalancerMethod::SystemLoad,
            "user-hash" => BalancerMethod::UserHash,
            "custom" => BalancerMethod::Custom,
            _ => BalancerMethod::Sessions,
        };
        let origin = self.origin(FileKind::LoadBalancer, line, "balancer");
        self.out.origins.add("balancer", origin);
        self.out.desired.balancer = method;
    }
}

/// An address to listen on: an IP address, or `localhost`; `*` and `::` are all.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "*" | "" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "::" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        other => other.parse().ok(),
    }
}
