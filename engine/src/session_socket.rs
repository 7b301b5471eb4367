//! Opening a session's socket: only the one in the session's own directory, only with its own user behind it.
//!
//! The directory belongs to the session's account, which may put there what it likes: a symlink to
//! another's socket, a socket of its own program, a file. So the name is opened relative to a
//! descriptor of the directory, no symlink is followed, and the uid at the other end is asked of the
//! kernel before the first byte (design.md §2). Shared by the launchers, which ask whether a session
//! is ready, and by the proxy.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Holds a session's socket by an `O_PATH` descriptor, having followed no symlink on the way.
///
/// # Errors
/// There is none, it is no socket, or a symlink is on the way.
pub fn open_node(dir: &Path, name: &str) -> io::Result<OwnedFd> {
    let mut parts = Path::new(name).components();
    if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a socket's name is one name"));
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let no_symlinks = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let dir = rustix::fs::openat2(
        rustix::fs::CWD,
        dir,
        flags | OFlags::DIRECTORY,
        Mode::empty(),
        no_symlinks,
    )?;
    let beneath = no_symlinks | ResolveFlags::BENEATH;
    let node = rustix::fs::openat2(&dir, name, flags, Mode::empty(), beneath)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&node)?.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a socket"));
    }
    Ok(node)
}

/// Connects to a held socket without waiting and requires `uid` at the other end.
/// The stream is non-blocking, as an asynchronous caller wants it.
///
/// # Errors
/// `WouldBlock`: its backlog is full, try again later. `ConnectionRefused`: nobody listens.
/// `PermissionDenied`: somebody else listens.
pub fn connect_node(node: impl AsFd, uid: u32) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The descriptor names the very node that was looked at; its path could have changed since.
    let path = format!("/proc/self/fd/{}", node.as_fd().as_raw_fd());
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let peer = rustix::net::sockopt::socket_peercred(&socket)?;
    if peer.uid.as_raw() != uid {
        let found = peer.uid.as_raw();
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("uid {found} listens there, not uid {uid}"),
        ));
    }
    Ok(UnixStream::from(socket))
}

/// Opens the socket `name` in a session's directory `dir`, whose listener must be `uid`.
///
/// # Errors
/// As [`open_node`] and [`connect_node`].
pub fn open_session_socket(dir: &Path, name: &str, uid: u32) -> io::Result<UnixStream> {
    connect_node(open_node(dir, name)?, uid)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn own_uid() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    /// A directory without a symlink in its path.
    fn dir() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn a_socket_of_the_right_user_is_opened() {
        let (_keep, dir) = dir();
        let _listener = UnixListener::bind(dir.join("app.sock")).unwrap();
        open_session_socket(&dir, "app.sock", own_uid()).unwrap();
    }

    #[test]
    fn a_listener_of_another_user_is_refused() {
        let (_keep, dir) = dir();
        let _listener = UnixListener::bind(dir.join("app.sock")).unwrap();
        let error = open_session_socket(&dir, "app.sock", own_uid() + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    }

    #[test]
    fn a_planted_symlink_is_refused_wherever_it_stands() {
        let (_keep, dir) = dir();
        let _listener = UnixListener::bind(dir.join("other.sock")).unwrap();
        symlink(dir.join("other.sock"), dir.join("app.sock")).unwrap();
        assert!(open_session_socket(&dir, "app.sock", own_uid()).is_err());
        symlink(&dir, dir.join("d")).unwrap();
        assert!(open_session_socket(&dir.join("d"), "other.sock", own_uid()).is_err());
    }

    #[test]
    fn what_is_no_socket_and_what_leaves_the_directory_is_refused() {
        let (_keep, dir) = dir();
        std::fs::write(dir.join("app.sock"), "").unwrap();
        for name in ["app.sock", "missing", "", ".", "..", "../x", "/etc/passwd", "a/b"] {
            assert!(open_session_socket(&dir, name, own_uid()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_full_backlog_is_no_reason_to_wait() {
        let (_keep, dir) = dir();
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new(dir.join("app.sock")).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let mut held = Vec::new();
        let error = loop {
            match open_session_socket(&dir, "app.sock", own_uid()) {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
            assert!(held.len() < 10, "a backlog of nothing takes one or two");
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
