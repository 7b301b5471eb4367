//! What was found: launchers, routes, listeners, users, the store. Every entry is [`Known`].
//!
//! Filled by the shell's `observe`; decides nothing. `Memory` is what the loop carries from round
//! to round because the world cannot tell it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::approval::Approval;
use crate::desired::{
    BalancerMethod, Launch, ListenAddress, ListenerId, OnRemoval, RefusedFiles, StopSpec,
};
use crate::ids::{
    GatewayId, Generation, Incarnation, Moment, NodeId, SessionId, SiteDigest, UserName,
    WorkbenchName,
};
use crate::incumbent::Found;
use crate::known::Known;
use crate::plan::{Impact, Resource, RouteSpec};
use crate::shared_map::SharedMap;

mod ends;
mod follow;

pub use ends::{ENDS_KEPT, EndRecord};

/// The world as one round found it. As JSON it is part of a recorded round, which has a `format`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The node that looks.
    pub node: NodeId,
    /// Cores of this node.
    pub cores: u32,
    /// The set of files in force.
    pub in_force: InForce,
    /// Nodes, with their state.
    pub nodes: BTreeMap<NodeId, Known<NodeSeen>>,
    /// Accounts that sessions run as.
    pub users: BTreeMap<UserName, Known<UserSeen>>,
    /// Whether each workbench can be started here.
    pub workbenches: BTreeMap<WorkbenchName, Known<WorkbenchSeen>>,
    /// Every incarnation found, alive or with its exit record.
    #[serde(with = "crate::pairs")]
    pub incarnations: SharedMap<Incarnation, Known<IncarnationSeen>>,
    /// Launchers that could not be asked: nothing of theirs may be taken for gone. Cluster to since when, and why.
    pub silent_clusters: BTreeMap<String, (Moment, String)>,
    /// Placements and start numbers from the store.
    pub records: Known<Records>,
    /// Open listeners.
    #[serde(with = "crate::pairs")]
    pub listeners: BTreeMap<ListenerId, Known<ListenAddress>>,
    /// Addresses that could not be bound, with who holds them.
    #[serde(with = "crate::pairs")]
    pub refused: BTreeMap<ListenAddress, PortRefusal>,
    /// Routes in the table.
    pub routes: SharedMap<SessionId, RouteSpec>,
    /// Where each open port of a gateway leads.
    #[serde(with = "crate::pairs", default)]
    pub leads: BTreeMap<(GatewayId, u16), SessionId>,
    /// Connections per session, as the proxy counts them.
    pub connections: SharedMap<SessionId, u32>,
    /// Balancer in force.
    pub balancer: Option<BalancerSeen>,
    /// Minute of the local week, from Monday 00:00: for time windows.
    pub week_minute: u16,
    /// Newer files than those in force are being decided upon, until then at the latest: what those in force
    /// would do to people may not be wanted any more.
    #[serde(default)]
    pub deciding_by: Option<Moment>,
    /// Nobody can say what is on disk, for this reason: it may be what those in force would be changed to.
    #[serde(default)]
    pub files_unknown: Option<String>,
    /// The newest files, if they are refused: of what they say otherwise, and why they are not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_files: Option<Arc<RefusedFiles>>,
    /// The product that runs on the same files; foreign as a whole.
    #[serde(default = "crate::incumbent::nobody_looked")]
    pub incumbent: Known<Arc<Found>>,
    /// What the loop remembers.
    pub memory: Memory,
}

impl Observed {
    /// A world in which nothing is there yet, seen from `node`.
    #[must_use]
    pub fn empty(node: NodeId) -> Self {
        Self {
            node,
            cores: 1,
            in_force: InForce::default(),
            nodes: BTreeMap::new(),
            users: BTreeMap::new(),
            workbenches: BTreeMap::new(),
            incarnations: SharedMap::new(),
            silent_clusters: BTreeMap::new(),
            records: Known::Present(Records::default()),
            listeners: BTreeMap::new(),
            refused: BTreeMap::new(),
            routes: SharedMap::new(),
            leads: BTreeMap::new(),
            connections: SharedMap::new(),
            balancer: None,
            week_minute: 0,
            deciding_by: None,
            files_unknown: None,
            refused_files: None,
            incumbent: crate::incumbent::nobody_looked(),
            memory: Memory::default(),
        }
    }

    /// Whether a launcher that does not answer may have incarnations that were not found.
    #[must_use]
    pub fn is_anything_silent(&self) -> bool {
        !self.silent_clusters.is_empty()
    }

