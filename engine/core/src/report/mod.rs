//! A forecast as people read it: who is hurt, what changes, what waits, what stays, because of which line.
//!
//! Pure. [`text`] and [`json`] show the same [`Report`]; the commands, the golden files and the log use
//! nothing else.

mod acts;
mod causes;
pub mod differences;
mod holds;
pub mod incumbent;
pub mod json;
pub mod markdown;
mod next;
mod steps;
pub mod text;

pub use steps::PlannedStep;

use std::collections::BTreeSet;

use grammar::value::Millis;
use serde::Serialize;

use crate::approval::Matter;
use crate::desired::{Desired, Mode, Origins, Override, Renew};
use crate::forecast::Forecast;
use crate::ids::{Generation, Moment, SessionId, UserName, WorkbenchName};
use crate::known::Known;
use crate::observed::{IncarnationSeen, Observed};
use crate::plan::{Because, Hold, Impact, Mark, Resource};
use crate::settings::{OptionChange, Takes};
use crate::window::ChangeWindow;

/// What the plan is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// The configuration directory in force, as given.
    pub site: String,
    /// The generation in force and since when; none = none yet.
    pub in_force: Option<(Generation, Moment)>,
    /// What it is compared with: `staged: /root/stage`, `on disk`; empty = the set in force itself.
    pub against: String,
    /// A remark on where the world was read: empty with an engine.
    pub remark: String,
    /// Change windows that are open: no file is judged before the last of them has ended.
    pub windows: Vec<ChangeWindow>,
    /// Commands that hide a line of a file, with the line.
    pub overrides: Vec<Overridden>,
}

/// A command that hides a line of a file, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overridden {
    /// Its id: what `wharf override clear` is told.
    pub id: String,
    /// What it does, in words.
    pub what: String,
    /// The lines that it hides; none where no file speaks of it.
    pub hides: Vec<Because>,
    /// Who asked.
    pub owner: String,
    /// Why; empty where nobody said.
    pub reason: String,
    /// Until when; none = until it is cleared.
    pub until: Option<Moment>,
}

impl Overridden {
    /// Those of `overrides` that are in force, with what they hide of what acts.
    #[must_use]
    pub fn all(overrides: &[Override], origins: &Origins, now: Moment) -> Vec<Self> {
        let in_force = overrides.iter().filter(|given| given.in_force(now));
        let shown = |given: &Override| Self {
            id: given.id.clone(),
            what: given.effect.words(),
            hides: given.effect.hides(origins),
            owner: given.owner.clone(),
            reason: given.reason.clone(),
            until: given.until,
        };
        in_force.map(shown).collect()
    }
}

/// A forecast in the form in which it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is about.
    pub about: About,
    /// Why nothing of this is carried out, if so.
    pub inert: Option<String>,
    /// What the files set differently from the generation in force.
    pub options: Vec<OptionChange>,
    /// Things that happen, worst first.
    pub acts: Vec<Act>,
    /// Things that wait when all that can happen has happened.
    pub held: Vec<Held>,
    /// Sessions that run as once asked and wait for their next start.
    pub outdated: Vec<Outdated>,
    /// Live sessions that nothing happens to.
    pub untouched: usize,
    /// Their ids, where somebody wants to see them: [`Report::with_names`].
    pub names: Vec<SessionId>,
    /// Routes that stay.
    pub routes: usize,
    /// Gateways that stay.
    pub gateways: usize,
    /// Every step of it by its id, in the order in which they come.
    pub steps: Vec<PlannedStep>,
    /// Rendered warnings, if any.
    pub warnings: Vec<String>,
    /// Waiting for the harm-delay of the policy.
    pub harm_delay: Millis,
    /// What it means to the product that runs on the same files.
    pub incumbent: Option<Box<incumbent::IncumbentPlan>>,
    /// How the policy renews sessions whose files ask for something else.
    pub renew: Renew,
    /// Whether it is about the set in force alone: what waits and drifts, and nothing new.
    pub only_pending: bool,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// How it is marked.
    pub mark: Mark,
    /// To what.
    pub resource: Resource,
    /// What, in words.
    pub what: String,
    /// Whose session it is, where it is one.
    pub user: Option<String>,
    /// Its workbench, where it is one; empty otherwise.
    pub workbench: String,
    /// Why.
    pub because: Vec<Because>,
    /// What follows from it, in words.
    pub note: Option<String>,
    /// When the first step of it comes, if it waits for harm-delay.
    pub delayed_until: Option<Moment>,
    /// What it does to people.
    pub impact: Impact,
    /// Ids of the steps behind it.
    pub steps: Vec<String>,
    /// Whether it happens without the new files, too.
    pub pending: bool,
}

/// One thing that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The hold.
    pub hold: Hold,
    /// Further words: user and workbench of a session.
    pub detail: String,
    /// Whose session it is, where it is one.
    pub user: Option<String>,
    /// What follows from it once it goes on, in words.
    pub note: Option<String>,
    /// Whether it waits without the new files, too.
    pub pending: bool,
}

