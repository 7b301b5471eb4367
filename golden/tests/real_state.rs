//! The store of a real engine: exported while it runs, lost, and made anew of the export; what `state check`, `support`
//! and `uninstall --plan` say with an engine and without one, and that they change nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use golden::real::engine::{is, ran, session};
use golden::real::site::wharf_toml;
use golden::real::{Engine, Process, Ran, Site};
use rustix::process::Signal;
use serde_json::Value;

/// A site in which everything that a store remembers can come about.
fn site() -> Site {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml("60s"));
    site.write("templates.d/small.toml", "workbench = \"demo\"\n");
    let port = golden::real::Port::free();
    let range = format!("port-range = \"{0}-{0}\"\naddress = \"127.0.0.1\"\n", port.number());
    site.write("gateways.d/lab.toml", &range);
    site.write("sessions.d/lab.toml", "workbench = \"demo\"\n[publish]\ngateway = \"lab\"\n");
    site
}

fn state(engine: &Engine) -> PathBuf {
    engine.site.around().join("state/t")
}

/// Asks about the site, engine or none.
fn of_site(engine: &Engine, args: &[&str]) -> Ran {
    ran(engine.command().args(args).arg(engine.site.dir()))
}

/// Every file below a directory with its bytes.
fn files_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.insert(path.clone(), std::fs::read(&path).expect("it is ours"));
        }
    }
    files
}

/// What is to be the same after everything was lost and put back.
fn remembered(engine: &mut Engine) -> (Vec<String>, BTreeMap<String, String>, String, Value) {
    let status = engine.wait_status("all run and nothing is left to do", |status| {
        let running = status.sessions.iter().filter(|session| session.state == "running").count();
        (status.settled && running == 3).then(|| status.clone())
    });
    let sessions =
        status.sessions.iter().map(|s| format!("{}#{} {:?}", s.id, s.incarnation, s.pid));
    let overrides = status.overrides.iter().map(|given| (given.id.clone(), given.what.clone()));
    let gateways = format!("{:?} {}", status.gateways, status.generation);
    let history = engine.admin(&["history", "--json"]);
    let history = serde_json::from_str(&history.stdout).expect("a list");
    (sessions.collect(), overrides.collect(), gateways, history)
}

