//! One suite for every warden: in this process, and behind a socketpair.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use engine::keeper::child::Environment;
use engine::ports::{Warden, WardenError};
use engine::warden::protocol::{Answer, Call};
use engine::warden::wire::{Client, serve};
use engine_core::desired::ListenAddress;
use engine_core::ids::Incarnation;
use engine_core::plan::StartOrder;

use crate::world::{World, wait_until};

/// Runs `check` against both.
fn both(check: impl Fn(&World, &dyn Warden)) {
    let world = World::new();
    println!("warden: in this process");
    check(&world, world.warden.as_ref());
    let world = World::new();
    println!("warden: behind a socketpair");
    let (near, far) = UnixStream::pair().unwrap();
    let warden = world.warden.clone();
    let server = std::thread::spawn(move || serve(&far, warden.as_ref()));
    let client = Client::new(near);
    check(&world, &client);
    drop(client);
    server.join().unwrap().expect("the client only closed");
}

fn call(warden: &dyn Warden, call: &Call) -> Result<(Answer, Vec<OwnedFd>), WardenError> {
    warden.call(call)
}

fn start(order: &StartOrder) -> Call {
    Call::Start {
        order: Box::new(order.clone()),
        env: Environment(vec![("A".to_owned(), "b".to_owned())]),
        args: order.launch.program.args.clone(),
        working_dir: "/".to_owned(),
    }
}

fn wait_for_exit(world: &World, incarnation: &Incarnation) -> String {
    let file = world.file(incarnation, "exit.json");
    wait_until(|| std::fs::read_to_string(&file).ok()).expect("it ends")
}

#[test]
fn a_session_is_started_once_ended_and_removed() {
    both(|world, warden| {
        let order = world.order("a", 1, "/bin/sleep", &["1000"]);
        let incarnation = order.incarnation.clone();
        let end = Call::End { incarnation: incarnation.clone(), signal: 15, grace_ms: 5000 };
        let remove = Call::Remove { incarnation: incarnation.clone() };
        assert_eq!(call(warden, &start(&order)).unwrap().0, Answer::Done);
        let again = call(warden, &start(&order)).unwrap_err();
        assert!(matches!(again, WardenError::Exists { .. }), "{again}");
        let identity = world.file(&incarnation, "identity.json");
        wait_until(|| identity.exists().then_some(())).expect("it starts");
        let early = call(warden, &remove).unwrap_err();
        assert!(matches!(early, WardenError::Refused { .. }), "{early}");
        let kept = call(warden, &Call::KillLeftovers { incarnation: incarnation.clone() });
        assert!(matches!(kept, Err(WardenError::Refused { .. })), "{kept:?}");
        call(warden, &end).unwrap();
        assert!(wait_for_exit(world, &incarnation).contains("\"signal\":15"));
        call(warden, &end).unwrap();
        call(warden, &remove).unwrap();
        call(warden, &remove).unwrap();
        assert!(!world.layout.incarnation(&incarnation).exists());
    });
}

#[test]
fn what_no_process_could_be_started_from_is_refused_before_anything_is_made() {
    both(|world, warden| {
        let good = world.order("bad", 1, "/bin/true", &[]);
        let with = |change: &dyn Fn(&mut StartOrder)| {
            let mut order = good.clone();
            change(&mut order);
            start(&order)
        };
        let env = |name: &str| Call::Start {
            order: Box::new(good.clone()),
            env: Environment(vec![(name.to_owned(), String::new())]),
            args: Vec::new(),
            working_dir: "/".to_owned(),
        };
        for bad in [
            with(&|order| order.exe = "sleep".to_owned()),
            with(&|order| order.exe = "/bin/tr\0ue".to_owned()),
            with(&|order| order.incarnation.n = 0),
            with(&|order| order.user.gid += 1),
            env(""),
            env("A=B"),
            env("A\0"),
        ] {
            let refused = call(warden, &bad).unwrap_err();
            assert!(matches!(refused, WardenError::Refused { .. }), "{refused}");
        }
        assert_eq!(std::fs::read_dir(world.layout.sessions()).unwrap().count(), 0);
    });
}

#[test]
fn a_planted_symlink_in_the_way_of_a_directory_stops_the_start() {
    both(|world, warden| {
        let order = world.order("planted", 1, "/bin/true", &[]);
        symlink("/tmp", world.layout.sessions().join("planted")).unwrap();
        assert!(call(warden, &start(&order)).is_err());
    });
}

#[test]
fn a_session_full_of_traps_is_removed_and_nothing_else() {
    both(|world, warden| {
        let order = world.order("traps", 1, "/bin/true", &[]);
        call(warden, &start(&order)).unwrap();
        wait_for_exit(world, &order.incarnation);
        let outside = world.dir.path().join("outside");
        std::fs::create_dir_all(outside.join("kept")).unwrap();
        let user_dir = world.layout.user_dir(&order.incarnation);
        symlink(&outside, user_dir.join("link")).unwrap();
        std::fs::create_dir_all(user_dir.join("a/b/c")).unwrap();
        symlink(&outside, user_dir.join("a/b/c/link")).unwrap();
        call(warden, &Call::Remove { incarnation: order.incarnation.clone() }).unwrap();
        assert!(outside.join("kept").exists());
        assert!(!user_dir.exists());
    });
}

