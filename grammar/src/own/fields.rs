//! The fields that a session and a template share, and their one reader.
//!
//! They differ in one thing: in a template some fields may be offered to a person as a choice. So the shared
//! struct is written over a [`Form`]: [`Plain`](super::form::Plain) for sessions,
//! [`Offered`](super::form::Offered) for templates.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::json;
use toml::de::DeValue;

use super::check;
use super::check::{
    account, any, label, name, one_line, some_bytes, some_time, url_path, variable,
};
use super::form::{Form, ReadForm};
use super::leaf::{Leaf, MilliCpus, Port, Wrong, text, words};
use super::schema::{self, Schema};
use super::table::{Keys, Table};
use super::window::Window;
use crate::value::{Bytes, Millis, parse_duration};

/// What a session file and a template file have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFields<F: Form> {
    /// What is started: one of ours, or a `[workbenches.NAME]`.
    pub workbench: F::Field<String>,
    /// How people call it.
    pub display_name: Option<String>,
    /// Where it runs.
    pub cluster: Option<F::Field<String>>,
    /// When it is started again after it ended.
    pub restart: Option<Restart>,
    /// What happens when the file goes away.
    pub on_removal: Option<OnRemoval>,
    /// Where it starts; placeholders allowed.
    pub working_dir: Option<F::Field<String>>,
    /// More arguments for the workbench; placeholders allowed.
    pub args: Option<Vec<String>>,
    /// Who may open it.
    pub access: Option<Access>,
    /// What it may use.
    pub resources: Option<Resources<F>>,
    /// Variables, on top of `launcher-env`; placeholders allowed.
    pub env: Option<BTreeMap<String, F::Field<String>>>,
    /// How it shows that it works.
    pub health: Option<Health>,
    /// What happens when nobody uses it.
    pub idle: Option<Idle<F>>,
    /// How it is stopped.
    pub stop: Option<Stop>,
    /// What a later change of files may do to it.
    pub update: Option<Update>,
    /// The fixed address it gets.
    pub publish: Option<Publish>,
    /// Which nodes it may run on.
    pub placement: Option<Placement>,
}

words! {
    /// When a session is started again after it ended.
    Restart {
        /// Whenever it ended.
        Always = "always",
        /// When it failed.
        OnFailure = "on-failure",
        /// Never.
        No = "no",
    }
}

words! {
    /// What happens to a session whose file goes away.
    OnRemoval {
        /// It stops once nobody uses it.
        WhenIdle = "when-idle",
        /// It stops.
        Stop = "stop",
        /// It stays, as its user's own.
        Keep = "keep",
    }
}

words! {
    /// What happens when the idle time is over.
    IdleAction {
        /// Its state is saved, its process ends.
        Suspend = "suspend",
        /// Its process ends.
        Stop = "stop",
    }
}

words! {
    /// When a session takes a change of files up.
    UpdateApply {
        /// At its next start.
        NextStart = "next-start",
        /// It is started again once nobody uses it.
        WhenIdle = "when-idle",
        /// It is started again.
        Now = "now",
    }
}

words! {
    /// The signal that asks a session to end.
    Signal {
        /// Asks to end.
        Term = "SIGTERM",
        /// As Ctrl-C.
        Int = "SIGINT",
        /// As a closed terminal.
        Hup = "SIGHUP",
        /// Ends with a core file.
        Quit = "SIGQUIT",
        /// Means what the program says.
        Usr1 = "SIGUSR1",
        /// Means what the program says.
        Usr2 = "SIGUSR2",
        /// Does not ask.
        Kill = "SIGKILL",
    }
}

/// `[access]`: who may open a session besides its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Accounts.
    pub users: Option<Vec<String>>,
    /// Groups.
    pub groups: Option<Vec<String>>,
    /// Accounts that may stop, restart and suspend it.
    pub admins: Option<Vec<String>>,
}

/// `[resources]`: limits, and what placement counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources<F: Form> {
    /// Limit of processors.
    pub cpus: Option<F::Field<MilliCpus>>,
    /// Limit of memory.
    pub memory: Option<F::Field<Bytes>>,
    /// Or a section of the cluster's resource profiles.
    pub profile: Option<F::Field<String>>,
    /// What placement counts.
    pub request: Option<Request<F>>,
}

/// `resources.request`: what placement counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<F: Form> {
    /// Processors.
    pub cpus: Option<F::Field<MilliCpus>>,
    /// Memory.
    pub memory: Option<F::Field<Bytes>>,
}

/// `[health]`: how a session shows that it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The path that is asked for.
    pub path: Option<String>,
    /// How long its start may take.
    pub start_timeout: Option<Millis>,
}

