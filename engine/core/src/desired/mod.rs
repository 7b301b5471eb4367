//! What is asked for, as one value: lowered from files, merged with people's requests and overrides.
//!
//! Read next: [`mod@lower`] (files to values), then [`merge`](fn@merge) (requests and overrides on top).

mod environment;
mod launch;
mod lower;
mod merge;
mod origins;
mod overrides;
mod refused;
mod secrets;
mod spec;
mod waiting;

pub use environment::Environment;
pub use launch::*;
pub use lower::*;
pub use merge::*;
pub use origins::*;
pub use overrides::*;
pub use refused::RefusedFiles;
pub use secrets::{Secrets, for_user, has_user};
pub use spec::*;
pub use waiting::{act_on, waits};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{ClusterName, GatewayId, NodeId, SessionId, WorkbenchName};
use crate::known::Known;
use crate::shared_map::{Key, SharedMap};

/// How much of the world is ours to change (product.md §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Read files and world, plan, change nothing.
    Observe,
    /// Serve on our own port beside the incumbent.
    Beside,
    /// Take the ports and the store that the files name.
    #[default]
    Serve,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Observe => "observe",
            Mode::Beside => "beside",
            Mode::Serve => "serve",
        })
    }
}

/// Things of one kind, or the fact that nobody manages them: a missing directory ends nothing, an
/// empty one asks for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared<K: Key, V> {
    /// Whether the directory is there.
    pub managed: bool,
    /// What it asks for; a file that cannot be read is Unknown, and its thing stays as it is.
    pub things: SharedMap<K, Known<V>>,
}

impl<K: Key, V> Default for Declared<K, V> {
    fn default() -> Self {
        Self { managed: false, things: SharedMap::new() }
    }
}

impl<K: Key, V> Declared<K, V> {
    /// The things that are known, in order.
    pub fn known(&self) -> impl Iterator<Item = (&K, &V)> {
        self.things.iter().filter_map(|(key, thing)| Some((key, thing.present()?)))
    }

    /// One thing, if it is known.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.things.get(key)?.present()
    }
}

/// A workbench as asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkbenchSpec {
    /// The executable that a file names.
    pub exe: Option<String>,
    /// The requirements file to install it from, if a file asks for that.
    pub install_from: Option<String>,
}

/// Everything that is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// How much is ours to change.
    pub mode: Mode,
    /// Sessions, declared and requested.
    pub sessions: Declared<SessionId, Arc<SessionSpec>>,
    /// Sessions without a usable file (it is gone, or has mistakes) that a person has told to stop: how.
    pub told_to_stop: BTreeMap<SessionId, String>,
    /// What commands say of nodes, on top of their files.
    pub nodes_told: BTreeMap<NodeId, NodeTold>,
    /// The generation that acts whatever newer files say, if a person has pinned one.
    pub pinned: Option<Pinned>,
    /// Gateways.
    pub gateways: Declared<GatewayId, Arc<GatewaySpec>>,
    /// Nodes that a file speaks of; others have the defaults.
    pub nodes: Declared<NodeId, Arc<NodeSpec>>,
    /// Clusters.
    pub clusters: BTreeMap<ClusterName, ClusterSpec>,
    /// Workbenches that `wharf.toml` speaks of; others are as they are built in.
    pub workbenches: BTreeMap<WorkbenchName, WorkbenchSpec>,
    /// Where to listen; none = nowhere.
    pub listen: Option<ListenAddress>,
    /// How nodes are chosen.
    pub balancer: BalancerMethod,
    /// How long things wait.
    pub policy: Policy,
    /// What newer files ask for that a person has not approved yet; everything else here is what acts.
    pub waiting: Option<Arc<Desired>>,
}

impl Desired {
    /// What a node is asked to be: by its file, and by commands on top.
    #[must_use]
    pub fn node(&self, node: &NodeId) -> NodeSpec {
        let mut spec =
            self.nodes.get(node).map_or_else(NodeSpec::default, |spec| NodeSpec::clone(spec));
        let Some(told) = self.nodes_told.get(node) else { return spec };
        if let Some((schedulable, draining, _)) = &told.new_sessions {
            (spec.schedulable, spec.draining) = (*schedulable, *draining);
        }
        if let Some((weight, _)) = &told.weight {
            spec.weight = *weight;
        }
        spec
    }
}