    /// Whether a person has approved, of the set in force, that this start of a session is hurt so.
    #[must_use]
    pub fn approves(&self, incarnation: &Incarnation, impact: Impact) -> bool {
        let approved = &self.memory.approved;
        approved.is_of(self.in_force.digest) && approved.lets(incarnation, impact)
    }

    /// The number of a session's newest start, of those recorded and those found; 0 = there was none.
    #[must_use]
    pub fn newest_start(&self, session: &SessionId) -> u32 {
        let recorded = self.records.present().and_then(|records| records.numbers.get(session));
        let found = self.of_session(session).next_back().map(|(incarnation, _)| incarnation.n);
        recorded.copied().max(found).unwrap_or(0)
    }

    /// Whether a node is this one, or answers.
    #[must_use]
    pub fn is_online(&self, node: &NodeId) -> bool {
        node == &self.node || self.nodes.get(node).is_some_and(|known| known.present().is_some())
    }

    /// The incarnations of one session, oldest first.
    pub fn of_session<'a>(
        &'a self,
        session: &SessionId,
    ) -> impl DoubleEndedIterator<Item = (&'a Incarnation, &'a Known<IncarnationSeen>)> + 'a {
        let first = Incarnation::new(session.clone(), 0);
        let last = Incarnation::new(session.clone(), u32::MAX);
        self.incarnations.range(first..=last)
    }
}

/// The accepted set of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its number.
    pub generation: Generation,
    /// Its digest; none = none was ever accepted, and the planner is inert.
    pub digest: Option<SiteDigest>,
    /// When it was accepted.
    pub since: Moment,
    /// The generation that acts while this one waits for approval; none = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<Generation>,
}

impl InForce {
    /// The generation whose files what starts now is started from.
    #[must_use]
    pub fn acts(&self) -> Generation {
        self.acting.unwrap_or(self.generation)
    }
}

/// A node as found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSeen {
    /// Five-minute load average, in thousandths.
    pub load5_milli: u32,
    /// Cores.
    pub cores: u32,
    /// Digest of the files it has.
    pub site: Option<SiteDigest>,
}

/// An account as found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSeen {
    /// Its uid.
    pub uid: u32,
    /// Its primary gid.
    pub gid: u32,
    /// Its home directory.
    pub home: String,
    /// Its login shell.
    pub shell: String,
    /// Whether this engine can start a process as it (root, or it is the engine's own account).
    pub reachable: bool,
}

/// What there is of a workbench here: a program that was found, and one of our making. Which of the two is
/// started is the planner's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WorkbenchSeen {
    /// A program that somebody else put there.
    pub found: ProgramSeen,
    /// What is installed below our state directory; none = no file asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<InstallationSeen>,
}

impl WorkbenchSeen {
    /// A program that works, and no file that asks for one to be installed.
    #[must_use]
    pub fn works(exe: String, version: String) -> Self {
        Self { found: ProgramSeen::Works { exe, version }, ours: None }
    }

    /// No program, and an installation that a file asks for.
    #[must_use]
    pub fn of_ours(ours: InstallationSeen) -> Self {
        let help = "none is installed".to_owned();
        Self { found: ProgramSeen::Missing { help }, ours: Some(ours) }
    }
}

/// A program that starts a workbench, as found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "program")]
pub enum ProgramSeen {
    /// There is none.
    Missing {
        /// What to do about it.
        help: String,
    },
    /// It is there, and was asked for its version; no answer yet.
    Asked {
        /// The executable.
        exe: String,
    },
    /// It is there, and does not say its version when asked.
    Silent {
        /// The executable.
        exe: String,
    },
    /// It is there, and says what it is.
    Works {
        /// The executable.
        exe: String,
        /// What it calls itself.
        version: String,
    },
}

/// An installation of our own, as found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "installation")]
pub enum InstallationSeen {
    /// Nothing is installed and nothing runs yet.
    NotInstalled,
    /// It is being installed.
    Installing {
        /// Packages done.
        done: u32,
        /// Packages in all; 0 = not known yet.
        total: u32,
    },
    /// Its installation failed.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
    /// It is installed.
    Installed {
        /// The executable.
        exe: String,
        /// What it calls itself; empty while it was not asked.
        version: String,
    },
}

