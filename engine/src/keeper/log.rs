//! The log of a session: its standard output and error, at most 8 MiB and one older part.
//!
//! The session writes to the file itself, appending, and not through a pipe: a pipe would tie the
//! session's life to its keeper's (a write after the keeper's death is SIGPIPE). The price: the
//! size is looked at now and then, so a log can be larger for that long, and lines written during
//! the few microseconds between copy and cut are lost.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags};

use super::record::{self, LOG};

/// Size at which a log is cut.
pub const LARGEST: u64 = 8 << 20;
/// What was cut last.
pub const OLDER: &str = "log.1";

/// Opens the log for appending, making it if it is not there: mode 0640, group `gid`.
///
/// # Errors
/// The system refused, or something else stands there.
pub fn open(dir: BorrowedFd<'_>, gid: Option<u32>) -> io::Result<File> {
    match record::create(dir, LOG, Mode::from_raw_mode(0o640), gid) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, LOG, flags, Mode::empty())?.into())
}

/// Moves what is there to `log.1` if the log is larger than `largest`; of a larger one the end.
///
/// # Errors
/// The system refused; the log is as it was.
pub fn rotate(dir: BorrowedFd<'_>, largest: u64, gid: Option<u32>) -> io::Result<bool> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut log: File = rustix::fs::openat(dir, LOG, flags, Mode::empty())?.into();
    let size = log.metadata()?.len();
    if size <= largest {
        return Ok(false);
    }
    let beside = ".log.new";
    match rustix::fs::unlinkat(dir, beside, rustix::fs::AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let mut older = record::create(dir, beside, Mode::from_raw_mode(0o640), gid)?;
    log.seek(SeekFrom::Start(size - largest))?;
    io::copy(&mut (&log).take(largest), &mut older)?;
    rustix::fs::renameat(dir, beside, dir, OLDER)?;
    log.set_len(0)?;
    Ok(true)
}

/// The last `bytes` of the log; what is no UTF-8 is replaced.
///
/// # Errors
/// The system refused.
pub fn tail(dir: BorrowedFd<'_>, bytes: u64) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut log: File = rustix::fs::openat(dir, LOG, flags, Mode::empty())?.into();
    let size = log.metadata()?.len();
    log.seek(SeekFrom::Start(size.saturating_sub(bytes)))?;
    let mut text = Vec::new();
    log.take(bytes).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_log_is_cut_at_its_size_and_writing_goes_on() {
        let path = tempfile::tempdir().unwrap();
        let dir = record::open_dir(path.path()).unwrap();
        let mut log = open(dir.as_fd(), None).unwrap();
        log.write_all(b"0123456789").unwrap();
        assert!(!rotate(dir.as_fd(), 10, None).unwrap());
        log.write_all(b"ab").unwrap();
        assert!(rotate(dir.as_fd(), 10, None).unwrap());
        log.write_all(b"next").unwrap();
        let read = |name| std::fs::read_to_string(path.path().join(name)).unwrap();
        assert_eq!(read(OLDER), "23456789ab");
        assert_eq!(read(LOG), "next");
        assert_eq!(tail(dir.as_fd(), 2).unwrap(), "xt");
        assert_eq!(tail(dir.as_fd(), 2000).unwrap(), "next");
    }
}
