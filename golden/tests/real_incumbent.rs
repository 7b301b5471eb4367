//! The engine and a (simulated) Workbench on the same files: observed, served beside, waited for; never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::status::StatusView;
use golden::real::engine::{command, ran};
use golden::real::workbench::VERSION;
use golden::real::{Engine, Port, Process, SimulatedWorkbench, Site, holds_for};
use rustix::process::Signal;

/// One product a machine: the tests of this file take turns.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A Workbench directory, with our own files beside it: the first day on somebody's machine.
fn site(port: u16, wharf: &str) -> Site {
    let site = Site::empty();
    site.remove("wharf.toml");
    fs::remove_dir(site.path("sessions.d")).expect("it is empty");
    let text = format!(
        "www-address=127.0.0.1\nwww-port={port}\nserver-health-check-enabled=1\n\
         launcher-default-cluster=Local\n"
    );
    site.write("rserver.conf", &text);
    site.write("load-balancer", "balancer=sessions\n");
    let own = site.around().join("wharf");
    fs::create_dir_all(&own).expect("it is ours");
    let text = format!(
        "instance = \"t\"\n{wharf}\n[site]\nsettle = {{ quiet = \"50ms\", invalid = \"300ms\", max = \"3s\" }}\n\
         poll = \"1s\"\n"
    );
    fs::write(own.join("wharf.toml"), text).expect("it is ours");
    site
}

fn declare_demo(site: &Site) {
    let sessions = site.around().join("wharf/sessions.d");
    fs::create_dir_all(&sessions).expect("it is ours");
    fs::write(sessions.join("demo.toml"), "workbench = \"demo\"\n").expect("it is ours");
}

fn foreign(status: &StatusView) -> BTreeSet<u32> {
    let foreign = status.sessions.iter().filter(|session| session.state == "foreign");
    foreign.filter_map(|session| session.pid).collect()
}

/// Waits until the engine has found all sessions of the product.
fn found(engine: &mut Engine, workbench: &SimulatedWorkbench) -> StatusView {
    let all: BTreeSet<u32> = workbench.sessions().iter().map(|session| session.pid).collect();
    engine.wait_status("the product's sessions are found", |status| {
        // Its processes are seen first, its pages a moment later.
        let listed = status.incumbent.as_ref().is_some_and(|found| found.nodes.len() == 2);
        (listed && foreign(status).is_superset(&all)).then(|| status.clone())
    })
}

/// Every file below a directory with its bytes and its times.
fn picture(dir: &Path) -> BTreeMap<String, (Vec<u8>, i64, i64, u64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).expect("it is there");
        let bytes = if meta.is_file() { fs::read(&path).expect("it is ours") } else { Vec::new() };
        if meta.is_dir() {
            open.extend(fs::read_dir(&path).expect("it is ours").flatten().map(|e| e.path()));
        }
        let times = (bytes, meta.mtime(), meta.mtime_nsec(), meta.ino());
        found.insert(path.display().to_string(), times);
    }
    found
}

/// Where a process listens, by the kernel's tables and its own descriptors.
fn listening(pid: u32) -> Vec<String> {
    let inodes: BTreeSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|link| {
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let tables = ["tcp", "tcp6", "udp", "udp6"];
    let lines = tables.iter().flat_map(|table| {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    });
    // Listening (TCP) or bound (UDP).
    let open = lines.filter(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        ["0A", "07"].contains(&fields[3]) && inodes.contains(fields[9])
    });
    open.collect()
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("it is mounted").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent == Some(pid) {
            found.push(stat);
        }
    }
    found
}

/// Regular files that a process has open for writing.
fn writes(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten() {
        let Ok(link) = fs::read_link(fd.path()) else { continue };
        let info = format!("/proc/{pid}/fdinfo/{}", fd.file_name().to_string_lossy());
        let info = fs::read_to_string(info).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(0);
        if link.is_absolute() && !link.starts_with("/dev") && flags & 3 != 0 {
            found.push(link.display().to_string());
        }
    }
    found
}

fn all_alive(workbench: &SimulatedWorkbench, before: &[Process]) {
    assert_eq!(workbench.sessions(), before, "a session of the product is gone");
}