#[test]
fn what_was_exported_is_back_after_the_store_is_lost() {
    let mut engine = Engine::start(site());
    let processes = [engine.running("demo"), engine.running("lab")];
    let status = engine.status().expect("it answers");
    let user = session(&status, "demo").expect("it is there").user.clone();
    let start = ["session", "start", "--template", "small", "--user", &user];
    is(&engine.admin(&start), 0, "is to run");
    engine.site.write("launcher-env", "JobType: session\nEnvironment: TZ=UTC\n");
    engine.wait_status("the second generation", |status| (status.generation.0 == 2).then_some(()));
    is(&engine.admin(&["history", "pin", "1", "--reason", "INC1"]), 0, "generation 1 acts");
    let node = engine.status().expect("it answers").node;
    is(&engine.admin(&["node", "cordon", &node]), 0, "");
    let before = remembered(&mut engine);
    assert_eq!((before.0.len(), before.1.len()), (3, 2), "{before:?}");

    // Taken while the engine runs; for this account only, and over nothing.
    let copy = engine.site.around().join("copy.jsonl");
    let out = copy.display().to_string();
    is(&engine.admin(&["state", "export", "--out", &out]), 0, "from the running engine");
    assert_eq!(std::fs::metadata(&copy).expect("it is there").permissions().mode() & 0o777, 0o600);
    is(&engine.admin(&["state", "export", "--out", &out]), 1, "is there already: --force");
    is(&engine.admin(&["state", "export", "--out", &out, "--force", "--json"]), 0, "\"engine\"");
    is(&engine.admin(&["state", "check"]), 0, "3 of them with a living session");
    is(&engine.admin(&["state", "import", &out, "--replace"]), 69, "runs already");

    engine.kill_9();
    is(&of_site(&engine, &["state", "import", &out]), 1, "there is a store");
    // Files that were given and cannot be looked at do not become those that were there.
    let gone = |command: &[&str]| {
        engine.admin(&[&["--instance", "t", "state"], command, &["/nowhere"]].concat())
    };
    is(&gone(&["import", &out]), 1, "/nowhere: there is no such directory");
    is(&gone(&["check"]), 0, "/nowhere: there is no such directory");
    let dir = state(&engine);
    std::fs::remove_dir_all(dir.join("store")).expect("it is there");
    for name in ["store.jsonl", "store.jsonl.1"] {
        let _ = std::fs::remove_file(dir.join(name));
    }
    // Whose it is not, and what cannot be opened, is said before anything is made.
    let key = std::fs::read(dir.join("key")).expect("it is there");
    std::fs::write(dir.join("key"), "0".repeat(64)).expect("it is ours");
    is(&of_site(&engine, &["state", "import", &out]), 1, "--other-key");
    std::fs::write(dir.join("key"), key).expect("it is ours");
    is(&engine.admin(&["--instance", "u", "state", "import", &out]), 1, "--other-instance");
    assert!(!dir.join("store").exists());

    is(&of_site(&engine, &["state", "import", &out]), 0, "sessions that live are found again");
    is(&of_site(&engine, &["state", "check"]), 0, "whole: every record has its digest");
    engine.restart();
    assert_eq!(remembered(&mut engine), before);
    assert!(processes.iter().all(|process| process.is_alive()));
    is(&engine.admin(&["plan", "--detailed-exitcode"]), 0, "No changes.");
    is(&engine.admin(&["state", "check"]), 0, "from the running engine");
    // Told by a person before, and still so.
    is(&engine.admin(&["history", "unpin"]), 0, "acts again");
}

#[test]
fn damage_and_disagreement_are_said_and_nothing_is_changed() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    // A copy of what was known before the session was ever started.
    assert_eq!(engine.end(Signal::TERM), Some(0));
    let dir = state(&engine);
    let whole = files_below(&dir);
    let check = of_site(&engine, &["state", "check"]);
    is(&check, 0, "from the store");
    assert_eq!(files_below(&dir), whole, "looking changes nothing");

    // The store forgets the session, the session does not forget itself.
    let copy = engine.site.around().join("copy.jsonl");
    let out = copy.display().to_string();
    let export =
        ran(engine.command().args(["state", "export", "--out", &out]).arg(engine.site.dir()));
    is(&export, 0, "no engine runs");
    std::fs::remove_dir_all(dir.join("store/data")).expect("it is there");
    for name in ["store.jsonl", "store.jsonl.1"] {
        let _ = std::fs::remove_file(dir.join(name));
    }
    let lost = of_site(&engine, &["state", "check", "--json"]);
    is(&lost, 1, "its data are gone");
    is(&lost, 1, "the store knows no start of it");
    is(&of_site(&engine, &["state", "import", &out, "--replace"]), 0, "put into");

    // One byte of what lies on the disk.
    let db = dir.join("store/data/db");
    let mut bytes = std::fs::read(&db).expect("it is there");
    let text = b"number/demo";
    let at = bytes.windows(text.len()).position(|part| part == text).expect("the key is in it");
    bytes[at + text.len() + 24] ^= 0xff;
    std::fs::write(&db, &bytes).expect("it is ours");
    let before = files_below(&dir);
    let damaged = of_site(&engine, &["state", "check"]);
    is(&damaged, 1, "damaged: ");
    assert!(damaged.stdout.contains("moves it aside"), "{damaged:?}");
    assert_eq!(files_below(&dir), before, "looking changes nothing");
    assert!(demo.is_alive());
    engine.restart();
}