/// `[idle]`: what happens when nobody uses a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle<F: Form> {
    /// After how long.
    pub timeout: Option<F::Field<IdleTimeout>>,
    /// What.
    pub action: Option<F::Field<IdleAction>>,
}

/// How long a session may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleTimeout {
    /// For ever.
    Never,
    /// So long, more than nothing.
    After(Millis),
}

impl Leaf for IdleTimeout {
    const TAKES: &'static str = "\"never\" or a duration";

    fn schema() -> Schema {
        schema::either([json!({ "const": "never" }), schema::leaf(some_time())])
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(word) if word == "never" => Ok(IdleTimeout::Never),
            DeValue::String(word) => match parse_duration(word)? {
                // Workbench's session-timeout-minutes=0 means never, so 0 here could be meant either way.
                Millis(0) => {
                    Err(Wrong::value("would end it at once").or_write("for ever is \"never\""))
                }
                time => Ok(IdleTimeout::After(time)),
            },
            other => Millis::parse(other).map(IdleTimeout::After),
        }
    }
}

/// `[stop]`: how a session is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The signal that asks.
    pub signal: Option<Signal>,
    /// How long it may take before it is killed.
    pub stop_grace_period: Option<Millis>,
}

/// `[update]`: what a later change of files may do to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// When it takes the change up.
    pub apply: Option<UpdateApply>,
    /// Restarts only inside.
    pub window: Option<Window>,
}

/// `[publish]`: the fixed address of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// A file of `gateways.d`, or any.
    pub gateway: PublishGateway,
    /// The port there; none = the first that is free, then kept.
    pub port: Option<Port>,
    /// The port of the session that it leads to.
    pub target_port: Option<Port>,
}

/// Through which gateway a session is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishGateway {
    /// Any that has a port free.
    Auto,
    /// This one.
    Named(String),
}

impl Leaf for PublishGateway {
    const TAKES: &'static str = "the name of a gateway in quotes";

    fn schema() -> Schema {
        schema::leaf(name())
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match text(value)? {
            "auto" => Ok(PublishGateway::Auto),
            named => {
                let named = named.to_owned();
                (name().holds)(&named).map(|()| PublishGateway::Named(named))
            }
        }
    }
}

/// `[placement]`: which nodes a session may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// One of these.
    pub nodes: Option<Vec<String>>,
    /// With all of these labels.
    pub require: Option<BTreeMap<String, String>>,
}

pub(crate) static ACCESS: Keys = Keys { at: "access", names: &["users", "groups", "admins"] };
pub(crate) static RESOURCES: Keys =
    Keys { at: "resources", names: &["cpus", "memory", "profile", "request"] };
pub(crate) static REQUEST: Keys = Keys { at: "resources.request", names: &["cpus", "memory"] };
pub(crate) static HEALTH: Keys = Keys { at: "health", names: &["path", "start-timeout"] };
pub(crate) static IDLE: Keys = Keys { at: "idle", names: &["timeout", "action"] };
pub(crate) static STOP: Keys = Keys { at: "stop", names: &["signal", "stop-grace-period"] };
pub(crate) static UPDATE: Keys = Keys { at: "update", names: &["apply", "window"] };
pub(crate) static PUBLISH: Keys =
    Keys { at: "publish", names: &["gateway", "port", "target-port"] };
pub(crate) static PLACEMENT: Keys = Keys { at: "placement", names: &["nodes", "require"] };

/// Reads the shared fields from the top level of a file.
pub(crate) fn read_fields<F: ReadForm>(table: &mut Table<'_, '_>) -> Option<SessionFields<F>> {
    table.must_have(
        "workbench",
        "name what is started: rstudio, jupyterlab, jupyter-notebook, vs-code, or a [workbenches.NAME] of wharf.toml",
    );
    let workbench = F::take(table, "workbench", name());
    let display_name = table.take("display-name", one_line());
    let cluster = F::take(table, "cluster", label());
    let restart = table.take("restart", any());
    let on_removal = table.take("on-removal", any());
    let working_dir = F::take(table, "working-dir", check::directory());
    let args = table.list("args", check::of_session());
    let access = table.sub("access", &ACCESS, read_access);
    let resources = table.sub("resources", &RESOURCES, read_resources::<F>);
    let env = F::entries(table, "env", variable(), check::of_session());
    let health = table.sub("health", &HEALTH, read_health);
    let idle = table.sub("idle", &IDLE, read_idle::<F>);
    let stop = table.sub("stop", &STOP, read_stop);
    let update = table.sub("update", &UPDATE, read_update);
    let publish = table.sub("publish", &PUBLISH, read_publish);
    let placement = table.sub("placement", &PLACEMENT, read_placement);
    Some(SessionFields {
        workbench: workbench?,
        display_name,
        cluster,
        restart,
        on_removal,
        working_dir,
        args,
        access,
        resources,
        env,
        health,
        idle,
        stop,
        update,
        publish,
        placement,
    })
}

