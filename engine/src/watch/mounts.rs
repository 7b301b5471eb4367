//! Says that a file system was mounted or unmounted on the way to a watched directory: no watch of a directory
//! has an event for that.
//!
//! The kernel wakes whoever polls an open `/proc/self/mountinfo` when the mounts of the namespace have changed
//! (proc_pid_mountinfo(5)). Where there is no such file nobody is woken: the slow reading of `intake` finds it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use super::set::WatchSet;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// What is mounted where: the ids of the mounts on a path, the lowest first, each with device and root.
type Mounts = BTreeMap<PathBuf, Vec<String>>;

/// Wakes as long as it lives.
pub(super) struct MountWatch {
    /// Closed with this value, which ends the thread.
    _alive: OwnedFd,
}

impl MountWatch {
    /// Calls `wake` on a thread of its own when a mount has come or gone where `interest` looks.
    ///
    /// # Errors
    /// There is no such file, or no thread to be had.
    pub(super) fn start(
        interest: Arc<Mutex<WatchSet>>,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let info = File::open(MOUNTINFO)?;
        let (end, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut mounts = read()?;
        let concerns = move |path: &Path| {
            interest.lock().unwrap_or_else(PoisonError::into_inner).passes_through(path)
        };
        std::thread::Builder::new().name("mounts".to_owned()).spawn(move || {
            while changed(&info, &end) {
                match read() {
                    Ok(now) => {
                        if differing(&mounts, &now).any(&concerns) {
                            wake();
                        }
                        mounts = now;
                    }
                    // What was mounted is not known: it may concern.
                    Err(_) => wake(),
                }
            }
        })?;
        Ok(Self { _alive: alive })
    }
}

/// Waits until the mounts have changed; false when nobody wants to know any more.
fn changed(info: &File, end: &OwnedFd) -> bool {
    loop {
        let mut fds = [PollFd::new(info, PollFlags::PRI), PollFd::new(end, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return false,
            Ok(_) if fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR) => return true,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn read() -> io::Result<Mounts> {
    Ok(parse(&std::fs::read(MOUNTINFO)?))
}

/// Fields of a line (proc_pid_mountinfo(5)): id, parent, device, root, mount point; what follows may change
/// without another mount.
fn parse(text: &[u8]) -> Mounts {
    let mut mounts = Mounts::new();
    for line in text.split(|&b| b == b'\n') {
        let mut fields = line.split(|&b| b == b' ');
        let mut next = || fields.next();
        let (Some(id), Some(_), Some(device), Some(root), Some(point)) =
            (next(), next(), next(), next(), next())
        else {
            continue;
        };
        let what = [id, device, root].map(String::from_utf8_lossy).join(" ");
        mounts.entry(unescape(point)).or_default().push(what);
    }
    mounts
}

/// Blanks, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(|_| byte == b'\\') {
            Some(octal) => {
                bytes.push(octal);
                rest = &tail[3..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// The paths on which something else is mounted now.
fn differing<'a>(before: &'a Mounts, now: &'a Mounts) -> impl Iterator<Item = &'a Path> {
    let gone = before.keys().filter(|point| !now.contains_key(*point));
    let new = now.iter().filter(|(point, mounts)| before.get(*point) != Some(mounts));
    gone.chain(new.map(|(point, _)| point)).map(PathBuf::as_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        30 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=1k\n\
        31 22 8:1 /srv/a /etc/with\\040blank rw - ext4 /dev/sda1 rw\n\
        torn";

    fn paths(now: &[u8]) -> Vec<PathBuf> {
        let (before, now) = (parse(BEFORE), parse(now));
        differing(&before, &now).map(Path::to_owned).collect()
    }

    #[test]
    fn what_is_mounted_anew_or_unmounted_or_over_another_differs_and_options_do_not() {
        assert_eq!(paths(BEFORE), Vec::<PathBuf>::new());
        let text = String::from_utf8_lossy(BEFORE);
        let now = |from: &str, to: &str| paths(text.replace(from, to).as_bytes());
        assert_eq!(now("rw,nosuid", "ro"), Vec::<PathBuf>::new());
        assert_eq!(now("31 22 8:1 /srv/a", "31 22 8:1 /srv/b"), [Path::new("/etc/with blank")]);
        assert_eq!(now("30 22 0:25", "33 22 0:25"), [Path::new("/run")]);
        assert_eq!(now("torn", "40 30 0:26 / /run rw - tmpfs t rw"), [Path::new("/run")]);
        assert_eq!(paths(b"22 1 8:1 / / rw\n").len(), 2);
    }
}