/// The names in an archive, without the directory that holds them.
fn names_in(archive: &Path) -> Vec<String> {
    let listed = ran(std::process::Command::new("tar").arg("tf").arg(archive));
    assert_eq!(listed.code, Some(0), "{listed:?}");
    listed.stdout.lines().filter_map(|line| Some(line.split_once('/')?.1.to_owned())).collect()
}

/// One file of it.
fn text_in(archive: &Path, name: &str) -> String {
    let named = format!("*/{name}");
    let mut tar = std::process::Command::new("tar");
    let found = ran(tar.args(["--wildcards", "-xOf"]).arg(archive).arg(&named));
    assert_eq!(found.code, Some(0), "{found:?}");
    found.stdout
}

/// The files say where the store is, and nobody says where the files are once the engine was there.
#[test]
fn a_store_that_the_files_move_is_found_with_an_engine_and_without() {
    let site = Site::demo();
    let store = site.around().join("elsewhere/store");
    std::fs::create_dir(site.around().join("elsewhere")).expect("it is ours");
    let moved = format!("{}[store]\npath = \"{}\"\n", wharf_toml("60s"), store.display());
    site.write("wharf.toml", &moved);
    let mut engine = Engine::start(site);
    engine.running("demo");
    let dir = state(&engine);
    assert!(store.join("format").is_file() && !dir.join("store").exists());
    let shown = store.display().to_string();
    let stays = |plan: &Value| plan["plan"]["stays"].to_string();
    assert!(stays(&uninstall(&engine)).contains(&shown));

    engine.kill_9();
    let copy = engine.site.around().join("copy.jsonl").display().to_string();
    let export = engine.admin(&["state", "export", "--out", &copy]);
    is(&export, 0, &format!("from the store {shown}"));
    is(&engine.admin(&["state", "check"]), 0, "whole: every record has its digest");
    is(&engine.admin(&["--instance", "t", "state", "check", "--json"]), 0, &shown);
    let told = engine.admin(&["uninstall", "--plan", "--json"]);
    is(&told, 0, &shown);
    is(&told, 0, &format!(" {}", engine.site.dir().display()));
    let archive = engine.site.around().join("moved.tar");
    let out = archive.display().to_string();
    is(&engine.admin(&["support", "--out", &out, "--session-log", "demo"]), 0, "plan.txt");
    assert!(text_in(&archive, "state-check.json").contains(&shown));

    std::fs::remove_dir_all(&store).expect("it is there");
    for name in ["store.jsonl", "store.jsonl.1"] {
        let _ = std::fs::remove_file(store.with_file_name(name));
    }
    is(&engine.admin(&["state", "import", &copy]), 0, &format!("put into {shown}"));
    assert!(store.join("format").is_file() && !dir.join("store").exists());

    // Of two that left something, somebody has to say which; of one that is not here, nothing is known.
    std::fs::create_dir_all(dir.with_file_name("u/store")).expect("it is ours");
    is(&engine.admin(&["state", "export", "--out", &out]), 1, "several instances are here: t, u");
    is(
        &engine.admin(&["--instance", "u", "state", "export"]),
        1,
        "give the directory of its files",
    );
    engine.restart();
    is(&engine.admin(&["state", "check"]), 0, "from the running engine");
}

/// What a record says, in the words of whoever reads it, steers no terminal.
#[test]
fn words_of_a_damaged_record_are_shown_and_not_obeyed() {
    let mut engine = Engine::start(Site::demo());
    engine.running("demo");
    let copy = engine.site.around().join("copy.jsonl");
    let out = copy.display().to_string();
    is(&engine.admin(&["state", "export", "--out", &out]), 0, "");
    engine.kill_9();
    let recorded = engine.site.around().join("round.json");
    std::fs::write(&recorded, "{\"format\":\"\u{9b}31m\"}").expect("it is ours");
    let replan = engine.admin(&["replan", &recorded.display().to_string()]);
    std::fs::write(&copy, "{\"wharf-store\":\"\u{9b}31m\"}\n").expect("it is ours");
    let import = engine.admin(&["state", "import", &out]);
    for said in [replan, import] {
        assert_eq!(said.code, Some(1), "{said:?}");
        let both = format!("{}{}", said.stdout, said.stderr);
        assert!(both.chars().all(|c| c == '\n' || !c.is_control()), "{both:?}");
    }
    engine.restart();
}

