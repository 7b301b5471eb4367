//! Real directories below a temporary one.

use std::os::unix::fs::symlink;

use super::*;

/// A root with `rstudio` and `wharf` below it.
pub(super) struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    pub(super) fn new() -> Self {
        let root = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(root.at("rstudio")).unwrap();
        std::fs::create_dir(root.at("wharf")).unwrap();
        root
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(super) fn dirs(&self) -> SiteDirs {
        SiteDirs {
            workbench: Workbench::Explicit(self.at("rstudio")),
            own: Own::Required(self.at("wharf")),
            root: PathBuf::new(),
        }
    }

    fn searching(&self, places: &[&str]) -> SiteDirs {
        let dir = |place: &&str| SearchDir { path: self.at(place), required: false };
        let workbench = Workbench::Search(places.iter().map(dir).collect());
        let mut dirs = SiteDirs { workbench, ..self.dirs() };
        dirs.pin();
        dirs
    }

    pub(super) fn load(&self) -> SiteFiles {
        load_from(&self.dirs())
    }
}

pub(super) fn load_from(dirs: &SiteDirs) -> SiteFiles {
    load(dirs, &[], &open_to_read, Moment(7)).files
}

pub(super) fn text(known: &Known<Source>) -> Option<&str> {
    known.present().map(|source| &*source.text)
}

/// What nobody reads, by short name.
pub(super) fn strays(files: &SiteFiles) -> Vec<(&str, StrayKind)> {
    files.stray.iter().map(|stray| (files.short_name(&stray.file), stray.kind)).collect()
}

fn kinds(files: &SiteFiles) -> Vec<FileProblemKind> {
    files.unreadable.iter().map(|problem| problem.kind.clone()).collect()
}

#[test]
fn files_are_read_where_they_are_and_absent_where_they_are_not() {
    let root = Root::new();
    root.write("rstudio/rserver.conf", "www-port=8787\n");
    root.write("wharf/wharf.toml", "format = 1\n");
    root.write("wharf/sessions.d/lab.toml", "x");
    let files = root.load();
    assert_eq!(text(&files.workbench[&FileKind::RserverConf]), Some("www-port=8787\n"));
    assert!(matches!(files.workbench[&FileKind::LauncherEnv], Known::Absent));
    assert_eq!(files.workbench.len(), FileKind::ALL.len());
    assert_eq!(text(&files.wharf), Some("format = 1\n"));
    let stems: Vec<&str> = files.sessions.files().map(|(stem, _)| stem).collect();
    assert_eq!(stems, ["lab"]);
    assert!(files.unreadable.is_empty() && files.stray.is_empty() && files.is_readable());
}

#[test]
fn shown_names_are_whole_and_short_ones_are_those_of_the_plan() {
    let root = Root::new();
    root.write("wharf/nodes.d/node3.toml", "x");
    let files = root.load();
    let (_, node) = files.nodes.files().next().unwrap();
    let file = &node.present().unwrap().file;
    assert_eq!(**file, *root.at("wharf/nodes.d/node3.toml").to_string_lossy());
    assert_eq!(files.short_name(file), "nodes.d/node3.toml");
}

#[test]
fn a_missing_directory_is_not_managed_and_an_empty_one_wants_none() {
    let root = Root::new();
    std::fs::create_dir(root.at("wharf/sessions.d")).unwrap();
    let files = root.load();
    assert!(matches!(&files.sessions, Managed::Managed(files) if files.is_empty()));
    assert!(matches!(files.nodes, Managed::NotManaged));
}

#[test]
fn a_drop_in_directory_that_is_something_else_is_unknown() {
    let root = Root::new();
    root.write("wharf/sessions.d", "a file");
    symlink("nowhere", root.at("wharf/nodes.d")).unwrap();
    let files = root.load();
    assert!(matches!(files.sessions, Managed::Unknown { since: Moment(7), .. }));
    assert!(matches!(files.nodes, Managed::Unknown { .. }));
    assert_eq!(files.unreadable.len(), 2);
}

