//! The seeded sweep: chaos, then calm. The promise is written in `engine::lab::faults`.
//!
//! `WHARF_SEED=n` replays one seed; `WHARF_SEEDS=n` widens the sweep. A failure prints seed, step, what
//! broke, and the last things that happened.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use engine::lab::faults::{CALM_ROUNDS, Faults};
use engine::lab::ports::{
    SimAccounts, SimIncumbent, SimLauncher, SimNodes, SimRoutes, SimWorkbenches,
};
use engine::lab::random::Random;
use engine::lab::world::{Shared, World, lock};
use engine::ledger::{Ledger, Seal};
use engine::ports::{RoutesSeen, Store};
use engine::reconcile::{Adapters, Reconciler};
use engine::saved::{SavedSite, SavedText};
use engine::store::memory::{Fault, MemoryStore, Write};
use engine_core::desired::{self, Ground};
use engine_core::ids::{Moment, NodeId, SessionId, UserName};
use engine_core::known::Known;
use engine_core::observed::Phase;
use engine_core::site::SiteFiles;
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
struct Run {
    seed: u64,
    step: usize,
    random: Random,
    world: Shared,
    store: Arc<MemoryStore>,
    nodes: Vec<NodeId>,
    engines: Vec<Reconciler>,
    files: BTreeMap<String, String>,
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
    fn new(seed: u64, nodes: usize) -> Self {
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
            files: BTreeMap::new(),
            apply: "auto",
            harm_delay: Millis(5_000),
        };
        lock(&run.world).harm_rules = (run.harm_delay, 3);
        for n in 0..4 {
            run.write_session(n, "stop", "running", 0);
        }
        run.engines = (0..nodes).map(|at| run.boot(at)).collect();
        run.accept();
        run
    }

    /// A new engine on a node: from the store and the world alone.
    fn boot(&self, at: usize) -> Reconciler {
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
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let now = lock(&world).now;
        let ledger = Ledger::open(store, Seal::new(&[7; 32]), now);
        let ledger = if self.nodes.len() > 1 { ledger.shared() } else { ledger };
        Reconciler::new(adapters, ledger, ground(&node), 2, |_| 0)
    }

    fn write_session(&mut self, n: u64, on_removal: &str, state: &str, env: u64) {
        let text = format!(
            "workbench = \"demo\"\nstate = \"{state}\"\non-removal = \"{on_removal}\"\n[env]\nE = \"{env}\"\n"
        );
        self.files.insert(format!("s{n}"), text);
    }

    fn site(&self) -> SiteFiles {
        let harm = self.harm_delay;
        let text = |file: &str, text: &str| {
            Known::Present(SavedText { file: format!("/site/{file}"), text: text.to_owned() })
        };
        let sessions = self
            .files
            .iter()
            .map(|(id, body)| (id.clone(), text(&format!("sessions.d/{id}.toml"), body)))
            .collect();
        let wharf = format!(
            "[policy]\napply = \"{}\"\nharm-delay = \"{harm}\"\nmax-harmed = 3\n\
             back-off = {{ first = \"1s\", max = \"8s\", give-up-after = 1000, within = \"1m\" }}\n",
            self.apply
        );
        SavedSite {
            format: 1,
            workbench_dir: "/site".to_owned(),
            own_dir: "/site".to_owned(),
            workbench: BTreeMap::new(),
            root: String::new(),
            cluster_files: Vec::new(),
            wharf: text("wharf.toml", &wharf),
            drop_ins: BTreeMap::from([("sessions.d".to_owned(), Known::Present(sessions))]),
        }
        .into_files()
        .unwrap()
    }

    /// The files come into force on every node, and the world learns what is wanted.
    fn accept(&mut self) {
        let files = Arc::new(self.site());
        let digest = files.digest();
        let now = lock(&self.world).now;
        for (engine, node) in self.engines.iter_mut().zip(&self.nodes) {
            let lowered = desired::lower(&files, &ground(node));
            assert!(lowered.is_acceptable(), "seed {}: {:?}", self.seed, lowered.problems);
            engine.accept(Arc::clone(&files), digest, Arc::new(lowered), Vec::new(), now);
        }
        self.tell_world();
    }

    /// What files want, for the checks of safety.
    fn tell_world(&self) {
        let wanted: BTreeSet<SessionId> = self
            .files
            .iter()
            .filter(|(_, text)| text.contains("state = \"running\""))
            .map(|(id, _)| SessionId::new(id).unwrap())
            .collect();
        let mut world = lock(&self.world);
        let now = world.now;
        let known: BTreeSet<SessionId> =
            world.sessions.keys().map(|incarnation| incarnation.session.clone()).collect();
        for id in known.difference(&wanted) {
            world.unwanted_since.entry(id.clone()).or_insert(now);
        }
        world.unwanted_since.retain(|id, _| !wanted.contains(id));
    }

    /// Something happens.
    fn event(&mut self) {
        match self.random.below(10) {
            0 | 1 => self.edit(),
            2 => self.reboot_or_jump(),
            4 => self.approve(),
            3 => {
                let at = usize::try_from(self.random.below(self.engines.len() as u64)).unwrap();
                self.engines[at] = self.boot(at);
                lock(&self.world).note("an engine starts anew");
            }
            _ => {
                let ms = self.random.below(4_000);
                lock(&self.world).pass(Millis(ms));
            }
        }
        self.tell_world();
        self.round();
    }

    /// A person lets go what waits, or changes for what one is asked at all. Approvals of several nodes
    /// come with generations that are the same on all of them.
    fn approve(&mut self) {
        if self.engines.len() > 1 {
            return;
        }
        if self.random.below(3) == 0 {
            let policies = ["auto", "confirm-harmful", "confirm"];
            self.apply = policies[usize::try_from(self.random.below(3)).unwrap()];
            lock(&self.world).note(&format!("policy apply = {}", self.apply));
            return self.accept();
        }
        self.tell_world();
        let now = {
            // All that is unwanted by now may go: what is said to have failed may have been done.
            let mut world = lock(&self.world);
            let unwanted: Vec<SessionId> = world.unwanted_since.keys().cloned().collect();
            world.may_end.extend(unwanted);
            world.note("a person lets go what waits");
            world.now
        };
        let _ = self.engines[0].apply(None, false, now);
    }

    fn edit(&mut self) {
        let n = self.random.below(6);
        let id = format!("s{n}");
        match self.random.below(4) {
            0 => {
                self.files.remove(&id);
            }
            1 => self.write_session(n, "stop", "stopped", 0),
            _ => {
                let env = self.random.below(3);
                self.write_session(n, "stop", "running", env);
            }
        }
        lock(&self.world).note(&format!("edit of {id}"));
        self.accept();
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
            world.note("the clock is set back");
        }
    }

    /// Every engine has a round, perhaps its last.
    fn round(&mut self) {
        for at in 0..self.engines.len() {
            let dies = {
                let mut world = lock(&self.world);
                let faults = world.faults;
                let dies = world.random.chance(faults.die);
                world.dies_after = dies.then(|| u32::try_from(world.random.below(4)).unwrap());
                dies
            };
            let now = lock(&self.world).now;
            self.engines[at].round(now, "simulation");
            lock(&self.world).dies_after = None;
            if dies {
                lock(&self.world).note("an engine died in its round");
                self.engines[at] = self.boot(at);
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
            panic!("{}\n{broken}\nwhat happened:\n{journal}", self.place());
        }
    }

    fn place(&self) -> String {
        format!("seed {} step {} ({} nodes)", self.seed, self.step, self.nodes.len())
    }

    fn chaos(&mut self) {
        let faults = Faults::swarm(&mut self.random);
        lock(&self.world).faults = faults;
        for step in 0..STEPS {
            self.step = step;
            self.event();
        }
    }

    /// Faults end; everything settles, and is as asked for.
    fn calm(&mut self) {
        lock(&self.world).faults = Faults::CALM;
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
                let now = lock(&self.world).now;
                // With the store out of reach nothing can be let go; the next round tries again.
                let _ = engine.apply(None, false, now);
            }
            let everything: BTreeSet<SessionId> =
                lock(&self.world).sessions.keys().map(|id| id.session.clone()).collect();
            lock(&self.world).may_end.extend(everything);
            lock(&self.world).pass(Millis(2_000));
            self.tell_world();
            self.round();
            let quiet = self.engines.iter().all(|engine| {
                engine.rounds().next_back().is_some_and(|round| round.plan.is_settled())
            });
            settled = if quiet { settled + 1 } else { 0 };
            if settled == 3 {
                self.check_arrival();
                return;
            }
        }
        let mut text = String::new();
        for engine in &self.engines {
            let round = engine.rounds().next_back().unwrap();
            let steps = engine_core::report::text::steps(&round.plan, &|moment: Moment| {
                moment.0.to_string()
            });
            let _ = writeln!(text, "{steps}{:?}", round.outcomes);
        }
        let journal = lock(&self.world).journal.join("\n");
        panic!("{}: not settled in {CALM_ROUNDS} calm rounds\n{text}\n{journal}", self.place());
    }

    fn check_arrival(&self) {
        let world = lock(&self.world);
        for (id, text) in &self.files {
            let id = SessionId::new(id).unwrap();
            let ready = world.sessions.iter().any(|(incarnation, session)| {
                incarnation.session == id && matches!(session.phase, Phase::Ready)
            });
            let wanted = text.contains("state = \"running\"");
            assert_eq!(ready, wanted, "{}: {id} after calm", self.place());
        }
        for incarnation in world.sessions.keys() {
            let declared = self.files.contains_key(incarnation.session.as_str());
            assert!(declared, "{}: {incarnation} is left over", self.place());
            assert!(world.ever.contains(incarnation), "{}: {incarnation}", self.place());
        }
    }
}

fn run(seed: u64, nodes: usize) {
    let mut run = Run::new(seed, nodes);
    run.chaos();
    run.calm();
}

fn sweep(nodes: usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("WHARF_SEED") {
        run(seed, nodes);
        return;
    }
    for seed in 0..number("WHARF_SEEDS").unwrap_or(200) {
        run(seed, nodes);
    }
}

#[test]
fn one_node_survives_chaos_and_settles_in_calm() {
    sweep(1);
}

#[test]
fn two_nodes_survive_chaos_and_settle_in_calm() {
    sweep(2);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    let journal = |seed| {
        let mut run = Run::new(seed, 2);
        run.chaos();
        lock(&run.world).journal.clone()
    };
    assert_eq!(journal(11), journal(11));
}
