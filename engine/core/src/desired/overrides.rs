//! Overrides: commands that hide a line of a file, with an owner, a reason and an end.
//!
//! A command that contradicts no file needs none: it only takes earlier ones away. Never silent: `status` and
//! every plan show what is overridden first, with the line that it hides. Read next: [`super::merge`](fn@super::merge).

use std::borrow::Cow;

use grammar::report::said;
use serde::{Deserialize, Serialize};

use super::{Desired, Origins, WantedState};
use crate::ids::{Generation, Moment, NodeId, SessionId};
use crate::plan::Because;

/// The longest reason, in characters.
const REASON_MAX: usize = 400;

/// Whether a text can be a reason: it stands in a line of whatever shows it to others, whoever gave it.
///
/// # Errors
/// Why not, in words.
pub fn check_reason(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > REASON_MAX {
        return Err(format!(
            "--reason: {length} characters are too many, {REASON_MAX} are the most"
        ));
    }
    match said(text) {
        Cow::Borrowed(_) => Ok(()),
        Cow::Owned(shown) => Err(format!(
            "--reason: one line without control or invisible characters is needed, and this has some: {shown}"
        )),
    }
}

/// A command that hides a line of a file. As JSON it is part of a recorded round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Who asked.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub at: Moment,
    /// Until when; none = until it is cleared.
    pub until: Option<Moment>,
}

impl Override {
    /// The override of this effect, with the id that this effect has.
    #[must_use]
    pub fn new(
        effect: Effect,
        owner: &str,
        reason: &str,
        at: Moment,
        until: Option<Moment>,
    ) -> Self {
        let (owner, reason) = (owner.to_owned(), reason.to_owned());
        Self { id: effect.id(), effect, owner, reason, at, until }
    }

    /// Whether it is still in force.
    #[must_use]
    pub fn in_force(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// It as a cause: `cordon-n1 by root`.
    #[must_use]
    pub fn command(&self) -> String {
        format!("{} by {}", self.id, self.owner)
    }
}

/// What an override does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Whether a declared session should run.
    SessionState {
        /// Which.
        session: SessionId,
        /// What it should be instead.
        state: WantedState,
    },
    /// Whether a node takes new sessions; if so, it is not being emptied either.
    Schedulable {
        /// Which.
        node: NodeId,
        /// Whether.
        schedulable: bool,
    },
    /// A node is being emptied: it takes no new sessions.
    Drain {
        /// Which.
        node: NodeId,
    },
    /// A node's share of new sessions.
    Weight {
        /// Which.
        node: NodeId,
        /// Its share; 0 = none.
        weight: u32,
    },
    /// Nothing is changed; traffic goes on.
    Pause,
    /// This generation acts, whatever the files say.
    Pin {
        /// Which.
        generation: Generation,
    },
}

/// What an effect is about: a newer override takes the place of an older one about the same.
#[derive(PartialEq)]
enum About<'a> {
    Session(&'a SessionId),
    NewSessions(&'a NodeId),
    Weight(&'a NodeId),
    Everything,
    Files,
}

impl Effect {
    /// The id of an override with it, without any `/`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Effect::SessionState { session, state: WantedState::Running } => {
                format!("run-{session}")
            }
            Effect::SessionState { session, .. } => format!("stop-{session}"),
            Effect::Schedulable { node, schedulable: false } => format!("cordon-{node}"),
            Effect::Schedulable { node, schedulable: true } => format!("uncordon-{node}"),
            Effect::Drain { node } => format!("drain-{node}"),
            Effect::Weight { node, .. } => format!("weight-{node}"),
            Effect::Pause => "pause".to_owned(),
            Effect::Pin { .. } => "pin".to_owned(),
        }
    }

    /// What it does, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Effect::SessionState { session, state } => format!("{session} is {state}"),
            Effect::Schedulable { node, schedulable: false } => {
                format!("{node} takes no new sessions")
            }
            Effect::Schedulable { node, schedulable: true } => format!("{node} takes new sessions"),
            Effect::Drain { node } => format!("{node} is drained"),
            Effect::Weight { node, weight } => format!("{node} has weight {weight}"),
            Effect::Pause => "nothing is changed".to_owned(),
            Effect::Pin { generation } => format!("generation {generation} acts"),
        }
    }

    /// The generation that it pins, if it does.
    #[must_use]
    pub fn pinned(&self) -> Option<Generation> {
        match self {
            Effect::Pin { generation } => Some(*generation),
            _ => None,
        }
    }

    fn about(&self) -> About<'_> {
        match self {
            Effect::SessionState { session, .. } => About::Session(session),
            Effect::Schedulable { node, .. } | Effect::Drain { node } => About::NewSessions(node),
            Effect::Weight { node, .. } => About::Weight(node),
            Effect::Pause => About::Everything,
            Effect::Pin { .. } => About::Files,
        }
    }

    /// Whether it takes the place of `other`.
    #[must_use]
    pub fn replaces(&self, other: &Effect) -> bool {
        self.about() == other.about()
    }

    /// Whether the files, without anybody's word, ask for something else.
    #[must_use]
    pub fn contradicts(&self, files: &Desired) -> bool {
        match self {
            Effect::SessionState { session, state } => {
                files.sessions.get(session).is_none_or(|spec| spec.state != *state)
            }
            Effect::Schedulable { node, schedulable } => {
                let spec = files.node(node);
                (spec.schedulable && !spec.draining) != *schedulable
            }
            Effect::Drain { node } => !files.node(node).draining,
            Effect::Weight { node, weight } => files.node(node).weight != *weight,
            Effect::Pause | Effect::Pin { .. } => true,
        }
    }

    /// The lines that it hides: none where no file speaks of it, or where it hides all of them.
    #[must_use]
    pub fn hides(&self, origins: &Origins) -> Vec<Because> {
        let node = |node: &NodeId, parts: &[&str]| {
            let places = |part: &&str| origins.exactly(&format!("node/{node}/{part}"));
            parts.iter().flat_map(places).collect::<Vec<_>>()
        };
        let places = match self {
            Effect::SessionState { session, .. } => origins.of(&format!("session/{session}/state")),
            Effect::Schedulable { node: id, .. } | Effect::Drain { node: id } => {
                node(id, &["schedulable", "drain"])
            }
            Effect::Weight { node: id, .. } => node(id, &["weight"]),
            Effect::Pause | Effect::Pin { .. } => Vec::new(),
        };
        places.iter().map(Because::from).collect()
    }
}

