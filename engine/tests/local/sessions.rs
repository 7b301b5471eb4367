//! The life of a session, from its order to its exit record.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use engine::keeper::process::ProcessId;
use engine::keeper::record::{self, IDENTITY, Identity};
use engine::ports::{LaunchError, Launcher, Secrets};
use engine_core::desired::{EnvValue, Launch, LaunchSpec};
use engine_core::ids::{Digest, Moment};
use engine_core::known::Known;
use engine_core::observed::Phase;
use rustix::process::Signal;

use crate::world::{World, is_running, wait_until};

pub(crate) fn identity(world: &World, of: &engine_core::ids::Incarnation) -> Identity {
    let bytes = std::fs::read(world.file(of, IDENTITY)).unwrap();
    record::parse(IDENTITY, &bytes).unwrap()
}

fn kill(process: ProcessId) {
    assert!(process.signal(Signal::KILL).unwrap(), "{process:?} was over already");
    wait_until(|| (!process.is_running().unwrap()).then_some(())).expect("SIGKILL ends it");
}

#[test]
fn a_session_starts_is_seen_and_ends_when_told() {
    let mut world = World::new();
    let session = world.shell("sleepy", "echo up; exec sleep 1000");
    let seen = world.wait_until_running(&session);
    assert!(seen.kept && seen.ours);
    assert_eq!(seen.phase, Phase::Starting, "it answers no HTTP, so it never gets ready");
    assert!(is_running(seen.pid.unwrap()));
    world.wait_for_log(&session, "up\n");
    world.end(&session, 10_000);
    world.end(&session, 10_000);
    let exit = world.wait_for_exit(&session);
    assert_eq!((exit.code, exit.signal, exit.asked), (None, Some(15), true));
    assert!(!is_running(seen.pid.unwrap()));
    world.end(&session, 10_000);
    world.launcher.forget(&session).unwrap();
    world.launcher.forget(&session).unwrap();
    assert_eq!(world.observe(&session), Known::Absent);
    assert_eq!(std::fs::read_dir(world.layout.sessions()).unwrap().count(), 0);
}

#[test]
fn an_end_by_itself_is_recorded_with_its_code_or_signal() {
    let mut world = World::new();
    let by_code = world.shell("by-code", "exit 7");
    let by_signal = world.shell("by-signal", "kill -11 $$");
    let exit = world.wait_for_exit(&by_code);
    assert_eq!((exit.code, exit.signal, exit.asked), (Some(7), None, false));
    assert!(exit.failed());
    let exit = world.wait_for_exit(&by_signal);
    assert_eq!((exit.code, exit.signal, exit.asked), (None, Some(11), false));
}

#[test]
fn a_stubborn_session_is_killed_after_its_grace_with_all_that_it_left() {
    let mut world = World::new();
    // Grandchildren in sessions of their own, one of them orphaned, all of them deaf to SIGTERM.
    let script = "trap '' TERM
        setsid sh -c 'trap \"\" TERM; echo pid $$; while :; do sleep 1; done' &
        (setsid sh -c 'trap \"\" TERM; echo pid $$; while :; do sleep 1; done' &)
        echo pid $$; while :; do sleep 1; done";
    let session = world.shell("stubborn", script);
    world.wait_until_running(&session);
    let log = wait_until(|| Some(world.log(&session)).filter(|log| log.lines().count() == 3));
    let pids: Vec<u32> = log
        .expect("three processes say their pids")
        .lines()
        .map(|line| line.strip_prefix("pid ").unwrap().parse().unwrap())
        .collect();
    world.end(&session, 300);
    let ending = world.wait_for(&session, |phase| !matches!(phase, Phase::Starting));
    assert!(matches!(ending.phase, Phase::Ending { .. } | Phase::Exited(_)), "{ending:?}");
    let exit = world.wait_for_exit(&session);
    assert_eq!((exit.code, exit.signal, exit.asked), (None, Some(9), true));
    for pid in pids {
        assert!(!is_running(pid), "{pid} was left");
    }
}

#[test]
fn what_a_session_leaves_behind_goes_with_it() {
    let mut world = World::new();
    let session = world.shell("leaver", "setsid sleep 1000 & echo pid $!; exit 0");
    let exit = world.wait_for_exit(&session);
    assert_eq!((exit.code, exit.asked), (Some(0), false));
    let log = world.log(&session);
    let pid = log.trim().strip_prefix("pid ").unwrap().parse().unwrap();
    assert!(!is_running(pid));
}

