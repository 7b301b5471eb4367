//! The whole way: plan, predict, plan again, until nothing is left to do.
//!
//! This is what `wharf plan` prints. Three proofs run in debug builds, for up to
//! [`PROVEN_RESOURCES`] resources, and in all tests: *progress* (no state of the world comes twice),
//! *arrival* (at the end everything is as asked for, or has a hold), *rest* (planning there again gives
//! no steps and the same holds).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::desired::{Desired, ListenerId, Origins, SessionSpec, WantedState};
use crate::ids::{Moment, SessionId};
use crate::known::Known;
use crate::observed::{IncarnationSeen, Observed, Phase};
use crate::plan::{HoldKind, Plan, Resource, WaitingOn};
use crate::planner::{self, Input, Kept};
use crate::predict;

/// More rounds than this a forecast does not look ahead.
pub const ROUNDS_MAX: usize = 24;

/// Forecasts of up to this many sessions are proven in debug builds.
pub const PROVEN_RESOURCES: usize = 2_000;

/// A round of a forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// When it would be.
    pub at: Moment,
    /// What it would decide.
    pub plan: Plan,
}

/// The whole way from a world to rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Rounds in order; the last one takes no step.
    pub rounds: Vec<Round>,
    /// The world at the end.
    pub world: Observed,
    /// Whether rest was reached within [`ROUNDS_MAX`].
    pub arrived: bool,
}

impl Forecast {
    /// The first round: what would happen now.
    ///
    /// # Panics
    /// Never: a forecast has at least one round.
    #[must_use]
    pub fn first(&self) -> &Plan {
        &self.rounds.first().expect("a forecast has at least one round").plan
    }

    /// The last round: what would stay held.
    ///
    /// # Panics
    /// Never: a forecast has at least one round.
    #[must_use]
    pub fn last(&self) -> &Plan {
        &self.rounds.last().expect("a forecast has at least one round").plan
    }
}

/// Looks ahead from `observed` at `now`.
#[must_use]
pub fn forecast(
    desired: &Desired,
    origins: &Origins,
    observed: &Observed,
    now: Moment,
) -> Forecast {
    forecast_after(desired, origins, observed, now, &Kept::default())
}

/// The same, from what was kept of a round in much the same world: what is at rest since then costs nothing.
#[must_use]
pub fn forecast_after(
    desired: &Desired,
    origins: &Origins,
    observed: &Observed,
    now: Moment,
    kept: &Kept,
) -> Forecast {
    let mut kept = kept.clone();
    // How many starts run at once decides when, not what: the forecast is not made longer by it.
    let mut unhurried = desired.clone();
    unhurried.policy.concurrent_starts = Some(u32::MAX);
    let mut world = observed.clone();
    // What would happen once it goes on: a plan that is empty because of a pause would say nothing.
    world.memory.paused = false;
    world.memory.pin_lost = false;
    world.deciding_by = None;
    world.files_unknown = None;
    let mut now = now;
    let mut rounds = Vec::new();
    let mut arrived = false;
    while rounds.len() < ROUNDS_MAX {
        let input = Input { desired: &unhurried, origins, observed: &world, now };
        let plan = planner::plan_after(&input, &mut kept);
        let at = now;
        let next = go_on(&mut world, &plan, now);
        rounds.push(Round { at, plan });
        match next {
            Some(later) => now = later,
            None => {
                arrived = true;
                break;
            }
        }
    }
    let forecast = Forecast { rounds, world, arrived };
    if cfg!(debug_assertions)
        && desired.sessions.things.len() <= PROVEN_RESOURCES
        && let Err(broken) = prove(&unhurried, origins, &forecast)
    {
        debug_assert!(false, "forecast: {broken}");
    }
    forecast
}

