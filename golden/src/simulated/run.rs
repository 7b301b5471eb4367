//! One run of the simulation: a world, its files, an engine on each node, and what happens to them. The promise
//! is written in `engine::lab::faults`. A failure panics with seed, step, what broke, and the last things that
//! happened. Read next: `tests/simulation.rs`.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Engine, people};
use engine::intake::Intake;
use engine::lab::disk::{SharedDisk, SimLook, lock_disk};
use engine::lab::faults::{CALM_ROUNDS, Faults};
use engine::lab::ports::{
    CutOff, SimAccounts, SimIncumbent, SimLauncher, SimNodes, SimRoutes, SimWorkbenches,
};
use engine::lab::random::Random;
use engine::lab::world::{Shared, World, lock};
use engine::ledger::{Ledger, Seal};
use engine::ports::{RoutesSeen, Store};
use engine::reconcile::{Adapters, Reconciler};
use engine::store::memory::{Fault, MemoryStore, Write};
use engine_core::accept::Settle;
use engine_core::desired::Ground;
use engine_core::ids::{Moment, NodeId, SessionId, UserName};
use engine_core::known::Known;
use engine_core::observed::Phase;
use engine_core::plan::{Resource, WaitingOn};
use grammar::value::Millis;

/// Events of chaos in one run.
const STEPS: usize = 120;

/// What goes wrong with the store is drawn from the world's own randomness.
struct StoreFaults(Shared);

impl engine::store::memory::Faults for StoreFaults {
    fn before(&mut self, _: Write<'_>) -> Fault {
        let mut world = lock(&self.0);
        if !world.alive() {
            return Fault::LostAndNobodyKnows;
        }
        let faults = world.faults;
        if world.random.chance(faults.refuse / 4) {
            Fault::DiskFull
        } else if world.random.chance(faults.lie / 4) {
            Fault::DoneButReportedFailed
        } else {
            Fault::None
        }
    }
}

/// One run: a world, its files, and an engine on each node.
pub struct Run {
    seed: u64,
    step: usize,
    random: Random,
    /// What there is.
    pub world: Shared,
    /// What is stored.
    pub store: Arc<MemoryStore>,
    /// The site's nodes.
    pub nodes: Vec<NodeId>,
    /// Their engines, in the same order.
    pub engines: Vec<Engine>,
    disk: SharedDisk,
    /// `[policy] apply`; an edit may change it.
    apply: &'static str,
    harm_delay: Millis,
}

fn ground(node: &NodeId) -> Ground {
    Ground {
        node: node.clone(),
        default_user: UserName::new("alice").unwrap(),
        digest_key: b"key".to_vec(),
        self_contained: true,
    }
}

impl Run {
    /// A new world with four sessions, and one or two nodes.
    #[must_use]
    pub fn new(seed: u64, nodes: usize) -> Self {
        let world = World::new(seed);
        let store = Arc::new(MemoryStore::with_faults(Box::new(StoreFaults(Arc::clone(&world)))));
        let names = ["n1", "n2"].into_iter().take(nodes);
        let mut run = Self {
            seed,
            step: 0,
            random: Random::new(seed ^ 0x5157_4c41_5246),
            world,
            store,
            nodes: names.map(|name| NodeId::new(name).unwrap()).collect(),
            engines: Vec::new(),
            disk: SharedDisk::default(),
            apply: "auto",
            harm_delay: Millis(5_000),
        };
        lock(&run.world).harm_rules = (run.harm_delay, 3);
        run.write_policy();
        for n in 0..4 {
            run.write_session(n, "stop", "running", 0);
        }
        run.engines = (0..nodes).map(|at| run.boot(at)).collect();
        run.take_in();
        run
    }

    /// The engine of a node starts anew.
    pub fn restart(&mut self, at: usize) {
        self.engines[at] = self.boot(at);
    }

