//! What has to be watched so that no change of a site's files goes unseen.
//!
//! Looks paths up one component at a time, as the kernel does, and notes every directory that the
//! look-up passes through with the name it asked for there: a directory renamed away three levels
//! up, or a symbolic link swapped outside of the configuration directory, is then an event like any
//! other. Places no watch: see [`super::Watcher`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// Links followed in one look-up before it is given up, as the kernel does.
const MAX_LINKS: u32 = 40;

/// Directories to watch, each by its real path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSet {
    dirs: BTreeMap<PathBuf, Interest>,
}

/// What matters in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interest {
    /// The names whose changes matter; none = every name.
    names: Option<BTreeSet<OsString>>,
    /// Whether it must be polled where it cannot be watched. The far ancestors of a directory need
    /// not: they often may not be read, and are hardly ever renamed.
    needed: bool,
}

impl WatchSet {
    /// Every change in the directory that `dir` leads to matters, and everything on the way there.
    /// Gives its real path; where it does not exist, the deepest directory that does.
    pub fn watch_dir(&mut self, dir: &Path) -> PathBuf {
        let (real, complete) = self.walk(dir);
        if complete {
            self.dirs.insert(real.clone(), Interest { names: None, needed: true });
        }
        real
    }

    /// Everything on the way to `path` matters. Gives its real path, as far as it exists.
    pub fn follow(&mut self, path: &Path) -> PathBuf {
        self.walk(path).0
    }

    /// Looks a path up: how far that came, and whether it came to the end.
    fn walk(&mut self, path: &Path) -> (PathBuf, bool) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut todo: VecDeque<OsString> = parts(&path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            match std::fs::symlink_metadata(&next) {
                Ok(meta) if meta.is_symlink() && links < MAX_LINKS => {
                    links += 1;
                    self.look_up(&at, &name, true);
                    let Ok(target) = std::fs::read_link(&next) else { return (at, false) };
                    if target.has_root() {
                        at = PathBuf::from("/");
                    }
                    for part in parts(&target).into_iter().rev() {
                        todo.push_front(part);
                    }
                }
                Ok(meta) => {
                    self.look_up(&at, &name, todo.is_empty());
                    if meta.is_symlink() {
                        return (at, false);
                    }
                    at = next;
                }
                Err(_) => {
                    // Gone, or behind a door: what appears here may be it.
                    self.look_up(&at, &name, true);
                    return (at, false);
                }
            }
        }
        (at, true)
    }

    /// Adds everything of another set.
    pub fn extend(&mut self, other: &WatchSet) {
        for (dir, interest) in &other.dirs {
            let Some(mine) = self.dirs.get_mut(dir) else {
                self.dirs.insert(dir.clone(), interest.clone());
                continue;
            };
            mine.needed |= interest.needed;
            match (&mut mine.names, &interest.names) {
                (Some(names), Some(more)) => names.extend(more.iter().cloned()),
                (names, _) => *names = None,
            }
        }
    }

    /// The directories, each with whether it must be polled where it cannot be watched.
    pub fn dirs(&self) -> impl Iterator<Item = (&Path, bool)> {
        self.dirs.iter().map(|(dir, interest)| (dir.as_path(), interest.needed))
    }

    /// Whether an event at `path` can concern the site.
    #[must_use]
    pub fn concerns(&self, path: &Path) -> bool {
        if self.dirs.contains_key(path) {
            return true;
        }
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return true };
        match self.dirs.get(dir) {
            Some(Interest { names: Some(names), .. }) => names.contains(name),
            // A directory of which nothing is known is one whose watch was placed a moment ago.
            Some(Interest { names: None, .. }) | None => true,
        }
    }

    /// Whether a look-up passes through `path`, or would: what is mounted there is seen, and hides the rest.
    pub(super) fn passes_through(&self, path: &Path) -> bool {
        let by_name = || {
            let names = &self.dirs.get(path.parent()?)?.names;
            Some(
                names
                    .as_ref()
                    .is_none_or(|names| path.file_name().is_some_and(|name| names.contains(name))),
            )
        };
        self.dirs.contains_key(path) || by_name().unwrap_or(false)
    }

    fn look_up(&mut self, dir: &Path, name: &OsStr, needed: bool) {
        let fresh = || Interest { names: Some(BTreeSet::new()), needed: false };
        let interest = self.dirs.entry(dir.to_owned()).or_insert_with(fresh);
        interest.needed |= needed;
        if let Some(names) = &mut interest.names {
            names.insert(name.to_owned());
        }
    }
}

