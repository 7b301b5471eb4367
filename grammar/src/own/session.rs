//! A file of `sessions.d`: one session that is asked for by its file (product.md 4).

use super::check::{account, any};
use super::fields::{self, SessionFields};
use super::form::Plain;
use super::leaf::words;
use super::table::{Keys, Table};

/// A session file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFile {
    /// The Unix account it runs as.
    pub user: Option<String>,
    /// What it shall be.
    pub state: Option<SessionState>,
    /// What it shares with a template.
    pub fields: SessionFields<Plain>,
}

words! {
    /// What a declared session shall be.
    SessionState {
        /// There, with a process.
        Running = "running",
        /// There, saved, without a process.
        Suspended = "suspended",
        /// Without a process.
        Stopped = "stopped",
    }
}

static ROOT: Keys = Keys {
    at: "",
    names: &[
        "workbench",
        "display-name",
        "user",
        "cluster",
        "state",
        "restart",
        "on-removal",
        "working-dir",
        "args",
        "access",
        "resources",
        "env",
        "health",
        "idle",
        "stop",
        "update",
        "publish",
        "placement",
    ],
};

pub(crate) static TABLES: &[&Keys] = &[
    &ROOT,
    &fields::ACCESS,
    &fields::RESOURCES,
    &fields::REQUEST,
    &fields::HEALTH,
    &fields::IDLE,
    &fields::STOP,
    &fields::UPDATE,
    &fields::PUBLISH,
    &fields::PLACEMENT,
];

/// Reads a session file's top level.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<SessionFile> {
    let user = table.take("user", account());
    let state = table.take("state", any());
    Some(SessionFile { user, state, fields: fields::read_fields(table)? })
}
