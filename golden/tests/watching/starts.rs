//! Starts whose files do not say for sure what they are: they do not answer, cannot be read, are half written or gone.
//! The engine goes on as the one that it was, or begins nothing; commands say what they can.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use golden::real::engine::{command, is, ran};
use golden::real::{Engine, Own, Process, Ran, Site, SlowFs, holds_for, wait_for, within};
use rustix::process::Signal;

use super::mounts::{ENDS, SHORT_PATIENCE};
use super::{Connected, wharf_toml};

/// The whole site hangs while the engine is started.
fn a_start_without_files() {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml("1s", "0s"));
    site.write("sessions.d/one.toml", ENDS);
    let (dir, real) = (site.dir(), site.around().join("real"));
    std::fs::rename(&dir, &real).and_then(|()| std::fs::create_dir(&dir)).expect("it is ours");
    let Some(slow) = SlowFs::mount(&real, &dir) else { return };
    let mut engine = Engine::start_told(site, dir, SHORT_PATIENCE);
    let sessions = Connected::to(&mut engine, &["one"]);
    let port = engine.listening();
    engine.kill_9();
    slow.hangs();
    engine.restart();
    // Adopted, the same process, and reached by the same address.
    let mut sessions = sessions.are_adopted_by(&mut engine);
    assert_eq!(engine.listening(), port);
    let status = engine.wait_status("the files are missed", |status| {
        status.refused.is_some().then(|| status.clone())
    });
    assert_eq!(status.generation.0, 1);
    assert!(status.reading_since.is_some(), "{status:?}");
    assert!(status.refused.expect("as waited for").problems[0].contains("does not answer"));
    is(&engine.admin(&["plan"]), 1, "does not answer");
    assert!(engine.said().contains("begins with what its store has"), "{}", engine.said());
    // They answer.
    slow.takes(Duration::ZERO);
    engine.wait_status("as before", |status| {
        let rest = status.refused.is_none() && status.settled && status.holds.is_empty();
        rest.then_some(())
    });
    sessions.are_known_to(&mut engine);
    is(&engine.admin(&["plan", "--detailed-exitcode"]), 0, "No changes");
    assert_eq!(engine.status().expect("it answers").generation.0, 1);
    // And an edit is one again.
    std::fs::remove_file(real.join("sessions.d/one.toml")).expect("it is there");
    engine.wait_status("none is wanted", |status| {
        status.sessions.iter().all(|session| session.pid.is_none()).then_some(())
    });
}

#[test]
fn an_engine_that_is_started_while_its_files_do_not_answer_adopts_and_serves() {
    within(
        Own::Mounts,
        an_engine_that_is_started_while_its_files_do_not_answer_adopts_and_serves,
        a_start_without_files,
    );
}

