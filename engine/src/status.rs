//! What the engine says of itself: one value that commands, pages, metrics and health read.
//!
//! Made once a round by `reconcile`; swapped atomically; nobody computes a second truth from the world.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::desired::Desired;
use engine_core::ids::{Generation, Moment};
use engine_core::known::Known;
use engine_core::observed::Observed;
use engine_core::plan::{Hold, HoldKind, Plan, WaitingOn};
use engine_core::report::{self, Overridden};
use engine_core::window::ChangeWindow;
use serde::{Deserialize, Serialize};

mod incumbent;
mod sessions;

pub use incumbent::IncumbentView;
pub use sessions::{SessionViews, Shown};

/// The format of [`StatusView`] as JSON: raised when a field changes its meaning or goes.
pub const STATUS_FORMAT: u32 = 1;

/// The engine's state as of its last round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct StatusView {
    /// [`STATUS_FORMAT`].
    pub format: u32,
    /// The program's version.
    pub version: String,
    /// The instance's name.
    pub instance: String,
    /// `observe`, `beside` or `serve`.
    pub mode: String,
    /// The configuration directory, as given.
    pub site: String,
    /// The same as an absolute path, for commands that run elsewhere.
    pub site_dir: String,
    /// This node.
    pub node: String,
    /// The engine's process id.
    pub pid: u32,
    /// The generation in force; 0 = none.
    pub generation: Generation,
    /// Since when it is in force.
    pub since: Moment,
    /// The generation that acts while the one in force waits for `wharf apply`; none = the one in force.
    pub acting: Option<Generation>,
    /// When the last set of files was accepted or refused.
    pub decided_at: Moment,
    /// Looks at the files: whom the last verdict answers.
    pub looks: LooksView,
    /// Since when the files are being read; none = they are not, just now.
    pub reading_since: Option<Moment>,
    /// Why the files on disk are not in force, if so.
    pub refused: Option<Refusal>,
    /// What is wrong with single things of the set in force, in one line each.
    pub problems: Vec<String>,
    /// What the newest files say that acts only when the engine is started again, in one line each.
    #[serde(default)]
    pub next_start: Vec<String>,
    /// Directories that cannot be watched, each with why: they are read every `poll` of `[site]`.
    pub polled: BTreeMap<String, String>,
    /// No steps and no passing holds.
    pub settled: bool,
    /// Whether a person has paused reconciliation.
    pub paused: bool,
    /// When the last round ended.
    pub round_at: Moment,
    /// How many rounds there were.
    pub rounds: u64,
    /// What the last round took, in microseconds.
    pub round_us: u64,
    /// Steps that failed since the start, by what was tried.
    pub step_failures: BTreeMap<String, u64>,
    /// Why the store cannot be used, if so.
    pub store_problem: Option<String>,
    /// Sessions, by id.
    pub sessions: SessionViews,
    /// Listeners, with their addresses.
    pub listeners: BTreeMap<String, String>,
    /// Nodes with weight.
    pub nodes: BTreeMap<String, NodeView>,
    /// Gateways with their ranges and ports in use.
    pub gateways: BTreeMap<String, GatewayView>,
    /// The balancer's method.
    pub balancer: String,
    /// What is wanted and waits.
    pub holds: Vec<HoldView>,
    /// Commands that hide a line of a file.
    pub overrides: Vec<OverrideView>,
    /// Change windows that are open: files on disk are not judged before the last of them has ended.
    pub change_windows: Vec<ChangeWindow>,
    /// The product that runs on the same files; none where it was not found.
    pub incumbent: Option<IncumbentView>,
}

/// Looks at the files, counted from 1 for each process of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LooksView {
    /// The look that answers whoever asked last (`wharf reload`); the first answers the start.
    pub asked: u64,
    /// The last look upon which was decided: whoever asked for it or for one before has the verdict.
    pub decided: u64,
}

/// Files that were refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Refusal {
    /// When.
    pub at: Moment,
    /// Each problem in one line: `file:line:col: level[code]: text`.
    pub problems: Vec<String>,
}

