//! The store's directory: whose it is, on what it lies, who has it open, and the small files beside the data.
//!
//! Knows nothing of records. Around `DIR` (`/var/lib/wharf/store`) lie:
//!
//! ```text
//! DIR/lock             held by flock while open; the holder's process id in it
//! DIR/format           what DIR/data is; written once it is complete
//! DIR/data/            sled's
//! DIR/data/mark        the newest acknowledged version, so that a shortened log is noticed
//! DIR.jsonl, .jsonl.1  snapshots, beside it so that they outlive it
//! DIR.damaged-<ms>     a damaged DIR/data, moved aside
//! DIR.replaced-<ms>    the one before an import
//! ```

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use engine_core::ids::{Digest, Moment};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::whole_file::{self, private, sync_directory};

/// The format of the store's directory that this program writes.
pub(super) const STORE_FORMAT: u32 = 1;

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open (or this one, already).
    #[error("the store at {} is open in another process{}", .path.display(), pid_note(*.pid))]
    Locked {
        /// Where.
        path: PathBuf,
        /// Its process id, where its lock file tells.
        pid: Option<u32>,
    },
    /// It was written by a newer program.
    #[error("the store at {} has format {found}; this program knows {known}", .path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// What was found.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// It lies on a file system whose locks and syncs depend on another machine or program.
    #[error(
        "the store at {} lies on {kind}: locks and syncs are not to be relied upon there; \
         set [store] path to a local directory, or [store] url to a PostgreSQL database",
        .path.display()
    )]
    Network {
        /// Where.
        path: PathBuf,
        /// What the file system is called.
        kind: &'static str,
    },
    /// It is no directory that a store may be kept in.
    #[error("the store cannot be kept at {}: {reason}", .path.display())]
    Unfit {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system said no.
    #[error("cannot {what}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn pid_note(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

/// Says what was tried when the system says no.
pub(super) fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let what = format!("{what} {}", path.display());
    move |source| OpenError::Failed { what, source: source.into() }
}

/// The paths of one store.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    dir: PathBuf,
}

