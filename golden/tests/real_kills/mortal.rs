//! An engine that dies and is started again, and what must hold after each start.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::admin::client::ask;
use engine::admin::protocol::{Answer, Request};
use engine::recorded::Recorded;
use engine::status::{SessionView, StatusView};
use engine_core::known::Known;
use golden::real::engine::{is, session};
use golden::real::{Browser, Engine, LIMIT, Process, Ran, Site};
use rustix::process::Signal;

use crate::found::{self, Found, Start};
use crate::ways::Way;

/// Sessions that no way touches: they live through every kill.
const WITNESSES: [&str; 2] = ["demo", "still"];

/// An engine that dies again and again, with what must survive that.
pub(crate) struct Mortal {
    engine: Engine,
    browser: Browser,
    witnesses: BTreeMap<&'static str, Process>,
    /// The highest number that each session was started with.
    numbers: BTreeMap<String, u32>,
    /// The process that each session was last seen with.
    pids: BTreeMap<String, u32>,
    /// The process that was killed last.
    killed: Cell<u32>,
    node: String,
    user: String,
    rounds: PathBuf,
    boundaries: PathBuf,
    at_rest: usize,
}

impl Mortal {
    /// Starts one with these lines in its `wharf.toml`.
    pub(crate) fn start(wharf: &str) -> Self {
        let site = Site::demo();
        let base = "instance = \"t\"\nsite.poll = \"1s\"\npolicy.max-harmed = 1000000\n\
                    site.settle = { quiet = \"20ms\", invalid = \"200ms\", max = \"1s\" }\n\
                    policy.back-off = { first = \"10ms\", max = \"20ms\", give-up-after = 1000000 }\n\
                    workbenches.slow = { exe = \"/bin/sh\", args = [\"-c\", \"exec sleep 600\"] }\n";
        site.write("wharf.toml", &format!("{base}{wharf}"));
        for id in WITNESSES {
            site.write(&format!("sessions.d/{id}.toml"), "workbench = \"demo\"\n");
        }
        site.write("templates.d/small.toml", "workbench = \"demo\"\nversion = \"1\"\n");
        site.write("sessions.d/told.toml", "workbench = \"demo\"\n");
        site.write("sessions.d/frail.toml", "workbench = \"demo\"\n");
        let (rounds, boundaries) = (site.around().join("rounds"), site.around().join("boundaries"));
        let dir = site.dir();
        let record = rounds.to_string_lossy().into_owned();
        let mut engine = Engine::start_told(site, dir, &["--record", &record]);
        let witnesses = WITNESSES.map(|id| (id, engine.running(id))).into();
        let browser = engine.sign_in();
        let status = engine.status().expect("it answers");
        let mut mortal = Self {
            browser,
            witnesses,
            numbers: BTreeMap::new(),
            pids: BTreeMap::new(),
            killed: Cell::new(0),
            user: session(&status, WITNESSES[0]).expect("it runs").user.clone(),
            node: status.node,
            rounds,
            boundaries,
            at_rest: 0,
            engine,
        };
        mortal.rests("the first start", |_, _| true);
        mortal
    }

    /// How often it was killed while it had nothing to do.
    pub(crate) fn at_rest(&self) -> usize {
        self.at_rest
    }

    /// The site, to be edited.
    pub(crate) fn site(&self) -> &Site {
        &self.engine.site
    }

    /// Runs a command, which may find nobody to ask.
    pub(crate) fn admin(&self, args: &[&str]) -> Ran {
        self.engine.admin(args)
    }

    /// Goes a way without dying: how many boundaries the start passed, and the kind of each one.
    pub(crate) fn passes(&mut self, way: &Way) -> (usize, Vec<String>) {
        self.begin(None);
        self.rests("started", |_, _| true);
        let start = self.passed().len();
        (way.go)(self);
        self.rests(way.name, way.reached);
        (start, self.passed())
    }

    /// Goes a way and dies at this boundary, from 1: of which kind that was. Then it starts again, and the way is gone
    /// to its end. None = it came to the end alive.
    pub(crate) fn dies_at(&mut self, way: &Way, at: usize) -> Option<String> {
        self.begin(Some(at));
        let case = format!("{}, boundary {at}", way.name);
        if self.rests_or_dies(&case, &|_, _| true) {
            (way.go)(self);
            if self.rests_or_dies(&case, &way.reached) {
                return None;
            }
        }
        let passed = self.passed();
        let kind = passed.last().expect("it died at one").clone();
        assert_eq!(passed.len(), at, "{case}: it died for another reason: {}", self.engine.said());
        self.lives_again(&format!("{case}, {kind}"), way);
        Some(kind)
    }

