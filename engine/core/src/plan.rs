//! One round's decision, complete and printable: steps, holds, and what stays as it is.
//!
//! Dry run, log, golden file, page and executor read the same value. Nothing here decides;
//! `planner` does. Read next: [`crate::planner`].

mod because;
mod hold;
mod mark;
mod resource;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use because::Because;
pub use hold::{Hold, HoldKind, WaitingOn};
pub use mark::Mark;
pub use resource::Resource;
pub(crate) use told::{STARTS, told};

use serde::{Deserialize, Serialize};

use crate::desired::{
    Access, BalancerMethod, BasePath, EnvValue, HealthSpec, Launch, ListenAddress, ListenerId,
    OnRemoval, StopSpec,
};
use crate::ids::{
    GatewayId, Generation, Incarnation, NodeId, SessionId, SpecDigest, WorkbenchName,
};
use crate::observed::{EndRecord, HarmWanted, Terms, UserSeen};

/// What should happen now, what is wanted but not now, and what stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Steps, in an order in which they can be carried out.
    pub steps: Vec<Step>,
    /// What is wanted and waits.
    pub holds: Vec<Hold>,
    /// How much stays as it is.
    pub unchanged: Unchanged,
    /// Since when each harm that still waits has been wanted; the next round's memory.
    pub harm_since: BTreeMap<Resource, HarmWanted>,
}

impl Plan {
    /// Whether nothing is left to do but what waits for a person, a start or an idle time.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.holds.iter().all(|hold| hold.kind() == HoldKind::Standing)
    }
}

/// Counts of what stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// Running sessions that stay.
    pub sessions: usize,
    /// Routes that stay.
    pub routes: usize,
    /// Gateways that stay.
    pub gateways: usize,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The same as long as the step is the same: `start/demo#3`.
    pub id: String,
    /// Who carries it out.
    pub on: On,
    /// What to do, with everything that is needed for it.
    pub action: Action,
    /// Steps of the same plan that come first.
    pub after: Vec<String>,
    /// Why.
    pub because: Vec<Because>,
    /// What it does to whom.
    pub impact: Impact,
}

impl Step {
    /// The start of a session that it hurts. What never became ready, or lives beside a newer start, is nobody's
    /// any more; every other end is harm (`proof` holds plans to it).
    #[must_use]
    pub fn hurts(&self) -> Option<&Incarnation> {
        match &self.action {
            Action::End { incarnation, purpose, .. } => match purpose {
                EndPurpose::Removed | EndPurpose::Restart | EndPurpose::Stopped => {
                    Some(incarnation)
                }
                EndPurpose::NeverReady | EndPurpose::Superseded => None,
            },
            _ => None,
        }
    }
}

/// Who carries a step out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// This node.
    Node(NodeId),
    /// Whoever holds the site's lease.
    Site,
}

/// What a step does. Each is complete: the executor looks nothing up and decides nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the intent to start an incarnation on a node: the number is taken with it.
    Place {
        /// Which start.
        incarnation: Incarnation,
        /// Where.
        node: NodeId,
    },
    /// Start an incarnation.
    Start(Arc<StartOrder>),
    /// Tell an incarnation to end.
    End {
        /// Which.
        incarnation: Incarnation,
        /// How.
        stop: StopSpec,
        /// What it is for.
        purpose: EndPurpose,
    },
    /// Write down a failure that no exit record tells of.
    RecordEnd {
        /// Whose.
        session: SessionId,
        /// What.
        end: EndRecord,
    },
    /// Write down how an incarnation ended, then remove what is left of it.
    Forget {
        /// Which.
        incarnation: Incarnation,
        /// How it ended.
        end: EndRecord,
    },
    /// Drop what is remembered of a session that nobody asks for any more; its number stays, the fence.
    Retire {
        /// Which.
        session: SessionId,
    },
    /// Remember what a session's file says of its end.
    Remember {
        /// Which.
        session: SessionId,
        /// What.
        terms: Terms,
    },
    /// Install a workbench, as a file asks.
    Provide {
        /// Which.
        workbench: WorkbenchName,
    },
    /// Put a route into the table, or another in its place.
    SetRoute(Box<RouteSpec>),
    /// Take a route out of the table.
    DropRoute {
        /// Whose.
        session: SessionId,
    },
    /// Listen; if something else is listening under this id, swap, and let the old one run out.
    Listen {
        /// What for.
        listener: ListenerId,
        /// Where.
        address: ListenAddress,
    },
    /// Stop listening.
    Unlisten {
        /// What.
        listener: ListenerId,
    },
    /// Give a gateway's port to a session.
    Lease {
        /// Which gateway.
        gateway: GatewayId,
        /// Which port.
        port: u16,
        /// To whom.
        session: SessionId,
    },
    /// Take a gateway's port back.
    Release {
        /// Which gateway.
        gateway: GatewayId,
        /// Which port.
        port: u16,
    },
    /// Lead a gateway's port to the session that has it; none = nowhere.
    Lead {
        /// Which gateway.
        gateway: GatewayId,
        /// Which port.
        port: u16,
        /// Whose it is.
        session: Option<SessionId>,
    },
    /// Balance new sessions this way.
    Balance {
        /// How nodes are chosen.
        method: BalancerMethod,
        /// Each node's weight.
        weights: BTreeMap<NodeId, u32>,
    },
}

