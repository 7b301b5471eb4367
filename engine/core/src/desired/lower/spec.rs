//! `sessions.d`: each file to one session, with the environment that `launcher-env` gives it.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::error::{Code, Problem, Severity};
use grammar::own::Own;
use grammar::own::fields::{self, PublishGateway, SessionFields};
use grammar::own::form::{Field, Offered, Plain};
use grammar::own::session::{SessionFile, SessionState};
use grammar::source::Source;
use grammar::value::Millis;

use super::env::{Selected, sealed};
use super::fields::{access_of, on_removal_of, placement_of, resources_of, restart_of, stop_of};
use super::own::{is_managed, refused, renew_of};
use super::workbench::Builtin;
use super::{Lowering, TemplateSpec};
use crate::desired::{
    AskedBy, BasePath, EnvValue, HealthSpec, LaunchSpec, Program, Publish, Restart, SessionSpec,
    UpdateSpec, WantedState, WorkbenchSpec, for_user,
};
use crate::ids::{ClusterName, GatewayId, SessionId, UserName, WorkbenchName};
use crate::known::Known;
use crate::site::DropIn;

/// How long a start of a workbench may take that says nothing of it.
const START_TIMEOUT: Millis = Millis(90_000);

/// A template's fields with every choice at its default, or at its first option.
pub(super) fn resolved(fields: SessionFields<Offered>) -> SessionFields<Plain> {
    let resources = fields.resources.map(|resources| fields::Resources {
        cpus: resources.cpus.and_then(pick),
        memory: resources.memory.and_then(pick),
        profile: resources.profile.and_then(pick),
        request: resources.request.map(|request| fields::Request {
            cpus: request.cpus.and_then(pick),
            memory: request.memory.and_then(pick),
        }),
    });
    let env = fields.env.map(|env| {
        env.into_iter().filter_map(|(name, value)| Some((name, pick(value)?))).collect()
    });
    SessionFields {
        workbench: pick(fields.workbench).unwrap_or_default(),
        display_name: fields.display_name,
        cluster: fields.cluster.and_then(pick),
        restart: fields.restart,
        on_removal: fields.on_removal,
        working_dir: fields.working_dir.and_then(pick),
        args: fields.args,
        access: fields.access,
        resources,
        env,
        health: fields.health,
        idle: fields.idle.map(|idle| fields::Idle {
            timeout: idle.timeout.and_then(pick),
            action: idle.action.and_then(pick),
        }),
        stop: fields.stop,
        update: fields.update,
        publish: fields.publish,
        placement: fields.placement,
    }
}

fn pick<T>(field: Field<T>) -> Option<T> {
    match field {
        Field::Fixed(value) => Some(value),
        Field::Choose { options, default, .. } => default.or_else(|| options.into_iter().next()),
    }
}

/// Who and what a session is, before its fields.
struct Head<'a> {
    id: SessionId,
    user: UserName,
    state: WantedState,
    asked_by: AskedBy,
    restart: Restart,
    fields: &'a SessionFields<Plain>,
}

