//! What the engine says of itself: one value that commands, pages, metrics and health read.
//!
//! Made once a round by `reconcile`; swapped atomically; nobody computes a second truth from the world.

use std::collections::BTreeMap;

use engine_core::ids::{Generation, Moment};
use serde::{Deserialize, Serialize};

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
    /// This node.
    pub node: String,
    /// The engine's process id.
    pub pid: u32,
    /// The generation in force; 0 = none.
    pub generation: Generation,
    /// Since when it is in force.
    pub since: Moment,
    /// When the last set of files was accepted or refused.
    pub decided_at: Moment,
    /// Why the files on disk are not in force, if so.
    pub refused: Option<Refusal>,
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
    pub sessions: Vec<SessionView>,
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
    /// Address and range.
    pub range: String,
    /// Port to session.
    pub ports: BTreeMap<u16, String>,
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
}

/// An override, as shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct OverrideView {
    /// Its id.
    pub id: String,
    /// What it does.
    pub what: String,
    /// The line it hides.
    pub hides: String,
    /// Who asked.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Option<Moment>,
}
