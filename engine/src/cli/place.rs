//! Where an instance is: its directories by the conventions of interface.md §6, and its engine's socket.

use std::path::{Path, PathBuf};

use engine_core::ids::Digest;

use super::Global;
use crate::layout::Layout;

/// Where instances keep their things on this machine, for this account.
#[derive(Clone, Debug)]
pub struct Place {
    state: PathBuf,
    runtime: PathBuf,
    cache: bool,
}

/// The instance of the machine's own configuration: it has no directory of its own below the two.
pub(super) const MAIN: &str = "main";

impl Place {
    /// For this account: system directories for root, else those of the XDG conventions.
    /// `WHARF_STATE_DIR` and `WHARF_RUNTIME_DIR` go before both.
    #[must_use]
    pub fn here() -> Self {
        let env = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = env("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let root = rustix::process::geteuid().is_root();
        let user_state = || {
            let base = env("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local/state"));
            base.join("wharf")
        };
        let state = env("WHARF_STATE_DIR")
            .unwrap_or_else(|| if root { PathBuf::from("/var/lib/wharf") } else { user_state() });
        let runtime = env("WHARF_RUNTIME_DIR").unwrap_or_else(|| match env("XDG_RUNTIME_DIR") {
            _ if root => PathBuf::from("/run/wharf"),
            Some(dir) => dir.join("wharf"),
            None => user_state().join("run"),
        });
        Self { state, runtime, cache: root }
    }

    /// All below a directory of a test's.
    #[cfg(test)]
    pub(in crate::cli) fn below(dir: &Path) -> Self {
        Self { state: dir.to_owned(), runtime: dir.join("run"), cache: false }
    }

    /// The directories of one instance.
    #[must_use]
    pub fn layout(&self, instance: &str) -> Layout {
        if instance == MAIN && self.cache {
            return Layout { state: self.state.clone(), runtime: self.runtime.clone() };
        }
        Layout { state: self.state.join(instance), runtime: self.runtime.join(instance) }
    }

    /// The admin sockets of instances on this machine, by instance.
    fn sockets(&self) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        let mut add = |name: &str, dir: &Path| {
            let socket = dir.join("admin.sock");
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                found.push((name.to_owned(), socket));
            }
        };
        add(MAIN, &self.runtime);
        let Ok(entries) = std::fs::read_dir(&self.runtime) else { return found };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        for name in names {
            add(&name, &self.runtime.join(&name));
        }
        found
    }

    /// Whether an instance's engine listens.
    pub(super) fn has_engine(&self, instance: &str) -> bool {
        let socket = self.layout(instance).admin_socket();
        std::os::unix::net::UnixStream::connect(socket).is_ok()
    }

    /// The instance whose engine runs, if only one does.
    pub(super) fn only_engine(&self) -> Option<String> {
        let mut sockets = self.sockets();
        let (name, _) = sockets.pop().filter(|_| sockets.is_empty())?;
        Some(name)
    }

    /// The instances that have state, sockets or sessions on this machine, each with the directories that say so.
    pub(super) fn instances(&self) -> std::collections::BTreeMap<String, Vec<PathBuf>> {
        // Main's own directories, which are none of an instance.
        const OWN: [&str; 3] = ["s", "store", "homes"];
        const SIGNS: [&str; 6] = ["key", "store", "store.jsonl", "admin.sock", "pid", "s"];
        let is_one = |dir: &Path| SIGNS.iter().any(|sign| dir.join(sign).exists());
        let mut found = std::collections::BTreeMap::<String, Vec<PathBuf>>::new();
        for root in [&self.state, &self.runtime] {
            if self.cache && is_one(root) {
                found.entry(MAIN.to_owned()).or_default().push(root.clone());
            }
            for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let dir = entry.path();
                if !OWN.contains(&name.as_str()) && is_one(&dir) {
                    found.entry(name).or_default().push(dir);
                }
            }
        }
        found
    }

    /// The engine that a command means: the one named, else that of `dir`, else the only one there is.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find_engine(&self, global: &Global, dir: Option<&Path>) -> Result<PathBuf, String> {
        if let Some(socket) = &global.socket {
            return Ok(socket.clone());
        }
        if let Some(instance) = &global.instance {
            return Ok(self.layout(instance).admin_socket());
        }
        if let Some(dir) = dir {
            let of_dir = self.layout(&instance_of_path(dir)).admin_socket();
            if of_dir.exists() {
                return Ok(of_dir);
            }
        }
        let mut sockets = self.sockets();
        match sockets.len() {
            0 => Err(format!("no engine runs below {}", self.runtime.display())),
            1 => Ok(sockets.remove(0).1),
            _ => {
                let names: Vec<String> = sockets.into_iter().map(|(name, _)| name).collect();
                let names = names.join(", ");
                Err(format!("several engines run here: {names}; say which with --instance"))
            }
        }
    }
}

/// The instance of a directory whose files give it no name: eight hex digits of its path.
#[must_use]
pub(super) fn instance_of_path(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    Digest::of(path.as_os_str().as_encoded_bytes()).to_string()[..8].to_owned()
}
