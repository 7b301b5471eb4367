//! What is asked for, as plain values: sessions, nodes, gateways, listeners, balancer.
//!
//! Holds no spans, no comments and no secrets' texts: where a value stands lies in
//! [`super::Origins`], beside it, so that two sites compare equal when they ask for the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use grammar::own::window::Window;
use grammar::value::Millis;
use serde::{Deserialize, Serialize};

use super::Launch;
use crate::ids::{GatewayId, Moment, NodeId, SessionId, UserName};

/// A session as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Which one.
    pub id: SessionId,
    /// Who asked.
    pub asked_by: AskedBy,
    /// What pages call it.
    pub display_name: String,
    /// Whether it should run.
    pub state: WantedState,
    /// The command that says so, in words, where it is not the file that does.
    pub state_by: Option<String>,
    /// Whether the person who asked for it has asked for its end: once it is over it is forgotten.
    #[serde(default)]
    pub ending: bool,
    /// When to start it again after its end.
    pub restart: Restart,
    /// What happens when its file goes.
    pub on_removal: OnRemoval,
    /// What its process is started from; a change of this, and only of this, makes it outdated.
    pub launch: Launch,
    /// How it is told to end.
    pub stop: StopSpec,
    /// How it is known to be ready.
    pub health: HealthSpec,
    /// What a later change of files may do to it.
    pub update: UpdateSpec,
    /// Who may open it.
    pub access: Access,
    /// Where else than under `/s/<id>/` it can be reached.
    pub publish: Option<Publish>,
    /// Where it may run.
    pub placement: Placement,
}

/// Who asked for a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedBy {
    /// A file of `sessions.d`; which line, say the origins.
    File,
    /// A person.
    Person {
        /// Their uid at the time.
        uid: u32,
        /// When.
        at: Moment,
    },
}

/// Whether a session should run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedState {
    /// It should.
    #[default]
    Running,
    /// Its state should be kept, its process not.
    Suspended,
    /// It should not.
    Stopped,
}

impl fmt::Display for WantedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WantedState::Running => "running",
            WantedState::Suspended => "suspended",
            WantedState::Stopped => "stopped",
        })
    }
}

/// When to start a session again after its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Whatever the end was.
    #[default]
    Always,
    /// Only when it did not end with exit code 0.
    OnFailure,
    /// Never.
    No,
}

/// What happens to a running session when its file goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRemoval {
    /// It ends once it is idle.
    #[default]
    WhenIdle,
    /// It ends after harm-delay.
    Stop,
    /// It goes on until it ends by itself.
    Keep,
}

/// How a session is told to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// Signal number sent first.
    pub signal: i32,
    /// Milliseconds until what is left is killed.
    pub grace_ms: u64,
}

impl Default for StopSpec {
    /// SIGTERM, then 30 s.
    fn default() -> Self {
        Self { signal: 15, grace_ms: 30_000 }
    }
}

/// How a session is known to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// Path below the session's base that answers once it is ready.
    pub path: String,
    /// Milliseconds after which a start that never became ready has failed.
    pub start_timeout_ms: u64,
}

/// When a change of what it is started from reaches a running session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renew {
    /// At the next start that happens anyway.
    #[default]
    NextStart,
    /// By a restart once it is idle.
    WhenIdle,
    /// By a restart, after harm-delay.
    Now,
}

/// What a later change of files may do to a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateSpec {
    /// How.
    pub renew: Renew,
    /// Restarts only inside; none = any time. (Requests have none: a person's session is not renewed by files.)
    #[serde(skip)]
    pub window: Option<Window>,
}

/// Who may open a session, and who may act on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Its account, when a person.
    pub owner: Option<UserName>,
    /// Further people.
    pub users: BTreeSet<UserName>,
    /// Members of these groups.
    pub groups: BTreeSet<String>,
    /// Who may stop, restart and suspend it.
    pub admins: BTreeSet<UserName>,
}

/// A wish for a fixed address on a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Which gateway.
    pub gateway: GatewayId,
    /// Which port of it; none = the lowest that is free, then kept.
    pub port: Option<u16>,
}

