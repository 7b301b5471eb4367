//! The simulated truth: sessions, listeners and routes as they really are, and what went wrong with them.
//!
//! Checks safety itself, whenever an act reaches it: [`World::broken`] collects what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::desired::StopSpec;
use engine_core::ids::{Incarnation, Moment, NodeId, SessionId};
use engine_core::known::Known;
use engine_core::observed::{Exit, IncarnationSeen, Phase, Terms};
use engine_core::plan::StartOrder;
use grammar::value::Millis;

use super::faults::Faults;
use super::random::Random;

/// A session as it really is.
#[derive(Clone, Debug)]
pub struct SimSession {
    /// What it was started from.
    pub order: StartOrder,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was started.
    pub started_at: Moment,
    /// When it becomes ready, if it does.
    pub ready_at: Option<Moment>,
    /// When it ends after it was told to.
    pub ends_at: Option<Moment>,
    /// Whether its keeper lives.
    pub kept: bool,
}

/// The truth, shared by all simulated ports.
#[derive(Debug)]
pub struct World {
    /// Wall time.
    pub now: Moment,
    /// Randomness of faults.
    pub random: Random,
    /// Which faults occur.
    pub faults: Faults,
    /// Sessions by incarnation, exited ones until they are forgotten.
    pub sessions: BTreeMap<Incarnation, SimSession>,
    /// Every incarnation that ever was.
    pub ever: BTreeSet<Incarnation>,
    /// What each engine was last told of an incarnation: Unknown or not.
    pub told_unknown: BTreeSet<(NodeId, Incarnation)>,
    /// Nodes whose engine is deciding upon newer files than those in force.
    pub deciding: BTreeSet<NodeId>,
    /// Sessions that such an engine has hurt in its last round: only a pin lets it.
    pub hurt_while_deciding: Vec<Incarnation>,
    /// Since when a session is not wanted: by the files on disk, or as some engine has found them.
    pub unwanted_since: BTreeMap<SessionId, Moment>,
    /// When sessions were hurt because files changed.
    pub hurt: Vec<(Moment, SessionId)>,
    /// The policy's harm-delay and max-harmed, for checking.
    pub harm_rules: (Millis, u32),
    /// Sessions whose files ask for a restart or a stop: ending them is as asked.
    pub may_end: BTreeSet<SessionId>,
    /// Sessions of which a person has spoken: a clock that is set back brings such words back.
    pub told: BTreeSet<SessionId>,
    /// Until when nothing is changed, since a person has said so.
    pub paused_until: Option<Moment>,
    /// Nodes that cannot reach the store, until when.
    pub cut: BTreeMap<NodeId, Moment>,
    /// Acts before the engine dies; none = it does not.
    pub dies_after: Option<u32>,
    /// What must never have happened, and did.
    pub broken: Vec<String>,
    /// What happened, for the panic text.
    pub journal: Vec<String>,
}

/// A handle on the world.
pub type Shared = Arc<Mutex<World>>;