#[test]
fn a_removal_that_was_cut_short_is_finished_and_no_other_directory_is_touched() {
    both(|world, warden| {
        let order = world.order("cut", 2, "/bin/true", &[]);
        call(warden, &start(&order)).unwrap();
        wait_for_exit(world, &order.incarnation);
        let sessions = world.layout.sessions();
        for cut in ["cut/.1.gone/u", "over/.7.gone/u", "never-begun"] {
            std::fs::create_dir_all(sessions.join(cut)).unwrap();
        }
        call(warden, &Call::FinishRemovals).unwrap();
        let names = |dir: &Path| -> Vec<_> {
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(&sessions), ["cut"]);
        assert_eq!(names(&sessions.join("cut")), ["2"]);
    });
}

#[test]
fn only_files_below_the_directories_of_its_start_are_opened() {
    both(|world, warden| {
        let etc = world.dir.path().join("etc");
        std::fs::create_dir_all(etc.join("sub")).unwrap();
        std::fs::write(etc.join("sub/key"), "text").unwrap();
        std::fs::write(world.dir.path().join("secret"), "no").unwrap();
        symlink("sub/key", etc.join("inside")).unwrap();
        symlink("../secret", etc.join("outside")).unwrap();
        let open = |path: PathBuf| call(warden, &Call::Open { path });
        for good in ["sub/key", "inside"] {
            let (answer, mut fds) = open(etc.join(good)).unwrap();
            assert_eq!(answer, Answer::Descriptor);
            let mut text = String::new();
            std::fs::File::from(fds.remove(0)).read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
        }
        for bad in ["outside", "sub", "missing", "sub/../../secret"] {
            assert!(open(etc.join(bad)).is_err(), "{bad}");
        }
        for bad in ["/etc/passwd", "etc/sub/key", ""] {
            let refused = open(PathBuf::from(bad)).unwrap_err();
            assert!(matches!(refused, WardenError::Refused { .. }), "{refused}");
        }
    });
}

#[test]
fn a_listener_comes_as_a_descriptor_and_a_taken_port_names_its_holder() {
    both(|_, warden| {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let held = TcpListener::bind((ip, 0)).unwrap();
        let address = ListenAddress { ip, port: held.local_addr().unwrap().port() };
        let refused = call(warden, &Call::Bind { address: address.clone() }).unwrap_err();
        let pid = format!("pid {}", std::process::id());
        assert!(refused.to_string().contains(&pid), "{refused}");
        drop(held);
        let (_, mut fds) = call(warden, &Call::Bind { address: address.clone() }).unwrap();
        let listener = TcpListener::from(fds.remove(0));
        assert_eq!(listener.local_addr().unwrap().port(), address.port);
    });
}

#[test]
fn a_home_is_made_for_the_account_alone() {
    both(|world, warden| {
        let user = world.user.0.to_string();
        for _ in 0..2 {
            let (answer, _) = call(warden, &Call::MakeHome { user: user.clone() }).unwrap();
            let Answer::Path { path } = answer else { panic!("{answer:?}") };
            let mode = Path::new(&path).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o700);
        }
        for bad in ["root", "../x", "no-such-account-here"] {
            assert!(call(warden, &Call::MakeHome { user: bad.to_owned() }).is_err(), "{bad}");
        }
    });
}

#[test]
fn a_warden_that_went_away_is_gone_and_not_a_refusal() {
    let (near, far) = UnixStream::pair().unwrap();
    drop(far);
    let client = Client::new(near);
    let gone = call(&client, &Call::MakeHome { user: "x".to_owned() }).unwrap_err();
    assert!(matches!(gone, WardenError::Gone { .. }), "{gone}");
}

#[test]
fn what_is_no_call_ends_the_service_and_nothing_is_done() {
    use std::io::Write;
    let world = World::new();
    for bytes in [&b"\x02\0\0\0{}"[..], b"\xff\xff\xff\xff", b"\x05\0\0\0hello"] {
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(bytes).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(serve(&far, world.warden.as_ref()).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_call_that_is_logged_shows_no_values_of_the_environment() {
    let world = World::new();
    let order = world.order("quiet", 1, "/bin/true", &[]);
    let env = Environment(vec![("TOKEN".to_owned(), "canary-51c9".to_owned())]);
    let (args, working_dir) = (Vec::new(), "/".to_owned());
    let shown = format!("{:?}", Call::Start { order: Box::new(order), env, args, working_dir });
    assert!(shown.contains("TOKEN") && !shown.contains("canary"), "{shown}");
}
