//! Where an instance keeps its things: state that outlives a reboot, and a runtime directory that need not.
//!
//! Makes nothing; only says where (interface.md §6). With `serve DIR` each instance has a directory
//! of its own below both.

use std::path::{Path, PathBuf};

use engine_core::ids::Incarnation;

/// The directories of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `/var/lib/wharf[/INSTANCE]`, or below `XDG_STATE_HOME`.
    pub state: PathBuf,
    /// `/run/wharf[/INSTANCE]`, or below `XDG_RUNTIME_DIR`.
    pub runtime: PathBuf,
}

/// The name of a session's socket in its `u` directory, unless its workbench chooses another.
pub const SOCKET_NAME: &str = "app.sock";

impl Layout {
    /// The store's directory.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// The directory below which every incarnation has its own.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        self.runtime.join("s")
    }

    /// The directory of one incarnation: `s/<id>/<n>`.
    #[must_use]
    pub fn incarnation(&self, incarnation: &Incarnation) -> PathBuf {
        self.sessions().join(incarnation.session.as_str()).join(incarnation.n.to_string())
    }

    /// The directory in it that belongs to the session's account and holds its sockets.
    #[must_use]
    pub fn user_dir(&self, incarnation: &Incarnation) -> PathBuf {
        self.incarnation(incarnation).join("u")
    }

    /// The socket over which commands reach the engine.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.runtime.join("admin.sock")
    }

    /// The engine's process id.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.runtime.join("pid")
    }

    /// The file whose lock says that an engine runs.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// Whether the socket paths of sessions fit into the 107 bytes of a Unix socket's address.
    #[must_use]
    pub fn fits(&self, incarnation: &Incarnation) -> bool {
        self.user_dir(incarnation).join(SOCKET_NAME).as_os_str().len() <= 107
    }
}

/// The part of `path` below `root`, if it is below it and climbs nowhere.
#[must_use]
pub fn below<'a>(root: &Path, path: &'a Path) -> Option<&'a Path> {
    let rest = path.strip_prefix(root).ok()?;
    let plain = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    plain.then_some(rest)
}
