//! The traits towards the world. Adapters stand behind them; `reconcile` names only these.
//!
//! All are synchronous and quick: a step that takes long is begun here and seen by a later
//! observation. None decides: what an adapter cannot do is an error or a [`Known::Unknown`], and the
//! planner says what follows. `lab` has a simulated twin of each.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

pub use engine_core::desired::Secrets;
use engine_core::desired::{BalancerMethod, ListenAddress, ListenerId, StopSpec, WorkbenchSpec};
use engine_core::ids::{
    Epoch, GatewayId, Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName,
};
use engine_core::incumbent::{Found, Questions};
use engine_core::known::Known;
use engine_core::observed::{
    BalancerSeen, IncarnationSeen, NodeSeen, PortRefusal, UserSeen, WorkbenchSeen,
};
use engine_core::plan::{RouteSpec, StartOrder};
use engine_core::shared_map::SharedMap;
use grammar::value::Millis;

use crate::warden::protocol::{Answer, Call};

/// The privileged role, reached only through plain values and file descriptors, so that it can be a
/// process of its own (design.md §2).
pub trait Warden: Send + Sync {
    /// Carries out one call; descriptors come back beside the answer.
    ///
    /// # Errors
    /// [`WardenError`] says what could not be done and why; nothing was half done that a repeated
    /// call would not finish or refuse.
    fn call(&self, call: &Call) -> Result<(Answer, Vec<OwnedFd>), WardenError>;
}

/// Why the warden did not do it.
#[derive(Debug, thiserror::Error)]
pub enum WardenError {
    /// It refuses: outside the directories given at its start, a name that is none, a user that may not be used.
    #[error("the warden refuses to {what}: {reason}")]
    Refused {
        /// What was asked, in words.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The thing exists already; for an incarnation's directory this is the fence.
    #[error("{what} exists already")]
    Exists {
        /// What.
        what: String,
    },
    /// The system said no.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The warden does not answer.
    #[error("the warden does not answer")]
    Gone {
        /// What was seen of it.
        #[source]
        source: std::io::Error,
    },
}

/// Starts and ends sessions in one cluster.
pub trait Launcher: Send {
    /// Every incarnation there is, alive or with its exit record, foreign ones too.
    ///
    /// # Errors
    /// The cluster as a whole could not be asked: nothing of it may be taken for gone.
    fn observe(
        &mut self,
        now: Moment,
    ) -> Result<BTreeMap<Incarnation, Known<IncarnationSeen>>, LaunchError>;

    /// Begins a start. An incarnation that exists already is an error and stays untouched.
    ///
    /// # Errors
    /// It was not started, or nobody knows ([`LaunchError::Unknown`]); the next observation tells.
    fn start(
        &mut self,
        order: &StartOrder,
        secrets: &Secrets,
        now: Moment,
    ) -> Result<(), LaunchError>;

    /// Tells an incarnation to end. Telling twice is the same as telling once.
    ///
    /// # Errors
    /// It was not told, or nobody knows.
    fn end(
        &mut self,
        incarnation: &Incarnation,
        stop: &StopSpec,
        now: Moment,
    ) -> Result<(), LaunchError>;

    /// Removes what is left of an incarnation that is over.
    ///
    /// # Errors
    /// It is not over, or could not be removed.
    fn forget(&mut self, incarnation: &Incarnation) -> Result<(), LaunchError>;
}

/// Why a launcher did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This incarnation exists already: somebody started it before.
    #[error("{incarnation} exists already")]
    Exists {
        /// Which.
        incarnation: Incarnation,
    },
    /// It is refused for good: the same order will be refused again.
    #[error("cannot {what} {incarnation}: {reason}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// Which.
        incarnation: Incarnation,
        /// Why.
        reason: String,
    },
    /// It did not work this time.
    #[error("cannot {what}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody knows whether it was done.
    #[error("nobody knows whether {what} was done: {reason}")]
    Unknown {
        /// What was tried.
        what: String,
        /// What was seen.
        reason: String,
    },
}

/// The proxy: listeners, routes, balancer weights.
pub trait Routes: Send {
    /// What is in force there.
    fn observe(&mut self, now: Moment) -> RoutesSeen;
    /// Puts a route in, or another in its place; open connections of an unchanged session stay.
    fn set_route(&mut self, route: &RouteSpec);
    /// Takes a route out.
    fn drop_route(&mut self, session: &SessionId);
    /// Listens at `address` for `listener`; an older socket of the same listener runs out and closes.
    ///
    /// # Errors
    /// The address is not to be had; who holds it is named where that can be found out.
    fn listen(
        &mut self,
        listener: &ListenerId,
        address: &ListenAddress,
        now: Moment,
    ) -> Result<(), PortRefusal>;
    /// Who else listens at `address`, where that can be found out without trying to.
    fn who_holds(&mut self, address: &ListenAddress) -> Option<String>;
    /// Stops listening; open connections stay.
    fn unlisten(&mut self, listener: &ListenerId);
    /// Leads a gateway's port to a session; none = nowhere.
    fn lead(&mut self, gateway: &GatewayId, port: u16, session: Option<&SessionId>);
    /// Takes method and weights up for the next choice of a node.
    fn balance(&mut self, method: BalancerMethod, weights: &BTreeMap<NodeId, u32>);
}