    /// Goes a way and is killed after this time.
    pub(crate) fn dies_after(&mut self, way: &Way, after: Duration, number: usize) {
        self.begin(None);
        let case = format!("{}, random kill {number} after {after:?}", way.name);
        // Every third one is killed while it starts.
        if !number.is_multiple_of(3) {
            self.rests(&case, |_, _| true);
        }
        let limit = Instant::now() + after;
        (way.go)(self);
        std::thread::sleep(limit.saturating_duration_since(Instant::now()));
        self.engine.kill_9();
        self.lives_again(&case, way);
    }

    /// Starts it again, sees that nothing was lost or doubled, and goes the way to its end.
    fn lives_again(&mut self, case: &str, way: &Way) {
        self.tell(None);
        self.engine.launch();
        self.rests(case, |_, _| true);
        let status = self.status().expect("it rests");
        if !(way.reached)(self, &status) {
            (way.go)(self);
        }
        self.rests(case, way.reached);
        is(&self.engine.admin(&["plan", "--detailed-exitcode"]), 0, "No changes");
    }

    /// Starts it anew, to die at a boundary if one is given.
    fn begin(&mut self, die_at: Option<usize>) {
        if !self.engine.is_over() {
            self.engine.kill_9();
            self.at_rest += 1;
        }
        let _ = std::fs::remove_file(&self.boundaries);
        self.tell(Some(die_at));
        self.engine.launch();
    }

    /// What the next start is told: to write rounds down, and, if at all, where to die.
    fn tell(&mut self, boundaries: Option<Option<usize>>) {
        let (rounds, log) = (self.rounds.to_string_lossy(), self.boundaries.to_string_lossy());
        let mut args = vec!["--record", &rounds];
        let number;
        if let Some(die_at) = boundaries {
            args.extend(["--boundaries", &log]);
            if let Some(die_at) = die_at {
                number = die_at.to_string();
                args.extend(["--die-at", &number]);
            }
        }
        self.engine.told(&args);
    }

    /// The kinds of boundaries that were passed since the start.
    fn passed(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.boundaries).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The status, by the way that commands ask for it.
    pub(crate) fn status(&self) -> Result<StatusView, String> {
        match self.asked(Request::Status)? {
            Answer::Status { status } => Ok(*status),
            other => Err(format!("{other:?}")),
        }
    }

    fn asked(&self, request: Request) -> Result<Answer, String> {
        let socket = self.engine.site.around().join("run/t/admin.sock");
        ask(&socket, request).map_err(|error| engine::chain(&error))
    }

    /// Waits until it has nothing to do and `reached` holds, and sees that all is as it must be then.
    ///
    /// # Panics
    /// It died, it never rests, or something was lost or is there twice.
    #[track_caller]
    fn rests(&mut self, case: &str, reached: fn(&Self, &StatusView) -> bool) {
        let rests = self.rests_or_dies(case, &reached);
        assert!(rests, "{case}: it died:\n{}", self.engine.said());
    }

