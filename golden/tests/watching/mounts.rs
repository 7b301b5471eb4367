//! File systems that come and go over the files: the engine hears of them, though no watch has an event for that; what
//! is missing because it was unmounted is not taken for removed.
//!
//! Each test runs within mounts of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::status::StatusView;
use golden::real::engine::is;
use golden::real::{Engine, Own, Site, SlowFs, holds_for, within};

use super::{Bench, Connected, NEVER, held, sh, text, wharf_toml};

/// What is mounted over the file `F` or its directory `D`, with the number `N` in `T` or its directory `S`.
const MOUNTED: &[(&str, &str, &str)] = &[
    ("another directory", r#"mount --bind "$S" "$D""#, r#"umount "$D""#),
    ("another directory, unmounted lazily", r#"mount --bind "$S" "$D""#, r#"umount --lazy "$D""#),
    ("another file", r#"mount --bind "$T" "$F""#, r#"umount "$F""#),
    ("a file system in memory", r#"mount -t tmpfs none "$D"; cp "$T" "$D""#, r#"umount "$D""#),
    (
        "an overlay",
        r#"mkdir "$O/u" "$O/w"; cp "$T" "$O/u"
           mount -t overlay -o "lowerdir=$D,upperdir=$O/u,workdir=$O/w" none "$D""#,
        r#"umount "$D""#,
    ),
    (
        "one over another",
        r#"mount -t tmpfs none "$D"; mount --bind "$S" "$D""#,
        r#"umount "$D"; umount "$D""#,
    ),
    (
        "the whole site",
        r#"cp -a "$D/.." "$O/site"; cp "$T" "$O/site/nodes.d"; mount --bind "$O/site" "$D/..""#,
        r#"umount "$(dirname "$D")""#,
    ),
];

fn what_is_mounted_comes_into_force() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(NEVER, "60s"));
    let mut bench = Bench::new(site);
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    for ((what, mount, unmount), n) in MOUNTED.iter().zip(11..) {
        let before = bench.reload().generation.0;
        bench.sh(mount, n);
        let mounted = bench.in_force(n).generation.0;
        // Some are mounted empty and filled then.
        assert!(mounted - before <= 2, "{what}: {}", bench.engine.said());
        // What is mounted is watched, too.
        if *what != "another file" {
            std::fs::write(bench.file(), text(90)).expect("it is ours");
            bench.in_force(90);
        }
        bench.sh(unmount, n);
        bench.in_force(1);
    }
    demo.are_known_to(&mut bench.engine);
}

#[test]
fn a_file_system_that_is_mounted_or_unmounted_is_heard() {
    within(
        Own::Mounts,
        a_file_system_that_is_mounted_or_unmounted_is_heard,
        what_is_mounted_comes_into_force,
    );
}

pub(crate) const ENDS: &str = "workbench = \"demo\"\non-removal = \"stop\"\n";

/// A site whose sessions end at once when their files go, and whose `sessions.d` is mounted.
fn mounted_sessions(ids: &[&str]) -> Site {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml(NEVER, "0s"));
    let export = site.around().join("export");
    std::fs::create_dir(&export).expect("it is ours");
    for id in ids {
        std::fs::write(export.join(format!("{id}.toml")), ENDS).expect("it is ours");
    }
    mount_sessions(&site);
    site
}

fn mount_sessions(site: &Site) {
    let (dir, export) = (site.path("sessions.d"), site.around().join("export"));
    sh(r#"mount --bind "$E" "$D""#, &[("E", &export), ("D", &dir)]);
}

fn unmount(dir: &Path) {
    sh(r#"umount --lazy "$D""#, &[("D", dir)]);
}

fn an_unmounted_directory() {
    let ids = ["one", "two"];
    let mut engine = Engine::start(mounted_sessions(&ids));
    let mut sessions = Connected::to(&mut engine, &ids);
    let dir = engine.site.path("sessions.d");
    unmount(&dir);
    let refused = engine.wait_status("it is refused", |status| status.refused.clone());
    let line = &refused.problems[0];
    assert!(line.contains("sessions.d") && line.contains("WH0618"), "{line}");
    is(&engine.admin(&["status"]), 2, "nothing is mounted on it any more");
    is(&engine.admin(&["status"]), 2, "what to do: wharf plan");
    is(&engine.admin(&["plan"]), 1, "mount it");
    is(&engine.admin(&["reload", "--wait"]), 1, "WH0618");
    sessions.are_untouched();

    // Not even over a restart, as when the file system is not there yet after the machine's.
    engine.kill_9();
    engine.restart();
    let mut sessions = sessions.are_adopted_by(&mut engine);
    engine.wait_status("it is refused again", |status| status.refused.clone());
    is(&engine.admin(&["status"]), 2, "WH0618");
    sessions.are_untouched();

    mount_sessions(&engine.site);
    engine.wait_status("as before", |status| {
        (status.refused.is_none() && status.holds.is_empty() && status.settled).then_some(())
    });
    sessions.are_known_to(&mut engine);
    assert_eq!(engine.status().expect("it answers").generation.0, 1);

    // Who means it says so.
    unmount(&dir);
    engine.wait_status("it is refused", |status| status.refused.clone());
    std::fs::write(dir.join(".empty"), "").expect("it is ours");
    engine.wait_status("none is wanted", |status| {
        let none = status.sessions.iter().all(|session| session.pid.is_none());
        (status.refused.is_none() && status.generation.0 == 2 && none).then_some(())
    });
}

#[test]
fn an_unmounted_directory_of_sessions_is_not_an_empty_one() {
    within(
        Own::Mounts,
        an_unmounted_directory_of_sessions_is_not_an_empty_one,
        an_unmounted_directory,
    );
}

/// Nothing tells an empty file system that is mounted from a directory that somebody has emptied: harm-delay and
/// brake do what they can.
fn an_empty_file_system() {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml(NEVER, "60s"));
    let ids = ["one", "two"];
    for id in ids {
        site.write(&format!("sessions.d/{id}.toml"), ENDS);
    }
    let mut engine = Engine::start(site);
    let mut sessions = Connected::to(&mut engine, &ids);
    let dir = engine.site.path("sessions.d");
    sh(r#"mount -t tmpfs none "$D""#, &[("D", &dir)]);
    engine.wait_status("both are held", |status| (held(status, "harm-delay") == 2).then_some(()));
    sessions.are_untouched();
    sh(r#"umount "$D""#, &[("D", &dir)]);
    engine.wait_status("as before", |status| {
        (status.holds.is_empty() && status.settled).then_some(())
    });
    sessions.are_known_to(&mut engine);
}

#[test]
fn an_empty_file_system_over_the_sessions_ends_none_within_harm_delay() {
    within(
        Own::Mounts,
        an_empty_file_system_over_the_sessions_ends_none_within_harm_delay,
        an_empty_file_system,
    );
}

/// The whole of `/etc/wharf` and `/etc/rstudio`, beside each other as packages have them.
fn both_directories() {
    let site = Site::empty();
    let around = site.around().to_owned();
    let own = around.join("wharf");
    std::fs::create_dir_all(own.join("sessions.d")).expect("it is ours");
    let policy = format!("mode = \"serve\"\n{}", wharf_toml(NEVER, "0s"));
    std::fs::write(own.join("wharf.toml"), policy).expect("it is ours");
    std::fs::write(own.join("sessions.d/one.toml"), ENDS).expect("it is ours");
    std::fs::remove_file(site.path("wharf.toml")).expect("it is there");
    std::fs::remove_dir(site.path("sessions.d")).expect("it is empty");
    let workbench = site.dir();
    let dirs = [("W", workbench.as_path()), ("O", own.as_path()), ("A", around.as_path())];
    let mount = r#"for d in "$W" "$O"; do [ -e "$d.real" ] || { mv "$d" "$d.real"; mkdir "$d"; }
        mount --bind "$d.real" "$d"; done"#;
    sh(mount, &dirs);
    let mut engine = Engine::start(site);
    let mut sessions = Connected::to(&mut engine, &["one"]);
    let port = engine.listening();
    for dir in [&workbench, &own] {
        unmount(dir);
        let refused = engine.wait_status("it is refused", |status| status.refused.clone());
        let line = refused.problems.join("\n");
        assert!(line.contains("WH0618") && line.contains(&dir.display().to_string()), "{line}");
        holds_for(Duration::from_millis(500), || {
            assert!(engine.status().expect("it answers").refused.is_some());
        });
        assert_eq!(engine.listening(), port);
        sessions.are_untouched();
        sh(r#"mount --bind "$D.real" "$D""#, &[("D", dir)]);
        engine.wait_status("as before", |status| status.refused.is_none().then_some(()));
        sessions.are_known_to(&mut engine);
    }
    assert_eq!(engine.status().expect("it answers").generation.0, 1);
    // A policy that is gone does not put the engine back to its first day.
    std::fs::remove_file(own.join("wharf.toml")).expect("it is there");
    engine.wait_status("it is missed", |status| {
        let refused = status.refused.as_ref()?;
        refused.problems.iter().any(|line| line.contains("WH0613")).then_some(())
    });
    assert_eq!(engine.listening(), port);
    sessions.are_known_to(&mut engine);
}

#[test]
fn a_site_that_is_unmounted_keeps_what_is_in_force() {
    within(Own::Mounts, a_site_that_is_unmounted_keeps_what_is_in_force, both_directories);
}

/// A file system that answers nothing, as NFS whose server is gone: FUSE, with nobody who reads the requests. Ends
/// with an error for everything when the program ends.
const SILENT: &str = r#"exec 3<>/dev/fuse
    mount -i -t fuse -o "fd=3,rootmode=40000,user_id=$(id -u),group_id=$(id -g)" none "$D"
    echo mounted; read -r line"#;

/// Patience for a file system: shorter than ten seconds, for the test's sake.
pub(crate) const SHORT_PATIENCE: &[&str] = &["--patience", "300"];

fn a_silent_file_system() {
    let fuse = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse");
    if let Err(error) = fuse {
        println!("NOT RUN: /dev/fuse: {error}");
        return;
    }
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml(NEVER, "0s"));
    site.write("sessions.d/one.toml", ENDS);
    let serves = site.dir();
    let mut engine = Engine::start_told(site, serves, SHORT_PATIENCE);
    let mut sessions = Connected::to(&mut engine, &["one"]);
    let dir = engine.site.path("sessions.d");
    let mut server = Command::new("sh")
        .args(["-ec", SILENT])
        .env("D", &dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut said = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    assert_eq!(said.next().expect("it says so").expect("a line"), "mounted");
    let refused = engine.wait_status("it is refused", |status| status.refused.clone());
    assert!(refused.problems[0].contains("does not answer"), "{refused:?}");
    // Commands are answered, and nobody is hurt.
    is(&engine.admin(&["status"]), 2, "does not answer");
    is(&engine.admin(&["plan"]), 1, "does not answer");
    sessions.are_known_to(&mut engine);
    // What hung comes back with an error, and at last the file system goes.
    drop(server.stdin.take());
    let _ = server.wait();
    engine.wait_status("it is another reason", |status| {
        let refused = status.refused.as_ref()?;
        (!refused.problems[0].contains("does not answer")).then_some(())
    });
    sessions.are_known_to(&mut engine);
    unmount(&dir);
    engine.wait_status("as before", |status| {
        (status.refused.is_none() && status.holds.is_empty() && status.settled).then_some(())
    });
    sessions.are_known_to(&mut engine);
    assert_eq!(engine.status().expect("it answers").generation.0, 1);
}

#[test]
fn a_file_system_that_does_not_answer_stops_the_reading_and_nothing_else() {
    within(
        Own::Mounts,
        a_file_system_that_does_not_answer_stops_the_reading_and_nothing_else,
        a_silent_file_system,
    );
}

/// Each part of a file takes 80 ms, all of them longer than anybody waits for.
fn a_slow_file_system() {
    let site = Site::empty();
    // What comes over a network is read every `poll`.
    site.write("wharf.toml", &wharf_toml("1s", "0s"));
    let nodes = site.around().join("nodes");
    std::fs::create_dir(&nodes).expect("it is ours");
    for n in 0..3 {
        std::fs::write(nodes.join(format!("node{n}.toml")), text(1)).expect("it is ours");
    }
    site.write("sessions.d/one.toml", ENDS);
    std::fs::create_dir(site.path("nodes.d")).expect("it is ours");
    let Some(slow) = SlowFs::mount(&nodes, &site.path("nodes.d")) else { return };
    let serves = site.dir();
    let mut engine = Engine::start_told(site, serves, SHORT_PATIENCE);
    let mut sessions = Connected::to(&mut engine, &["one"]);
    let node = engine.status().expect("it answers").node;
    let this = nodes.join(format!("{node}.toml"));
    slow.takes(Duration::from_millis(80));
    std::fs::write(&this, text(7)).expect("it is ours");
    let refused = engine.wait_status("it takes too long", |status| status.refused.clone());
    assert!(refused.problems[0].contains("does not answer"), "{refused:?}");
    assert!(engine.status().expect("it answers").reading_since.is_some());
    // The edit takes force all the same, when it has been read.
    let weight = |status: &StatusView| status.nodes.get(&node).map(|node| node.weight);
    engine.wait_status("weight 7", |status| {
        (weight(status) == Some(7) && status.refused.is_none()).then_some(())
    });
    // Who asks waits for the reading that was asked for, and not for one that was under way.
    engine.wait_status("the next reading", |status| status.reading_since);
    std::fs::write(&this, text(8)).expect("it is ours");
    is(&engine.admin(&["reload", "--wait"]), 0, "is in force");
    assert_eq!(weight(&engine.status().expect("it answers")), Some(8));
    // It hangs: who asks is told why there is no verdict, and since when.
    slow.hangs();
    let ran = engine.admin(&["reload", "--wait", "--timeout", "2"]);
    is(&ran, 1, "no verdict within 2 s; the files are being read since");
    let status = engine.admin(&["status"]);
    assert!(status.stdout.contains("READING the files since"), "{status:?}");
    engine.wait_status("it does not answer", |status| status.refused.clone());
    slow.takes(Duration::ZERO);
    std::fs::write(&this, text(9)).expect("it is ours");
    engine.wait_status("weight 9", |status| {
        (weight(status) == Some(9) && status.refused.is_none()).then_some(())
    });
    // In a change window, too, files are known again once they answer, whoever asked for them.
    is(&engine.admin(&["change", "begin"]), 0, "");
    slow.hangs();
    is(&engine.admin(&["plan"]), 1, "does not answer");
    assert!(engine.status().expect("it answers").refused.is_some());
    slow.takes(Duration::ZERO);
    engine.wait_status("they are known again", |status| status.refused.is_none().then_some(()));
    is(&engine.admin(&["plan"]), 0, "");
    is(&engine.admin(&["change", "end"]), 0, "");
    sessions.are_known_to(&mut engine);
}

#[test]
fn a_file_system_that_is_slower_than_anybody_waits_brings_its_edits_into_force() {
    within(
        Own::Mounts,
        a_file_system_that_is_slower_than_anybody_waits_brings_its_edits_into_force,
        a_slow_file_system,
    );
}