/// Locks the world; a panic elsewhere does not hide it.
pub fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64) -> Shared {
        Arc::new(Mutex::new(Self {
            now: Moment(1_000_000_000_000),
            random: Random::new(seed),
            faults: Faults::CALM,
            sessions: BTreeMap::new(),
            ever: BTreeSet::new(),
            told_unknown: BTreeSet::new(),
            deciding: BTreeSet::new(),
            hurt_while_deciding: Vec::new(),
            unwanted_since: BTreeMap::new(),
            hurt: Vec::new(),
            harm_rules: (Millis(60_000), 5),
            may_end: BTreeSet::new(),
            told: BTreeSet::new(),
            paused_until: None,
            cut: BTreeMap::new(),
            dies_after: None,
            broken: Vec::new(),
            journal: Vec::new(),
        }))
    }

    /// Writes into the journal; the last two hundred lines are kept.
    pub fn note(&mut self, line: &str) {
        self.journal.push(format!("{}: {line}", self.now.0 - 1_000_000_000_000));
        let surplus = self.journal.len().saturating_sub(200);
        self.journal.drain(..surplus);
    }

    /// Counts an act of the engine; false = it is dead by now, and its acts reach nothing.
    pub fn alive(&mut self) -> bool {
        match &mut self.dies_after {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Lets time pass: starts become ready, ends are over, sessions crash.
    pub fn pass(&mut self, span: Millis) {
        self.now = self.now.plus(span);
        // Over is over, even if the clock is set back afterwards.
        self.paused_until = self.paused_until.filter(|until| self.now < *until);
        let (now, faults) = (self.now, self.faults);
        let ids: Vec<Incarnation> = self.sessions.keys().cloned().collect();
        for id in ids {
            let crash = self.random.chance(faults.crash);
            let lose_keeper = self.random.chance(faults.keeper);
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            match session.phase {
                Phase::Starting if session.ready_at.is_some_and(|at| at <= now) => {
                    session.phase = Phase::Ready;
                }
                Phase::Ending { .. } if session.ends_at.is_some_and(|at| at <= now) => {
                    session.phase = Phase::Exited(exit(now, true));
                }
                Phase::Starting | Phase::Ready if crash => {
                    session.phase = Phase::Exited(exit(now, false));
                    self.note(&format!("{id} crashes"));
                }
                Phase::Starting | Phase::Ready if lose_keeper => session.kept = false,
                _ => {}
            }
        }
    }

    /// The machine restarts: every session is over.
    pub fn reboot(&mut self) {
        let now = self.now;
        for session in self.sessions.values_mut() {
            if session.phase.is_live() {
                session.phase = Phase::Exited(exit(now, false));
            }
        }
        self.note("reboot");
    }

    /// A start reaches the launcher of `node`. False = the fence held: it exists already.
    pub fn start(&mut self, order: &StartOrder) -> bool {
        let id = &order.incarnation;
        if self.sessions.contains_key(id) {
            return false;
        }
        self.check_pause(id, "started");
        if !self.ever.insert(id.clone()) {
            self.broken.push(format!("{id} was started before"));
        }
        let live = self
            .sessions
            .iter()
            .find(|(other, session)| other.session == id.session && session.phase.is_live());
        if let Some((other, _)) = live {
            self.broken.push(format!("{id} starts while {other} lives"));
        }
        let never = self.random.chance(self.faults.slow / 4);
        let slow = self.random.chance(self.faults.slow);
        let delay = if slow { 8_000 } else { 200 + self.random.below(800) };
        let session = SimSession {
            order: order.clone(),
            phase: Phase::Starting,
            started_at: self.now,
            ready_at: (!never).then(|| self.now.plus(Millis(delay))),
            ends_at: None,
            kept: true,
        };
        self.may_end.remove(&id.session);
        self.sessions.insert(id.clone(), session);
        self.note(&format!("{id} starts on {}", order.node));
        true
    }

    /// An end reaches the launcher.
    pub fn end(&mut self, node: &NodeId, id: &Incarnation, stop: &StopSpec) {
        if self.told_unknown.contains(&(node.clone(), id.clone())) {
            self.broken.push(format!("{id} is ended though it was Unknown"));
        }
        self.check_pause(id, "ended");
        self.check_harm(node, id);
        let delay = self.random.below(stop.grace_ms.min(5_000));
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(id)
            && matches!(session.phase, Phase::Preparing | Phase::Starting | Phase::Ready)
        {
            session.phase = Phase::Ending { since: now };
            session.ends_at = Some(now.plus(Millis(delay)));
        }
        self.note(&format!("{id} is told to end"));
    }

    /// While a person has said that nothing is to be changed, nothing is.
    fn check_pause(&mut self, id: &Incarnation, act: &str) {
        if self.paused_until.is_some_and(|until| self.now < until) {
            self.broken.push(format!("{id} is {act} during a pause"));
        }
    }

    /// Harm that files cause waits, and there is not too much of it.
    fn check_harm(&mut self, node: &NodeId, id: &Incarnation) {
        let session = self.sessions.get(id);
        let was_ready = session.is_some_and(|session| matches!(session.phase, Phase::Ready));
        if !was_ready || self.may_end.contains(&id.session) {
            return;
        }
        if self.deciding.contains(node) {
            self.hurt_while_deciding.push(id.clone());
        }
        let (delay, most) = self.harm_rules;
        match self.unwanted_since.get(&id.session) {
            None => self.broken.push(format!("{id} is ended though it is wanted")),
            Some(since) if self.now.since(*since) < delay => {
                let waited = self.now.since(*since);
                self.broken.push(format!("{id} is ended after {waited}, harm-delay is {delay}"));
            }
            Some(_) => {}
        }
        let window = Millis(engine_core::planner::BRAKE_WINDOW_MS);
        let now = self.now;
        self.hurt.retain(|(at, _)| now.since(*at) <= window && *at <= now);
        self.hurt.push((now, id.session.clone()));
        let sessions: BTreeSet<&SessionId> = self.hurt.iter().map(|(_, id)| id).collect();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        if count > most {
            self.broken
                .push(format!("{count} sessions are hurt within ten minutes, most is {most}"));
        }
    }

    /// What is left of an incarnation is removed. False = it is not over.
    pub fn forget(&mut self, id: &Incarnation) -> bool {
        match self.sessions.get(id) {
            Some(session) if session.phase.is_live() => {
                self.broken.push(format!("{id} is forgotten while it lives"));
                false
            }
            _ => {
                self.sessions.remove(id);
                true
            }
        }
    }

    /// What a launcher tells `node` of everything there is.
    pub fn observe(&mut self, node: &NodeId) -> BTreeMap<Incarnation, Known<IncarnationSeen>> {
        let ids: Vec<Incarnation> = self.sessions.keys().cloned().collect();
        let mut seen = BTreeMap::new();
        for id in ids {
            let stale = self.random.chance(self.faults.stale);
            let key = (node.clone(), id.clone());
            if stale {
                self.told_unknown.insert(key);
                let reason = "cannot be read now".to_owned();
                seen.insert(id, Known::Unknown { since: self.now, reason });
                continue;
            }
            self.told_unknown.remove(&key);
            if let Some(session) = self.sessions.get(&id) {
                seen.insert(id, Known::Present(session.seen()));
            }
        }
        seen
    }
}

impl SimSession {
    fn seen(&self) -> IncarnationSeen {
        IncarnationSeen {
            phase: self.phase.clone(),
            launch: self.order.launch.clone(),
            node: self.order.node.clone(),
            uid: self.order.user.uid,
            pid: Some(100),
            started_at: self.started_at,
            socket_dir: format!("/run/wharf/s/{}/u", self.order.incarnation),
            socket: "app.sock".to_owned(),
            ours: true,
            kept: self.kept,
            last_used: None,
            terms: Terms { on_removal: self.order.on_removal, stop: self.order.stop.clone() },
            generation: Some(self.order.generation),
        }
    }
}

fn exit(at: Moment, asked: bool) -> Exit {
    let code = if asked { 0 } else { 1 };
    Exit { at, code: Some(code), signal: None, asked, failure: String::new(), never_ran: false }
}