    /// The same where it may die on the way: whether it did not.
    #[track_caller]
    fn rests_or_dies(&mut self, case: &str, reached: &dyn Fn(&Self, &StatusView) -> bool) -> bool {
        let limit = Instant::now() + LIMIT;
        loop {
            if self.engine.is_over() {
                return false;
            }
            let pid = self.engine.pid();
            let status = self.status();
            if let Ok(status) = &status
                && status.pid == pid
                && status.rounds > 0
                && status.settled
                && status.generation.0 > 0
                && status.refused.is_none()
                && reached(self, status)
                && let Some((record, found)) = self.look(status)
            {
                self.check(case, status, record, &found);
                return true;
            }
            let said =
                || format!("{case}: not within {LIMIT:?}: {status:#?}\n{}", self.engine.said());
            assert!(Instant::now() < limit, "{}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What is found in the store and on the machine, if that was all found at the rest that the status tells of.
    fn look(&self, status: &StatusView) -> Option<(Recorded, Found)> {
        let Ok(Answer::Record { record }) = self.asked(Request::Record) else { return None };
        let found = found::look(self.engine.site.around());
        let after = self.status().ok()?;
        let recorded = serde_json::from_value(record).expect("a recorded round");
        // A keeper ends by itself, a moment after its directory has gone; one that stayed would be waited for in vain.
        let ends = found.keepers.keys().any(|start| !found.directories.contains(start));
        let is_one = after.rounds == status.rounds && after.pid == status.pid;
        (is_one && !ends).then_some((recorded, found))
    }

    /// Sees that nothing was lost, nothing is there twice, and that store, directories and processes agree.
    #[track_caller]
    fn check(&mut self, case: &str, status: &StatusView, recorded: Recorded, found: &Found) {
        let running: Vec<&SessionView> =
            status.sessions.iter().filter(|session| session.state == "running").collect();
        let starts: BTreeSet<Start> =
            running.iter().map(|session| (session.id.clone(), session.incarnation)).collect();
        let keepers: BTreeSet<Start> = found.keepers.keys().cloned().collect();
        assert_eq!(keepers, starts, "{case}: keepers, and what the status says runs");
        assert!(found.keepers.values().all(|pids| pids.len() == 1), "{case}: {found:?}");
        assert_eq!(found.directories, starts, "{case}: directories, and what runs");
        assert_eq!(found.strays, BTreeSet::new(), "{case}: left behind");
        let own = running.iter().map(|of| (of.id.clone(), of.pid.into_iter().collect())).collect();
        assert_eq!(found.leaders, own, "{case}: processes in sessions, and what the status says");
        self.check_witnesses(case, status);
        self.check_records(case, recorded, &starts);
        self.pids = running.iter().filter_map(|of| Some((of.id.clone(), of.pid?))).collect();
        for (id, n) in starts {
            let before = self.numbers.insert(id.clone(), n).unwrap_or(0);
            assert!(before <= n, "{case}: {id} was start {before}, and is start {n}");
        }
    }

    /// The witnesses are the processes that they always were, and are reached.
    #[track_caller]
    fn check_witnesses(&mut self, case: &str, status: &StatusView) {
        let address = status.listeners.get("listener");
        let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
        let port: u16 = port.unwrap_or_else(|| panic!("{case}: nobody listens"));
        for (id, process) in &self.witnesses {
            assert!(process.is_alive(), "{case}: {id} was lost:\n{}", self.engine.said());
            let seen = session(status, id).unwrap_or_else(|| panic!("{case}: no {id}"));
            assert_eq!(seen.pid, Some(process.pid), "{case}: {id} is another process");
            assert_eq!((seen.state.as_str(), seen.incarnation), ("running", 1), "{case}");
            let page = self.browser.get(port, &format!("/s/{id}/"));
            // It may have reached the boundary that it dies at.
            let answered = page.map(|page| page.status);
            assert!(answered == Ok(200) || self.engine.is_over(), "{case}: {id}: {answered:?}");
        }
    }

    /// What the store says was placed is what runs, and no number can be given twice.
    #[track_caller]
    fn check_records(&self, case: &str, recorded: Recorded, starts: &BTreeSet<Start>) {
        let Known::Present(records) = recorded.observed.records else {
            panic!("{case}: {:?}", recorded.observed.records);
        };
        let placed = records.placements.iter();
        let placed: BTreeSet<Start> =
            placed.map(|(session, placed)| (session.to_string(), placed.n)).collect();
        assert_eq!(&placed, starts, "{case}: what the store has placed, and what runs");
        for (session, n) in &records.numbers {
            let used = self.numbers.get(session.as_str()).copied().unwrap_or(0);
            assert!(*n >= used, "{case}: {session} was given {used}, the store says {n}");
        }
    }

    /// Plans every recorded round again, and how many there were.
    ///
    /// # Panics
    /// One of them is planned otherwise than it was.
    pub(crate) fn replans(&self) -> usize {
        let listed = std::fs::read_dir(&self.rounds).expect("rounds are recorded").flatten();
        let paths = listed.map(|entry| entry.path().to_string_lossy().into_owned());
        // The engine may have been killed while it wrote one.
        let files: Vec<String> = paths.filter(|path| path.ends_with(".json")).collect();
        for some in files.chunks(200) {
            let args: Vec<&str> =
                std::iter::once("replan").chain(some.iter().map(String::as_str)).collect();
            let ran = self.engine.admin(&args);
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
        }
        files.len()
    }

    /// Kills the process that the session `frail` was last seen with.
    pub(crate) fn kill_frail(&self) {
        let Some(pid) = self.pids.get("frail") else { return };
        self.killed.set(*pid);
        Process::of(*pid).into_iter().for_each(|process| process.signal(Signal::KILL));
    }

    /// Whether `frail` is said to be the process that was killed.
    pub(crate) fn is_killed(&self, status: &StatusView) -> bool {
        let frail = session(status, "frail").and_then(|session| session.pid);
        frail.is_none_or(|pid| pid == self.killed.get())
    }

    /// This node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The account that sessions run as.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}
