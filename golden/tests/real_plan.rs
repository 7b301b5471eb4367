//! `wharf plan` as scripts use it: beside a running engine, where nothing may be written, without an engine; exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use golden::real::engine::{command, ran};
use golden::real::{Engine, Ran, Site, wharf};

/// Makes every mount of a mount namespace read-only, proves it, and runs the rest of its arguments. The first
/// arguments up to `--` are directories in which nothing can be made any more.
const READ_ONLY: &str = r#"
set -u
mounts=$(cat /proc/self/mountinfo)
while read -r _ _ _ _ point options _; do
    mount -o "remount,bind,ro,${options#rw,}" "$(printf '%b' "$point")" 2>/dev/null
done <<<"$mounts"
while [ "$1" != -- ]; do
    if (: >"$1/written-by-the-test") 2>/dev/null; then
        echo "$1 can still be written to" >&2
        exit 99
    fi
    shift
done
shift
exec "$@"
"#;

/// The engine's site with a second session that ends when its file goes.
fn site() -> Site {
    let site = Site::demo();
    site.write("launcher-env", "LC_ALL=en_US.UTF-8\n");
    site.write("sessions.d/second.toml", "workbench = \"demo\"\non-removal = \"stop\"\n");
    site
}

/// A copy of it in which something of each kind is changed.
fn staged(site: &Site) -> PathBuf {
    let stage = site.stage();
    fs::write(stage.join("launcher-env"), "LC_ALL=C.UTF-8\n").expect("it is ours");
    fs::write(stage.join("load-balancer"), "balancer=system-load\n").expect("it is ours");
    fs::write(stage.join("sessions.d/third.toml"), "workbench = \"demo\"\n").expect("it is ours");
    fs::remove_file(stage.join("sessions.d/second.toml")).expect("it is ours");
    stage
}

fn plan(engine: &Engine, stage: &Path, more: &[&str]) -> Ran {
    let mut args = vec!["plan", stage.to_str().expect("a plain path")];
    args.extend(more);
    engine.admin(&args)
}

/// The same command in a mount namespace of its own in which everything is read-only.
fn plan_read_only(engine: &Engine, stage: &Path) -> Ran {
    let mut namespace = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        namespace.arg("--map-root-user");
    }
    namespace.args(["--mount", "--propagation", "private", "bash", "-c", READ_ONLY, "read-only"]);
    let around = engine.site.around();
    for dir in [around, &around.join("state"), &around.join("run"), stage, Path::new("/tmp")] {
        namespace.arg(dir);
    }
    namespace.arg("--").arg(wharf()).arg("plan").arg(stage);
    for (name, value) in engine.command().get_envs() {
        match value {
            Some(value) => namespace.env(name, value),
            None => namespace.env_remove(name),
        };
    }
    namespace.current_dir("/").stdin(Stdio::null());
    let ran = ran(&mut namespace);
    let refused = ran.stderr.contains("unshare failed");
    assert!(!refused, "needs root, or user namespaces for ordinary users: {ran:?}");
    ran
}

#[test]
fn a_staged_copy_gives_the_same_text_where_nothing_can_be_written() {
    let mut engine = Engine::start(site());
    engine.running("demo");
    engine.running("second");
    let stage = staged(&engine.site);
    let before = plan(&engine, &stage, &[]);
    let read_only = plan_read_only(&engine, &stage);
    let after = plan(&engine, &stage, &[]);
    assert_eq!(before.code, Some(0), "{before:?}");
    assert_eq!(read_only.code, Some(0), "{read_only:?}");
    // A time of day is in it: of two plans around it, one was made in the same minute.
    assert!(
        read_only.stdout == before.stdout || read_only.stdout == after.stdout,
        "{}\n--- where nothing can be written\n{}\n{}",
        before.stdout,
        read_only.stdout,
        read_only.stderr
    );
    for line in ["launcher-env:1", "third", "second", "demo"] {
        assert!(before.stdout.contains(line), "{line} in {}", before.stdout);
    }
    let summary = before.stdout.lines().last().expect("a summary");
    assert!(summary.starts_with("Plan: 1 end, 0 restart"), "{}", before.stdout);
    assert!(engine.running("second").is_alive(), "a plan is only a plan");
    assert_eq!(engine.status().expect("it answers").generation.0, 1, "nothing came into force");
}

#[test]
fn exit_codes_with_an_engine() {
    let mut engine = Engine::start(site());
    engine.running("demo");
    engine.running("second");
    let stage = engine.site.stage();
    let detailed = ["--detailed-exitcode"];

    let same = plan(&engine, &stage, &detailed);
    assert_eq!(same.code, Some(0), "nothing new: {same:?}");
    assert!(same.stdout.contains("No changes."), "{same:?}");

    fs::write(stage.join("sessions.d/third.toml"), "workbench = \"demo\"\n").expect("it is ours");
    let more = plan(&engine, &stage, &detailed);
    assert_eq!(more.code, Some(2), "new: {more:?}");
    assert_eq!(plan(&engine, &stage, &[]).code, Some(0), "done, whatever it found");

    fs::remove_file(stage.join("sessions.d/second.toml")).expect("it is ours");
    let harm = plan(&engine, &stage, &detailed);
    assert_eq!(harm.code, Some(3), "somebody is hurt: {harm:?}");
    let json = plan(&engine, &stage, &["--json"]);
    let object: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    assert!(!object["format_version"].is_null(), "{object}");

    fs::write(stage.join("rserver.conf"), "www-prot=1\n").expect("it is ours");
    let refused = plan(&engine, &stage, &detailed);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("rserver.conf:1"), "{refused:?}");
    assert!(refused.stdout.contains("Generation 1 stays in force"), "{refused:?}");

    for wrong in [&["plan", "--no-such-option"][..], &["plan", "--as", "nonsense"], &["pln"]] {
        assert_eq!(engine.admin(wrong).code, Some(64), "{wrong:?}");
    }
}

