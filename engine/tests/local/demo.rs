//! The demo session, as an engine meets it: ready once it answers, found ready by the next engine.

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use engine::session_socket::open_session_socket;
use engine_core::desired::{HealthSpec, builtins};
use engine_core::ids::{Incarnation, WorkbenchName};
use engine_core::observed::{IncarnationSeen, Phase};
use engine_core::plan::StartOrder;
use tokio_tungstenite::tungstenite;

use crate::world::{World, wait_until};

fn order(world: &World) -> StartOrder {
    let demo = builtins().remove(&WorkbenchName::new("demo").unwrap()).expect("it is built in");
    let mut order = world.order("demo", 1, "/proc/self/exe", &[]);
    order.launch = order.launch.with(|launch| {
        launch.program = demo.program;
        launch.base = demo.base;
    });
    order.health =
        HealthSpec { path: demo.health_path.to_owned(), start_timeout_ms: demo.start_timeout.0 };
    order
}

fn connect(seen: &IncarnationSeen) -> UnixStream {
    let stream = open_session_socket(Path::new(&seen.socket_dir), &seen.socket, seen.uid).unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

fn get(seen: &IncarnationSeen, path: &str) -> String {
    let mut stream = connect(seen);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_is_ready_once_it_answers_and_keeps_its_count_over_engines() {
    let mut world = World::new();
    let order = order(&world);
    world.start(&order);
    let seen = world.wait_for(&order.incarnation, |phase| *phase == Phase::Ready);
    let pid = seen.pid.unwrap();
    for visit in 1..=2 {
        let page = get(&seen, "/s/demo/");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains(&format!("<dd id=\"visits\">{visit}</dd>")), "{page}");
        assert!(page.contains(&format!("<dd>{pid}</dd>")), "{page}");
    }
    assert!(get(&seen, "/s/demo").contains("location: demo/"));
    assert!(get(&seen, "/s/demo/nothing").starts_with("HTTP/1.1 404"));
    let ready = world.file(&order.incarnation, "ready.json");
    wait_until(|| ready.exists().then_some(())).expect("the keeper notes it");
    world.restart_engine();
    let again = world.observe(&order.incarnation);
    let again = again.present().unwrap();
    assert_eq!((&again.phase, again.pid), (&Phase::Ready, Some(pid)), "known at the first look");
    assert!(get(again, "/s/demo/status").contains("\"visits\":2"));
    world.end(&order.incarnation, 5000);
    assert!(world.wait_for_exit(&order.incarnation).asked);
}

#[test]
fn its_web_socket_ticks_and_sends_back_what_it_is_sent() {
    let mut world = World::new();
    let order = order(&world);
    world.start(&order);
    let seen = world.wait_for(&order.incarnation, |phase| *phase == Phase::Ready);
    let (mut socket, _) =
        tungstenite::client("ws://demo/s/demo/ws", connect(&seen)).expect("it upgrades");
    socket.send("hello".into()).unwrap();
    let mut said = Vec::new();
    while said.len() < 3 {
        said.push(socket.read().unwrap().into_text().unwrap().to_string());
    }
    assert!(said.iter().any(|text| text == "hello"), "{said:?}");
    assert!(said.iter().filter(|text| text.starts_with("tick ")).count() >= 2, "{said:?}");
}

/// A session that never listens, in whose directory we plant things.
fn silent(world: &mut World) -> (Incarnation, IncarnationSeen) {
    let incarnation = world.shell("silent", "exec sleep 1000");
    let seen = world.wait_until_running(&incarnation);
    (incarnation, seen)
}

fn answer_everybody(listener: UnixListener) -> std::sync::mpsc::Receiver<()> {
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut bytes = [0; 1024];
            if stream.read(&mut bytes).is_ok_and(|n| n > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                let _ = tell.send(());
            }
        }
    });
    asked
}

#[test]
fn a_symlink_planted_for_the_engine_makes_nothing_ready() {
    let mut world = World::new();
    let (incarnation, seen) = silent(&mut world);
    let elsewhere = world.dir.path().join("other.sock");
    let asked = answer_everybody(UnixListener::bind(&elsewhere).unwrap());
    symlink(&elsewhere, Path::new(&seen.socket_dir).join(&seen.socket)).unwrap();
    let opened = open_session_socket(Path::new(&seen.socket_dir), &seen.socket, seen.uid);
    assert!(opened.is_err(), "{opened:?}");
    // Another session gets ready meanwhile, so the prober has been at this one, too.
    let order = order(&world);
    world.start(&order);
    world.wait_for(&order.incarnation, |phase| *phase == Phase::Ready);
    assert!(asked.try_recv().is_err());
    assert_eq!(world.observe(&incarnation).present().unwrap().phase, Phase::Starting);
}

#[test]
fn a_listener_of_another_account_makes_nothing_ready() {
    let mut world = World::new();
    let (incarnation, seen) = silent(&mut world);
    let socket = Path::new(&seen.socket_dir).join(&seen.socket);
    let asked = answer_everybody(UnixListener::bind(&socket).unwrap());
    let other = if nix::unistd::geteuid().is_root() {
        println!("branch: root listens in the directory of {}", world.user.0);
        seen.uid
    } else {
        println!("branch: ordinary user; the expected uid is another");
        seen.uid + 1
    };
    let opened = open_session_socket(Path::new(&seen.socket_dir), &seen.socket, other);
    assert_eq!(opened.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    if nix::unistd::geteuid().is_root() {
        let order = order(&world);
        world.start(&order);
        world.wait_for(&order.incarnation, |phase| *phase == Phase::Ready);
        assert!(asked.try_recv().is_err(), "not one byte reaches it");
        assert_eq!(world.observe(&incarnation).present().unwrap().phase, Phase::Starting);
    }
}
