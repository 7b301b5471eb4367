//! The process that holds one session: its exit record, its log, its end. Never a child of the engine.
//!
//! Synchronous, without threads and without tokio: it waits in one `poll`. Three hidden commands of
//! our own executable, so that nothing forks by hand:
//!
//! ```text
//! warden ── wharf __keep DIR ── wharf __keeper DIR ── wharf __child ── exec: the session
//!           setsid, exits       reparented; stays     drops privileges
//! ```
//!
//! `PR_SET_PDEATHSIG` is not used anywhere: it is about the death of a thread, is cleared by
//! executing, and would make a session depend on its keeper. Knows no engine and no launcher.
//! Read next: [`record`] (what it leaves), [`protocol`] (what it is asked), [`monitor`].

mod begin;
pub mod child;
mod clients;
pub(crate) mod containment;
pub mod log;
pub mod monitor;
pub mod process;
pub mod protocol;
pub mod record;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Starts a keeper and exits.
pub const KEEP: &str = "__keep";
/// Is a keeper.
pub const KEEPER: &str = "__keeper";
/// Becomes a session.
pub const CHILD: &str = "__child";

/// Our own executable, also after the file was replaced by an upgrade.
const SELF: &str = "/proc/self/exe";

/// Runs one of the hidden commands if `args` (without the program's name) begin with one.
/// `main` calls this before anything else: these processes are many and must stay small.
#[must_use]
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    match (args.first()?.to_str()?, args.get(1..)?) {
        (KEEP, [dir]) => Some(keep(dir.as_ref())),
        (KEEPER, [dir]) => Some(main(dir.as_ref())),
        (CHILD, []) => Some(child::main()),
        _ => None,
    }
}

/// The keeper of the incarnation whose directory is `dir`; standard input holds the environment.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    match monitor::run(dir) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads our standard error; what went wrong stands in exit.json where that could be written.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The intermediate: leaves the starter's session, starts the keeper and exits, so that the keeper
/// becomes a child of init (or of the nearest subreaper) and not of whoever started it.
fn keep(dir: &Path) -> ExitCode {
    // Fails only if we lead a group already, and then we are on our own, too.
    let _ = rustix::process::setsid();
    let started = Command::new(SELF)
        .arg0("wharf-keeper")
        .arg(KEEPER)
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::inherit())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Connects to the keeper that holds the directory at `dir`.
///
/// # Errors
/// There is none, or it does not listen.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    connect_at(record::open_dir(dir)?.as_fd())
}

/// Connects to the keeper that holds a directory. The directory is ours and its session's user cannot
/// write in it; named by its descriptor, since its path may be too long for a socket's.
///
/// # Errors
/// There is none, or it does not listen.
pub fn connect_at(dir: BorrowedFd<'_>) -> io::Result<UnixStream> {
    UnixStream::connect(format!("/proc/self/fd/{}/{}", dir.as_raw_fd(), record::KEEPER_SOCKET))
}

/// Starts the keeper of `dir` with `exe` (a `wharf`); returns once the intermediate has handed over.
///
/// # Errors
/// The keeper could not be started.
pub fn start(exe: &Path, dir: &Path, environment: Stdio) -> io::Result<()> {
    let exe = if exe.as_os_str().is_empty() { PathBuf::from(SELF) } else { exe.to_owned() };
    let status = Command::new(exe)
        .arg(KEEP)
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(environment)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the keeper's starter ended with {status}")))
    }
}
