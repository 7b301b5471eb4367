//! Where the next new session goes under another balancer: the difference that people can check.

use std::collections::BTreeMap;

use crate::desired::{BalancerMethod, Desired, Origins, Placement};
use crate::ids::{Moment, UserName};
use crate::observed::Observed;
use crate::planner::{Candidate, Input, best, candidates};

/// What another balancing method changes for the next new session; none with one node.
pub(super) fn next_session(desired: &Desired, observed: &Observed) -> Option<String> {
    let before = observed.balancer.as_ref()?.method;
    let origins = Origins::default();
    let input = Input { desired, origins: &origins, observed, now: Moment::default() };
    let candidates = candidates(&input, &Placement::default(), &BTreeMap::new());
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
