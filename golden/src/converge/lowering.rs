//! What a site asks for, as text: one line a fact, with where it stands.

use std::fmt::Write as _;

use engine_core::desired::{EnvValue, Lowered, Origins, SessionSpec, lower};
use engine_core::known::Known;
use grammar::error::Severity;
use grammar::report::Format;
use grammar::value::Millis;

use super::run::run;
use super::script::{Command, parse, transcribe};
use super::site::sources;
use super::world::World;

/// Runs a script whose only further command is `lower`.
///
/// # Errors
/// The first command that fails.
pub fn run_script(text: &str) -> Result<String, String> {
    let mut world = World::default();
    transcribe(&parse(text), |command: &Command| match command.line.as_str() {
        "lower" => dump(&world, false),
        "lower --settings" => dump(&world, true),
        _ => run(&mut world, command),
    })
}

fn dump(world: &World, settings: bool) -> Result<String, String> {
    let files = world.disk.read();
    let lowered = lower(&files, &world.ground());
    let texts = sources(&files);
    let mut out = String::new();
    site(&mut out, &lowered);
    for (id, known) in &lowered.desired.sessions.things {
        match known {
            Known::Present(spec) => session(&mut out, spec, &lowered.origins),
            Known::Absent => {}
            Known::Unknown { reason, .. } => {
                let _ = writeln!(out, "session {id}: unknown, {reason}");
            }
        }
    }
    things(&mut out, &lowered);
    if settings {
        for (key, setting) in lowered.settings.iter() {
            let place = format!("{}:{}", key.file, setting.line);
            let scope =
                if key.scope.is_empty() { String::new() } else { format!(" ({})", key.scope) };
            let _ = writeln!(
                out,
                "set {place} {}{scope} = {}   {}",
                key.option, setting.value, setting.effect
            );
        }
    }
    let mut problems = files.problems(Severity::Error);
    problems.extend(lowered.problems.iter().cloned());
    let style = grammar::report::Style { color: false, width: Some(100) };
    out.push_str(&grammar::report::render(&problems, &texts, Format::Short, style));
    out.push_str(if lowered.is_acceptable() { "acceptable\n" } else { "refused\n" });
    origins_exist(&lowered.origins, &texts)?;
    Ok(out)
}

/// Every origin is a line of a file that is there.
fn origins_exist(origins: &Origins, texts: &[grammar::source::Source]) -> Result<(), String> {
    for (what, places) in origins.iter() {
        for place in places {
            let of = texts.iter().find(|text| text.file.ends_with(&format!("/{}", place.file)));
            let lines = of.map_or(0, |text| text.text.lines().count());
            if place.line == 0 || place.line as usize > lines {
                return Err(format!(
                    "{what} stands in {}:{}, a line that is not there",
                    place.file, place.line
                ));
            }
        }
    }
    Ok(())
}

fn at(origins: &Origins, what: &str) -> String {
    let places: Vec<String> =
        origins.of(what).iter().map(|place| format!("{}:{}", place.file, place.line)).collect();
    if places.is_empty() { "default".to_owned() } else { places.join(", ") }
}

fn site(out: &mut String, lowered: &Lowered) {
    let (desired, origins) = (&lowered.desired, &lowered.origins);
    let _ = writeln!(out, "mode {}   {}", desired.mode, at(origins, "mode"));
    let listen = desired.listen.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
    let _ = writeln!(out, "listen {listen}   {}", at(origins, "listen"));
    let _ = writeln!(out, "balancer {}   {}", desired.balancer, at(origins, "balancer"));
    for (name, cluster) in &desired.clusters {
        let _ = writeln!(
            out,
            "cluster {name}: {}   {}",
            cluster.kind,
            at(origins, &format!("cluster/{name}"))
        );
    }
}

