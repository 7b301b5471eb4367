//! Where the files of a site are looked for: the product's search path, and our own directory.
//!
//! Decided once, at the start of a command: a directory that loses its `wharf.toml` for a moment
//! stays self-contained. Opens no file but that one, for where it says that the others are.

use std::path::{Path, PathBuf};

use engine_core::site::WHARF_TOML;
use grammar::own::read_wharf;
use grammar::source::Source;

use super::{open_to_read, read_one};

/// The directories of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteDirs {
    /// Where Workbench's files are.
    pub workbench: Workbench,
    /// Where ours are.
    pub own: Own,
    /// What goes before absolute paths: those of the packages, and those that values name. Files below it
    /// are shown with it, so that they can be opened. A directory that was given is taken as it is.
    pub root: PathBuf,
}

/// Gives the `wharf.toml` of a directory; none = it says nothing of where the others are.
pub type Policied<'a> = dyn Fn(&Path) -> Option<Source> + 'a;

/// Where Workbench's files are (files.md, "Finding files").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workbench {
    /// In this directory and nowhere else: it was given, or `RSTUDIO_CONFIG_DIR` or `[site] config-dir` names it.
    Explicit(PathBuf),
    /// Each file in the first of these directories that has it; `/etc/rstudio` is always among them.
    Search(Vec<SearchDir>),
}

/// A directory of the search path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDir {
    /// Where.
    pub path: PathBuf,
    /// Whether it was there: one that was and is gone is unreadable, not passed over. Otherwise a
    /// mount that goes away would bring files of a later directory into force.
    pub required: bool,
}

/// Where our own files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// In the Workbench directory: it was given, and it held a `wharf.toml`.
    SelfContained,
    /// In this directory. That it is missing is an error, because it was given or has been there.
    Required(PathBuf),
    /// In this directory, if there is one: the packaged default, of which nothing was seen yet.
    /// Never use it for a site that has a set in force in which it existed: a directory that is
    /// renamed away for ten seconds would read as "no policy, nothing managed". [`SiteDirs::pin`]
    /// sees to that while a command runs; over a restart the stored set has to say it.
    Optional(PathBuf),
}

impl SiteDirs {
    /// Finds out where to look. `given` is the directory of `serve`, `plan` or `check`; `own` says
    /// where ours are unless the given one turns out to be self-contained (product.md §4, rule 4), and
    /// where they are their `[site] config-dir` counts unless a directory is given or in `env`, which looks environment variables up, `HOSTNAME` included ([`process_env`]).
    pub fn find(given: Option<&Path>, own: Own, env: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::find_below(Path::new(""), given, own, env)
    }

    /// The same, of a machine whose files lie below `root`; variables that name directories are that
    /// machine's, too. A given directory is taken as it is.
    pub fn find_below(
        root: &Path,
        given: Option<&Path>,
        own: Own,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let read = |dir: &Path| read_one(&dir.join(WHARF_TOML), &open_to_read).ok();
        Self::find_by(root, given, own, env, &read)
    }

    /// The same, with the `wharf.toml` of a directory as `policy` has it.
    pub fn find_by(
        root: &Path,
        given: Option<&Path>,
        own: Own,
        env: &dyn Fn(&str) -> Option<String>,
        policy: &Policied<'_>,
    ) -> Self {
        let holds_ours = |dir: &Path| dir.join(WHARF_TOML).symlink_metadata().is_ok();
        let (workbench, own) = match given {
            None => {
                let own = own.below(root);
                let workbench = search(env).below(root);
                let named = match (&workbench, &own) {
                    (Workbench::Search(_), Own::Required(dir) | Own::Optional(dir)) => {
                        policy(dir).and_then(|source| config_dir(root, dir, &source))
                    }
                    _ => None,
                };
                (named.map_or(workbench, Workbench::Explicit), own)
            }
            Some(dir) if holds_ours(dir) => {
                (Workbench::Explicit(dir.to_owned()), Own::SelfContained)
            }
            Some(dir) => (Workbench::Explicit(dir.to_owned()), own.below(root)),
        };
        let mut dirs = Self { workbench, own, root: root.to_owned() };
        dirs.pin();
        dirs
    }

