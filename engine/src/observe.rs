//! One look at the world: every port is asked, and every answer is three-valued.
//!
//! Decides nothing. What a port cannot say is Unknown, with the reason, and the planner says what follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::desired::{Desired, Mode, RefusedFiles, SessionSpec};
use engine_core::ids::{Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName};
use engine_core::incumbent::Questions;
use engine_core::known::Known;
use engine_core::observed::{InForce, IncarnationSeen, Memory, Observed, PortRefusal};
use engine_core::shared_map::SharedMap;

use crate::ports::{Accounts, Incumbent, Launcher, Nodes, Routes, Workbenches};

/// The ports that are observed each round.
pub struct Eyes<'a> {
    /// Launchers by the name of their cluster's type; one of them may serve several clusters.
    pub launchers: &'a mut BTreeMap<String, Box<dyn Launcher>>,
    /// The proxy.
    pub routes: &'a mut dyn Routes,
    /// Nodes.
    pub nodes: &'a mut dyn Nodes,
    /// Accounts.
    pub accounts: &'a mut dyn Accounts,
    /// Workbenches.
    pub workbenches: &'a mut dyn Workbenches,
    /// The product that runs on the same files.
    pub incumbent: &'a mut dyn Incumbent,
}

/// What is known without asking the world.
pub struct Given {
    /// This node.
    pub node: NodeId,
    /// Cores of this node.
    pub cores: u32,
    /// The set of files in force.
    pub in_force: InForce,
    /// Records from the store.
    pub records: Known<engine_core::observed::Records>,
    /// What the loop remembers.
    pub memory: Memory,
    /// Minute of the local week, from Monday 00:00.
    pub week_minute: u16,
    /// What is known of files that are newer than those in force.
    pub newer: Newer,
    /// The newest files, if they are refused.
    pub refused_files: Option<Arc<RefusedFiles>>,
    /// What to ask of the product that runs on the same files; none as long as none are in force.
    pub questions: Option<Questions>,
}

/// What is known of files that are newer than those in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newer {
    /// By when they are decided upon, if they are.
    pub decided_by: Option<Moment>,
    /// Why nobody can say what they are, if so.
    pub unknown: Option<String>,
}

/// Looks once.
pub fn observe(
    eyes: &mut Eyes<'_>,
    given: Given,
    desired: &Desired,
    spoken_of: &SpokenOf,
    now: Moment,
) -> Observed {
    let mut observed = Observed::empty(given.node.clone());
    observed.cores = given.cores;
    observed.in_force = given.in_force;
    observed.records = given.records;
    observed.memory = given.memory;
    observed.week_minute = given.week_minute;
    observed.deciding_by = given.newer.decided_by;
    observed.files_unknown = given.newer.unknown;
    observed.refused_files = given.refused_files;
    observed.incumbent = eyes.incumbent.observe(given.questions.as_ref(), now);
    observed.nodes = eyes.nodes.observe(now);
    if let Some(Known::Present(itself)) = observed.nodes.get_mut(&observed.node) {
        itself.site = observed.in_force.digest;
    }
    let found = ask_launchers(&mut observed, eyes.launchers, desired, now);
    ask_routes(&mut observed, eyes.routes, found, now);
    let wanted = (desired, spoken_of);
    look_around(&mut observed, eyes.accounts, eyes.workbenches, wanted, now);
    observed
}

/// Looks at what does not belong to an engine: accounts and workbenches. Changes nothing.
pub fn look_around(
    observed: &mut Observed,
    accounts: &mut dyn Accounts,
    known: &mut dyn Workbenches,
    (desired, spoken_of): (&Desired, &SpokenOf),
    now: Moment,
) {
    known.may_run(desired.mode != Mode::Observe);
    for user in spoken_of.users.keys() {
        observed.users.insert(user.clone(), accounts.look_up(user, now));
    }
    for workbench in spoken_of.workbenches.keys() {
        let spec = desired.workbenches.get(workbench).cloned().unwrap_or_default();
        let seen = known.observe(workbench, &spec, now);
        observed.workbenches.insert(workbench.clone(), seen);
    }
}

