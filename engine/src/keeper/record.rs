//! The files in an incarnation's directory: how a session describes itself to whoever comes later.
//!
//! Each is one JSON object with a `format`, written beside its name, synced and renamed into place.
//! One of a newer format is not guessed at. Formats only ever gain fields. Knows no process and no
//! launcher. Read next: [`super::monitor`], which writes them; `launcher::local`, which reads them.
//!
//! | file | says | written by |
//! |---|---|---|
//! | `spec.json` | the whole order | warden, before the keeper starts |
//! | `identity.json` | keeper and child | keeper, once the child runs |
//! | `ready.json` | it answered once | keeper, told by the engine |
//! | `ending.json` | it was told to end | keeper |
//! | `exit.json` | how it ended | keeper, once nothing of it is left |

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use engine_core::ids::Moment;
use engine_core::observed::Exit;
use engine_core::plan::StartOrder;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::ProcessId;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// See [`Spec`].
pub const SPEC: &str = "spec.json";
/// See [`Identity`].
pub const IDENTITY: &str = "identity.json";
/// See [`Ready`].
pub const READY: &str = "ready.json";
/// See [`Ending`].
pub const ENDING: &str = "ending.json";
/// See [`ExitRecord`].
pub const EXIT: &str = "exit.json";
/// What the session writes to its standard output and error.
pub const LOG: &str = "log";
/// The socket of keeper protocol 1.
pub const KEEPER_SOCKET: &str = "keeper.sock";
/// The directory that belongs to the session's account.
pub const USER_DIR: &str = "u";

/// More than any record of ours; a larger file is not one.
const LARGEST: u64 = 4 << 20;

/// What an incarnation is started from. Never holds the environment: that may hold secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// See [`FORMAT`].
    pub format: u32,
    /// The boot in which it was started.
    pub boot_id: String,
    /// The order.
    pub order: StartOrder,
    /// The arguments, tokens filled in.
    pub args: Vec<String>,
    /// The working directory.
    pub working_dir: String,
    /// Who may speak to the keeper besides root and the keeper's own account.
    pub engine_uid: u32,
    /// The group that reads these files and reaches the session's sockets.
    pub engine_gid: u32,
}

/// What holds the processes of a session together when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Containment {
    /// The keeper is the subreaper of the tree: descendants come to it and are found there.
    ProcessTree,
    /// A cgroup of version 2 with `cgroup.kill`.
    Cgroup2 {
        /// Its directory.
        path: String,
    },
    /// Another kind, of a later version: its processes are found by the tree.
    #[serde(other)]
    Other,
}

/// Which processes hold and run an incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// See [`FORMAT`].
    pub format: u32,
    /// The boot in which these pids mean something.
    pub boot_id: String,
    /// The keeper.
    pub keeper: ProcessId,
    /// The session's leader: also its process group and session.
    pub child: ProcessId,
    /// When the child was started.
    pub started_at: Moment,
    /// How its processes are held together.
    pub containment: Containment,
}

/// It answered an HTTP request once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// See [`FORMAT`].
    pub format: u32,
    /// When that was learned.
    pub at: Moment,
}

/// It was told to end, or its leader has ended and the rest is being ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// See [`FORMAT`].
    pub format: u32,
    /// Since when.
    pub since: Moment,
    /// Whether somebody asked for it.
    pub asked: bool,
}

/// How it ended; nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// When.
    pub at: Moment,
    /// Exit code, when it ended by itself.
    pub code: Option<i32>,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// Whether it was told to.
    pub asked: bool,
    /// What went wrong before it ever ran, or how its end became known; empty otherwise.
    pub failure: String,
}

impl From<Exit> for ExitRecord {
    fn from(exit: Exit) -> Self {
        let Exit { at, code, signal, asked, failure, never_ran: _ } = exit;
        Self { format: FORMAT, at, code, signal, asked, failure }
    }
}

impl From<ExitRecord> for Exit {
    fn from(record: ExitRecord) -> Self {
        let ExitRecord { format: _, at, code, signal, asked, failure } = record;
        Self { at, code, signal, asked, failure, never_ran: false }
    }
}

/// Why a record could not be read. It is there: none of these means absence.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system said no.
    #[error("cannot read {name}")]
    Unreadable {
        /// Which file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no regular file of a sane size.
    #[error("{name} is not a regular file of at most 4 MiB")]
    Odd {
        /// Which file.
        name: String,
    },
    /// A later program wrote it.
    #[error("{name} was written by a newer wharf: format {found}, this one knows {FORMAT}")]
    Newer {
        /// Which file.
        name: String,
        /// Its format.
        found: u32,
    },
    /// It does not say what it should.
    #[error("{name} is damaged")]
    Damaged {
        /// Which file.
        name: String,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
}

/// Opens `path` below `dir`, following no symlink and leaving `dir` nowhere.
///
/// # Errors
/// It is not there, is or leads through a symlink, or the system refused.
pub fn open_below(dir: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // EAGAIN: something was renamed meanwhile and the kernel could not be sure; it asks for another try.
    for _ in 0..8 {
        match rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve) {
            Err(rustix::io::Errno::AGAIN) => {}
            answer => return Ok(answer?),
        }
    }
    Err(rustix::io::Errno::AGAIN.into())
}