    /// A new engine on a node: from the store and the world alone.
    fn boot(&self, at: usize) -> Engine {
        let node = self.nodes[at].clone();
        let world = Arc::clone(&self.world);
        let launcher = SimLauncher { world: Arc::clone(&world), node: node.clone() };
        let adapters = Adapters {
            launchers: BTreeMap::from([("local".to_owned(), Box::new(launcher) as Box<_>)]),
            routes: Box::new(SimRoutes { world: Arc::clone(&world), seen: RoutesSeen::default() }),
            nodes: Box::new(SimNodes { nodes: self.nodes.clone() }),
            accounts: Box::new(SimAccounts { world: Arc::clone(&world) }),
            workbenches: Box::new(SimWorkbenches),
            incumbent: Box::new(SimIncumbent(Known::Absent)),
        };
        let store = CutOff {
            inner: Arc::clone(&self.store) as Arc<dyn Store>,
            node: node.clone(),
            world: Arc::clone(&world),
        };
        let store = Arc::new(store) as Arc<dyn Store>;
        let now = lock(&world).now;
        let ledger = Ledger::open(store, Seal::new(&[7; 32]), now);
        let ledger = if self.nodes.len() > 1 { ledger.shared() } else { ledger };
        let reconciler = Reconciler::new(adapters, ledger, ground(&node), 2, |_| 0);
        let look = Box::new(SimLook::new(Arc::clone(&self.disk), Arc::clone(&world)));
        let in_force = reconciler.in_force();
        let stored = in_force.and_then(|site| site.mark.digest.zip(Some(Arc::clone(&site.files))));
        let (settle, poll) = (Settle::default(), Millis(30_000));
        let intake = Intake::start(look, settle, poll, stored, now);
        Engine { reconciler, intake, latest: None }
    }

    /// Writes the file of the session `s<n>`; `env` is a variable's value.
    pub fn write_session(&mut self, n: u64, on_removal: &str, state: &str, env: u64) {
        let text = format!(
            "workbench = \"demo\"\nstate = \"{state}\"\non-removal = \"{on_removal}\"\n[env]\nE = \"{env}\"\n"
        );
        lock_disk(&self.disk).sessions.insert(format!("s{n}"), text);
    }

    /// `[policy] apply` is edited: for what a person is asked.
    pub fn write_apply(&mut self, apply: &'static str) {
        self.apply = apply;
        self.write_policy();
    }

    fn write_policy(&mut self) {
        let (apply, harm) = (self.apply, self.harm_delay);
        lock_disk(&self.disk).policy = format!(
            "[policy]\napply = \"{apply}\"\nharm-delay = \"{harm}\"\nmax-harmed = 3\n\
             back-off = {{ first = \"1s\", max = \"8s\", give-up-after = 1000, within = \"1m\" }}\n"
        );
    }

    /// Every engine reads what there is to read, and takes into force what is accepted.
    pub fn take_in(&mut self) {
        let now = lock(&self.world).now;
        for (engine, node) in self.engines.iter_mut().zip(&self.nodes) {
            engine.take_in(&ground(node), now);
        }
    }

    /// Files changed: every engine hears of it.
    pub fn wake(&mut self) {
        let now = lock(&self.world).now;
        for engine in &mut self.engines {
            engine.intake.wake(now);
        }
    }

    /// What files want, for the checks of safety.
    pub fn tell_world(&self) {
        let on_disk: BTreeSet<SessionId> = lock_disk(&self.disk)
            .sessions
            .iter()
            .filter(|(_, text)| text.contains("state = \"running\""))
            .map(|(id, _)| SessionId::new(id).unwrap())
            .collect();
        let mut world = lock(&self.world);
        let now = world.now;
        let known: BTreeSet<SessionId> =
            world.sessions.keys().map(|incarnation| incarnation.session.clone()).collect();
        // Whoever has not taken the new files up yet may still do what the old ones asked for.
        let wanted = |id: &SessionId| {
            on_disk.contains(id) && self.engines.iter().all(|engine| engine.wants(id))
        };
        for id in known.iter().filter(|id| !wanted(id)) {
            world.unwanted_since.entry(id.clone()).or_insert(now);
        }
        world.unwanted_since.retain(|id, _| !wanted(id));
    }

    /// Something happens.
    fn event(&mut self) {
        match self.random.below(12) {
            0 | 1 => self.edit(),
            2 => self.reboot_or_jump(),
            4 => self.approve(),
            5 | 6 => {
                let at = usize::try_from(self.random.below(self.engines.len() as u64)).unwrap();
                people::command(&mut self.engines[at], &self.world, &self.nodes, &mut self.random);
            }
            3 => {
                let at = usize::try_from(self.random.below(self.engines.len() as u64)).unwrap();
                self.restart(at);
                lock(&self.world).note("an engine starts anew");
            }
            _ => {
                let ms = self.random.below(4_000);
                lock(&self.world).pass(Millis(ms));
            }
        }
        self.go_wrong();
        self.take_in();
        self.tell_world();
        self.round();
        // A pin is followed within the round.
        self.tell_world();
    }

