//! What commands ask of the engine, and what it answers.

use engine_core::ids::{Generation, Moment, SiteDigest};
use engine_core::plan::Because;
use engine_core::window::ChangeWindow;
use serde::{Deserialize, Serialize};

use crate::saved::SavedSite;
use crate::saved_plan::SavedPlan;
use crate::status::{HoldView, StatusView};

/// A form of a plan's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanForm {
    /// For a terminal.
    #[default]
    Text,
    /// For a merge request.
    Markdown {
        /// Whether people and their sessions are named.
        people: bool,
    },
}

/// A set of files to compare.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffSide {
    /// What is in force.
    InForce,
    /// What is on disk.
    Disk,
    /// A generation that is kept.
    Generation(u64),
    /// Files that the command has read.
    Files {
        /// What they are called.
        name: String,
        /// The files.
        site: Box<SavedSite>,
    },
}

/// What a node is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeCommand {
    /// Take no new sessions.
    Cordon,
    /// Take new sessions, and be emptied no more.
    Uncordon,
    /// Be emptied.
    Drain,
    /// Have this share of new sessions.
    Weight(u32),
}

/// A generation that is kept, as shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct GenerationView {
    /// Its number.
    pub generation: Generation,
    /// When it was accepted.
    pub since: Moment,
    /// Its digest.
    pub digest: String,
    /// Whether it is the newest, in force.
    pub in_force: bool,
    /// Whether it is the one that acts.
    pub acts: bool,
    /// Whether it acts because a person has pinned it.
    pub pinned: bool,
}

/// A round, as shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RoundView {
    /// Its number.
    pub number: u64,
    /// When it began.
    pub at: Moment,
    /// What woke it.
    pub woken_by: String,
    /// The generation in force; 0 = none, or the engine is older than this field.
    pub generation: Generation,
    /// Steps by id, each with why it failed, if it did.
    pub steps: Vec<(String, Option<String>)>,
}

/// The version of this protocol. An engine answers a newer one with an error that says so.
pub const PROTOCOL: u32 = 1;

/// The longest request in bytes: a whole site of 8 MiB files would be longer, and is refused.
pub const REQUEST_MAX: u64 = 64 << 20;

/// A request, with the protocol it is written in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What a command asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Request {
    /// How things are.
    Status,
    /// What a set of files would do; none = the set on disk.
    Plan {
        /// The files, read by the command with its own rights.
        site: Option<Box<SavedSite>>,
        /// What they are called in the header: `staged: /root/stage`.
        against: String,
        /// Rendered warnings of the command's own reading.
        warnings: Vec<String>,
        /// Everything, also what is usually counted only.
        verbose: bool,
        /// Which form of the text.
        #[serde(default)]
        form: PlanForm,
        /// What waits and drifts of the set in force, instead of what files would change.
        #[serde(default)]
        pending: bool,
        /// Whether the plan itself is wanted, for keeping.
        #[serde(default)]
        keep: bool,
    },
    /// Let steps go that wait for harm-delay or approval.
    Apply {
        /// The plan that is approved; none = everything that waits now.
        #[serde(default)]
        plan: Option<Box<SavedPlan>>,
        /// Say what would go on, and change nothing.
        #[serde(default)]
        dry_run: bool,
    },
    /// How two sets of files differ.
    Diff {
        /// The first.
        from: DiffSide,
        /// The second.
        to: DiffSide,
        /// Values as they are, also where a table becomes wide.
        verbose: bool,
    },
    /// The rounds after one of this number, as far as they are remembered.
    Rounds {
        /// The number of the last round that is known already.
        after: u64,
    },
    /// Look at the files now.
    Reload,
    /// Stop reconciling; traffic goes on.
    Pause {
        /// Why.
        #[serde(default)]
        reason: String,
        /// For how long, in milliseconds; none = 8 h.
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Reconcile again.
    Resume,
    /// Tell a node something else than its file does.
    NodeTell {
        /// Which.
        node: String,
        /// What.
        command: NodeCommand,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; none = 8 h.
        for_ms: Option<u64>,
    },
    /// End an override.
    OverrideClear {
        /// Which.
        id: String,
    },
    /// The generations that are kept.
    History,
    /// Let a generation act whatever the files say.
    Pin {
        /// Which.
        generation: Generation,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; none = until it is unpinned.
        for_ms: Option<u64>,
    },
    /// Let the newest generation act again.
    Unpin,
    /// Judge no files until the window ends.
    ChangeBegin {
        /// Its name; none = that of who asks.
        id: Option<String>,
        /// For how long at the most, in milliseconds; none = 10 min.
        ttl_ms: Option<u64>,
    },
    /// End a change window.
    ChangeEnd {
        /// Which; none = the only one.
        id: Option<String>,
    },
    /// The change windows that are open.
    ChangeList,
    /// Start a declared session that a command or its own end has stopped, or a template.
    SessionStart {
        /// A session's id, or none.
        session: Option<String>,
        /// A template's name, or none.
        template: Option<String>,
        /// The account, for a template; none = who asks.
        user: Option<String>,
    },
    /// Stop a session.
    SessionStop {
        /// Which; empty = all.
        session: String,
        /// Why.
        reason: String,
        /// For how long a declared one stays stopped, in milliseconds.
        for_ms: u64,
    },
    /// The end of a session's log.
    SessionLogs {
        /// Which.
        session: String,
        /// How many bytes at the most.
        bytes: u64,
    },
    /// Why a thing is as it is.
    Why {
        /// A session, node, listener or gateway.
        thing: String,
    },
    /// A one-time sign-in link.
    Open,
    /// What a round would be planned from now, for `replan`.
    Record,
    /// Everything in the store.
    Export,
}