/// The names of a path in order; the root and `.` are none.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory without links on the way to it.
    fn real_dir() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        (dir, real)
    }

    #[test]
    fn every_link_on_the_way_is_watched_where_it_stands() {
        let (_keep, root) = real_dir();
        std::fs::create_dir_all(root.join("data/v1")).unwrap();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("data/v1/file"), "x").unwrap();
        symlink("v1", root.join("data/current")).unwrap();
        symlink("../data/current/file", root.join("etc/file")).unwrap();
        let mut set = WatchSet::default();
        assert_eq!(set.follow(&root.join("etc/file")), root.join("data/v1/file"));
        assert!(set.concerns(&root.join("etc/file")));
        assert!(set.concerns(&root.join("data/current")));
        assert!(set.concerns(&root.join("data/v1/file")));
        assert!(!set.concerns(&root.join("etc/other")));
        assert!(!set.concerns(&root.join("data/v2")));
    }

    #[test]
    fn ancestors_are_watched_by_name_but_need_not_be_polled() {
        let (_keep, root) = real_dir();
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        let mut set = WatchSet::default();
        set.watch_dir(&root.join("a/b/c"));
        let needed: BTreeMap<&Path, bool> = set.dirs().collect();
        assert!(needed[root.join("a/b/c").as_path()]);
        assert!(needed[root.join("a/b").as_path()], "its parent");
        assert!(!needed[root.join("a").as_path()]);
        assert!(set.concerns(&root.join("a")) && !set.concerns(&root.join("z")));
    }

    #[test]
    fn of_a_missing_directory_the_deepest_existing_one_is_watched() {
        let (_keep, root) = real_dir();
        let mut set = WatchSet::default();
        assert_eq!(set.watch_dir(&root.join("a/b/c")), root);
        assert!(set.concerns(&root.join("a")) && !set.concerns(&root.join("z")));
    }

    #[test]
    fn a_loop_of_links_ends() {
        let (_keep, root) = real_dir();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        let mut set = WatchSet::default();
        set.follow(&root.join("a"));
        assert!(set.concerns(&root.join("b")));
    }

    #[test]
    fn climbing_by_dots_is_looked_up_as_the_kernel_does() {
        let (_keep, root) = real_dir();
        std::fs::create_dir_all(root.join("x/y")).unwrap();
        std::fs::create_dir_all(root.join("z")).unwrap();
        symlink("x/y", root.join("link")).unwrap();
        let mut set = WatchSet::default();
        assert_eq!(set.follow(&root.join("link/../../z")), root.join("z"));
    }

    #[test]
    fn a_mount_matters_on_the_way_to_what_is_watched_and_over_a_file_in_it() {
        let (_keep, root) = real_dir();
        std::fs::create_dir_all(root.join("a/conf")).unwrap();
        let mut set = WatchSet::default();
        set.watch_dir(&root.join("a/conf"));
        for (path, matters) in [
            ("a", true),
            ("a/conf", true),
            ("a/conf/f", true),
            ("b", false),
            ("a/b", false),
            ("a/conf/f/g", false),
        ] {
            assert_eq!(set.passes_through(&root.join(path)), matters, "{path}");
        }
        assert!(set.passes_through(Path::new("/")));
    }

    #[test]
    fn of_two_sets_the_wider_interest_counts() {
        let (_keep, root) = real_dir();
        std::fs::create_dir(root.join("d")).unwrap();
        let (mut one, mut two) = (WatchSet::default(), WatchSet::default());
        one.follow(&root.join("d/a"));
        two.watch_dir(&root.join("d"));
        one.extend(&two);
        assert!(one.concerns(&root.join("d/anything")));
    }
}
