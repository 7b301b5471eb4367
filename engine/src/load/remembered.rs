//! What was read before and is not read again: a file that is still the one it was, by identity, size and
//! times. Ten thousand files cost a look each instead of opening them.
//!
//! Trusted only where a local file system keeps the times: on others what a look shows may be old. And only
//! where the last change lies well before the reading: times are coarser than writes, and a file that was
//! written twice within one tick looks the same. Knows no meaning of any file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use engine_core::heard::{Heard, LastLook, Names, Standing};
use engine_core::ids::Moment;
use grammar::source::Source;
use grammar::value::Millis;
use rustix::fs::{AtFlags, FileType};

use super::drop_in::Kept;
use super::{Loaded, SiteDirs, load_again, open_to_read};

/// A change that is not older than this when a file is read may be followed by one with the same times.
const TICK_NS: i128 = 1_000_000_000;

/// Everything is read again this often all the same: a mapped file can change without any new time. Where all
/// directories are watched, this is also how often everything is looked at (see `intake`).
const FORGET_AFTER: Millis = Millis(300_000);

/// File systems that keep times themselves (magic numbers of statfs(2)).
const LOCAL: [u64; 7] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
];

/// What tells a file from every other one and from itself at another time: device, inode, size, times of
/// content and of inode in nanoseconds.
pub(super) type Stamp = (u64, u64, u64, i128, i128);

/// Files as read, by directory and name.
#[derive(Debug)]
pub struct Remembered {
    dirs: BTreeMap<PathBuf, BTreeMap<OsString, (Stamp, Source)>>,
    /// Our drop-in directories.
    pub(super) drop_ins: BTreeMap<PathBuf, Kept>,
    /// Whether the file system of a directory keeps times itself.
    local: BTreeMap<PathBuf, bool>,
    since: Option<Moment>,
    /// Whether the last reading found each directory to be the same one throughout.
    pub(super) was_steady: bool,
    /// See [`TICK_NS`].
    tick_ns: i128,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            dirs: BTreeMap::new(),
            drop_ins: BTreeMap::new(),
            local: BTreeMap::new(),
            since: None,
            was_steady: false,
            tick_ns: TICK_NS,
        }
    }
}

impl Remembered {
    /// A new reading begins. What it may be narrowed to, of what was `heard` since the last one.
    pub(super) fn begin(
        &mut self,
        now: Moment,
        heard: Option<(&Heard, Standing)>,
    ) -> Option<Names> {
        self.local.clear();
        let since = *self.since.get_or_insert(now);
        // A clock that was set back must not put this off.
        if now < since || now.since(since) >= FORGET_AFTER {
            self.forget();
            self.since = Some(now);
            return None;
        }
        let (heard, standing) = heard?;
        let drop_ins = self.drop_ins.values().filter_map(|dir| dir.real.to_str()).collect();
        heard.names(standing, &LastLook { drop_ins, was_steady: self.was_steady })
    }

    /// Every file is opened by the next look. What it then says as before stays the one that it was.
    pub(super) fn forget(&mut self) {
        self.dirs.clear();
        self.drop_ins.values_mut().for_each(Kept::forget);
        (self.since, self.was_steady) = (None, false);
    }

    /// The text of a file that is still the one that was read. `meta` is what is at the path now, without
    /// following a link.
    pub(super) fn get(&mut self, path: &Path, meta: &Metadata) -> Option<Source> {
        let (stamp, source) = self.dirs.get(path.parent()?)?.get(path.file_name()?)?;
        (meta.is_file() && *stamp == stamp_of(meta)).then(|| source.clone())
    }

    /// Remembers a file; one without a stamp is read again.
    pub(super) fn put(&mut self, path: &Path, stamp: Option<Stamp>, source: &Source) {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return };
        if let Some(stamp) = stamp {
            let files = self.dirs.entry(dir.to_owned()).or_default();
            files.insert(name.to_owned(), (stamp, source.clone()));
        } else if let Some(files) = self.dirs.get_mut(dir) {
            files.remove(name);
        }
    }

    /// What a file is known by from now on; none where it may change and look the same. `meta` was looked up before
    /// it was read, `read_at` is the time of that look.
    pub(super) fn firm(
        &mut self,
        path: &Path,
        meta: &Metadata,
        read_at: SystemTime,
    ) -> Option<Stamp> {
        let stamp = stamp_of(meta);
        let read_at = read_at.duration_since(UNIX_EPOCH).map_or(0, |at| at.as_nanos());
        let read_at = i128::try_from(read_at).unwrap_or(0);
        let changed_at = stamp.3.max(stamp.4);
        let firm = meta.is_file() && changed_at + self.tick_ns < read_at && self.is_local(path);
        firm.then_some(stamp)
    }

    fn is_local(&mut self, path: &Path) -> bool {
        let dir = path.parent().unwrap_or(path);
        if let Some(local) = self.local.get(dir) {
            return *local;
        }
        let magic = rustix::fs::statfs(dir).map(|stat| stat.f_type.cast_unsigned() & 0xffff_ffff);
        let local = magic.is_ok_and(|magic| LOCAL.contains(&magic));
        self.local.insert(dir.to_owned(), local);
        local
    }
}

