//! The loop's body: look, decide, act, tell. Names traits only; the clock is an argument.
//!
//! A wake-up never says what changed: every round reads the whole state, so start, crash, missed event and
//! ordinary event are one path. Holds no lock and starts no thread; `serve` drives it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use engine_core::desired::{self, Desired, Effect, Ground, Lowered, Override};
use engine_core::ids::{Generation, Moment, SiteDigest};
use engine_core::known::Known;
use engine_core::observed::{InForce, Memory, Observed};
use engine_core::pace;
use engine_core::plan::Plan;
use engine_core::planner::{self, Input, Kept};
use engine_core::predict;
use engine_core::report::Overridden;
use engine_core::site::SiteFiles;

use crate::execute::{self, Hands, Outcome};
use crate::ledger::Ledger;
use crate::observe::{self, Eyes, Given, Newer, SpokenOf};
use crate::ports::{Accounts, Incumbent, Launcher, Nodes, Routes, Workbenches};
use crate::recorded::Recorded;
use crate::saved::SavedSite;
use crate::status::{self, Shown, StatusView};

mod incumbent;

pub use incumbent::questions;

/// How many rounds are remembered for `wharf why`.
pub const RING: usize = 1_000;

mod approving;
mod pin;
mod refused;
mod reporting;
mod requested;

pub use approving::Applied;

/// The adapters behind the ports.
pub struct Adapters {
    /// Launchers by the type of their clusters.
    pub launchers: BTreeMap<String, Box<dyn Launcher>>,
    /// The proxy.
    pub routes: Box<dyn Routes>,
    /// Nodes.
    pub nodes: Box<dyn Nodes>,
    /// Accounts.
    pub accounts: Box<dyn Accounts>,
    /// Workbenches.
    pub workbenches: Box<dyn Workbenches>,
    /// The product that runs on the same files.
    pub incumbent: Box<dyn Incumbent>,
}

/// The set of files in force.
#[derive(Clone)]
pub struct SiteInForce {
    /// Its number, digest and time.
    pub mark: InForce,
    /// The files.
    pub files: Arc<SiteFiles>,
    /// What they ask for.
    pub lowered: Arc<Lowered>,
    /// What is wrong with single things, in one line each.
    pub problems: Arc<[String]>,
    /// Whether the store has it: otherwise it is saved as soon as the store can be written.
    pub saved: bool,
}

/// What one round did.
#[derive(Clone, Debug)]
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// When it began.
    pub at: Moment,
    /// What woke it.
    pub woken_by: String,
    /// The generation in force; 0 = none.
    pub generation: Generation,
    /// What it decided.
    pub plan: Arc<Plan>,
    /// What became of each step.
    pub outcomes: Vec<Outcome>,
    /// When to look again at the latest.
    pub next: Moment,
}

impl Round {
    /// Whether another round should follow at once: something was done, so the world is another one.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.error.is_none())
    }
}

/// One engine's reconciliation.
pub struct Reconciler {
    adapters: Adapters,
    ledger: Ledger,
    ground: Ground,
    cores: u32,
    in_force: Option<SiteInForce>,
    /// What acts while the set in force waits for a person.
    acting: Option<approving::Acting>,
    /// What acts whatever newer files say.
    pin: Option<pin::Pin>,
    memory: Memory,
    /// The newest files, where they are refused.
    refused: Option<refused::Refused>,
    /// Why nobody knows what the newest files say.
    unknown: Option<status::Refusal>,
    decided_at: Moment,
    ring: VecDeque<Round>,
    rounds: u64,
    failures: BTreeMap<String, u64>,
    desired: Desired,
    last: Option<Observed>,
    week_minute: fn(Moment) -> u16,
    newer: Newer,
    site: bool,
    /// Where the inputs of rounds that do something are saved.
    record: Option<PathBuf>,
    taken_up: incumbent::TakenUp,
    /// What the planner kept of the last round.
    kept: Kept,
    shown: Shown,
    spoken_of: SpokenOf,
}

