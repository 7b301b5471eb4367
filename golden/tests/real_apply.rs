//! `wharf plan --out` and `wharf apply` on a real engine: what is let go, what is refused, and what is known again
//! after the engine was killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use golden::real::engine::session;
use golden::real::site::wharf_toml;
use golden::real::{Engine, Ran, Site};

/// A site whose harm waits an hour, with two sessions that end when their files go.
fn site(policy: &str) -> Site {
    let site = Site::empty();
    site.write("wharf.toml", &(wharf_toml("1h") + policy));
    for id in ["one", "two"] {
        let file = format!("sessions.d/{id}.toml");
        site.write(&file, "workbench = \"demo\"\non-removal = \"stop\"\n");
    }
    site
}

/// Keeps the plan for a staged copy in a file beside the site.
#[track_caller]
fn keep(engine: &Engine, stage: &Path) -> PathBuf {
    let kept = engine.site.around().join("kept.plan");
    let (stage, out) = (text(stage), text(&kept));
    let ran = engine.admin(&["plan", &stage, "--out", &out]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mode = fs::metadata(&kept).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    kept
}

fn text(path: &Path) -> String {
    path.to_str().expect("a plain path").to_owned()
}

fn apply(engine: &Engine, kept: &Path, more: &[&str]) -> Ran {
    let kept = text(kept);
    let mut args = vec!["apply", &kept];
    args.extend(more);
    engine.admin(&args)
}

/// Each line of a stream of JSON.
#[track_caller]
fn events(ran: &Ran) -> Vec<serde_json::Value> {
    let parse = |line: &str| serde_json::from_str(line).expect("an object a line");
    ran.stdout.lines().map(parse).collect()
}

#[test]
fn a_kept_plan_lets_go_what_it_has_once_its_files_are_in_place() {
    let mut engine = Engine::start(site(""));
    let (one, two) = (engine.running("one"), engine.running("two"));
    let stage = engine.site.stage();
    fs::remove_file(stage.join("sessions.d/one.toml")).expect("it is ours");
    let kept = keep(&engine, &stage);

    let early = apply(&engine, &kept, &[]);
    assert_eq!(early.code, Some(4), "the files are not there yet: {early:?}");
    assert!(early.stderr.contains("are not those that were planned"), "{early:?}");

    // Whoever copies the files need not wait until they are in force.
    fs::remove_file(engine.site.path("sessions.d/one.toml")).expect("it is ours");
    let dry = apply(&engine, &kept, &["--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(dry.stdout.contains("would be let go") && dry.stdout.contains("one   ends"), "{dry:?}");
    assert!(one.is_alive());

    let applied = apply(&engine, &kept, &["--wait", "--json", "--detailed-exitcode"]);
    assert_eq!(applied.code, Some(2), "{applied:?}");
    let events = events(&applied);
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"approved"), Some(&"settled")), "{names:?}");
    assert!(events[0]["format_version"].is_string(), "{applied:?}");
    let ends = |event: &&serde_json::Value| event["step"] == "end/one#1";
    assert!(events.iter().any(|event| ends(&event)), "{applied:?}");
    assert!(!one.is_alive() && two.is_alive(), "settled means that it is over");

    let again = apply(&engine, &kept, &["--detailed-exitcode"]);
    assert_eq!(again.code, Some(0), "nothing is left: {again:?}");
}

