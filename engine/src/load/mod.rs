//! Reads a site from disk, and says what has to be watched for the next reading to be in time.
//!
//! Decides nothing: what is missing, unreadable or odd is in the values (`engine_core::site`). A
//! staged copy of a directory (`plan DIR`) is a site whose Workbench directory is that copy; one
//! staged file is put over a site by [`mod@overlay`]. Read next: `read` for one file, `watch::set` for
//! what is watched, `intake` for when all this happens.

mod certificate;
mod dirs;
mod drop_in;
mod facts;
mod overlay;
mod policy;
mod read;
mod remembered;

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use engine_core::heard::{Heard, Names, Standing};
use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::site::{
    DropIn, FileProblem, FileProblemKind, Managed, SiteFiles, Stray, StrayKind, WHARF_TOML,
};
use grammar::kind::WITHOUT_MEANING;
use grammar::source::{FileKind, Source};

pub use self::dirs::{Own, Policied, SearchDir, SiteDirs, Workbench, process_env};
pub use self::overlay::{OverlayError, overlay};
pub use self::policy::{dirs_and_policy, load_policy};
use self::read::{Found, read_file};
pub use self::read::{Open, open_to_read};
use self::remembered::Stamp;
pub use self::remembered::{Reader, Remembered};
use crate::watch::WatchSet;

/// What one reading found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The files. Those that this account may not read are [`SiteFiles::denied`].
    pub files: SiteFiles,
    /// What has to be watched.
    pub watch: WatchSet,
    /// Everything was looked at, and not that alone of which something was heard.
    pub complete: bool,
}

/// How often a reading is begun anew because a directory was replaced under it.
const TRIES: u32 = 3;

/// Reads the whole site. `extra` are directories of files named by values; they are only watched.
///
/// A directory that is replaced while it is read is read anew, so that a reading never mixes two.
/// Arm the watches of the previous set before, and those of this one after ([`crate::watch`]).
#[must_use]
pub fn load(dirs: &SiteDirs, extra: &[PathBuf], open: &Open<'_>, now: Moment) -> Loaded {
    load_again(dirs, extra, open, now, &mut Remembered::default(), None)
}

/// Reads the whole site, but for files that are still what they were when they were `remembered`. Where `heard` has
/// all that was heard since the last reading, and that will do, no others are looked at in our drop-in directories.
#[must_use]
pub fn load_again(
    dirs: &SiteDirs,
    extra: &[PathBuf],
    open: &Open<'_>,
    now: Moment,
    remembered: &mut Remembered,
    heard: Option<(&Heard, Standing)>,
) -> Loaded {
    let mut narrow = remembered.begin(now, heard);
    let mut tries = 1;
    let mut loaded = loop {
        let (loaded, steady) = Pass::run(dirs, open, now, remembered, narrow.take());
        remembered.was_steady = steady;
        if steady {
            break loaded;
        }
        if tries == TRIES {
            // A site whose directories do not hold still says nothing.
            break nobody_knows(dirs, "it is replaced while it is read", loaded.watch, now);
        }
        tries += 1;
    };
    for dir in extra {
        loaded.watch.watch_dir(dir);
    }
    facts::collect(&mut loaded.files, now);
    loaded
}

/// Reads one file by itself.
///
/// # Errors
/// It is missing, or cannot be read.
pub fn read_one(path: &Path, open: &Open<'_>) -> Result<Source, FileProblem> {
    let file = shown(path);
    match read_file(path, open) {
        Found::Text(text) => Ok(Source::new(file, text)),
        Found::Absent => {
            let kind = FileProblemKind::Unreadable("there is no such file".to_owned());
            Err(FileProblem { file, kind })
        }
        Found::Problem(kind) => Err(FileProblem { file, kind }),
    }
}

/// What a directory turned out to be.
enum Dir {
    There,
    Missing,
    Unreadable(FileProblemKind),
}

/// One pass over all directories.
struct Pass<'a> {
    open: &'a Open<'a>,
    remembered: &'a mut Remembered,
    now: Moment,
    files: SiteFiles,
    watch: WatchSet,
    /// Directories as they were when their reading began.
    entered: Vec<Entered>,
    /// What is looked at in our drop-in directories, by their real paths; none = everything.
    narrow: Option<Names>,
}