#[test]
fn a_workbench_directory_that_is_gone_leaves_nothing_known() {
    let root = Root::new();
    std::fs::remove_dir(root.at("rstudio")).unwrap();
    let files = root.load();
    assert!(files.workbench.values().all(Known::is_unknown));
    assert_eq!(kinds(&files), [FileProblemKind::DirectoryMissing]);
    assert!(!files.is_readable());
}

#[test]
fn our_directory_may_be_missing_only_where_it_was_never_there() {
    let root = Root::new();
    std::fs::remove_dir(root.at("wharf")).unwrap();
    let required = root.load();
    assert!(required.wharf.is_unknown() && !required.is_readable());
    let own = Own::Optional(root.at("wharf"));
    let optional = load_from(&SiteDirs { own, ..root.dirs() });
    assert!(matches!(optional.wharf, Known::Absent) && optional.is_readable());
}

#[test]
fn a_self_contained_directory_that_loses_its_policy_file_is_not_readable() {
    let root = Root::new();
    let dirs = SiteDirs { own: Own::SelfContained, ..root.dirs() };
    let files = load_from(&dirs);
    assert_eq!(kinds(&files), [FileProblemKind::Gone]);
    assert!(!files.is_readable());
    root.write("rstudio/wharf.toml", "");
    assert!(load_from(&dirs).is_readable());
}

#[test]
fn ours_in_a_workbench_directory_are_an_error_and_others_only_noted() {
    let root = Root::new();
    for path in ["wharf.toml", "sessions.d/a.toml", "notes.conf", "rserver.conf~", ".x.swp"] {
        root.write(&format!("rstudio/{path}"), "");
    }
    let files = root.load();
    assert_eq!(
        strays(&files),
        [
            ("notes.conf", StrayKind::Unread),
            ("sessions.d", StrayKind::OwnInWorkbench),
            ("wharf.toml", StrayKind::OwnInWorkbench),
        ]
    );
    assert!(files.sessions.files().next().is_none());
}

#[test]
fn one_directory_named_twice_has_no_strays() {
    let root = Root::new();
    root.write("wharf/wharf.toml", "");
    let dirs = SiteDirs { workbench: Workbench::Explicit(root.at("wharf/.")), ..root.dirs() };
    assert_eq!(load_from(&dirs).stray, []);
}

#[test]
fn only_names_that_identify_a_thing_are_read() {
    let root = Root::new();
    for name in ["a.toml", "0.b-c_d.toml", "A.toml", "b.toml~", ".c.toml", "d.toml.swp", "-e.toml"]
    {
        root.write(&format!("wharf/sessions.d/{name}"), "");
    }
    let files = root.load();
    let stems: Vec<&str> = files.sessions.files().map(|(stem, _)| stem).collect();
    assert_eq!(stems, ["0.b-c_d", "a"]);
    let strays: Vec<&str> = files.stray.iter().map(|s| files.short_name(&s.file)).collect();
    assert_eq!(strays, ["sessions.d/-e.toml", "sessions.d/A.toml"]);
}

#[test]
fn each_file_comes_from_the_first_directory_that_has_it() {
    let root = Root::new();
    root.write("a/launcher-env", "a");
    root.write("b/launcher-env", "b");
    root.write("b/load-balancer", "b");
    let files = load_from(&root.searching(&["missing", "a", "b"]));
    assert_eq!(text(&files.workbench[&FileKind::LauncherEnv]), Some("a"));
    assert_eq!(text(&files.workbench[&FileKind::LoadBalancer]), Some("b"));
    assert_eq!(*files.workbench_dir, *root.at("a").to_string_lossy());
    let file = &files.workbench[&FileKind::LoadBalancer].present().unwrap().file;
    assert_eq!(files.short_name(file), "load-balancer");
}