/// A session that runs as once asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Outdated {
    /// Which.
    pub session: SessionId,
    /// Its workbench.
    pub workbench: String,
    /// What differs.
    pub differs: Vec<String>,
    /// The generation whose files it was started from, where somebody wrote that down.
    pub generation: Option<Generation>,
    /// Why.
    pub because: Vec<Because>,
    /// Whether it is so without the new files, too.
    pub pending: bool,
}

/// Counts for the summary line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sessions that end.
    pub end: usize,
    /// Sessions that restart.
    pub restart: usize,
    /// Sessions that move.
    pub moved: usize,
    /// Sessions that are suspended.
    pub suspend: usize,
    /// Sessions that start.
    pub start: usize,
    /// Other changes.
    pub change: usize,
    /// Things that wait.
    pub held: usize,
    /// People whose session is hurt.
    pub people: BTreeSet<String>,
    /// Outdated sessions.
    pub outdated: usize,
    /// What happens or waits without the new files, too.
    pub pending: usize,
    /// Warnings.
    pub warnings: usize,
}

impl Summary {
    /// Sessions that are hurt, however.
    #[must_use]
    pub fn hurt(&self) -> usize {
        self.end + self.restart + self.moved + self.suspend
    }
}

impl Report {
    /// Makes the report of a forecast.
    #[must_use]
    pub fn new(
        about: About,
        options: Vec<OptionChange>,
        desired: &Desired,
        observed: &Observed,
        forecast: &Forecast,
        warnings: Vec<String>,
    ) -> Self {
        let people = People { desired, observed };
        let acts = acts::acts(forecast, &people, desired, observed);
        let touched: BTreeSet<&Resource> = acts.iter().map(|act| &act.resource).collect();
        let sessions = touched.iter().filter_map(|resource| match resource {
            Resource::Session(id) => Some(id),
            _ => None,
        });
        let live = |id: &&SessionId| is_live(observed, id);
        let untouched = live_sessions(observed).count() - sessions.clone().filter(live).count();
        let routed = sessions.filter(|id| observed.routes.contains_key(*id)).count();
        let routes = observed.routes.len() - routed;
        let gateways = gateways_that_stay(observed, forecast, &touched);
        let (held, outdated) = holds::holds(forecast, &people, &touched, observed);
        let mut report = Report {
            about,
            inert: inert(desired, observed),
            options,
            held,
            outdated,
            untouched,
            routes,
            gateways,
            steps: steps::steps(forecast),
            warnings,
            harm_delay: desired.policy.harm_delay,
            incumbent: None,
            renew: desired.policy.renew,
            names: Vec::new(),
            only_pending: false,
            acts,
        };
        report.name_changed_lines();
        report
    }

    /// The same with the ids of the sessions that nothing happens to.
    #[must_use]
    pub fn with_names(mut self, observed: &Observed) -> Self {
        let touched: BTreeSet<&Resource> = self.acts.iter().map(|act| &act.resource).collect();
        let stays = live_sessions(observed)
            .filter(|id| !touched.contains(&Resource::Session((*id).clone())));
        self.names = stays.cloned().collect();
        self
    }

    /// A report of the set in force alone: all that it holds is pending, and counts.
    #[must_use]
    pub fn of_what_is_pending(mut self) -> Self {
        self.only_pending = true;
        self.acts.iter_mut().for_each(|act| act.pending = true);
        self.held.iter_mut().for_each(|held| held.pending = true);
        self.outdated.iter_mut().for_each(|outdated| outdated.pending = true);
        self.steps.iter_mut().for_each(|step| step.pending = true);
        self
    }

    /// Whether a thing is what this report is about: what is new, or where nothing can be, what is pending.
    pub(crate) fn is_about(&self, pending: bool) -> bool {
        self.only_pending || !pending
    }