impl Directory {
    /// Makes or checks the directory: 0700, this account's own, no symlink, on a local file system.
    pub(super) fn prepare(dir: &Path) -> Result<Self, OpenError> {
        let unfit =
            |reason: &str| OpenError::Unfit { path: dir.to_path_buf(), reason: reason.to_owned() };
        if dir.file_name().is_none() {
            return Err(unfit("its path has no last name"));
        }
        match DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make the store's directory", dir)(error)),
        }
        let found = std::fs::symlink_metadata(dir).map_err(failed("look at", dir))?;
        if found.is_symlink() {
            return Err(unfit("it is a symbolic link"));
        }
        if !found.is_dir() {
            return Err(unfit("it is no directory"));
        }
        let own = rustix::process::geteuid().as_raw();
        if found.uid() != own {
            return Err(unfit(&format!("it belongs to uid {}, not to {own}", found.uid())));
        }
        if found.mode() & 0o077 != 0 {
            std::fs::set_permissions(dir, Permissions::from_mode(0o700))
                .map_err(failed("close to others", dir))?;
        }
        let kind = rustix::fs::statfs(dir)
            .map_err(|errno| failed("ask for the file system of", dir)(errno.into()))?
            .f_type;
        // Sign and width of f_type differ between architectures; the numbers have 32 bits.
        let magic = u32::try_from(i128::from(kind) & 0xffff_ffff).unwrap_or_default();
        match network_file_system(magic) {
            Some(kind) => Err(OpenError::Network { path: dir.to_path_buf(), kind }),
            None => Ok(Self { dir: dir.to_path_buf() }),
        }
    }

    /// One that is only looked at: nothing is made, and nothing checked.
    pub(super) fn existing(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Keeps everybody from opening it for as long as the file lives, and writes nothing; none = it was never opened.
    pub(super) fn hold(&self) -> Result<Option<File>, OpenError> {
        let path = self.dir.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(file)),
            Err(errno) if errno == rustix::io::Errno::WOULDBLOCK => Err(self.locked(&file)),
            Err(errno) => Err(failed("lock", &path)(errno.into())),
        }
    }

    /// Somebody else has it: who, where the lock file tells.
    fn locked(&self, mut file: &File) -> OpenError {
        let mut text = String::new();
        // A lock file that cannot be read only costs the holder's name.
        let _ = Read::by_ref(&mut file).take(32).read_to_string(&mut text);
        OpenError::Locked { path: self.dir.clone(), pid: text.trim().parse().ok() }
    }

    /// Itself.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// Where sled's files are.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The newest snapshot.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.beside(".jsonl")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        self.dir.with_file_name(name)
    }

    /// Takes the lock for as long as the file lives, and writes this process's id into it.
    ///
    /// flock rather than fcntl: it belongs to the open file, so that a second opening in the same
    /// process is refused too, and closing some other descriptor of the file does not give it up.
    pub(super) fn lock(&self) -> Result<File, OpenError> {
        let path = self.dir.join("lock");
        let mut file =
            private().read(true).create(true).open(&path).map_err(failed("open", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(errno) if errno == rustix::io::Errno::WOULDBLOCK => {
                return Err(self.locked(&file));
            }
            Err(errno) => return Err(failed("lock", &path)(errno.into())),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .or_else(|error| match error.kind() {
                // A full disk must not keep a store from being read.
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Ok(())
                }
                _ => Err(error),
            })
            .map_err(failed("write", &path))?;
        Ok(file)
    }

    /// Whether `DIR/format` says that a store was completed here.
    pub(super) fn read_format(&self) -> Result<bool, OpenError> {
        let path = self.dir.join("format");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        // A damaged one still says that there was a store; what it is, the data tell.
        let Ok(format) = serde_json::from_slice::<FormatFile>(&text) else { return Ok(true) };
        if format.format > STORE_FORMAT {
            let path = self.dir.clone();
            return Err(OpenError::Newer { path, found: format.format, known: STORE_FORMAT });
        }
        Ok(true)
    }

    /// Says that a store was completed here.
    pub(super) fn write_format(&self) -> Result<(), OpenError> {
        let path = self.dir.join("format");
        let text = serde_json::to_vec(&FormatFile { format: STORE_FORMAT })
            .expect("a struct of one number is always JSON");
        whole_file::put(&path, &text).map_err(failed("write", &path))
    }

    /// Moves the data aside, as `DIR.<what>-<ms>`; nothing is ever deleted.
    pub(super) fn move_aside(&self, what: &str, now: Moment) -> Result<PathBuf, OpenError> {
        let data = self.data();
        let named = |n: u32| match n {
            0 => self.beside(&format!(".{what}-{}", now.0)),
            n => self.beside(&format!(".{what}-{}-{n}", now.0)),
        };
        let aside = (0..1000)
            .map(named)
            .find(|path| std::fs::symlink_metadata(path).is_err())
            .unwrap_or_else(|| named(1000));
        std::fs::rename(&data, &aside).map_err(failed("move aside", &data))?;
        let parent = self.dir.parent().unwrap_or(&self.dir);
        for changed in [self.dir.as_path(), parent] {
            sync_directory(changed).map_err(failed("sync", changed))?;
        }
        Ok(aside)
    }

    /// Whether there are data.
    pub(super) fn has_data(&self) -> bool {
        std::fs::read_dir(self.data()).is_ok_and(|mut files| files.next().is_some())
    }
}

#[derive(Serialize, Deserialize)]
struct FormatFile {
    format: u32,
}

/// The newest acknowledged version, kept outside of sled.
///
/// sled recovers the longest undamaged beginning of its log and does not say what it left out. This
/// number does. It is written after the flush and not synced: after a power cut it may be older than
/// the store, which proves nothing; it is never newer.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

const MARK_BYTES: usize = 8 + 8;