fn session(out: &mut String, spec: &SessionSpec, origins: &Origins) {
    let id = &spec.id;
    let launch = &spec.launch;
    let _ = writeln!(
        out,
        "session {id}: {} as {} in {}, {}, restart {:?}, on-removal {:?}   {}",
        launch.workbench,
        launch.user,
        launch.cluster,
        spec.state,
        spec.restart,
        spec.on_removal,
        at(origins, &format!("session/{id}"))
    );
    let mut field = |name: &str, value: String| {
        let _ =
            writeln!(out, "  {name} {value}   {}", at(origins, &format!("session/{id}/{name}")));
    };
    for (name, value) in &launch.env {
        let value = match value {
            EnvValue::Plain(text) => text.clone(),
            EnvValue::Secret(_) => "(secret)".to_owned(),
        };
        field(&format!("env {name}"), value);
    }
    if let Some(exe) = &launch.program.exe {
        field("exe", exe.clone());
    }
    if let Some(dir) = &launch.working_dir {
        field("working-dir", dir.clone());
    }
    let resources = &launch.resources;
    if let Some(cpus) = resources.cpus_milli {
        field("resources.cpus", format!("{cpus}/1000"));
    }
    if let Some(memory) = resources.memory_bytes {
        field("resources.memory", memory.to_string());
    }
    if let Some(cpus) = resources.request_cpus_milli {
        field("resources.request.cpus", format!("{cpus}/1000"));
    }
    if let Some(memory) = resources.request_memory_bytes {
        field("resources.request.memory", memory.to_string());
    }
    field("stop", format!("signal {}, {}", spec.stop.signal, Millis(spec.stop.grace_ms)));
    field(
        "health",
        format!("{} within {}", spec.health.path, Millis(spec.health.start_timeout_ms)),
    );
    field("update", format!("{:?}", spec.update.renew));
    if let Some(publish) = &spec.publish {
        let port = publish.port.map_or("any port".to_owned(), |port| port.to_string());
        field("publish", format!("{} {port}", publish.gateway));
    }
    let access = &spec.access;
    let names =
        |names: Vec<String>| if names.is_empty() { "-".to_owned() } else { names.join(",") };
    field(
        "access",
        format!(
            "owner {}, users {}, groups {}, admins {}",
            access.owner.as_ref().map_or("-".to_owned(), ToString::to_string),
            names(access.users.iter().map(ToString::to_string).collect()),
            names(access.groups.iter().cloned().collect()),
            names(access.admins.iter().map(ToString::to_string).collect()),
        ),
    );
    if let Some(nodes) = &spec.placement.nodes {
        field("placement.nodes", names(nodes.iter().map(ToString::to_string).collect()));
    }
}

fn things(out: &mut String, lowered: &Lowered) {
    let (desired, origins) = (&lowered.desired, &lowered.origins);
    for (managed, dir) in [
        (desired.sessions.managed, "sessions.d"),
        (desired.gateways.managed, "gateways.d"),
        (desired.nodes.managed, "nodes.d"),
    ] {
        if !managed {
            let _ = writeln!(out, "{dir}: not managed");
        }
    }
    for (id, known) in &desired.gateways.things {
        match known.present() {
            Some(gateway) => {
                let _ = writeln!(
                    out,
                    "gateway {id}: {} ports {}-{}, sign-in {}   {}",
                    gateway.ip,
                    gateway.first_port,
                    gateway.last_port,
                    if gateway.sign_in { "required" } else { "off" },
                    at(origins, &format!("gateway/{id}"))
                );
            }
            None => {
                let _ = writeln!(out, "gateway {id}: unknown");
            }
        }
    }
    for (id, known) in &desired.nodes.things {
        match known.present() {
            Some(node) => {
                let _ = writeln!(
                    out,
                    "node {id}: weight {}, schedulable {}, draining {}   {}",
                    node.weight,
                    node.schedulable,
                    node.draining,
                    at(origins, &format!("node/{id}"))
                );
            }
            None => {
                let _ = writeln!(out, "node {id}: unknown");
            }
        }
    }
    for (name, template) in &lowered.templates {
        let _ = writeln!(
            out,
            "template {name}: {}, {}   {}",
            template.display_name,
            template.fields.workbench,
            at(origins, &format!("template/{name}"))
        );
    }
}
