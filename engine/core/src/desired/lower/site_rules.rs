//! What Workbench's files say of the site as a whole: clusters, listener, balancer, store; and the
//! rules across files that decide whether a set may come into force.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind;

use super::Lowering;
use crate::desired::{BalancerMethod, ClusterSpec, ListenAddress, Mode};
use crate::ids::ClusterName;
use crate::known::Known;

/// The port where a package of the product listens unless told otherwise (options.toml, www-port).
const DEFAULT_PORT: u16 = 8787;

/// The name of the cluster that is there when no `launcher.conf` is.
const LOCAL: &str = "Local";

impl Lowering<'_> {
    /// `[cluster]` sections; without a `launcher.conf` there is one local cluster.
    pub(super) fn lower_clusters(&mut self) {
        let mut clusters = Vec::new();
        if let Some(document) = self.documents.get(&FileKind::LauncherConf) {
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
            self.out.desired.clusters.insert(id, ClusterSpec { kind });
        }
        if !self.documents.contains_key(&FileKind::LauncherConf) {
            let local = ClusterName::new(LOCAL).expect("the word is a cluster's name");
            let spec = ClusterSpec { kind: "local".to_owned() };
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
        let port = match (mode, own, self.int(FileKind::RserverConf, "www-port")) {
            (Mode::Beside, Some((port, origin)), _) => {
                self.listen_origin("www-port", origin);
                Some(port)
            }
            (_, _, Some((port, line))) => {
                let origin = self.origin(FileKind::RserverConf, line, "www-port");
                self.listen_origin("www-port", origin);
                u16::try_from(port).ok().filter(|port| *port > 0)
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
        .label(&self.shown(FileKind::RserverConf), Some(entry.value_span), "not an IP address")
        .help("write an IP address of this machine, 0.0.0.0 for all, or 127.0.0.1 for this machine only");
        self.out.problems.push(problem);
    }

    /// The path of a Workbench file as shown in diagnostics.
    pub(super) fn shown(&self, kind: FileKind) -> std::sync::Arc<str> {
        match self.files.workbench.get(&kind) {
            Some(Known::Present(source)) => std::sync::Arc::clone(&source.file),
            _ => std::sync::Arc::from(kind.file_name()),
        }
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

    /// `provider` of `database.conf`.
    pub(super) fn lower_store(&mut self) {
        if self.out.desired.mode != Mode::Serve {
            return;
        }
        let provider = self.text(FileKind::DatabaseConf, "provider");
        self.out.engine.postgresql =
            provider.is_some_and(|(word, _)| word.eq_ignore_ascii_case("postgresql"));
    }

    /// Rules across files.
    pub(super) fn check_site(&mut self) {
        self.check_default_cluster();
        self.check_load_balancing();
        self.check_narrowing();
        self.check_store();
    }

    /// WH0302: a default cluster that is not declared.
    fn check_default_cluster(&mut self) {
        let Some(entry) = self.flat(FileKind::RserverConf, "launcher-default-cluster") else {
            return;
        };
        let known = self.out.desired.clusters.keys();
        if entry.value.is_empty() || known.clone().any(|name| name.as_str() == &*entry.value) {
            return;
        }
        let file = self.shown(FileKind::RserverConf);
        let nearest = grammar::suggest::nearest(&entry.value, known.map(ClusterName::as_str));
        let label = match nearest {
            Some(name) => format!("did you mean `{name}`?"),
            None => "not in launcher.conf".to_owned(),
        };
        let message = format!("no cluster is called `{}`", entry.value.escape_debug());
        let has: Vec<String> = self
            .out
            .desired
            .clusters
            .keys()
            .map(|name| {
                let line = self.out.origins.exactly(&format!("cluster/{name}")).first();
                match line {
                    Some(origin) => format!("{name} (line {})", origin.line),
                    None => name.to_string(),
                }
            })
            .collect();
        let has = if has.is_empty() { "no cluster".to_owned() } else { has.join(", ") };
        let problem = Problem::new(Code(302), Severity::Error, message)
            .label(&file, Some(entry.value_span), label)
            .label(&self.shown(FileKind::LauncherConf), None, format!("has: {has}"))
            .help(
                "if launcher.conf is about to follow, nothing is lost: what is in force stays \
                 until the set is valid",
            );
        self.out.problems.push(problem);
    }

    /// WH0311: load balancing without a shared store.
    fn check_load_balancing(&mut self) {
        let Some((true, _)) = self.switch(FileKind::RserverConf, "load-balancing-enabled") else {
            return;
        };
        let shared = self
            .text(FileKind::DatabaseConf, "provider")
            .is_some_and(|(word, _)| word.eq_ignore_ascii_case("postgresql"));
        if shared {
            return;
        }
        let Some(entry) = self.flat(FileKind::RserverConf, "load-balancing-enabled") else {
            return;
        };
        let span = entry.name_span;
        let file = self.shown(FileKind::RserverConf);
        let mut problem = Problem::new(
            Code(311),
            Severity::Warning,
            "load balancing is on but the store is not shared",
        )
        .label(&file, Some(span), "")
        .help("set provider=postgresql in database.conf, or turn load balancing off");
        if let Some(provider) = self.flat(FileKind::DatabaseConf, "provider") {
            let file = self.shown(FileKind::DatabaseConf);
            problem = problem.label(&file, Some(provider.name_span), "");
        }
        self.out.problems.push(problem);
    }

    /// WH0401: an option that narrows access is set and does not act here: never a warning, unless
    /// `[accept]` says that somebody has looked.
    fn check_narrowing(&mut self) {
        if self.out.desired.mode == Mode::Observe {
            return;
        }
        let mut problems = Vec::new();
        for (kind, document) in &self.documents {
            let entries = document.sections.iter().flat_map(|section| &section.entries);
            for entry in entries {
                let Some(row) = entry.row else { continue };
                let acts = matches!(row.state, grammar::catalogue::State::Acts { .. });
                let set = row.default.is_none_or(|default| default != &*entry.value);
                if row.narrows_access && !acts && set {
                    let message =
                        format!("`{}` restricts who gets in, and does not act here", entry.name);
                    problems.push(
                        Problem::new(Code(401), Severity::Error, message)
                            .label(&self.shown(*kind), Some(entry.name_span), "set here")
                            .note(
                                "serving without it could let in people whom these files keep out",
                            )
                            .help(
                                "serve in mode \"observe\", or accept it in wharf.toml: \
                                 [accept] codes = { WH0401 = \"why\" }",
                            ),
                    );
                }
            }
        }
        if self.accepted_codes.contains_key("WH0401") {
            for problem in &mut problems {
                problem.severity = Severity::Note;
            }
        }
        self.out.problems.extend(problems);
    }

    /// WH0312: a store that this version cannot open.
    fn check_store(&mut self) {
        if !self.out.engine.postgresql {
            return;
        }
        let Some(entry) = self.flat(FileKind::DatabaseConf, "provider") else { return };
        let span = entry.value_span;
        let file = self.shown(FileKind::DatabaseConf);
        let problem = Problem::new(
            Code(312),
            Severity::Error,
            "a PostgreSQL store cannot be used by this version",
        )
        .label(&file, Some(span), "arrives with several nodes")
        .help("serve in mode \"beside\" with [store] path, or keep mode \"observe\"");
        self.out.problems.push(problem);
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
