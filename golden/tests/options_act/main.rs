//! Every option that the catalogue calls `acts`, proven on a real engine: the file is edited while a session
//! runs and somebody is connected to it, and what the option is for happens.
//!
//! The catalogue names these functions (`test = "..."`); `tidy.rs` holds the two lists equal. What an option's
//! value may be is tested where files are read. Our own files have no rows in the catalogue: [`own`].

mod own;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use engine::status::StatusView;
use golden::real::engine::session;
use golden::real::{Engine, LIMIT, Port, Process, Site, Socket, holds_for, wait_for};

/// An engine with a running session and somebody connected to it: whom no edit of these tests may touch.
struct Busy {
    engine: Engine,
    demo: Process,
    socket: Socket,
}

impl Busy {
    fn start(site: Site) -> Self {
        let mut engine = Engine::start(site);
        let demo = engine.running("demo");
        let browser = engine.sign_in();
        let port = engine.listening();
        let socket = browser.web_socket(port, "/s/demo/ws").expect("the demo takes WebSockets");
        let mut busy = Self { engine, demo, socket };
        busy.check_untouched();
        busy
    }

    /// The session's process and the connection opened before the first edit are still there.
    #[track_caller]
    fn check_untouched(&mut self) {
        assert!(self.demo.is_alive(), "the session's process is gone");
        self.socket.echo().expect("the connection of before the edit stays");
    }

