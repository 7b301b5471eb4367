//! Making directories that nobody can have prepared: final owner and mode before anything is in them.
//!
//! Every step is relative to a held descriptor and follows no symlink. Knows no session.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Uid};

/// Of `s`, `s/<id>` and `s/<id>/<n>`: others pass through to reach their own `u`, and list nothing.
pub const SESSIONS_MODE: Mode = Mode::from_raw_mode(0o751);

/// Who a directory shall belong to; none = stays whose it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// Its user.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
}

impl Owner {
    /// This user and group, where we can give things away; else ourselves.
    #[must_use]
    pub fn of(uid: u32, gid: u32) -> Self {
        if nix::unistd::geteuid().is_root() {
            Self { uid: Some(uid), gid: Some(gid) }
        } else {
            Self::default()
        }
    }
}

/// Makes a directory of an instance if it is missing, and says where it really is.
///
/// # Errors
/// It cannot be made, or belongs to another account, which could then put its own things there.
pub fn make_instance_dir(path: &Path, mode: u32) -> io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    // Parents that others could use get a plain mode; the last one its own.
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let real = path.canonicalize()?;
    let (owner, own) = (real.metadata()?.uid(), nix::unistd::geteuid().as_raw());
    if owner != own && owner != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to uid {owner}", real.display()),
        ));
    }
    Ok(real)
}

/// Makes `name` in `parent` if it is missing; our own, group `gid`.
///
/// # Errors
/// As [`ensure_owned`].
pub fn ensure(parent: &OwnedFd, name: &str, mode: Mode, gid: Option<u32>) -> io::Result<OwnedFd> {
    ensure_owned(parent, name, mode, Owner { uid: None, gid })
}

/// Makes `name` in `parent` if it is missing, and holds it.
///
/// # Errors
/// It cannot be made, is no directory, or belongs to somebody else.
pub fn ensure_owned(parent: &OwnedFd, name: &str, mode: Mode, owner: Owner) -> io::Result<OwnedFd> {
    match make(parent, name, mode, owner) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let dir = hold(parent, name)?;
    let found = rustix::fs::fstat(&dir)?.st_uid;
    let wanted = owner.uid.unwrap_or_else(|| nix::unistd::geteuid().as_raw());
    if found != wanted {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{name} belongs to uid {found}"),
        ));
    }
    Ok(dir)
}

/// Makes `name` in `parent`, which must not be there, and holds it.
///
/// # Errors
/// `AlreadyExists`, or the system refused.
pub fn make(parent: &OwnedFd, name: &str, mode: Mode, owner: Owner) -> io::Result<OwnedFd> {
    // Closed to everybody until owner and mode are right.
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
    let dir = hold(parent, name)?;
    let (uid, gid) = (owner.uid.map(Uid::from_raw), owner.gid.map(Gid::from_raw));
    if uid.is_some() || gid.is_some() {
        rustix::fs::fchown(&dir, uid, gid)?;
    }
    rustix::fs::fchmod(&dir, mode)?;
    rustix::fs::fsync(&dir)?;
    rustix::fs::fsync(parent)?;
    Ok(dir)
}

fn hold(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    crate::keeper::record::open_below(
        parent.as_fd(),
        Path::new(name),
        OFlags::DIRECTORY | OFlags::RDONLY,
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::keeper::record::open_dir;

    #[test]
    fn a_directory_has_its_mode_whatever_the_umask_is() {
        let path = tempfile::tempdir().unwrap();
        let parent = open_dir(path.path()).unwrap();
        make(&parent, "d", Mode::from_raw_mode(0o2710), Owner::default()).unwrap();
        let mode = path.path().join("d").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2710);
        let again = make(&parent, "d", SESSIONS_MODE, Owner::default()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        ensure(&parent, "d", SESSIONS_MODE, None).unwrap();
    }

    #[test]
    fn a_planted_symlink_or_file_is_no_directory() {
        let path = tempfile::tempdir().unwrap();
        let parent = open_dir(path.path()).unwrap();
        std::os::unix::fs::symlink("/tmp", path.path().join("link")).unwrap();
        std::fs::write(path.path().join("file"), "").unwrap();
        assert!(ensure(&parent, "link", SESSIONS_MODE, None).is_err());
        assert!(ensure(&parent, "file", SESSIONS_MODE, None).is_err());
    }
}
