//! A world to which things happen: edits, ends, crashes, silence, time.

use engine_core::approval::{self, Approval};
use engine_core::desired::{
    Desired, Effect, ListenAddress, Lowered, Origins, Override, WantedState, act_on, lower, merge,
    waits,
};
use engine_core::forecast;
use engine_core::ids::{Generation, Incarnation, Moment, SessionId, UserName, WorkbenchName};
use engine_core::known::Known;
use engine_core::observed::{
    Exit, InForce, IncarnationSeen, InstallationSeen, NodeSeen, Observed, Phase, PortRefusal,
    ProgramSeen, Records, UserSeen, WorkbenchSeen,
};
use engine_core::plan::Plan;
use engine_core::planner::{self, Input, Kept};
use engine_core::{predict, proof};
use grammar::value::Millis;
use proptest::prelude::*;

use super::site::{Site, any_site, ground, name};

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Edit(Site),
    Advance(u64),
    Ready(u8),
    Ended(u8),
    Crash(u8, i32),
    Vanish(u8),
    Unknown(u8),
    Known(u8),
    Beside(u8),
    Foreign(u8),
    Silent,
    Answers,
    StoreLost,
    StoreUnreachable,
    StoreBack,
    Refuse(u16),
    UserAbsent,
    UserUnknown,
    UserBack,
    WorkbenchMissing,
    WorkbenchInstalling,
    WorkbenchBack,
    OtherNode(bool),
    Stop(u8),
    ClearOverrides,
    Apply,
    Pause(bool),
    Connections(u8, u32),
    EngineRestart,
    Reboot,
    EverythingDone,
    Calm,
}

/// Anything that may happen.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let one = 0..6_u8;
    prop_oneof![
        8 => any_site().prop_map(Event::Edit),
        6 => prop::sample::select(&[1_u64, 5, 30, 60, 61, 700]).prop_map(Event::Advance),
        6 => Just(Event::EverythingDone),
        4 => one.clone().prop_map(Event::Ready),
        3 => one.clone().prop_map(Event::Ended),
        4 => (one.clone(), 0..2_i32).prop_map(|(at, code)| Event::Crash(at, code)),
        2 => one.clone().prop_map(Event::Vanish),
        2 => one.clone().prop_map(Event::Unknown),
        2 => one.clone().prop_map(Event::Known),
        1 => one.clone().prop_map(Event::Beside),
        1 => one.clone().prop_map(Event::Foreign),
        1 => Just(Event::Silent),
        2 => Just(Event::Answers),
        1 => Just(Event::StoreLost),
        1 => Just(Event::StoreUnreachable),
        2 => Just(Event::StoreBack),
        2 => (8999..9003_u16).prop_map(Event::Refuse),
        1 => Just(Event::UserAbsent),
        1 => Just(Event::UserUnknown),
        1 => Just(Event::UserBack),
        1 => Just(Event::WorkbenchMissing),
        1 => Just(Event::WorkbenchInstalling),
        1 => Just(Event::WorkbenchBack),
        2 => any::<bool>().prop_map(Event::OtherNode),
        2 => one.clone().prop_map(Event::Stop),
        1 => Just(Event::ClearOverrides),
        2 => Just(Event::Apply),
        1 => Just(Event::Pause(true)),
        2 => Just(Event::Pause(false)),
        1 => (one, 0..3_u32).prop_map(|(at, n)| Event::Connections(at, n)),
        1 => Just(Event::EngineRestart),
        1 => Just(Event::Reboot),
    ]
}

/// A world with its site.
pub(crate) struct Life {
    pub(crate) now: Moment,
    pub(crate) observed: Observed,
    /// What acts, and the newest files: another set while those wait for a person.
    acted: Lowered,
    lowered: Lowered,
    overrides: Vec<Override>,
    out_of_reach: Option<Records>,
    kept: Kept,
}

impl Life {
    pub(crate) fn new(site: &Site) -> Self {
        let mut observed = Observed::empty(name("n1"));
        observed.cores = 2;
        // Saturday, 14:00.
        observed.week_minute = 5 * 1440 + 14 * 60;
        let mut life = Self {
            now: Moment(1_000_000_000),
            observed,
            acted: Lowered::default(),
            lowered: Lowered::default(),
            overrides: Vec::new(),
            out_of_reach: None,
            kept: Kept::default(),
        };
        life.accept(site);
        life
    }