    /// From now on every directory that is there now has to be there. Call it again when a set was
    /// accepted; find the directories anew when a person says that they moved.
    pub fn pin(&mut self) {
        if let Workbench::Search(dirs) = &mut self.workbench {
            for dir in dirs {
                dir.required |= dir.path.is_dir();
            }
        }
        if let Own::Optional(dir) = &mut self.own
            && dir.is_dir()
        {
            self.own = Own::Required(std::mem::take(dir));
        }
    }

    /// The directory of Workbench's files that is shown as the site's: the one given, or the first
    /// of those searched that was there.
    #[must_use]
    pub fn workbench_dir(&self) -> &Path {
        match &self.workbench {
            Workbench::Explicit(dir) => dir,
            Workbench::Search(dirs) => dirs
                .iter()
                .find(|dir| dir.required)
                .or(dirs.last())
                .map_or(Path::new(DEFAULT_DIR), |dir| &dir.path),
        }
    }

    /// The directories of Workbench's files in the order of precedence, each with whether it must
    /// be there.
    pub fn workbench_dirs(&self) -> impl Iterator<Item = (&Path, bool)> {
        let (given, searched) = match &self.workbench {
            Workbench::Explicit(dir) => (Some((dir.as_path(), true)), &[][..]),
            Workbench::Search(dirs) => (None, &dirs[..]),
        };
        let searched = searched.iter().map(|dir| (dir.path.as_path(), dir.required));
        given.into_iter().chain(searched)
    }

    /// The directory of our own files.
    #[must_use]
    pub fn own_dir(&self) -> &Path {
        match &self.own {
            Own::SelfContained => self.workbench_dir(),
            Own::Required(dir) | Own::Optional(dir) => dir,
        }
    }
}

impl Workbench {
    fn below(self, root: &Path) -> Self {
        match self {
            Workbench::Explicit(dir) => Workbench::Explicit(below(root, &dir)),
            Workbench::Search(dirs) => Workbench::Search(
                dirs.into_iter()
                    .map(|dir| SearchDir { path: below(root, &dir.path), ..dir })
                    .collect(),
            ),
        }
    }
}

impl Own {
    fn below(self, root: &Path) -> Self {
        match self {
            Own::SelfContained => Own::SelfContained,
            Own::Required(dir) => Own::Required(below(root, &dir)),
            Own::Optional(dir) => Own::Optional(below(root, &dir)),
        }
    }
}

/// A path of a machine whose files lie below `root`; relative ones stay.
fn below(root: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(rest) if !root.as_os_str().is_empty() => root.join(rest),
        _ => path.to_owned(),
    }
}

/// What our own policy file says of where Workbench's are; a file that cannot be read, or has errors, says
/// nothing here, and all that is wrong with it once the site is read. A relative one begins at that file.
fn config_dir(root: &Path, own: &Path, source: &Source) -> Option<PathBuf> {
    let dir = read_wharf(source).own?.value.site?.config_dir?;
    Some(own.join(below(root, Path::new(&dir))))
}

/// Where the product's files are unless something else is said.
const DEFAULT_DIR: &str = "/etc/rstudio";

/// This process's environment; `HOSTNAME`, which shells do not export, is the machine's name.
#[must_use]
pub fn process_env(name: &str) -> Option<String> {
    let set = std::env::var(name).ok().filter(|value| !value.is_empty());
    if set.is_none() && name == "HOSTNAME" {
        return rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    }
    set
}