impl Mark {
    /// Opens or makes it.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let file = private().read(true).create(true).open(data.join("mark"))?;
        Ok(Self { file })
    }

    /// The version it names; none = it is new, or cannot be read, and proves nothing.
    pub(super) fn read(&self) -> Option<u64> {
        let mut bytes = [0; MARK_BYTES];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        let (version, check) = bytes.split_at(8);
        let version = u64::from_be_bytes(version.try_into().ok()?);
        (check == mark_check(version)).then_some(version)
    }

    /// Names another version.
    pub(super) fn write(&self, version: u64) -> io::Result<()> {
        let mut bytes = [0; MARK_BYTES];
        bytes[..8].copy_from_slice(&version.to_be_bytes());
        bytes[8..].copy_from_slice(&mark_check(version));
        self.file.write_all_at(&bytes, 0)
    }
}

fn mark_check(version: u64) -> [u8; 8] {
    let digest = Digest::of(&version.to_be_bytes()).to_string();
    let mut check = [0; 8];
    check.copy_from_slice(&digest.as_bytes()[..8]);
    check
}

/// What a file system is called whose locks and syncs another machine or program answers for.
///
/// Numbers from linux/magic.h and, for file systems outside the kernel, from the table in coreutils'
/// stat.c. FUSE is among them although a local disk can stand behind it: what fsync and flock do is
/// up to its daemon, and statfs cannot tell sshfs from ntfs-3g. tmpfs and overlayfs are local.
fn network_file_system(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB/CIFS",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9p",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        0xaad7_aaea => "PanFS",
        0x6163_6673 => "ACFS",
        0x0131_11a8 => "IBRIX",
        0xbeef_dead => "StorNext",
        0xbacb_acbc => "a VMware shared folder",
        0x786f_4256 => "a VirtualBox shared folder",
        0x7c7c_6673 => "a Parallels shared folder",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_for_its_owner_only_and_an_open_one_is_closed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        Directory::prepare(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        Directory::prepare(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
    }

    #[test]
    fn a_symlink_and_a_file_are_no_place_for_a_store() {
        let scratch = tempfile::tempdir().unwrap();
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        for unfit in [link, file] {
            assert!(matches!(Directory::prepare(&unfit), Err(OpenError::Unfit { .. })));
        }
    }

    #[test]
    fn a_second_opener_is_told_who_holds_the_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Directory::prepare(&scratch.path().join("store")).unwrap();
        let held = dir.lock().unwrap();
        let refused = dir.lock().unwrap_err();
        assert!(
            matches!(refused, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id())
        );
        drop(held);
        assert!(dir.lock().is_ok());
    }

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0x6573_5546), Some("FUSE"));
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(network_file_system(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_and_a_damaged_one_still_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Directory::prepare(&scratch.path().join("store")).unwrap();
        assert!(!dir.read_format().unwrap());
        dir.write_format().unwrap();
        assert!(dir.read_format().unwrap());
        std::fs::write(dir.path().join("format"), "{").unwrap();
        assert!(dir.read_format().unwrap());
        std::fs::write(dir.path().join("format"), r#"{"format":2,"more":1}"#).unwrap();
        assert!(matches!(dir.read_format(), Err(OpenError::Newer { found: 2, known: 1, .. })));
    }

    #[test]
    fn a_mark_that_is_cut_or_changed_proves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let mark = Mark::open(scratch.path()).unwrap();
        assert_eq!(mark.read(), None);
        mark.write(812).unwrap();
        assert_eq!(mark.read(), Some(812));
        let path = scratch.path().join("mark");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[7] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(mark.read(), None);
    }

    #[test]
    fn moving_aside_never_overwrites() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Directory::prepare(&scratch.path().join("store")).unwrap();
        for n in 0..3 {
            std::fs::create_dir(dir.data()).unwrap();
            std::fs::write(dir.data().join("db"), n.to_string()).unwrap();
            assert!(dir.has_data());
            let aside = dir.move_aside("damaged", Moment(5)).unwrap();
            assert_eq!(std::fs::read_to_string(aside.join("db")).unwrap(), n.to_string());
            assert!(!dir.has_data());
        }
    }
}