#[test]
fn an_incarnation_is_started_once() {
    let mut world = World::new();
    let order = world.order("once", 1, "/bin/sleep", &["1000"]);
    world.start(&order);
    let seen = world.wait_until_running(&order.incarnation);
    let again = world.launcher.start(&order, &Secrets::default(), Moment(2));
    assert!(matches!(again, Err(LaunchError::Exists { .. })), "{again:?}");
    assert_eq!(world.observe(&order.incarnation).present().unwrap().pid, seen.pid);
}

#[test]
fn what_cannot_run_says_why() {
    let mut world = World::new();
    let order = world.order("no-exe", 1, "/no/such/program", &[]);
    world.start(&order);
    let exit = world.wait_for_exit(&order.incarnation);
    assert!(exit.failure.contains("cannot run /no/such/program"), "{exit:?}");
    assert!(exit.failed());
    let mut order = world.order("no-dir", 1, "/bin/true", &[]);
    order.user.home = "/no/such/home".to_owned();
    world.start(&order);
    let exit = world.wait_for_exit(&order.incarnation);
    assert!(exit.failure.contains("cannot enter /no/such/home"), "{exit:?}");
}

#[test]
fn a_session_has_only_the_rights_of_its_user() {
    let mut world = World::new();
    let script = "id -u; id -g; umask; ulimit -c; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
        ls /proc/self/fd | wc -l; cat; echo end";
    let session = world.shell("rights", script);
    world.wait_for_exit(&session);
    let (_, user) = world.user.clone();
    let log = world.log(&session);
    let lines: Vec<&str> = log.lines().map(str::trim).collect();
    // Descriptors of `ls`: 0, 1, 2 and the directory.
    let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
    let expected =
        [&uid, &gid, "0027", "0", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "4", "end"];
    assert_eq!(lines, expected, "{log}");
}

#[test]
fn directories_and_files_have_the_owners_and_modes_of_the_contract() {
    let mut world = World::new();
    let session = world.shell("modes", "exec sleep 1000");
    world.wait_until_running(&session);
    let own = nix::unistd::geteuid().as_raw();
    let user = world.user.1.uid;
    for (name, mode, owner) in [
        ("", 0o751, own),
        ("u", 0o2710, user),
        ("spec.json", 0o640, own),
        ("identity.json", 0o640, own),
        ("log", 0o640, own),
        ("keeper.sock", 0o660, own),
    ] {
        let stat = world.file(&session, name).metadata().unwrap();
        let found = stat.permissions().mode() & 0o7777;
        assert_eq!((found, stat.uid()), (mode, owner), "{name}: {found:o}");
    }
}

#[test]
fn the_environment_is_whole_and_its_secrets_are_nowhere_else() {
    let mut world = World::new();
    let canary = "canary-7f3a";
    let digest = Digest::keyed(b"k", canary.as_bytes());
    let mut order = world.order("env", 1, "/bin/sh", &["-c", "env; echo base {BASE} id {ID}"]);
    let mut launch = LaunchSpec::clone(&order.launch);
    launch.env.insert("TOKEN".to_owned(), EnvValue::Secret(digest));
    let of_user = format!("{}-{canary}", world.user.0.as_str());
    let digest_of_user = Digest::keyed(b"k", of_user.as_bytes());
    launch.env.insert("USER_TOKEN".to_owned(), EnvValue::Secret(digest_of_user));
    launch.env.insert("SCRATCH".to_owned(), EnvValue::Plain("/scratch/{USER}".to_owned()));
    launch.program.env.insert("SOCK".to_owned(), "{SOCKET}".to_owned());
    order.launch = Launch::new(launch);
    let missing = world.launcher.start(&order, &Secrets::default(), Moment(1)).unwrap_err();
    assert!(missing.to_string().contains("TOKEN"), "{missing}");
    let mut secrets = Secrets::new(b"k");
    assert_eq!(secrets.keep(canary.to_owned()), digest);
    secrets.keep(format!("{{USER}}-{canary}"));
    world.launcher.start(&order, &secrets, Moment(1)).unwrap();
    world.wait_for_exit(&order.incarnation);
    let log = world.log(&order.incarnation);
    let name = world.user.0.as_str();
    let socket = world.layout.user_dir(&order.incarnation).join("app.sock");
    for line in [
        format!("TOKEN={canary}"),
        format!("USER_TOKEN={of_user}"),
        format!("SCRATCH=/scratch/{name}"),
        format!("SOCK={}", socket.display()),
        format!("USER={name}"),
        "WHARF_SESSION=env".to_owned(),
        "base /s/env id env".to_owned(),
    ] {
        assert!(log.lines().any(|found| found == line), "{line} is not in {log}");
    }
    assert!(!log.contains("CARGO"), "the engine's own environment is not passed on: {log}");
    for name in ["spec.json", "identity.json", "exit.json"] {
        let text = std::fs::read_to_string(world.file(&order.incarnation, name)).unwrap();
        assert!(!text.contains(canary), "{name}");
    }
}