#[test]
fn one_staged_file_is_planned_as_if_it_stood_in_its_place() {
    let mut engine = Engine::start(site());
    engine.running("demo");
    let new = engine.site.around().join("new-env");
    fs::write(&new, "LC_ALL=C.UTF-8\n").expect("it is ours");
    let pair = format!("{}={}", engine.site.path("launcher-env").display(), new.display());
    let planned = engine.admin(&["plan", "--as", &pair, "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(2), "{planned:?}");
    assert!(planned.stdout.contains("en_US.UTF-8 -> C.UTF-8"), "{planned:?}");
    assert!(planned.stdout.contains("staged: 1 file"), "{planned:?}");
}

#[test]
fn without_an_engine_the_first_line_says_so() {
    let site = site();
    let dir = site.dir();
    let before = tree(site.around());
    let planned = ran(command(site.around()).arg("plan").arg(&dir));
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let first = planned.stdout.lines().next().expect("a line");
    assert!(first.to_lowercase().contains("no engine"), "{planned:?}");
    assert!(planned.stdout.contains("2 start"), "{planned:?}");
    let detailed = ran(command(site.around()).args(["plan", "--detailed-exitcode"]).arg(&dir));
    assert_eq!(detailed.code, Some(2), "{detailed:?}");
    assert_eq!(tree(site.around()), before, "nothing was written");
}

#[test]
fn an_engine_that_does_not_answer_is_not_passed_over() {
    let site = Site::demo();
    let nobody = site.around().join("no.sock");
    for verb in ["plan", "status", "reload"] {
        let asked = ran(command(site.around()).arg("--socket").arg(&nobody).arg(verb));
        assert_eq!(asked.code, Some(69), "{verb}: {asked:?}");
        assert!(asked.stderr.contains("no.sock"), "{asked:?}");
    }
    let status = ran(command(site.around()).arg("status"));
    assert_eq!(status.code, Some(69), "{status:?}");
}

#[test]
fn a_port_that_somebody_holds_is_said_before_anything_is_tried() {
    let mut engine = Engine::start(site());
    engine.running("demo");
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = held.local_addr().expect("it is bound").port();
    let new = engine.site.around().join("new.conf");
    fs::write(&new, engine.site.rserver_conf(port)).expect("it is ours");
    let pair = format!("{}={}", engine.site.path("rserver.conf").display(), new.display());
    let planned = engine.admin(&["plan", "--as", &pair, "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(2), "{planned:?}");
    let own = format!("pid {}", std::process::id());
    for part in [&format!("waits for port {port} (held by "), &own, "stays open"] {
        assert!(planned.stdout.contains(part), "{part} in {}", planned.stdout);
    }
    drop(held);
    let free = engine.admin(&["plan", "--as", &pair]);
    assert!(!free.stdout.contains("waits for port"), "{free:?}");
}

#[test]
fn diff_tells_generations_disk_and_directories_apart() {
    let mut engine = Engine::start(site());
    let diff = |engine: &Engine, args: &[&str]| {
        let mut all = vec!["diff"];
        all.extend(args);
        engine.admin(&all)
    };
    let same = diff(&engine, &[]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");
    engine.site.write("launcher-env", "LC_ALL=C.UTF-8\nMODEL_KEY=hunter2\n");
    engine.wait_status("generation 2", |status| (status.generation.0 == 2).then_some(()));
    let two = diff(&engine, &["1", "2"]);
    assert_eq!(two.code, Some(1), "{two:?}");
    for line in ["-LC_ALL=en_US.UTF-8", "+LC_ALL=C.UTF-8", "+MODEL_KEY=(secret)", "(generation 1)"]
    {
        assert!(two.stdout.contains(line), "{line} in {}", two.stdout);
    }
    assert!(!two.stdout.contains("hunter2"), "{two:?}");
    assert_eq!(diff(&engine, &["1"]).code, Some(1), "against what is in force");
    assert_eq!(diff(&engine, &["2"]).code, Some(0));
    let stage = engine.site.stage();
    let staged = |engine: &Engine| diff(engine, &[stage.to_str().expect("a plain path")]);
    assert_eq!(staged(&engine).code, Some(0));
    fs::write(stage.join("rserver.conf"), "www-prot=1\n").expect("it is ours");
    assert_eq!(staged(&engine).code, Some(1), "a set that is refused can be compared");
    engine.site.write("rserver.conf", "www-prot=1\n");
    engine.wait_status("refused", |status| status.refused.is_some().then_some(()));
    let refused = diff(&engine, &["--json"]);
    let object: serde_json::Value = serde_json::from_str(&refused.stdout).expect("one object");
    assert_eq!(object["files"][0]["file"], "rserver.conf", "{object}");
    assert_eq!(diff(&engine, &["17"]).code, Some(2), "no such generation");
}

/// Every path below a directory.
fn tree(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        found.extend(fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
        at += 1;
    }
    found.sort();
    found
}