/// Everything that is needed to start an incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOrder {
    /// Which start of which session.
    pub incarnation: Incarnation,
    /// On which node.
    pub node: NodeId,
    /// What it is started from.
    pub launch: Launch,
    /// The digest of that, for earlier versions: they compare by it. This one compares what it names.
    pub digest: SpecDigest,
    /// Its account.
    pub user: UserSeen,
    /// The executable.
    pub exe: String,
    /// How it is told to end.
    pub stop: StopSpec,
    /// What happens when its file goes, as the file said at the start.
    #[serde(default)]
    pub on_removal: OnRemoval,
    /// How it is known to be ready.
    pub health: HealthSpec,
    /// The generation whose files ask for it so.
    #[serde(default)]
    pub generation: Generation,
}

/// What an end is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndPurpose {
    /// Nobody asks for the session any more.
    Removed,
    /// It should not run.
    Stopped,
    /// It starts again from what is asked for now.
    Restart,
    /// It never became ready.
    NeverReady,
    /// A newer incarnation of the same session is alive.
    Superseded,
}

/// A path from outside to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// To which session, and which start of it.
    pub incarnation: Incarnation,
    /// The directory of its socket; opened without following symlinks.
    pub socket_dir: String,
    /// The socket's name in it.
    pub socket: String,
    /// Uid that must be at the other end before the first byte.
    pub uid: u32,
    /// Whether the server behind it sees the prefix.
    pub base: BasePath,
    /// Who may use it.
    pub access: Access,
    /// Whether it answers; otherwise who comes sees the start-up page.
    pub ready: bool,
    /// What pages call it.
    pub display_name: String,
    /// The kind of session.
    pub workbench: WorkbenchName,
}

/// What a step or hold does to people, from nothing to the worst.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Nobody notices.
    #[default]
    None,
    /// Only sessions that start later.
    NewSessions,
    /// Requests wait.
    RequestsHeld,
    /// A session is suspended.
    Suspended,
    /// A session moves.
    Moved,
    /// A session restarts.
    Restarted,
    /// A session ends.
    Ended,
}

impl Impact {
    /// Whether it is harm: Suspended or above.
    #[must_use]
    pub fn is_harm(self) -> bool {
        self >= Impact::Suspended
    }
}

/// One difference between what a session was started from and what is asked for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchChange {
    /// What: `env LC_ALL`, `user`, `args`.
    pub what: String,
    /// From, as it may be shown.
    pub from: String,
    /// To, as it may be shown.
    pub to: String,
}

/// How an environment value may be shown.
#[must_use]
pub fn shown(value: &EnvValue) -> String {
    match value {
        EnvValue::Plain(text) => text.clone(),
        EnvValue::Secret(_) => "(secret)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_settled_once_nothing_is_done_and_nothing_passes_by_itself() {
        let step = Step {
            id: "retire/a".to_owned(),
            on: On::Site,
            action: Action::Retire { session: "a".parse().unwrap() },
            after: Vec::new(),
            because: Vec::new(),
            impact: Impact::None,
        };
        let hold = |waiting_on| Hold {
            resource: Resource::Site,
            waiting_on,
            because: Vec::new(),
            until: None,
            impact: Impact::None,
            wanted: "starts".to_owned(),
        };
        let (stands, passes) = (hold(WaitingOn::Idle), hold(WaitingOn::Budget));
        for (steps, holds, settled) in [
            (vec![], vec![], true),
            (vec![], vec![stands.clone()], true),
            (vec![], vec![stands, passes], false),
            (vec![step], vec![], false),
        ] {
            let plan = Plan { steps, holds, ..Plan::default() };
            assert_eq!(plan.is_settled(), settled, "{plan:?}");
        }
    }
}
