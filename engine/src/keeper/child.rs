//! The half of a keeper that becomes the session: drops every privilege, then executes.
//!
//! Runs as `wharf __child`, started by the keeper with an empty environment: the session's own comes
//! over standard input, so that nothing in it (`LD_PRELOAD`) can reach a process that is still root,
//! and nothing of it stands in arguments. It comes after the keeper has recorded who the child is: a
//! child whose keeper died before that reads the end of the file and exits. What goes wrong before
//! the new program runs is told to the keeper over a pipe that executing closes. Knows no directory and no protocol.

use std::ffi::CString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::unistd::{Gid, Uid};
use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

/// What a session's process finds in its environment, secrets included: held in sealed memory and
/// in pipes, never in a file.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub Vec<(String, String)>);

impl fmt::Debug for Environment {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Everything but the environment. On standard input: the orders, a line feed, the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Account to become; none = stay what we are.
    pub account: Option<Account>,
    /// Executable.
    pub exe: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Working directory, entered as the user.
    pub working_dir: String,
    /// `cgroup.procs` of the cgroup to enter first.
    pub cgroup_procs: Option<String>,
}

/// An account to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name, for its supplementary groups.
    pub name: String,
    /// Its uid.
    pub uid: u32,
    /// Its primary gid.
    pub gid: u32,
}

/// Group members may read what a session writes (and the engine's group its sockets' directory);
/// others may not.
const UMASK: u32 = 0o027;
/// The soft limit of open files that a login has; the engine raises its own far above.
const OPEN_FILES: u64 = 1024;

/// Becomes the session. Returns only if that failed.
#[must_use]
pub fn main() -> ExitCode {
    // Standard output is the keeper's ear until the new program runs: this copy of it is closed by
    // executing, and the program gets the log in its place.
    let stdout = io::stdout();
    let Ok(report) = stdout.as_fd().try_clone_to_owned() else { return ExitCode::from(70) };
    let mut report = File::from(report);
    let Err(reason) = become_session(&report);
    // Whoever reads this is the keeper; if it is gone there is nobody to tell.
    let _ = report.write_all(reason.as_bytes());
    ExitCode::from(127)
}

fn become_session(report: &File) -> Result<std::convert::Infallible, String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| format!("no orders: {error}"))?;
    let (orders, env) = text.split_once('\n').ok_or("its keeper is gone")?;
    let orders: Orders =
        serde_json::from_str(orders).map_err(|error| format!("no orders: {error}"))?;
    // The error may quote the text, which may hold a secret.
    let Environment(env) = serde_json::from_str(env).map_err(|_| "no environment")?;
    nix::unistd::dup2_stdout(io::stderr()).map_err(|error| format!("no log: {error}"))?;
    close_inherited(Some(report)).map_err(|error| format!("cannot close descriptors: {error}"))?;
    let null = File::open("/dev/null").map_err(|error| format!("no /dev/null: {error}"))?;
    nix::unistd::dup2_stdin(&null).map_err(|error| format!("no standard input: {error}"))?;
    if let Some(procs) = &orders.cgroup_procs {
        std::fs::write(procs, "0").map_err(|error| format!("cannot enter {procs}: {error}"))?;
    }
    // Leader of a session and group of its own: no terminal, and one address for its signals.
    rustix::process::setsid().map_err(|error| format!("setsid: {error}"))?;
    // The keeper blocks signals for its descriptor of them, and a mask is inherited.
    nix::sys::signal::SigSet::empty()
        .thread_set_mask()
        .map_err(|errno| format!("cannot unblock signals: {errno}"))?;
    clamp_limits().map_err(|error| format!("cannot clamp limits: {error}"))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(UMASK));
    if let Some(account) = &orders.account {
        become_account(account)?;
    }
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("no_new_privs: {error}"))?;
    // As the user: a home that root may not enter (NFS) is entered, one of another's is not.
    std::env::set_current_dir(&orders.working_dir)
        .map_err(|error| format!("cannot enter {}: {error}", orders.working_dir))?;
    let error = Command::new(&orders.exe).args(&orders.args).env_clear().envs(env).exec();
    Err(format!("cannot run {}: {error}", orders.exe))
}

/// Groups, gid, uid, in this order; then proves that there is no way back.
fn become_account(account: &Account) -> Result<(), String> {
    let fail =
        |what: &str, errno: nix::Error| format!("cannot become {}: {what}: {errno}", account.name);
    let name = CString::new(account.name.as_str()).map_err(|_| "a name with NUL".to_owned())?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    nix::unistd::initgroups(&name, gid).map_err(|errno| fail("groups", errno))?;
    nix::unistd::setresgid(gid, gid, gid).map_err(|errno| fail("gid", errno))?;
    nix::unistd::setresuid(uid, uid, uid).map_err(|errno| fail("uid", errno))?;
    if !uid.is_root() && nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
        return Err("root could be regained".to_owned());
    }
    Ok(())
}

/// Only ever downwards: raising needs a capability that even root may lack.
fn clamp_limits() -> io::Result<()> {
    let clamp = |resource, soft: u64| {
        let old = rustix::process::getrlimit(resource);
        let current = old.current.map_or(soft, |current| current.min(soft));
        rustix::process::setrlimit(
            resource,
            Rlimit { current: Some(current), maximum: old.maximum },
        )
    };
    clamp(Resource::Nofile, OPEN_FILES)?;
    clamp(Resource::Core, 0)?;
    Ok(())
}

/// Closes what was inherited by accident; `keep` is ours.
///
/// # Errors
/// `/proc` could not be read.
pub(super) fn close_inherited(keep: Option<&File>) -> io::Result<()> {
    let keep = keep.map(AsRawFd::as_raw_fd);
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    for fd in open {
        if fd > 2 && Some(fd) != keep {
            // EBADF is the directory's own descriptor, closed since.
            let _ = nix::unistd::close(fd);
        }
    }
    Ok(())
}