/// The product's search path.
fn search(env: &dyn Fn(&str) -> Option<String>) -> Workbench {
    if let Some(dir) = env("RSTUDIO_CONFIG_DIR").filter(|dir| !dir.is_empty()) {
        return Workbench::Explicit(PathBuf::from(expand(&dir, env)));
    }
    let entries = env("XDG_CONFIG_DIRS").unwrap_or_default();
    let entries = entries.split(':').filter(|entry| !entry.is_empty());
    let mut dirs: Vec<PathBuf> =
        entries.map(|entry| Path::new(&expand(entry, env)).join("rstudio")).collect();
    if !dirs.iter().any(|dir| dir == Path::new(DEFAULT_DIR)) {
        dirs.push(PathBuf::from(DEFAULT_DIR));
    }
    Workbench::Search(dirs.into_iter().map(|path| SearchDir { path, required: false }).collect())
}

/// Fills in `~`, `$HOME`, `$USER` and `$HOSTNAME`, with or without braces; what is not set stays.
fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut rest = text;
    let mut out = String::new();
    if let Some(tail) = text.strip_prefix('~')
        && (tail.is_empty() || tail.starts_with('/'))
        && let Some(home) = env("HOME")
    {
        out.push_str(&home);
        rest = tail;
    }
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (name, after) = variable(tail);
        let known = ["HOME", "USER", "HOSTNAME"].contains(&name);
        match env(name).filter(|_| known) {
            Some(value) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('$');
                rest = tail;
            }
        }
    }
    out + rest
}

