//! Probes of `wharf.toml`: mode, listening, when files are accepted, what is accepted, what is remembered.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::status::StatusView;
use golden::real::{Port, holds_for, wait_for};
use grammar::own::OwnKind;

use super::super::{has_line, healthz, refused_for};
use super::{Editor, Probe};

const WHARF: &str = "wharf.toml";

const fn probe(field: &'static str, effect: &'static str, see: fn(&mut Editor)) -> Probe {
    Probe { kind: OwnKind::Wharf, field, effect, see }
}

/// The group.
pub(super) const PROBES: &[Probe] = &[
    probe("format", "a newer one is refused, what is in force stays", format),
    probe("mode", "observe closes the listener, serve opens it again", mode),
    probe("listen.www-port", "beside the product the listener moves there", www_port),
    probe("beside.clusters", "a session of a cluster that is named starts", clusters),
    probe("site.settle.quiet", "a set is accepted so long after its last change", quiet),
    probe(
        "site.settle.invalid",
        "a set with errors is refused so long after its last change",
        invalid,
    ),
    probe(
        "site.settle.max",
        "a set that never rests is refused so long after its first change",
        max,
    ),
    probe("site.poll", "a change without an event is seen within ten of these", poll),
    probe("accept.codes", "a set with such a finding comes into force", codes),
    probe("accept.files", "a set with such a file comes into force", accepted_files),
    probe("history.keep", "older generations are forgotten", keep),
];

#[test]
fn probes_of_files() {
    // An hour: nothing here is seen by polling unless a probe asks for it.
    Editor::probe_all(&[("site.poll", "\"1h\"")], PROBES);
}

fn format(editor: &mut Editor) {
    let before = editor.status().generation;
    editor.put(WHARF, "format", "2");
    refused_for(&mut editor.busy.engine, "WH0504");
    assert_eq!(editor.status().generation, before);
    editor.set(WHARF, "format", "1");
    editor.unset(WHARF, "format");
}

fn mode(editor: &mut Editor) {
    let address = format!("127.0.0.1:{}", editor.busy.engine.site.port());
    editor.set(WHARF, "mode", "\"observe\"");
    editor.until("nobody is let in", |status| {
        (status.mode == "observe" && status.listeners.is_empty()).then_some(())
    });
    wait_for("the listener is closed", || {
        healthz(&address).err().map_or(Err("open".into()), |_| Ok(()))
    });
    editor.busy.check_untouched();
    editor.unset(WHARF, "mode");
    wait_for("the listener is open", || healthz(&address));
}

/// Says that the product serves these files, and that this engine stands beside it.
fn beside(editor: &mut Editor, port: u16) {
    // The one without the other is refused.
    editor.in_force(|editor| {
        editor.put(WHARF, "mode", "\"beside\"");
        editor.put(WHARF, "listen.www-port", &port.to_string());
    });
    listens_on(editor, port);
}

fn alone(editor: &mut Editor) {
    editor.in_force(|editor| {
        editor.take(WHARF, "listen.www-port");
        editor.take(WHARF, "mode");
    });
    let port = editor.busy.engine.site.port();
    listens_on(editor, port);
}

fn listens_on(editor: &mut Editor, port: u16) {
    let address = format!("127.0.0.1:{port}");
    editor.until(&format!("it listens on {address}"), |status: &StatusView| {
        status.listeners.values().eq([&address]).then_some(())
    });
    wait_for("it answers", || healthz(&address));
}

fn www_port(editor: &mut Editor) {
    let (one, another) = (Port::free(), Port::free());
    beside(editor, one.number());
    editor.busy.check_untouched();
    editor.set(WHARF, "listen.www-port", &another.number().to_string());
    listens_on(editor, another.number());
    alone(editor);
}