    fn accept(&mut self, site: &Site) {
        let files = site.files();
        let mut lowered = lower(&files, &ground());
        if !lowered.is_acceptable() {
            return;
        }
        lowered.origins.follow(&self.lowered.origins);
        self.lowered = lowered;
        let generation = Generation(self.observed.in_force.generation.0 + 1);
        let digest = Some(files.digest());
        let waiting = waits(&self.acted.desired, &self.lowered.desired);
        let acting = waiting.then_some(self.observed.in_force.acts());
        let replaced = self.observed.in_force.digest.filter(|replaced| Some(*replaced) != digest);
        if self.observed.memory.approved.ends_with(replaced) {
            self.observed.memory.approved = Approval::default();
        }
        self.observed.in_force = InForce { generation, digest, since: self.now, acting };
        if !waiting {
            self.acted = self.lowered.clone();
        }
    }

    pub(crate) fn desired(&self) -> (Desired, Origins) {
        let lowered = act_on(&self.acted, &self.lowered);
        let desired = merge(lowered.desired, &[], &self.overrides, self.now);
        (desired, lowered.origins)
    }

    /// Lets go what waits for a person; what is let go is covered, and waits for nobody any more.
    fn apply(&mut self) -> Result<(), String> {
        let (desired, origins) = self.desired();
        self.look(&desired);
        let now = self.now;
        let plan = |observed: &Observed, desired: &Desired, origins: &Origins| {
            planner::plan(&Input { desired, origins, observed, now })
        };
        let before = plan(&self.observed, &desired, &origins);
        let InForce { digest, generation, .. } = self.observed.in_force;
        let seen: Vec<_> = approval::shown(&before).collect();
        let given = approval::approve(&before, digest, generation, Some(&seen));
        if given != approval::approve(&before, digest, generation, None) || given.is_err() {
            return Err("what was shown is not covered by itself".to_owned());
        }
        for hold in approval::awaiting(&before) {
            let without: Vec<_> = seen.iter().filter(|m| **m != hold.into()).cloned().collect();
            let refused = approval::approve(&before, digest, generation, Some(&without));
            let needless = Approval::new(digest, generation, without).allows(&hold.into());
            if refused.is_ok() != needless {
                return Err(format!("{hold:?} is let go by a plan that does not have it"));
            }
        }
        let given = given.unwrap_or_default();
        let given = given.of_starts(|session| self.observed.newest_start(session));
        self.observed.memory.approved = given;
        self.observed.in_force.acting = None;
        self.acted = self.lowered.clone();
        let (desired, origins) = self.desired();
        self.look(&desired);
        let after = plan(&self.observed, &desired, &origins);
        match approval::awaiting(&after).find(|hold| seen.contains(&(*hold).into())) {
            Some(hold) => Err(format!("{hold:?} waits still")),
            None => Ok(()),
        }
    }

    /// While files wait for a person, nothing happens that would not happen without them.
    fn waits_for_a_person(&self, input: &Input<'_>, plan: &Plan) -> Result<(), String> {
        if input.desired.waiting.is_none() {
            return Ok(());
        }
        let alone = Desired { waiting: None, ..input.desired.clone() };
        let alone = planner::plan(&Input { desired: &alone, ..*input });
        if alone.steps != plan.steps {
            return Err("files that wait for a person change what happens".to_owned());
        }
        match approval::awaiting(plan).next() {
            Some(_) => Ok(()),
            None => Err("files wait for a person, and nothing says so".to_owned()),
        }
    }

    /// Plans, proves, and does what the plan says.
    pub(crate) fn round(&mut self) -> Result<Plan, String> {
        let (desired, origins) = self.desired();
        self.look(&desired);
        let input =
            Input { desired: &desired, origins: &origins, observed: &self.observed, now: self.now };
        let plan = planner::plan_after(&input, &mut self.kept);
        proof::prove_plan(&input, &plan)?;
        self.waits_for_a_person(&input, &plan)?;
        let ahead = forecast::forecast(&desired, &origins, &self.observed, self.now);
        let mut unhurried = desired.clone();
        unhurried.policy.concurrent_starts = Some(u32::MAX);
        forecast::prove(&unhurried, &origins, &ahead)?;
        let world = std::mem::replace(&mut self.observed, Observed::empty(name("n1")));
        self.observed = predict::predict(world, &plan, self.now);
        Ok(plan)
    }

    fn look(&mut self, desired: &Desired) {
        for (_, spec) in desired.sessions.known() {
            let user = spec.launch.user.clone();
            self.observed.users.entry(user).or_insert_with(|| Known::Present(account()));
            let workbench = spec.launch.workbench.clone();
            self.observed.workbenches.entry(workbench).or_insert_with(available);
        }
    }

