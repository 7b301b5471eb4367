//! What holds for every plan, whatever the site and the world: nothing foreign, unknown or unmanaged is
//! hurt, harm waits its time, steps come in an order in which they can be taken.
//!
//! Written from design.md §6 and §8 and not from the planner: it must not share its mistakes. Golden
//! scripts, properties and the simulation check every plan with it. Read next: [`crate::forecast`] for
//! what holds for a whole way.

use std::collections::BTreeSet;

use crate::ids::{Incarnation, SessionId};
use crate::known::Known;
use crate::plan::{Action, Because, EndPurpose, Impact, Plan, Resource, Step};
use crate::planner::{self, Input};

/// Checks one plan against the input it was made from.
///
/// # Errors
/// Which rule is broken, by which step.
pub fn prove_plan(input: &Input<'_>, plan: &Plan) -> Result<(), String> {
    if planner::plan(input) != *plan {
        return Err("the same input gave another plan".to_owned());
    }
    keeps_the_rules(input, plan)
}

/// The rules, of a plan of whomever.
fn keeps_the_rules(input: &Input<'_>, plan: &Plan) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    for step in &plan.steps {
        if let Some(after) = step.after.iter().find(|after| !ids.contains(after)) {
            return Err(format!("{} comes after {after}, which is not before it", step.id));
        }
        if !ids.insert(&step.id) {
            return Err(format!("{} is there twice", step.id));
        }
        if step.because.is_empty() {
            return Err(format!("{} has no cause", step.id));
        }
        touches_only_ours(input, step)?;
        ends_only_what_may_end(input, step)?;
        waits_its_time(input, step)?;
    }
    for hold in &plan.holds {
        if hold.because.is_empty() {
            return Err(format!("{} waits without a cause", hold.resource));
        }
    }
    within_budget(input, plan)
}

/// The incarnation that a step acts upon.
fn acted_upon(step: &Step) -> Option<&Incarnation> {
    match &step.action {
        Action::End { incarnation, .. } | Action::Forget { incarnation, .. } => Some(incarnation),
        Action::Start(order) => Some(&order.incarnation),
        Action::SetRoute(route) => Some(&route.incarnation),
        _ => None,
    }
}

/// Nothing foreign and nothing unknown is touched; nothing is started beside what lives.
fn touches_only_ours(input: &Input<'_>, step: &Step) -> Result<(), String> {
    let incarnations = &input.observed.incarnations;
    if let Some(incarnation) = acted_upon(step) {
        match incarnations.get(incarnation) {
            Some(Known::Unknown { .. }) => {
                return Err(format!("{} acts on what is unknown", step.id));
            }
            Some(Known::Present(seen)) if !seen.ours => {
                return Err(format!("{} acts on what is foreign", step.id));
            }
            _ => {}
        }
    }
    if let Action::Start(order) = &step.action {
        let session = &order.incarnation.session;
        let beside = input.observed.of_session(session).find(|(_, known)| match known {
            Known::Present(seen) => seen.ours && seen.phase.is_live(),
            Known::Absent => false,
            Known::Unknown { .. } => true,
        });
        if let Some((beside, _)) = beside {
            return Err(format!("{} starts beside {beside}", step.id));
        }
    }
    Ok(())
}

/// What no directory manages, and what cannot be read, never ends but by a person's own word.
fn ends_only_what_may_end(input: &Input<'_>, step: &Step) -> Result<(), String> {
    let Action::End { incarnation, purpose, .. } = &step.action else { return Ok(()) };
    if input.observed.records.is_unknown() {
        return Err(format!("{} ends a session though the store cannot be used", step.id));
    }
    let sessions = &input.desired.sessions;
    let told = input.desired.told_to_stop.contains_key(&incarnation.session);
    if told && matches!(purpose, EndPurpose::Stopped) && step.impact == Impact::Ended {
        return Ok(());
    }
    match sessions.things.get(&incarnation.session) {
        Some(Known::Unknown { .. }) => Err(format!("{} ends what cannot be read", step.id)),
        None if !sessions.managed => Err(format!("{} ends what nobody manages", step.id)),
        _ if step.impact == Impact::None => match purpose {
            EndPurpose::NeverReady | EndPurpose::Superseded => Ok(()),
            _ => Err(format!("{} ends a session without impact", step.id)),
        },
        _ => Ok(()),
    }
}

/// Harm that no person asked for has waited for harm-delay, and is not more than the brake lets pass.
fn waits_its_time(input: &Input<'_>, step: &Step) -> Result<(), String> {
    if !step.impact.is_harm() || is_asked_by_person(step) {
        return Ok(());
    }
    let Some(incarnation) = acted_upon(step) else {
        return Err(format!("{} does harm to nobody in particular", step.id));
    };
    let resource = Resource::Session(incarnation.session.clone());
    if input.observed.approves(incarnation, step.impact) {
        return Ok(());
    }
    let memory = &input.observed.memory;
    let delay = input.desired.policy.harm_delay;
    let waited = memory.harm_since.get(&resource).map(|wanted| input.now.since(wanted.since));
    if delay.0 > 0 && waited.is_none_or(|waited| waited < delay) {
        return Err(format!("{} does not wait for harm-delay", step.id));
    }
    Ok(())
}

/// No more starts at once than the budget, no more harm at once than the brake.
fn within_budget(input: &Input<'_>, plan: &Plan) -> Result<(), String> {
    let policy = &input.desired.policy;
    let budget = policy.concurrent_starts.unwrap_or(input.observed.cores).max(1) as usize;
    let starts = plan.steps.iter().filter(|step| matches!(step.action, Action::Start(_))).count();
    if starts > budget {
        return Err(format!("{starts} starts at once, {budget} may"));
    }
    let memory = &input.observed.memory;
    let harms: Vec<&SessionId> = plan
        .steps
        .iter()
        .filter(|step| step.impact.is_harm() && !is_asked_by_person(step))
        .filter_map(|step| Some((acted_upon(step)?, step.impact)))
        .filter(|(incarnation, impact)| !input.observed.approves(incarnation, *impact))
        .map(|(incarnation, _)| &incarnation.session)
        .collect();
    let recent =
        memory.harmed.iter().filter(|(at, _)| input.now.since(*at).0 <= planner::BRAKE_WINDOW_MS);
    let hurt: BTreeSet<&SessionId> =
        recent.map(|(_, id)| id).chain(harms.iter().copied()).collect();
    if !harms.is_empty() && hurt.len() > policy.max_harmed as usize {
        return Err(format!("{} sessions hurt, max-harmed is {}", hurt.len(), policy.max_harmed));
    }
    Ok(())
}

fn is_asked_by_person(step: &Step) -> bool {
    step.because.iter().any(|because| matches!(because, Because::Person { .. }))
}

#[cfg(test)]
pub(crate) mod tests;