    /// What happens or waits because of the new files: what a person approves who has seen this.
    pub fn matters(&self) -> impl Iterator<Item = Matter> + '_ {
        let acts = self.acts.iter().filter(|act| !act.pending);
        let acts = acts.map(|Act { resource, mark, impact, .. }| Matter {
            resource: resource.clone(),
            mark: *mark,
            impact: *impact,
        });
        let held = self.held.iter().filter(|held| !held.pending);
        acts.chain(held.map(|held| Matter::from(&held.hold)))
    }

    /// Whether part of what is new takes effect with the engine's next start only.
    #[must_use]
    pub fn needs_engine_restart(&self) -> bool {
        self.options.iter().any(|option| option.effect == Takes::DaemonRestart)
    }

    /// The counts of the summary line.
    #[must_use]
    pub fn summary(&self) -> Summary {
        if let Some(plan) = self.observing() {
            return plan.summary(self.warnings.len());
        }
        let mut summary = Summary {
            held: self.held.iter().filter(|held| self.is_about(held.pending)).count(),
            outdated: self.outdated.iter().filter(|o| self.is_about(o.pending)).count(),
            pending: if self.only_pending { 0 } else { self.pending() },
            warnings: self.warnings.len(),
            ..Summary::default()
        };
        for act in self.acts.iter().filter(|act| self.is_about(act.pending)) {
            match act.mark {
                Mark::End => summary.end += 1,
                Mark::Restart => summary.restart += 1,
                Mark::Start => summary.start += 1,
                Mark::Change => summary.change += 1,
            }
            if act.impact.is_harm() {
                summary.people.extend(act.user.clone());
            }
        }
        summary
    }

    /// What it means to the product, where that is all there is to say: the engine observes.
    fn observing(&self) -> Option<&incumbent::IncumbentPlan> {
        self.incumbent.as_deref().filter(|plan| plan.observing)
    }

    /// Whether the files differ from the generation in force: what `--detailed-exitcode` goes by.
    #[must_use]
    pub fn is_new(&self) -> bool {
        let new = self.acts.iter().any(|act| !act.pending)
            || self.held.iter().any(|held| !held.pending)
            || self.outdated.iter().any(|outdated| !outdated.pending);
        new || !self.options.is_empty()
    }

    /// Whether anything new would hurt somebody, now or once a hold ends.
    #[must_use]
    pub fn is_harmful(&self) -> bool {
        if let Some(plan) = self.observing() {
            return plan.consequence.is_harmful();
        }
        self.acts.iter().any(|act| !act.pending && act.impact.is_harm())
            || self.held.iter().any(|held| !held.pending && held.hold.impact.is_harm())
    }

    /// How much happens or waits without the new files, too.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.acts.iter().filter(|act| act.pending).count()
            + self.held.iter().filter(|held| held.pending).count()
    }
}

/// Whose each session is, and of what kind.
struct People<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
}

impl<'a> People<'a> {
    fn user(&self, resource: &Resource) -> Option<String> {
        self.get(resource).map(|(user, _)| user.to_string())
    }

    fn get(&self, resource: &Resource) -> Option<(&'a UserName, &'a WorkbenchName)> {
        match resource {
            Resource::Session(id) | Resource::Route(id) => {
                // What runs goes before what is asked for: it is the person who is hurt.
                let mut found = self.observed.of_session(id).rev();
                let runs = found.find_map(|(_, known)| known.present()).map(|seen| &seen.launch);
                let asked = || self.desired.sessions.get(id).map(|spec| &spec.launch);
                runs.or_else(asked).map(|launch| (&launch.user, &launch.workbench))
            }
            _ => None,
        }
    }
}

/// Sessions of which something lives, or may, in the order of their ids.
pub fn live_sessions(observed: &Observed) -> impl Iterator<Item = &SessionId> {
    let live = observed.incarnations.iter().filter(|(_, known)| may_live(known));
    let mut before = None;
    live.filter_map(move |(incarnation, _)| {
        let id = &incarnation.session;
        (before.replace(id) != Some(id)).then_some(id)
    })
}

fn is_live(observed: &Observed, id: &SessionId) -> bool {
    observed.of_session(id).any(|(_, known)| may_live(known))
}

fn may_live(known: &Known<IncarnationSeen>) -> bool {
    known.is_unknown() || known.present().is_some_and(|seen| seen.phase.is_live())
}

/// Gateways with leased ports whose leases nothing changes.
fn gateways_that_stay(
    observed: &Observed,
    forecast: &Forecast,
    touched: &BTreeSet<&Resource>,
) -> usize {
    let leases = |world: &Observed| -> BTreeSet<_> {
        let records = world.records.present();
        records.map(|r| r.leases.keys().map(|(id, _)| id.clone()).collect()).unwrap_or_default()
    };
    let after = leases(&forecast.world);
    let stays = |id: &&crate::ids::GatewayId| {
        after.contains(*id) && !touched.contains(&Resource::Gateway((*id).clone()))
    };
    leases(observed).iter().filter(stays).count()
}

/// Why a plan is not carried out at all.
fn inert(desired: &Desired, observed: &Observed) -> Option<String> {
    if desired.mode == Mode::Observe {
        let open = observed.listeners.values().any(|known| known.present().is_some());
        let what = match open && !observed.memory.paused && !observed.memory.pin_lost {
            true => "no session is started, changed or ended, and nobody is let in any more",
            false => "nothing is started, changed or ended",
        };
        return Some(format!("Mode observe: {what}."));
    }
    if let Some(held) = crate::planner::in_the_way(desired, observed) {
        return Some(format!("{}.", crate::planner::in_the_way_words(held)));
    }
    let paused = "Paused: nothing of this happens before `wharf resume`.";
    let pin_lost =
        "A pinned generation cannot be read: nothing of this happens before `wharf history unpin`.";
    match (observed.memory.pin_lost, observed.memory.paused) {
        (true, _) => Some(pin_lost.to_owned()),
        (false, paused_by_person) => paused_by_person.then(|| paused.to_owned()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
