//! Our own files: policy, nodes, gateways, templates. Defaults are filled in here and nowhere else.

use std::sync::Arc;

use grammar::error::{Code, Problem, Severity};
use grammar::own::fields::UpdateApply;
use grammar::own::gateway::{GatewayFile, GatewayRemoval, Lease, SignIn};
use grammar::own::policy::{PolicyApply, PolicyTable, Starts};
use grammar::own::wharf::WharfFile;
use grammar::own::{Lines, OwnKind};
use grammar::source::Source;

use super::takes::own_takes;
use super::{Lowering, TemplateSpec};
use crate::accept::Settle;
use crate::desired::{
    Apply, BackOff, ClusterSpec, GatewaySpec, Mode, NodeSpec, Origin, Policy, Renew, WorkbenchSpec,
};
use crate::ids::{ClusterName, Digest, GatewayId, NodeId, WorkbenchName};
use crate::known::Known;
use crate::read_site::{ReadOwn, is_secret};
use crate::settings::{FileSettings, Setting, SettingKey};
use crate::site::{DropIn, Managed};

/// Generations that are kept unless `[history] keep` says otherwise (product.md §4).
pub const HISTORY_KEEP: u32 = 50;

impl Lowering<'_> {
    /// A place in one of our files.
    pub(super) fn own_origin(&self, source: &Source, lines: &Lines, path: &str) -> Origin {
        Origin {
            file: Arc::from(self.files.short_name(&source.file)),
            line: lines.line(path).unwrap_or(1),
            option: path.to_owned(),
        }
    }

    /// Takes what was read of one of our files: its problems, and every field as a setting.
    pub(super) fn own_read<'r, T>(
        &mut self,
        read: &'r ReadOwn<'_, T>,
        kind: OwnKind,
    ) -> Option<&'r grammar::own::Own<T>> {
        self.out.problems.extend(read.problems.iter().cloned());
        let own = read.own.as_ref()?;
        let file: Arc<str> = Arc::from(self.files.short_name(&read.source.file));
        let settings = own_settings(&file, read.source, &own.lines, kind, &self.ground.digest_key);
        self.out.settings.add_file(file, Arc::new(settings));
        Some(own)
    }

    /// `wharf.toml`.
    pub(super) fn lower_wharf(&mut self) {
        self.out.desired.mode =
            if self.ground.self_contained { Mode::Serve } else { Mode::Observe };
        self.out.engine.history_keep = HISTORY_KEEP;
        let Some(read) = &self.read.wharf else { return };
        let source = read.source;
        let Some(own) = self.own_read(read, OwnKind::Wharf) else { return };
        let file = &own.value;
        if let Some(mode) = file.mode {
            self.out.desired.mode = match mode {
                grammar::own::wharf::Mode::Observe => Mode::Observe,
                grammar::own::wharf::Mode::Beside => Mode::Beside,
                grammar::own::wharf::Mode::Serve => Mode::Serve,
            };
            let origin = self.own_origin(source, &own.lines, "mode");
            self.out.origins.add("mode", origin);
        }
        if let Some(port) = file.listen.as_ref().and_then(|listen| listen.www_port) {
            let origin = self.own_origin(source, &own.lines, "listen.www-port");
            self.own_www_port = Some((port.0, origin));
        }
        self.engine_settings(file);
        if let Some(policy) = &file.policy {
            self.out.desired.policy = policy_of(policy);
            self.policy_origins(source, &own.lines);
        }
        if let Some(clusters) = &file.clusters {
            self.lower_own_clusters(clusters, source, &own.lines);
        }
        let workbenches = file.workbenches.clone().unwrap_or_default();
        self.lower_workbenches(workbenches, source, &own.lines);
    }

    fn policy_origins(&mut self, source: &Source, lines: &Lines) {
        for (path, _) in lines.iter() {
            if let Some(field) = path.strip_prefix("policy.") {
                let origin = self.own_origin(source, lines, path);
                self.out.origins.add(format!("policy/{field}"), origin);
            }
        }
    }

    fn engine_settings(&mut self, file: &WharfFile) {
        let engine = &mut self.out.engine;
        engine.instance.clone_from(&file.instance);
        engine.history_keep =
            file.history.as_ref().and_then(|history| history.keep).unwrap_or(HISTORY_KEEP);
        engine.store_path = file.store.as_ref().and_then(|store| store.path.clone());
        let Some(site) = &file.site else { return };
        engine.poll = site.poll;
        if let Some(settle) = &site.settle {
            let default = Settle::default();
            engine.settle = Settle {
                quiet: settle.quiet.unwrap_or(default.quiet),
                invalid: settle.invalid.unwrap_or(default.invalid),
                max: settle.max.unwrap_or(default.max),
            }
            .in_order();
        }
    }

    /// `[clusters.NAME]`.
    fn lower_own_clusters(
        &mut self,
        clusters: &std::collections::BTreeMap<String, grammar::own::wharf::ClusterTable>,
        source: &Source,
        lines: &Lines,
    ) {
        for (name, table) in clusters {
            let Ok(id) = ClusterName::new(name) else { continue };
            let origin = self.own_origin(source, lines, &format!("clusters.{name}"));
            self.out.origins.add(format!("cluster/{id}"), origin);
            let kind = table.kind.word().to_owned();
            self.out.desired.clusters.insert(id, ClusterSpec { kind, left_alone: false });
        }
    }

    /// `[workbenches.NAME]`: further workbenches, or further words on those that are built in.
    fn lower_workbenches(
        &mut self,
        tables: std::collections::BTreeMap<String, grammar::own::workbench::WorkbenchTable>,
        source: &Source,
        lines: &Lines,
    ) {
        for (name, table) in tables {
            let Ok(id) = WorkbenchName::new(&name) else { continue };
            let origin = self.own_origin(source, lines, &format!("workbenches.{name}"));
            self.out.origins.add(format!("workbench/{id}"), origin);
            for (path, _) in lines.iter() {
                let prefix = format!("workbenches.{name}.");
                let Some(field) = path.strip_prefix(&prefix) else { continue };
                let part = if field.starts_with("env") { "workbench-env" } else { field };
                let origin = self.own_origin(source, lines, path);
                self.out.origins.add(format!("workbench/{id}/{part}"), origin);
            }
            let pinned = table.install == Some(grammar::own::workbench::Install::Pinned);
            let requirements = table.requirements.clone().filter(|_| pinned);
            let spec = WorkbenchSpec {
                exe: table.exe.clone(),
                install_from: requirements.map(|path| format!("{}/{path}", self.files.own_dir)),
            };
            self.out.desired.workbenches.insert(id.clone(), spec);
            if let Some(env) = &table.env {
                self.keep_secrets(env);
            }
            self.workbench_tables.insert(id, table);
        }
    }

    /// `nodes.d`.
    pub(super) fn lower_nodes(&mut self) {
        self.out.desired.nodes.managed = is_managed(&self.files.nodes);
        for (stem, file) in self.files.managed(DropIn::Nodes).files() {
            let Ok(id) = NodeId::new(stem) else { continue };
            let spec = match file {
                Known::Present(source) => {
                    let read = self.read.nodes.get(stem);
                    let Some(own) = read.and_then(|read| self.own_read(read, OwnKind::Node)) else {
                        self.out.desired.nodes.things.insert(id, refused());
                        continue;
                    };
                    let first = self.own_origin(source, &own.lines, "");
                    self.out.origins.add(format!("node/{id}"), first);
                    for field in ["weight", "schedulable", "drain"] {
                        if own.lines.written(field).is_some() {
                            let origin = self.own_origin(source, &own.lines, field);
                            self.out.origins.add(format!("node/{id}/{field}"), origin);
                        }
                    }
                    let default = NodeSpec::default();
                    Known::Present(Arc::new(NodeSpec {
                        weight: own.value.weight.unwrap_or(default.weight),
                        schedulable: own.value.schedulable.unwrap_or(default.schedulable),
                        draining: own.value.drain.is_some(),
                        max_sessions: own.value.max_sessions,
                        labels: own.value.labels.clone().unwrap_or_default(),
                    }))
                }
                Known::Absent => continue,
                Known::Unknown { since, reason } => {
                    Known::Unknown { since: *since, reason: reason.clone() }
                }
            };
            self.out.desired.nodes.things.insert(id, spec);
        }
    }

    /// `gateways.d`.
    pub(super) fn lower_gateways(&mut self) {
        self.out.desired.gateways.managed = is_managed(&self.files.gateways);
        for (stem, file) in self.files.managed(DropIn::Gateways).files() {
            let Ok(id) = GatewayId::new(stem) else { continue };
            let spec = match file {
                Known::Present(source) => {
                    let read = self.read.gateways.get(stem);
                    let Some(own) = read.and_then(|read| self.own_read(read, OwnKind::Gateway))
                    else {
                        self.out.desired.gateways.things.insert(id, refused());
                        continue;
                    };
                    for field in ["port-range", "address"] {
                        if own.lines.written(field).is_some() {
                            let origin = self.own_origin(source, &own.lines, field);
                            self.out.origins.add(format!("gateway/{id}"), origin);
                        }
                    }
                    if self.check_gateway(source, own) {
                        Known::Present(Arc::new(gateway_of(&own.value)))
                    } else {
                        refused()
                    }
                }
                Known::Absent => continue,
                Known::Unknown { since, reason } => {
                    Known::Unknown { since: *since, reason: reason.clone() }
                }
            };
            self.out.desired.gateways.things.insert(id, spec);
        }
    }

    /// Whether a gateway can be served: what it asks for and this version does not do yet is an error: serving it otherwise would
    /// be something else than was asked for.
    fn check_gateway(&mut self, source: &Source, own: &grammar::own::Own<GatewayFile>) -> bool {
        let file = &own.value;
        let tcp = file.protocol == Some(grammar::own::gateway::Protocol::Tcp);
        let tls = !matches!(file.tls, None | Some(grammar::own::gateway::Tls::Off));
        let narrowed = file.allow_from.as_ref().is_some_and(|networks| !networks.is_empty());
        let run = file.lease == Some(Lease::Run);
        let cuts = file.on_removal == Some(GatewayRemoval::Disconnect);
        let missing = [
            (tcp, "protocol", "a gateway for raw TCP"),
            (tls, "tls", "TLS on a gateway"),
            (narrowed, "allow-from", "admitting some networks only"),
            (run, "lease", "a port for one run"),
            (cuts, "on-removal", "cutting connections when a gateway is removed"),
        ];
        let mut served = true;
        for (_, field, what) in missing.into_iter().filter(|(asked, ..)| *asked) {
            served = false;
            let span = own.lines.place(field).map(|place| place.span);
            self.out.problems.push(
                Problem::new(
                    Code(420),
                    Severity::Error,
                    format!("{what} arrives with the gateways, not in this version"),
                )
                .label(&source.file, span, "set here")
                .help("leave the field out, or keep the file out of gateways.d for now"),
            );
        }
        served
    }

    /// `templates.d`.
    pub(super) fn lower_templates(&mut self) {
        for (stem, read) in &self.read.templates {
            let Some(own) = self.own_read(read, OwnKind::Template) else { continue };
            let origin = self.own_origin(read.source, &own.lines, "workbench");
            self.out.origins.add(format!("template/{stem}"), origin);
            let fields = own.value.fields.clone();
            let spec = TemplateSpec {
                display_name: fields.display_name.clone().unwrap_or_else(|| (*stem).to_owned()),
                version: own.value.version.clone().unwrap_or_default(),
                fields: super::template::resolved(fields),
            };
            if let Some(env) = &spec.fields.env {
                self.keep_secrets(env);
            }
            self.out.templates.insert((*stem).to_owned(), spec);
        }
    }
}

