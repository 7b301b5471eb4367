//! The privileged role: starts keepers as other users, opens what only root may read, binds ports.
//!
//! No TCP service, no HTTP, no TOML. [`InProcess`] does the acts; [`wire`] puts it behind a socket so
//! that it can be a process of its own. Every name in a call is checked here again, because whoever
//! calls is less trusted than whoever answers. Decides nothing about when. Read next: [`start`].

pub mod bind;
pub mod directory;
mod end;
pub mod holder;
pub mod protocol;
mod start;
pub mod wire;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use engine_core::ids::Incarnation;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::keeper::record;
use crate::layout::{Layout, below};
use crate::ports::{Warden, WardenError};
use protocol::{Answer, Call};

/// What a warden is given at its start and may not leave.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Where the instance keeps its things.
    pub layout: Layout,
    /// Files below these may be opened for reading.
    pub readable: Vec<PathBuf>,
    /// The engine's account: reads the runtime directories and speaks to keepers.
    pub engine_uid: u32,
    /// Its group.
    pub engine_gid: u32,
    /// Whether a session may run as uid 0. Nothing of ours sets it.
    pub allow_root: bool,
    /// The `wharf` whose hidden commands are keepers; empty = this very program.
    pub exe: PathBuf,
}

/// The warden as a part of this process.
#[derive(Debug)]
pub struct InProcess {
    bounds: Bounds,
}

impl InProcess {
    /// Makes the runtime and state directories if they are missing, and keeps to `bounds`.
    ///
    /// # Errors
    /// A directory cannot be made, or belongs to somebody else.
    pub fn new(mut bounds: Bounds) -> Result<Self, WardenError> {
        let Layout { state, runtime } = &mut bounds.layout;
        for (dir, mode) in [(&mut *state, 0o711), (&mut *runtime, 0o755)] {
            *dir = directory::make_instance_dir(dir, mode)
                .map_err(|source| system(format!("make {}", dir.display()), source))?;
        }
        let runtime = record::open_dir(&bounds.layout.runtime).map_err(|source| {
            system(format!("open {}", bounds.layout.runtime.display()), source)
        })?;
        directory::ensure(&runtime, "s", directory::SESSIONS_MODE, bounds.group())
            .map_err(|source| system("make the sessions' directory", source))?;
        Ok(Self { bounds })
    }

    /// The directories, with every symlink on the way to them followed once.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.bounds.layout
    }

    /// The directory of an incarnation, held.
    fn open_incarnation(&self, incarnation: &Incarnation) -> Result<OwnedFd, WardenError> {
        let sessions = record::open_dir(&self.bounds.layout.sessions())
            .map_err(|source| system("open the sessions' directory", source))?;
        let path = format!("{}/{}", incarnation.session, incarnation.n);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY;
        record::open_below(std::os::fd::AsFd::as_fd(&sessions), Path::new(&path), flags)
            .map_err(|source| system(format!("open the directory of {incarnation}"), source))
    }

    /// Opens a regular file below one of the directories that may be read.
    fn open(&self, path: &Path) -> Result<OwnedFd, WardenError> {
        let found = self.bounds.readable.iter().find_map(|dir| Some((dir, below(dir, path)?)));
        let Some((dir, rest)) = found else {
            return Err(refused(
                format!("open {}", path.display()),
                "it is not below a directory given at its start",
            ));
        };
        let open = || -> io::Result<OwnedFd> {
            let dir = record::open_dir(&dir.canonicalize()?)?;
            // Symlinks within the directory are how people arrange files; out of it none leads.
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let fd = rustix::fs::openat2(&dir, rest, flags, Mode::empty(), resolve)?;
            let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
            if kind != FileType::RegularFile {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            Ok(fd)
        };
        open().map_err(|source| system(format!("open {}", path.display()), source))
    }

    /// A home for the unprivileged account of an engine that was started as root by hand.
    fn make_home(&self, name: &str) -> Result<PathBuf, WardenError> {
        let user = start::look_up(name)?;
        let make = || -> io::Result<PathBuf> {
            let state = record::open_dir(&self.bounds.layout.state)?;
            let homes = directory::ensure(&state, "homes", Mode::from_raw_mode(0o711), None)?;
            let owner = directory::Owner::of(user.uid.as_raw(), user.gid.as_raw());
            directory::ensure_owned(&homes, &user.name, Mode::from_raw_mode(0o700), owner)?;
            Ok(self.bounds.layout.state.join("homes").join(&user.name))
        };
        if user.uid.is_root() {
            return Err(refused(format!("make a home for {name}"), "root has one"));
        }
        make().map_err(|source| system(format!("make a home for {name}"), source))
    }
}

impl Bounds {
    /// The group that our files get: the engine's as root, our own otherwise.
    fn group(&self) -> Option<u32> {
        nix::unistd::geteuid().is_root().then_some(self.engine_gid)
    }
}

impl Warden for InProcess {
    fn call(&self, call: &Call) -> Result<(Answer, Vec<OwnedFd>), WardenError> {
        let done = |()| (Answer::Done, Vec::new());
        match call {
            Call::Start { order, env, args, working_dir } => {
                self.start(order, env, args, working_dir).map(done)
            }
            Call::End { incarnation, signal, grace_ms } => {
                self.end(incarnation, *signal, *grace_ms).map(done)
            }
            Call::KillLeftovers { incarnation } => self.kill_leftovers(incarnation).map(done),
            Call::Remove { incarnation } => self.remove(incarnation).map(done),
            Call::FinishRemovals => self.finish_removals().map(done),
            Call::Bind { address } => {
                bind::listen(address).map(|fd| (Answer::Descriptor, vec![fd]))
            }
            Call::WhoHolds { address } => {
                let name = holder::of_port(address.ip, address.port);
                Ok((Answer::Holder { name }, Vec::new()))
            }
            Call::Open { path } => self.open(path).map(|fd| (Answer::Descriptor, vec![fd])),
            Call::MakeHome { user } => {
                self.make_home(user).map(|path| (Answer::Path { path }, Vec::new()))
            }
        }
    }
}

fn refused(what: impl Into<String>, reason: impl Into<String>) -> WardenError {
    WardenError::Refused { what: what.into(), reason: reason.into() }
}

fn system(what: impl Into<String>, source: impl Into<io::Error>) -> WardenError {
    WardenError::System { what: what.into(), source: source.into() }
}
