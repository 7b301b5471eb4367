//! What of a step is told to people, in which words; bookkeeping is not told.
//!
//! Reports and holds for approval speak of steps in the same words. Read next: [`crate::report`].

use std::collections::BTreeSet;

use super::{Action, EndPurpose, Mark, Resource, Step};
use crate::desired::Desired;
use crate::known::Known;
use crate::observed::Observed;

/// What a hold on a start wants: the word by which it is known to be one.
pub(crate) const STARTS: &str = "starts";

/// What a step does to which things, with the words for it; nothing where it is bookkeeping.
pub(crate) fn told(
    step: &Step,
    desired: &Desired,
    observed: &Observed,
) -> Vec<(Resource, Mark, String)> {
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
            one(resource, Mark::Start, STARTS.to_owned())
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
    let nodes: BTreeSet<_> = before
        .weights
        .keys()
        .chain(desired.nodes.things.keys())
        .chain(desired.nodes_told.keys())
        .collect();
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
