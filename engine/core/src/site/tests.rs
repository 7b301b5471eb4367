//! Which sets are the same, what a file is called, and what one reading takes over from another.

use super::*;
use crate::ids::SiteDigest;

fn present(file: &str, text: &str) -> Known<Source> {
    Known::Present(Source::new(file, text))
}

fn unknown(at: i64, reason: &str) -> Known<Source> {
    Known::Unknown { since: Moment(at), reason: reason.to_owned() }
}

fn site() -> SiteFiles {
    let mut site = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
    site.searched = vec![Arc::from("/mnt/configmap/rstudio")];
    site
}

/// The digest of a site after an edit.
fn digest(edit: impl FnOnce(&mut SiteFiles)) -> SiteDigest {
    let mut files = site();
    edit(&mut files);
    files.digest()
}

#[test]
fn absent_empty_and_unreadable_are_three_different_sets() {
    let absent = digest(|s| s.wharf = Known::Absent);
    let empty = digest(|s| s.wharf = present("/etc/wharf/wharf.toml", ""));
    let unreadable = digest(|s| s.wharf = unknown(1, "permission denied"));
    assert!(absent != empty && empty != unreadable && absent != unreadable);
}

#[test]
fn a_missing_an_empty_and_an_unreadable_directory_are_three_different_sets() {
    let missing = digest(|_| {});
    let empty = digest(|s| s.sessions = Managed::Managed(SharedMap::new()));
    let unreadable = digest(|s| {
        s.sessions = Managed::Unknown { since: Moment(1), reason: String::new() };
    });
    assert!(missing != empty && empty != unreadable && missing != unreadable);
}

#[test]
fn the_digest_depends_neither_on_place_nor_on_time() {
    let here = digest(|s| s.wharf = present("/a/wharf.toml", "x"));
    let there = digest(|s| s.wharf = present("/b/wharf.toml", "x"));
    assert_eq!(here, there);
    let early = digest(|s| s.wharf = unknown(1, "x"));
    let late = digest(|s| s.wharf = unknown(2, "x"));
    assert_eq!(early, late);
}

#[test]
fn a_file_in_another_directory_is_another_set() {
    let one = |s: &mut SiteFiles, at: DropIn| {
        let files = SharedMap::from([("a".to_owned(), present("a.toml", "x"))]);
        *s.managed_mut(at) = Managed::Managed(files);
    };
    let digests: Vec<_> = DropIn::ALL.map(|at| digest(|s| one(s, at))).to_vec();
    let mut unique = digests.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), digests.len());
}

#[test]
fn only_strays_that_are_errors_count() {
    let stray =
        |kind| digest(|s| s.stray.push(Stray { file: Arc::from("/etc/rstudio/wharf.toml"), kind }));
    assert_eq!(stray(StrayKind::Unread), digest(|_| {}));
    assert_eq!(stray(StrayKind::OddName), digest(|_| {}));
    assert_ne!(stray(StrayKind::OwnInWorkbench), digest(|_| {}));
}

#[test]
fn short_names_are_those_of_the_plan() {
    let site = site();
    for (file, short) in [
        ("/etc/rstudio/launcher-env", "launcher-env"),
        ("/etc/wharf/nodes.d/node3.toml", "nodes.d/node3.toml"),
        ("/mnt/configmap/rstudio/rserver.conf", "rserver.conf"),
        ("/etc/rstudio-old/rserver.conf", "/etc/rstudio-old/rserver.conf"),
        ("/etc/rstudio", "/etc/rstudio"),
    ] {
        assert_eq!(site.short_name(file), short);
    }
}

#[test]
fn short_names_work_for_a_directory_given_with_a_slash() {
    let mut site = site();
    site.workbench_dir = Arc::from("stage/");
    assert_eq!(site.short_name("stage/rserver.conf"), "rserver.conf");
}

#[test]
fn taking_over_keeps_unchanged_texts_and_the_beginning_of_the_unknown() {
    let mut earlier = site();
    earlier.wharf = present("/etc/wharf/wharf.toml", "format = 1");
    earlier.workbench.insert(FileKind::RserverConf, unknown(10, "permission denied"));
    let mut later = site();
    later.wharf = present("/etc/wharf/wharf.toml", "format = 1");
    later.workbench.insert(FileKind::RserverConf, unknown(20, "permission denied"));
    later.take_over(&earlier);
    let texts = [&earlier, &later].map(|s| s.wharf.present().map(|w| Arc::as_ptr(&w.text)));
    assert_eq!(texts[0], texts[1]);
    assert!(matches!(
        later.workbench[&FileKind::RserverConf],
        Known::Unknown { since: Moment(10), .. }
    ));
}