/// Where a session may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Only on these; none = on any.
    pub nodes: Option<BTreeSet<NodeId>>,
    /// Labels that the node must have.
    pub require: BTreeMap<String, String>,
}

/// A node as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its share of new sessions; 0 = none.
    pub weight: u32,
    /// Whether it takes new sessions.
    pub schedulable: bool,
    /// Whether it is being emptied.
    pub draining: bool,
    /// Most sessions at once.
    pub max_sessions: Option<u32>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Default for NodeSpec {
    /// Weight 1, takes sessions.
    fn default() -> Self {
        Self {
            weight: 1,
            schedulable: true,
            draining: false,
            max_sessions: None,
            labels: BTreeMap::new(),
        }
    }
}

/// How a node is chosen for a new session (behaviour.md 1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalancerMethod {
    /// Fewest sessions per weight.
    #[default]
    Sessions,
    /// Lowest five-minute load per core and weight.
    SystemLoad,
    /// Weighted rendezvous hash of the user's name.
    UserHash,
    /// An external program decides.
    Custom,
}

impl fmt::Display for BalancerMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BalancerMethod::Sessions => "sessions",
            BalancerMethod::SystemLoad => "system-load",
            BalancerMethod::UserHash => "user-hash",
            BalancerMethod::Custom => "custom",
        })
    }
}

/// A named place to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its type in lower case: `local`, `slurm`, `kubernetes`, `podman`, or another's.
    pub kind: String,
    /// Whether it is left to the product: in mode `beside` each one that `[beside] clusters` does not name.
    pub left_alone: bool,
}

/// What listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "listener")]
pub enum ListenerId {
    /// The site's own pages and `/s/<id>/`.
    Www,
    /// One port of a gateway.
    Gateway {
        /// Which gateway.
        gateway: GatewayId,
        /// Which port.
        port: u16,
    },
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenerId::Www => f.write_str("listener"),
            ListenerId::Gateway { gateway, port } => write!(f, "gateway {gateway}:{port}"),
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListenAddress {
    /// An IP address.
    pub ip: std::net::IpAddr,
    /// A port; never 0.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", std::net::SocketAddr::new(self.ip, self.port))
    }
}

/// A gateway as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySpec {
    /// Where to listen.
    pub ip: std::net::IpAddr,
    /// First port of its range.
    pub first_port: u16,
    /// Last port of its range, included.
    pub last_port: u16,
    /// What addresses shown to people begin with; none = the address it listens on.
    pub public_address: Option<String>,
    /// Whether who connects has to have signed in.
    pub sign_in: bool,
    /// Networks that may connect; empty = all.
    pub allow_from: Vec<String>,
    /// Whether connected sessions are cut when its file goes.
    pub disconnect_on_removal: bool,
}

/// How long things wait: the policy of `wharf.toml` with its defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How long harm that a change of files would do waits.
    pub harm_delay: Millis,
    /// More sessions than this, hurt by the generations of ten minutes, wait for approval.
    pub max_harmed: u32,
    /// Starts under way at once on one node; none = as many as it has cores.
    pub concurrent_starts: Option<u32>,
    /// Waiting between starts that fail.
    pub back_off: BackOff,
    /// Whether changes wait for `wharf apply`.
    pub apply: Apply,
    /// Default of `[update] apply`.
    pub renew: Renew,
    /// When restarts may happen; empty = any time.
    pub windows: Vec<Window>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            harm_delay: Millis(60_000),
            max_harmed: 5,
            concurrent_starts: None,
            back_off: BackOff::default(),
            apply: Apply::Auto,
            renew: Renew::NextStart,
            windows: Vec::new(),
        }
    }
}

/// Waiting between starts that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// After the first failure; doubled after each further one.
    pub first: Millis,
    /// At the most.
    pub max: Millis,
    /// This many failures within `within` are a crash loop: started again only when asked.
    pub give_up_after: u32,
    /// See `give_up_after`.
    pub within: Millis,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first: Millis(2_000),
            max: Millis(300_000),
            give_up_after: 5,
            within: Millis(600_000),
        }
    }
}

/// Whether changes wait for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Apply {
    /// They do not.
    #[default]
    Auto,
    /// Harmful ones do.
    ConfirmHarmful,
    /// All do.
    Confirm,
}
