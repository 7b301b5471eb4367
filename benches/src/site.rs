//! Configuration directories of any size, written as people write them.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// When a change of files counts as complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// As shipped: 100 ms without a change.
    Shipped,
    /// As soon as two readings agree.
    None,
}

impl Settle {
    /// Its name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Settle::Shipped => "quiet 100 ms (shipped)",
            Settle::None => "quiet 0 ms",
        }
    }
}

/// What a declared session shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Declared, without a process.
    Stopped,
    /// With one.
    Running,
}

/// A directory of its own below the system's temporary one: a site, the engine's state, its sockets.
/// All of it goes with the value.
pub struct Site {
    scratch: tempfile::TempDir,
    runtime: tempfile::TempDir,
    /// The port that `rserver.conf` names; it was free when the site was written.
    pub port: u16,
}

impl Site {
    /// Writes a site of `sessions` declared sessions without a process. `extra` is appended to `wharf.toml`.
    ///
    /// # Errors
    /// The system cannot write it.
    pub fn write(sessions: usize, settle: Settle, extra: &str) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("wb-").tempdir()?;
        let memory = Path::new("/dev/shm");
        let runtime = if memory.is_dir() { memory } else { scratch.path() };
        let runtime = tempfile::Builder::new().prefix("wb-").tempdir_in(runtime)?;
        // Sessions run as another account when the benchmark runs as root.
        for dir in [scratch.path(), runtime.path()] {
            fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let site = Self { scratch, runtime, port };
        fs::create_dir_all(site.dir().join("sessions.d"))?;
        fs::create_dir(site.staging())?;
        let settle = match settle {
            Settle::Shipped => "",
            Settle::None => "[site]\nsettle = { quiet = \"0ms\" }\n",
        };
        fs::write(
            site.dir().join("wharf.toml"),
            format!(
                "format = 1\nmode = \"serve\"\ninstance = \"bench\"\n{settle}\
                 [policy]\nharm-delay = \"0s\"\nmax-harmed = 100000\n{extra}"
            ),
        )?;
        fs::write(
            site.dir().join("rserver.conf"),
            format!("www-address=127.0.0.1\nwww-port={port}\n"),
        )?;
        for n in 0..sessions {
            let text = session_text("demo", &format!("Session {n}"), State::Stopped);
            fs::write(site.session_file(&session_name(n)), text)?;
        }
        Ok(site)
    }

    /// The configuration directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.scratch.path().join("site")
    }

    /// The directory of everything.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Where runtime directories go: in memory where the system has such a place, as `/run` is.
    #[must_use]
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// The file that declares `session`.
    #[must_use]
    pub fn session_file(&self, session: &str) -> PathBuf {
        self.dir().join("sessions.d").join(format!("{session}.toml"))
    }

    fn staging(&self) -> PathBuf {
        self.scratch.path().join("staged")
    }

    /// Writes a session's file beside the site, on the same file system; [`Staged::rename`] declares it.
    ///
    /// # Errors
    /// The system cannot write it.
    pub fn stage(&self, session: &str, text: &str) -> io::Result<Staged> {
        let from = self.staging().join(session);
        fs::write(&from, text)?;
        Ok(Staged { from, to: self.session_file(session) })
    }
}

/// A file that one rename brings into a site.
pub struct Staged {
    from: PathBuf,
    to: PathBuf,
}

impl Staged {
    /// Brings it in.
    ///
    /// # Errors
    /// The system refuses.
    pub fn rename(self) -> io::Result<()> {
        fs::rename(self.from, self.to)
    }
}

/// The name of the session with this number.
#[must_use]
pub fn session_name(n: usize) -> String {
    format!("s{n:05}")
}

/// The file of a session.
#[must_use]
pub fn session_text(workbench: &str, display_name: &str, state: State) -> String {
    let state = match state {
        State::Stopped => "state = \"stopped\"\n",
        State::Running => "",
    };
    format!("workbench = \"{workbench}\"\ndisplay-name = \"{display_name}\"\n{state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_site_is_acceptable() {
        for settle in [Settle::Shipped, Settle::None] {
            let site = Site::write(3, settle, "").unwrap();
            let files = crate::running::read(&site.dir());
            let lowered = engine_core::desired::lower(&files, &crate::running::ground());
            assert!(lowered.is_acceptable(), "{:?}", lowered.problems);
            assert_eq!(lowered.desired.sessions.known().count(), 3);
        }
    }
}