    fn nth(&self, at: u8) -> Option<Incarnation> {
        let all: Vec<&Incarnation> = self.observed.incarnations.keys().collect();
        all.get(at as usize % all.len().max(1)).map(|incarnation| (*incarnation).clone())
    }

    fn change(&mut self, at: u8, change: impl FnOnce(&mut IncarnationSeen, Moment)) {
        let now = self.now;
        if let Some(incarnation) = self.nth(at)
            && let Some(Known::Present(seen)) = self.observed.incarnations.get_mut(&incarnation)
            && seen.ours
        {
            change(seen, now);
        }
    }

    pub(crate) fn happen(&mut self, event: &Event) {
        match event {
            Event::Edit(site) => self.accept(site),
            Event::Advance(seconds) => self.now = self.now.plus(Millis(seconds * 1000)),
            Event::EverythingDone => {
                let world = self.observed.clone();
                self.observed = predict::in_flight_done(world, self.now);
            }
            Event::Ready(at) => self.change(*at, |seen, _| {
                if matches!(seen.phase, Phase::Preparing | Phase::Starting) {
                    seen.phase = Phase::Ready;
                }
            }),
            Event::Ended(at) => self.change(*at, |seen, now| {
                if matches!(seen.phase, Phase::Ending { .. }) {
                    seen.phase = exited(now, 0, true);
                }
            }),
            Event::Crash(at, code) => self.change(*at, |seen, now| {
                if seen.phase.is_live() {
                    seen.phase = exited(now, *code, false);
                }
            }),
            Event::Apply => {
                self.apply().expect("an approval covers what it was given for");
            }
            Event::Pause(paused) => self.observed.memory.paused = *paused,
            Event::ClearOverrides => self.overrides.clear(),
            Event::Stop(at) => self.stop(*at),
            Event::Calm => self.calm(),
            _ => self.trouble(event),
        }
    }

    fn stop(&mut self, at: u8) {
        let ids = ["a", "b", "c"];
        let session: SessionId = name(ids[at as usize % 3]);
        self.overrides.push(Override {
            id: format!("stop-{session}"),
            effect: Effect::SessionState { session, state: WantedState::Stopped },
            owner: "root".to_owned(),
            reason: String::new(),
            at: self.now,
            until: Some(self.now.plus(Millis(3_600_000))),
        });
    }

    fn trouble(&mut self, event: &Event) {
        let now = self.now;
        let unknown = || ("it does not answer".to_owned(), now);
        match event {
            Event::Vanish(at) => {
                if let Some(gone) = self.nth(*at) {
                    self.observed.incarnations.remove(&gone);
                }
            }
            Event::Unknown(at) => {
                if let Some(incarnation) = self.nth(*at) {
                    let (reason, since) = unknown();
                    let known = Known::Unknown { since, reason };
                    self.observed.incarnations.insert(incarnation, known);
                }
            }
            Event::Known(at) => self.known_again(*at),
            Event::Beside(at) => {
                if let Some(incarnation) = self.nth(*at)
                    && let Some(known @ Known::Present(_)) =
                        self.observed.incarnations.get(&incarnation).cloned()
                {
                    let next = Incarnation::new(incarnation.session, incarnation.n + 1);
                    self.observed.incarnations.get_or_insert_with(&next, || known);
                }
            }
            Event::Foreign(at) => {
                if let Some(incarnation) = self.nth(*at)
                    && let Some(Known::Present(seen)) =
                        self.observed.incarnations.get(&incarnation).cloned()
                {
                    let other = Incarnation::new(name("foreign"), 1);
                    let seen = IncarnationSeen { ours: false, ..seen };
                    self.observed.incarnations.insert(other, Known::Present(seen));
                }
            }
            Event::StoreLost => self.observed.records = Known::Present(Records::default()),
            Event::StoreUnreachable => {
                if let Known::Present(records) = self.observed.records.clone() {
                    self.out_of_reach = Some(records);
                    let (reason, since) = unknown();
                    self.observed.records = Known::Unknown { since, reason };
                }
            }
            Event::StoreBack => {
                if let Some(records) = self.out_of_reach.take() {
                    self.observed.records = Known::Present(records);
                }
            }
            Event::Connections(at, count) => {
                if let Some(incarnation) = self.nth(*at) {
                    self.observed.connections.insert(incarnation.session, *count);
                }
            }
            Event::Reboot => {
                self.observed.incarnations.clear();
                self.forget_process();
            }
            Event::EngineRestart => self.forget_process(),
            _ => self.surroundings(event),
        }
    }

