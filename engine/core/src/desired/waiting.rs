//! Which files act while newer ones wait for a person (`[policy] apply = "confirm"`).
//!
//! The policy itself is never among what waits: who softens it must not need what it asked for. Decides
//! nothing about things: `planner::confirm` says what is held.

use std::sync::Arc;

use super::{Apply, Desired, Lowered};

/// Whether `newest` waits for a person while `acting` acts: its policy says so, and it asks for something else.
#[must_use]
pub fn waits(acting: &Desired, newest: &Desired) -> bool {
    if newest.policy.apply != Apply::Confirm {
        return false;
    }
    // Everything but the policy; what is asked for by people is merged on top of both.
    let as_acting = Desired { policy: acting.policy.clone(), ..newest.clone() };
    as_acting != *acting
}

/// What acts once `newest` is accepted: itself, or what acted so far under its policy, with itself beside it
/// as what waits.
#[must_use]
pub fn act_on(acting: &Lowered, newest: &Lowered) -> Lowered {
    if !waits(&acting.desired, &newest.desired) {
        return newest.clone();
    }
    let desired = Desired {
        policy: newest.desired.policy.clone(),
        waiting: Some(Arc::new(newest.desired.clone())),
        ..acting.desired.clone()
    };
    let mut origins = acting.origins.clone();
    origins.waiting = Some(Arc::new(newest.origins.clone()));
    Lowered { desired, origins, secrets: acting.secrets.clone(), ..newest.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{BalancerMethod, Origin};

    fn lowered(apply: Apply, balancer: BalancerMethod) -> Lowered {
        let mut lowered = Lowered::default();
        lowered.desired.policy.apply = apply;
        lowered.desired.balancer = balancer;
        lowered
    }

    #[test]
    fn what_the_policy_confirms_waits_and_the_policy_itself_does_not() {
        let before = lowered(Apply::Auto, BalancerMethod::Sessions);
        let only_policy = lowered(Apply::Confirm, BalancerMethod::Sessions);
        assert!(!waits(&before.desired, &only_policy.desired));
        let newest = lowered(Apply::Confirm, BalancerMethod::UserHash);
        let acts = act_on(&before, &newest);
        assert_eq!(acts.desired.balancer, BalancerMethod::Sessions);
        assert_eq!(acts.desired.policy.apply, Apply::Confirm);
        assert_eq!(acts.desired.waiting.as_deref(), Some(&newest.desired));
        let softer = lowered(Apply::ConfirmHarmful, BalancerMethod::UserHash);
        assert_eq!(act_on(&before, &softer).desired, softer.desired);
    }

    #[test]
    fn what_acts_keeps_its_own_secrets_and_lines_while_the_newest_waits() {
        let mut before = lowered(Apply::Confirm, BalancerMethod::Sessions);
        let mut newest = lowered(Apply::Confirm, BalancerMethod::UserHash);
        let old = before.secrets.keep("old".to_owned());
        let new = newest.secrets.keep("new".to_owned());
        let line = |line| Origin { file: "load-balancer".into(), line, option: "balancer".into() };
        before.origins.add("balancer", line(1));
        newest.origins.add("balancer", line(2));
        let acts = act_on(&before, &newest);
        assert_eq!(acts.secrets.text(&old, "alice").as_deref(), Some("old"));
        assert_eq!(acts.secrets.text(&new, "alice"), None);
        assert_eq!(acts.origins.of("balancer"), [line(1)]);
        assert_eq!(acts.origins.waiting.map(|of| of.of("balancer")), Some(vec![line(2)]));
    }
}