    /// Plans for a file as it is going to be, sees what is said of it, and that planning alone does nothing.
    #[track_caller]
    fn plan(&mut self, name: &str, text: &str) -> String {
        let staged = self.engine.site.around().join("staged");
        std::fs::write(&staged, text).expect("the directory is ours");
        let before = self.engine.status().expect("it answers").generation;
        let pair = format!("{}={}", self.engine.site.path(name).display(), staged.display());
        let ran = self.engine.admin(&["plan", "--as", &pair]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(self.engine.status().expect("it answers").generation, before);
        ran.stdout
    }

    /// Edits a file and waits until the edit is in force.
    #[track_caller]
    fn edit(&mut self, name: &str, text: &str) {
        let before = self.engine.status().expect("it answers").generation;
        self.engine.site.replace(name, text);
        self.engine.wait_status(&format!("{name} in force"), |status| {
            (status.generation > before && status.refused.is_none()).then_some(())
        });
    }
}

/// Whether `text` has a line with all of these parts.
fn has_line(text: &str, parts: &[&str]) -> bool {
    text.lines().any(|line| parts.iter().all(|part| line.contains(part)))
}

/// The environment that a session's process was started with.
#[track_caller]
fn environ(process: Process) -> BTreeMap<String, String> {
    wait_for("the child has become the session", || {
        let bytes = std::fs::read(format!("/proc/{}/environ", process.pid))
            .map_err(|error| error.to_string())?;
        let env: BTreeMap<String, String> = String::from_utf8_lossy(&bytes)
            .split('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if env.contains_key("WHARF_SESSION") { Ok(env) } else { Err(format!("{env:?}")) }
    })
}

/// The first line that a listener answers to a question after its health.
fn healthz(address: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    };
    ask().map_err(|error| format!("{address}: {error}"))
}

/// Moves the listener by an edit of `rserver.conf` from one address to another.
#[track_caller]
fn moves_the_listener(busy: &mut Busy, option: &str, rserver_conf: &str, from: &str, to: &str) {
    assert_eq!(healthz(from).as_deref(), Ok("HTTP/1.1 200 OK"));
    let plan = busy.plan("rserver.conf", rserver_conf);
    assert!(has_line(&plan, &["rserver.conf:", option, "live"]), "{plan}");
    assert!(has_line(&plan, &["0 end, 0 restart"]), "{plan}");
    assert!(healthz(to).is_err(), "a plan opens nothing");
    busy.edit("rserver.conf", rserver_conf);
    busy.engine.wait_status("the listener has moved", |status| {
        status.listeners.values().eq([to]).then_some(())
    });
    assert_eq!(healthz(to).as_deref(), Ok("HTTP/1.1 200 OK"));
    wait_for("the old address takes nobody in", || match TcpStream::connect(from) {
        Err(_) => Ok(()),
        Ok(_) => Err(format!("{from} answers")),
    });
    busy.check_untouched();
}

#[test]
fn www_port_moves_the_listener() {
    let mut busy = Busy::start(Site::demo());
    let port = Port::free();
    let (from, to) = (busy.engine.site.port(), port.number());
    let text = busy.engine.site.rserver_conf(to);
    let address = |port: u16| format!("127.0.0.1:{port}");
    moves_the_listener(&mut busy, "www-port", &text, &address(from), &address(to));
}

#[test]
fn www_address_moves_the_listener() {
    let mut busy = Busy::start(Site::demo());
    let port = busy.engine.site.port();
    // All of 127.0.0.0/8 is this machine.
    let text = format!("www-address=127.0.0.2\nwww-port={port}\n");
    let (from, to) = (format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}"));
    moves_the_listener(&mut busy, "www-address", &text, &from, &to);
}

/// A `launcher.conf` with these clusters: name and type.
fn launcher_conf(clusters: &[(&str, &str)]) -> String {
    let mut text = "[server]\naddress=localhost\n".to_owned();
    for (name, kind) in clusters {
        text.push_str(&format!("\n[cluster]\nname={name}\ntype={kind}\n"));
    }
    text
}

/// Stops a session and starts it again.
#[track_caller]
fn started_anew(engine: &mut Engine, id: &str) -> Process {
    let before = engine.running(id);
    for verb in ["stop", "start"] {
        let ran = engine.admin(&["session", verb, id]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        engine.wait_status(verb, |status| {
            let state = &session(status, id)?.state;
            (state == if verb == "stop" { "stopped" } else { "running" }).then_some(())
        });
    }
    let after = engine.running(id);
    assert_ne!(before, after);
    after
}

#[test]
fn default_cluster_is_taken() {
    let site = Site::demo();
    site.write("launcher.conf", &launcher_conf(&[("East", "Local"), ("West", "Local")]));
    // What a session was started in is seen by what `launcher-env` gives to that cluster only.
    let record =
        |name: &str| format!("JobType: any\nCluster: {name}\nEnvironment: PLACE={name}\n\n");
    site.write("launcher-env", &(record("East") + &record("West")));
    let rserver_conf = site.rserver_conf(site.port());
    let naming = |name: &str| format!("{rserver_conf}launcher-default-cluster={name}\n");
    site.write("rserver.conf", &naming("East"));
    let mut busy = Busy::start(site);
    assert_eq!(environ(busy.demo)["PLACE"], "East");
    let plan = busy.plan("rserver.conf", &naming("West"));
    assert!(has_line(&plan, &["launcher-default-cluster", "East -> West", "live"]), "{plan}");
    busy.edit("rserver.conf", &naming("West"));
    busy.engine.wait_status("the session is outdated", |status| {
        session(status, "demo")?.outdated.contains(&"cluster".to_owned()).then_some(())
    });
    busy.check_untouched();
    let anew = started_anew(&mut busy.engine, "demo");
    assert_eq!(environ(anew)["PLACE"], "West");
    // A name that is not declared is refused, and what was in force stays.
    busy.engine.site.replace("rserver.conf", &naming("Wets"));
    refused_for(&mut busy.engine, "WH0302");
}

/// Waits until the files are refused for this code.
#[track_caller]
fn refused_for(engine: &mut Engine, code: &str) {
    engine.wait_status(&format!("refused for {code}"), |status| {
        let refusal = status.refused.as_ref()?;
        refusal.problems.iter().any(|problem| problem.contains(code)).then_some(())
    });
}

#[test]
fn launcher_env_reaches_the_session() {
    let site = Site::demo();
    // Its workbench is one that a record can name; what it runs does not matter here.
    site.write(
        "wharf.toml",
        &(golden::real::site::wharf_toml("60s")
            + "[workbenches.jupyterlab]\nexe = \"/bin/sh\"\nargs = [\"-c\", \"exec sleep 600\"]\n"),
    );
    site.write("sessions.d/lab.toml", "workbench = \"jupyterlab\"\n");
    let records = |word: &str| {
        format!(
            "JobType: any\nEnvironment: FOR_ALL={word}\n   OF_USER=is-{{USER}}\n   LATER=first\n\n\
             JobType: session\nWorkbench: any\nEnvironment: FOR_SESSIONS=1\n   LATER=second\n\n\
             JobType: adhoc\nEnvironment: FOR_JOBS=1\n\n\
             JobType: session\nWorkbench: jupyterlab\nEnvironment: FOR_LAB=1\n\n\
             JobType: session\nCluster: Local\nEnvironment: FOR_LOCAL=1\n\n\
             JobType: session\nCluster: Elsewhere\nEnvironment: FOR_ELSEWHERE=1\n"
        )
    };
    site.write("launcher-env", &records("before"));
    let mut busy = Busy::start(site);
    let demo = environ(busy.demo);
    let status = busy.engine.status().expect("it answers");
    let user = &session(&status, "demo").expect("it is there").user;
    assert_eq!(demo["FOR_ALL"], "before");
    assert_eq!(demo["OF_USER"], format!("is-{user}"));
    assert_eq!(demo["LATER"], "second", "a later record wins");
    for (name, reaches) in [
        ("FOR_SESSIONS", true),
        ("FOR_LOCAL", true),
        ("FOR_JOBS", false),
        ("FOR_LAB", false),
        ("FOR_ELSEWHERE", false),
    ] {
        assert_eq!(demo.contains_key(name), reaches, "{name}: {demo:?}");
    }
    let lab = busy.engine.wait_status("the other session has a process", |status| {
        Process::of(session(status, "lab")?.pid?)
    });
    assert!(environ(lab).contains_key("FOR_LAB"));

    let plan = busy.plan("launcher-env", &records("after"));
    assert!(has_line(&plan, &["FOR_ALL", "before -> after", "next-start"]), "{plan}");
    busy.edit("launcher-env", &records("after"));
    busy.engine.wait_status("the session is outdated", |status| {
        session(status, "demo")?.outdated.contains(&"env FOR_ALL".to_owned()).then_some(())
    });
    let why = busy.engine.admin(&["why", "demo"]).stdout;
    assert!(has_line(&why, &["outdated", "FOR_ALL", "launcher-env:2"]), "{why}");
    busy.check_untouched();
    let anew = started_anew(&mut busy.engine, "demo");
    assert_eq!(environ(anew)["FOR_ALL"], "after");
}

#[test]
fn clusters_are_declared() {
    let site = Site::demo();
    site.write("launcher.conf", &launcher_conf(&[("East", "Local")]));
    let mut busy = Busy::start(site);
    // The name: a session asks for a cluster that comes later.
    busy.engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\ncluster = \"West\"\n");
    let dir = busy.engine.site.dir();
    let check = |busy: &Busy| busy.engine.admin(&["check", &dir.display().to_string()]);
    let checked = check(&busy);
    assert!(checked.code == Some(1) && checked.stdout.contains("WH0302"), "{checked:?}");
    let both = |kind: &str| launcher_conf(&[("East", "Local"), ("West", kind)]);
    busy.edit("launcher.conf", &both("local"));
    assert_eq!(check(&busy).code, Some(0));
    let second = busy.engine.running("second");
    // The type: who launches there. The one that runs there stays, and nobody else can start there.
    busy.edit("launcher.conf", &both("Slurm"));
    busy.edit("sessions.d/third.toml", "workbench = \"demo\"\ncluster = \"West\"\n");
    busy.engine.wait_status("the third cannot start", |status| {
        status
            .holds
            .iter()
            .find(|hold| hold.resource == "session/third" && hold.waiting.contains("slurm"))
            .map(|_| ())
    });
    assert!(second.is_alive());
    busy.check_untouched();
    busy.edit("launcher.conf", &both("Local"));
    busy.engine.running("third");
}

#[test]
fn balancer_is_taken() {
    let mut busy = Busy::start(Site::demo());
    let balancer = |status: &StatusView, wanted: &str| (status.balancer == wanted).then_some(());
    busy.engine.wait_status("the default", |status| balancer(status, "sessions"));
    let plan = busy.plan("load-balancer", "balancer=user-hash\n");
    assert!(has_line(&plan, &["load-balancer:1", "balancer", "user-hash", "live"]), "{plan}");
    assert!(has_line(&plan, &["~ balancer", "sessions -> user-hash"]), "{plan}");
    for (text, method) in
        [("balancer=user-hash\n", "user-hash"), ("balancer=System-Load\n", "system-load")]
    {
        busy.edit("load-balancer", text);
        busy.engine.wait_status(method, |status| balancer(status, method));
    }
    busy.engine.site.remove("load-balancer");
    busy.engine.wait_status("the default again", |status| balancer(status, "sessions"));
    busy.check_untouched();
}

#[test]
fn provider_names_the_store() {
    let mut busy = Busy::start(Site::demo());
    busy.edit("database.conf", "provider=SQLite\n");
    let accepted = busy.engine.status().expect("it answers").generation;
    // The store that it names cannot be had: served from another one, this would be another site.
    busy.engine.site.replace("database.conf", "provider=PostgreSQL\n");
    refused_for(&mut busy.engine, "WH0312");
    holds_for(Duration::from_millis(200), || {
        assert_eq!(busy.engine.status().expect("it answers").generation, accepted);
    });
    busy.check_untouched();
    busy.engine.site.replace("database.conf", "provider=sqlite\n");
    busy.engine.wait_status("accepted again", |status| status.refused.is_none().then_some(()));
}

/// Not `acts` yet: with one node the switch turns nothing on. That a cluster without a shared store is warned of
/// is all that it does.
#[test]
fn load_balancing_switch() {
    let site = Site::demo();
    let rserver_conf = site.rserver_conf(site.port());
    let mut busy = Busy::start(site);
    let warned = |busy: &Busy| busy.engine.admin(&["plan"]).stdout.contains("WH0311");
    for (switch, warns) in [("1", true), ("0", false)] {
        let text = format!("{rserver_conf}load-balancing-enabled={switch}\n");
        assert_eq!(busy.plan("rserver.conf", &text).contains("WH0311"), warns);
        busy.edit("rserver.conf", &text);
        assert_eq!(warned(&busy), warns);
    }
    busy.check_untouched();
}