/// What the proxy has in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutesSeen {
    /// Open listeners with their addresses.
    pub listeners: BTreeMap<ListenerId, ListenAddress>,
    /// Addresses that were refused, until they could be bound.
    pub refused: BTreeMap<ListenAddress, PortRefusal>,
    /// Routes in the table.
    pub routes: SharedMap<SessionId, RouteSpec>,
    /// Where each port of a gateway leads.
    pub leads: BTreeMap<(GatewayId, u16), SessionId>,
    /// Open connections of each session.
    pub connections: SharedMap<SessionId, u32>,
    /// When each session was last used.
    pub last_used: BTreeMap<SessionId, Moment>,
    /// Balancer in force.
    pub balancer: Option<BalancerSeen>,
}

/// The nodes of the site, as this one knows them.
pub trait Nodes: Send {
    /// Every node there is, this one among them; one that is silent is Unknown.
    fn observe(&mut self, now: Moment) -> BTreeMap<NodeId, Known<NodeSeen>>;
}

/// Accounts of the system.
pub trait Accounts: Send {
    /// Looks an account up; a directory service that does not answer is Unknown.
    fn look_up(&mut self, user: &UserName, now: Moment) -> Known<UserSeen>;
}

/// Whether workbenches can be started here, and installing those that a file asks for.
pub trait Workbenches: Send {
    /// What is known of one.
    fn observe(
        &mut self,
        workbench: &WorkbenchName,
        spec: &WorkbenchSpec,
        now: Moment,
    ) -> Known<WorkbenchSeen>;
    /// Whether programs may be run to ask for their versions: not where the engine only observes.
    fn may_run(&mut self, may: bool) {
        let _ = may;
    }
    /// Begins the installation that a file asks for.
    ///
    /// # Errors
    /// Why it could not even begin, and what to do.
    fn provide(&mut self, workbench: &WorkbenchName, spec: &WorkbenchSpec) -> Result<(), String>;
}

/// The product that runs on the same files: looked at, never touched.
pub trait Incumbent: Send {
    /// What was found of it when somebody last looked; `questions` are those of the next look, none as long
    /// as no files say what to ask.
    fn observe(&mut self, questions: Option<&Questions>, now: Moment) -> Known<Arc<Found>>;
}

/// The clock.
pub trait Clock: Send + Sync {
    /// Wall time.
    fn now(&self) -> Moment;
}

/// Typed records, versions, compare-and-swap, leases (design.md §7). Watching is only a hint.
pub trait Store: Send + Sync {
    /// One record.
    ///
    /// # Errors
    /// The store cannot be read.
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError>;
    /// All records whose key begins with `prefix`, ordered by key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Versioned)>, StoreError>;
    /// Writes all or nothing; returns after the flush.
    ///
    /// # Errors
    /// A compared version differs, or the store cannot be written; then nothing was written, or
    /// ([`StoreError::Unknown`]) nobody knows.
    fn commit(&self, batch: &Batch) -> Result<Version, StoreError>;
    /// Commits each of these as [`Store::commit`] does, in order, as one group where the store can: each has its
    /// own answer, and all of them may be durable with one flush.
    fn commit_all(&self, batches: &[Batch]) -> Vec<Result<Version, StoreError>> {
        batches.iter().map(|batch| self.commit(batch)).collect()
    }
    /// Takes or renews a lease. A new holder gets a higher epoch; the old one's renewal is refused.
    ///
    /// # Errors
    /// Somebody else holds it, or the store cannot be written.
    fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError>;
    /// Gives a lease back; giving back what one does not hold does nothing.
    ///
    /// # Errors
    /// The store cannot be written.
    fn release(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}

/// The version of a record: grows with each commit of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

/// A record's bytes with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// Which commit wrote it.
    pub version: Version,
    /// Its bytes: one JSON object with a `format`.
    pub bytes: Vec<u8>,
}

/// What one commit writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each of these must have this version; none = must not exist.
    pub expect: Vec<(String, Option<Version>)>,
    /// Put these.
    pub put: Vec<(String, Vec<u8>)>,
    /// Remove these; removing what is not there is fine.
    pub remove: Vec<String>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A compared version differs: somebody else was first.
    #[error("{key} was changed by somebody else")]
    Conflict {
        /// Which record.
        key: String,
    },
    /// The lease is somebody else's.
    #[error("lease {name} is held by {holder}")]
    Held {
        /// Which lease.
        name: String,
        /// Whose.
        holder: String,
    },
    /// Another process has the store open.
    #[error("the store at {path} is locked by another process")]
    Locked {
        /// Where.
        path: String,
    },
    /// The store is written in a newer format than this program knows.
    #[error("{what} has format {found}; this program knows {known}")]
    Newer {
        /// What.
        what: String,
        /// What was found.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// It is damaged.
    #[error("the store at {path} is damaged: {reason}")]
    Damaged {
        /// Where.
        path: String,
        /// How that was seen.
        reason: String,
    },
    /// It cannot be read or written now.
    #[error("cannot {what}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody knows whether the commit was written.
    #[error("nobody knows whether the commit was written: {reason}")]
    Unknown {
        /// What was seen.
        reason: String,
    },
}