fn uninstall(engine: &Engine) -> Value {
    let plan = of_site(engine, &["uninstall", "--plan", "--json"]);
    is(&plan, 0, "commands");
    serde_json::from_str(&plan.stdout).expect("an object")
}

/// Sessions that would end: id and process.
fn ends(plan: &Value) -> Vec<(String, u64)> {
    let by_account = plan["plan"]["ends"].as_object().expect("by account");
    let all = by_account.values().flat_map(|of| of.as_array().expect("a list"));
    let of = |living: &Value| {
        let id = living["session"].as_str().expect("an id").to_owned();
        (id, living["pid"].as_u64().expect("a number"))
    };
    all.map(of).collect()
}

#[test]
fn support_and_uninstall_say_what_there_is_with_an_engine_and_without() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    let told = |engine: &Engine| {
        let plan = uninstall(engine);
        assert_eq!(ends(&plan), [("demo".to_owned(), u64::from(demo.pid))], "{plan}");
        plan["plan"]["commands"].to_string()
    };
    let running = told(&engine);
    assert!(running.contains("wharf session stop --all --wait --instance t"), "{running}");
    assert!(running.contains("is free again"), "{running}");
    let archive = engine.site.around().join("with.tar");
    let out = archive.display().to_string();
    is(&engine.admin(&["support", "--out", &out, "--session-log", "demo"]), 0, "Left out");
    assert_eq!(
        std::fs::metadata(&archive).expect("it is there").permissions().mode() & 0o777,
        0o600
    );
    is(&engine.admin(&["support", "--out", &out]), 1, "it is there already");
    let names = names_in(&archive);
    for name in [
        "README.txt",
        "version.json",
        "check.txt",
        "dump.json",
        "doctor.json",
        "state-check.json",
        "plan.txt",
        "plan.json",
        "status.txt",
        "status.json",
        "pending.json",
        "history.json",
        "history-newest.txt",
        "overrides.json",
        "windows.json",
        "session-demo.log",
        "rounds.json",
        "machine.txt",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }

    engine.kill_9();
    let dead = told(&engine);
    assert!(dead.contains(&format!("kill {}", demo.pid)), "{dead}");
    assert!(demo.is_alive(), "nothing was done");
    let archive = engine.site.around().join("without.tar");
    let out = archive.display().to_string();
    let made = of_site(&engine, &["support", "--out", &out, "--session-log", "demo"]);
    is(&made, 0, "what only an engine knows: none answered; the plan is of the files alone");
    is(&made, 0, "the end of the log of demo#1");
    let names = names_in(&archive);
    for name in ["state-check.json", "plan.txt", "plan.json", "session-demo.log"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    assert!(!names.iter().any(|name| name == "status.json"), "{names:?}");
    let plan = text_in(&archive, "plan.txt");
    assert!(plan.contains("No engine was asked: planned from the files alone"), "{plan}");
    assert!(plan.contains("+ demo"), "{plan}");
    engine.restart();
    let status = engine.status().expect("it answers");
    let pid = session(&status, "demo").and_then(|of| Process::of(of.pid?));
    assert_eq!(pid, Some(demo));
    // The command that the plan gives: behind it nothing lives any more.
    is(&engine.admin(&["session", "stop", "--all", "--wait", "--instance", "t"]), 0, "");
    assert!(!demo.is_alive());
    assert!(ends(&uninstall(&engine)).is_empty());
}
