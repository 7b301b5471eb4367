//! Ending an incarnation, killing what a dead keeper left, and removing what is over.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use engine_core::ids::Incarnation;
use rustix::fs::{AtFlags, OFlags};

use super::{InProcess, refused, system};
use crate::boundary;
use crate::keeper;
use crate::keeper::protocol::{Answer, Request, ask};
use crate::keeper::record::{self, EXIT, ExitRecord, IDENTITY, Identity, SPEC, Spec};
use crate::ports::WardenError;

/// How long a keeper may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long one that does not answer is tried, which covers another taking over from it.
const PATIENCE: Duration = Duration::from_secs(3);

impl InProcess {
    /// Tells the keeper; if that is gone, a new one takes over first, so that the grace time counts.
    pub(super) fn end(
        &self,
        incarnation: &Incarnation,
        signal: i32,
        grace_ms: u64,
    ) -> Result<(), WardenError> {
        let dir = self.open_incarnation(incarnation)?;
        let what = || format!("tell the keeper of {incarnation} to end it");
        let request = Request::Stop { signal, grace_ms };
        let limit = Instant::now() + PATIENCE;
        let mut takes_over = false;
        while !is_over(&dir)? {
            let source = match keeper::connect_at(dir.as_fd())
                .and_then(|stream| ask(stream, &request, ANSWER))
            {
                Ok(Answer { error: None, .. }) => return Ok(()),
                Ok(Answer { error: Some(reason), .. }) => return Err(refused(what(), reason)),
                // Gone, or just going: one that has written the exit record answers nobody any more.
                Err(source) => source,
            };
            let started = read_identity(&dir)?.is_some();
            if Instant::now() > limit {
                return Err(system(what(), source));
            }
            if !takes_over && started && keeper_is_gone(&dir)? {
                takes_over = true;
                let path = self.bounds.layout.incarnation(incarnation);
                keeper::start(&self.bounds.exe, &path, Stdio::null())
                    .map_err(|source| system(what(), source))?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends at once whatever an incarnation left whose keeper is gone.
    pub(super) fn kill_leftovers(&self, incarnation: &Incarnation) -> Result<(), WardenError> {
        let dir = self.open_incarnation(incarnation)?;
        if is_over(&dir)? {
            return Ok(());
        }
        if !keeper_is_gone(&dir)? {
            let what = format!("kill what is left of {incarnation}");
            return Err(refused(what, "its keeper is alive: it is to be told to end"));
        }
        self.end(incarnation, rustix::process::Signal::KILL.as_raw(), 0)
    }

    /// Removes the directory of an incarnation that is over.
    pub(super) fn remove(&self, incarnation: &Incarnation) -> Result<(), WardenError> {
        let what = || format!("remove the directory of {incarnation}");
        let dir = match self.open_incarnation(incarnation) {
            Ok(dir) => dir,
            Err(WardenError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if !is_over(&dir)? && !nothing_runs(&dir)? {
            return Err(refused(what(), "it is not over"));
        }
        // Left by a leader and a keeper that were killed together: it goes with its session.
        if let Ok(Some(identity)) = read_identity(&dir) {
            keeper::containment::kill(&identity.containment);
            keeper::containment::remove(&identity.containment);
        }
        remove_dir(&self.bounds.layout.sessions(), incarnation)
            .map_err(|source| system(what(), source))
    }

    /// Removes what is left of directories whose removal a crash has cut short.
    pub(super) fn finish_removals(&self) -> Result<(), WardenError> {
        let finish = || -> io::Result<()> {
            let sessions = record::open_dir(&self.bounds.layout.sessions())?;
            let mut first = Ok(());
            for session in names_in(&sessions)? {
                let Ok(parent) = open_session(&sessions, Path::new(&session)) else { continue };
                let gone = names_in(&parent)?;
                for name in gone.iter().filter(|name| name.to_string_lossy().ends_with(GONE)) {
                    // One that cannot be removed, with a mount in it say, keeps nobody else's.
                    first = first.and(remove_all(&parent, name));
                }
                let _ = rustix::fs::unlinkat(&sessions, &session, AtFlags::REMOVEDIR);
            }
            first
        };
        finish().map_err(|source| system("finish removals of directories", source))
    }
}

/// How the name of a directory ends that is being removed.
const GONE: &str = ".gone";

/// Renamed before it is emptied: half a directory must not look like an incarnation that never began.
fn remove_dir(sessions: &Path, incarnation: &Incarnation) -> io::Result<()> {
    let session = Path::new(incarnation.session.as_str());
    let sessions = record::open_dir(sessions)?;
    let parent = open_session(&sessions, session)?;
    let gone = OsString::from(format!(".{}{GONE}", incarnation.n));
    match remove_all(&parent, &gone) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    rustix::fs::renameat(&parent, incarnation.n.to_string(), &parent, &gone)?;
    rustix::fs::fsync(&parent)?;
    boundary::reached("after", "directory-renamed");
    remove_all(&parent, &gone)?;
    // The session's own directory goes with its last incarnation.
    let _ = rustix::fs::unlinkat(&sessions, session, AtFlags::REMOVEDIR);
    Ok(())
}

/// The directory of a session's incarnations, held.
fn open_session(sessions: &OwnedFd, session: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY;
    record::open_below(sessions.as_fd(), session, flags)
}

/// A directory in a held one, with all that is in it. By the standard library, which follows no symlink, whatever
/// the session's user has put there.
fn remove_all(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    std::fs::remove_dir_all(held(parent).join(name))
}

/// The names in a held directory.
fn names_in(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(held(dir))?.map(|entry| Ok(entry?.file_name())).collect()
}

fn held(dir: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}

fn is_over(dir: &OwnedFd) -> Result<bool, WardenError> {
    record::read::<ExitRecord>(dir.as_fd(), EXIT)
        .map(|exit| exit.is_some())
        .map_err(|error| system("read how it ended", io::Error::other(error)))
}

fn read_identity(dir: &OwnedFd) -> Result<Option<Identity>, WardenError> {
    record::read(dir.as_fd(), IDENTITY)
        .map_err(|error| system("read who keeps it", io::Error::other(error)))
}

/// Proven, not guessed: the process that was recorded is over, or belongs to another boot. A keeper that
/// recorded nothing is gone once nobody holds the directory's lock.
fn keeper_is_gone(dir: &OwnedFd) -> Result<bool, WardenError> {
    let proc = |source| system("read /proc", source);
    match read_identity(dir)? {
        Some(identity) if identity.boot_id == keeper::process::boot_id().map_err(proc)? => {
            if identity.keeper.is_running().map_err(proc)? {
                return Ok(false);
            }
            Ok(!is_locked(dir)?)
        }
        Some(_) => Ok(true),
        None => Ok(!is_locked(dir)?),
    }
}

/// Whether a keeper, also one that has taken over, holds the directory.
fn is_locked(dir: &OwnedFd) -> Result<bool, WardenError> {
    use rustix::fs::FlockOperation;
    match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => rustix::fs::flock(dir, FlockOperation::Unlock)
            .map(|()| false)
            .map_err(|errno| system("look at the keeper's lock", errno)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(system("look at the keeper's lock", errno)),
    }
}

/// Whether neither keeper nor child of an incarnation without an exit record can be running.
fn nothing_runs(dir: &OwnedFd) -> Result<bool, WardenError> {
    let proc = |source| system("read /proc", source);
    let boot_id = keeper::process::boot_id().map_err(proc)?;
    if let Ok(Some(spec)) = record::read::<Spec>(dir.as_fd(), SPEC)
        && spec.boot_id != boot_id
    {
        return Ok(true);
    }
    if !keeper_is_gone(dir)? {
        return Ok(false);
    }
    match read_identity(dir)? {
        Some(identity) if identity.boot_id == boot_id => {
            Ok(!identity.child.is_running().map_err(proc)?)
        }
        Some(_) | None => Ok(true),
    }
}
