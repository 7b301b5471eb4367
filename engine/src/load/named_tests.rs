//! Files that values name, files that nobody reads, and a machine below a root.

use super::tests::{Root, load_from, strays, text};
use super::*;

const LAUNCHER: &str = "[server]\n[cluster]\nname=Batch\ntype=Slurm\nconfig-file=";

fn cluster_file(files: &SiteFiles, path: &str) -> Known<Source> {
    let found = files.cluster_files.iter().find(|(file, _)| *file.path == *path);
    found.map_or(Known::Absent, |(_, known)| known.clone())
}

#[test]
fn files_of_clusters_are_found_by_the_values_that_name_them() {
    let root = Root::new();
    root.write("rstudio/launcher.conf", format!("{LAUNCHER}/etc/rstudio/launcher.batch.conf\n"));
    root.write("rstudio/launcher.batch.conf", "profile-config=batch.profiles.conf\n");
    root.write("rstudio/batch.profiles.conf", "[*]\nmax-cpus=2\n");
    root.write("rstudio/notes.txt", "");
    let files = root.load();
    let own = cluster_file(&files, "/etc/rstudio/launcher.batch.conf");
    assert_eq!(text(&own), Some("profile-config=batch.profiles.conf\n"));
    assert_eq!(&*own.present().unwrap().file, &*shown(&root.at("rstudio/launcher.batch.conf")));
    assert_eq!(text(&cluster_file(&files, "batch.profiles.conf")), Some("[*]\nmax-cpus=2\n"));
    assert_eq!(strays(&files), [("notes.txt", StrayKind::Unread)]);
    let before = files.digest();
    root.write("rstudio/batch.profiles.conf", "[*]\nmax-cpus=4\n");
    assert_ne!(root.load().digest(), before);
}

#[test]
fn a_named_file_that_cannot_be_read_refuses_the_set_and_one_that_is_missing_does_not() {
    let root = Root::new();
    root.write("rstudio/launcher.conf", format!("{LAUNCHER}{}\n", root.at("odd").display()));
    let files = root.load();
    assert!(matches!(cluster_file(&files, &shown(&root.at("odd"))), Known::Absent));
    assert!(files.is_readable());
    std::fs::create_dir(root.at("odd")).unwrap();
    let files = root.load();
    assert!(!files.is_readable());
    assert!(files.unreadable.iter().any(|problem| problem.file.ends_with("/odd")));
}

#[test]
fn what_a_value_names_is_watched_wherever_it_is() {
    let root = Root::new();
    root.write("elsewhere/x.conf", "");
    let path = root.at("elsewhere/x.conf");
    root.write("rstudio/launcher.conf", format!("{LAUNCHER}{}\n", path.display()));
    let watch = load(&root.dirs(), &[], &open_to_read, Moment(0)).watch;
    let real = std::fs::canonicalize(root.at("elsewhere")).unwrap();
    assert!(watch.dirs().any(|(dir, _)| dir == real));
    assert!(watch.concerns(&real.join("x.conf")));
    assert!(!watch.concerns(&real.join("y.conf")));
}

#[test]
fn below_a_root_absolute_paths_begin_there() {
    let root = Root::new();
    root.write("etc/rstudio/launcher.conf", format!("{LAUNCHER}/opt/batch.conf\n"));
    root.write("opt/batch.conf", "enable-gpus=1\n");
    let own = Own::Optional(PathBuf::from("/etc/wharf"));
    let dirs = SiteDirs::find_below(&root.at(""), None, own, &|_| None);
    let files = load_from(&dirs);
    assert_eq!(text(&cluster_file(&files, "/opt/batch.conf")), Some("enable-gpus=1\n"));
    assert!(text(&files.workbench[&FileKind::LauncherConf]).is_some());
}

#[test]
fn a_staged_file_names_other_files_of_clusters() {
    let root = Root::new();
    root.write("rstudio/launcher.conf", format!("{LAUNCHER}a.conf\n"));
    root.write("rstudio/a.conf", "enable-gpus=1\n");
    root.write("rstudio/b.conf", "enable-gpus=0\n");
    root.write("staged", format!("{LAUNCHER}b.conf\n"));
    let mut files = root.load();
    let (path, staged) = (root.at("rstudio/launcher.conf"), root.at("staged"));
    overlay(&mut files, &path, &staged, &open_to_read, Moment(0)).unwrap();
    let named: Vec<&str> = files.cluster_files.keys().map(|file| &*file.path).collect();
    assert_eq!(named, ["b.conf"]);
    root.write("staged", "enable-gups=1\n");
    overlay(&mut files, &root.at("rstudio/b.conf"), &staged, &open_to_read, Moment(0)).unwrap();
    assert_eq!(text(&cluster_file(&files, "b.conf")), Some("enable-gups=1\n"));
}

#[test]
fn files_without_a_meaning_are_told_from_those_that_nobody_knows() {
    let root = Root::new();
    for path in ["themes/a.rstheme", "rstudio-prefs.json", "secure-cookie-key", "old.txt"] {
        root.write(&format!("rstudio/{path}"), "");
    }
    let files = root.load();
    assert_eq!(
        strays(&files),
        [
            ("old.txt", StrayKind::Unread),
            ("rstudio-prefs.json", StrayKind::WithoutMeaning),
            ("themes", StrayKind::WithoutMeaning),
        ]
    );
}
