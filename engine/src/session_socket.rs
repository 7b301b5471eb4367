//! Opening the Unix socket of a session: the directory is hostile, because its account may write in it.
//!
//! Knows no route and no HTTP. The proxy and the readiness probe both come this way, so that neither
//! can reach a socket that the other would refuse (design.md §2).

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Connects to the socket `name` in `dir`, and proves that `uid` listens there before the first byte.
///
/// `dir` is opened first and `name` is looked up below that descriptor: no symlink is followed in it,
/// and `..` does not leave it. The connected stream does not block.
///
/// # Errors
/// - `WouldBlock`: the backlog is full; trying again is for the caller, who knows how to wait.
/// - `NotFound`, `ConnectionRefused`: nobody listens (yet).
/// - `PermissionDenied`: another account listens there.
/// - `InvalidInput`: `name` is no plain file name, or it is no socket.
/// - whatever else the system says, a symlink in the way (`ELOOP`) among it.
pub fn open_session_socket(dir: &Path, name: &str, uid: u32) -> io::Result<UnixStream> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no plain name of a socket"));
    }
    let dir_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, dir_flags, Mode::empty())?;
    let file = rustix::fs::openat2(
        &dir,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )?;
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    match kind {
        rustix::fs::FileType::Socket => {}
        // With O_PATH | O_NOFOLLOW some kernels hand out the link itself instead of ELOOP.
        rustix::fs::FileType::Symlink => return Err(rustix::io::Errno::LOOP.into()),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no socket")),
    }
    // The descriptor pins what was checked: whatever takes the name's place now is not reached.
    let pinned = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let stream = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    rustix::net::connect(&stream, &pinned)?;
    let listener = rustix::net::sockopt::socket_peercred(stream.as_fd())?;
    if listener.uid.as_raw() != uid {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("uid {} listens there instead of uid {uid}", listener.uid.as_raw()),
        ));
    }
    Ok(UnixStream::from(stream))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn own_uid() -> u32 {
        rustix::process::getuid().as_raw()
    }

    #[test]
    fn the_socket_of_the_right_account_opens() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("app.sock")).unwrap();
        assert!(open_session_socket(dir.path(), "app.sock", own_uid()).is_ok());
    }

    #[test]
    fn the_socket_of_another_account_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("app.sock")).unwrap();
        let refused = open_session_socket(dir.path(), "app.sock", own_uid() + 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_symlink_is_not_followed_whether_it_is_the_socket_or_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(elsewhere.path().join("app.sock")).unwrap();
        symlink(elsewhere.path().join("app.sock"), dir.path().join("app.sock")).unwrap();
        symlink(elsewhere.path(), dir.path().join("u")).unwrap();
        assert!(open_session_socket(dir.path(), "app.sock", own_uid()).is_err());
        assert!(open_session_socket(&dir.path().join("u"), "app.sock", own_uid()).is_err());
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("u")).unwrap();
        let _listener = UnixListener::bind(dir.path().join("app.sock")).unwrap();
        for name in ["../app.sock", "..", ".", "", "/etc/passwd", "a\0b"] {
            let refused = open_session_socket(&dir.path().join("u"), name, own_uid());
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_socket_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.sock"), "x").unwrap();
        let refused = open_session_socket(dir.path(), "app.sock", own_uid()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_full_backlog_is_told_instead_of_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let address = SocketAddrUnix::new(dir.path().join("app.sock")).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        rustix::net::listen(&socket, 1).unwrap();
        let mut waiting = Vec::new();
        let full =
            (0..64).find_map(|_| match open_session_socket(dir.path(), "app.sock", own_uid()) {
                Ok(stream) => {
                    waiting.push(stream);
                    None
                }
                Err(error) => Some(error),
            });
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
