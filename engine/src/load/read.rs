//! Reads one file: whole, regular, not too big, UTF-8, and not in the middle of being written.
//!
//! Never blocks on a FIFO, never opens a device (opening alone can act on one), and follows
//! symbolic links, because that is how people deploy. Knows nothing of what the file is for.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use engine_core::site::{FileProblemKind, MAX_FILE_BYTES};
use rustix::fs::{Mode, OFlags};

/// Opens a file for reading. The engine's own is [`open_to_read`]; one that asks the warden opens
/// what only root may read.
pub type Open<'a> = dyn Fn(&Path) -> io::Result<OwnedFd> + 'a;

/// How often a file that changes under the reader is begun anew.
const TRIES: u32 = 3;

/// Opens with this account's rights; neither waits for a FIFO's other end nor takes a terminal.
///
/// # Errors
/// The system's.
pub fn open_to_read(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// What was found in a file's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A text.
    Text(String),
    /// Nothing: its directory is there, and it is not in it.
    Absent,
    /// Something that cannot be read.
    Problem(FileProblemKind),
}

/// One attempt.
enum Attempt {
    Done(Found),
    /// It changed meanwhile.
    Torn,
}

/// Reads the file at `path`.
pub(super) fn read_file(path: &Path, open: &Open<'_>) -> Found {
    let mut vanished = false;
    for _ in 0..TRIES {
        let seen = match look(path) {
            Look::Regular => true,
            Look::Hidden => false,
            Look::Found(found) => return found,
        };
        match attempt(path, open) {
            Ok(Attempt::Done(found)) => return found,
            Ok(Attempt::Torn) => vanished = false,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !seen => return Found::Absent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => vanished = true,
            Err(error) => return Found::Problem(problem_of(&error)),
        }
    }
    Found::Problem(if vanished {
        FileProblemKind::Vanished
    } else {
        FileProblemKind::Unreadable("it changes while it is read".to_owned())
    })
}

/// What stands in the file's place, as far as this account can see without opening it.
enum Look {
    /// A regular file.
    Regular,
    /// Nobody here may look; whoever opens may be allowed more.
    Hidden,
    /// That is the answer already.
    Found(Found),
}

