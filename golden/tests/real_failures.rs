//! What goes wrong in the field, with a real engine: one clear message, and the last good state goes on.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use golden::real::engine::{command, ran, session};
use golden::real::site::wharf_toml;
use golden::real::{Engine, Process, Site, Socket, wait_for};

#[test]
fn a_missing_directory_is_named_in_one_line() {
    let site = Site::demo();
    let missing = site.around().join("nowhere");
    for verb in ["serve", "check"] {
        let ran = ran(command(site.around()).arg(verb).arg(&missing));
        assert_eq!(ran.code, Some(1), "{verb}: {ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(missing.to_str().expect("a plain path")), "{verb}: {ran:?}");
    }
}

/// One way to break a site: what is done to it, and what its message names.
struct Broken {
    what: &'static str,
    file: &'static str,
    breaks: fn(&Path),
    named: &'static str,
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("it is ours");
}

const BROKEN: [Broken; 7] = [
    Broken {
        what: "an unknown option",
        file: "rserver.conf",
        breaks: |path| {
            let text = fs::read_to_string(path).expect("it is there");
            write(path, format!("{text}www-prot=1\n").as_bytes());
        },
        named: "rserver.conf:3",
    },
    Broken {
        what: "a syntax error",
        file: "wharf.toml",
        breaks: |path| write(path, b"instance = \"t\"\n[policy\n"),
        named: "wharf.toml:2",
    },
    Broken {
        what: "a value that is none",
        file: "rserver.conf",
        breaks: |path| write(path, b"www-address=127.0.0.1\nwww-port=eighty\n"),
        named: "rserver.conf:2",
    },
    Broken {
        what: "no UTF-8",
        file: "launcher-env",
        breaks: |path| write(path, b"LC_ALL=\xff\xfe\n"),
        named: "launcher-env",
    },
    Broken {
        what: "a FIFO",
        file: "launcher-env",
        breaks: |path| {
            fs::remove_file(path).expect("it is there");
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.expect("coreutils have mkfifo").success());
        },
        named: "launcher-env",
    },
    Broken {
        what: "a directory in place of a file",
        file: "launcher-env",
        breaks: |path| {
            fs::remove_file(path).expect("it is there");
            fs::create_dir(path).expect("it is ours");
        },
        named: "launcher-env",
    },
    Broken {
        what: "a file that cannot be read",
        file: "launcher-env",
        // Root may read everything but a link to itself.
        breaks: |path| {
            if rustix::process::geteuid().is_root() {
                fs::remove_file(path).expect("it is there");
                symlink(path, path).expect("the directory is ours");
            } else {
                fs::set_permissions(path, PermissionsExt::from_mode(0o000)).expect("it is ours");
            }
        },
        named: "launcher-env",
    },
];

/// Takes whatever stands there away and puts the text back.
fn repair(path: &Path, text: &str) {
    if fs::remove_file(path).is_err() {
        fs::remove_dir(path).expect("an empty directory");
    }
    write(path, text.as_bytes());
}

#[test]
fn whatever_is_wrong_with_a_file_the_last_good_set_stays_and_the_file_is_named() {
    let site = Site::demo();
    site.write("launcher-env", "LC_ALL=C.UTF-8\n");
    let mut engine = Engine::start(site);
    let demo = engine.running("demo");
    let mut socket = connected(&mut engine);
    for broken in BROKEN {
        let path = engine.site.path(broken.file);
        let good = fs::read_to_string(&path).expect("it is there");
        (broken.breaks)(&path);

        let checked = ran(command(engine.site.around()).arg("check").arg(engine.site.dir()));
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains(broken.named), "check, {}: {checked:?}", broken.what);

        let refused = engine.wait_status(broken.what, |status| status.refused.clone());
        let named = refused.problems.iter().any(|problem| problem.contains(broken.named));
        assert!(named, "{}: {refused:?}", broken.what);
        assert!(demo.is_alive(), "{}", broken.what);
        socket.echo().expect(broken.what);

        repair(&path, &good);
        engine.wait_status("repaired", |status| status.refused.is_none().then_some(()));
    }
    assert_eq!(engine.running("demo"), demo);
    socket.echo().expect("through all of it");
}

#[test]
fn a_session_file_with_a_mistake_leaves_its_session_alone_and_the_others_go_on() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    engine.site.write("sessions.d/demo.toml", "workbench = \"demo\n");
    engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\n");
    engine.running("second");
    wait_for("the mistake is named", || {
        let said = engine.admin(&["status"]).stdout + &engine.admin(&["plan"]).stdout;
        if said.contains("demo.toml:1") { Ok(()) } else { Err(said) }
    });
    assert_eq!(engine.running("demo"), demo);
}

#[test]
fn a_session_whose_file_has_a_mistake_still_ends_when_a_person_says_so() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    engine.site.write("sessions.d/demo.toml", "workbench = \"demo\n");
    engine.wait_status("its file has a mistake", |status| {
        status.holds.iter().find(|hold| hold.resource == "session/demo").map(|_| ())
    });
    let stop = engine.admin(&["session", "stop", "demo"]);
    assert_eq!(stop.code, Some(0), "{stop:?}");
    wait_for("it ends", || if demo.is_alive() { Err(format!("{stop:?}")) } else { Ok(()) });
}