/// What a file in an open directory is known by now; none for what is no regular file.
pub(super) fn stamp_at(dir: &OwnedFd, name: &str) -> Option<Stamp> {
    let found = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let ns = |s: i64, ns: u64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    let size = u64::try_from(found.st_size).ok()?;
    let (written, changed) =
        (ns(found.st_mtime, found.st_mtime_nsec), ns(found.st_ctime, found.st_ctime_nsec));
    let is_file = FileType::from_raw_mode(found.st_mode).is_file();
    is_file.then_some((found.st_dev, found.st_ino, size, written, changed))
}

fn stamp_of(meta: &Metadata) -> Stamp {
    let ns = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    let written = ns(meta.mtime(), meta.mtime_nsec());
    (meta.dev(), meta.ino(), meta.len(), written, ns(meta.ctime(), meta.ctime_nsec()))
}

/// The directories of a site, with what was read of them.
pub struct Reader {
    dirs: SiteDirs,
    remembered: Remembered,
}

impl Reader {
    /// Nothing was read yet. What is there now has to be there from now on.
    #[must_use]
    pub fn new(mut dirs: SiteDirs) -> Self {
        dirs.pin();
        Self { dirs, remembered: Remembered::default() }
    }

    /// Trusts times at once: for tests in which no two texts of a file are equally long.
    #[cfg(test)]
    pub(super) fn trust_times(&mut self) {
        self.remembered.tick_ns = -TICK_NS;
    }

    /// One reading, with this account's rights.
    pub fn read(&mut self, now: Moment) -> Loaded {
        load_again(&self.dirs, &[], &open_to_read, now, &mut self.remembered, None)
    }

    /// The same, narrowed to what was heard since the last one, where that will do.
    pub fn read_heard(&mut self, now: Moment, heard: &Heard, standing: Standing) -> Loaded {
        let heard = Some((heard, standing));
        load_again(&self.dirs, &[], &open_to_read, now, &mut self.remembered, heard)
    }

    /// The next reading opens every file.
    pub fn forget(&mut self) {
        self.remembered.forget();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn source(text: &str) -> Source {
        Source::new("f", text)
    }

    fn look(path: &Path) -> Metadata {
        path.symlink_metadata().unwrap()
    }

    fn put(remembered: &mut Remembered, path: &Path, read_at: SystemTime, text: &str) {
        let stamp = remembered.firm(path, &look(path), read_at);
        remembered.put(path, stamp, &source(text));
    }

    #[test]
    fn a_file_is_remembered_until_it_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        let mut remembered = Remembered::default();
        remembered.begin(Moment(0), None);
        put(&mut remembered, &path, later, "1");
        let found = remembered.get(&path, &look(&path));
        assert_eq!(found.map(|source| source.text.to_string()).as_deref(), Some("1"));
        // Another file of the same size in its place, and a link to the same.
        std::fs::write(dir.path().join("b"), "2").unwrap();
        std::fs::rename(dir.path().join("b"), &path).unwrap();
        assert!(remembered.get(&path, &look(&path)).is_none());
        std::fs::rename(&path, dir.path().join("c")).unwrap();
        std::os::unix::fs::symlink("c", &path).unwrap();
        assert!(remembered.get(&path, &look(&path)).is_none());
    }

    #[test]
    fn what_was_written_a_moment_ago_is_read_again_and_everything_now_and_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let mut remembered = Remembered::default();
        remembered.begin(Moment(0), None);
        put(&mut remembered, &path, SystemTime::now(), "1");
        assert!(remembered.get(&path, &look(&path)).is_none());
        let later = SystemTime::now() + Duration::from_secs(5);
        put(&mut remembered, &path, later, "1");
        remembered.begin(Moment(299_999), None);
        assert!(remembered.get(&path, &look(&path)).is_some());
        remembered.begin(Moment(300_000), None);
        assert!(remembered.get(&path, &look(&path)).is_none());
    }
}
