//! Why a thing is as it is: told from the status, the origins and the last rounds.

use engine_core::desired::Origins;
use engine_core::ids::Moment;
use engine_core::plan::Because;

use crate::reconcile::Round;
use crate::status::{SessionView, StatusView};

/// Lines for people and causes for scripts; none if there is no such thing. `when` writes a moment as people read it.
#[must_use]
pub fn why<'a>(
    thing: &str,
    status: &StatusView,
    origins: &Origins,
    rounds: impl Iterator<Item = &'a Round>,
    when: fn(Moment) -> String,
) -> Option<(Vec<String>, Vec<Because>)> {
    let session = status.session(thing);
    if let Some(session) = session {
        return Some(why_session(session, status, origins, rounds, when));
    }
    let resources = [format!("node/{thing}"), format!("gateway/{thing}"), thing.to_owned()];
    let known = resources.iter().find(|name| {
        status.nodes.contains_key(thing)
            || status.gateways.contains_key(thing)
            || status.listeners.contains_key(thing)
            || status.holds.iter().any(|hold| &hold.resource == *name)
    })?;
    let mut lines = vec![describe(thing, status)];
    let because = origins.of(known).iter().map(Because::from).collect::<Vec<_>>();
    lines.extend(because.iter().map(|because| format!("  asked for by {because}")));
    lines.extend(holds(status, &resources, when));
    Some((lines, because))
}

fn describe(thing: &str, status: &StatusView) -> String {
    if let Some(node) = status.nodes.get(thing) {
        return format!(
            "{thing} is {}, weight {}, {} sessions",
            node.state, node.weight, node.sessions
        );
    }
    if let Some(gateway) = status.gateways.get(thing) {
        return format!(
            "gateway {thing} has {}, {} ports leased",
            gateway.range,
            gateway.ports.len()
        );
    }
    match status.listeners.get(thing) {
        Some(address) => format!("{thing} is open on {address}"),
        None => thing.to_owned(),
    }
}

/// What is wanted of it and waits, with the line that asks for it.
fn holds<'a>(
    status: &'a StatusView,
    resources: &'a [String],
    when: fn(Moment) -> String,
) -> impl Iterator<Item = String> + 'a {
    let of = status.holds.iter().filter(|hold| resources.contains(&hold.resource));
    of.filter(|hold| !hold.outdated).map(move |hold| {
        let until = hold.until.map(|until| format!(" until {}", when(until)));
        let because = match &hold.because[..] {
            [] => String::new(),
            because => format!(", because {}", because.join(", ")),
        };
        format!("  {}: {}{}{because}", hold.wanted, hold.waiting, until.unwrap_or_default())
    })
}

fn why_session<'a>(
    session: &SessionView,
    status: &StatusView,
    origins: &Origins,
    rounds: impl Iterator<Item = &'a Round>,
    when: fn(Moment) -> String,
) -> (Vec<String>, Vec<Because>) {
    let id = &session.id;
    let place =
        if session.node.is_empty() { String::new() } else { format!(" on {}", session.node) };
    let pid = session.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let mut lines = vec![format!("{id} is {}{place}{pid}", session.state)];
    let because: Vec<Because> =
        origins.exactly(&format!("session/{id}")).iter().map(Because::from).collect();
    match because.first() {
        Some(because) => lines.push(format!("  {because} asks for it")),
        None => lines.push("  no file in force asks for it".to_owned()),
    }
    let held: Vec<String> = holds(status, &[format!("session/{id}")], when).collect();
    if !session.reason.is_empty() && !held.iter().any(|hold| hold.contains(&session.reason)) {
        lines.push(format!("  {}", session.reason));
    }
    lines.extend(held);
    for what in &session.outdated {
        let places = origins.of(&format!("session/{id}/{what}"));
        let at = places.first().map(|at| format!(" in {}:{}", at.file, at.line));
        let at = at.unwrap_or_default();
        lines.push(format!("  outdated: {what} changed{at}; taken up at its next start"));
    }
    for given in status.overrides.iter().filter(|given| given.what.starts_with(id.as_str())) {
        let hides = if given.hides.is_empty() { "" } else { " hides " };
        lines.push(format!("  {} by {}{hides}{}", given.id, given.owner, given.hides));
    }
    lines.extend(history(id, rounds));
    (lines, because)
}

/// The last steps that concerned a session, oldest first.
fn history<'a>(id: &str, rounds: impl Iterator<Item = &'a Round>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for round in rounds {
        for outcome in &round.outcomes {
            let Some(step) = round.plan.steps.iter().find(|step| step.id == outcome.step) else {
                continue;
            };
            let (verb, rest) = step.id.split_once('/').unwrap_or((&step.id, ""));
            let of = rest.split('#').next().unwrap_or(rest);
            if of != id || verb == "route" || verb == "remember" {
                continue;
            }
            let causes: Vec<String> = step.because.iter().map(ToString::to_string).collect();
            let end = match &outcome.error {
                Some(error) => format!(" failed: {error}"),
                None => String::new(),
            };
            lines.push(format!(
                "  round {}: {}{end}, because {}",
                round.number,
                step.id,
                causes.join(", ")
            ));
        }
    }
    let surplus = lines.len().saturating_sub(8);
    lines.drain(..surplus);
    lines
}
