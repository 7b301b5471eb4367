//! What holds for every plan, whatever the site and the world: safety, order, and the three proofs.

use std::collections::BTreeSet;

use engine_core::forecast;
use engine_core::ids::{Incarnation, SessionId};
use engine_core::known::Known;
use engine_core::plan::{Action, Because, Impact, Plan, Step};
use engine_core::planner::{self, Input};
use engine_core::report::Report;

/// Checks one plan against the input it was made from.
///
/// # Errors
/// Which rule is broken, by which step.
pub fn check_plan(input: &Input<'_>, plan: &Plan) -> Result<(), String> {
    if planner::plan(input) != *plan {
        return Err("the same input gave another plan".to_owned());
    }
    let mut ids = BTreeSet::new();
    for step in &plan.steps {
        if !ids.insert(&step.id) {
            return Err(format!("{} is there twice", step.id));
        }
        if let Some(after) = step.after.iter().find(|after| !ids.contains(after)) {
            return Err(format!("{} comes after {after}, which is not before it", step.id));
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
                let same = matches!(step.action, Action::SetRoute(_));
                return Err(format!("{} acts on an unknown (route: {same})", step.id));
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

/// What no directory manages, and what cannot be read, never ends.
fn ends_only_what_may_end(input: &Input<'_>, step: &Step) -> Result<(), String> {
    let Action::End { incarnation, purpose, .. } = &step.action else { return Ok(()) };
    let sessions = &input.desired.sessions;
    match sessions.things.get(&incarnation.session) {
        Some(Known::Unknown { .. }) => Err(format!("{} ends what cannot be read", step.id)),
        None if !sessions.managed => Err(format!("{} ends what nobody manages", step.id)),
        _ if step.impact == Impact::None => match purpose {
            engine_core::plan::EndPurpose::NeverReady
            | engine_core::plan::EndPurpose::Superseded => Ok(()),
            _ => Err(format!("{} ends a session without impact", step.id)),
        },
        _ => Ok(()),
    }
}

/// Harm that no person asked for has waited for harm-delay, and is not more than the brake lets pass.
fn waits_its_time(input: &Input<'_>, step: &Step) -> Result<(), String> {
    if !step.impact.is_harm() || step.because.iter().any(|b| matches!(b, Because::Person { .. })) {
        return Ok(());
    }
    let Some(incarnation) = acted_upon(step) else {
        return Err(format!("{} does harm to nobody in particular", step.id));
    };
    let resource = engine_core::plan::Resource::Session(incarnation.session.clone());
    let memory = &input.observed.memory;
    if memory.released.contains(&resource) {
        return Ok(());
    }
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
    let harmed: BTreeSet<&SessionId> = plan
        .steps
        .iter()
        .filter(|step| step.impact.is_harm())
        .filter(|step| !step.because.iter().any(|b| matches!(b, Because::Person { .. })))
        .filter_map(|step| Some(&acted_upon(step)?.session))
        .filter(|id| {
            !memory.released.contains(&engine_core::plan::Resource::Session((*id).clone()))
        })
        .chain(
            memory
                .harmed
                .iter()
                .filter(|(at, _)| input.now.since(*at).0 <= planner::BRAKE_WINDOW_MS)
                .map(|(_, id)| id),
        )
        .collect();
    let harms_now = plan.steps.iter().any(|step| {
        step.impact.is_harm()
            && !step.because.iter().any(|b| matches!(b, Because::Person { .. }))
            && acted_upon(step).is_some_and(|i| {
                let resource = engine_core::plan::Resource::Session(i.session.clone());
                !memory.released.contains(&resource)
            })
    });
    if harms_now && harmed.len() > policy.max_harmed as usize {
        return Err(format!("{} sessions hurt, max-harmed is {}", harmed.len(), policy.max_harmed));
    }
    Ok(())
}

/// Looks ahead and checks progress, arrival and rest.
///
/// # Errors
/// Which proof does not hold.
pub fn forecast_proven(input: &Input<'_>) -> Result<forecast::Forecast, String> {
    let forecast = forecast::forecast(input.desired, input.origins, input.observed, input.now);
    let mut unhurried = input.desired.clone();
    unhurried.policy.concurrent_starts = Some(u32::MAX);
    forecast::prove(&unhurried, input.origins, &forecast)?;
    Ok(forecast)
}

/// Each line printed as the cause of something new is among the changes printed.
///
/// # Errors
/// Which cause is not.
pub fn causes_are_changes(report: &Report) -> Result<(), String> {
    let acts = report.acts.iter().filter(|act| !act.pending).map(|act| &act.because);
    let held = report.held.iter().filter(|held| !held.pending).map(|held| &held.hold.because);
    let outdated = report.outdated.iter().filter(|o| !o.pending).map(|o| &o.because);
    for because in acts.chain(held).chain(outdated).flatten() {
        let printed = match because {
            Because::Line { file, line, .. } | Because::LineRemoved { file, line, .. } => {
                report.options.iter().any(|o| o.file == *file && o.line == *line)
            }
            Because::FileRemoved { file } => {
                report.options.iter().any(|o| o.file == *file && o.to.is_none())
            }
            Because::Seen { .. } | Because::Person { .. } | Because::Default { .. } => true,
        };
        if !printed {
            return Err(format!("because {because}, which is not among the changes"));
        }
    }
    Ok(())
}