#[test]
fn a_slip_is_passed_over_where_the_product_does_so() {
    let slip = |kind: FileKind| {
        let mut site = site();
        let file = format!("/etc/rstudio/{}", kind.file_name());
        site.workbench.insert(kind, present(&file, "hsot=a"));
        let problem = Problem::new(UNKNOWN_OPTION, Severity::Error, "unknown");
        site.is_ignored_slip(&problem.label(&Arc::from(file), None, ""))
    };
    assert!(slip(FileKind::DatabaseConf));
    assert!(!slip(FileKind::RserverConf) && !slip(FileKind::JupyterConf));
}

#[test]
fn a_site_with_an_unknown_workbench_file_says_nothing_about_what_is_wanted() {
    let mut files = site();
    assert!(files.is_readable());
    files.workbench.insert(FileKind::LauncherEnv, unknown(1, "x"));
    assert!(!files.is_readable());
}

fn problem_in(file: &str) -> Problem {
    Problem::new(grammar::error::Code(107), Severity::Error, "").label(&Arc::from(file), None, "")
}

#[test]
fn a_problem_of_one_things_file_is_of_that_thing_only() {
    let files = site();
    for (file, of_one) in [
        ("/etc/wharf/sessions.d/a.toml", true),
        ("/etc/wharf/gateways.d/a.toml", true),
        ("/etc/wharf/nodes.d/a.toml", true),
        ("/etc/wharf/others.d/a.toml", false),
        ("/etc/wharf/wharf.toml", false),
        ("/etc/rstudio/rserver.conf", false),
        ("/elsewhere/sessions.d/a.toml", false),
    ] {
        assert_eq!(files.is_of_one_thing(&problem_in(file)), of_one, "{file}");
    }
    let nowhere = Problem::new(grammar::error::Code(107), Severity::Error, "");
    assert!(!files.is_of_one_thing(&nowhere));
}

#[test]
fn what_may_not_be_read_is_told_from_what_else_is_wrong() {
    let mut files = site();
    for (file, kind) in [
        ("/etc/wharf/sessions.d/a.toml", FileProblemKind::Denied),
        ("/etc/wharf/sessions.d/b.toml", FileProblemKind::Dangling),
    ] {
        files.unreadable.push(FileProblem { file: file.into(), kind });
    }
    let denied: Vec<_> = files.denied().map(|file| &**file).collect();
    assert_eq!(denied, ["/etc/wharf/sessions.d/a.toml"]);
    let found = files.problems(Severity::Note);
    let found: Vec<_> = found.iter().map(|problem| (problem.code.0, problem.severity)).collect();
    assert_eq!(found, [(604, Severity::Note), (607, Severity::Error)]);
}

#[test]
fn what_did_not_change_keeps_its_text_and_its_time() {
    let sessions = |files: &[(&str, Known<Source>)]| {
        let files = files.iter().map(|(id, file)| ((*id).to_owned(), file.clone()));
        Managed::Managed(files.collect())
    };
    let mut before = site();
    before.sessions = sessions(&[
        ("same", present("same.toml", "x")),
        ("other", present("other.toml", "x")),
        ("lost", unknown(1, "denied")),
    ]);
    before.wharf = present("/etc/wharf/wharf.toml", "x");
    before.gateways = Managed::Unknown { since: Moment(1), reason: "denied".to_owned() };
    let mut now = site();
    now.sessions = sessions(&[
        ("same", present("same.toml", "x")),
        ("other", present("other.toml", "y")),
        ("lost", unknown(9, "denied")),
        ("new", unknown(9, "denied")),
    ]);
    now.wharf = present("/etc/wharf/wharf.toml", "y");
    now.gateways = Managed::Unknown { since: Moment(9), reason: "denied".to_owned() };
    now.take_over(&before);
    let file = |files: &SiteFiles, id: &str| match files.sessions.files().find(|(at, _)| *at == id)
    {
        Some((_, Known::Present(source))) => format!("{} {:p}", source.text, source.text.as_ptr()),
        Some((_, Known::Unknown { since, .. })) => format!("since {}", since.0),
        _ => panic!("{id} is not there"),
    };
    assert_eq!(file(&now, "same"), file(&before, "same"), "one allocation");
    assert!(file(&now, "other").starts_with("y "), "another text");
    assert_eq!(file(&now, "lost"), "since 1");
    assert_eq!(file(&now, "new"), "since 9");
    assert!(matches!(&now.wharf, Known::Present(source) if &*source.text == "y"));
    assert!(matches!(now.gateways, Managed::Unknown { since: Moment(1), .. }));
}

#[test]
fn what_nobody_reads_is_noted() {
    let mut files = site();
    assert!(files.notes().is_empty());
    files.stray.push(Stray { file: "/etc/rstudio/notes.txt".into(), kind: StrayKind::Unread });
    let codes: Vec<_> = files.notes().iter().map(|note| note.code.0).collect();
    assert_eq!(codes, [614]);
}
