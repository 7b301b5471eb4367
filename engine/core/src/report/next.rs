//! Where new sessions go under another balancer or with another share of a node: what people can check.

use crate::desired::{BalancerMethod, Desired, Origins, Placement};
use crate::ids::{Moment, NodeId, UserName};
use crate::known::Known;
use crate::observed::Observed;
use crate::planner::{Candidate, Input, best, candidates};

/// What another balancing method changes for the next new session; none with one node.
pub(super) fn next_session(desired: &Desired, observed: &Observed) -> Option<String> {
    let before = observed.balancer.as_ref()?.method;
    let origins = Origins::default();
    let input = Input { desired, origins: &origins, observed, now: Moment::default() };
    let candidates = candidates(&input, &Placement::default());
    if candidates.len() < 2 {
        return None;
    }
    if desired.balancer == BalancerMethod::UserHash {
        return Some("each person's sessions go to one node, by the hash of the name".to_owned());
    }
    // Neither of the methods that are left looks at the user.
    let anyone = UserName::new("anyone").ok()?;
    let new = best(desired.balancer, &candidates, &anyone)?;
    if before == BalancerMethod::UserHash {
        return Some(format!("next new session: {}", described(new, desired.balancer)));
    }
    let old = best(before, &candidates, &anyone)?;
    let new_text = described(new, desired.balancer);
    Some(if new.node == old.node {
        format!("next new session: {new_text}, as before")
    } else {
        format!("next new session: {new_text} instead of {}", described(old, before))
    })
}

/// What follows from another share of a node: who stays there, and who takes new sessions then.
pub(super) fn node(node: &NodeId, desired: &Desired, observed: &Observed) -> Option<String> {
    let spec = desired.node(node);
    if spec.schedulable && !spec.draining && spec.weight > 0 {
        return None;
    }
    let live = observed.incarnations.values().filter_map(Known::present);
    let there = live.filter(|seen| seen.ours && &seen.node == node && seen.phase.is_live()).count();
    let mut told = match there {
        0 => "no session runs there".to_owned(),
        1 => "1 session runs there and stays until it ends".to_owned(),
        n => format!("{n} sessions run there and stay until they end"),
    };
    if spec.draining && there > 0 {
        told.push_str("; this version moves none");
    }
    let origins = Origins::default();
    let input = Input { desired, origins: &origins, observed, now: Moment::default() };
    let takers = candidates(&input, &Placement::default());
    if takers.is_empty() {
        told.push_str("; no node takes new sessions after this");
        return Some(told);
    }
    let has = |label: (&String, &String)| {
        takers.iter().any(|taker| desired.node(&taker.node).labels.get(label.0) == Some(label.1))
    };
    let lost = spec.labels.iter().filter(|label| !has(*label));
    let lost: Vec<String> = lost.map(|(name, value)| format!("{name}={value}")).collect();
    if !lost.is_empty() {
        told.push_str("; no other node takes new sessions with ");
        told.push_str(&lost.join(", "));
    }
    Some(told)
}

/// A node with what it is chosen by: `n1 (3 sessions, weight 1)`, `n2 (load/core 0.06, weight 1)`.
fn described(candidate: &Candidate, method: BalancerMethod) -> String {
    let Candidate { node, weight, sessions, load5_milli, cores } = candidate;
    let measure = if method == BalancerMethod::SystemLoad {
        let centi = u64::from(*load5_milli) / u64::from((*cores).max(1)) / 10;
        format!("load/core {}.{:02}", centi / 100, centi % 100)
    } else {
        let plural = if *sessions == 1 { "" } else { "s" };
        format!("{sessions} session{plural}")
    };
    format!("{node} ({measure}, weight {weight})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::NodeSpec;
    use crate::ids::Incarnation;
    use crate::observed::{IncarnationSeen, Phase};
    use crate::planner::tests::{session_spec, started};
    use crate::report::tests::world;

    fn told(spec: NodeSpec, change: impl Fn(&mut IncarnationSeen)) -> Option<String> {
        let mut observed = world();
        for id in ["a", "b"] {
            let mut seen = started(&session_spec(id, "alice"), Moment(0));
            change(&mut seen);
            let incarnation = Incarnation::new(id.parse().unwrap(), 1);
            observed.incarnations.insert(incarnation, Known::Present(seen));
        }
        let mut desired = Desired::default();
        desired.nodes.things.insert(observed.node.clone(), Known::Present(spec.into()));
        node(&observed.node.clone(), &desired, &observed)
    }

    #[test]
    fn who_stays_on_a_node_that_takes_no_more_is_told() {
        let draining = || NodeSpec { draining: true, ..NodeSpec::default() };
        let cordoned = || NodeSpec { schedulable: false, ..NodeSpec::default() };
        let none = "; no node takes new sessions after this";
        let two = "2 sessions run there and stay until they end";
        assert_eq!(told(NodeSpec::default(), |_| {}), None);
        assert_eq!(
            told(NodeSpec { weight: 0, ..NodeSpec::default() }, |_| {}),
            Some(format!("{two}{none}"))
        );
        assert_eq!(told(cordoned(), |_| {}), Some(format!("{two}{none}")));
        assert_eq!(told(draining(), |_| {}), Some(format!("{two}; this version moves none{none}")));
    }

    #[test]
    fn only_sessions_of_the_site_that_live_on_the_node_stay_there() {
        let draining = |change: fn(&mut IncarnationSeen)| {
            told(NodeSpec { draining: true, ..NodeSpec::default() }, change)
        };
        let none = Some("no session runs there; no node takes new sessions after this".to_owned());
        assert_eq!(draining(|seen| seen.ours = false), none);
        assert_eq!(draining(|seen| seen.node = "n2".parse().unwrap()), none);
        assert_eq!(draining(|seen| seen.phase = Phase::Exited(Default::default())), none);
    }
}
