//! Probes of files in `gateways.d` and `nodes.d`: where sessions are reached, and where they start.

use std::collections::BTreeMap;

use golden::real::{Port, wait_for};
use grammar::own::OwnKind;

use super::super::healthz;
use super::{Editor, Fields, Probe, file_of};

const fn gateway(field: &'static str, effect: &'static str, see: fn(&mut Editor)) -> Probe {
    Probe { kind: OwnKind::Gateway, field, effect, see }
}

const fn node(field: &'static str, effect: &'static str, see: fn(&mut Editor)) -> Probe {
    Probe { kind: OwnKind::Node, field, effect, see }
}

/// The group.
pub(super) const PROBES: &[Probe] = &[
    gateway("address", "its listeners move there", address),
    gateway("port-range", "a session gets a port of the new range", port_range),
    gateway("protocol", "http acts, tcp makes the file a problem", protocol),
    gateway("tls", "off acts, server makes the file a problem", tls),
    gateway("sign-in", "who has not signed in is sent to, off makes the file a problem", sign_in),
    gateway("lease", "session acts, run makes the file a problem", lease),
    gateway("on-removal", "refuse acts, disconnect makes the file a problem", on_removal),
    node("weight", "its share is that", weight),
    node("schedulable", "a start waits, and goes on", schedulable),
    node("drain", "it is being emptied, and no longer", drain),
    node("max-sessions", "a start waits, and goes on", max_sessions),
    node("labels", "a session that requires them starts", labels),
];

#[test]
fn probes_of_places() {
    Editor::probe_all(&[], PROBES);
}

const LAB: &str = "gateways.d/lab.toml";

/// Adds a gateway of one port with a session published there.
fn with_gateway(editor: &mut Editor, port: u16) {
    let range = format!("\"{port}-{port}\"");
    editor.add(LAB, &[("address", "\"127.0.0.1\""), ("port-range", &range)]);
    editor.runs("second", &[("publish.gateway", "\"lab\"")]);
    leads(editor, &format!("127.0.0.1:{port}"));
}

/// Waits until the gateway leads to the session at this address and nowhere else.
fn leads(editor: &mut Editor, address: &str) {
    let port: u16 = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    editor.until(&format!("the gateway leads from {address}"), |status| {
        let leads =
            status.gateways.get("lab")?.ports == BTreeMap::from([(port, "second".to_owned())]);
        let mut listens = status.listeners.iter().filter(|(name, _)| name.starts_with("gateway"));
        let only = listens.next().is_some_and(|(_, at)| at == address) && listens.next().is_none();
        (leads && only).then_some(())
    });
    wait_for("it answers", || healthz(address));
}

fn without_gateway(editor: &mut Editor) {
    editor.gone("second");
    editor.remove(LAB);
}

fn address(editor: &mut Editor) {
    let port = Port::free();
    with_gateway(editor, port.number());
    editor.set(LAB, "address", "\"127.0.0.2\"");
    leads(editor, &format!("127.0.0.2:{}", port.number()));
    without_gateway(editor);
}

fn port_range(editor: &mut Editor) {
    let (one, other) = (Port::free(), Port::free());
    with_gateway(editor, one.number());
    let other = other.number();
    editor.set(LAB, "port-range", &format!("\"{other}-{other}\""));
    leads(editor, &format!("127.0.0.1:{other}"));
    without_gateway(editor);
}

/// Sees that a gateway whose file says `refused` is a problem with this code and stays as it is, and that
/// `taken` is what it does anyway.
fn one_word_acts(editor: &mut Editor, field: &str, taken: &str, refused: &str, code: &str) {
    let port = Port::free();
    with_gateway(editor, port.number());
    let address = format!("127.0.0.1:{}", port.number());
    editor.set(LAB, field, taken);
    assert!(editor.status().problems.is_empty());
    editor.set(LAB, field, refused);
    editor.until("the file is a problem", |status| {
        let said = |line: &&String| line.contains("lab.toml") && line.contains(code);
        status.problems.iter().find(said).map(|_| ())
    });
    assert!(editor.status().listeners.values().any(|at| *at == address), "it stays as it was");
    assert!(healthz(&address).is_ok());
    editor.set(LAB, field, taken);
    editor.until("it is none any more", |status| status.problems.is_empty().then_some(()));
    leads(editor, &address);
    without_gateway(editor);
}

fn protocol(editor: &mut Editor) {
    one_word_acts(editor, "protocol", "\"http\"", "\"tcp\"", "WH0420");
}

fn tls(editor: &mut Editor) {
    one_word_acts(editor, "tls", "\"off\"", "\"server\"", "WH0420");
}

fn sign_in(editor: &mut Editor) {
    one_word_acts(editor, "sign-in", "\"required\"", "\"off\"", "WH0506");
}

fn lease(editor: &mut Editor) {
    one_word_acts(editor, "lease", "\"session\"", "\"run\"", "WH0420");
}

fn on_removal(editor: &mut Editor) {
    one_word_acts(editor, "on-removal", "\"refuse\"", "\"disconnect\"", "WH0420");
}

/// The file of the node that the engine runs on.
fn node_file(editor: &Editor) -> String {
    format!("nodes.d/{}.toml", editor.status().node)
}

/// Sees a node with this weight in this state.
fn node_is(editor: &mut Editor, weight: u32, state: &str) {
    editor.until(&format!("the node is {state}, weight {weight}"), |status| {
        let seen = status.nodes.get(&status.node)?;
        (seen.weight == weight && seen.state == state).then_some(())
    });
}

fn weight(editor: &mut Editor) {
    let file = node_file(editor);
    editor.add(&file, &[("weight", "3")]);
    node_is(editor, 3, "online");
    editor.set(&file, "weight", "5");
    node_is(editor, 5, "online");
    editor.remove(&file);
    node_is(editor, 1, "online");
}

/// Sees that a start waits where the node's file says what it says, and goes on after an edit of one field.
fn keeps_a_start_back(editor: &mut Editor, says: Fields<'_>, field: &str, then: Option<&str>) {
    let file = node_file(editor);
    editor.add(&file, says);
    editor.add(&file_of("second"), &[("workbench", "\"demo\"")]);
    let held = editor.held("second", "no node");
    assert_eq!(held.wanted, "starts");
    match then {
        Some(value) => editor.set(&file, field, value),
        None => editor.unset(&file, field),
    }
    editor.is("second", "running");
    editor.gone("second");
    editor.remove(&file);
}

fn schedulable(editor: &mut Editor) {
    keeps_a_start_back(editor, &[("schedulable", "false")], "schedulable", Some("true"));
}

fn drain(editor: &mut Editor) {
    let says = [("drain.reason", "\"CHG1\""), ("weight", "2")];
    keeps_a_start_back(editor, &says, "drain.reason", None);
    node_is(editor, 1, "online");
}

fn max_sessions(editor: &mut Editor) {
    keeps_a_start_back(editor, &[("max-sessions", "1")], "max-sessions", Some("2"));
}

fn labels(editor: &mut Editor) {
    let file = node_file(editor);
    editor.add(&file, &[("labels.gpu", "\"none\"")]);
    let requires = [("workbench", "\"demo\""), ("placement.require.gpu", "\"a100\"")];
    editor.add(&file_of("second"), &requires);
    editor.held("second", "no node");
    editor.set(&file, "labels.gpu", "\"a100\"");
    editor.is("second", "running");
    editor.gone("second");
    editor.remove(&file);
}