    fn surroundings(&mut self, event: &Event) {
        let now = self.now;
        let carol: UserName = name("carol");
        let lab: WorkbenchName = name("jupyterlab");
        let unknown = Known::Unknown { since: now, reason: "it does not answer".to_owned() };
        match event {
            Event::Silent => {
                let why = (now, "it does not answer".to_owned());
                self.observed.silent_clusters.insert("Local".to_owned(), why);
            }
            Event::Answers => self.observed.silent_clusters.clear(),
            Event::Refuse(port) => {
                let ip = std::net::Ipv4Addr::UNSPECIFIED.into();
                let refusal = PortRefusal { reason: "nginx".to_owned(), at: now };
                self.observed.refused.insert(ListenAddress { ip, port: *port }, refusal);
            }
            Event::UserAbsent => drop(self.observed.users.insert(carol, Known::Absent)),
            Event::UserUnknown => {
                let unknown = Known::Unknown { since: now, reason: "silent".to_owned() };
                self.observed.users.insert(carol, unknown);
            }
            Event::UserBack => drop(self.observed.users.insert(carol, Known::Present(account()))),
            Event::WorkbenchMissing => {
                let found = ProgramSeen::Missing { help: "install it".to_owned() };
                let missing = WorkbenchSeen { found, ours: None };
                self.observed.workbenches.insert(lab, Known::Present(missing));
            }
            Event::WorkbenchInstalling => {
                let installing = InstallationSeen::Installing { done: 1, total: 2 };
                let installing = WorkbenchSeen::of_ours(installing);
                self.observed.workbenches.insert(lab, Known::Present(installing));
            }
            Event::WorkbenchBack => drop(self.observed.workbenches.insert(lab, available())),
            Event::OtherNode(online) => {
                let known = if *online { Known::Present(NodeSeen::default()) } else { unknown };
                self.observed.nodes.insert(name("n2"), known);
            }
            _ => {}
        }
    }

    fn known_again(&mut self, at: u8) {
        // What was unknown is found to live, with what it was started from unknown no longer.
        let Some(incarnation) = self.nth(at) else { return };
        let (desired, _) = self.desired();
        let Some(spec) = desired.sessions.get(&incarnation.session).cloned() else { return };
        let known = self.observed.incarnations.get_mut(&incarnation);
        if let Some(known) = known.filter(|known| known.is_unknown()) {
            *known = Known::Present(IncarnationSeen {
                phase: Phase::Ready,
                launch: spec.launch.clone(),
                node: name("n1"),
                uid: 1001,
                pid: None,
                started_at: self.now,
                socket_dir: String::new(),
                socket: String::new(),
                ours: true,
                kept: true,
                last_used: None,
                terms: engine_core::observed::Terms::default(),
                generation: None,
            });
        }
    }

    fn forget_process(&mut self) {
        let observed = &mut self.observed;
        observed.listeners.clear();
        observed.routes.clear();
        observed.leads.clear();
        observed.refused.clear();
        observed.connections.clear();
        observed.balancer = None;
        observed.memory = engine_core::observed::Memory::default();
    }

    /// Everybody answers, nobody is in the way.
    fn calm(&mut self) {
        for event in [Event::Answers, Event::StoreBack, Event::UserBack, Event::WorkbenchBack] {
            self.happen(&event);
        }
        self.happen(&Event::OtherNode(true));
        self.happen(&Event::Pause(false));
        self.observed.refused.clear();
        let unknown: Vec<Incarnation> = self
            .observed
            .incarnations
            .iter()
            .filter(|(_, known)| known.is_unknown())
            .map(|(incarnation, _)| incarnation.clone())
            .collect();
        for incarnation in unknown {
            self.observed.incarnations.remove(&incarnation);
        }
        // What was given to the other node never came to life there.
        if let Known::Present(records) = &mut self.observed.records {
            records.placements.retain(|_, placed| placed.node.as_str() == "n1");
        }
        self.observed.nodes.remove("n2");
    }
}

fn exited(at: Moment, code: i32, asked: bool) -> Phase {
    Phase::Exited(Exit {
        at,
        code: Some(code),
        signal: None,
        asked,
        failure: String::new(),
        never_ran: false,
    })
}

fn account() -> UserSeen {
    UserSeen {
        uid: 1001,
        gid: 1001,
        home: "/home/x".to_owned(),
        shell: "/bin/sh".to_owned(),
        reachable: true,
    }
}

fn available() -> Known<WorkbenchSeen> {
    Known::Present(WorkbenchSeen::works("/usr/bin/x".to_owned(), String::new()))
}
