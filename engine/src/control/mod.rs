//! The control thread: takes files in, reconciles, answers the admin socket, publishes the status.
//!
//! One thread, no locks: whoever wants something sends an [`Event`]. Decides nothing about sessions
//! (`planner` does) and nothing about files (`accept` does). Read next: [`requests`].

pub mod differences;
pub mod narrate;
mod overrides;
pub mod planning;
pub mod requests;
pub mod why;
pub mod windows;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use arc_swap::ArcSwap;
use engine_core::accept::{Looks, POLL, Refusal};
use engine_core::desired::{self, Ground, Lowered, Pieces};
use engine_core::ids::{Moment, SiteDigest};
use engine_core::report::{About, Report};
use engine_core::site::SiteFiles;
use engine_core::whereabouts::at_the_next_start;
use grammar::error::{Problem, Severity};
use grammar::report::{Format, Style};
use grammar::value::Millis;

use crate::admin::protocol::{Answer, Request};
use crate::admin::server::Asked;
use crate::intake::{Intake, IntakeEvent};
use crate::ports::Clock;
use crate::reconcile::Reconciler;
use crate::status::{LooksView, StatusView};

/// Rounds that follow each other at once; more wait for the next wake-up.
const ROUNDS_AT_ONCE: u32 = 16;

/// Something for the control thread.
#[derive(Debug)]
pub enum Event {
    /// The files may have changed.
    Files,
    /// Somebody asks for a look at the files (SIGHUP).
    LookAgain,
    /// A look at the files is over.
    Looked,
    /// The world may have changed; why, in a word.
    World(&'static str),
    /// A command asks.
    Asked(Asked),
    /// Stop; sessions go on.
    Stop,
}

/// What the control thread tells whoever watches: the terminal, the log.
#[derive(Debug)]
pub enum Told<'a> {
    /// A generation came into force.
    Accepted {
        /// What it does.
        report: &'a Report,
        /// The new state.
        status: &'a StatusView,
    },
    /// The files were refused.
    Refused {
        /// Each problem in one line.
        problems: &'a [String],
        /// The state, unchanged.
        status: &'a StatusView,
    },
    /// A round ended.
    Round {
        /// The state before.
        before: &'a StatusView,
        /// The state after.
        after: &'a StatusView,
        /// The round.
        round: &'a crate::reconcile::Round,
    },
}