fn look(path: &Path) -> Look {
    let problem = |error| Look::Found(Found::Problem(problem_of(&error)));
    match std::fs::metadata(path) {
        Ok(meta) => match not_regular(meta.file_type()) {
            Some(kind) => Look::Found(Found::Problem(kind)),
            None => Look::Regular,
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Look::Hidden,
        Err(error) if error.kind() != io::ErrorKind::NotFound => problem(error),
        Err(_) => match std::fs::symlink_metadata(path) {
            Ok(_) => Look::Found(Found::Problem(FileProblemKind::Dangling)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Look::Found(Found::Absent),
            Err(error) => problem(error),
        },
    }
}

fn attempt(path: &Path, open: &Open<'_>) -> io::Result<Attempt> {
    let mut file = File::from(open(path)?);
    let before = file.metadata()?;
    if let Some(kind) = not_regular(before.file_type()) {
        return Ok(Attempt::Done(Found::Problem(kind)));
    }
    if before.len() > MAX_FILE_BYTES {
        let kind = FileProblemKind::TooBig { bytes: before.len() };
        return Ok(Attempt::Done(Found::Problem(kind)));
    }
    let mut bytes = Vec::new();
    (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    if read > MAX_FILE_BYTES {
        let kind = FileProblemKind::TooBig { bytes: read };
        return Ok(Attempt::Done(Found::Problem(kind)));
    }
    let after = file.metadata()?;
    // Some file systems say 0 for files that have a content.
    let whole = read == after.len() || after.len() == 0;
    if !whole || stamp(&before) != stamp(&after) {
        return Ok(Attempt::Torn);
    }
    Ok(Attempt::Done(text(bytes)))
}

/// What differs when a file was written meanwhile.
fn stamp(meta: &Metadata) -> (u64, i64, i64, i64, i64) {
    (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec())
}

fn text(bytes: Vec<u8>) -> Found {
    match String::from_utf8(bytes) {
        Ok(text) => Found::Text(text),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let valid = String::from_utf8_lossy(valid);
            let line = valid.matches('\n').count() + 1;
            let column = valid.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
            let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let kind = FileProblemKind::NotUtf8 { line: clamp(line), column: clamp(column) };
            Found::Problem(kind)
        }
    }
}

fn not_regular(kind: FileType) -> Option<FileProblemKind> {
    let what = if kind.is_file() {
        return None;
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "device"
    } else {
        "special file"
    };
    Some(FileProblemKind::NotRegular(what))
}

fn problem_of(error: &io::Error) -> FileProblemKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => FileProblemKind::Denied,
        io::ErrorKind::NotFound => FileProblemKind::Vanished,
        _ => FileProblemKind::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn read(path: &Path) -> Found {
        read_file(path, &open_to_read)
    }

    fn make_fifo(path: &Path) {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }

    #[test]
    fn a_text_is_read_and_a_missing_file_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "ä\n").unwrap();
        assert_eq!(read(&dir.path().join("a")), Found::Text("ä\n".to_owned()));
        assert_eq!(read(&dir.path().join("b")), Found::Absent);
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        make_fifo(&at("fifo"));
        std::fs::create_dir(at("dir")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        for (name, what) in
            [("fifo", "FIFO"), ("dir", "directory"), ("socket", "socket"), ("device", "device")]
        {
            assert_eq!(read(&at(name)), Found::Problem(FileProblemKind::NotRegular(what)));
        }
    }

    #[test]
    fn a_fifo_put_in_place_between_look_and_open_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let (file, fifo) = (dir.path().join("file"), dir.path().join("fifo"));
        std::fs::write(&file, "x").unwrap();
        make_fifo(&fifo);
        let swapped = |_: &Path| open_to_read(&fifo);
        assert_eq!(read_file(&file, &swapped), Found::Problem(FileProblemKind::NotRegular("FIFO")));
    }

    #[test]
    fn links_are_followed_and_what_leads_nowhere_is_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("gone", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        assert_eq!(read(&at("link")), Found::Text("x".to_owned()));
        assert_eq!(read(&at("dangling")), Found::Problem(FileProblemKind::Dangling));
        assert!(matches!(read(&at("loop")), Found::Problem(FileProblemKind::Unreadable(_))));
        assert!(matches!(read(&at("file/x")), Found::Problem(FileProblemKind::Unreadable(_))));
    }

    #[test]
    fn eight_mebibytes_are_read_and_one_byte_more_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_FILE_BYTES).unwrap();
        assert!(matches!(read(&path), Found::Text(text) if text.len() as u64 == MAX_FILE_BYTES));
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        let bytes = MAX_FILE_BYTES + 1;
        assert_eq!(read(&path), Found::Problem(FileProblemKind::TooBig { bytes }));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_pointed_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("latin1");
        std::fs::write(&path, b"one\n\xc3\xa4b\xfc\n").unwrap();
        let kind = FileProblemKind::NotUtf8 { line: 2, column: 3 };
        assert_eq!(read(&path), Found::Problem(kind));
    }

    #[test]
    fn a_refused_permission_is_said_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let refuse = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(read_file(&path, &refuse), Found::Problem(FileProblemKind::Denied));
    }

    #[test]
    fn a_stale_handle_is_unreadable_and_not_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x").unwrap();
        for errno in [rustix::io::Errno::STALE, rustix::io::Errno::IO] {
            let fail = |_: &Path| Err(io::Error::from(errno));
            let found = read_file(&path, &fail);
            assert!(matches!(found, Found::Problem(FileProblemKind::Unreadable(_))), "{found:?}");
        }
    }

    #[test]
    fn a_file_that_goes_between_look_and_open_is_looked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let gone_once = Cell::new(false);
        let open = |path: &Path| {
            if gone_once.replace(true) {
                return open_to_read(path);
            }
            Err(io::Error::from(io::ErrorKind::NotFound))
        };
        assert_eq!(read_file(&path, &open), Found::Text("x".to_owned()));
        let never = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(read_file(&path, &never), Found::Problem(FileProblemKind::Vanished));
    }
}