/// Looks who holds the port that `desired` asks for and this engine does not have: a plan says so before
/// anything is tried. Changes nothing.
pub fn look_at_port(
    observed: &mut Observed,
    routes: &mut dyn Routes,
    desired: &Desired,
    now: Moment,
) {
    let Some(wanted) = &desired.listen else { return };
    let is_ours = observed.listeners.values().any(|known| known.present() == Some(wanted));
    if is_ours || observed.refused.contains_key(wanted) {
        return;
    }
    if let Some(holder) = routes.who_holds(wanted) {
        let refusal = PortRefusal { reason: format!("held by {holder}"), at: now };
        observed.refused.insert(wanted.clone(), refusal);
    }
}

fn ask_launchers(
    observed: &mut Observed,
    launchers: &mut BTreeMap<String, Box<dyn Launcher>>,
    desired: &Desired,
    now: Moment,
) -> BTreeMap<Incarnation, Known<IncarnationSeen>> {
    let mut all = BTreeMap::new();
    for (kind, launcher) in launchers {
        match launcher.observe(now) {
            Ok(found) => all.extend(found),
            Err(error) => {
                let reason = crate::chain(&error);
                let clusters = desired.clusters.iter().filter(|(_, spec)| &spec.kind == kind);
                let mut names: Vec<String> = clusters.map(|(name, _)| name.to_string()).collect();
                if names.is_empty() {
                    // No file speaks of such a cluster (nothing was approved yet), and sessions may live
                    // there all the same: silence is never taken for absence.
                    names.push(kind.clone());
                }
                let silent = names.into_iter().map(|name| (name, (now, reason.clone())));
                observed.silent_clusters.extend(silent);
            }
        }
    }
    all
}

fn ask_routes(
    observed: &mut Observed,
    routes: &mut dyn Routes,
    mut found: BTreeMap<Incarnation, Known<IncarnationSeen>>,
    now: Moment,
) {
    let seen = routes.observe(now);
    observed.listeners =
        seen.listeners.into_iter().map(|(id, address)| (id, Known::Present(address))).collect();
    observed.refused = seen.refused;
    observed.routes = seen.routes;
    observed.leads = seen.leads;
    observed.connections = seen.connections;
    observed.balancer = seen.balancer;
    for (incarnation, known) in &mut found {
        if let Known::Present(IncarnationSeen { last_used, .. }) = known {
            let used = seen.last_used.get(&incarnation.session).copied();
            *last_used = (*last_used).max(used);
        }
    }
    observed.incarnations = found.into_iter().collect();
}

/// The accounts and workbenches that sessions are asked for with, counted, so that a session more or less is no
/// reason to look at all of them.
#[derive(Clone, Debug, Default)]
pub struct SpokenOf {
    by: SharedMap<SessionId, Known<Arc<SessionSpec>>>,
    users: BTreeMap<UserName, usize>,
    workbenches: BTreeMap<WorkbenchName, usize>,
}

impl SpokenOf {
    /// Those of what is asked for.
    #[must_use]
    pub fn of(desired: &Desired) -> Self {
        let mut spoken_of = Self::default();
        spoken_of.follow(desired);
        spoken_of
    }

    /// Follows what is asked for now.
    pub fn follow(&mut self, desired: &Desired) {
        let now = &desired.sessions.things;
        for change in now.changes_since(&self.by) {
            if let Some(spec) = change.now.and_then(Known::present) {
                *self.users.entry(spec.launch.user.clone()).or_default() += 1;
                *self.workbenches.entry(spec.launch.workbench.clone()).or_default() += 1;
            }
            if let Some(spec) = change.before.and_then(Known::present) {
                count_down(&mut self.users, &spec.launch.user);
                count_down(&mut self.workbenches, &spec.launch.workbench);
            }
        }
        self.by = now.clone();
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
