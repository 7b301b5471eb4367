//! What the engine asks of the warden and what it answers: plain serialisable values.
//!
//! Descriptors travel beside an answer. A name in a call is never trusted: the warden checks it
//! against the directories that it was given at its start.

use std::path::PathBuf;

use engine_core::desired::ListenAddress;
use engine_core::ids::Incarnation;
use engine_core::plan::StartOrder;
use serde::{Deserialize, Serialize};

use crate::keeper::child::Environment;

/// A privileged act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "call")]
pub enum Call {
    /// Make an incarnation's directory, exclusively, with its spec in it, synced; then start its keeper.
    Start {
        /// What to start.
        order: Box<StartOrder>,
        /// The whole environment of the session's process, secrets included.
        env: Environment,
        /// The arguments, tokens filled in.
        args: Vec<String>,
        /// The working directory.
        working_dir: String,
    },
    /// Tell a keeper to end its session: signal first, kill what is left after the grace time.
    End {
        /// Which.
        incarnation: Incarnation,
        /// Signal number.
        signal: i32,
        /// Milliseconds until the kill.
        grace_ms: u64,
    },
    /// Kill what is left of an incarnation whose keeper is gone.
    KillLeftovers {
        /// Which.
        incarnation: Incarnation,
    },
    /// Remove the directory of an incarnation that is over.
    Remove {
        /// Which.
        incarnation: Incarnation,
    },
    /// Remove what is left of directories whose removal was cut short; asked once, by who holds the instance's lock.
    FinishRemovals,
    /// Bind a TCP address and listen; the descriptor comes with the answer.
    Bind {
        /// Where.
        address: ListenAddress,
    },
    /// Who listens on a TCP address, told by what only root may read of other accounts' processes.
    WhoHolds {
        /// Where.
        address: ListenAddress,
    },
    /// Open a file below a directory given at the start, for reading; a descriptor comes with the answer.
    Open {
        /// Which.
        path: PathBuf,
    },
    /// Make a home directory for the unprivileged fallback account below the state directory.
    MakeHome {
        /// The account.
        user: String,
    },
}

/// What the warden answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// Done.
    Done,
    /// Done; a descriptor comes with it.
    Descriptor,
    /// Who it is: `nginx, pid 812`; none = nobody that can be seen.
    Holder {
        /// Who.
        name: Option<String>,
    },
    /// Done: this is the path.
    Path {
        /// Which.
        path: PathBuf,
    },
}
