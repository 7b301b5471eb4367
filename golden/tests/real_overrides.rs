//! Commands against files on a real engine: overrides of nodes and of reconciliation itself, and a pinned generation;
//! each is shown first, survives a kill of the engine, and ends.

use std::path::Path;

use golden::real::engine::{is, session};
use golden::real::{Engine, Port, Site};

#[test]
fn a_node_is_told_something_else_than_its_file_says() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    let node = engine.status().expect("it answers").node;
    engine.site.write(&format!("nodes.d/{node}.toml"), "weight = 3\n");
    engine.wait_status("the file's weight", |status| {
        (status.nodes.get(&node)?.weight == 3).then_some(())
    });
    let told = engine.admin(&["node", "weight", &node, "7", "--reason", "CHG12", "--for", "2h"]);
    is(&told, 0, &format!("wharf override clear weight-{node}"));
    is(&engine.admin(&["node", "cordon", &node]), 0, "takes no new sessions until");
    engine.wait_status("it is cordoned", |status| {
        let seen = status.nodes.get(&node)?;
        (seen.state == "cordoned" && seen.weight == 0 && status.overrides.len() == 2).then_some(())
    });

    // Both are known again, each with the line that it hides.
    engine.kill_9();
    engine.restart();
    let file = format!("nodes.d/{node}.toml:1");
    let listed = engine.admin(&["override", "list"]);
    is(&listed, 0, &format!("hides {file} (by "));
    assert!(listed.stdout.contains(": CHG12)"), "{listed:?}");
    let plan = engine.admin(&["plan", "--detailed-exitcode"]);
    is(&plan, 0, "Overridden");
    is(&engine.admin(&["node", "list"]), 0, "cordoned   weight 0   1 sessions");

    // Ended one after the other; what the files say contradicts nothing, and leaves nothing behind.
    is(&engine.admin(&["node", "uncordon", &node]), 0, "as the files say");
    is(&engine.admin(&["override", "clear", &format!("weight-{node}")]), 0, "nothing any more");
    is(&engine.admin(&["override", "clear", "weight-x"]), 1, "wharf override list");
    engine.wait_status("the file holds again", |status| {
        let seen = status.nodes.get(&node)?;
        (seen.weight == 3 && seen.state == "online" && status.overrides.is_empty()).then_some(())
    });
    is(&engine.admin(&["node", "drain", "nobody"]), 1, "there is no node `nobody`");
    is(&engine.admin(&["node", "cordon", &node, "--for", "soon"]), 64, "--for soon");
    assert!(demo.is_alive());
}

#[test]
fn what_somebody_says_is_obeyed_by_no_terminal() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    let title = "\u{1b}]0;owned\u{7}";
    for refused in [
        engine.admin(&["session", "stop", "demo", "--reason", title]),
        engine.admin(&["node", "cordon", "n1", "--reason", "one\nREFUSED"]),
        engine.admin(&["pause", "--reason", &"x".repeat(401)]),
        engine.admin(&["history", "pin", "1", "--reason", title]),
    ] {
        is(&refused, 1, "");
        assert!(refused.stderr.starts_with("wharf: --reason: "), "{refused:?}");
        assert!(!refused.stderr.contains('\u{1b}'), "{refused:?}");
    }
    is(&engine.admin(&["override", "list"]), 0, "nothing is overridden");

    is(&engine.admin(&["why", title]), 1, "");
    assert!(demo.is_alive());
}

#[test]
fn a_pause_is_known_again_and_ends_by_itself() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    is(&engine.admin(&["pause", "--for", "6s", "--reason", "moving disks"]), 0, "paused until");
    engine.kill_9();
    engine.restart();
    engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\n");
    let paused = engine
        .wait_status("generation 2", |status| (status.generation.0 == 2).then(|| status.clone()));
    assert!(paused.paused && paused.overrides[0].reason == "moving disks", "{paused:?}");
    is(&engine.admin(&["status"]), 2, "override pause   nothing is changed until");
    engine.running("second");
    assert!(!engine.status().expect("it answers").paused && demo.is_alive());

    // An address that is edited during a pause is not opened before it is over, whatever dies.
    let (open, other) = (engine.listening(), Port::free());
    is(&engine.admin(&["pause"]), 0, "paused until");
    engine.site.write("rserver.conf", &engine.site.rserver_conf(other.number()));
    engine.wait_status("generation 3", |status| (status.generation.0 == 3).then_some(()));
    engine.kill_9();
    engine.restart();
    assert_eq!(engine.listening(), open);
    // People are let in there.
    let _ = engine.sign_in();
    is(&engine.admin(&["resume"]), 0, "reconciling again");
    engine.wait_status("resumed", |status| {
        let address = status.listeners.values().next()?;
        (!status.paused && address.ends_with(&format!(":{}", other.number()))).then_some(())
    });
}

