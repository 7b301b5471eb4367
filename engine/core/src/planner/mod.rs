//! The one function that decides: `plan = f(desired, observed, now)`.
//!
//! Pure and total: no clock, no randomness, no I/O; the same input gives the same plan. Phases run in a
//! fixed order, each in a file of its own; each says what it holds back and why. Harm that a change of
//! files would do goes through [`harm`] and nowhere else.

mod balance;
mod choose;
mod confirm;
mod ends;
mod found;
mod gateways;
mod harm;
mod kept;
mod listen;
mod removal;
mod routes;
mod sessions;
mod starts;

pub(crate) use choose::{Candidate, best, candidates};
pub use harm::BRAKE_WINDOW_MS;
pub use kept::Kept;
pub use listen::{in_the_way, in_the_way_words};
pub(crate) use starts::starts_again;

use std::collections::BTreeSet;

use crate::desired::{Desired, Mode, Origins};
use crate::ids::Moment;
use crate::observed::Observed;
use crate::plan::{Action, Because, Hold, Impact, On, Plan, Resource, Step, Unchanged, WaitingOn};
use kept::Look;
use routes::Routes;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What is asked for.
    pub desired: &'a Desired,
    /// Where it stands.
    pub origins: &'a Origins,
    /// What was found.
    pub observed: &'a Observed,
    /// When.
    pub now: Moment,
}

impl Input<'_> {
    /// Whether the planner may only adopt, route and observe: nothing was ever accepted, a person
    /// has paused it (what the files let listen does so), a pinned generation cannot be read, the mode is `observe` (which closes listeners), or the product
    /// holds the port that its own files name.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.observed.in_force.digest.is_none()
            || self.observed.memory.paused
            || self.observed.memory.pin_lost
            || self.desired.mode == Mode::Observe
            || in_the_way(self.desired, self.observed).is_some()
    }

    /// Why nothing can be written down, if so.
    fn store_problem(&self) -> Option<String> {
        let records = &self.observed.records;
        let reason = || records.unknown_reason().unwrap_or("there is none");
        records.present().is_none().then(|| format!("the store cannot be used: {}", reason()))
    }

    /// Whether it is inert because a person has paused it, and for no reason that closes: then traffic goes on.
    fn is_paused(&self) -> bool {
        let memory = &self.observed.memory;
        let serves = self.desired.mode != Mode::Observe && !memory.pin_lost;
        memory.paused && serves && self.observed.in_force.digest.is_some()
    }

    /// Whether it is inert because the files ask for no more than observing: then it lets nobody in either.
    fn only_observes(&self) -> bool {
        let nothing_accepted = self.observed.in_force.digest.is_none();
        let memory = &self.observed.memory;
        let held = memory.paused || memory.pin_lost;
        self.desired.mode == Mode::Observe && !nothing_accepted && !held
    }
}

/// Decides one round.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    decide(input, &mut Kept::default())
}

/// Plans of so many sessions are made twice in debug builds: with what was kept, and without.
const PROVEN_SESSIONS: usize = 2_000;

/// Decides one round, after another one of which something was kept: the plan is that of [`plan`], and what is at
/// rest as it was costs nothing. Keeps for the next one.
#[must_use]
pub fn plan_after(input: &Input<'_>, kept: &mut Kept) -> Plan {
    let decided = decide(input, kept);
    if cfg!(debug_assertions) && input.desired.sessions.things.len() <= PROVEN_SESSIONS {
        debug_assert_eq!(decided, plan(input), "what is kept of a round changes no plan");
    }
    decided
}