#[test]
fn a_keeper_belongs_to_nobody_and_a_new_engine_finds_it() {
    let mut world = World::new();
    let order = world.order("outlives", 1, "/bin/sleep", &["1000"]);
    world.start(&order);
    let seen = world.wait_until_running(&order.incarnation);
    let identity = identity(&world, &order.incarnation);
    let parent = engine::keeper::process::stat(identity.keeper.pid).unwrap().unwrap().parent;
    assert_ne!(parent, std::process::id(), "the keeper is no child of its starter");
    let stat = engine::keeper::process::stat(identity.keeper.pid).unwrap().unwrap();
    let own = engine::keeper::process::stat(std::process::id()).unwrap().unwrap();
    assert_ne!((stat.session, stat.group), (own.session, own.group));
    world.restart_engine();
    let again = world.wait_until_running(&order.incarnation);
    assert_eq!((again.pid, again.kept), (seen.pid, true));
}

/// Not a test of its own: the starter that the next one kills.
#[test]
fn starter_for_another_test() {
    let Some(dir) = std::env::var_os("WHARF_TEST_STARTER") else { return };
    let mut world = World::at(std::path::Path::new(&dir));
    world.shell("orphaned", "echo up; exec sleep 1000");
    println!("started");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_session_outlives_a_starter_that_is_killed() {
    use std::io::{BufRead, BufReader};
    let mut world = World::new();
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sessions::starter_for_another_test", "--nocapture"])
        .env("WHARF_TEST_STARTER", world.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("started")));
    let session = world.order("orphaned", 1, "/bin/sh", &[]).incarnation;
    world.wait_for_log(&session, "up");
    let before = world.wait_until_running(&session);
    starter.kill().unwrap();
    starter.wait().unwrap();
    let after = world.observe(&session);
    let after = after.present().unwrap();
    assert_eq!((after.pid, after.kept, &after.phase), (before.pid, true, &Phase::Starting));
    world.end(&session, 5000);
    assert_eq!(world.wait_for_exit(&session).signal, Some(15));
}

#[test]
fn a_session_whose_keeper_was_killed_lives_on_and_still_ends_with_its_grace() {
    let mut world = World::new();
    let script = "trap 'echo told; exit 3' TERM
        (sh -c 'echo pid $$; exec sleep 1000' &)
        while :; do sleep 0.1; done";
    let session = world.shell("unkept", script);
    world.wait_until_running(&session);
    let log = world.wait_for_log(&session, "pid ");
    let before = identity(&world, &session);
    kill(before.keeper);
    let seen = world.observe(&session);
    let seen = seen.present().unwrap();
    assert_eq!((seen.phase.clone(), seen.kept), (Phase::Starting, false));
    assert!(before.child.is_running().unwrap());
    world.end(&session, 10_000);
    let exit = world.wait_for_exit(&session);
    assert!(exit.asked && exit.failure.contains("keeper was gone"), "{exit:?}");
    world.wait_for_log(&session, "told");
    let left = log.trim().strip_prefix("pid ").unwrap().parse().unwrap();
    assert!(!is_running(left), "what it left goes with it");
}