#[test]
fn observing_finds_everything_and_touches_nothing() {
    let _machine = machine();
    let workbench = SimulatedWorkbench::start();
    let before = workbench.sessions();
    let site = site(workbench.port(), "mode = \"observe\"");
    declare_demo(&site);
    // A program that says when it is run: not even for its version.
    let (program, ran) = (site.around().join("jupyter"), site.around().join("ran"));
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", ran.display())).expect("it is ours");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let wharf = site.around().join("wharf");
    let text = format!("[workbenches.jupyterlab]\nexe = \"{}\"\n", program.display());
    let mut file = fs::OpenOptions::new().append(true).open(wharf.join("wharf.toml"));
    file.as_mut().expect("it is ours").write_all(text.as_bytes()).expect("it is ours");
    fs::write(wharf.join("sessions.d/lab.toml"), "workbench = \"jupyterlab\"\n")
        .expect("it is ours");
    let pictures = |site: &Site| (picture(&site.dir()), picture(&site.around().join("wharf")));
    let files = pictures(&site);
    let serves = site.dir();
    let mut engine = Engine::start_in(site, serves);
    let status = found(&mut engine, &workbench);
    let incumbent = status.incumbent.as_ref().expect("it was found");
    assert_eq!(incumbent.name, format!("Workbench {VERSION}"));
    assert!(incumbent.services.contains_key(&format!("rserver (pid {})", workbench.server())));
    assert_eq!(incumbent.nodes[1], "other-node", "{incumbent:?}");
    assert_eq!(status.mode, "observe");

    // Nobody listens for people, nothing was started, nothing is written but state.
    let pid = engine.pid();
    holds_for(Duration::from_secs(2), || {
        assert_eq!(listening(pid), Vec::<String>::new());
        assert_eq!(children(pid), Vec::<String>::new());
    });
    let around = engine.site.around().to_owned();
    let own = [around.join("state"), around.join("run"), around.join("log")];
    let elsewhere = |path: &String| !own.iter().any(|own| Path::new(path).starts_with(own));
    let stray: Vec<String> = writes(pid).into_iter().filter(elsewhere).collect();
    assert!(stray.is_empty(), "{stray:?}");
    assert!(pictures(&engine.site) == files, "a file of the site was touched");
    assert!(!ran.exists(), "a program was run");

    // What would be missing on the day that wharf takes its place.
    let dir = engine.site.dir();
    let ran_doctor = engine.admin(&["doctor", "--cutover", dir.to_str().expect("a plain path")]);
    assert_eq!(ran_doctor.code, Some(2), "{ran_doctor:?}");
    for said in [
        format!("Workbench {VERSION} (rserver, pid {})", workbench.server()),
        format!("port {}", workbench.port()),
        "the product".to_owned(),
        "on Workbench: 1 jupyterlab".to_owned(),
        "lost  RStudio".to_owned(),
        "lost  sign-in".to_owned(),
    ] {
        assert!(ran_doctor.stdout.contains(&said), "{said}\n{}", ran_doctor.stdout);
    }
    assert!(!ran.exists(), "a program was run");

    // What people see, and what they may not do.
    let ran = engine.admin(&["status"]);
    assert!(ran.stdout.contains(&format!("observes: Workbench {VERSION}")), "{}", ran.stdout);
    let list = engine.admin(&["session", "list"]).stdout;
    assert!(list.contains("belongs to Workbench") && list.contains("jupyterlab"), "{list}");
    let one = status.sessions.iter().find(|session| session.pid == Some(before[0].pid));
    let ran = engine.admin(&["session", "stop", &one.expect("it was found").id]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("never touched"), "{}", ran.stderr);
    assert_eq!(engine.admin(&["session", "stop", "--all"]).code, Some(0));
    all_alive(&workbench, &before);
    assert_eq!(engine.end(Signal::TERM), Some(0));
    all_alive(&workbench, &before);
}