/// Whether a directory manages its things: a missing or unreadable one does not.
pub(super) fn is_managed(managed: &Managed) -> bool {
    matches!(managed, Managed::Managed(_))
}

/// A thing whose file has problems: what runs of it stays as it is.
pub(super) fn refused<T>() -> Known<T> {
    Known::Unknown {
        since: crate::ids::Moment::default(),
        reason: "its file has problems".to_owned(),
    }
}

/// Every field of one of our files as a setting; `digest_key` is that of the digests of secrets.
pub(super) fn own_settings(
    file: &Arc<str>,
    source: &Source,
    lines: &Lines,
    kind: OwnKind,
    digest_key: &[u8],
) -> FileSettings {
    let mut settings = FileSettings::default();
    for (path, place) in lines.iter() {
        if says_nothing_itself(lines, path, place.line) {
            continue;
        }
        let text = source.text.get(place.span.range()).unwrap_or_default();
        let name = path.rsplit('.').next().unwrap_or(path);
        let secret = is_secret(name, text);
        let setting = Setting {
            line: place.line,
            value: if secret { "(secret)".to_owned() } else { value_text(text) },
            secret: secret.then(|| Digest::keyed(digest_key, text.as_bytes())),
            effect: own_takes(kind, path),
            row: None,
        };
        let (file, option) = (Arc::clone(file), path.to_owned());
        settings.add(SettingKey { file, scope: Arc::default(), option }, setting);
    }
    settings
}