fn clusters(editor: &mut Editor) {
    let port = Port::free();
    beside(editor, port.number());
    let second = "sessions.d/second.toml";
    editor.add(second, &[("workbench", "\"demo\"")]);
    editor.held("second", "left to the product: [beside] clusters in wharf.toml does not name it");
    editor.set(WHARF, "beside.clusters", "[\"Local\"]");
    editor.is("second", "running");
    editor.gone("second");
    editor.unset(WHARF, "beside.clusters");
    alone(editor);
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// Edits what touches nobody, and gives the milliseconds until that was in force.
fn time_to_accept(editor: &mut Editor) -> i64 {
    let before = now_ms();
    editor.add("nodes.d/elsewhere.toml", &[("weight", "2")]);
    let took = editor.status().decided_at.0 - before;
    editor.remove("nodes.d/elsewhere.toml");
    took
}

/// Sees that something takes at least so many milliseconds with another value of a field, and less with its own.
fn takes_longer(
    editor: &mut Editor,
    field: &str,
    (own, other, ms): (&str, &str, i64),
    time: fn(&mut Editor) -> i64,
) {
    // The quickest of some, on a machine that has other things to do.
    let before = (0..3).map(|_| time(editor)).min().expect("three");
    editor.set(WHARF, field, other);
    let after = time(editor);
    assert!(before < ms && after >= ms, "{field}: {before} ms, then {after} ms");
    editor.set(WHARF, field, own);
}

fn quiet(editor: &mut Editor) {
    let values = ("\"30ms\"", "\"700ms\"", 700);
    takes_longer(editor, "site.settle.quiet", values, time_to_accept);
}

/// Breaks a file and gives the milliseconds until it was refused.
fn time_to_refuse(editor: &mut Editor) -> i64 {
    let before = now_ms();
    editor.busy.engine.site.write("load-balancer", "balancer=dice\n");
    let took = editor.until("it is refused", |status| {
        let refused = status.refused.as_ref()?;
        Some(refused.at.0 - before)
    });
    editor.busy.engine.site.remove("load-balancer");
    editor.until("it is whole again", |status| status.refused.is_none().then_some(()));
    took
}

fn invalid(editor: &mut Editor) {
    let values = ("\"200ms\"", "\"900ms\"", 900);
    takes_longer(editor, "site.settle.invalid", values, time_to_refuse);
}

/// Writes a file again and again until it is refused as unsettled; the milliseconds that took.
fn time_of_unrest(editor: &mut Editor) -> i64 {
    let began = now_ms();
    let mut writes = 0;
    let took = editor.until("it is refused", |status| {
        if let Some(refused) = &status.refused {
            return Some(refused.at.0 - began);
        }
        // Changed once for each time that somebody looks, which is far more often than it would have to rest.
        writes += 1;
        let path = std::path::Path::new(&status.site_dir).join("load-balancer");
        std::fs::write(path, format!("# {writes}\n")).expect("the directory is ours");
        None
    });
    editor.busy.engine.site.remove("load-balancer");
    editor.until("it rests", |status| status.refused.is_none().then_some(()));
    took
}

fn max(editor: &mut Editor) {
    editor.set(WHARF, "site.settle.quiet", "\"400ms\"");
    let before = time_of_unrest(editor);
    editor.set(WHARF, "site.settle.max", "\"2s\"");
    let after = time_of_unrest(editor);
    assert!(before < 2_000 && after >= 2_000, "{before} ms, then {after} ms");
    editor.set(WHARF, "site.settle.max", "\"1s\"");
    editor.set(WHARF, "site.settle.quiet", "\"30ms\"");
}

/// Changes a file by a name that it has elsewhere, too: nothing happens in the directory that is watched.
fn change_unseen(editor: &Editor, text: &str) {
    let elsewhere = editor.busy.engine.site.around().join("elsewhere");
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(elsewhere);
    let file = file.as_mut().expect("it was linked");
    file.write_all(text.as_bytes()).expect("it is ours");
}

fn poll(editor: &mut Editor) {
    editor.set(WHARF, "site.poll", "\"1s\"");
    editor.busy.edit("load-balancer", "balancer=user-hash\n");
    let place = editor.busy.engine.site.path("load-balancer");
    let elsewhere = editor.busy.engine.site.around().join("elsewhere");
    std::fs::hard_link(place, elsewhere).expect("one file system");
    change_unseen(editor, "balancer=system-load\n");
    editor
        .until("seen without an event", |status| (status.balancer == "system-load").then_some(()));
    editor.set(WHARF, "site.poll", "\"1h\"");
    change_unseen(editor, "balancer=user-hash\n");
    holds_for(Duration::from_millis(500), || {
        assert_eq!(editor.status().balancer, "system-load");
    });
    editor.in_force(|editor| editor.busy.engine.site.remove("load-balancer"));
}

fn codes(editor: &mut Editor) {
    let port = editor.busy.engine.site.port();
    let plain = editor.busy.engine.site.rserver_conf(port);
    editor
        .busy
        .engine
        .site
        .replace("rserver.conf", &format!("{plain}auth-required-user-group=staff\n"));
    refused_for(&mut editor.busy.engine, "WH0401");
    editor.set(WHARF, "accept.codes.WH0401", "\"the firewall does it\"");
    editor.busy.edit("rserver.conf", &plain);
    editor.unset(WHARF, "accept.codes.WH0401");
}

fn accepted_files(editor: &mut Editor) {
    editor.busy.engine.site.write("nginx.server.conf", "deny all;\n");
    editor.until("it is refused", |status| {
        let said = &status.refused.as_ref()?.problems;
        said.iter().any(|line| line.contains("nginx.server.conf does not act here")).then_some(())
    });
    editor.set(WHARF, "accept.files", "[\"nginx.server.conf\"]");
    editor.in_force(|editor| editor.busy.engine.site.remove("nginx.server.conf"));
    editor.unset(WHARF, "accept.files");
}

/// The generations that are remembered.
fn remembered(editor: &Editor) -> usize {
    let ran = editor.busy.engine.admin(&["history", "--json"]);
    let history: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    history.as_array().expect("a list").len()
}

fn keep(editor: &mut Editor) {
    let before = remembered(editor);
    assert!(before > 3, "there were many edits: {before}");
    editor.set(WHARF, "history.keep", "2");
    assert_eq!(remembered(editor), 2);
    let plan = editor.busy.engine.admin(&["history"]).stdout;
    assert!(has_line(&plan, &["in force"]), "{plan}");
    editor.unset(WHARF, "history.keep");
    assert_eq!(remembered(editor), 3);
}