fn read_access(table: &mut Table<'_, '_>) -> Option<Access> {
    Some(Access {
        users: table.list("users", account()),
        groups: table.list("groups", account()),
        admins: table.list("admins", account()),
    })
}

fn read_resources<F: ReadForm>(table: &mut Table<'_, '_>) -> Option<Resources<F>> {
    let resources = Resources::<F> {
        cpus: F::take(table, "cpus", any()),
        memory: F::take(table, "memory", some_bytes()),
        profile: F::take(table, "profile", label()),
        request: table.sub("request", &REQUEST, |table| {
            Some(Request {
                cpus: F::take(table, "cpus", any()),
                memory: F::take(table, "memory", some_bytes()),
            })
        }),
    };
    for limit in ["cpus", "memory"] {
        if table.has("profile") && table.has(limit) {
            table.contradiction(
                &format!("`profile` and `{limit}` both set the limit"),
                &["profile", limit],
                "keep one of them",
            );
        }
    }
    if let Some(request) = &resources.request {
        check_request::<F, _>(table, "cpus", resources.cpus.as_ref(), request.cpus.as_ref());
        check_request::<F, _>(table, "memory", resources.memory.as_ref(), request.memory.as_ref());
    }
    Some(resources)
}

/// What is asked for must fit into every limit that may be chosen with it.
fn check_request<F: Form, T: Clone + Debug + Ord>(
    table: &mut Table<'_, '_>,
    name: &str,
    limit: Option<&F::Field<T>>,
    request: Option<&F::Field<T>>,
) {
    let (Some(limit), Some(request)) = (limit, request) else { return };
    if F::values(request).iter().max() > F::values(limit).iter().min() {
        table.contradiction(
            &format!("`request.{name}` is more than the limit `{name}`"),
            &[&format!("request.{name}"), name],
            "a session is never given more than its limit: lower the request, or raise the limit",
        );
    }
}

fn read_health(table: &mut Table<'_, '_>) -> Option<Health> {
    Some(Health {
        path: table.take("path", url_path()),
        start_timeout: table.take("start-timeout", some_time()),
    })
}

fn read_idle<F: ReadForm>(table: &mut Table<'_, '_>) -> Option<Idle<F>> {
    let idle = Idle::<F> {
        timeout: F::take(table, "timeout", any()),
        action: F::take(table, "action", any()),
    };
    let never = |timeout: &F::Field<IdleTimeout>| {
        F::values(timeout).iter().all(|timeout| *timeout == IdleTimeout::Never)
    };
    if idle.action.is_some() && idle.timeout.as_ref().is_some_and(never) {
        table.idle_field(
            "`action` has no effect: the session is never idle",
            &["action", "timeout"],
            "leave `action` out, or give `timeout` a duration",
        );
    }
    Some(idle)
}

fn read_stop(table: &mut Table<'_, '_>) -> Option<Stop> {
    Some(Stop {
        signal: table.take("signal", any()),
        stop_grace_period: table.take("stop-grace-period", any()),
    })
}

fn read_update(table: &mut Table<'_, '_>) -> Option<Update> {
    let update = Update { apply: table.take("apply", any()), window: table.take("window", any()) };
    if update.apply == Some(UpdateApply::NextStart) && update.window.is_some() {
        table.idle_field(
            "`window` has no effect: with apply = \"next-start\" nothing is restarted",
            &["window", "apply"],
            "leave `window` out, or write apply = \"when-idle\"",
        );
    }
    Some(update)
}

fn read_publish(table: &mut Table<'_, '_>) -> Option<Publish> {
    let gateway = table.need("gateway", any());
    let port = table.take("port", any());
    let target_port = table.take("target-port", any());
    if gateway == Some(PublishGateway::Auto) && port.is_some() {
        table.contradiction(
            "a fixed `port` needs a gateway: with gateway = \"auto\" any may be taken",
            &["port", "gateway"],
            "name the gateway, or leave `port` out",
        );
    }
    Some(Publish { gateway: gateway?, port, target_port })
}

fn read_placement(table: &mut Table<'_, '_>) -> Option<Placement> {
    let nodes = table.list("nodes", name());
    if nodes.as_ref().is_some_and(Vec::is_empty) {
        table.refuse(
            "nodes",
            Wrong::value("an empty list: no node is allowed")
                .or_write("leave it out to allow every node"),
        );
    }
    Some(Placement { nodes, require: table.entries("require", name(), one_line()) })
}