fn decide(input: &Input<'_>, kept: &mut Kept) -> Plan {
    let mut draft = Draft::default();
    let mut look = Look::new(input, kept);
    let mut routes = Routes::default();
    let mut published = BTreeSet::new();
    if !look.is_inert() {
        balance::plan_balancer(input, &mut draft);
        listen::plan_www(input, &mut draft);
        look_at_sessions(input, &mut draft, &mut routes, &mut look);
        published = look.published();
        gateways::plan_gateways(input, &mut draft, &published);
    } else if input.only_observes() {
        listen::close_all(input, &mut draft);
    } else {
        let held = in_the_way(input.desired, input.observed);
        if let Some(held) = held {
            listen::hold_for_incumbent(input, &mut draft, held);
        }
        if input.is_paused() {
            listen::keep_open(input, &mut draft, held);
            gateways::keep_open(input, &mut draft);
        }
    }
    if look.is_inert() {
        look_at_sessions(input, &mut draft, &mut routes, &mut look);
    }
    routes.add_to(&mut draft);
    hold_newer_files(input, &mut draft);
    *kept = look.keep(published);
    harm::settle(input, draft)
}

/// Decides of each session that may not be at rest, and of its route.
fn look_at_sessions(input: &Input<'_>, draft: &mut Draft, routes: &mut Routes, look: &mut Look) {
    let rest = look.rest();
    draft.plan.unchanged.sessions += rest.sessions;
    routes.unchanged += rest.routes;
    let sessions = look.sessions(input);
    draft.starting = sessions::under_way(input, &sessions);
    for session in &sessions {
        let (told, kept) = (draft.told() + routes.len(), draft.plan.unchanged.sessions);
        let routed = routes.unchanged;
        if !look.is_inert() {
            sessions::plan_session(input, draft, session);
        }
        routes.plan(input, session);
        let adds = Unchanged {
            sessions: draft.plan.unchanged.sessions - kept,
            routes: routes.unchanged - routed,
            gateways: 0,
        };
        let told = draft.told() + routes.len() > told;
        look.note(session.id, &session.found, told, adds);
    }
}

/// Says that newer files are in force and do not act, because a person has pinned an older generation.
fn hold_newer_files(input: &Input<'_>, draft: &mut Draft) {
    let Some(pinned) = &input.desired.pinned else { return };
    let newest = input.observed.in_force.generation;
    if newest == pinned.generation {
        return;
    }
    let waiting_on =
        WaitingOn::Pinned { reason: format!("generation {} is pinned", pinned.generation) };
    let because = vec![Because::Person { what: pinned.by.clone() }];
    let wanted = format!("generation {newest} acts");
    draft.hold(Resource::Site, &wanted, waiting_on, Impact::None, because, pinned.until);
}

/// A plan in the making.
#[derive(Debug, Default)]
struct Draft {
    plan: Plan,
    /// Steps that would do harm because files changed; decided together at the end.
    harms: Vec<Harm>,
    /// Workbenches whose installation is already among the steps.
    provided: BTreeSet<crate::ids::WorkbenchName>,
    /// Starts under way or decided in this round.
    starting: u32,
    /// Who takes new sessions, with those that this round gives to each; looked up by the first start.
    shares: Option<choose::Shares>,
}

/// A step that would do harm because files changed.
#[derive(Debug)]
struct Harm {
    resource: Resource,
    step: Step,
    wanted: &'static str,
}

impl Draft {
    /// How much was decided so far.
    fn told(&self) -> usize {
        self.plan.steps.len() + self.plan.holds.len() + self.harms.len()
    }

    /// Decides a step without harm, or with harm that no change of files caused.
    fn step(
        &mut self,
        id: String,
        on: On,
        action: Action,
        impact: Impact,
        because: Vec<Because>,
    ) -> &mut Step {
        self.plan.steps.push(Step { id, on, action, after: Vec::new(), because, impact });
        self.plan.steps.last_mut().expect("a step was just pushed")
    }

    /// Says what is wanted and not done now.
    fn hold(
        &mut self,
        resource: Resource,
        wanted: &str,
        waiting_on: WaitingOn,
        impact: Impact,
        because: Vec<Because>,
        until: Option<Moment>,
    ) {
        self.plan.holds.push(Hold {
            resource,
            waiting_on,
            because,
            until,
            impact,
            wanted: wanted.to_owned(),
        });
    }
}

/// A cause that was observed.
fn seen(what: impl Into<String>) -> Vec<Because> {
    vec![Because::Seen { what: what.into() }]
}

#[cfg(test)]
pub(crate) mod tests;
