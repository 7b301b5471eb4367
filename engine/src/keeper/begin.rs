//! How a keeper begins: its signals, its socket, its child. Nothing of the session runs yet.
//!
//! Read next: [`super::monitor`], which does these in their order; [`super::child`], the other side.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{SigSet, Signal as NixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::clients::Clients;
use super::record::{Containment, KEEPER_SOCKET, Spec};
use super::{CHILD, SELF, child, log};

/// SIGCHLD, and the signals that would end a keeper from a terminal or at shutdown, come over a descriptor.
fn block_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [NixSignal::SIGCHLD, NixSignal::SIGTERM, NixSignal::SIGINT, NixSignal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Through the descriptor: the path may be longer than a socket's address, and the directory is the one we hold.
fn listen(dir: &OwnedFd, gid: Option<u32>) -> io::Result<UnixListener> {
    // Of a keeper that is gone: the lock says that we are the only one.
    let _ = rustix::fs::unlinkat(dir, KEEPER_SOCKET, rustix::fs::AtFlags::empty());
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o117));
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{KEEPER_SOCKET}", dir.as_raw_fd()));
    rustix::process::umask(old);
    let listener = listener?;
    if let Some(gid) = gid {
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(dir, KEEPER_SOCKET, None, Some(rustix::fs::Gid::from_raw(gid)), flags)?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What every keeper does first: subreaper, signals over a descriptor, its socket.
pub(super) fn prepare(
    dir: &OwnedFd,
    gid: Option<u32>,
    spec: &Spec,
) -> Result<(SignalFd, Clients), String> {
    rustix::process::set_child_subreaper(rustix::process::getpid().into())
        .map_err(|errno| format!("cannot become a subreaper: {errno}"))?;
    let signals = block_signals().map_err(|errno| format!("cannot block signals: {errno}"))?;
    let listener =
        listen(dir, gid).map_err(|error| format!("cannot listen on {KEEPER_SOCKET}: {error}"))?;
    Ok((signals, Clients::new(listener, spec.engine_uid)))
}

pub(super) fn orders_for_child(spec: &Spec, containment: &Containment) -> Result<Vec<u8>, String> {
    let order = &spec.order;
    let account = nix::unistd::geteuid().is_root().then(|| child::Account {
        name: order.launch.user.to_string(),
        uid: order.user.uid,
        gid: order.user.gid,
    });
    let orders = child::Orders {
        account,
        exe: order.exe.clone(),
        args: spec.args.clone(),
        working_dir: spec.working_dir.clone(),
        cgroup_procs: match containment {
            Containment::Cgroup2 { path } => Some(format!("{path}/cgroup.procs")),
            Containment::ProcessTree | Containment::Other => None,
        },
    };
    serde_json::to_vec(&orders).map_err(|error| error.to_string())
}

pub(super) fn start_child(dir: &OwnedFd, gid: Option<u32>) -> Result<std::process::Child, String> {
    let log =
        log::open(dir.as_fd(), gid).map_err(|error| format!("cannot open the log: {error}"))?;
    Command::new(SELF)
        .arg0("wharf-session")
        .arg(CHILD)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot start the child: {error}"))
}