impl StatusView {
    /// A session by its id.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<&SessionView> {
        self.sessions.get(id)
    }

    /// Takes out what is an administrator's alone to see, on whatever way: lines of files and what they name, places
    /// of this machine, what was commanded, and all of the product but that it runs. Whose sessions are shown is
    /// another question.
    pub fn hide_what_is_an_administrators(&mut self) {
        self.overrides.clear();
        self.change_windows.clear();
        self.problems.clear();
        self.next_start.clear();
        self.polled.clear();
        self.gateways.clear();
        self.step_failures.clear();
        self.store_problem = None;
        self.site.clear();
        self.site_dir.clear();
        if let Some(refused) = &mut self.refused {
            refused.problems.clear();
        }
        if let Some(incumbent) = &mut self.incumbent {
            let IncumbentView { name, looked_at, services, .. } = std::mem::take(incumbent);
            *incumbent = IncumbentView { name, looked_at, services, ..IncumbentView::default() };
        }
    }
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// What pages call it.
    pub display_name: String,
    /// The kind of session.
    pub workbench: String,
    /// Its account.
    pub user: String,
    /// `running`, `starting`, `waiting`, `ending`, `stopped`, `failed`, `unknown`, `foreign`.
    pub state: String,
    /// Why it is in this state, in one line; empty when there is nothing to say.
    pub reason: String,
    /// How far a wait is, where that is known: done and total.
    pub progress: Option<(u32, u32)>,
    /// Its path: `/s/<id>/`.
    pub path: String,
    /// Which start; 0 = none yet.
    pub incarnation: u32,
    /// Process id of its leader.
    pub pid: Option<u32>,
    /// Where it runs.
    pub node: String,
    /// Since when it runs.
    pub since: Option<Moment>,
    /// What differs from what the files ask for now.
    pub outdated: Vec<String>,
    /// Open connections.
    pub connections: u32,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct NodeView {
    /// Its share of new sessions.
    pub weight: u32,
    /// `online`, `cordoned`, `draining`, `unknown`.
    pub state: String,
    /// Sessions on it.
    pub sessions: u32,
}

/// A gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct GatewayView {
    /// Address and range; empty where its file cannot say.
    pub range: String,
    /// What is wrong with its file, if so: it stays as it is.
    pub problem: Option<String>,
    /// Port to session.
    #[serde(deserialize_with = "ports_of_keys")]
    pub ports: BTreeMap<u16, String>,
}

/// Keys of JSON are texts; where an enum with a tag lies around, serde does not make numbers of them.
fn ports_of_keys<'de, D>(from: D) -> Result<BTreeMap<u16, String>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    use serde::de::Error;
    let keyed = BTreeMap::<String, String>::deserialize(from)?;
    let port = |(key, session): (String, String)| match key.parse() {
        Ok(port) => Ok((port, session)),
        Err(error) => Err(D::Error::custom(format!("port {key:?}: {error}"))),
    };
    keyed.into_iter().map(port).collect()
}

/// A hold, as shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct HoldView {
    /// `session/demo`.
    pub resource: String,
    /// What would happen: `ends`.
    pub wanted: String,
    /// For what it waits, in words.
    pub waiting: String,
    /// When it goes on by itself.
    pub until: Option<Moment>,
    /// `launcher-env:3`.
    pub because: Vec<String>,
    /// Whether it stays until a person, a start or an idle time ends it.
    pub standing: bool,
    /// Whether it waits for a person's `wharf apply`.
    pub approval: bool,
    /// Whether it only waits for a session's next start: the session is outdated, and nothing is held.
    pub outdated: bool,
}

/// An override, as shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OverrideView {
    /// Its id.
    pub id: String,
    /// What it does.
    pub what: String,
    /// The lines it hides: `nodes.d/n1.toml:2`; empty where no file speaks of it.
    pub hides: String,
    /// Who asked.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Option<Moment>,
}