/// A directory that is read.
struct Entered {
    dir: PathBuf,
    /// Where it really is.
    real: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

impl<'a> Pass<'a> {
    /// Nothing is read yet.
    fn new(
        dirs: &SiteDirs,
        open: &'a Open<'a>,
        now: Moment,
        (remembered, narrow): (&'a mut Remembered, Option<Names>),
    ) -> Self {
        let (files, watch) = (nothing(dirs), WatchSet::default());
        Self { open, remembered, now, files, watch, entered: Vec::new(), narrow }
    }

    /// Whether every directory is still the one that it was when its reading began.
    fn is_steady(&self) -> bool {
        self.entered.iter().all(|it| identity(&it.dir) == it.identity)
    }

    /// Reads everything once; also says whether every directory was the same one throughout.
    fn run(
        dirs: &SiteDirs,
        open: &'a Open<'a>,
        now: Moment,
        remembered: &'a mut Remembered,
        narrow: Option<Names>,
    ) -> (Loaded, bool) {
        let complete = narrow.is_none();
        let mut pass = Self::new(dirs, open, now, (remembered, narrow));
        pass.read_workbench(dirs);
        pass.read_cluster_files();
        pass.read_own(dirs);
        let steady = pass.is_steady();
        let named: BTreeSet<String> = {
            let named = pass.files.cluster_files.keys();
            named.map(|file| pass.files.locate(&file.path)).collect()
        };
        pass.files.stray.retain(|stray| !named.contains(&*stray.file));
        pass.files.stray.sort();
        pass.files.stray.dedup();
        pass.files.unreadable.sort();
        pass.files.unreadable.dedup();
        (Loaded { files: pass.files, watch: pass.watch, complete }, steady)
    }

    fn read_workbench(&mut self, dirs: &SiteDirs) {
        let places: Vec<(&Path, Dir)> = dirs
            .workbench_dirs()
            .map(|(dir, required)| match self.enter(dir) {
                Dir::Missing if required => {
                    (dir, Dir::Unreadable(FileProblemKind::DirectoryMissing))
                }
                state => (dir, state),
            })
            .collect();
        if places.iter().all(|(_, state)| matches!(state, Dir::Missing)) {
            self.set_unreadable(dirs.workbench_dir(), &FileProblemKind::DirectoryMissing);
            return;
        }
        for kind in FileKind::ALL {
            let found = self.find(&places, kind);
            self.files.workbench.insert(kind, found);
        }
        if dirs.own == Own::SelfContained {
            return;
        }
        for (dir, state) in &places {
            let same = identity(dir).is_some() && identity(dir) == identity(dirs.own_dir());
            if matches!(state, Dir::There) && !same {
                self.find_strays(dir);
            }
        }
    }

    /// Files of clusters that those read so far name, in as many rounds as new names turn up.
    fn read_cluster_files(&mut self) {
        loop {
            let new = overlay::new_cluster_files(&self.files);
            if new.is_empty() {
                return;
            }
            for file in new {
                let place = PathBuf::from(self.files.locate(&file.path));
                self.watch.follow(&place);
                let found = self.read(&place);
                self.files.cluster_files.insert(file, found);
            }
        }
    }

    /// The file in the first directory that has it. Where that cannot be told, no later one counts.
    fn find(&mut self, places: &[(&Path, Dir)], kind: FileKind) -> Known<Source> {
        for (dir, state) in places {
            match state {
                Dir::Missing => {}
                Dir::Unreadable(problem) => return self.problem(dir, problem),
                Dir::There => match self.read(&dir.join(kind.file_name())) {
                    Known::Absent => {}
                    known => return known,
                },
            }
        }
        Known::Absent
    }

    fn set_unreadable(&mut self, dir: &Path, kind: &FileProblemKind) {
        let known = self.problem(dir, kind);
        self.files.workbench.values_mut().for_each(|file| *file = known.clone());
    }

    /// Ours in a Workbench directory, and files that are no kind we read.
    fn find_strays(&mut self, dir: &Path) {
        let Ok(names) = list(dir) else { return };
        for name in names {
            let ours = name == WHARF_TOML || DropIn::ALL.iter().any(|d| d.dir_name() == name);
            let kind = if ours {
                StrayKind::OwnInWorkbench
            } else if is_read_or_looked_at(&name) || is_temporary(&name) {
                continue;
            } else if is_without_meaning(&name) {
                StrayKind::WithoutMeaning
            } else {
                StrayKind::Unread
            };
            self.files.stray.push(Stray { file: shown(&dir.join(name)), kind });
        }
    }

    fn read_own(&mut self, dirs: &SiteDirs) {
        if self.read_policy(dirs) {
            self.read_drop_ins(dirs.own_dir());
        }
    }

    /// Reads `wharf.toml`; whether its directory is there.
    fn read_policy(&mut self, dirs: &SiteDirs) -> bool {
        let dir = dirs.own_dir();
        let kind = match (self.enter(dir), &dirs.own) {
            (Dir::There, own) => {
                let path = dir.join(WHARF_TOML);
                self.files.wharf = match self.read(&path) {
                    Known::Absent if *own == Own::SelfContained => {
                        self.problem(&path, &FileProblemKind::Gone)
                    }
                    known => known,
                };
                return true;
            }
            (Dir::Missing, Own::Optional(_)) => return false,
            (Dir::Missing, _) => FileProblemKind::DirectoryMissing,
            (Dir::Unreadable(kind), _) => kind,
        };
        self.files.wharf = self.problem(dir, &kind);
        for drop_in in DropIn::ALL {
            *self.files.managed_mut(drop_in) =
                Managed::Unknown { since: self.now, reason: kind.reason() };
        }
        false
    }

    fn read_drop_ins(&mut self, dir: &Path) {
        for drop_in in DropIn::ALL {
            let managed = self.read_drop_in(&dir.join(drop_in.dir_name()));
            *self.files.managed_mut(drop_in) = managed;
        }
    }

    /// Notes a directory to watch and what it is.
    fn enter(&mut self, dir: &Path) -> Dir {
        let real = self.watch.watch_dir(dir);
        self.entered.push(Entered { dir: dir.to_owned(), real, identity: identity(dir) });
        match std::fs::metadata(dir) {
            Ok(meta) if meta.is_dir() => {
                if is_mounted(dir) {
                    self.files.mounts.insert(shown(dir));
                } else if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) {
                    self.files.empty.insert(shown(dir));
                }
                Dir::There
            }
            Ok(_) => {
                Dir::Unreadable(FileProblemKind::DirectoryUnreadable("not a directory".to_owned()))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Dir::Unreadable(directory_problem(&error))
            }
            Err(_) if dir.symlink_metadata().is_ok() => Dir::Unreadable(
                FileProblemKind::DirectoryUnreadable("a link that leads nowhere".to_owned()),
            ),
            Err(_) => Dir::Missing,
        }
    }

