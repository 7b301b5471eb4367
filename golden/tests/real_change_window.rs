//! `wharf change begin` and `end` on a real engine: several files written one after another come into force together,
//! or not at all, whatever stands there half-way.

use engine::admin::protocol::{Answer, DiffSide, Request};
use golden::real::engine::is;
use golden::real::site::wharf_toml;
use golden::real::{Engine, Site};
use rustix::fs::inotify;

/// A site whose session ends at once when its file goes, so that nothing but the window is in between.
fn site() -> Site {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml("0s"));
    site.write("sessions.d/one.toml", ENDS);
    site.write("launcher.conf", "[server]\naddress=localhost\n[cluster]\nname=Local\ntype=Local\n");
    site
}

const ENDS: &str = "workbench = \"demo\"\non-removal = \"stop\"\n";

/// Nothing is decided within the time in which it would have been long ago without a window.
#[track_caller]
fn nothing_is_judged(engine: &mut Engine, decided: engine_core::ids::Moment) {
    let settled = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while std::time::Instant::now() < settled {
        let status = engine.status().expect("it answers");
        assert_eq!((status.decided_at, status.generation.0), (decided, 1), "{status:?}");
        assert_eq!(status.refused, None);
        assert_eq!(status.change_windows.len(), 1);
    }
}

#[test]
fn files_come_into_force_together_whatever_stands_there_half_way() {
    let mut engine = Engine::start(site());
    let one = engine.running("one");
    let began = engine.admin(&["change", "begin", "--id", "ansible-4711", "--ttl", "10m"]);
    is(&began, 0, "change window \"ansible-4711\" open until");
    let decided = engine.status().expect("it answers").decided_at;

    // Valid and wrong: without the window the session would end at once.
    engine.site.remove("sessions.d/one.toml");
    nothing_is_judged(&mut engine, decided);
    assert!(one.is_alive());
    let plan = engine.admin(&["plan", "--detailed-exitcode"]);
    is(&plan, 3, "change window \"ansible-4711\" open until");
    assert!(plan.stdout.contains("- one") && plan.stdout.contains("ends"), "{plan:?}");
    let json = engine.admin(&["plan", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("an object");
    assert_eq!(json["change_windows"][0]["id"], "ansible-4711");

    // Not even valid: a cluster that the third file brings.
    let conf = engine.site.rserver_conf(engine.site.port());
    engine.site.replace("rserver.conf", &format!("{conf}launcher-default-cluster=Second\n"));
    nothing_is_judged(&mut engine, decided);
    is(&engine.admin(&["plan"]), 1, "WH0302");
    is(&engine.admin(&["status"]), 0, "change window \"ansible-4711\" open until");
    is(&engine.admin(&["reload", "--wait", "--timeout", "1"]), 1, "\"ansible-4711\" is open");

    // The engine is killed meanwhile: what is half-way on disk does not come into force behind anybody's back.
    engine.kill_9();
    engine.restart();
    let decided = engine.status().expect("it answers").decided_at;
    nothing_is_judged(&mut engine, decided);
    assert!(one.is_alive());

    let second = "[cluster]\nname=Second\ntype=Local\n";
    let first = "[server]\naddress=localhost\n[cluster]\nname=Local\ntype=Local\n";
    engine.site.replace("launcher.conf", &format!("{first}{second}"));
    engine.site.replace("sessions.d/one.toml", ENDS);
    is(&engine.admin(&["change", "end", "--wait"]), 0, "generation 2 is in force");
    let status = engine.status().expect("it answers");
    assert!(status.change_windows.is_empty() && one.is_alive(), "{status:?}");
    is(&engine.admin(&["change", "end", "ansible-4711"]), 1, "no change window `ansible-4711`");
}

#[test]
fn who_ends_a_window_upon_wrong_files_is_told_and_nothing_comes_into_force() {
    let mut engine = Engine::start(site());
    let one = engine.running("one");
    is(&engine.admin(&["change", "begin"]), 0, "change window");
    engine.site.remove("sessions.d/one.toml");
    let conf = engine.site.rserver_conf(engine.site.port());
    engine.site.replace("rserver.conf", &format!("{conf}www-prot=1\n"));
    is(&engine.admin(&["change", "end", "--wait"]), 1, "rserver.conf:3:1");
    assert!(one.is_alive());
    is(&engine.admin(&["status"]), 2, "REFUSED");
}

/// What an account that is not root is answered.
fn asked_by_nobody(engine: &Engine, request: Request) -> Answer {
    let run = engine.site.around().join("run");
    let sockets = std::fs::read_dir(run).expect("it serves").flatten();
    let socket = sockets.map(|dir| dir.path().join("admin.sock")).find(|path| path.exists());
    let socket = socket.expect("it answers commands");
    let asks = std::thread::spawn(move || {
        rustix::thread::set_thread_uid(rustix::thread::Uid::from_raw(65_534)).expect("root may");
        engine::admin::client::ask(&socket, request)
    });
    asks.join().expect("no panic").expect("it answers")
}

/// In a window the files are read for who asks: not for who may not.
#[test]
fn nothing_is_read_for_who_may_not_ask() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut engine = Engine::start(site());
    let _ = engine.running("one");
    is(&engine.admin(&["change", "begin"]), 0, "change window");
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let watch = inotify::init(flags).expect("there are some left");
    let of = engine.site.path("sessions.d");
    inotify::add_watch(&watch, of, inotify::WatchFlags::OPEN).expect("it is there");
    let was_read = || rustix::io::read(&watch, &mut [0_u8; 4_096]).is_ok();

    let (from, to) = (DiffSide::InForce, DiffSide::Disk);
    let diff = Request::Diff { from, to, verbose: false };
    let denied = asked_by_nobody(&engine, diff);
    assert!(matches!(denied, Answer::Error { denied: true, .. }), "{denied:?}");
    // Whoever asked next had to wait for such a look.
    is(&engine.admin(&["status"]), 0, "open until");
    assert!(!was_read());
    is(&engine.admin(&["diff"]), 0, "");
    assert!(was_read());
}

#[test]
fn a_window_that_nobody_ends_runs_out() {
    let mut engine = Engine::start(site());
    let one = engine.running("one");
    is(&engine.admin(&["change", "begin", "--id", "a", "--ttl", "1s"]), 0, "\"a\"");
    is(&engine.admin(&["change", "begin", "--id", "b", "--ttl", "3s"]), 0, "\"b\"");
    engine.site.remove("sessions.d/one.toml");
    let open = engine.admin(&["change", "list", "--json"]);
    let open: serde_json::Value = serde_json::from_str(&open.stdout).expect("a list");
    let names: Vec<_> = open.as_array().expect("a list").iter().map(|w| &w["id"]).collect();
    assert!(names.iter().any(|id| *id == "b"), "{names:?}");
    engine.wait_status("the files are judged once both are over", |status| {
        (status.generation.0 == 2 && status.change_windows.is_empty()).then_some(())
    });
    golden::real::wait_for("its session ends", || match one.is_alive() {
        true => Err("alive".to_owned()),
        false => Ok(()),
    });
    // A time that makes no sense, and a name.
    is(&engine.admin(&["change", "begin", "--ttl", "soon"]), 64, "--ttl soon");
    is(&engine.admin(&["change", "begin", "--ttl", "2d"]), 1, "at the most");
    is(&engine.admin(&["change", "begin", "--id", "a/b"]), 1, "cannot name a change window");
}
