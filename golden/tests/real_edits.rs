//! Each kind of edit while a session runs and somebody is connected to it: what changes, and that nobody is hurt.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use engine::status::{HoldView, StatusView};
use golden::real::engine::session;
use golden::real::site::wharf_toml;
use golden::real::{Browser, Engine, Port, Process, Site, Socket, holds_for, wait_for};

/// A running demo session with somebody connected to it.
struct Connected {
    engine: Engine,
    demo: Process,
    browser: Browser,
    socket: Socket,
}

impl Connected {
    #[track_caller]
    fn new(site: Site) -> Self {
        let serves = site.dir();
        Self::by_path(site, serves)
    }

    #[track_caller]
    fn by_path(site: Site, serves: PathBuf) -> Self {
        let mut engine = Engine::start_in(site, serves);
        let demo = engine.running("demo");
        let browser = engine.sign_in();
        let port = engine.listening();
        let mut socket = browser.web_socket(port, "/s/demo/ws").expect("the demo takes WebSockets");
        socket.echo().expect("it sends back");
        Self { engine, demo, browser, socket }
    }

    /// The same process, and the connection that was open before.
    #[track_caller]
    fn check_untouched(&mut self) {
        assert!(self.demo.is_alive(), "the session's process");
        self.socket.echo().expect("the open WebSocket");
    }

    /// What the session's own page says of itself.
    #[track_caller]
    fn pid_behind(&mut self, port: u16, id: &str) -> u64 {
        let path = format!("/s/{id}/status");
        let page = wait_for(&path, || match self.browser.get(port, &path)? {
            page if page.status == 200 => Ok(page),
            page => Err(format!("{page:?}")),
        });
        let status: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
        status["pid"].as_u64().expect("a pid")
    }
}

fn hold<'a>(status: &'a StatusView, resource: &str) -> Option<&'a HoldView> {
    status.holds.iter().find(|hold| hold.resource == resource)
}

#[test]
fn a_nodes_weight() {
    let mut it = Connected::new(Site::demo());
    let node = it.engine.status().expect("it answers").node;
    it.engine.site.write(&format!("nodes.d/{node}.toml"), "weight = 3\n");
    it.engine.wait_status("the weight is in force", |status| {
        (status.nodes.get(&node)?.weight == 3 && status.settled).then_some(())
    });
    it.check_untouched();
}

#[test]
fn an_environment_rule_leaves_the_session_as_it_is_and_says_that_it_is_outdated() {
    let site = Site::demo();
    site.write("launcher-env", "LC_ALL=en_US.UTF-8\n");
    let mut it = Connected::new(site);
    it.engine.site.write("launcher-env", "LC_ALL=C.UTF-8\n");
    let outdated = it.engine.wait_status("outdated", |status| {
        let demo = session(status, "demo")?;
        (!demo.outdated.is_empty()).then(|| demo.clone())
    });
    assert_eq!((outdated.pid, outdated.state.as_str()), (Some(it.demo.pid), "running"));
    assert!(outdated.outdated.join(" ").contains("LC_ALL"), "{outdated:?}");
    it.check_untouched();
    let healthy = it.engine.admin(&["status"]);
    assert_eq!(healthy.code, Some(0), "outdated alone is healthy: {healthy:?}");
    let plan = it.engine.admin(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "not new any more: {plan:?}");
    assert!(
        plan.stdout
            .contains("No changes. 1 session runs with an older environment (generation 1)."),
        "{plan:?}"
    );
}

