//! Probes of files in `sessions.d`: what a running session takes up without a start.

use std::collections::BTreeMap;

use engine::identity::{Cookies, Key, Person};
use engine_core::ids::Moment;
use golden::real::engine::session as session_of;
use golden::real::{Browser, Port, Process, wait_for};
use grammar::own::OwnKind;
use rustix::process::Signal;

use super::{Editor, Probe, file_of};

const fn probe(field: &'static str, effect: &'static str, see: fn(&mut Editor)) -> Probe {
    Probe { kind: OwnKind::Session, field, effect, see }
}

/// The group.
pub(super) const PROBES: &[Probe] = &[
    probe("display-name", "pages and status call it so", display_name),
    probe("state", "it stops, and starts again", state),
    probe("restart", "it stays ended, and starts again", restart),
    probe("on-removal", "its file gone, it is kept or waits to be idle", on_removal),
    probe("access.users", "they may open it; taken out, their connection is cut", users),
    probe("access.groups", "members may open it", groups),
    probe("access.admins", "they may open it", admins),
    probe("health.start-timeout", "a start that does not answer has failed", start_timeout),
    probe("stop.signal", "it is told to end by this signal", signal),
    probe("stop.stop-grace-period", "what ignores that is killed after so long", grace),
    probe("update.apply", "outdated, it waits to be idle instead", apply),
    probe("update.window", "a restart waits for the window", window),
    probe("publish.gateway", "its port is one of that gateway", gateway),
    probe("publish.port", "its port is this one", port),
];

#[test]
fn probes_of_sessions() {
    let wharf = [
        ("policy.harm-delay", "\"100ms\""),
        ("policy.back-off.first", "\"20ms\""),
        ("workbenches.slow.exe", "\"/bin/sh\""),
        ("workbenches.slow.args", "[\"-c\", \"exec sleep 600\"]"),
        ("workbenches.deaf.exe", "\"/bin/sh\""),
        ("workbenches.deaf.args", "[\"-c\", \"trap '' TERM; while :; do sleep 1; done\"]"),
    ];
    Editor::probe_all(&wharf, PROBES);
}

fn display_name(editor: &mut Editor) {
    editor.set(&file_of("demo"), "display-name", "\"Genomics lab\"");
    editor.until("the status calls it so", |status| {
        (session_of(status, "demo")?.display_name == "Genomics lab").then_some(())
    });
    let mut browser = editor.busy.engine.sign_in();
    let port = editor.busy.engine.listening();
    wait_for("the page calls it so", || {
        let page = browser.get(port, "/")?;
        if page.body.contains("Genomics lab") { Ok(()) } else { Err(page.body) }
    });
    editor.unset(&file_of("demo"), "display-name");
}

fn state(editor: &mut Editor) {
    let before = editor.runs("second", &[]);
    editor.set(&file_of("second"), "state", "\"stopped\"");
    editor.is("second", "stopped");
    assert!(!before.is_alive());
    editor.set(&file_of("second"), "state", "\"running\"");
    editor.is("second", "running");
    editor.gone("second");
}

fn restart(editor: &mut Editor) {
    let second = editor.runs("second", &[]);
    editor.set(&file_of("second"), "restart", "\"no\"");
    second.signal(Signal::KILL);
    let ended = editor.is("second", "stopped");
    assert!(ended.reason.contains("ended"), "{ended:?}");
    editor.set(&file_of("second"), "restart", "\"always\"");
    editor.is("second", "running");
    editor.gone("second");
}

fn on_removal(editor: &mut Editor) {
    let second = editor.runs("second", &[("on-removal", "\"stop\"")]);
    editor.set(&file_of("second"), "on-removal", "\"keep\"");
    editor.remove(&file_of("second"));
    editor.held("second", "its on-removal is \"keep\"");
    editor.add(&file_of("second"), &[("workbench", "\"demo\""), ("on-removal", "\"keep\"")]);
    editor.free("second");
    editor.set(&file_of("second"), "on-removal", "\"when-idle\"");
    editor.remove(&file_of("second"));
    editor.held("second", "once it is idle");
    assert!(second.is_alive());
    editor.ended("second");
}

/// Somebody whom no file names, signed in with a cookie of the instance's own key: ways to sign in as anybody but
/// the engine's own account come later.
fn somebody(editor: &Editor) -> Browser {
    let key = editor.busy.engine.site.around().join("state/t/key");
    let key = Key::load_or_create(&key).expect("the engine has made it");
    let cookies = Cookies::new("t", &key);
    let root = Person { user: "root".parse().expect("an account"), admin: false };
    let now = Moment(editor.status().round_at.0);
    let cookie = cookies.issue(&root, now, false).expect("there is chance");
    let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
    let (name, value) = pair.expect("a cookie is a pair");
    Browser::with_cookies(BTreeMap::from([(name.to_owned(), value.to_owned())]))
}

/// Sees that an edit lets somebody in, and that the edit back shuts them out, with what they had open.
fn lets_in(editor: &mut Editor, field: &str, value: &str) {
    let port = editor.busy.engine.listening();
    let mut browser = somebody(editor);
    let opens = |browser: &mut Browser| browser.get(port, "/s/demo/").map(|page| page.status);
    // Whom it is none of is not told that it is there.
    assert_eq!(opens(&mut browser), Ok(404));
    editor.set(&file_of("demo"), field, value);
    wait_for("they may open it", || match opens(&mut browser)? {
        200 => Ok(()),
        other => Err(other.to_string()),
    });
    let mut socket = browser.web_socket(port, "/s/demo/ws").expect("they may open it");
    socket.echo().expect("it answers");
    editor.unset(&file_of("demo"), field);
    wait_for("they may not open it", || match opens(&mut browser)? {
        404 => Ok(()),
        other => Err(other.to_string()),
    });
    wait_for("what they had open is cut", || {
        socket.echo().err().map_or(Err("open".into()), |_| Ok(()))
    });
}