#[test]
fn both_killed_is_an_end_of_which_nothing_is_known() {
    let mut world = World::new();
    let session = world.shell("both", "exec sleep 1000");
    world.wait_until_running(&session);
    let identity = identity(&world, &session);
    kill(identity.keeper);
    // It may be over by itself: without its keeper, a child that waits for its orders gets none.
    identity.child.signal(Signal::KILL).unwrap();
    let exit = world.wait_for_exit(&session);
    assert_eq!((exit.code, exit.signal, exit.asked), (None, None, false));
    assert!(exit.failed() && exit.failure.contains("not known"), "{exit:?}");
    world.launcher.forget(&session).unwrap();
}

#[test]
fn what_is_not_over_is_not_removed() {
    let mut world = World::new();
    let session = world.shell("lives", "exec sleep 1000");
    world.wait_until_running(&session);
    let error = world.launcher.forget(&session).unwrap_err();
    assert!(matches!(error, LaunchError::Refused { .. }), "{error}");
    assert!(world.observe(&session).present().is_some());
}

#[test]
fn a_directory_that_is_not_understood_is_unknown_and_never_absent() {
    let mut world = World::new();
    let session = world.shell("torn", "exec sleep 1000");
    world.wait_until_running(&session);
    let file = world.file(&session, IDENTITY);
    let whole = std::fs::read(&file).unwrap();
    let put = |bytes: &[u8]| {
        let beside = file.with_extension("new");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(&beside, &file).unwrap();
    };
    put(&whole[..whole.len() / 2]);
    let torn = world.observe(&session);
    assert!(
        torn.unknown_reason().is_some_and(|r| r.contains("identity.json is damaged")),
        "{torn:?}"
    );
    put(br#"{"format":99,"shape":"another"}"#);
    let newer = world.observe(&session);
    assert!(newer.unknown_reason().is_some_and(|r| r.contains("newer wharf")), "{newer:?}");
    put(&whole);
    world.wait_until_running(&session);
}

#[test]
fn a_spec_of_a_newer_format_is_unknown() {
    let mut world = World::new();
    let session = world.shell("newer", "exec sleep 1000");
    world.wait_until_running(&session);
    let file = world.file(&session, "spec.json");
    let text = std::fs::read_to_string(&file).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    assert!(world.observe(&session).is_unknown());
}

#[test]
fn a_start_that_a_crash_cut_short_is_recognised() {
    let mut world = World::new();
    let path = world.layout.sessions().join("cut/3");
    std::fs::create_dir_all(&path).unwrap();
    let order = world.order("cut", 3, "/bin/true", &[]);
    let seen = world.observe(&order.incarnation);
    assert_eq!(seen.present().unwrap().phase, Phase::Preparing);
    world.restart_engine_without_patience();
    let exit = world.wait_for_exit(&order.incarnation);
    assert!(exit.failure.contains("never started"), "{exit:?}");
    world.launcher.forget(&order.incarnation).unwrap();
}

#[test]
fn other_things_in_the_directory_are_no_sessions() {
    let mut world = World::new();
    for name in ["UPPER/1", "ok/007", "ok/x", "ok/.1.gone", "ok/-1"] {
        std::fs::create_dir_all(world.layout.sessions().join(name)).unwrap();
    }
    std::fs::write(world.layout.sessions().join("file"), "").unwrap();
    std::fs::remove_file(world.layout.sessions().join("file")).unwrap();
    assert!(world.launcher.observe(Moment(1)).unwrap().is_empty());
}

#[test]
fn the_wrong_account_is_refused() {
    let mut world = World::new();
    let mut order = world.order("forged", 1, "/bin/true", &[]);
    order.user.uid += 1;
    let error = world.launcher.start(&order, &Secrets::default(), Moment(1)).unwrap_err();
    assert!(error.to_string().contains("the order says"), "{error}");
    let mut order = world.order("rooted", 1, "/bin/true", &[]);
    order.launch = order.launch.with(|launch| launch.user = "root".parse().unwrap());
    (order.user.uid, order.user.gid) = (0, 0);
    let error = world.launcher.start(&order, &Secrets::default(), Moment(1)).unwrap_err();
    assert!(error.to_string().contains("never run as root"), "{error}");
    assert!(world.launcher.observe(Moment(1)).unwrap().is_empty(), "nothing was left behind");
}

#[test]
fn the_hidden_commands_do_nothing_without_their_orders() {
    for args in [&["__keep"][..], &["__keeper", "/nowhere"], &["__child"], &["__child", "x"]] {
        let status = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success(), "{args:?}");
    }
}