#[test]
fn www_port_binds_anew_and_open_connections_stay() {
    let mut it = Connected::new(Site::demo());
    let (old, new) = (it.engine.listening(), Port::free());
    let conf = it.engine.site.rserver_conf(new.number());
    it.engine.site.write("rserver.conf", &conf);
    it.engine.wait_status("the new listener", |status| {
        let bound = status.listeners.values().any(|at| at.ends_with(&format!(":{}", new.number())));
        (bound && status.settled).then_some(())
    });
    assert_eq!(it.pid_behind(new.number(), "demo"), u64::from(it.demo.pid));
    it.check_untouched();
    wait_for("the old port is closed", || match Browser::default().get(old, "/healthz") {
        Err(refused) if refused.contains("refused") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    it.check_untouched();
}

#[test]
fn a_session_file_that_comes_starts_a_session() {
    let mut it = Connected::new(Site::demo());
    it.engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\n");
    let second = it.engine.running("second");
    let port = it.engine.listening();
    assert_eq!(it.pid_behind(port, "second"), u64::from(second.pid));
    it.check_untouched();
}

#[test]
fn a_session_file_that_goes_ends_nothing_before_harm_delay_and_nothing_once_it_is_back() {
    let site = Site::demo();
    let stops = "workbench = \"demo\"\non-removal = \"stop\"\n";
    site.write("sessions.d/demo.toml", stops);
    let mut it = Connected::new(site);
    it.engine.site.remove("sessions.d/demo.toml");
    let held =
        it.engine.wait_status("its end is held", |status| hold(status, "session/demo").cloned());
    assert!(held.until.is_some() && !held.standing, "{held:?}");
    it.check_untouched();
    it.engine.site.write("sessions.d/demo.toml", stops);
    it.engine.wait_status("the hold goes with its cause", |status| {
        (status.settled && hold(status, "session/demo").is_none()).then_some(())
    });
    it.check_untouched();
}

#[test]
fn a_session_file_that_goes_ends_its_session_after_harm_delay() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml("3s"));
    site.write("sessions.d/second.toml", "workbench = \"demo\"\non-removal = \"stop\"\n");
    let mut it = Connected::new(site);
    let second = it.engine.running("second");
    it.engine.site.remove("sessions.d/second.toml");
    it.engine.wait_status("its end is held", |status| hold(status, "session/second").map(|_| ()));
    assert!(second.is_alive(), "held is not ended");
    wait_for("it ends", || if second.is_alive() { Err("alive".to_owned()) } else { Ok(()) });
    it.engine.wait_status("it is gone", |status| {
        (status.settled && session(status, "second").is_none_or(|s| s.state == "stopped"))
            .then_some(())
    });
    it.check_untouched();
}

#[test]
fn a_gateway_that_comes_gives_its_session_a_port() {
    let ports = Port::run(3);
    let gateway = format!(
        "address = \"127.0.0.1\"\nport-range = \"{}-{}\"\ntls = \"off\"\n",
        ports[0].number(),
        ports[2].number()
    );
    let mut it = Connected::new(Site::demo());
    it.engine.site.write("gateways.d/lab.toml", &gateway);
    it.engine.wait_status("the gateway", |status| {
        (status.gateways.contains_key("lab") && status.settled).then_some(())
    });
    it.check_untouched();
    let published = "workbench = \"demo\"\n[publish]\ngateway = \"lab\"\n";
    it.engine.site.write("sessions.d/third.toml", published);
    let third = it.engine.running("third");
    let port = it.engine.wait_status("a port of it", |status| {
        let gateway = status.gateways.get("lab")?;
        gateway.ports.iter().find(|(_, session)| *session == "third").map(|(port, _)| *port)
    });
    assert!(ports.iter().any(|free| free.number() == port), "{port}");
    let page = wait_for("the gateway answers", || match it.browser.get(port, "/status")? {
        page if page.status == 200 => Ok(page),
        page => Err(format!("{page:?}")),
    });
    assert!(page.body.contains(&third.pid.to_string()), "{page:?}");
    it.check_untouched();
}

#[test]
fn a_broken_edit_changes_nothing_and_names_its_line() {
    let mut it = Connected::new(Site::demo());
    let generation = it.engine.status().expect("it answers").generation;
    let good = it.engine.site.rserver_conf(it.engine.site.port());
    it.engine.site.write("rserver.conf", &format!("{good}www-prot=9000\n"));
    let refused = it.engine.wait_status("it is refused", |status| {
        assert_eq!(status.generation, generation, "the last good one stays");
        status.refused.clone()
    });
    let line = refused.problems.iter().any(|problem| problem.contains("rserver.conf:3"));
    assert!(line && refused.problems.iter().any(|p| p.contains("www-prot")), "{refused:?}");
    assert_eq!(it.engine.admin(&["status"]).code, Some(2));
    let text = it.engine.admin(&["status"]).stdout;
    assert!(text.contains("rserver.conf:3"), "{text}");
    it.check_untouched();
    it.engine.site.write("rserver.conf", &good);
    it.engine.wait_status("repaired", |status| status.refused.is_none().then_some(()));
    it.check_untouched();
}