/// What commands say of a node, on top of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTold {
    /// Whether it takes new sessions, and whether it is being emptied; with the command.
    pub new_sessions: Option<(bool, bool, String)>,
    /// Its weight; with the command.
    pub weight: Option<(u32, String)>,
}

/// The generation that acts whatever newer files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Which.
    pub generation: Generation,
    /// The command.
    pub by: String,
    /// Until when; none = until it is cleared.
    pub until: Option<Moment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        "n1".parse().unwrap()
    }

    #[test]
    fn a_reason_is_a_line_that_no_terminal_obeys() {
        for reason in ["", "CHG0012345: kernel update", "Wartung, läuft bis 18 Uhr"] {
            assert_eq!(check_reason(reason), Ok(()));
        }
        for reason in ["\u{1b}]0;x\u{7}", "one\ntwo", "a\tb", "\u{9b}2J", "\u{202e}txt"] {
            let message = check_reason(reason).expect_err("a terminal obeys it");
            assert!(message.starts_with("--reason: one line without control"), "{message}");
            assert!(!message.contains(reason), "{message:?}");
        }
        assert_eq!(check_reason(&"ä".repeat(REASON_MAX)), Ok(()));
        assert!(check_reason(&"ä".repeat(REASON_MAX + 1)).is_err_and(|m| m.contains("401")));
    }

    #[test]
    fn a_newer_command_about_the_same_takes_the_place_of_an_older_one() {
        let cordon = Effect::Schedulable { node: node(), schedulable: false };
        let drain = Effect::Drain { node: node() };
        let weight = Effect::Weight { node: node(), weight: 3 };
        let other = Effect::Drain { node: "n2".parse().unwrap() };
        assert!(drain.replaces(&cordon) && cordon.replaces(&drain));
        assert!(!weight.replaces(&cordon) && !other.replaces(&drain));
        let pin = |n| Effect::Pin { generation: Generation(n) };
        assert!(pin(1).replaces(&pin(2)) && !pin(1).replaces(&Effect::Pause));
    }

    #[test]
    fn what_no_file_contradicts_needs_no_override() {
        let files = Desired::default();
        let schedulable = |schedulable| Effect::Schedulable { node: node(), schedulable };
        assert!(!schedulable(true).contradicts(&files) && schedulable(false).contradicts(&files));
        assert!(!Effect::Weight { node: node(), weight: 1 }.contradicts(&files));
        assert!(Effect::Weight { node: node(), weight: 0 }.contradicts(&files));
        assert!(Effect::Pause.contradicts(&files));
    }

    #[test]
    fn a_node_that_its_file_drains_takes_no_sessions_whatever_else_it_says() {
        let mut files = Desired::default();
        let spec = crate::desired::NodeSpec { draining: true, ..Default::default() };
        assert!(spec.schedulable);
        files.nodes.things.insert(node(), crate::known::Known::Present(spec.into()));
        let schedulable = |schedulable| Effect::Schedulable { node: node(), schedulable };
        assert!(schedulable(true).contradicts(&files) && !schedulable(false).contradicts(&files));
    }
}