    fn read(&mut self, path: &Path) -> Known<Source> {
        let looked = self.look_up(path);
        if let Some(source) = looked.0.as_ref().and_then(|meta| self.remembered.get(path, meta)) {
            return Known::Present(source);
        }
        let (found, stamp) = self.open(path, &looked);
        if let Known::Present(source) = &found {
            self.remembered.put(path, stamp, source);
        }
        found
    }

    /// What is at a path, and when that was looked up. Where it is a link what it leads to is watched.
    fn look_up(&mut self, path: &Path) -> (Option<Metadata>, SystemTime) {
        let (meta, at) = (path.symlink_metadata().ok(), SystemTime::now());
        if meta.as_ref().is_some_and(Metadata::is_symlink) {
            self.watch.follow(path);
        }
        (meta, at)
    }

    /// Opens a file that was looked up, and says by what it is known from now on.
    fn open(
        &mut self,
        path: &Path,
        (meta, at): &(Option<Metadata>, SystemTime),
    ) -> (Known<Source>, Option<Stamp>) {
        match read_file(path, self.open) {
            Found::Text(text) => {
                let firm = meta.as_ref().and_then(|meta| self.remembered.firm(path, meta, *at));
                (Known::Present(Source::new(shown(path), text)), firm)
            }
            Found::Absent => (Known::Absent, None),
            Found::Problem(kind) => (self.problem(path, &kind), None),
        }
    }