impl Reconciler {
    /// Begins from what the store has: the set that was in force, or none (then it is inert).
    #[must_use]
    pub fn new(
        adapters: Adapters,
        ledger: Ledger,
        ground: Ground,
        cores: u32,
        week_minute: fn(Moment) -> u16,
    ) -> Self {
        let in_force = ledger.site().map(|saved| {
            let lowered = desired::lower(&saved.files, &ground);
            SiteInForce {
                mark: saved.mark,
                files: Arc::new(saved.files),
                lowered: Arc::new(lowered),
                problems: Arc::from([]),
                saved: true,
            }
        });
        let mut reconciler = Self {
            adapters,
            ledger,
            ground,
            cores,
            in_force,
            acting: None,
            pin: None,
            memory: Memory::default(),
            refused: None,
            unknown: None,
            decided_at: Moment::default(),
            ring: VecDeque::new(),
            rounds: 0,
            failures: BTreeMap::new(),
            desired: Desired::default(),
            last: None,
            week_minute,
            newer: Newer::default(),
            site: false,
            record: None,
            taken_up: incumbent::TakenUp::default(),
            kept: Kept::default(),
            shown: Shown::default(),
            spoken_of: SpokenOf::default(),
        };
        reconciler.resume_acting();
        reconciler
    }

