//! What commands ask of the engine, and what it answers.

use engine_core::plan::Because;
use serde::{Deserialize, Serialize};

use crate::saved::SavedSite;
use crate::status::StatusView;

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
    },
    /// Let steps go that wait for harm-delay or approval.
    Apply,
    /// Look at the files now.
    Reload,
    /// Stop reconciling; traffic goes on.
    Pause,
    /// Reconcile again.
    Resume,
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
    /// The inputs of the last round, for `replan`.
    Record,
}

impl Request {
    /// Whether it may change something, so that a round has to follow.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        match self {
            Request::Status
            | Request::Plan { .. }
            | Request::SessionLogs { .. }
            | Request::Why { .. }
            | Request::Open
            | Request::Record => false,
            Request::Apply
            | Request::Reload
            | Request::Pause
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