#[test]
fn what_the_kept_plan_does_not_have_is_refused_and_nothing_goes() {
    let mut engine = Engine::start(site("session-restart = \"now\"\n"));
    let one = engine.running("one");
    engine.running("two");
    assert_eq!(engine.admin(&["session", "stop", "two"]).code, Some(0));
    engine.wait_status("two is stopped", |status| {
        (session(status, "two")?.state == "stopped").then_some(())
    });
    let stage = engine.site.stage();
    fs::write(stage.join("launcher-env"), "TZ=UTC\n").expect("it is ours");
    let kept = keep(&engine, &stage);

    // Meanwhile somebody starts the second, on the old files.
    assert_eq!(engine.admin(&["session", "start", "two"]).code, Some(0));
    let two = engine.running("two");
    engine.site.write("launcher-env", "TZ=UTC\n");
    let refused = apply(&engine, &kept, &["--wait"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stdout.contains("two   restarts"), "only what is new: {refused:?}");
    assert!(!refused.stdout.contains("one   restarts"), "only what is new: {refused:?}");
    assert!(one.is_alive() && two.is_alive());

    // Who has seen both lets both go.
    let all = engine.admin(&["apply", "--wait=all"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    assert!(!one.is_alive() && !two.is_alive());
    assert!(engine.running("one").is_alive() && engine.running("two").is_alive());
}

#[test]
fn with_confirm_the_files_approved_last_act_even_after_a_kill() {
    let mut engine = Engine::start(site("apply = \"confirm\"\n"));
    let first = engine.admin(&["apply", "--wait"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let (one, port) = (engine.running("one"), engine.listening());
    fs::remove_file(engine.site.path("sessions.d/one.toml")).expect("it is ours");
    engine.site.write("sessions.d/three.toml", "workbench = \"demo\"\n");
    engine.wait_status("generation 2 waits", |status| {
        let waits = |id: &str| status.holds.iter().any(|hold| hold.resource == id);
        let both = waits("session/one") && waits("session/three");
        (status.acting.is_some_and(|acting| acting.0 == 1) && both).then_some(())
    });
    assert_eq!(engine.admin(&["status"]).code, Some(2), "something waits");

    engine.kill_9();
    engine.restart();
    let status = engine.status().expect("it answers");
    assert_eq!(status.acting.map(|acting| acting.0), Some(1), "{status:?}");
    assert_eq!(engine.listening(), port, "what was approved acts");
    assert!(one.is_alive());
    let planned = engine.admin(&["plan", "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(0), "what waits is not new: {planned:?}");
    let pending = engine.admin(&["plan", "--pending"]);
    for part in ["one   ends", "three   starts", "sessions.d/three.toml:1"] {
        assert!(pending.stdout.contains(part), "{part} in {}", pending.stdout);
    }

    let applied = engine.admin(&["apply", "--wait=all"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(!one.is_alive());
    assert!(engine.running("three").is_alive());
}

#[test]
fn exit_codes_of_apply() {
    let mut engine = Engine::start(site(""));
    engine.running("one");
    let nothing = engine.admin(&["apply", "--detailed-exitcode"]);
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    let odd = engine.site.around().join("odd");
    fs::write(&odd, "{}").expect("the directory is ours");
    let garbled = apply(&engine, &odd, &[]);
    assert_eq!(garbled.code, Some(1), "{garbled:?}");
    assert!(garbled.stderr.contains("no saved plan"), "{garbled:?}");
    assert_eq!(engine.admin(&["apply", "--timeout", "soon"]).code, Some(64));
    assert_eq!(engine.admin(&["apply", "--wait=never"]).code, Some(64));

    // What waits for an idle time, nobody can hurry: a wait for all of it is over when its time is.
    engine.site.write("sessions.d/one.toml", "workbench = \"demo\"\non-removal = \"when-idle\"\n");
    engine.wait_status("it is in force", |status| (status.generation.0 == 2).then_some(()));
    fs::remove_file(engine.site.path("sessions.d/one.toml")).expect("it is ours");
    engine.wait_status("one waits", |status| (!status.holds.is_empty()).then_some(()));
    let settled = engine.admin(&["apply", "--wait"]);
    assert_eq!(settled.code, Some(0), "{settled:?}");
    let late = engine.admin(&["apply", "--wait=all", "--timeout", "1s"]);
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(
        late.stderr.contains("not done in time") && late.stderr.contains("one   ends"),
        "{late:?}"
    );

    engine.kill_9();
    let silent = engine.admin(&["apply"]);
    assert_eq!(silent.code, Some(69), "{silent:?}");
}
