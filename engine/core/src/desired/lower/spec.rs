//! A session's fields to what is asked for, with what the site gives every session of its kind.
//!
//! Read next: `sessions`, which does so for each file; `kinds`, what sessions have in common.

use std::collections::BTreeMap;

use grammar::own::fields::{self, PublishGateway, SessionFields};
use grammar::own::form::Plain;
use grammar::source::FileKind;

use super::fields::{access_of, on_removal_of, placement_of, resources_of, restart_of, stop_of};
use super::own::renew_of;
use super::{Lowering, TemplateSpec};
use crate::desired::{
    AskedBy, EnvValue, HealthSpec, Launch, LaunchSpec, Origin, Publish, Restart, SessionOrigins,
    SessionSpec, UpdateSpec, WantedState, for_user,
};
use crate::ids::{ClusterName, GatewayId, SessionId, UserName, WorkbenchName};

/// Who and what a session is, before its fields.
pub(super) struct Head<'a> {
    pub(super) id: SessionId,
    pub(super) user: UserName,
    pub(super) state: WantedState,
    pub(super) asked_by: AskedBy,
    pub(super) restart: Restart,
    pub(super) fields: &'a SessionFields<Plain>,
}

/// A session put together.
pub(super) struct Made {
    pub(super) spec: SessionSpec,
    /// Where its variables and what it takes from the site stand.
    pub(super) origins: SessionOrigins,
}

impl Lowering<'_> {
    /// A session's spec from its fields, with its own variables on top of what the site gives.
    pub(super) fn spec_of(
        &mut self,
        head: &Head<'_>,
        own_env: BTreeMap<String, EnvValue>,
    ) -> Result<Made, Wrong> {
        let fields = head.fields;
        let workbench = WorkbenchName::new(&fields.workbench)
            .map_err(|error| Wrong::new("workbench", 504, error.to_string()))?;
        let cluster = self.cluster_of(fields.cluster.as_deref())?;
        let kind = self.kind(&workbench, &cluster)?;
        let mut program = kind.workbench.program.clone();
        program.args.extend(fields.args.iter().flatten().cloned());
        let launch = LaunchSpec {
            workbench: workbench.clone(),
            user: head.user.clone(),
            cluster,
            program,
            env: kind.environment(&head.user, own_env),
            working_dir: fields.working_dir.clone(),
            resources: resources_of(fields.resources.as_ref()),
            base: kind.workbench.base,
        };
        let health = fields.health.as_ref();
        let path = health.and_then(|health| health.path.clone());
        let timeout = health.and_then(|health| health.start_timeout);
        let spec = SessionSpec {
            id: head.id.clone(),
            asked_by: head.asked_by.clone(),
            display_name: fields.display_name.clone().unwrap_or_else(|| head.id.to_string()),
            state: head.state,
            state_by: None,
            ending: false,
            restart: fields.restart.map_or(head.restart, restart_of),
            on_removal: on_removal_of(fields.on_removal),
            launch: Launch::new(launch),
            stop: stop_of(fields.stop.as_ref()),
            health: HealthSpec {
                path: path.unwrap_or_else(|| kind.workbench.health_path.clone()),
                start_timeout_ms: timeout.unwrap_or(kind.workbench.start_timeout).0,
            },
            update: self.update_of(fields.update.as_ref()),
            access: access_of(fields.access.as_ref(), &head.user),
            publish: self.publish_of(fields.publish.as_ref())?,
            placement: placement_of(fields.placement.as_ref()),
        };
        let site = self.site_origins(&workbench, fields.cluster.is_none());
        let origins = SessionOrigins { own: None, site, variables: kind.variables() };
        Ok(Made { spec, origins })
    }

    /// Where what a session takes from the site stands: its default cluster, its workbench's words.
    fn site_origins(
        &self,
        workbench: &WorkbenchName,
        default_cluster: bool,
    ) -> Vec<(&'static str, Origin)> {
        let mut site = Vec::new();
        if default_cluster && let Some((_, Some(line))) = self.default_cluster() {
            let option = "launcher-default-cluster";
            site.push(("cluster", self.origin(FileKind::RserverConf, line, option)));
        }
        if self.workbench_tables.contains_key(workbench) {
            for part in ["exe", "args", "workbench-env", "base"] {
                let places = self.out.origins.exactly(&format!("workbench/{workbench}/{part}"));
                site.extend(places.into_iter().map(|place| (part, place)));
            }
        }
        site
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
    ) -> Result<Made, String> {
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
pub(super) struct Wrong {
    pub(super) field: &'static str,
    pub(super) code: u16,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Wrong {
    pub(super) fn new(field: &'static str, code: u16, message: impl Into<String>) -> Self {
        Self { field, code, message: message.into(), help: None }
    }
}