impl Request {
    /// Whether it may change something, so that a round has to follow.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        match self {
            Request::Status
            | Request::Plan { .. }
            | Request::Diff { .. }
            | Request::Rounds { .. }
            | Request::SessionLogs { .. }
            | Request::Why { .. }
            | Request::Open
            | Request::ChangeList
            | Request::History
            | Request::Export
            | Request::Record => false,
            Request::NodeTell { .. }
            | Request::OverrideClear { .. }
            | Request::Pin { .. }
            | Request::Unpin
            | Request::ChangeBegin { .. }
            | Request::ChangeEnd { .. }
            | Request::Apply { .. }
            | Request::Reload
            | Request::Pause { .. }
            | Request::Resume
            | Request::SessionStart { .. }
            | Request::SessionStop { .. } => true,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Answer {
    /// How things are.
    Status {
        /// The view.
        status: Box<StatusView>,
    },
    /// A plan, both ways.
    Plan {
        /// As text.
        text: String,
        /// As JSON.
        json: String,
        /// Whether the files differ from the set in force.
        new: bool,
        /// Whether somebody would be hurt.
        harmful: bool,
        /// The plan itself, where that was asked for.
        #[serde(default)]
        plan: Option<Box<SavedPlan>>,
    },
    /// How two sets of files differ, both ways.
    Diff {
        /// Whether they do not.
        same: bool,
        /// As text.
        text: String,
        /// As JSON.
        json: String,
    },
    /// What an approval let go.
    Applied {
        /// The generation that it is for.
        generation: Generation,
        /// The digest of its files, which is the same on every node: the approval is of that.
        #[serde(default)]
        site: Option<SiteDigest>,
        /// What goes on.
        let_go: Vec<HoldView>,
        /// What the approved plan does not have; then nothing goes on.
        new: Vec<HoldView>,
        /// The last round before it.
        round: u64,
    },
    /// The files in force are not those of the approved plan.
    OtherFiles {
        /// The generation in force.
        generation: Generation,
        /// Whether the planned files are on disk, and not in force yet.
        on_disk: bool,
    },
    /// Rounds.
    Rounds {
        /// Oldest first.
        rounds: Vec<RoundView>,
    },
    /// The set is refused; each problem in one line, and all of them rendered.
    Refused {
        /// `file:line:col: level[code]: text`.
        problems: Vec<String>,
        /// For people.
        rendered: String,
    },
    /// Done: what was done, in words.
    Done {
        /// In words.
        what: String,
    },
    /// Change windows.
    Windows {
        /// Those that were opened, ended, or are open.
        windows: Vec<ChangeWindow>,
    },
    /// Generations.
    History {
        /// Oldest first.
        generations: Vec<GenerationView>,
    },
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// Why a thing is as it is.
    Why {
        /// Lines for people.
        lines: Vec<String>,
        /// Causes for scripts.
        because: Vec<Because>,
    },
    /// Everything in the store at one moment.
    State {
        /// In the form of its snapshots.
        text: String,
    },
    /// The recorded inputs of a round.
    Record {
        /// A JSON object.
        record: serde_json::Value,
    },
    /// It was not done.
    Error {
        /// Why.
        message: String,
        /// Whether the peer may not ask this at all.
        denied: bool,
    },
}