/// Whether a table only holds fields of its own line, which are listed for themselves.
fn says_nothing_itself(lines: &Lines, path: &str, line: u32) -> bool {
    !path.is_empty() && lines.below(path).any(|(_, place)| place.line == line)
}

/// The value of a `key = value` line as text; a table's header has none.
fn value_text(text: &str) -> String {
    let value = text.trim();
    if value.starts_with('[') && !value.contains([',', '"', '\n']) && value.len() > 2 {
        return String::new();
    }
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    value.lines().next().unwrap_or_default().to_owned()
}

fn gateway_of(file: &GatewayFile) -> GatewaySpec {
    GatewaySpec {
        ip: file.address.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
        first_port: file.port_range.first.0,
        last_port: file.port_range.last.0,
        public_address: file.public_address.clone(),
        sign_in: file.sign_in != Some(SignIn::Off),
        allow_from: Vec::new(),
        disconnect_on_removal: file.on_removal == Some(GatewayRemoval::Disconnect),
    }
}

fn policy_of(table: &PolicyTable) -> Policy {
    let default = Policy::default();
    let back_off = table.back_off.as_ref();
    let back = BackOff::default();
    Policy {
        harm_delay: table.harm_delay.unwrap_or(default.harm_delay),
        max_harmed: table.max_harmed.unwrap_or(default.max_harmed),
        concurrent_starts: match &table.concurrent_starts {
            Some(Starts::Count(count)) => Some(*count),
            Some(Starts::Cores) | None => None,
        },
        back_off: BackOff {
            first: back_off.and_then(|b| b.first).unwrap_or(back.first),
            max: back_off.and_then(|b| b.max).unwrap_or(back.max),
            give_up_after: back_off.and_then(|b| b.give_up_after).unwrap_or(back.give_up_after),
            within: back_off.and_then(|b| b.within).unwrap_or(back.within),
        },
        apply: match table.apply {
            Some(PolicyApply::ConfirmHarmful) => Apply::ConfirmHarmful,
            Some(PolicyApply::Confirm) => Apply::Confirm,
            Some(PolicyApply::Auto) | None => Apply::Auto,
        },
        renew: renew_of(table.session_restart).unwrap_or(default.renew),
        windows: table.windows.clone().unwrap_or_default(),
    }
}