    /// The set in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&SiteInForce> {
        self.in_force.as_ref()
    }

    /// What lowering is told of this machine.
    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The store's records.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The rounds that are remembered, oldest first.
    pub fn rounds(&self) -> impl DoubleEndedIterator<Item = &Round> {
        self.ring.iter()
    }

    /// Takes a set of files into force. It is stored before its first step; where the store cannot be
    /// written it is in force all the same (traffic must flow), starts are held, and it is stored later.
    pub fn accept(
        &mut self,
        files: Arc<SiteFiles>,
        digest: SiteDigest,
        lowered: Arc<Lowered>,
        problems: Vec<String>,
        now: Moment,
    ) -> Generation {
        self.refused = None;
        self.decided_at = now;
        if let Some(current) = &mut self.in_force
            && current.mark.digest == Some(digest)
        {
            current.problems = problems.into();
            if current.files.mounts != files.mounts {
                // Not part of what the files say, and part of what they are missed by.
                (current.files, current.saved) = (files, false);
            }
            return current.mark.generation;
        }
        let replaced = self.in_force.as_ref().and_then(|site| site.mark.digest);
        self.ledger.end_approval(replaced);
        let last = self.in_force.as_ref().map_or(Generation(0), |site| site.mark.generation);
        let generation = Generation(last.0.max(self.ledger.last_generation().0) + 1);
        let mark = InForce { generation, digest: Some(digest), since: now, acting: None };
        let problems = problems.into();
        // A line that is gone can be named as a cause as long as what it asked for is still there.
        let mut lowered = lowered;
        Arc::make_mut(&mut lowered).origins.follow(&self.newest().origins);
        let acted = self.acted();
        self.in_force = Some(SiteInForce { mark, files, lowered, problems, saved: false });
        self.wait_for_approval(acted);
        self.save_if_unsaved();
        generation
    }

    /// What is known of files that are newer than those in force; whether they are known again, who were not.
    pub fn newer_files(&mut self, newer: Newer) -> bool {
        let known = newer.unknown.is_none();
        self.newer = newer;
        known && self.unknown.take().is_some()
    }

    /// One round at `now`.
    pub fn round(&mut self, now: Moment, woken_by: &str) -> &Round {
        self.site = self.ledger.hold_site(&self.ground.node, now);
        self.save_if_unsaved();
        let observed = self.look(now);
        let lowered = self.lowered();
        let input =
            Input { desired: &self.desired, origins: &lowered.origins, observed: &observed, now };
        let plan = planner::plan_after(&input, &mut self.kept);
        self.rounds += 1;
        self.save_inputs(&observed, &plan, now);
        let outcomes = self.act(&plan, &lowered, &observed, now);
        self.remember(observed, &plan, &outcomes, now);
        self.hold_product_against_files();
        let live = self.last.as_ref().is_some_and(|seen| !seen.incarnations.is_empty());
        let next = pace::next_look(&plan, live, now);
        self.ring.push_back(Round {
            number: self.rounds,
            at: now,
            woken_by: woken_by.to_owned(),
            generation: self.in_force.as_ref().map_or(Generation(0), |site| site.mark.generation),
            plan: Arc::new(plan),
            outcomes,
            next,
        });
        if self.ring.len() > RING {
            self.ring.pop_front();
        }
        self.ring.back().expect("a round was just pushed")
    }

    /// A look at the world, as of `at`, for `replan`.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn recorded(&mut self, at: Moment) -> Result<serde_json::Value, serde_json::Error> {
        let observed = self.look(at);
        serde_json::to_value(self.recorded_from(observed, None, at))
    }

    fn recorded_from(
        &mut self,
        observed: Observed,
        planned: Option<&Plan>,
        at: Moment,
    ) -> Recorded {
        let (requests, overrides) = self.people(at);
        let site = self.in_force.as_ref();
        let acting = self.acting.as_ref().and_then(|acting| acting.files.as_deref());
        Recorded {
            format: crate::recorded::FORMAT,
            acting: acting.map(SavedSite::from),
            pinned: self.pinned_files(),
            requests,
            overrides,
            former: self.lowered().origins.former(),
            site: site.map(|site| SavedSite::from(&*site.files)),
            node: self.ground.node.clone(),
            default_user: self.ground.default_user.clone(),
            self_contained: self.ground.self_contained,
            observed,
            now: at,
            planned: planned.map(crate::recorded::lines),
        }
    }

    /// From now on the inputs of each round that does something are saved in `dir`.
    pub fn record_into(&mut self, dir: PathBuf) {
        self.record = Some(dir);
    }

    /// Saves the inputs of a round that does something, before it is done: also of one in which the engine dies.
    fn save_inputs(&mut self, observed: &Observed, plan: &Plan, now: Moment) {
        let Some(dir) = self.record.clone().filter(|_| !plan.steps.is_empty()) else { return };
        let recorded = self.recorded_from(observed.clone(), Some(plan), now);
        let saved = serde_json::to_value(recorded).map_err(std::io::Error::other);
        let saved = saved.and_then(|all| crate::recorded::save(&dir, now, self.rounds, &all));
        if let Err(error) = saved {
            tracing::warn!(%error, dir = %dir.display(), "the round was not recorded");
        }
    }

    /// The engine's state as of the last round.
    #[must_use]
    pub fn status(&mut self) -> StatusView {
        let site = self.in_force.as_ref();
        let last = self.ring.back();
        let mut view = match (&self.last, last) {
            (Some(observed), Some(round)) => {
                status::view(&self.desired, observed, &round.plan, round.at, &mut self.shown)
            }
            _ => StatusView::default(),
        };
        self.taken_up.show(&mut view);
        view.generation = site.map_or(Generation(0), |site| site.mark.generation);
        view.acting = self.mark().acting;
        view.since = site.map_or(Moment::default(), |site| site.mark.since);
        view.site = site.map_or_else(String::new, |site| site.files.workbench_dir.to_string());
        view.decided_at = self.decided_at;
        view.refused = self.told_refusal().cloned();
        view.problems = site.map_or_else(Vec::new, |site| site.problems.to_vec());
        view.problems.extend(self.pin_problem());
        view.rounds = self.rounds;
        view.step_failures.clone_from(&self.failures);
        view.store_problem = self.ledger.problem();
        let open = self.ledger.windows().open(view.round_at);
        view.change_windows = open.cloned().collect();
        let origins = &self.lowered().origins;
        let overridden = Overridden::all(self.ledger.overrides(), origins, view.round_at);
        view.overrides = overridden.iter().map(status::override_view).collect();
        view
    }

    /// What acts.
    #[must_use]
    pub fn lowered(&self) -> Arc<Lowered> {
        match (self.pinned(), &self.acting) {
            (Some(pinned), _) => Arc::clone(pinned),
            (None, Some(acting)) => Arc::clone(&acting.with_waiting),
            (None, None) => self.newest(),
        }
    }

    /// What the set in force asks for, approved or not.
    fn newest(&self) -> Arc<Lowered> {
        match &self.in_force {
            Some(site) => Arc::clone(&site.lowered),
            None => Arc::new(Lowered::default()),
        }
    }

    /// Brings what is asked for up to date and looks at the world.
    fn look(&mut self, now: Moment) -> Observed {
        // Read first: what is approved and what acts have to be of one moment.
        self.memory.harmed = self.ledger.harmed(now);
        self.memory.approved = self.ledger.approval().clone();
        self.follow_approval();
        self.follow_pin(now);
        let (requests, overrides) = self.people(now);
        let pause = |given: &Override| given.effect == Effect::Pause;
        self.memory.paused = overrides.iter().any(pause);
        self.memory.pin_lost = self.pin_problem().is_some();
        let lowered = self.lowered();
        self.desired = desired::merge(lowered.desired.clone(), &requests, &overrides, now);
        let mut records = self.ledger.records(now);
        if let Known::Present(records) = &mut records {
            records.www = self.ledger.www(&self.ground.node).cloned();
        }
        let given = Given {
            node: self.ground.node.clone(),
            cores: self.cores,
            in_force: self.mark(),
            records,
            memory: self.memory.clone(),
            week_minute: (self.week_minute)(now),
            newer: self.newer.clone(),
            refused_files: self.refused_files(),
            questions: self.in_force.as_ref().and_then(|_| questions(&lowered, &self.ground)),
        };
        let mut eyes = Eyes {
            launchers: &mut self.adapters.launchers,
            routes: &mut *self.adapters.routes,
            nodes: &mut *self.adapters.nodes,
            accounts: &mut *self.adapters.accounts,
            workbenches: &mut *self.adapters.workbenches,
            incumbent: &mut *self.adapters.incumbent,
        };
        self.spoken_of.follow(&self.desired);
        let mut observed = observe::observe(&mut eyes, given, &self.desired, &self.spoken_of, now);
        if let Some(last) = &self.last {
            observed.follow(last);
        }
        observed
    }

    fn act(
        &mut self,
        plan: &Plan,
        lowered: &Lowered,
        observed: &Observed,
        now: Moment,
    ) -> Vec<Outcome> {
        let mut hands = Hands {
            launchers: &mut self.adapters.launchers,
            routes: &mut *self.adapters.routes,
            workbenches: &mut *self.adapters.workbenches,
            ledger: &mut self.ledger,
            secrets: &lowered.secrets,
            desired: &self.desired,
            observed,
            node: self.ground.node.clone(),
            site: self.site,
        };
        let outcomes = execute::execute(plan, &mut hands, now);
        for outcome in outcomes.iter().filter(|outcome| outcome.error.is_some()) {
            let kind = outcome.step.split('/').next().unwrap_or_default().to_owned();
            *self.failures.entry(kind).or_default() += 1;
        }
        outcomes
    }

    /// What the next round must know of this one: only of steps that were done.
    fn remember(&mut self, mut observed: Observed, plan: &Plan, outcomes: &[Outcome], now: Moment) {
        let mut done = plan.clone();
        let taken = outcomes.iter().filter(|outcome| outcome.error.is_none());
        let taken: BTreeSet<&str> = taken.map(|outcome| outcome.step.as_str()).collect();
        done.steps.retain(|step| taken.contains(step.id.as_str()));
        if observed.records.present().is_some() {
            // Unwritten, it is tried again by the next round.
            let www = predict::www_after(&observed, &done).cloned();
            let _ = self.ledger.put_www(&self.ground.node, www);
        }
        let approved = observed.memory.approved.clone();
        predict::remember(&mut observed, &done, now);
        if observed.memory.approved != approved && *self.ledger.approval() == approved {
            // What was done is approved no longer; unwritten, it is only approved for longer than needed. Where
            // another node has said otherwise meanwhile, that counts.
            let _ = self.ledger.put_approval(observed.memory.approved.clone());
        }
        self.memory = observed.memory.clone();
        self.last = Some(observed);
    }

    fn save(&mut self, site: &mut SiteInForce) {
        let keep = site.lowered.engine.history_keep;
        site.saved = self.ledger.save_site(&site.mark, &site.files, keep).is_ok();
    }

    fn save_if_unsaved(&mut self) {
        if let Some(mut site) = self.in_force.take() {
            if !site.saved {
                self.save(&mut site);
            }
            self.in_force = Some(site);
        }
    }
}