#[test]
fn a_pinned_generation_acts_whatever_the_files_say() {
    let mut engine = Engine::start(Site::demo());
    let demo = engine.running("demo");
    let node = engine.status().expect("it answers").node;
    engine.site.write(&format!("nodes.d/{node}.toml"), "weight = 3\n");
    engine.wait_status("generation 2 acts", |status| {
        (status.nodes.get(&node)?.weight == 3 && status.generation.0 == 2).then_some(())
    });
    is(&engine.admin(&["history", "pin", "9"]), 1, "`wharf history` has those that are");
    is(&engine.admin(&["history", "pin", "1", "--reason", "INC7"]), 0, "generation 1 acts");
    let held = |status: &engine::status::StatusView| {
        let site = status.holds.iter().find(|hold| hold.resource == "site")?.clone();
        (status.nodes.get(&node)?.weight == 1 && status.acting?.0 == 1).then_some(site)
    };
    let hold = engine.wait_status("generation 1 acts", held);
    assert!(hold.standing && hold.waiting.contains("generation 1 is pinned"), "{hold:?}");

    // Newer files are numbered and wait; after a kill the pin holds, and nothing else has acted meanwhile.
    engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\n");
    engine.wait_status("generation 3 waits", |status| (status.generation.0 == 3).then_some(()));
    engine.kill_9();
    engine.restart();
    let status = engine.wait_status("generation 1 acts still", |status| {
        held(status).is_some().then(|| status.clone())
    });
    assert!(session(&status, "second").is_none(), "{status:?}");
    is(&engine.admin(&["history"]), 0, "acts, pinned");
    let shown = engine.admin(&["history", "show", "3"]);
    is(&shown, 0, "sessions.d/second.toml");
    is(&engine.admin(&["history", "show", "1"]), 0, "the oldest that is kept");
    is(&engine.admin(&["plan"]), 0, "! pin   generation 1 acts");

    is(&engine.admin(&["history", "unpin"]), 0, "the newest generation acts again");
    is(&engine.admin(&["history", "unpin"]), 1, "no generation is pinned");
    engine.running("second");
    assert!(demo.is_alive());
}

#[test]
fn a_recorded_round_holds_what_people_told() {
    let site = Site::demo();
    let (dir, records) = (site.dir(), site.around().join("rounds"));
    let mut engine = Engine::start_told(site, dir, &["--record", &records.to_string_lossy()]);
    engine.running("demo");
    let node = engine.status().expect("it answers").node;
    engine.site.write(&format!("nodes.d/{node}.toml"), "weight = 3\n");
    engine
        .wait_status("generation 2", |status| (status.nodes.get(&node)?.weight == 3).then_some(()));
    let replanned = |what: &str| {
        let found = std::fs::read_dir(&records).expect("rounds are recorded").find_map(|entry| {
            let path = entry.expect("it can be listed").path();
            let ran = engine.admin(&["replan", &path.to_string_lossy()]);
            ran.stdout.contains(what).then_some(())
        });
        found.ok_or_else(|| what.to_owned())
    };
    is(&engine.admin(&["node", "weight", &node, "7"]), 0, "has weight 7");
    golden::real::wait_for("the round", || replanned(&format!("because weight-{node} by ")));
    is(&engine.admin(&["override", "clear", &format!("weight-{node}")]), 0, "");
    is(&engine.admin(&["history", "pin", "1"]), 0, "generation 1 acts");
    golden::real::wait_for("the round", || replanned("generation 2 acts: generation 1 is pinned"));
    replans_as_json(&engine, &records);
}

/// The same as an object: each file's plan, whether it is what was planned then, or why there is none.
#[track_caller]
fn replans_as_json(engine: &Engine, records: &Path) {
    let listed = std::fs::read_dir(records).expect("rounds are recorded").flatten();
    let paths = listed.map(|entry| entry.path().to_string_lossy().into_owned());
    let mut files: Vec<String> = paths.filter(|path| path.ends_with(".json")).collect();
    files.sort();
    let (other, none) = (records.join("other.json"), records.join("none.json"));
    let text = std::fs::read_to_string(&files[0]).expect("it was listed");
    let mut round: serde_json::Value = serde_json::from_str(&text).expect("a recorded round");
    round["planned"] = serde_json::json!(["step  nobody planned"]);
    std::fs::write(&other, round.to_string()).expect("the directory is ours");
    std::fs::write(&none, "{}").expect("the directory is ours");
    let of = |files: &[&str]| {
        let ran = engine.admin(&[&["replan", "--json"], files].concat());
        let object: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an object");
        assert_eq!(object["exit_code"], ran.code.expect("it ends"), "{ran:?}");
        (ran.code, object["rounds"].as_array().expect("a list").clone())
    };
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let (code, rounds) = of(&names);
    assert_eq!((code, rounds.len()), (Some(0), names.len()));
    assert!(rounds.iter().all(|round| round["as_then"] == true), "{rounds:#?}");
    let does = |round: &serde_json::Value| {
        let steps = round["steps"].as_array().expect("a list");
        steps.iter().any(|step| step["id"] == "start/demo#1" && step["because"][0].is_string())
    };
    assert!(rounds.iter().any(does), "{rounds:#?}");
    let (code, rounds) = of(&[&other.to_string_lossy(), &none.to_string_lossy()]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (&rounds[0]["as_then"], rounds[0]["then"][0].as_str()),
        (&false.into(), Some("step  nobody planned"))
    );
    assert!(rounds[1]["error"].as_str().is_some_and(|why| why.contains("no recorded round")));
}