/// One incarnation as found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncarnationSeen {
    /// Where it is in its life.
    pub phase: Phase,
    /// What it was started from.
    pub launch: Launch,
    /// The node it is on.
    pub node: NodeId,
    /// Its account's uid.
    pub uid: u32,
    /// Process id of its leader, where it has one.
    pub pid: Option<u32>,
    /// When it was started.
    pub started_at: Moment,
    /// The directory of its socket, and the socket's name in it.
    pub socket_dir: String,
    /// See `socket_dir`.
    pub socket: String,
    /// Whether it belongs to this engine (else it is foreign: shown, never touched).
    pub ours: bool,
    /// Whether its keeper is alive; without it the process lives on but its end will not be recorded.
    pub kept: bool,
    /// When somebody last used it, where that is known.
    pub last_used: Option<Moment>,
    /// What its file said of its end when it was started.
    #[serde(default)]
    pub terms: Terms,
    /// The generation whose files it was started from; none = nobody wrote it down.
    #[serde(default)]
    pub generation: Option<Generation>,
}

/// Where an incarnation is in its life.
///
/// ```text
/// Preparing -> Starting -> Ready -> Ending -> Exited
///     |            |         |                  ^
///     +------------+---------+------------------+   (may end at any time)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// Its directory is there, its process is not yet.
    Preparing,
    /// Its process runs and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It was told to end.
    Ending {
        /// Since when.
        since: Moment,
    },
    /// It is over.
    Exited(Exit),
}

impl Phase {
    /// Whether a process of it may be alive.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self, Phase::Exited(_))
    }
}

/// How a process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When.
    pub at: Moment,
    /// Exit code, when it ended by itself.
    pub code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// Whether it ended because it was told to.
    pub asked: bool,
    /// What went wrong, where nobody was there to see it end; empty otherwise.
    pub failure: String,
    /// Whether nothing of it ever ran: who was to start it was cut short.
    #[serde(default)]
    pub never_ran: bool,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.failure.as_str(), self.code, self.signal) {
            ("", Some(code), _) => write!(f, "exit code {code}"),
            ("", None, Some(signal)) => write!(f, "signal {signal}"),
            ("", None, None) => f.write_str("ended"),
            (failure, ..) => f.write_str(failure),
        }
    }
}

impl Exit {
    /// Whether the end counts as a failure.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.asked && self.code != Some(0)
    }
}

/// What the store says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// The highest incarnation number ever given to a session.
    pub numbers: SharedMap<SessionId, u32>,
    /// Intents: where an incarnation was placed, written before it starts.
    pub placements: SharedMap<SessionId, Placed>,
    /// Recent ends of a session, oldest first, at most [`ENDS_KEPT`].
    pub ends: SharedMap<SessionId, Vec<EndRecord>>,
    /// What a session's file said of its end, for when the file is gone.
    pub terms: SharedMap<SessionId, Terms>,
    /// Gateway ports, each with the session that has it.
    #[serde(with = "crate::pairs")]
    pub leases: BTreeMap<(GatewayId, u16), SessionId>,
    /// Where this node lets people in, as it was opened last; none = it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub www: Option<ListenAddress>,
}

/// What happens to a session at its end, as its file last said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// When its file goes.
    pub on_removal: OnRemoval,
    /// How it is told to end.
    pub stop: StopSpec,
}

/// A placement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Which start.
    pub n: u32,
    /// Where.
    pub node: NodeId,
    /// When it was decided.
    pub at: Moment,
}

/// Why an address could not be bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRefusal {
    /// Who holds it: `nginx, pid 812`; or why else not.
    pub reason: String,
    /// When it was last tried.
    pub at: Moment,
}

/// The balancer in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalancerSeen {
    /// How nodes are chosen.
    pub method: BalancerMethod,
    /// Each node's weight.
    pub weights: BTreeMap<NodeId, u32>,
}

/// A harm that a change of files would do, and since when it has been wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HarmWanted {
    /// Since when. A worse harm to the same resource waits anew.
    pub since: Moment,
    /// What it would do.
    pub impact: Impact,
}

/// What the loop carries from round to round. Losing it is safe: every wait begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Since when a change of files would harm a resource.
    pub harm_since: BTreeMap<Resource, HarmWanted>,
    /// Sessions hurt by changes of files in the last ten minutes.
    pub harmed: Vec<(Moment, SessionId)>,
    /// What a person has let go with `wharf apply`, for one set of files: it waits for nothing any more.
    #[serde(default)]
    pub approved: Approval,
    /// Whether a person has paused reconciliation.
    pub paused: bool,
    /// Whether a generation is pinned that cannot be read: newer files, which somebody has turned away from, do
    /// not act in its place.
    #[serde(default)]
    pub pin_lost: bool,
}