    fn problem(&mut self, path: &Path, kind: &FileProblemKind) -> Known<Source> {
        self.files.unreadable.push(FileProblem { file: shown(path), kind: kind.clone() });
        unknown(kind, self.now)
    }
}

/// A site of which nobody can say anything, and why.
pub(crate) fn nobody_knows(dirs: &SiteDirs, why: &str, watch: WatchSet, now: Moment) -> Loaded {
    let kind = FileProblemKind::DirectoryUnreadable(why.to_owned());
    let mut files = nothing(dirs);
    let file = Arc::clone(&files.workbench_dir);
    let unknown = unknown(&kind, now);
    files.workbench.values_mut().for_each(|known| *known = unknown.clone());
    files.wharf = unknown;
    for drop_in in DropIn::ALL {
        *files.managed_mut(drop_in) = Managed::Unknown { since: now, reason: kind.reason() };
    }
    files.unreadable.push(FileProblem { file, kind });
    Loaded { files, watch, complete: true }
}

/// A site in which nothing was looked at yet.
fn nothing(dirs: &SiteDirs) -> SiteFiles {
    let main = dirs.workbench_dir();
    let others = dirs.workbench_dirs().map(|(dir, _)| dir).filter(|dir| *dir != main);
    let mut files = SiteFiles::nothing(shown(main), shown(dirs.own_dir()));
    files.searched = others.map(shown).collect();
    files.root = Arc::from(shown(&dirs.root).trim_end_matches('/'));
    files
}

fn unknown(kind: &FileProblemKind, now: Moment) -> Known<Source> {
    Known::Unknown { since: now, reason: kind.reason() }
}

fn directory_problem(error: &io::Error) -> FileProblemKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => FileProblemKind::Denied,
        _ => FileProblemKind::DirectoryUnreadable(error.to_string()),
    }
}

/// A path as a person gave it, joined with the name.
fn shown(path: &Path) -> Arc<str> {
    Arc::from(path.to_string_lossy())
}

/// Which directory this is now.
fn identity(dir: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(dir).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Whether a file system is mounted on a directory; false also where the kernel cannot tell (before 5.8).
fn is_mounted(dir: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, dir, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The names in a directory, in order. Listed anew when an entry came or went meanwhile: a file
/// that is renamed during a listing may otherwise be missing from it though it never was.
fn list(dir: &Path) -> io::Result<Vec<String>> {
    let stamp = || {
        let meta = std::fs::metadata(dir)?;
        io::Result::Ok((meta.ino(), meta.mtime(), meta.mtime_nsec()))
    };
    let mut tries = 1;
    loop {
        let before = stamp()?;
        let names = std::fs::read_dir(dir)?
            .map(|entry| entry.map(|entry| entry.file_name().into_string().ok()))
            .collect::<io::Result<Vec<_>>>()?;
        if stamp()? == before || tries == TRIES {
            // A name that is not UTF-8 is none that anybody reads.
            let mut names: Vec<String> = names.into_iter().flatten().collect();
            names.sort();
            return Ok(names);
        }
        tries += 1;
    }
}

/// The identity that a file in one of our directories stands for: its name without `.toml`, where
/// the name is `[a-z0-9][a-z0-9._-]*.toml`. Temporary files of editors and tools have other names.
#[must_use]
pub fn own_stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".toml")?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (first, rest) = stem.as_bytes().split_first()?;
    let valid = plain(*first) && rest.iter().all(|&b| plain(b) || b"._-".contains(&b));
    valid.then_some(stem)
}

/// Whether a file of that name is read, or looked at for what it is (keys).
fn is_read_or_looked_at(name: &str) -> bool {
    const KEYS: [&str; 3] = ["secure-cookie-key", "launcher.pem", "launcher.pub"];
    FileKind::of_file_name(name).is_some() || KEYS.contains(&name)
}

/// Whether the product knows such a name, and nothing here does.
fn is_without_meaning(name: &str) -> bool {
    WITHOUT_MEANING.iter().any(|(known, _)| known.trim_end_matches('/') == name)
}

/// Whether editors, package managers and deployment tools give such names to what is not meant.
fn is_temporary(name: &str) -> bool {
    name.starts_with(['.', '#'])
        || name.ends_with('~')
        || [".rpmsave", ".rpmnew", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".swp", ".tmp"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod named_tests;
#[cfg(test)]
mod tests;
