//! Phase: how nodes are chosen for new sessions, and each node's weight.

use std::collections::{BTreeMap, BTreeSet};

use super::{Draft, Input};
use crate::desired::NodeSpec;
use crate::ids::NodeId;
use crate::known::Known;
use crate::observed::BalancerSeen;
use crate::plan::{Action, Because, Impact, On};

/// The weight that counts: none for a node that takes no new sessions.
pub(super) fn effective_weight(spec: &NodeSpec) -> u32 {
    if spec.schedulable && !spec.draining { spec.weight } else { 0 }
}

/// What the balancer should be.
pub(super) fn wanted(input: &Input<'_>) -> BalancerSeen {
    let nodes: BTreeSet<&NodeId> = input
        .observed
        .nodes
        .keys()
        .chain(std::iter::once(&input.observed.node))
        .chain(input.desired.nodes.things.keys())
        .chain(input.desired.nodes_told.keys())
        .collect();
    let before = input.observed.balancer.as_ref();
    let weights = nodes
        .into_iter()
        .map(|node| {
            let told = input.desired.nodes_told.contains_key(node);
            let unreadable =
                !told && input.desired.nodes.things.get(node).is_some_and(Known::is_unknown);
            let kept = before.and_then(|seen| seen.weights.get(node)).copied();
            let weight = match kept {
                Some(kept) if unreadable => kept,
                _ => effective_weight(&input.desired.node(node)),
            };
            (node.clone(), weight)
        })
        .collect();
    BalancerSeen { method: input.desired.balancer, weights }
}

pub(super) fn plan_balancer(input: &Input<'_>, draft: &mut Draft) {
    let wanted = wanted(input);
    if input.observed.balancer.as_ref() == Some(&wanted) {
        return;
    }
    let because = causes(input, &wanted);
    draft.step(
        "balance".to_owned(),
        On::Node(input.observed.node.clone()),
        Action::Balance { method: wanted.method, weights: wanted.weights },
        Impact::NewSessions,
        because,
    );
}

/// The lines behind what differs; the balancer's own line where nothing was in force before.
fn causes(input: &Input<'_>, wanted: &BalancerSeen) -> Vec<Because> {
    let none = BTreeMap::new();
    let before = input.observed.balancer.as_ref();
    let weights_before = before.map_or(&none, |seen| &seen.weights);
    let mut because = BTreeSet::new();
    if before.is_none_or(|seen| seen.method != wanted.method) {
        because.extend(input.origins.because_exactly("balancer", "balancer"));
    }
    for (node, weight) in &wanted.weights {
        if weights_before.get(node) != Some(weight) && before.is_some() {
            because.extend(node_causes(input, node));
        }
    }
    for node in weights_before.keys().filter(|node| !wanted.weights.contains_key(*node)) {
        because.insert(Because::Seen { what: format!("node {node} is gone") });
    }
    because.into_iter().collect()
}

/// Every line that makes a node's share what it is, those that are gone included; commands hide lines.
fn node_causes(input: &Input<'_>, node: &NodeId) -> Vec<Because> {
    let told = input.desired.nodes_told.get(node).cloned().unwrap_or_default();
    let commands = [told.weight.map(|told| told.1), told.new_sessions.map(|told| told.2)];
    let hidden = |part: &&str| commands[usize::from(*part != "weight")].is_some();
    let lines = |part: &str| input.origins.because_exactly(&format!("node/{node}/{part}"), part);
    let parts = ["weight", "schedulable", "drain"].into_iter().filter(|part| !hidden(part));
    let found = parts.flat_map(lines).filter(|cause| cause.place().is_some());
    let commands = commands.iter().flatten().map(|what| Because::Person { what: what.clone() });
    let found: Vec<Because> = commands.chain(found).collect();
    if found.is_empty() { vec![Because::Default { option: "weight".to_owned() }] } else { found }
}

#[cfg(test)]
mod tests {
    use grammar::source::Source;

    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::{NodeTold, lower};
    use crate::ids::Moment;
    use crate::observed::Observed;
    use crate::site::Managed;

    #[test]
    fn a_command_hides_the_lines_that_it_is_against_and_no_other() {
        let text = "weight = 3\nschedulable = true\n";
        let source = Source::new("/etc/wharf/nodes.d/n1.toml", text);
        let mut files = site(&[]);
        files.nodes = Managed::Managed([("n1".to_owned(), Known::Present(source))].into());
        let node: NodeId = "n1".parse().expect("a node");
        let causes = |told: NodeTold| -> Vec<String> {
            let mut lowered = lower(&files, &ground());
            lowered.desired.nodes_told.insert(node.clone(), told);
            let observed = Observed::empty(node.clone());
            let (desired, origins) = (&lowered.desired, &lowered.origins);
            let input = Input { desired, origins, observed: &observed, now: Moment(0) };
            node_causes(&input, &node).iter().map(ToString::to_string).collect()
        };
        let weight = || Some((5, "weight-n1 by root".to_owned()));
        let cordon = || Some((false, false, "cordon-n1 by root".to_owned()));
        let (w, s) = ("nodes.d/n1.toml:1", "nodes.d/n1.toml:2");
        assert_eq!(causes(NodeTold::default()), [w, s]);
        let told = NodeTold { weight: weight(), ..NodeTold::default() };
        assert_eq!(causes(told), ["weight-n1 by root", s]);
        let told = NodeTold { new_sessions: cordon(), ..NodeTold::default() };
        assert_eq!(causes(told), ["cordon-n1 by root", w]);
        let told = NodeTold { weight: weight(), new_sessions: cordon() };
        assert_eq!(causes(told), ["weight-n1 by root", "cordon-n1 by root"]);
    }
}