/// Lets the world go on after a round: when it has; none at rest, where it stays as it is.
fn go_on(world: &mut Observed, plan: &Plan, now: Moment) -> Option<Moment> {
    if !plan.steps.is_empty() {
        predict::carry_out(world, plan, now);
        return Some(now);
    }
    let passing = || plan.holds.iter().filter(|hold| hold.kind() == HoldKind::Passing);
    let under_way = passing().any(|hold| matches!(hold.waiting_on, WaitingOn::InFlight { .. }));
    if under_way && predict::finish(world, now) {
        return Some(now);
    }
    let until = passing().filter_map(|hold| hold.until).filter(|until| *until > now).min()?;
    predict::remember(world, plan, until);
    // Time passes, and who holds a port still holds it: nothing says that it will be free.
    world.refused.values_mut().for_each(|refusal| refusal.at = until);
    Some(until)
}

/// Checks the three proofs.
///
/// # Errors
/// Which proof is broken, and where.
pub fn prove(desired: &Desired, origins: &Origins, forecast: &Forecast) -> Result<(), String> {
    prove_progress(forecast)?;
    if !forecast.arrived {
        return Err(format!("no rest after {} rounds", forecast.rounds.len()));
    }
    let end = forecast.rounds.last().ok_or("no rounds")?;
    let input = Input { desired, origins, observed: &forecast.world, now: end.at };
    prove_arrival(&input, &end.plan)?;
    let again = planner::plan(&input);
    if !again.steps.is_empty() || again.holds != end.plan.holds {
        return Err("planning again at rest gives something else".to_owned());
    }
    Ok(())
}

/// No round takes the steps of an earlier one again.
fn prove_progress(forecast: &Forecast) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for (at, round) in forecast.rounds.iter().enumerate() {
        for step in &round.plan.steps {
            // A step's id names the incarnation, so the same id twice is the same act twice; routes
            // are set once starting and once ready.
            let key = (step.id.clone(), format!("{:?}", step.action));
            if !taken.insert(key) {
                return Err(format!("round {at} takes {} again", step.id));
            }
        }
    }
    Ok(())
}

/// Everything that is asked for is as asked for, or has a hold.
fn prove_arrival(input: &Input<'_>, end: &Plan) -> Result<(), String> {
    if input.is_inert() {
        return Ok(());
    }
    let held: BTreeSet<&Resource> = end.holds.iter().map(|hold| &hold.resource).collect();
    let Input { desired, observed: world, .. } = *input;
    for (id, wanted) in &desired.sessions.things {
        if !held.contains(&Resource::Session(id.clone())) {
            session_has_arrived(world, id, wanted)?;
        }
    }
    let listener = Resource::Listener(ListenerId::Www);
    let listening = world.listeners.get(&ListenerId::Www).and_then(Known::present);
    if listening != desired.listen.as_ref() && !held.contains(&listener) {
        return Err("the site does not listen where it should, and is not held".to_owned());
    }
    if world.balancer.as_ref().map(|balancer| balancer.method) != Some(desired.balancer) {
        return Err("new sessions are not balanced as they should be".to_owned());
    }
    Ok(())
}

/// A session that no hold speaks of is as asked for, and a running one has its route.
fn session_has_arrived(
    world: &Observed,
    id: &SessionId,
    wanted: &Known<Arc<SessionSpec>>,
) -> Result<(), String> {
    let Known::Present(spec) = wanted else {
        return Err(format!("{id} is unknown and not held"));
    };
    let live = || {
        let all = world.of_session(id).filter_map(|(_, known)| known.present());
        all.filter(|seen| seen.ours && seen.phase.is_live())
    };
    let right = match spec.state {
        WantedState::Running => {
            let ends = world.records.present().and_then(|records| records.ends.get(id));
            let last = ends.and_then(|ends| ends.last());
            let over = last.is_some() && !planner::starts_again(spec.restart, last);
            let ready = |seen: &IncarnationSeen| {
                matches!(seen.phase, Phase::Ready) && seen.launch.digest() == spec.launch.digest()
            };
            live().any(ready) || over && live().next().is_none()
        }
        WantedState::Stopped | WantedState::Suspended => live().next().is_none(),
    };
    if !right {
        return Err(format!("{id} is not as asked for and not held"));
    }
    let here = live().any(|seen| seen.node == world.node);
    if here && !world.routes.contains_key(id) {
        return Err(format!("{id} runs without a route"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