impl Lowering<'_> {
    /// `sessions.d`.
    pub(super) fn lower_sessions(&mut self) {
        self.out.desired.sessions.managed = is_managed(&self.files.sessions);
        for (stem, file) in self.files.managed(DropIn::Sessions).files() {
            let Ok(id) = SessionId::new(stem) else {
                self.bad_session_name(stem, file.present());
                continue;
            };
            let wanted = match file {
                Known::Present(source) => self.lower_session(&id, stem, source),
                Known::Absent => continue,
                Known::Unknown { since, reason } => Known::Unknown {
                    since: *since,
                    reason: format!("its file cannot be read: {reason}"),
                },
            };
            self.out.desired.sessions.things.insert(id, wanted);
        }
    }

    fn bad_session_name(&mut self, stem: &str, source: Option<&Source>) {
        let file = match source {
            Some(source) => Arc::clone(&source.file),
            None => Arc::from(format!("sessions.d/{stem}.toml")),
        };
        let message = format!("`{}` is no session id", stem.escape_debug());
        let problem = Problem::new(Code(507), Severity::Error, message)
            .label(&file, None, "the file's name is the session's id")
            .help("use 1 to 40 of a-z, 0-9 and -, not beginning with -");
        self.out.problems.push(problem);
    }

    fn lower_session(
        &mut self,
        id: &SessionId,
        stem: &str,
        source: &Source,
    ) -> Known<Arc<SessionSpec>> {
        let read = self.read.sessions.get(stem);
        let Some(own) = read.and_then(|read| self.own_read(read, super::own::session_takes)) else {
            return refused();
        };
        let first = self.own_origin(source, &own.lines, "workbench");
        self.out.origins.add(format!("session/{id}"), first);
        self.session_origins(id, source, own);
        let user = own.value.user.as_deref().map(UserName::new);
        let user = match user {
            Some(Err(_)) => return refused(),
            Some(Ok(user)) => user,
            None => self.ground.default_user.clone(),
        };
        let state = match own.value.state {
            Some(SessionState::Stopped) => WantedState::Stopped,
            Some(SessionState::Suspended) => {
                self.cannot_suspend(source, own);
                return refused();
            }
            Some(SessionState::Running) | None => WantedState::Running,
        };
        let head = Head {
            id: id.clone(),
            user,
            state,
            asked_by: AskedBy::File,
            restart: Restart::Always,
            fields: &own.value.fields,
        };
        let env = self.own_env(&head, source, own);
        match self.spec_of(&head, env) {
            Ok(spec) => Known::Present(Arc::new(spec)),
            Err(wrong) => {
                let Wrong { field, code, message, help } = wrong;
                let span = own.lines.place(field).map(|place| place.span);
                let mut problem = Problem::new(Code(code), Severity::Error, message).label(
                    &source.file,
                    span,
                    "",
                );
                problem.help = help;
                self.out.problems.push(problem);
                refused()
            }
        }
    }

    /// Where each field of a session stands; what is counted by default stands where its limit does.
    fn session_origins(&mut self, id: &SessionId, source: &Source, own: &Own<SessionFile>) {
        for (path, _) in own.lines.iter() {
            let origin = self.own_origin(source, &own.lines, path);
            let part = match path.split_once('.') {
                Some(("env", _)) => continue,
                Some(("publish", _)) => "publish",
                _ => path,
            };
            self.out.origins.add(format!("session/{id}/{part}"), origin);
        }
        for part in ["cpus", "memory"] {
            let (limit, request) =
                (format!("resources.{part}"), format!("resources.request.{part}"));
            if own.lines.written(&limit).is_some() && own.lines.written(&request).is_none() {
                let origin = self.own_origin(source, &own.lines, &limit);
                self.out.origins.add(format!("session/{id}/{request}"), origin);
            }
        }
    }

    fn cannot_suspend(&mut self, source: &Source, own: &Own<SessionFile>) {
        let span = own.lines.place("state").map(|place| place.span);
        let problem = Problem::new(
            Code(421),
            Severity::Error,
            "suspending sessions arrives with sessions for people, not in this version",
        )
        .label(&source.file, span, "")
        .help("write \"stopped\": the process ends, its state is not kept");
        self.out.problems.push(problem);
    }

    /// `[env]` of a session's file, sealed, with origins.
    fn own_env(
        &mut self,
        head: &Head<'_>,
        source: &Source,
        own: &Own<SessionFile>,
    ) -> BTreeMap<String, EnvValue> {
        let mut env = BTreeMap::new();
        for (name, value) in own.value.fields.env.iter().flatten() {
            let value = for_user(value, &head.user);
            env.insert(name.clone(), self.sealed(name, value));
            let mut origin = self.own_origin(source, &own.lines, &format!("env.{name}"));
            origin.option.clone_from(name);
            self.out.origins.add(format!("session/{}/env {name}", head.id), origin);
        }
        env
    }

    /// A session's spec from its fields.
    fn spec_of(
        &mut self,
        head: &Head<'_>,
        own_env: BTreeMap<String, EnvValue>,
    ) -> Result<SessionSpec, Wrong> {
        let fields = head.fields;
        let workbench = WorkbenchName::new(&fields.workbench)
            .map_err(|error| Wrong::new("workbench", 504, error.to_string()))?;
        let cluster = self.cluster_of(fields.cluster.as_deref())?;
        let made = self.workbench(&workbench)?;
        self.site_origins(&head.id, &workbench, fields.cluster.is_none());
        let job_type = self.job_type.clone();
        let selected = Selected {
            workbench: &workbench,
            cluster: &cluster,
            user: &head.user,
            job_type: &job_type,
        };
        let mut env = made.secret_env;
        for (name, (value, origin)) in self.env_of(&selected) {
            if !own_env.contains_key(&name) {
                self.out.origins.add(format!("session/{}/env {name}", head.id), origin);
            }
            env.insert(name, value);
        }
        env.extend(own_env);
        let mut program = made.program;
        program.args.extend(fields.args.iter().flatten().cloned());
        let launch = LaunchSpec {
            workbench: workbench.clone(),
            user: head.user.clone(),
            cluster,
            program,
            env,
            working_dir: fields.working_dir.clone(),
            resources: resources_of(fields.resources.as_ref()),
            base: made.base,
        };
        let health = fields.health.as_ref();
        let path = health.and_then(|health| health.path.clone()).unwrap_or(made.health_path);
        let timeout = health.and_then(|health| health.start_timeout).unwrap_or(made.start_timeout);
        Ok(SessionSpec {
            id: head.id.clone(),
            asked_by: head.asked_by.clone(),
            display_name: fields.display_name.clone().unwrap_or_else(|| head.id.to_string()),
            state: head.state,
            state_by: None,
            ending: false,
            restart: fields.restart.map_or(head.restart, restart_of),
            on_removal: on_removal_of(fields.on_removal),
            launch: Arc::new(launch),
            stop: stop_of(fields.stop.as_ref()),
            health: HealthSpec { path, start_timeout_ms: timeout.0 },
            update: self.update_of(fields.update.as_ref()),
            access: access_of(fields.access.as_ref(), &head.user),
            publish: self.publish_of(fields.publish.as_ref())?,
            placement: placement_of(fields.placement.as_ref()),
        })
    }

    /// Where what a session takes from the site stands: its default cluster, its workbench's words.
    fn site_origins(&mut self, id: &SessionId, workbench: &WorkbenchName, default_cluster: bool) {
        if default_cluster && let Some((_, Some(line))) = self.default_cluster() {
            let origin = self.origin(
                grammar::source::FileKind::RserverConf,
                line,
                "launcher-default-cluster",
            );
            self.out.origins.add(format!("session/{id}/cluster"), origin);
        }
        for part in ["exe", "args", "workbench-env", "base"] {
            let places =
                self.out.origins.exactly(&format!("workbench/{workbench}/{part}")).to_vec();
            for place in places {
                self.out.origins.add(format!("session/{id}/{part}"), place);
            }
        }
    }

    /// The cluster that a session names, or the site's default.
    fn cluster_of(&self, named: Option<&str>) -> Result<ClusterName, Wrong> {
        let clusters = &self.out.desired.clusters;
        let Some(named) = named else {
            return match self.default_cluster() {
                Some((cluster, _)) => Ok(cluster),
                None => Err(Wrong::new(
                    "workbench",
                    303,
                    "this session names no cluster, and the site has none",
                )),
            };
        };
        if let Ok(cluster) = ClusterName::new(named)
            && clusters.contains_key(&cluster)
        {
            return Ok(cluster);
        }
        let nearest = grammar::suggest::nearest(named, clusters.keys().map(ClusterName::as_str));
        let mut wrong =
            Wrong::new("cluster", 302, format!("no cluster is called `{}`", named.escape_debug()));
        wrong.help = nearest.map(|name| format!("did you mean `{name}`?"));
        Err(wrong)
    }

    /// A workbench: what is built in, with the words of `wharf.toml` on top.
    fn workbench(&mut self, name: &WorkbenchName) -> Result<Made, Wrong> {
        let builtin = self.builtins.get(name).cloned();
        let table = self.workbench_tables.get(name);
        if builtin.is_none() && table.is_none() {
            let known = self.builtins.keys().chain(self.workbench_tables.keys());
            let nearest =
                grammar::suggest::nearest(name.as_str(), known.map(WorkbenchName::as_str));
            let mut wrong =
                Wrong::new("workbench", 304, format!("no workbench is called `{name}`"));
            wrong.help = Some(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("declare it in wharf.toml: [workbenches.{name}] exe = ..."),
            });
            return Err(wrong);
        }
        let mut made = match builtin {
            Some(builtin) => Made::from(builtin),
            None => Made::default(),
        };
        if let Some(table) = table {
            made.program.exe.clone_from(&table.exe);
            if let Some(args) = &table.args {
                made.program.args.clone_from(args);
            }
            let table_env = table.env.clone().unwrap_or_default();
            let (secret, plain): (BTreeMap<_, _>, BTreeMap<_, _>) =
                table_env.into_iter().partition(|(name, value)| super::is_secret(name, value));
            made.program.env.extend(plain);
            for (name, value) in secret {
                let value = sealed(&mut self.out.secrets, &name, value);
                made.secret_env.insert(name, value);
            }
            if let Some(path) = &table.ready_path {
                made.health_path.clone_from(path);
            }
            made.base = match table.base {
                Some(grammar::own::workbench::Base::Strip) => BasePath::Strip,
                Some(grammar::own::workbench::Base::Keep) => BasePath::Keep,
                None => made.base,
            };
        }
        self.out.desired.workbenches.entry(name.clone()).or_insert_with(|| WorkbenchSpec {
            display_name: made.display_name.clone(),
            ..WorkbenchSpec::default()
        });
        Ok(made)
    }

    fn update_of(&self, update: Option<&fields::Update>) -> UpdateSpec {
        let renew = update.and_then(|update| renew_of(update.apply));
        UpdateSpec {
            renew: renew.unwrap_or(self.out.desired.policy.renew),
            window: update.and_then(|update| update.window),
        }
    }

    fn publish_of(&self, publish: Option<&fields::Publish>) -> Result<Option<Publish>, Wrong> {
        let Some(publish) = publish else { return Ok(None) };
        let gateways = &self.out.desired.gateways.things;
        let gateway = match &publish.gateway {
            PublishGateway::Named(name) => GatewayId::new(name)
                .map_err(|error| Wrong::new("publish.gateway", 504, error.to_string()))?,
            PublishGateway::Auto => gateways.keys().next().cloned().ok_or_else(|| {
                Wrong::new("publish.gateway", 305, "the site has no gateway to publish on")
            })?,
        };
        if self.out.desired.gateways.managed && !gateways.contains_key(&gateway) {
            let mut wrong =
                Wrong::new("publish.gateway", 305, format!("no gateway is called `{gateway}`"));
            let known = gateways.keys().map(GatewayId::as_str);
            wrong.help = grammar::suggest::nearest(gateway.as_str(), known)
                .map(|name| format!("did you mean `{name}`?"));
            return Err(wrong);
        }
        Ok(Some(Publish { gateway, port: publish.port.map(|port| port.0) }))
    }

    /// Lowers the session that a person asks for from a template.
    pub(super) fn lower_request(
        &mut self,
        template: &TemplateSpec,
        id: SessionId,
        user: UserName,
        asked_by: AskedBy,
    ) -> Result<SessionSpec, String> {
        let own_env = template.fields.env.iter().flatten();
        let own_env = own_env
            .map(|(name, value)| (name.clone(), self.sealed(name, for_user(value, &user))))
            .collect();
        let head = Head {
            id,
            user,
            state: WantedState::Running,
            asked_by,
            restart: Restart::OnFailure,
            fields: &template.fields,
        };
        self.spec_of(&head, own_env).map_err(|wrong| match wrong.help {
            Some(help) => format!("{}; {help}", wrong.message),
            None => wrong.message,
        })
    }
}

/// What is wrong with one field.
struct Wrong {
    field: &'static str,
    code: u16,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(field: &'static str, code: u16, message: impl Into<String>) -> Self {
        Self { field, code, message: message.into(), help: None }
    }
}

/// A workbench put together.
struct Made {
    display_name: String,
    program: Program,
    /// What of its environment is secret: never part of the program, which is stored as it is.
    secret_env: BTreeMap<String, EnvValue>,
    base: BasePath,
    health_path: String,
    start_timeout: Millis,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            display_name: String::new(),
            program: Program { exe: None, args: Vec::new(), env: BTreeMap::new() },
            secret_env: BTreeMap::new(),
            base: BasePath::Keep,
            health_path: "/".to_owned(),
            start_timeout: START_TIMEOUT,
        }
    }
}

impl From<Builtin> for Made {
    fn from(builtin: Builtin) -> Self {
        Self {
            display_name: builtin.display_name.to_owned(),
            program: builtin.program,
            secret_env: BTreeMap::new(),
            base: builtin.base,
            health_path: builtin.health_path.to_owned(),
            start_timeout: builtin.start_timeout,
        }
    }
}