#[test]
fn a_file_that_cannot_be_read_is_not_looked_for_further_on() {
    let root = Root::new();
    std::fs::create_dir_all(root.at("a/launcher-env")).unwrap();
    root.write("b/launcher-env", "b");
    root.write("c", "no directory");
    let search = |places: [&str; 2]| {
        let files = load_from(&root.searching(&places));
        files.workbench[&FileKind::LauncherEnv].is_unknown()
    };
    assert!(search(["a", "b"]), "a directory in its place");
    assert!(search(["c", "b"]), "a place that is no directory");
    assert!(!search(["b", "a"]));
}

#[test]
fn a_searched_directory_that_goes_away_does_not_bring_a_later_one_into_force() {
    let root = Root::new();
    root.write("a/launcher-env", "a");
    root.write("b/launcher-env", "b");
    let dirs = root.searching(&["a", "b"]);
    std::fs::rename(root.at("a"), root.at("away")).unwrap();
    let files = load_from(&dirs);
    assert!(files.workbench[&FileKind::LauncherEnv].is_unknown());
    assert_eq!(*files.workbench_dir, *root.at("a").to_string_lossy());
}

#[test]
fn a_search_that_finds_no_directory_at_all_is_not_an_empty_site() {
    let root = Root::new();
    let files = load_from(&root.searching(&["no"]));
    assert!(!files.is_readable());
    assert_eq!(kinds(&files), [FileProblemKind::DirectoryMissing]);
}

