//! Slow to hurt: harm that a change of files would do waits for harm-delay and goes away with its
//! cause; more of it than `max-harmed` waits for a person (the brake).
//!
//! Every such step comes through here, and only here; a person's own command does not. While the store cannot be
//! used nothing ends at all, whoever asks for it: whether somebody has paused the engine is not known then, and whom
//! an end hurts cannot be written down.

use std::collections::{BTreeMap, BTreeSet};

use grammar::value::Millis;

use super::{Draft, Harm, Input, confirm};
use crate::desired::Apply;
use crate::ids::{Moment, SessionId};
use crate::observed::HarmWanted;
use crate::plan::{Action, Hold, Plan, Resource, Step, WaitingOn};

/// Harm within this time counts together, in milliseconds (design.md §6: a slow `rsync --delete` is
/// many generations).
pub const BRAKE_WINDOW_MS: u64 = 600_000;

/// Why things wait for a person where the policy says so.
pub(super) const ASKS: &str = "policy apply asks for confirmation";

/// Decides about the harms of a draft and puts the plan into its final order.
pub(super) fn settle(input: &Input<'_>, draft: Draft) -> Plan {
    let Draft { mut plan, harms, .. } = draft;
    // Everything waits for it that has to be written down.
    let no_store = input.store_problem().map(|reason| WaitingOn::Unknown { reason });
    if let Some(waiting_on) = &no_store {
        hold_ends(&mut plan, waiting_on);
    }
    let braked = brake(input, &harms);
    let mut harm_since = BTreeMap::new();
    for harm in harms {
        let memory = &input.observed.memory;
        let impact = harm.step.impact;
        let before = memory.harm_since.get(&harm.resource).copied();
        // What waited to restart and is now to end has not waited to end.
        let wanted = before
            .filter(|before| before.impact >= impact)
            .unwrap_or(HarmWanted { since: input.now, impact });
        let waiting = match &no_store {
            Some(waiting_on) => Some((waiting_on.clone(), None)),
            None => waits(input, &harm, wanted.since, braked.as_deref()),
        };
        // What waited for a person waits for its delay anew once it need not: whoever puts lost files back one by
        // one, and so releases the brake, still has the others to come.
        let asks = matches!(waiting, Some((WaitingOn::Approval { .. }, _)));
        let since = if asks { input.now } else { wanted.since };
        harm_since.insert(harm.resource.clone(), HarmWanted { since, ..wanted });
        match waiting {
            None => plan.steps.push(harm.step),
            Some((waiting_on, until)) => {
                plan.unchanged.sessions += 1;
                plan.holds.push(held(harm, waiting_on, until));
            }
        }
    }
    plan.harm_since = harm_since;
    confirm::hold_back(input, &mut plan);
    plan.holds.sort_by(|a, b| b.impact.cmp(&a.impact).then_with(|| a.resource.cmp(&b.resource)));
    plan
}

/// A step that is wanted and not done now.
fn held(harm: Harm, waiting_on: WaitingOn, until: Option<Moment>) -> Hold {
    let Harm { resource, step: Step { because, impact, .. }, wanted } = harm;
    Hold { resource, waiting_on, because, until, impact, wanted: wanted.to_owned() }
}

/// Makes holds of the ends that were decided without asking for harm.
fn hold_ends(plan: &mut Plan, waiting_on: &WaitingOn) {
    let ends = plan.steps.extract_if(.., |step| matches!(step.action, Action::End { .. }));
    let ends: Vec<Step> = ends.collect();
    plan.unchanged.sessions += ends.len();
    plan.holds.extend(ends.into_iter().filter_map(|step| {
        let Action::End { incarnation, .. } = &step.action else { return None };
        let resource = Resource::Session(incarnation.session.clone());
        Some(held(Harm { resource, step, wanted: "ends" }, waiting_on.clone(), None))
    }));
}

/// What a harm waits for, if it waits.
fn waits(
    input: &Input<'_>,
    harm: &Harm,
    since: Moment,
    braked: Option<&str>,
) -> Option<(WaitingOn, Option<Moment>)> {
    if is_approved(input, harm) {
        return None;
    }
    let policy = &input.desired.policy;
    if policy.apply != Apply::Auto {
        return Some((WaitingOn::Approval { reason: ASKS.to_owned() }, None));
    }
    if let Some(reason) = braked {
        return Some((WaitingOn::Approval { reason: reason.to_owned() }, None));
    }
    if let Some(reason) = is_contested(input, harm) {
        return Some((WaitingOn::Approval { reason }, None));
    }
    // The line that asks for it may be gone already: that is known, and decided, first.
    let newer_files_count = input.desired.pinned.is_none();
    if let Some(why) = input.observed.files_unknown.as_ref().filter(|_| newer_files_count) {
        let reason = format!("the files on disk ({why})");
        return Some((WaitingOn::Unknown { reason }, None));
    }
    let decided = input.observed.deciding_by.filter(|_| newer_files_count);
    let until = decided.into_iter().fold(since.plus(policy.harm_delay), Moment::max);
    (input.now < until).then_some((WaitingOn::HarmDelay, Some(until)))
}

/// Why a person is asked although the files that act want it: newer ones, which are refused for something else, do
/// not. Where a generation is pinned somebody has turned away from newer files.
fn is_contested(input: &Input<'_>, harm: &Harm) -> Option<String> {
    let refused = input.observed.refused_files.as_ref()?;
    let Resource::Session(session) = &harm.resource else { return None };
    let contested = input.desired.pinned.is_none() && refused.say_otherwise_of(session);
    contested
        .then(|| format!("the files on disk say otherwise, and are refused: {}", refused.problem))
}

/// Whether a person has let it go.
fn is_approved(input: &Input<'_>, harm: &Harm) -> bool {
    let hurt = harm.step.hurts();
    hurt.is_some_and(|incarnation| input.observed.approves(incarnation, harm.step.impact))
}

/// Why harm needs a person, if it is too much.
fn brake(input: &Input<'_>, harms: &[Harm]) -> Option<String> {
    let memory = &input.observed.memory;
    let recent =
        memory.harmed.iter().filter(|(at, _)| input.now.since(*at) <= Millis(BRAKE_WINDOW_MS));
    let mut hurt: BTreeSet<&SessionId> = recent.map(|(_, session)| session).collect();
    let new = harms.iter().filter(|harm| !is_approved(input, harm));
    hurt.extend(new.filter_map(|harm| match &harm.resource {
        Resource::Session(id) => Some(id),
        _ => None,
    }));
    let most = input.desired.policy.max_harmed;
    let count = u32::try_from(hurt.len()).unwrap_or(u32::MAX);
    (count > most).then(|| {
        format!("{count} sessions hurt by the changes of 10 minutes, max-harmed is {most}")
    })
}