#[test]
fn a_plan_says_whose_sessions_the_product_would_end() {
    let _machine = machine();
    let workbench = SimulatedWorkbench::start();
    let before = workbench.sessions();
    let site = site(workbench.port(), "mode = \"observe\"");
    let serves = site.dir();
    let mut engine = Engine::start_in(site, serves);
    found(&mut engine, &workbench);
    let staged = engine.site.around().join("new");
    fs::write(&staged, "balancer=system-load\n").expect("it is ours");
    let laid = format!("{}={}", engine.site.path("load-balancer").display(), staged.display());
    let ran = engine.admin(&["plan", "--as", &laid, "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for said in [
        format!("Run by Workbench {VERSION}"),
        "Workbench: restart   wharf: live".to_owned(),
        "restart rstudio-server on ".to_owned(),
        "session on other-node ends   dan".to_owned(),
        "jupyterlab session stays".to_owned(),
        "because load-balancer:1".to_owned(),
        "With wharf serving this site the same edit would touch nobody.".to_owned(),
    ] {
        assert!(ran.stdout.contains(&said), "{said}\n{}", ran.stdout);
    }
    let json = engine.admin(&["plan", "--as", &laid, "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!(json["incumbent"]["restart"][0], "rstudio-server");
    let sessions = json["incumbent"]["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), SimulatedWorkbench::count() + 1);
    // A reload hurts nobody.
    fs::write(&staged, "session-timeout-minutes=60\n").expect("it is ours");
    let laid = format!("{}={}", engine.site.path("rsession.conf").display(), staged.display());
    let ran = engine.admin(&["plan", "--as", &laid, "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stdout.contains("reload rstudio-server on"), "{}", ran.stdout);
    // Once it is written the engine has it, and the product not before its restart.
    engine.site.write("load-balancer", "balancer=system-load\n");
    assert_eq!(engine.admin(&["reload", "--wait"]).code, Some(0));
    engine.wait_status("it is in force", |status| (status.generation.0 == 2).then_some(()));
    let ran = engine.admin(&["plan", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let pending = "Not taken up yet: rstudio-server runs since ";
    assert!(ran.stdout.contains(pending), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("load-balancer:1   balancer   sessions -> system-load"),
        "{}",
        ran.stdout
    );
    let said = engine.said();
    assert!(
        said.contains("generation 2: Workbench must restart rstudio-server for it, which ends"),
        "{said}"
    );
    let ran = engine.admin(&["status"]);
    let line = "not taken up yet by rstudio-server: load-balancer:1 balancer";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    // The plans were only plans.
    let ran = engine.admin(&["plan", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    all_alive(&workbench, &before);
}

#[test]
fn beside_it_our_own_sessions_live_and_die_and_its_never_do() {
    let _machine = machine();
    let workbench = SimulatedWorkbench::start();
    let before = workbench.sessions();
    let port = Port::free();
    let wharf = format!(
        "mode = \"beside\"\n[listen]\nwww-port = {}\n[beside]\nclusters = [\"Local\"]",
        port.number()
    );
    let site = site(workbench.port(), &wharf);
    declare_demo(&site);
    let serves = site.dir();
    let mut engine = Engine::start_in(site, serves);
    let own = engine.running("demo");
    found(&mut engine, &workbench);
    assert_eq!(engine.listening(), port.number());
    let mut browser = engine.sign_in();
    let page = browser.get(port.number(), "/").expect("it answers");
    assert!(page.body.contains("demo"), "{}", page.body);
    // Ours is stopped, killed with its engine, and stopped for good; theirs goes on.
    assert_eq!(engine.admin(&["session", "stop", "--all"]).code, Some(0));
    engine.wait_status("demo has ended", |_| (!own.is_alive()).then_some(()));
    all_alive(&workbench, &before);
    engine.kill_9();
    engine.restart();
    found(&mut engine, &workbench);
    assert_eq!(engine.admin(&["session", "start", "demo"]).code, Some(0));
    engine.running("demo");
    fs::remove_file(engine.site.around().join("wharf/sessions.d/demo.toml")).expect("it is there");
    assert_eq!(engine.admin(&["reload", "--wait"]).code, Some(0));
    assert_eq!(engine.admin(&["apply"]).code, Some(0));
    all_alive(&workbench, &before);
    let status = engine.status().expect("it answers");
    assert_eq!(foreign(&status).len(), before.len());
}

#[test]
fn asked_to_serve_where_it_serves_the_engine_waits_and_says_for_whom() {
    let _machine = machine();
    let mut workbench = SimulatedWorkbench::start();
    let site = site(workbench.port(), "mode = \"serve\"");
    declare_demo(&site);
    let serves = site.dir();
    let mut engine = Engine::start_in(site, serves);
    let held = format!(
        "{} is held by rserver (pid {}), the product this directory belongs to. Observing only; to serve \
         beside it set [listen] in wharf.toml",
        workbench.port(),
        workbench.server()
    );
    engine.wait_status("it is said who holds the port", |status| {
        status.holds.iter().any(|hold| hold.waiting == held).then_some(())
    });
    let ran = engine.admin(&["status"]);
    assert!(ran.stdout.contains(&held), "{}", ran.stdout);
    let rounds = engine.status().expect("it answers").rounds;
    holds_for(Duration::from_secs(3), || {
        assert_eq!(listening(engine.pid()), Vec::<String>::new());
        assert_eq!(children(engine.pid()), Vec::<String>::new());
    });
    let status = engine.status().expect("it answers");
    assert!(status.step_failures.is_empty(), "{:?}", status.step_failures);
    assert!(
        status.rounds - rounds < 5,
        "it tries again and again: {} rounds",
        status.rounds - rounds
    );
    // Also where it begins without its files: it has to look before it acts.
    let policy = engine.site.around().join("wharf/wharf.toml");
    let whole = fs::read(&policy).expect("it is there");
    engine.kill_9();
    fs::write(&policy, "instance = \"t").expect("it is ours");
    engine.restart();
    assert!(engine.said().contains("begins with what its store has"), "{}", engine.said());
    engine.wait_status("it is said who holds the port", |status| {
        status.holds.iter().any(|hold| hold.waiting == held).then_some(())
    });
    let starts = fs::read_dir(engine.site.around().join("run/t/s")).map_or(0, Iterator::count);
    assert_eq!(starts, 0, "a session was started beside the product's");
    fs::write(&policy, whole).expect("it is ours");
    // Once it has given the port up, the files are served.
    workbench.stop();
    assert_eq!(engine.admin(&["reload", "--wait"]).code, Some(0));
    assert_eq!(engine.listening(), workbench.port());
    engine.running("demo");
}

#[test]
fn without_an_engine_a_staged_file_is_held_against_what_runs_here() {
    let _machine = machine();
    let workbench = SimulatedWorkbench::start();
    let before = workbench.sessions();
    let site = site(workbench.port(), "mode = \"observe\"");
    let files = picture(&site.dir());
    let staged = site.around().join("new");
    fs::write(&staged, "balancer=system-load\n").expect("it is ours");
    let laid = format!("{}={}", site.path("load-balancer").display(), staged.display());
    let dir = site.dir();
    let plan = |more: &[&str]| {
        let dir = dir.to_str().expect("a plain path");
        ran(command(site.around()).args(["plan", dir, "--as", &laid]).args(more))
    };
    let told = plan(&["--detailed-exitcode"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    for said in [
        "No engine runs: held against the files in place, and what runs here.".to_owned(),
        format!("Run by Workbench {VERSION}"),
        "restart rstudio-server on ".to_owned(),
        "With wharf serving this site the same edit would touch nobody.".to_owned(),
    ] {
        assert!(told.stdout.contains(&said), "{said}\n{}", told.stdout);
    }
    // Nobody's name in a merge request.
    let told = plan(&["--markdown"]);
    let me = own_name();
    assert!(told.stdout.contains("#### What Workbench"), "{}", told.stdout);
    assert!(!told.stdout.contains(&me), "{}", told.stdout);
    assert!(picture(&site.dir()) == files, "a file of the site was touched");
    assert!(!site.around().join("state").exists() && !site.around().join("run").exists());
    all_alive(&workbench, &before);
}

/// The name of the account that the tests, and so the simulated sessions, run as.
fn own_name() -> String {
    let told = std::process::Command::new("id").arg("-un").output().expect("there is an id");
    format!("({}", String::from_utf8_lossy(&told.stdout).trim())
}
