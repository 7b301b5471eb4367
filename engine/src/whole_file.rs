//! Small files of this account's alone that are replaced whole or not at all, also where the power fails meanwhile.
//!
//! Knows nothing of what is in them. Used by [`mod@crate::served`], by the record of starts and by [`mod@crate::store`].

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Puts a text in the place of the file at `path`, readable by this account only.
///
/// # Errors
/// The system refused; what was there is there still, unless only the directory could not be synced.
pub fn put(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // Half of one, of somebody who was killed; with whatever mode.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = private().create_new(true).open(&fresh)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| std::fs::rename(&fresh, path)) {
        // On a full disk the half of it must not take the room that others need.
        let _ = std::fs::remove_file(&fresh);
        return Err(error);
    }
    sync_parent(path)
}

/// Options for files that only this account may read, and that are never found through a symlink.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("open flags fit an int");
    options.write(true).mode(0o600).custom_flags(nofollow);
    options
}

/// Makes it durable that there is a file of this name, or none.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(parent.unwrap_or(Path::new(".")))
}

/// Makes renames in a directory durable.
pub(crate) fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_replaces_the_whole_and_is_for_this_account_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("start.json");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        put(&path, b"a longer text").unwrap();
        assert_eq!(
            (std::fs::read(&path).unwrap().as_slice(), mode()),
            (&b"a longer text"[..], 0o600)
        );
        // What a version before left for all to read, and the half of one that was killed.
        let everybody = std::fs::Permissions::from_mode(0o644);
        let beside = dir.path().join("start.json.new");
        for old in [&path, &beside] {
            std::fs::write(old, "old, and longer than what comes").unwrap();
            std::fs::set_permissions(old, everybody.clone()).unwrap();
        }
        put(&path, b"new").unwrap();
        assert_eq!((std::fs::read(&path).unwrap().as_slice(), mode()), (&b"new"[..], 0o600));
        assert!(!beside.exists());
        // What cannot be replaced stays, and nothing is left beside it.
        let occupied = dir.path().join("dir");
        std::fs::create_dir_all(occupied.join("x")).unwrap();
        assert!(put(&occupied, b"new").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
