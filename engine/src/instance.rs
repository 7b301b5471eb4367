//! What makes a running engine one: its lock, its process id, its signals, its word to systemd.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::Sender;

use rustix::fs::{FlockOperation, flock};

use crate::control::Event;
use crate::layout::Layout;

/// Why the instance is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// An engine runs already.
    #[error("an engine of this instance runs already{}", .pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Running {
        /// Its process id, as it wrote it.
        pid: Option<String>,
    },
    /// The lock file cannot be made.
    #[error("cannot lock {path}")]
    System {
        /// Which file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Takes the instance's lock; it is given back when the file is closed, however the process ends.
///
/// # Errors
/// Another engine has it, or the file cannot be made.
pub fn lock(layout: &Layout) -> Result<File, LockError> {
    let path = layout.lock_file();
    let system = |source| LockError::System { path: path.display().to_string(), source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(system)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(running(layout)),
        Err(errno) => Err(system(errno.into())),
    }
}

/// Whether nobody has the instance's lock; changes nothing, and makes no file.
///
/// # Errors
/// An engine has it, or it cannot be told: this account may not look.
pub fn probe(layout: &Layout) -> Result<(), LockError> {
    let path = layout.lock_file();
    let system = |source| LockError::System { path: path.display().to_string(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(running(layout)),
        Err(errno) => Err(system(errno.into())),
    }
}

fn running(layout: &Layout) -> LockError {
    let pid = std::fs::read_to_string(layout.pid_file()).ok();
    LockError::Running { pid: pid.map(|pid| pid.trim().to_owned()) }
}

/// Takes as many descriptors as this account may have; sessions get the usual number back from their
/// keeper. A hard limit is never raised: in containers that fails even for root.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the soft limit of open files stays as it is");
    }
}

/// Writes the engine's process id, for people and scripts; nothing of ours trusts it.
///
/// # Errors
/// The file cannot be written.
pub fn write_pid(layout: &Layout) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(layout.pid_file())?;
    writeln!(file, "{}", std::process::id())
}

/// Turns SIGTERM and SIGINT into a stop, and SIGHUP into a look at the files.
///
/// # Errors
/// No thread or no signal handler can be had.
pub fn on_signals(events: Sender<Event>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let ready = std::sync::mpsc::sync_channel::<Result<(), String>>(1);
    let (tell, told) = ready;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(watch_signals(&events, &tell)))
        .map_err(|error| error.to_string())?;
    told.recv().map_err(|error| error.to_string())?
}

async fn watch_signals(
    events: &Sender<Event>,
    tell: &std::sync::mpsc::SyncSender<Result<(), String>>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let handlers = (|| {
        Ok::<_, io::Error>((
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ))
    })();
    let (mut term, mut int, mut hup) = match handlers {
        Ok(handlers) => handlers,
        Err(error) => {
            let _ = tell.send(Err(error.to_string()));
            return;
        }
    };
    let _ = tell.send(Ok(()));
    loop {
        let event = tokio::select! {
            _ = term.recv() => Event::Stop,
            _ = int.recv() => Event::Stop,
            _ = hup.recv() => Event::LookAgain,
        };
        let stop = matches!(event, Event::Stop);
        if events.send(event).is_err() || stop {
            return;
        }
    }
}

/// Tells systemd something (sd_notify(3)); without systemd it does nothing.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = send_to(&path, state);
    if let Err(error) = sent {
        tracing::warn!(%error, "systemd was not told {state}");
    }
}

/// Tells systemd that the loop lives, where it asks for that (sd_watchdog_enabled(3)).
pub fn tell_watchdog() {
    let ours =
        std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    if ours && std::env::var_os("WATCHDOG_USEC").is_some() {
        notify("WATCHDOG=1");
    }
}

fn send_to(path: &std::ffi::OsStr, state: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    let socket = UnixDatagram::unbound()?;
    match path.as_bytes().split_first() {
        // An abstract socket's name begins with `@`.
        Some((b'@', name)) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)?;
        }
        _ => {
            socket.send_to(state.as_bytes(), path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &std::path::Path) -> Layout {
        Layout { state: dir.to_owned(), runtime: dir.to_owned() }
    }

    #[test]
    fn a_second_engine_is_refused_and_told_the_first_ones_pid() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let first = lock(&layout).unwrap();
        write_pid(&layout).unwrap();
        let second = lock(&layout).unwrap_err().to_string();
        assert!(second.contains(&format!("pid {}", std::process::id())), "{second}");
        assert!(matches!(probe(&layout), Err(LockError::Running { .. })));
        drop(first);
        assert!(probe(&layout).is_ok());
        assert!(lock(&layout).is_ok());
    }

    #[test]
    fn systemd_is_told_over_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send_to(path.as_os_str(), "READY=1").unwrap();
        let mut buffer = [0; 32];
        let read = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"READY=1");
    }
}