#[test]
fn a_set_that_was_never_good_opens_no_listener() {
    let site = Site::demo();
    let good = site.rserver_conf(site.port());
    site.write("rserver.conf", &format!("{good}www-prot=1\n"));
    let mut engine = Engine::start(site);
    let status = engine.status().expect("it answers");
    assert!(status.refused.is_some() && status.listeners.is_empty(), "{status:?}");
    assert!(status.sessions.iter().all(|session| session.pid.is_none()), "{status:?}");
    engine.site.write("rserver.conf", &good);
    engine.running("demo");
}

#[test]
fn a_port_in_use_is_waited_for_and_its_holder_is_named() {
    let site = Site::demo();
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, site.port())).expect("it is free");
    let mut engine = Engine::start(site);
    let demo = engine.running("demo");
    let own = std::process::id().to_string();
    engine.wait_status("the holder is named", |status| {
        let hold = status.holds.iter().find(|hold| hold.resource.starts_with("listener"))?;
        hold.waiting.contains(&own).then_some(())
    });
    let text = engine.admin(&["status"]).stdout;
    assert!(text.contains(&format!("pid {own}")), "{text}");
    drop(holder);
    let port = engine.listening();
    assert_eq!(port, engine.site.port());
    assert_eq!(engine.running("demo"), demo);
    connected(&mut engine);
}

#[test]
fn a_session_that_never_becomes_ready_is_given_up_and_says_why() {
    let site = Site::demo();
    let policy = wharf_toml("60s");
    let quickly =
        "back-off = { first = \"200ms\", max = \"400ms\", give-up-after = 2, within = \"10m\" }\n";
    let workbench = "[workbenches.stuck]\nexe = \"/bin/sleep\"\nargs = [\"1000\"]\n";
    site.write("wharf.toml", &format!("{policy}{quickly}{workbench}"));
    let stuck = "workbench = \"stuck\"\n[health]\nstart-timeout = \"1s\"\n";
    site.write("sessions.d/stuck.toml", stuck);
    let mut engine = Engine::start(site);
    let demo = engine.running("demo");
    let failed = engine.wait_status("it is given up", |status| {
        let stuck = session(status, "stuck")?;
        (stuck.state == "failed").then(|| stuck.clone())
    });
    assert!(!failed.reason.is_empty() && failed.pid.is_none(), "{failed:?}");
    assert_eq!(engine.admin(&["status"]).code, Some(2), "degraded");
    let why = engine.admin(&["why", "stuck"]);
    assert!(why.code == Some(0) && why.stdout.contains("stuck"), "{why:?}");
    assert_eq!(engine.running("demo"), demo);
    connected(&mut engine);
}

#[test]
fn a_second_engine_of_the_same_site_says_that_there_is_one() {
    let engine = Engine::start(Site::demo());
    let second = engine.admin(&["serve", engine.site.dir().to_str().expect("a plain path")]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains(&engine.pid().to_string()), "names it: {second:?}");
}

/// The files of the store, the largest first.
fn store_files(engine: &Engine) -> Vec<PathBuf> {
    let mut found = vec![engine.site.around().join("state/t/store")];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        found.extend(fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
        at += 1;
    }
    found.retain(|path| path.is_file());
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().map_or(0, |meta| meta.len())));
    found
}

/// Starts the engine again and finds the same process, with traffic flowing.
#[track_caller]
fn adopted(engine: &mut Engine, demo: Process, what: &str) {
    assert!(demo.is_alive(), "{what}: it lives without an engine");
    engine.restart();
    assert_eq!(engine.running("demo"), demo, "{what}: adopted");
    connected(engine);
}

#[track_caller]
fn connected(engine: &mut Engine) -> Socket {
    let port = engine.listening();
    let browser = engine.sign_in();
    let mut socket = wait_for("a WebSocket", || browser.web_socket(port, "/s/demo/ws"));
    socket.echo().expect("it sends back");
    socket
}

#[test]
fn a_store_that_is_deleted_while_the_engine_is_down_costs_no_session() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    engine.kill_9();
    assert!(!store_files(&engine).is_empty(), "there is a store");
    fs::remove_dir_all(engine.site.around().join("state/t/store")).expect("it is there");
    adopted(&mut engine, demo, "without a store");
    engine.kill_9();
    fs::remove_dir_all(engine.site.around().join("state")).expect("it is there");
    adopted(&mut engine, demo, "without any state");
}

#[test]
fn a_store_that_is_cut_short_anywhere_costs_no_session() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    engine.kill_9();
    let files = store_files(&engine);
    let whole: Vec<(PathBuf, Vec<u8>)> =
        files.iter().map(|path| (path.clone(), fs::read(path).expect("it is there"))).collect();
    // Every file at its begin, in its first block and its middle: each 4 KiB is the store's own test.
    for (path, bytes) in whole.iter().take(3) {
        for at in [0, bytes.len().min(4096) / 2, bytes.len() / 2] {
            for (path, bytes) in &whole {
                fs::create_dir_all(path.parent().expect("it has one")).expect("it is ours");
                fs::write(path, bytes).expect("it is ours");
            }
            fs::write(path, &bytes[..at]).expect("it is ours");
            adopted(&mut engine, demo, &format!("{} cut at {at}", path.display()));
            engine.kill_9();
        }
    }
    engine.restart();
}