/// Opens the directory at `path`, which itself is no symlink.
///
/// # Errors
/// It is not there, is a symlink, or the system refused.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Reads a record; none = it is not there.
///
/// # Errors
/// It is there and cannot be understood.
pub fn read<T: DeserializeOwned>(
    dir: BorrowedFd<'_>,
    name: &str,
) -> Result<Option<T>, RecordError> {
    let unreadable = |source| RecordError::Unreadable { name: name.to_owned(), source };
    // NONBLOCK: opening a planted FIFO must not hang.
    let fd = match open_below(dir, Path::new(name), OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(fd) => fd,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let stat = rustix::fs::fstat(&fd).map_err(|errno| unreadable(errno.into()))?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !regular || u64::try_from(stat.st_size).unwrap_or(u64::MAX) > LARGEST {
        return Err(RecordError::Odd { name: name.to_owned() });
    }
    let mut bytes = Vec::new();
    std::fs::File::from(fd).take(LARGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    parse(name, &bytes).map(Some)
}

/// Understands a record's bytes.
///
/// # Errors
/// They are of a newer format, or damaged.
pub fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, RecordError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let damaged = |source| RecordError::Damaged { name: name.to_owned(), source };
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.format > FORMAT {
        return Err(RecordError::Newer { name: name.to_owned(), found: head.format });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Writes a record: whole and synced, or not at all. Mode 0640, group `gid`.
///
/// # Errors
/// The system refused; an older record of that name is untouched.
pub fn write<T: Serialize>(
    dir: BorrowedFd<'_>,
    name: &str,
    record: &T,
    gid: Option<u32>,
) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(record)?;
    bytes.push(b'\n');
    let beside = format!(".{name}.new");
    // What a writer left that was killed here is nobody's; the directory has one writer at a time.
    match rustix::fs::unlinkat(dir, &beside, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let mut file = create(dir, &beside, Mode::from_raw_mode(0o640), gid)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    rustix::fs::renameat(dir, &beside, dir, name)?;
    rustix::fs::fsync(dir)?;
    Ok(())
}

/// Makes a file that was not there, with its final mode and group before anything is in it.
///
/// # Errors
/// It exists, or the system refused.
pub fn create(
    dir: BorrowedFd<'_>,
    name: &str,
    mode: Mode,
    gid: Option<u32>,
) -> io::Result<std::fs::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
    if let Some(gid) = gid {
        rustix::fs::fchown(&fd, None, Some(Gid::from_raw(gid)))?;
    }
    rustix::fs::fchmod(&fd, mode)?;
    Ok(fd.into())
}

/// Wall time now, for records.
#[must_use]
pub fn now() -> Moment {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    Moment(i64::try_from(since).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn dir() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        let fd = open_dir(dir.path()).unwrap();
        (dir, fd)
    }

    fn ready() -> Ready {
        Ready { format: FORMAT, at: Moment(7) }
    }

    #[test]
    fn a_record_reads_back_and_leaves_nothing_beside_it() {
        let (path, fd) = dir();
        assert!(read::<Ready>(fd.as_fd(), READY).unwrap().is_none());
        write(fd.as_fd(), READY, &ready(), None).unwrap();
        write(fd.as_fd(), READY, &ready(), None).unwrap();
        assert_eq!(read::<Ready>(fd.as_fd(), READY).unwrap(), Some(ready()));
        assert_eq!(std::fs::read_dir(path.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_writer_left_is_in_nobodys_way() {
        let (path, fd) = dir();
        std::fs::write(path.path().join(".ready.json.new"), "{\"for").unwrap();
        write(fd.as_fd(), READY, &ready(), None).unwrap();
        assert_eq!(read::<Ready>(fd.as_fd(), READY).unwrap(), Some(ready()));
    }

    #[test]
    fn a_torn_a_newer_and_a_planted_record_are_told_apart() {
        let (path, fd) = dir();
        let file = path.path().join(READY);
        std::fs::write(&file, "{\"format\":1,\"at\"").unwrap();
        assert!(matches!(read::<Ready>(fd.as_fd(), READY), Err(RecordError::Damaged { .. })));
        std::fs::write(&file, "{\"format\":2,\"entirely\":\"new\"}").unwrap();
        let newer = read::<Ready>(fd.as_fd(), READY).unwrap_err();
        assert!(matches!(newer, RecordError::Newer { found: 2, .. }), "{newer}");
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
        assert!(matches!(read::<Ready>(fd.as_fd(), READY), Err(RecordError::Unreadable { .. })));
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(matches!(read::<Ready>(fd.as_fd(), READY), Err(RecordError::Odd { .. })));
    }

    #[test]
    fn fields_of_a_later_program_are_passed_over() {
        let text = br#"{"format":1,"at":7,"colour":"green"}"#;
        assert_eq!(parse::<Ready>(READY, text).unwrap(), ready());
        let other: Containment = serde_json::from_str(r#"{"kind":"jail","x":1}"#).unwrap();
        assert_eq!(other, Containment::Other);
    }
}