#[test]
fn a_file_that_this_account_may_not_read_is_listed() {
    let root = Root::new();
    root.write("rstudio/database.conf", "x");
    let refuse = |path: &Path| {
        if path.ends_with("database.conf") {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        open_to_read(path)
    };
    let files = load(&root.dirs(), &[], &refuse, Moment(0)).files;
    let denied: Vec<&str> = files.denied().map(|file| files.short_name(file)).collect();
    assert_eq!(denied, ["database.conf"]);
    assert!(files.workbench[&FileKind::DatabaseConf].is_unknown());
}

#[test]
fn a_directory_replaced_while_it_is_read_is_read_anew_as_a_whole() {
    let root = Root::new();
    root.write("rstudio/launcher-env", "old");
    root.write("rstudio/load-balancer", "old");
    root.write("next/launcher-env", "new");
    root.write("next/load-balancer", "new");
    let swap = |path: &Path| {
        let fd = open_to_read(path);
        if path.ends_with("load-balancer") && root.at("next").exists() {
            std::fs::rename(root.at("rstudio"), root.at("previous")).unwrap();
            std::fs::rename(root.at("next"), root.at("rstudio")).unwrap();
        }
        fd
    };
    let files = load(&root.dirs(), &[], &swap, Moment(0)).files;
    assert_eq!(text(&files.workbench[&FileKind::LauncherEnv]), Some("new"));
    assert_eq!(text(&files.workbench[&FileKind::LoadBalancer]), Some("new"));
}

#[test]
fn a_directory_that_is_replaced_again_and_again_says_nothing() {
    let root = Root::new();
    root.write("rstudio/launcher-env", "x");
    let replace = |path: &Path| {
        let fd = open_to_read(path);
        let kept = tempfile::tempdir_in(root.dir.path()).unwrap().keep();
        std::fs::rename(root.at("rstudio"), kept.join("old")).unwrap();
        root.write("rstudio/launcher-env", "x");
        fd
    };
    let files = load(&root.dirs(), &[], &replace, Moment(0)).files;
    assert!(!files.is_readable());
}

#[test]
fn directories_on_the_chain_and_those_named_by_values_are_watched() {
    let root = Root::new();
    root.write("data/v1/env", "x");
    symlink("v1", root.at("data/current")).unwrap();
    symlink("../data/current/env", root.at("rstudio/launcher-env")).unwrap();
    std::fs::create_dir(root.at("tls")).unwrap();
    let watch = load(&root.dirs(), &[root.at("tls")], &open_to_read, Moment(0)).watch;
    let real = |path: &str| root.dir.path().canonicalize().unwrap().join(path);
    let watched: Vec<&Path> = watch.dirs().map(|(dir, _)| dir).collect();
    for dir in ["rstudio", "wharf", "data", "data/v1", "tls", ""] {
        let dir = real(dir);
        assert!(watched.iter().any(|w| **w == *dir.components().as_path()), "{}", dir.display());
    }
}

#[test]
fn a_staged_file_takes_the_place_of_the_one_it_is_meant_for() {
    let root = Root::new();
    root.write("rstudio/launcher-env", "old");
    root.write("staged", "new");
    let whole = root.at("rstudio/launcher-env");
    for path in [Path::new("launcher-env"), whole.as_path()] {
        let mut files = root.load();
        overlay(&mut files, path, &root.at("staged"), &open_to_read, Moment(0)).unwrap();
        let source = files.workbench[&FileKind::LauncherEnv].present().unwrap();
        assert_eq!(&*source.text, "new");
        assert_eq!(*source.file, *whole.to_string_lossy());
    }
}

#[test]
fn a_staged_file_that_another_directory_hides_is_refused() {
    let root = Root::new();
    root.write("a/launcher-env", "a");
    root.write("b/load-balancer", "b");
    root.write("staged", "new");
    let put = |path: &str| {
        let mut files = load_from(&root.searching(&["a", "b"]));
        let staged = root.at("staged");
        overlay(&mut files, Path::new(path), &staged, &open_to_read, Moment(0)).map(|_| files)
    };
    let hidden = root.at("b/launcher-env");
    let by = root.at("a/launcher-env").to_string_lossy().into_owned();
    assert_eq!(
        put(&hidden.to_string_lossy()).map(|_| ()),
        Err(OverlayError::Hidden { path: hidden, by })
    );
    let files = put("load-balancer").unwrap();
    let file = &files.workbench[&FileKind::LoadBalancer].present().unwrap().file;
    assert_eq!(**file, *root.at("b/load-balancer").to_string_lossy(), "where it is already");
    assert!(put(&root.at("a/load-balancer").to_string_lossy()).is_ok(), "before the other");
}

#[test]
fn a_staged_thing_may_be_the_first_of_its_directory() {
    let root = Root::new();
    root.write("staged", "new");
    let mut files = root.load();
    let path = Path::new("sessions.d/lab.toml");
    overlay(&mut files, path, &root.at("staged"), &open_to_read, Moment(0)).unwrap();
    let (stem, file) = files.sessions.files().next().unwrap();
    assert_eq!((stem, text(file)), ("lab", Some("new")));
}

#[test]
fn a_staged_policy_file_replaces_one_that_could_not_be_read() {
    let root = Root::new();
    root.write("wharf/wharf.toml", b"\xff");
    root.write("staged", "format = 1");
    let mut files = root.load();
    assert_eq!(kinds(&files), [FileProblemKind::NotUtf8 { line: 1, column: 1 }]);
    let path = root.at("wharf/wharf.toml");
    overlay(&mut files, &path, &root.at("staged"), &open_to_read, Moment(0)).unwrap();
    assert_eq!(kinds(&files), []);
    assert_eq!(text(&files.wharf), Some("format = 1"));
}

#[test]
fn what_nobody_would_read_there_is_refused() {
    let root = Root::new();
    root.write("staged", "new");
    let staged = root.at("staged");
    for path in ["/elsewhere/launcher-env", "notes.conf", "sessions.d/A.toml", "x.toml", ".."] {
        let mut files = root.load();
        let put = overlay(&mut files, Path::new(path), &staged, &open_to_read, Moment(0));
        assert_eq!(put, Err(OverlayError::NotOfThisSite { path: PathBuf::from(path) }));
    }
    let mut files = root.load();
    let missing = root.at("no");
    let put = overlay(&mut files, Path::new("wharf.toml"), &missing, &open_to_read, Moment(0));
    assert_eq!(put, Err(OverlayError::StagedMissing { staged: missing }));
}