/// Whoever is told.
pub type Listener = Box<dyn FnMut(&Told<'_>) + Send>;

/// What came of waiting.
enum Heard {
    /// Nothing that a round would have to look at.
    Nothing,
    /// Something may have changed: what, in a word.
    Something(&'static str),
    /// The engine is to stop.
    Stop,
}

/// A request that waits for a look at the files.
struct Waiting {
    /// Its number.
    look: u64,
    /// When it is answered at the latest.
    until: Moment,
    asked: Asked,
}

/// Who asks for a look waits no longer than this, and less long than a command does for an answer.
const LOOK_PATIENCE: Millis = Millis(20_000);

/// The control thread's things.
pub struct Control {
    reconciler: Reconciler,
    intake: Intake,
    events: Receiver<Event>,
    status: Arc<ArcSwap<StatusView>>,
    clock: Arc<dyn Clock>,
    listeners: Vec<Listener>,
    services: requests::Services,
    identity: StatusView,
    latest: Option<(SiteDigest, Arc<Lowered>)>,
    /// How many sets were accepted or refused.
    decided: u64,
    /// Called once the engine serves.
    ready: Option<Box<dyn FnOnce() + Send>>,
    /// Requests that wait for a look at the files.
    waiting: Vec<Waiting>,
}

impl Control {
    /// Puts the control thread together; `identity` holds what never changes of the status (version,
    /// instance, pid).
    pub fn new(
        reconciler: Reconciler,
        intake: Intake,
        events: Receiver<Event>,
        clock: Arc<dyn Clock>,
        services: requests::Services,
        identity: StatusView,
    ) -> Self {
        let status = Arc::clone(&services.status);
        Self {
            reconciler,
            intake,
            events,
            status,
            clock,
            listeners: Vec::new(),
            services,
            identity,
            latest: None,
            decided: 0,
            ready: None,
            waiting: Vec::new(),
        }
    }

    /// Tells `listener` of everything from now on.
    pub fn tell(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// Calls `ready` once the engine serves: what lives is adopted, and what there is of files is in force, refused, held by
    /// a change window or not to be had. Nothing that may take long is waited for.
    pub fn when_ready(&mut self, ready: Box<dyn FnOnce() + Send>) {
        self.ready = Some(ready);
    }

    /// Runs until it is told to stop; the status as of then.
    pub fn run(mut self) -> Arc<StatusView> {
        let mut cause = Some("start");
        let mut next_round = self.clock.now();
        loop {
            let now = self.clock.now();
            let decided = self.decided;
            let next_intake = self.take_in(now);
            if self.decided > decided {
                cause = Some("files");
            }
            if self.answer_waiting(now) {
                cause = cause.or(Some("command"));
            }
            // A question is answered from the last round; only what may change something makes another.
            if cause.is_some() || next_round <= now {
                next_round = self.reconcile(cause.unwrap_or("time"));
            }
            self.tell_ready(now);
            let answers = self.waiting.iter().map(|waiting| waiting.until);
            let next = next_intake.into_iter().chain(answers).fold(next_round, Moment::min);
            cause = match self.wait(next) {
                Heard::Something(cause) => Some(cause),
                Heard::Nothing => None,
                Heard::Stop => return self.status.load_full(),
            };
        }
    }

    fn tell_ready(&mut self, now: Moment) {
        if self.ready.is_none() {
            return;
        }
        let decided = self.intake.counts().decided > 0 || self.intake.unknown().is_some();
        if decided || self.reconciler.ledger().windows().held_until(now).is_some() {
            self.ready.take().into_iter().for_each(|ready| ready());
        }
    }

    /// Polls the intake until nothing is due; when something will be.
    fn take_in(&mut self, now: Moment) -> Option<Moment> {
        let held_until = self.reconciler.ledger().windows().held_until(now);
        self.intake.hold(now, held_until);
        for _ in 0..8 {
            let ground = self.reconciler.ground().clone();
            let earlier = self.pieces();
            let in_force = self.reconciler.in_force().map(|site| Arc::clone(&site.files));
            let mut lowered = None;
            let mut check = |files: &SiteFiles, digest: SiteDigest| {
                let (site, looks) = judge(files, &ground, &earlier, in_force.as_deref());
                lowered = Some((digest, Arc::new(site)));
                looks
            };
            let event = self.intake.poll(now, &mut check);
            if lowered.is_some() {
                self.latest = lowered;
            }
            if self.reconciler.newer_files(self.intake.newer(now)) {
                self.decided += 1;
                self.publish();
            }
            let decided = !matches!(event, IntakeEvent::Nothing { .. });
            if let Some(files) = self.intake.latest().filter(|_| decided) {
                self.identity.next_start = at_the_next_start(&self.services.began, files);
            }
            match event {
                IntakeEvent::Nothing { next } => return next,
                IntakeEvent::Unchanged(digest) => self.unchanged(digest, now),
                IntakeEvent::Accepted(files, digest) => self.accept(&files, digest, now),
                IntakeEvent::Refused(files, digest, why) => {
                    self.refuse(&files, digest, why, now);
                }
                IntakeEvent::Unknown(files) => {
                    let lines = short_lines(&files.problems(Severity::Error), &files);
                    self.reconciler.files_unknown(lines.clone(), now);
                    self.tell_refused(&lines);
                }
            }
        }
        Some(now)
    }

    /// What a set asks for; lowered once a set.
    fn lowered(&mut self, files: &SiteFiles, digest: SiteDigest) -> Arc<Lowered> {
        match &self.latest {
            Some((of, lowered)) if *of == digest => Arc::clone(lowered),
            _ => {
                let ground = self.reconciler.ground();
                let (lowered, _) = lower_for_serving(files, ground, &self.pieces());
                let lowered = Arc::new(lowered);
                self.latest = Some((digest, Arc::clone(&lowered)));
                lowered
            }
        }
    }

    /// What the last lowering keeps for the next one.
    fn pieces(&self) -> Pieces {
        let latest = self.latest.as_ref().map(|(_, lowered)| &lowered.pieces);
        let in_force = || self.reconciler.in_force().map(|site| &site.lowered.pieces);
        latest.or_else(in_force).cloned().unwrap_or_default()
    }

    fn accept(&mut self, files: &Arc<SiteFiles>, digest: SiteDigest, now: Moment) {
        self.decided += 1;
        let lowered = self.lowered(files, digest);
        let about = About { site: files.workbench_dir.to_string(), ..About::default() };
        self.reconciler.look_for_product(&lowered, now);
        let mut report = self.reconciler.report(digest, &lowered, &about, Vec::new(), now);
        self.reconciler.tell_incumbent(&mut report, files, &lowered, now);
        let problems = own_problems(files, &lowered);
        self.reconciler.accept(Arc::clone(files), digest, Arc::clone(&lowered), problems, now);
        let poll = lowered.engine.poll.unwrap_or(POLL);
        self.intake.set_times(lowered.engine.settle, poll);
        let status = self.publish();
        for listener in &mut self.listeners {
            listener(&Told::Accepted { report: &report, status: &status });
        }
    }

    fn refuse(&mut self, files: &Arc<SiteFiles>, digest: SiteDigest, why: Refusal, now: Moment) {
        let lowered = self.lowered(files, digest);
        let problems = match why {
            Refusal::Invalid => serving_problems(files, &lowered),
            Refusal::Unsettled => vec![files.unsettled(self.intake.settle())],
        };
        let lines = short_lines(&problems, files);
        self.reconciler.refuse(lines.clone(), lowered, now);
        self.tell_refused(&lines);
    }

    fn tell_refused(&mut self, problems: &[String]) {
        self.decided += 1;
        let status = self.publish();
        for listener in &mut self.listeners {
            listener(&Told::Refused { problems, status: &status });
        }
    }

    fn unchanged(&mut self, digest: SiteDigest, now: Moment) {
        if let Some(files) = self.intake.latest().cloned() {
            let lowered = self.lowered(&files, digest);
            let problems = own_problems(&files, &lowered);
            self.reconciler.accept(files, digest, lowered, problems, now);
            self.publish();
        }
    }

    /// Rounds until nothing more can be done at once; when to look again.
    fn reconcile(&mut self, cause: &str) -> Moment {
        let mut cause = cause;
        let mut next = self.clock.now();
        for _ in 0..ROUNDS_AT_ONCE {
            let now = self.clock.now();
            let began = std::time::Instant::now();
            self.reconciler.newer_files(self.intake.newer(now));
            let round = self.reconciler.round(now, cause).clone();
            next = round.next;
            let before = self.status.load_full();
            self.identity.round_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let after = self.publish();
            for listener in &mut self.listeners {
                listener(&Told::Round { before: &before, after: &after, round: &round });
            }
            if !round.goes_on() {
                return next;
            }
            cause = "steps";
        }
        next
    }

    fn publish(&mut self) -> Arc<StatusView> {
        let mut view = self.reconciler.status();
        view.version.clone_from(&self.identity.version);
        view.instance.clone_from(&self.identity.instance);
        view.pid = self.identity.pid;
        view.site_dir.clone_from(&self.identity.site_dir);
        view.next_start.clone_from(&self.identity.next_start);
        view.round_us = self.identity.round_us;
        let polled = self.intake.polled().iter();
        view.polled = polled.map(|(dir, why)| (dir.display().to_string(), why.clone())).collect();
        self.show_looks(&mut view);
        if view.site.is_empty() {
            view.site.clone_from(&self.identity.site);
        }
        let view = Arc::new(view);
        self.status.store(Arc::clone(&view));
        view
    }

    /// Which looks at the files there were, and whether one is under way.
    fn show_looks(&self, view: &mut StatusView) {
        let counts = self.intake.counts();
        view.looks = LooksView { asked: counts.asked, decided: counts.decided };
        view.reading_since = self.intake.reading_since();
    }

    /// Answers who waits for a look that is over, or that takes too long; whether that may change something.
    fn answer_waiting(&mut self, now: Moment) -> bool {
        let (seen, silent) = (self.intake.counts().seen, self.intake.is_silent());
        let is_over =
            |waiting: &mut Waiting| silent || waiting.look <= seen || waiting.until <= now;
        let over: Vec<_> = self.waiting.extract_if(.., is_over).collect();
        over.into_iter().fold(false, |changes, Waiting { look, asked, .. }| {
            if silent || look <= seen {
                return self.answer(asked, now) || changes;
            }
            let _ = asked.reply.try_send(windows::still_looking(self.intake.reading_since(), now));
            changes
        })
    }

    /// Answers; whether that may change something.
    fn answer(&mut self, asked: Asked, now: Moment) -> bool {
        let changes = asked.request.changes_something();
        let answer = requests::answer(self, &asked.peer, asked.request, now);
        let denied = matches!(answer, Answer::Error { denied: true, .. });
        // A command that has gone away has no use for its answer.
        let _ = asked.reply.try_send(answer);
        changes && !denied
    }

    /// Waits for something to do until `next` at the latest.
    fn wait(&mut self, next: Moment) -> Heard {
        let patience = next.since(self.clock.now());
        let mut heard = match self.events.recv_timeout(Duration::from_millis(patience.0)) {
            Ok(event) => self.handle(event),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::Stop,
        };
        while let (false, Ok(event)) = (matches!(heard, Heard::Stop), self.events.try_recv()) {
            match self.handle(event) {
                Heard::Nothing => {}
                something => heard = something,
            }
        }
        heard
    }

    fn handle(&mut self, event: Event) -> Heard {
        let now = self.clock.now();
        match event {
            Event::Files => {
                self.intake.wake(now);
                // A round follows once something is decided.
                Heard::Nothing
            }
            Event::LookAgain => {
                self.intake.look_again(now);
                Heard::Nothing
            }
            Event::Looked => Heard::Nothing,
            Event::World(cause) => Heard::Something(cause),
            Event::Asked(asked) if matches!(asked.request, Request::Export) => {
                requests::export(&self.services.export, asked, now);
                Heard::Nothing
            }
            // Nothing is looked at for who may not ask.
            Event::Asked(asked)
                if requests::may(self, &asked.peer, &asked.request)
                    && windows::needs_look(self, &asked.request, now) =>
            {
                let until = now.plus(LOOK_PATIENCE);
                self.waiting.push(Waiting { look: self.intake.want_look(), until, asked });
                Heard::Nothing
            }
            Event::Asked(asked) => {
                if self.answer(asked, now) {
                    Heard::Something("command")
                } else {
                    Heard::Nothing
                }
            }
            Event::Stop => Heard::Stop,
        }
    }
}

/// Lowers a set for serving: there, a file that cannot be read is an error.
#[must_use]
pub fn lower_for_serving(files: &SiteFiles, ground: &Ground, earlier: &Pieces) -> (Lowered, bool) {
    let lowered = desired::lower_after(files, ground, earlier);
    let refuses = |problem: &Problem| problem.is_error() && !files.is_of_one_thing(problem);
    let readable = !files.problems(Severity::Error).iter().any(refuses);
    let acceptable = readable && lowered.is_acceptable();
    (lowered, acceptable)
}

/// The same, and how finished the set looks beside the one in force.
#[must_use]
pub fn judge(
    files: &SiteFiles,
    ground: &Ground,
    earlier: &Pieces,
    in_force: Option<&SiteFiles>,
) -> (Lowered, Looks) {
    let (lowered, acceptable) = lower_for_serving(files, ground, earlier);
    let looks = files.looks(in_force, acceptable, &serving_problems(files, &lowered));
    (lowered, looks)
}

/// Everything that is wrong with a set that is to be served.
#[must_use]
pub fn serving_problems(files: &SiteFiles, lowered: &Lowered) -> Vec<Problem> {
    let mut problems = files.problems(Severity::Error);
    problems.extend(lowered.problems.iter().cloned());
    grammar::error::sort_problems(&mut problems);
    problems
}

/// The errors of single things: they keep those things as they are, and nothing else.
fn own_problems(files: &SiteFiles, lowered: &Lowered) -> Vec<String> {
    let errors: Vec<Problem> =
        serving_problems(files, lowered).into_iter().filter(Problem::is_error).collect();
    if errors.is_empty() { Vec::new() } else { short_lines(&errors, files) }
}

/// The texts of a set, for showing lines of them.
#[must_use]
pub fn sources(files: &SiteFiles) -> Vec<grammar::source::Source> {
    engine_core::check::sources(files).cloned().collect()
}

/// Problems in one line each, errors first where there are any.
#[must_use]
pub fn short_lines(problems: &[Problem], files: &SiteFiles) -> Vec<String> {
    let worst: Vec<Problem> = problems.iter().filter(|p| p.is_error()).cloned().collect();
    let shown = if worst.is_empty() { problems } else { &worst };
    let style = Style { color: false, width: Some(100) };
    let text = grammar::report::render(shown, &sources(files), Format::Short, style);
    text.lines().map(str::to_owned).collect()
}