pub(super) fn renew_of(apply: Option<UpdateApply>) -> Option<Renew> {
    Some(match apply? {
        UpdateApply::NextStart => Renew::NextStart,
        UpdateApply::WhenIdle => Renew::WhenIdle,
        UpdateApply::Now => Renew::Now,
    })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::lower;

    fn managed(name: &str, text: &str) -> Managed {
        let (_, stem) = name.split_once('/').expect("DIR/NAME");
        let source = Source::new(format!("/etc/wharf/{name}.toml"), text);
        Managed::Managed([(stem.to_owned(), Known::Present(source))].into())
    }

    #[test]
    fn a_value_is_shown_as_it_is_written_without_its_quotes_and_a_header_as_nothing() {
        for (written, shown) in [
            ("\"2s\"", "2s"),
            (" 8787 ", "8787"),
            ("[]", "[]"),
            ("[\"--debug\"]", "[\"--debug\"]"),
            ("[1, 2]", "[1, 2]"),
            ("[site.settle]", ""),
            ("[\n  \"a\",\n]", "["),
        ] {
            assert_eq!(value_text(written), shown, "{written}");
        }
    }

    #[test]
    fn connections_outlive_a_gateway_unless_its_file_says_otherwise() {
        let disconnects = |rest: &str| {
            let source = Source::new("g.toml", format!("port-range = \"1-2\"\n{rest}"));
            let own = grammar::own::read_gateway(&source).own.expect("it is a gateway");
            gateway_of(&own.value).disconnect_on_removal
        };
        assert!(!disconnects("") && disconnects("on-removal = \"disconnect\"\n"));
    }

    #[test]
    fn secrets_of_templates_and_workbenches_are_at_hand_for_sessions_of_later() {
        let mut files = site(&[]);
        let wharf =
            "[workbenches.lab]\nexe = \"/l\"\nenv = { LAB_TOKEN = \"one\", A = \"plain\" }\n";
        files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", wharf));
        let template = "workbench = \"lab\"\nenv = { MODEL_KEY = \"two-{USER}\" }\n";
        files.templates = managed("templates.d/small", template);
        let lowered = lower(&files, &ground());
        assert_eq!(lowered.problems, []);
        let text = |digest: &str| {
            let digest = Digest::keyed(&ground().digest_key, digest.as_bytes());
            lowered.secrets.text(&digest, "bob")
        };
        assert_eq!(text("one").as_deref(), Some("one"));
        assert_eq!(text("two-bob").as_deref(), Some("two-bob"));
        assert_eq!(text("plain"), None);
    }
}
