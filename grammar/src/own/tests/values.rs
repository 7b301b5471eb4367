//! What the samples mean, field by field.

use std::collections::BTreeMap;

use super::samples;
use crate::own::fields::{
    Access, Health, Idle, IdleAction, IdleTimeout, OnRemoval, Placement, Publish, PublishGateway,
    Request, Resources, Restart, SessionFields, Signal, Stop, Update, UpdateApply,
};
use crate::own::form::Field;
use crate::own::gateway::{GatewayRemoval, Hold, Lease, Protocol, SignIn, Tls};
use crate::own::leaf::{MilliCpus, Port};
use crate::own::node::{AtDeadline, Drain, DrainJobs, Reserve};
use crate::own::policy::{BackOffTable, PolicyApply, PolicyTable, Starts};
use crate::own::range::PortRange;
use crate::own::session::SessionState;
use crate::own::template::{Allow, Choice, ChoiceSource, TemplateStart};
use crate::own::wharf::{ClusterType, Mode, SettleTable};
use crate::own::window::{Days, Window};
use crate::own::workbench::{Base, Install, WorkbenchTable};
use crate::own::{
    GatewayFile, NodeFile, Own, OwnRead, SessionFile, read_gateway, read_node, read_session,
    read_template, read_wharf,
};
use crate::source::Source;
use crate::value::{Bytes, Millis};