fn users(editor: &mut Editor) {
    lets_in(editor, "access.users", "[\"root\"]");
}

fn groups(editor: &mut Editor) {
    lets_in(editor, "access.groups", "[\"root\"]");
}

fn admins(editor: &mut Editor) {
    lets_in(editor, "access.admins", "[\"root\"]");
}

fn start_timeout(editor: &mut Editor) {
    let file = file_of("slow");
    let says =
        [("workbench", "\"slow\""), ("on-removal", "\"stop\""), ("health.start-timeout", "\"1h\"")];
    editor.add(&file, &says);
    editor.is("slow", "starting");
    editor.held("slow", "start is under way");
    editor.set(&file, "health.start-timeout", "\"100ms\"");
    editor.until("it has failed", |status| {
        let hold = status.holds.iter().find(|hold| hold.resource == "session/slow")?;
        hold.because.iter().any(|why| why.contains("did not answer in 100ms")).then_some(())
    });
    editor.forgotten("slow");
}

/// Stops a session by its file, and how it ended.
fn how_it_ends(editor: &mut Editor, id: &str) -> String {
    // One that has only just begun to start may have none yet.
    let process =
        editor.until("it has a process", |status| Process::of(session_of(status, id)?.pid?));
    editor.set(&file_of(id), "state", "\"stopped\"");
    let ended = editor.is(id, "stopped");
    assert!(!process.is_alive());
    ended.reason
}

fn signal(editor: &mut Editor) {
    let second = file_of("second");
    editor.runs("second", &[]);
    let by_default = how_it_ends(editor, "second");
    editor.set(&second, "state", "\"running\"");
    editor.is("second", "running");
    editor.set(&second, "stop.signal", "\"SIGKILL\"");
    let by_kill = how_it_ends(editor, "second");
    assert!(
        by_kill.contains("signal 9") && !by_default.contains("signal 9"),
        "{by_default}, {by_kill}"
    );
    editor.forgotten("second");
}

fn grace(editor: &mut Editor) {
    let deaf = file_of("deaf");
    editor.add(&deaf, &[("workbench", "\"deaf\""), ("stop.stop-grace-period", "\"1h\"")]);
    editor.is("deaf", "starting");
    editor.set(&deaf, "stop.stop-grace-period", "\"200ms\"");
    how_it_ends(editor, "deaf");
    editor.forgotten("deaf");
}

fn apply(editor: &mut Editor) {
    let outdated = file_of("outdated");
    editor.runs("outdated", &[("env.WORD", "\"one\"")]);
    editor.set(&outdated, "env.WORD", "\"two\"");
    editor.held("outdated", "at its next start: env WORD");
    editor.set(&outdated, "update.apply", "\"when-idle\"");
    editor.held("outdated", "once it is idle");
    editor.gone("outdated");
}

fn window(editor: &mut Editor) {
    let outdated = file_of("outdated");
    editor.set("wharf.toml", "policy.harm-delay", "\"10m\"");
    editor.runs("outdated", &[("env.WORD", "\"one\""), ("update.apply", "\"now\"")]);
    editor.set(&outdated, "env.WORD", "\"two\"");
    editor.held("outdated", "waits for harm-delay");
    super::policy::see_windows(editor, |editor, window| {
        editor.set(&outdated, "update.window", &format!("\"{window}\""));
    });
    editor.gone("outdated");
    editor.set("wharf.toml", "policy.harm-delay", "\"100ms\"");
}

/// Waits until a session has a port of a gateway, and somebody answers there.
fn published(editor: &mut Editor, gateway: &str, port: u16) {
    editor.until(&format!("published at {gateway}:{port}"), |status| {
        let only = BTreeMap::from([(port, "second".to_owned())]);
        (status.gateways.get(gateway)?.ports == only).then_some(())
    });
    wait_for("it answers there", || super::super::healthz(&format!("127.0.0.1:{port}")));
}

fn gateway_of(port: u16) -> [(&'static str, String); 2] {
    [("address", "\"127.0.0.1\"".to_owned()), ("port-range", format!("\"{port}-{port}\""))]
}

fn gateway(editor: &mut Editor) {
    let ports = [Port::free(), Port::free()];
    for (name, port) in ["first", "other"].iter().zip(&ports) {
        let fields = gateway_of(port.number());
        let fields: Vec<_> = fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
        editor.add(&format!("gateways.d/{name}.toml"), &fields);
    }
    let second = editor.runs("second", &[("publish.gateway", "\"first\"")]);
    published(editor, "first", ports[0].number());
    editor.set(&file_of("second"), "publish.gateway", "\"other\"");
    published(editor, "other", ports[1].number());
    assert!(second.is_alive());
    editor.gone("second");
    for name in ["first", "other"] {
        editor.remove(&format!("gateways.d/{name}.toml"));
    }
}

fn port(editor: &mut Editor) {
    // Two free ports with a range around both; whoever takes one of the others is in nobody's way.
    let ports = [Port::free(), Port::free()];
    let (low, high) =
        (ports[0].number().min(ports[1].number()), ports[0].number().max(ports[1].number()));
    let range = format!("\"{low}-{high}\"");
    editor.add("gateways.d/lab.toml", &[("address", "\"127.0.0.1\""), ("port-range", &range)]);
    let second = editor
        .runs("second", &[("publish.gateway", "\"lab\""), ("publish.port", &low.to_string())]);
    published(editor, "lab", low);
    editor.set(&file_of("second"), "publish.port", &high.to_string());
    published(editor, "lab", high);
    assert!(second.is_alive());
    editor.gone("second");
    editor.remove("gateways.d/lab.toml");
}