#[test]
fn a_directory_that_vanishes_for_a_while_ends_nothing() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml("1s"));
    site.write("sessions.d/demo.toml", "workbench = \"demo\"\non-removal = \"stop\"\n");
    let mut it = Connected::new(site);
    let away = it.engine.site.around().join("away");
    fs::rename(it.engine.site.dir(), &away).expect("both are ours");
    // Longer than harm-delay and than any time of acceptance.
    holds_for(Duration::from_secs(10), || it.check_untouched());
    fs::rename(&away, it.engine.site.dir()).expect("both are ours");
    it.engine.wait_status("as before", |status| {
        (status.settled && status.refused.is_none() && status.holds.is_empty()).then_some(())
    });
    holds_for(Duration::from_secs(2), || it.check_untouched());
    // And it is still looked at.
    it.engine.site.write("sessions.d/second.toml", "workbench = \"demo\"\n");
    it.engine.running("second");
}

#[test]
fn a_directory_of_sessions_that_vanishes_is_not_an_empty_one() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml("1s"));
    site.write("sessions.d/demo.toml", "workbench = \"demo\"\non-removal = \"stop\"\n");
    let mut it = Connected::new(site);
    let away = it.engine.site.around().join("away");
    fs::rename(it.engine.site.path("sessions.d"), &away).expect("both are ours");
    holds_for(Duration::from_secs(5), || it.check_untouched());
    fs::rename(&away, it.engine.site.path("sessions.d")).expect("both are ours");
    holds_for(Duration::from_secs(2), || it.check_untouched());
}

/// Waits until the session is outdated because of the environment: the edit arrived.
#[track_caller]
fn wait_outdated(it: &mut Connected, what: &str) {
    it.engine
        .wait_status(what, |status| (!session(status, "demo")?.outdated.is_empty()).then_some(()));
    it.check_untouched();
}

#[test]
fn the_same_edit_arrives_in_place_by_rename_and_by_a_link_swapped_elsewhere() {
    let (old, new) = ("LC_ALL=en_US.UTF-8\n", "LC_ALL=C.UTF-8\n");

    let site = Site::demo();
    site.write("launcher-env", old);
    let mut it = Connected::new(site);
    for (what, text) in [("in place", new), ("in place, back", old)] {
        it.engine.site.write("launcher-env", text);
        arrives(&mut it, what, text == new);
    }
    for (what, text) in [("by rename", new), ("by rename, back", old)] {
        it.engine.site.replace("launcher-env", text);
        arrives(&mut it, what, text == new);
    }
    drop(it);

    let site = Site::demo();
    site.link_outside("launcher-env", old);
    let mut it = Connected::new(site);
    it.engine.site.swap("launcher-env", new);
    wait_outdated(&mut it, "by a link swapped outside");
}

#[track_caller]
fn arrives(it: &mut Connected, what: &str, outdated: bool) {
    it.engine.wait_status(what, |status| {
        (session(status, "demo")?.outdated.is_empty() != outdated).then_some(())
    });
    it.check_untouched();
}

#[test]
fn a_site_that_is_itself_a_link_is_followed_when_the_link_is_swapped() {
    let site = Site::demo();
    site.write("launcher-env", "LC_ALL=en_US.UTF-8\n");
    let link = site.around().join("served");
    std::os::unix::fs::symlink(site.dir(), &link).expect("the directory is ours");
    let mut it = Connected::by_path(site, link.clone());
    let next = it.engine.site.stage();
    fs::write(next.join("launcher-env"), "LC_ALL=C.UTF-8\n").expect("it is ours");
    let beside = it.engine.site.around().join("served.new");
    std::os::unix::fs::symlink(&next, &beside).expect("the directory is ours");
    fs::rename(beside, link).expect("the same directory");
    wait_outdated(&mut it, "by the link to the whole site");
}