    /// A person lets go what waits, on whichever node, or changes for what one is asked at all.
    fn approve(&mut self) {
        if self.random.below(3) == 0 {
            let policies = ["auto", "confirm-harmful", "confirm"];
            let at = usize::try_from(self.random.below(3)).unwrap();
            self.write_apply(policies[at]);
            lock(&self.world).note(&format!("policy apply = {}", self.apply));
            return self.wake();
        }
        let at = usize::try_from(self.random.below(self.engines.len() as u64)).unwrap();
        // An engine that has just started follows a pin as soon as it looks.
        let now = lock(&self.world).now;
        let _ = self.engines[at].reconciler.apply(None, true, now);
        self.tell_world();
        let now = {
            // All that is unwanted by now may go: what is said to have failed may have been done.
            let mut world = lock(&self.world);
            let unwanted: Vec<SessionId> = world.unwanted_since.keys().cloned().collect();
            world.may_end.extend(unwanted);
            let generation =
                self.engines[at].reconciler.in_force().map(|site| site.mark.generation);
            let given = generation.map_or_else(String::new, |n| format!(" of generation {n}"));
            world.note(&format!("a person lets go what waits, on {}{given}", self.nodes[at]));
            world.now
        };
        let _ = self.engines[at].reconciler.apply(None, false, now);
    }

    /// Readings find something else for a while, or what there is again; nodes lose the store.
    fn go_wrong(&mut self) {
        let mut world = lock(&self.world);
        let (now, faults) = (world.now, world.faults);
        let mut disk = lock_disk(&self.disk);
        let mut changed = disk.heal(now);
        if world.random.chance(faults.files)
            && let Some(words) = disk.go_wrong(&mut world.random, now)
        {
            world.note(&words);
            changed = true;
        }
        for node in &self.nodes {
            if world.random.chance(faults.cut) {
                let until = now.plus(Millis(world.random.below(20_000)));
                world.cut.insert(node.clone(), until);
                world.note(&format!("{node} cannot reach the store"));
            }
        }
        drop((world, disk));
        if changed {
            self.wake();
        }
    }

    fn edit(&mut self) {
        let n = self.random.below(6);
        let id = format!("s{n}");
        match self.random.below(4) {
            0 => {
                lock_disk(&self.disk).sessions.remove(&id);
            }
            1 => self.write_session(n, "stop", "stopped", 0),
            _ => {
                let env = self.random.below(3);
                self.write_session(n, "stop", "running", env);
            }
        }
        lock(&self.world).note(&format!("edit of {id}"));
        self.wake();
    }

    fn reboot_or_jump(&mut self) {
        let mut world = lock(&self.world);
        let faults = world.faults;
        if world.random.chance(faults.reboot) {
            world.reboot();
        } else if world.random.chance(faults.clock) {
            // Forward only a little, and back: waits may become longer, never shorter than promised.
            let back = i64::try_from(world.random.below(30_000)).unwrap();
            world.now = Moment(world.now.0 - back);
            let now = world.now;
            for since in world.unwanted_since.values_mut() {
                *since = (*since).min(now);
            }
            let told = world.told.clone();
            world.may_end.extend(told);
            world.note("the clock is set back");
        }
    }

    /// Every engine has a round, perhaps its last.
    pub fn round(&mut self) {
        for at in 0..self.engines.len() {
            let dies = {
                let mut world = lock(&self.world);
                let faults = world.faults;
                let dies = world.random.chance(faults.die);
                world.dies_after = dies.then(|| u32::try_from(world.random.below(4)).unwrap());
                dies
            };
            let now = lock(&self.world).now;
            let Engine { reconciler, intake, .. } = &mut self.engines[at];
            reconciler.newer_files(intake.newer(now));
            {
                let mut world = lock(&self.world);
                world.deciding.remove(&self.nodes[at]);
                if intake.is_deciding() {
                    world.deciding.insert(self.nodes[at].clone());
                }
            }
            reconciler.round(now, "simulation");
            let pinned = reconciler.ledger().pinned(now).is_some();
            {
                let mut world = lock(&self.world);
                world.dies_after = None;
                let hurt = std::mem::take(&mut world.hurt_while_deciding);
                let hurt = hurt.iter().filter(|_| !pinned);
                let words = |id| format!("{id} is ended while newer files are decided upon");
                world.broken.extend(hurt.map(words).collect::<Vec<_>>());
            }
            if dies {
                lock(&self.world).note("an engine died in its round");
                self.restart(at);
            }
            self.check();
        }
    }

    fn check(&self) {
        let mut world = lock(&self.world);
        let mut live: BTreeMap<SessionId, usize> = BTreeMap::new();
        for (id, session) in &world.sessions {
            if session.phase.is_live() {
                *live.entry(id.session.clone()).or_default() += 1;
            }
        }
        for (id, count) in live.into_iter().filter(|(_, count)| *count > 1) {
            world.broken.push(format!("{count} incarnations of {id} live"));
        }
        if !world.broken.is_empty() {
            let (broken, journal) = (world.broken.join("\n"), world.journal.join("\n"));
            drop(world);
            let last = self.last_rounds();
            panic!("{}\n{broken}\nwhat happened:\n{journal}\n{last}", self.place());
        }
    }