/// Makes the part of the view that a round knows; what was shown of sessions before is made again where it changed.
#[must_use]
pub fn view(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    at: Moment,
    shown: &mut Shown,
) -> StatusView {
    let mut view = StatusView {
        format: STATUS_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: desired.mode.to_string(),
        node: observed.node.to_string(),
        settled: plan.is_settled(),
        paused: observed.memory.paused || observed.memory.pin_lost,
        round_at: at,
        balancer: desired.balancer.to_string(),
        ..StatusView::default()
    };
    view.sessions = shown.follow(desired, observed, plan);
    view.incumbent = incumbent::view(observed, desired, at);
    view.holds = plan.holds.iter().map(hold_view).collect();
    for (listener, known) in &observed.listeners {
        if let Some(address) = known.present() {
            view.listeners.insert(listener.to_string(), address.to_string());
        }
    }
    view.nodes = nodes(desired, observed);
    view.gateways = gateways(desired, observed);
    view
}

/// An override as shown.
#[must_use]
pub fn override_view(given: &Overridden) -> OverrideView {
    let hides: Vec<String> = given.hides.iter().map(ToString::to_string).collect();
    OverrideView {
        id: given.id.clone(),
        what: given.what.clone(),
        hides: hides.join(", "),
        owner: given.owner.clone(),
        reason: given.reason.clone(),
        until: given.until,
    }
}

/// A hold as shown.
#[must_use]
pub fn hold_view(hold: &Hold) -> HoldView {
    HoldView {
        resource: hold.resource.to_string(),
        wanted: hold.wanted.clone(),
        waiting: report::text::waiting(&hold.waiting_on),
        until: hold.until,
        because: report::text::places(&hold.because),
        standing: hold.kind() == HoldKind::Standing,
        approval: matches!(hold.waiting_on, WaitingOn::Approval { .. }),
        outdated: matches!(hold.waiting_on, WaitingOn::NextStart { .. }),
    }
}

fn nodes(desired: &Desired, observed: &Observed) -> BTreeMap<String, NodeView> {
    let weights = observed.balancer.as_ref().map(|seen| &seen.weights);
    let mut nodes = BTreeMap::new();
    let mut live = BTreeMap::<_, u32>::new();
    for seen in observed.incarnations.values().filter_map(Known::present) {
        if seen.phase.is_live() {
            *live.entry(&seen.node).or_default() += 1;
        }
    }
    let ids: BTreeSet<_> =
        observed.nodes.keys().chain(weights.into_iter().flat_map(BTreeMap::keys)).collect();
    for id in ids {
        let spec = desired.node(id);
        let online = observed.nodes.get(id).is_some_and(|known| known.present().is_some());
        let state = match (online, spec.draining, spec.schedulable) {
            (false, ..) => "unknown",
            (true, true, _) => "draining",
            (true, false, false) => "cordoned",
            (true, false, true) => "online",
        };
        nodes.insert(
            id.to_string(),
            NodeView {
                weight: weights.and_then(|weights| weights.get(id)).copied().unwrap_or(0),
                state: state.to_owned(),
                sessions: live.get(id).copied().unwrap_or(0),
            },
        );
    }
    nodes
}

fn gateways(desired: &Desired, observed: &Observed) -> BTreeMap<String, GatewayView> {
    let mut gateways = BTreeMap::new();
    for (id, known) in &desired.gateways.things {
        let (range, problem) = match known {
            Known::Present(spec) => {
                (format!("{} {}-{}", spec.ip, spec.first_port, spec.last_port), None)
            }
            Known::Unknown { reason, .. } => (String::new(), Some(reason.clone())),
            Known::Absent => continue,
        };
        let leases = observed.records.present().map(|records| &records.leases);
        let ports = leases
            .into_iter()
            .flatten()
            .filter(|((gateway, _), _)| gateway == id)
            .map(|((_, port), session)| (*port, session.to_string()))
            .collect();
        gateways.insert(id.to_string(), GatewayView { range, problem, ports });
    }
    gateways
}

#[cfg(test)]
mod tests;