fn own<T>(read: fn(&Source) -> OwnRead<T>, text: &str) -> Own<T> {
    let outcome = read(&Source::new("f", text));
    assert_eq!(outcome.problems, Vec::new());
    outcome.own.expect("a file without problems is read")
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const SUNDAY: Window = Window { days: Days(0b100_0000), start_minute: 120, end_minute: 300 };
const GIB: u64 = 1 << 30;

#[test]
fn a_session_file_reads_in_every_field() {
    let file = own(read_session, samples::SESSION).value;
    let expected = SessionFile {
        user: Some("genomics-svc".into()),
        state: Some(SessionState::Running),
        fields: SessionFields {
            workbench: "jupyterlab".into(),
            display_name: Some("Genomics shared lab".into()),
            cluster: Some("Local".into()),
            restart: Some(Restart::Always),
            on_removal: Some(OnRemoval::WhenIdle),
            working_dir: Some("/srv/genomics".into()),
            args: Some(texts(&["--collaborative"])),
            access: Some(Access {
                users: Some(texts(&["alice", "bob"])),
                groups: Some(texts(&["genomics"])),
                admins: Some(texts(&["alice"])),
            }),
            resources: Some(Resources {
                cpus: Some(MilliCpus(8000)),
                memory: Some(Bytes(32 * GIB)),
                profile: None,
                request: Some(Request {
                    cpus: Some(MilliCpus(2000)),
                    memory: Some(Bytes(8 * GIB)),
                }),
            }),
            env: Some(BTreeMap::from([(
                "MLFLOW_TRACKING_URI".into(),
                "http://mlflow:5000".into(),
            )])),
            health: Some(Health { path: Some("/api".into()), start_timeout: Some(Millis(90_000)) }),
            idle: Some(Idle { timeout: Some(IdleTimeout::Never), action: None }),
            stop: Some(Stop {
                signal: Some(Signal::Term),
                stop_grace_period: Some(Millis(30_000)),
            }),
            update: Some(Update { apply: Some(UpdateApply::WhenIdle), window: Some(SUNDAY) }),
            publish: Some(Publish {
                gateway: PublishGateway::Named("lab".into()),
                port: Some(Port(10001)),
                target_port: None,
            }),
            placement: Some(Placement {
                nodes: Some(texts(&["node1", "node2"])),
                require: Some(BTreeMap::from([("gpu".into(), "a100".into())])),
            }),
        },
    };
    assert_eq!(file, expected);
}

#[test]
fn a_template_offers_what_is_written_as_a_choice() {
    let file = own(read_template, samples::TEMPLATE).value;
    assert_eq!(file.start, Some(TemplateStart::OnDemand));
    assert_eq!(file.version.as_deref(), Some("2026.11"));
    assert_eq!(file.description.as_deref(), Some("2 cores, up to 16 GiB, for teaching"));
    let version =
        Choice { from: ChoiceSource::RVersions, default: Some("latest".into()), label: None };
    assert_eq!(file.choices, Some(BTreeMap::from([("r-version".into(), version)])));
    let allow = Allow {
        groups: Some(texts(&["students", "staff"])),
        clusters: Some(texts(&["Local", "Slurm"])),
        max_per_user: Some(2),
        max_total: Some(60),
    };
    assert_eq!(file.allow, Some(allow));
    let fields = file.fields;
    assert_eq!(fields.workbench, Field::Fixed("rstudio".into()));
    let resources = fields.resources.unwrap();
    assert_eq!(resources.cpus, Some(Field::Fixed(MilliCpus(2000))));
    let memory = Field::Choose {
        options: vec![Bytes(4 * GIB), Bytes(8 * GIB), Bytes(16 * GIB)],
        default: Some(Bytes(8 * GIB)),
        label: Some("Memory".into()),
    };
    assert_eq!(resources.memory, Some(memory));
    assert_eq!(fields.env.unwrap()["HOME_SCRATCH"], Field::Fixed("/scratch/{USER}".into()));
    let publish =
        Publish { gateway: PublishGateway::Auto, port: None, target_port: Some(Port(8787)) };
    assert_eq!(fields.publish, Some(publish));
    let idle = fields.idle.unwrap();
    assert_eq!(idle.timeout, Some(Field::Fixed(IdleTimeout::After(Millis(7_200_000)))));
    assert_eq!(idle.action, Some(Field::Fixed(IdleAction::Suspend)));
}

#[test]
fn a_gateway_file_reads_in_every_field() {
    let file = own(read_gateway, samples::GATEWAY).value;
    let expected = GatewayFile {
        address: Some("0.0.0.0".parse().unwrap()),
        port_range: PortRange { first: Port(10000), last: Port(10100) },
        public_address: Some("lab.example.org".into()),
        protocol: Some(Protocol::Http),
        tls: Some(Tls::Server),
        sign_in: Some(SignIn::Required),
        allow_from: file.allow_from.clone(),
        lease: Some(Lease::Session),
        hold: Some(Hold {
            requests: Some(200),
            bytes: Some(Bytes(8 << 20)),
            time: Some(Millis(60_000)),
        }),
        on_removal: Some(GatewayRemoval::Refuse),
    };
    assert_eq!(file, expected);
    let ranges: Vec<_> = file.allow_from.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.0.0.0/8"]);
}

#[test]
fn a_gateway_may_have_its_own_certificate_or_none() {
    let tls =
        |text: &str| own(read_gateway, &format!("port-range = \"1-2\"\ntls = {text}")).value.tls;
    assert_eq!(tls("\"off\""), Some(Tls::Off));
    let expected = Tls::Own { certificate: "/c".into(), key: "/k".into() };
    assert_eq!(tls("{ certificate = \"/c\", key = \"/k\" }"), Some(expected));
}

#[test]
fn a_node_file_reads_in_every_field() {
    let file = own(read_node, samples::NODE).value;
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = NodeFile {
        weight: Some(3),
        schedulable: Some(false),
        max_sessions: Some(60),
        labels: Some(BTreeMap::from([label("gpu", "a100"), label("rack", "b2")])),
        reserve: Some(Reserve { cpus: Some(MilliCpus(1000)), memory: Some(Bytes(4 * GIB)) }),
        drain: Some(Drain {
            reason: Some("kernel update, CHG0012345".into()),
            deadline: Some(Millis(7_200_000)),
            at_deadline: Some(AtDeadline::Wait),
            notify: Some(vec![Millis(1_800_000), Millis(600_000), Millis(120_000)]),
            jobs: Some(DrainJobs::Wait),
        }),
    };
    assert_eq!(file, expected);
}

#[test]
fn an_empty_node_file_says_nothing_and_an_empty_drain_is_a_drain() {
    assert_eq!(own(read_node, "").value.drain, None);
    assert!(own(read_node, "[drain]\n").value.drain.is_some());
    assert_eq!(own(read_wharf, "# nothing yet\n").value.mode, None);
}

#[test]
fn wharf_toml_reads_in_every_field() {
    let file = own(read_wharf, samples::WHARF).value;
    assert_eq!((file.format, file.mode), (Some(1), Some(Mode::Beside)));
    assert_eq!(file.instance.as_deref(), Some("main"));
    let site = file.site.unwrap();
    assert_eq!(site.config_dir.as_deref(), Some("/etc/rstudio"));
    assert_eq!(site.poll, Some(Millis(30_000)));
    let settle = SettleTable {
        quiet: Some(Millis(100)),
        invalid: Some(Millis(2000)),
        max: Some(Millis(5000)),
    };
    assert_eq!(site.settle, Some(settle));
    let listen = file.listen.unwrap();
    assert_eq!(listen.admin_socket.as_deref(), Some("/run/wharf/admin.sock"));
    assert_eq!(listen.www_port, Some(Port(18787)));
    assert_eq!(file.store.unwrap().path.as_deref(), Some("/var/lib/wharf/store"));
    let policy = PolicyTable {
        apply: Some(PolicyApply::Auto),
        session_restart: Some(UpdateApply::NextStart),
        harm_delay: Some(Millis(60_000)),
        max_harmed: Some(5),
        max_unavailable: Some(1),
        concurrent_starts: Some(Starts::Cores),
        back_off: Some(BackOffTable {
            first: Some(Millis(2000)),
            max: Some(Millis(300_000)),
            give_up_after: Some(5),
            within: Some(Millis(600_000)),
        }),
        windows: Some(vec![SUNDAY]),
    };
    assert_eq!(file.policy, Some(policy));
    let limits = file.limits.unwrap();
    assert_eq!(limits.sessions_per_user, Some(4));
    assert_eq!(limits.sessions_per_group, Some(BTreeMap::from([("students".into(), 2)])));
    assert_eq!(file.history.unwrap().keep, Some(50));
    let accept = file.accept.unwrap();
    assert_eq!(accept.codes.unwrap()["WH0412"], "firewall in front");
    assert_eq!(accept.files, Some(texts(&["nginx.site.conf"])));
    assert_eq!(file.beside.unwrap().clusters, Some(texts(&["Local"])));
    assert_eq!(file.clusters.unwrap()["Containers"].kind, ClusterType::Podman);
    let marimo = &file.workbenches.unwrap()["marimo"];
    let expected = WorkbenchTable {
        exe: Some("/opt/marimo/bin/marimo".into()),
        args: Some(texts(&["edit", "--socket={SOCKET}", "--base-url", "{BASE}"])),
        env: marimo.env.clone(),
        ready_path: Some("/health".into()),
        base: Some(Base::Keep),
        install: Some(Install::Pinned),
        requirements: Some("requirements/marimo.txt".into()),
        display_name: Some("marimo".into()),
    };
    assert_eq!(marimo, &expected);
    assert_eq!(marimo.env.as_ref().unwrap()["MARIMO_HOME"], "{HOME}/.marimo/{ID}");
}

#[test]
fn starts_may_be_a_number_and_a_built_in_workbench_needs_no_program() {
    let text = "[policy]\nconcurrent-starts = 3\n[workbenches.rstudio]\nbase = \"strip\"\n";
    let file = own(read_wharf, text).value;
    assert_eq!(file.policy.unwrap().concurrent_starts, Some(Starts::Count(3)));
    assert_eq!(file.workbenches.unwrap()["rstudio"].base, Some(Base::Strip));
}

#[test]
fn the_url_of_a_database_is_not_shown() {
    let text = "[store]\nurl = \"postgresql://wharf:hunter2@db/wharf\"\n";
    let read = own(read_wharf, text);
    assert!(!format!("{read:?}").contains("hunter2"));
    assert!(read.value.store.unwrap().url.unwrap().reveal().contains("hunter2"));
}

#[test]
fn every_field_knows_its_line_and_others_that_of_their_table() {
    let lines = own(read_session, samples::SESSION).lines;
    for (path, line) in [
        ("", 1),
        ("workbench", 1),
        ("args", 10),
        ("access", 12),
        ("access.users", 13),
        ("resources.memory", 19),
        ("resources.request.cpus", 20),
        ("env.MLFLOW_TRACKING_URI", 24),
        ("env.OTHER", 23),
        ("resources.profile", 17),
        ("placement.require.gpu", 47),
        ("nothing.of.this", 1),
    ] {
        assert_eq!(lines.line(path), Some(line), "{path}");
    }
    assert_eq!(lines.written("resources.profile"), None);
    let memory = lines.written("resources.memory").unwrap().span;
    assert_eq!(&samples::SESSION[memory.range()], "\"32GiB\"");
    let access = lines.written("access").unwrap().span;
    assert_eq!(&samples::SESSION[access.range()], "[access]");
    let drain = own(read_node, samples::NODE).lines;
    assert_eq!(drain.line("drain"), Some(7));
}