/// The name of a variable at the head of `text`, and what follows it; `text` begins after the `$`.
fn variable(text: &str) -> (&str, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
        return (name, after);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn searched(pairs: &[(&str, &str)]) -> Workbench {
        search(&env(pairs))
    }

    fn search_of(dirs: &[&str]) -> Workbench {
        Workbench::Search(
            dirs.iter()
                .map(|dir| SearchDir { path: PathBuf::from(dir), required: false })
                .collect(),
        )
    }

    #[test]
    fn without_variables_it_is_the_packaged_place() {
        assert_eq!(searched(&[]), search_of(&["/etc/rstudio"]));
    }

    #[test]
    fn the_directory_variable_excludes_every_other_place() {
        let both = [("RSTUDIO_CONFIG_DIR", "/opt/conf"), ("XDG_CONFIG_DIRS", "/mnt/a")];
        assert_eq!(searched(&both), Workbench::Explicit(PathBuf::from("/opt/conf")));
    }

    #[test]
    fn the_search_list_keeps_its_order_and_ends_in_etc() {
        assert_eq!(
            searched(&[("XDG_CONFIG_DIRS", "/mnt/dynamic::/mnt/configmap")]),
            search_of(&["/mnt/dynamic/rstudio", "/mnt/configmap/rstudio", "/etc/rstudio"])
        );
        assert_eq!(
            searched(&[("XDG_CONFIG_DIRS", "/etc:/a")]),
            search_of(&["/etc/rstudio", "/a/rstudio"])
        );
    }

    #[test]
    fn names_in_directories_are_expanded_and_unknown_ones_stay() {
        let pairs = [("HOME", "/home/a"), ("USER", "a"), ("HOSTNAME", "node3"), ("OTHER", "x")];
        for (text, expanded) in [
            ("~/conf", "/home/a/conf"),
            ("~", "/home/a"),
            ("~b/conf", "~b/conf"),
            ("/srv/$HOSTNAME/c", "/srv/node3/c"),
            ("/srv/${USER}x", "/srv/ax"),
            ("$HOME", "/home/a"),
            ("/$OTHER/$", "/$OTHER/$"),
            ("/${HOME", "/${HOME"),
        ] {
            assert_eq!(expand(text, &env(&pairs)), expanded, "{text}");
        }
    }

    #[test]
    fn what_was_there_has_to_stay_there() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("wharf");
        let xdg = dir.path().to_string_lossy().into_owned();
        let pairs = [("XDG_CONFIG_DIRS", xdg.as_str())];
        let env = env(&pairs);
        let mut dirs = SiteDirs::find(None, Own::Optional(own.clone()), &env);
        assert_eq!(dirs.own, Own::Optional(own.clone()));
        assert_eq!(dirs.workbench_dirs().next(), Some((&*dir.path().join("rstudio"), false)));
        std::fs::create_dir(&own).unwrap();
        std::fs::create_dir(dir.path().join("rstudio")).unwrap();
        dirs.pin();
        std::fs::remove_dir(&own).unwrap();
        dirs.pin();
        assert_eq!(dirs.own, Own::Required(own));
        assert_eq!(dirs.workbench_dirs().next(), Some((&*dir.path().join("rstudio"), true)));
        assert_eq!(dirs.workbench_dir(), dir.path().join("rstudio"));
    }

    #[test]
    fn below_a_root_every_path_begins_there_but_a_directory_that_was_given() {
        let own = || Own::Optional(PathBuf::from("/etc/wharf"));
        let find = |given: Option<&Path>, pairs: &[(&str, &str)]| {
            SiteDirs::find_below(Path::new("/image"), given, own(), &env(pairs))
        };
        let dirs = find(None, &[]);
        assert_eq!(dirs.workbench, search_of(&["/image/etc/rstudio"]));
        assert_eq!(dirs.own, Own::Optional(PathBuf::from("/image/etc/wharf")));
        let dirs = find(None, &[("RSTUDIO_CONFIG_DIR", "/opt/conf")]);
        assert_eq!(dirs.workbench_dir(), Path::new("/image/opt/conf"));
        let dirs = find(Some(Path::new("/stage")), &[]);
        assert_eq!(dirs.workbench_dir(), Path::new("/stage"));
        assert_eq!(dirs.own_dir(), Path::new("/image/etc/wharf"));
    }

    #[test]
    fn our_policy_file_says_where_the_others_are_unless_somebody_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let own = Own::Required(dir.path().to_owned());
        let find = |given, pairs| SiteDirs::find(given, own.clone(), &env(pairs)).workbench;
        let explicit = |dir: &str| Workbench::Explicit(PathBuf::from(dir));
        assert_eq!(find(None, &[]), searched(&[]));
        std::fs::write(dir.path().join(WHARF_TOML), "[site]\nconfig-dir = \"/srv/wb\"\n").unwrap();
        assert_eq!(find(None, &[]), explicit("/srv/wb"));
        assert_eq!(find(None, &[("RSTUDIO_CONFIG_DIR", "/e")]), explicit("/e"));
        assert_eq!(find(Some(Path::new("/given")), &[]), explicit("/given"));
        let below = |dir_named: &str| {
            let text = format!("[site]\nconfig-dir = \"{dir_named}\"\n");
            std::fs::create_dir_all(dir.path().join("etc/wharf")).unwrap();
            std::fs::write(dir.path().join("etc/wharf").join(WHARF_TOML), text).unwrap();
            let own = Own::Optional(PathBuf::from("/etc/wharf"));
            SiteDirs::find_below(dir.path(), None, own, &env(&[])).workbench
        };
        // Of a machine whose files lie below a root, both kinds do.
        assert_eq!(below("/srv/wb"), Workbench::Explicit(dir.path().join("srv/wb")));
        assert_eq!(below("../wb"), Workbench::Explicit(dir.path().join("etc/wharf/../wb")));
        std::fs::write(dir.path().join(WHARF_TOML), "[site]\nconfig-dir = 1\n").unwrap();
        assert_eq!(find(None, &[]), searched(&[]));
    }

    #[test]
    fn only_a_given_directory_with_our_policy_file_is_self_contained() {
        let dir = tempfile::tempdir().unwrap();
        let own = Own::Required(PathBuf::from("/etc/wharf"));
        let find = |given| SiteDirs::find(given, own.clone(), &env(&[]));
        assert_eq!(find(Some(dir.path())).own, own);
        std::fs::write(dir.path().join(WHARF_TOML), "").unwrap();
        assert_eq!(find(Some(dir.path())).own, Own::SelfContained);
        assert_eq!(find(Some(dir.path())).own_dir(), dir.path());
        assert_eq!(find(None).own, own);
    }
}