/// What is done to the policy file `F` of the site `D`, and what the engine says of it. `O` is a directory elsewhere.
const DAMAGES: &[(&str, &str)] = &[
    (r#"head -c 9 "$O/whole" >"$F""#, "wharf.toml:1"),
    (r#"printf 'instance = "other"\nmode = 1\n' >"$F""#, "wharf.toml:2"),
    (r#": >"$F""#, "is gone or empty, and was there at the last start"),
    (r#"rm "$F""#, "is gone or empty, and was there at the last start"),
    (r#"rm "$F"; mkdir "$F""#, "wharf.toml"),
    (r#"rm "$F"; ln -s nowhere "$F""#, "wharf.toml"),
    (r#"mv "$D" "$O/site""#, "there is no such directory"),
    (r#"mv "$D" "$O/site"; mkdir "$D""#, "is gone or empty, and was there at the last start"),
    (r#"mv "$D" "$O/site"; : >"$D""#, "is no directory"),
];

/// Makes it whole again.
const WHOLE: &str = r#"[ ! -e "$O/site" ] || { rm -rf "$D"; mv "$O/site" "$D"; }
    [ ! -d "$F" ] || rmdir "$F"; rm -f "$F"; cp "$O/whole" "$F""#;

/// The instances that have a directory for their state.
fn instances(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.around().join("state")).expect("it is ours").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[test]
fn an_engine_whose_policy_is_lost_or_torn_is_the_one_that_it_was_and_a_first_one_begins_nothing() {
    let site = Site::empty();
    let (store, other) = (site.around().join("store/store"), site.around().join("other"));
    for dir in [store.parent().expect("it has one"), &other] {
        std::fs::create_dir(dir).expect("it is ours");
    }
    site.write("sessions.d/one.toml", ENDS);
    let policy = format!("{}[store]\npath = \"{}\"\n", wharf_toml("1s", "0s"), store.display());
    // A first start: what is wrong is shown, and nothing is made.
    site.write("wharf.toml", "instance = \"t\nmode = 1\n");
    let first = ran(command(site.around()).arg("serve").arg(site.dir()));
    is(
        &first,
        1,
        "does not say which instance this is and where its store is, so nothing is begun",
    );
    assert!(first.stderr.contains("WH0501") && first.stderr.contains("wharf.toml"), "{first:?}");
    assert!(!site.around().join("state").exists());

    site.write("wharf.toml", &policy);
    std::fs::write(other.join("whole"), &policy).expect("it is ours");
    let mut engine = Engine::start(site);
    let mut sessions = Connected::to(&mut engine, &["one"]);
    let (dir, file) = (engine.site.dir(), engine.site.path("wharf.toml"));
    let places: [(&str, &Path); 3] = [("D", &dir), ("F", &file), ("O", &other)];
    for (damage, words) in DAMAGES {
        engine.kill_9();
        super::sh(damage, &places);
        let before = engine.said().len();
        engine.restart();
        sessions = sessions.are_adopted_by(&mut engine);
        let said = engine.said()[before..].to_owned();
        let line = said.lines().find(|line| line.contains("begins with what its store has"));
        assert!(line.is_some_and(|line| line.contains(words)), "{damage}: {said}");
        let status = engine.wait_status("the files are refused", |status| {
            status.refused.is_some().then(|| status.clone())
        });
        assert_eq!((status.instance.as_str(), status.generation.0), ("t", 1), "{damage}");
        // Without an engine commands mean the same one.
        engine.kill_9();
        let check = ran(engine.command().args(["state", "check", "--json"]).arg(&dir));
        is(&check, 0, &store.display().to_string());
        engine.restart();
        sessions = sessions.are_adopted_by(&mut engine);
        super::sh(WHOLE, &places);
        is(&engine.admin(&["reload", "--wait"]), 0, "");
        sessions.are_known_to(&mut engine);
    }
    assert_eq!(instances(&engine.site), ["t"]);
    assert_eq!(engine.status().expect("it answers").generation.0, 1);
    // A policy that is sound is believed, also where it says something else than before.
    engine.kill_9();
    engine
        .site
        .write("wharf.toml", &policy.replace("\"t\"", "\"u\"").replace("/store/", "/other/"));
    super::sh(r#"rm "$D/sessions.d/one.toml""#, &places);
    engine.restart();
    assert_eq!(engine.status().expect("it answers").instance, "u");
    // What the first one left, its session with it.
    engine.end(Signal::TERM);
    engine.site.write("wharf.toml", &policy);
    engine.restart();
}

#[test]
fn the_last_start_is_the_one_that_was_last_also_where_an_earlier_one_was_told_the_same() {
    let site = Site::empty();
    // The state directory is reached by another name than its own.
    std::fs::create_dir(site.around().join("disk")).expect("it is ours");
    std::os::unix::fs::symlink("disk", site.around().join("state")).expect("it is ours");
    let mut engine = Engine::start(site);
    let policy = wharf_toml("1s", "0s");
    for instance in ["u", "t"] {
        engine.site.write("wharf.toml", &policy.replace("\"t\"", &format!("\"{instance}\"")));
        let line = engine.wait_status("it is said", |status| status.next_start.first().cloned());
        is(&engine.admin(&["status"]), 0, &format!("RESTART {line}"));
        assert!(line.starts_with(&format!("instance of wharf.toml is \"{instance}\"")), "{line}");
        engine.end(Signal::TERM);
        engine.restart();
        let status = engine.status().expect("it answers");
        assert_eq!((status.instance.as_str(), status.next_start.len()), (instance, 0));
    }
    let state = engine.site.around().join("state");
    let record = |instance: &str| state.join(instance).join("start.json");
    assert!(record("t").exists() && !record("u").exists());
    engine.kill_9();
    std::fs::rename(engine.site.dir(), engine.site.around().join("away")).expect("it is ours");
    engine.restart();
    assert_eq!(engine.status().expect("it answers").instance, "t");
    // What a newer version has put there says nothing to this one: without files that are sound it would be a guess.
    engine.kill_9();
    std::fs::write(record("t"), "{\"format\":2}").expect("it is ours");
    let shown = engine.site.dir().display().to_string();
    for command in [&["serve", &shown][..], &["state", "check", &shown]] {
        is(&ran(engine.command().args(command)), 1, "another version of wharf (format 2)");
    }
    std::fs::rename(engine.site.around().join("away"), engine.site.dir()).expect("it is ours");
    engine.restart();
    assert_eq!(engine.status().expect("it answers").instance, "t");
}

/// An engine without a test's own waiting, as systemd starts it.
struct Unit {
    around: PathBuf,
    socket: UnixDatagram,
    child: Child,
}

impl Unit {
    fn start(site: &Site) -> Self {
        let around = site.around().to_owned();
        let notify = around.join("notify");
        let _ = std::fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).expect("it is ours");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let log = std::fs::File::create(around.join("log")).expect("it is ours");
        let mut serve = command(&around);
        serve.arg("serve").arg(site.dir()).args(SHORT_PATIENCE).env("NOTIFY_SOCKET", notify);
        let out = log.try_clone().expect("a descriptor more");
        let child = serve.stdout(out).stderr(log).spawn().expect("wharf can be started");
        Self { around, socket, child }
    }

    /// Whether systemd was told since last time.
    fn is_ready(&self) -> bool {
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| {
            self.socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
        })
        .any(|told| told.starts_with(b"READY=1"))
    }

    fn wait_ready(&self) {
        wait_for("systemd is told", || self.is_ready().then_some(()).ok_or_else(|| self.said()));
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.around.join("log")).expect("it is ours")
    }

    fn kill_9(&mut self) {
        Process::of(self.child.id()).expect("it runs").signal(Signal::KILL);
        self.child.wait().expect("it is ours");
    }
}

/// Commands that say what there is of an instance, engine or none; each at once, since no file is waited for.
fn commands_say_what_they_can(around: &Path, engine: bool, dirs: &[&str]) {
    let run = |args: &[&str]| -> Ran {
        let began = std::time::Instant::now();
        let ran = ran(command(around).args(SHORT_PATIENCE).args(args).args(dirs));
        assert!(began.elapsed() < Duration::from_secs(15), "{args:?}: {ran:?}");
        ran
    };
    is(&run(&["state", "check", "--json"]), 0, "\"instance\": \"t\"");
    let copy = around.join("copy.jsonl").display().to_string();
    is(&run(&["state", "export", "--force", "--out", &copy]), 0, "of instance t");
    let plan = run(&["uninstall", "--plan", "--json"]);
    is(&plan, 0, "which of their directories are there was not looked at");
    assert!(plan.stdout.contains(&around.join("site").display().to_string()), "{plan:?}");
    let archive = around.join(format!("{engine}-{}.tar", dirs.len())).display().to_string();
    let support = run(&["support", "--out", &archive]);
    is(&support, 0, "not run, since the files it reads do not answer");
    assert!(support.stdout.contains("state-check.json"), "{support:?}");
    assert_eq!(engine, support.stdout.contains("status.json"), "{support:?}");
}

fn silence_from_the_first_start_on() {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml("1s", "0s"));
    let (dir, real) = (site.dir(), site.around().join("real"));
    std::fs::rename(&dir, &real).and_then(|()| std::fs::create_dir(&dir)).expect("it is ours");
    let Some(slow) = SlowFs::mount(&real, &dir) else { return };
    slow.hangs();
    let mut unit = Unit::start(&site);
    wait_for("it says what it waits for", || {
        let said = unit.said();
        said.contains("the files are waited for").then_some(()).ok_or(said)
    });
    holds_for(Duration::from_millis(300), || assert!(!unit.is_ready(), "nothing can run yet"));
    let shown = dir.display().to_string();
    let check = ran(command(site.around()).args(SHORT_PATIENCE).args(["state", "check", &shown]));
    is(&check, 1, "no start of this site is on record: say which instance with --instance");
    slow.takes(Duration::ZERO);
    unit.wait_ready();
    unit.kill_9();
    // Once it has been there it does not wait for them.
    slow.hangs();
    let mut unit = Unit::start(&site);
    unit.wait_ready();
    assert!(unit.said().contains("begins with what its store has"), "{}", unit.said());
    commands_say_what_they_can(site.around(), true, &[]);
    commands_say_what_they_can(site.around(), true, &[&shown]);
    slow.takes(Duration::ZERO);
    unit.kill_9();
    slow.hangs();
    // Whose request the file system has taken up cannot even be killed: this thread, and none of the commands.
    let hanging = std::thread::spawn(move || std::fs::read_dir(dir).map(Iterator::count));
    holds_for(Duration::from_millis(100), || assert!(!hanging.is_finished()));
    commands_say_what_they_can(site.around(), false, &[]);
    commands_say_what_they_can(site.around(), false, &[&shown]);
    slow.takes(Duration::ZERO);
    hanging.join().expect("it does not panic").expect("it answers at last");
}

#[test]
fn a_first_start_waits_for_its_files_and_later_ones_and_commands_do_not() {
    within(
        Own::Mounts,
        a_first_start_waits_for_its_files_and_later_ones_and_commands_do_not,
        silence_from_the_first_start_on,
    );
}