    fn place(&self) -> String {
        format!("seed {} step {} ({} nodes)", self.seed, self.step, self.nodes.len())
    }

    /// One thing after another happens and goes wrong.
    pub fn chaos(&mut self) {
        let faults = Faults::swarm(&mut self.random);
        lock(&self.world).faults = faults;
        for step in 0..STEPS {
            self.step = step;
            self.event();
        }
    }

    /// Faults end; everything settles, and is as asked for.
    pub fn calm(&mut self) {
        lock(&self.world).faults = Faults::CALM;
        lock(&self.world).cut.clear();
        lock_disk(&self.disk).calm();
        self.wake();
        {
            // A start that would never have become ready is over at last.
            let mut world = lock(&self.world);
            let now = world.now;
            for session in world.sessions.values_mut() {
                if matches!(session.phase, Phase::Starting) {
                    session.ready_at.get_or_insert(now);
                }
            }
        }
        let mut settled = 0;
        for round in 0..CALM_ROUNDS {
            self.step = STEPS + round;
            for engine in &mut self.engines {
                people::silence(engine, &self.world);
            }
            // Somebody approves on the first node on which something waits: it holds on every one. On others nothing
            // need wait: one that took up an edit before the policy asked for a person has nothing to ask. With the
            // store out of reach nothing can be let go; the next round tries again.
            let now = lock(&self.world).now;
            let _ = self.engines.iter_mut().any(|engine| {
                let applied = engine.reconciler.apply(None, false, now);
                applied.is_ok_and(|applied| !applied.let_go.is_empty())
            });
            let everything: BTreeSet<SessionId> =
                lock(&self.world).sessions.keys().map(|id| id.session.clone()).collect();
            lock(&self.world).may_end.extend(everything);
            lock(&self.world).pass(Millis(2_000));
            self.take_in();
            self.tell_world();
            self.round();
            let quiet = self.engines.iter().all(|engine| {
                let last = engine.reconciler.rounds().next_back();
                !engine.intake.is_deciding() && last.is_some_and(|round| round.plan.is_settled())
            });
            settled = if quiet { settled + 1 } else { 0 };
            if settled == 3 {
                self.check_arrival();
                return;
            }
        }
        let text = self.last_rounds();
        let journal = lock(&self.world).journal.join("\n");
        panic!("{}: not settled in {CALM_ROUNDS} calm rounds\n{text}\n{journal}", self.place());
    }

    /// Whether some engine keeps a session until it is idle.
    fn waits_for_idle(&self, session: &SessionId) -> bool {
        let rounds = self.engines.iter().filter_map(|e| e.reconciler.rounds().next_back());
        rounds.flat_map(|round| &round.plan.holds).any(|hold| {
            hold.waiting_on == WaitingOn::Idle
                && hold.resource == Resource::Session(session.clone())
        })
    }

    /// What each engine did last, as a person would read it.
    fn last_rounds(&self) -> String {
        let mut text = String::new();
        for engine in &self.engines {
            let Some(round) = engine.reconciler.rounds().next_back() else { continue };
            let steps = engine_core::report::text::steps(&round.plan, &|moment: Moment| {
                moment.0.to_string()
            });
            let _ = writeln!(text, "{steps}{:?}", round.outcomes);
        }
        text
    }

    /// What files ask for runs, and nothing else.
    ///
    /// # Panics
    /// It is not so.
    pub fn check_arrival(&self) {
        let world = lock(&self.world);
        let disk = lock_disk(&self.disk);
        for (id, text) in &disk.sessions {
            let id = SessionId::new(id).unwrap();
            let ready = world.sessions.iter().any(|(incarnation, session)| {
                incarnation.session == id && matches!(session.phase, Phase::Ready)
            });
            let wanted = text.contains("state = \"running\"");
            let last = || format!("{}\n{}", self.last_rounds(), world.journal.join("\n"));
            assert_eq!(ready, wanted, "{}: {id} after calm\n{}", self.place(), last());
        }
        for incarnation in world.sessions.keys() {
            // A file torn before its `on-removal` says less than it meant, and may be the last that is known of it.
            let declared = disk.sessions.contains_key(incarnation.session.as_str())
                || self.waits_for_idle(&incarnation.session);
            let last = || format!("{}\n{}", self.last_rounds(), world.journal.join("\n"));
            assert!(declared, "{}: {incarnation} is left over\n{}", self.place(), last());
            assert!(world.ever.contains(incarnation), "{}: {incarnation}", self.place());
        }
    }
}
