//! What of a forecast's steps is told to people: one act a resource, worst first. Bookkeeping is not told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Mark, People};
use crate::desired::Desired;
use crate::forecast::Forecast;
use crate::ids::{GatewayId, Moment};
use crate::known::Known;
use crate::observed::Observed;
use crate::plan::{Action, EndPurpose, Impact, Plan, Resource, Step, WaitingOn};

/// One act per resource over all rounds, worst first.
pub(super) fn acts(
    forecast: &Forecast,
    people: &People,
    desired: &Desired,
    observed: &Observed,
) -> Vec<Act> {
    let delayed = delays(forecast);
    let mut acts: BTreeMap<Resource, Act> = BTreeMap::new();
    for round in &forecast.rounds {
        let passed_on = leased(&round.plan);
        for step in &round.plan.steps {
            if matches!(&step.action, Action::Release { gateway, port } if passed_on.contains(&(gateway, *port)))
            {
                continue;
            }
            for (resource, mark, what) in told(step, desired, observed) {
                let user = people.user(&resource);
                let act = acts.entry(resource.clone()).or_insert_with(|| Act {
                    mark,
                    what: what.clone(),
                    user,
                    because: Vec::new(),
                    note: None,
                    delayed_until: delayed.get(&resource).copied(),
                    impact: step.impact,
                    steps: Vec::new(),
                    pending: false,
                    resource,
                });
                absorb(act, mark, &what, step);
            }
        }
    }
    if let Some(balancer) = acts.get_mut(&Resource::Balancer) {
        balancer.note = super::next::next_session(desired, observed);
    }
    let mut acts: Vec<Act> = acts.into_values().collect();
    acts.iter_mut().for_each(shorten);
    acts.sort_by(|a, b| a.mark.cmp(&b.mark).then_with(|| a.resource.cmp(&b.resource)));
    acts
}

/// The ports that a plan leases: one that is given back in the same plan passes on.
fn leased(plan: &Plan) -> BTreeSet<(&GatewayId, u16)> {
    let leases = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Lease { gateway, port, .. } => Some((gateway, *port)),
        _ => None,
    });
    leases.collect()
}

/// A gateway's ports are told in one line, of many only the first.
fn shorten(act: &mut Act) {
    const SHOWN: usize = 4;
    if matches!(act.resource, Resource::Gateway(_)) {
        let ports: Vec<&str> = act.what.split(PORTS).collect();
        if ports.len() > SHOWN {
            let shown = ports[..SHOWN].join(PORTS);
            act.what = format!("{shown}{PORTS}and {} more", ports.len() - SHOWN);
        }
    }
}

/// What stands between the ports of one gateway.
const PORTS: &str = ", ";

/// Joins a further step to what is told of its resource.
fn absorb(act: &mut Act, mark: Mark, what: &str, step: &Step) {
    let restarted = matches!((act.mark, mark), (Mark::End, Mark::Start));
    if restarted {
        act.mark = Mark::Restart;
        act.impact = act.impact.max(Impact::Restarted);
    } else if step.impact > act.impact {
        act.mark = mark;
        what.clone_into(&mut act.what);
        act.impact = step.impact;
        // The line speaks of the graver step now, and so do its causes.
        act.because.clear();
    } else if matches!(act.resource, Resource::Gateway(_)) && !act.steps.is_empty() {
        act.what.push_str(PORTS);
        act.what.push_str(what);
    }
    if !restarted && !step.id.starts_with("start/") || act.because.is_empty() {
        for because in &step.because {
            if !act.because.contains(because) {
                act.because.push(because.clone());
            }
        }
    }
    act.steps.push(step.id.clone());
}

/// When harm that waits goes on.
fn delays(forecast: &Forecast) -> BTreeMap<Resource, Moment> {
    let holds = forecast.rounds.iter().flat_map(|round| &round.plan.holds);
    let delayed = holds.filter(|hold| hold.waiting_on == WaitingOn::HarmDelay);
    delayed.filter_map(|hold| Some((hold.resource.clone(), hold.until?))).collect()
}

/// What of a step is told to people; bookkeeping is not.
fn told(step: &Step, desired: &Desired, observed: &Observed) -> Vec<(Resource, Mark, String)> {
    let one = |resource, mark, what: String| vec![(resource, mark, what)];
    match &step.action {
        Action::End { incarnation, purpose, .. } => {
            let resource = Resource::Session(incarnation.session.clone());
            let (mark, what) = match purpose {
                EndPurpose::Restart => (Mark::Restart, "restarts"),
                EndPurpose::Removed => (Mark::End, "ends, its file is gone"),
                EndPurpose::Stopped => (Mark::End, "ends"),
                EndPurpose::NeverReady => (Mark::Restart, "never became ready, starts again"),
                EndPurpose::Superseded => (Mark::Change, "an older start of it ends"),
            };
            one(resource, mark, what.to_owned())
        }
        Action::Start(order) => {
            let resource = Resource::Session(order.incarnation.session.clone());
            one(resource, Mark::Start, "starts".to_owned())
        }
        Action::Provide { workbench } => {
            one(Resource::Workbench(workbench.clone()), Mark::Change, "is installed".to_owned())
        }
        Action::Listen { listener, address } => {
            let before = observed.listeners.get(listener).and_then(Known::present);
            let what = match before {
                Some(before) => format!("{before} -> {address}"),
                None => format!("listens on {address}"),
            };
            one(Resource::Listener(listener.clone()), Mark::Change, what)
        }
        Action::Unlisten { listener } => {
            let what = "listens no more".to_owned();
            one(Resource::Listener(listener.clone()), Mark::Change, what)
        }
        Action::Lease { gateway, port, session } => {
            let leases = observed.records.present().map(|records| &records.leases);
            let before = leases.and_then(|leases| leases.get(&(gateway.clone(), *port)));
            let what = match before {
                Some(before) => format!("port {port}: {before} -> {session}"),
                None => format!("port {port} -> {session}"),
            };
            one(Resource::Gateway(gateway.clone()), Mark::Change, what)
        }
        Action::Release { gateway, port } => {
            let what = format!("port {port} is free again");
            one(Resource::Gateway(gateway.clone()), Mark::Change, what)
        }
        Action::Balance { .. } => balance_told(desired, observed),
        Action::Place { .. }
        | Action::RecordEnd { .. }
        | Action::Forget { .. }
        | Action::Retire { .. }
        | Action::Remember { .. }
        | Action::SetRoute(_)
        | Action::DropRoute { .. }
        | Action::Lead { .. } => Vec::new(),
    }
}

/// Balancer and nodes apart: each node whose weight changes is told for itself.
fn balance_told(desired: &Desired, observed: &Observed) -> Vec<(Resource, Mark, String)> {
    let Some(before) = &observed.balancer else { return Vec::new() };
    let mut told = Vec::new();
    if before.method != desired.balancer {
        let what = format!("{} -> {}", before.method, desired.balancer);
        told.push((Resource::Balancer, Mark::Change, what));
    }
    let nodes: BTreeSet<_> = before.weights.keys().chain(desired.nodes.things.keys()).collect();
    for node in nodes {
        let spec = desired.node(node);
        let old = before.weights.get(node).copied().unwrap_or(1);
        let new = if spec.schedulable && !spec.draining { spec.weight } else { 0 };
        if old != new {
            let word = match (spec.draining, spec.schedulable) {
                (true, _) => "draining, ",
                (false, false) => "not schedulable, ",
                (false, true) => "",
            };
            let what = format!("{word}weight {old} -> {new}");
            told.push((Resource::Node(node.clone()), Mark::Change, what));
        }
    }
    told
}
