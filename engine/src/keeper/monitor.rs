//! The keeper's one loop: waits for its child, its descendants, its socket and its clock.
//!
//! ```text
//!            leader ends by itself              nothing left
//! running ──────────────────────────► ending ────────────────► exit.json, exits
//!    └──── stop, kill, SIGTERM ──────────┘  after the grace time: SIGKILL, again and again
//! ```
//!
//! Ending is idempotent: of several graces the earliest end counts. The leader is one process group;
//! everything else that it left comes to the keeper, which is its subreaper, and is ended too. A keeper
//! that takes over from one that was killed is no parent: without a cgroup it finds who stayed in the
//! leader's session (setsid) or below the leader, and nobody else.
//! Decides nothing about restarting. Read next: [`super::record`].

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use engine_core::ids::Moment;
use engine_core::observed::Exit;
use nix::sys::signal::Signal as NixSignal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions};

use super::begin::{orders_for_child, prepare, start_child};
use super::clients::Clients;
use super::process::{self, ProcessId};
use super::protocol::{Answer, PROTOCOL, Request};
use super::record::{
    self, Containment, ENDING, EXIT, Ending, ExitRecord, FORMAT, IDENTITY, Identity, KEEPER_SOCKET,
    READY, Ready, SPEC, Spec,
};
use super::{child, containment, log};

/// How often the log's size is looked at.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// What a leader leaves behind has this long to end by itself.
const REST_GRACE: Duration = Duration::from_secs(5);
/// Between two rounds of killing.
const KILL_EVERY: Duration = Duration::from_millis(100);
/// Longest grace that is kept.
const LONGEST_GRACE: Duration = Duration::from_secs(7 * 86_400);
/// How often, each a second later, the exit record is tried when the disk refuses it.
const EXIT_TRIES: u32 = 600;

/// Keeps the incarnation whose directory is at `path`, until nothing of it is left.
///
/// # Errors
/// It could not even begin; `exit.json` says so where it could be written.
pub fn run(path: &Path) -> io::Result<()> {
    rustix::thread::set_name(c"wharf-keeper")?;
    child::close_inherited(None)?;
    let dir = record::open_dir(path)?;
    // Two keepers of one incarnation would both start it; the lock goes with the process.
    lock(&dir)?;
    if exists(&dir, EXIT)? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let takes_over = exists(&dir, IDENTITY)?;
    let gid = match record::read::<Spec>(dir.as_fd(), SPEC) {
        Ok(Some(spec)) => group_for(&spec),
        Ok(None) | Err(_) => None,
    };
    let keeper = if takes_over { Keeper::take_over(&dir, gid) } else { Keeper::begin(&dir, gid) };
    match keeper {
        Ok(mut keeper) => keeper.keep(),
        // Something may be running: nothing is said of its end.
        Err(failure) if takes_over => Err(io::Error::other(failure)),
        Err(failure) => {
            let exit = Exit { at: record::now(), failure, ..Exit::default() };
            write_exit(&dir, &exit.into(), gid)
        }
    }
}

/// Who only looks whether there is a keeper holds the lock for a moment: tried for a second.
fn lock(dir: &OwnedFd) -> io::Result<()> {
    let limit = Instant::now() + Duration::from_secs(1);
    loop {
        match rustix::fs::flock(dir, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < limit => {
                std::thread::sleep(Duration::from_millis(10));
            }
            answer => return Ok(answer?),
        }
    }
}

/// Files get the engine's group only from root; as an ordinary user everything has our own.
fn group_for(spec: &Spec) -> Option<u32> {
    nix::unistd::geteuid().is_root().then_some(spec.engine_gid)
}

fn exists(dir: &OwnedFd, name: &str) -> io::Result<bool> {
    match rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn write_exit(dir: &OwnedFd, exit: &ExitRecord, gid: Option<u32>) -> io::Result<()> {
    let mut last = Ok(());
    for _ in 0..EXIT_TRIES {
        last = record::write(dir.as_fd(), EXIT, exit, gid);
        if last.is_ok() {
            break;
        }
        // A full disk; nobody but us knows how it ended.
        std::thread::sleep(Duration::from_secs(1));
    }
    last
}

/// How far an end is.
struct End {
    /// When the killing begins.
    deadline: Instant,
    asked: bool,
    /// Whether what the leader left was told.
    rest_told: bool,
}

struct Keeper<'a> {
    dir: &'a OwnedFd,
    gid: Option<u32>,
    spec: Spec,
    clients: Clients,
    signals: SignalFd,
    leader: ProcessId,
    /// The leader of a keeper that took over, and so is not its parent.
    adopted: Option<OwnedFd>,
    /// Whether it is not our child.
    took_over: bool,
    /// Code or signal, once it was reaped. Before that its process group cannot become another's.
    leader_end: Option<(Option<i32>, Option<i32>)>,
    /// Says what went wrong before the session's program ran; closed once it runs.
    report: Option<ChildStdout>,
    failure: String,
    containment: Containment,
    ready: bool,
    end: Option<End>,
    look_at_log: Instant,
}

impl<'a> Keeper<'a> {
    /// Listens, starts the child, records who it is, and only then gives it its environment.
    fn begin(dir: &'a OwnedFd, gid: Option<u32>) -> Result<Self, String> {
        let spec: Spec = record::read(dir.as_fd(), SPEC)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("{SPEC} is missing"))?;
        let fail = |what: &'static str| move |error: io::Error| format!("cannot {what}: {error}");
        let mut env = Vec::new();
        io::stdin().read_to_end(&mut env).map_err(fail("read the environment"))?;
        let null = std::fs::File::open("/dev/null").map_err(fail("open /dev/null"))?;
        nix::unistd::dup2_stdin(&null)
            .map_err(|errno| format!("cannot let go of the environment: {errno}"))?;
        let (signals, clients) = prepare(dir, gid, &spec)?;
        let containment = containment::make(&spec.order.incarnation);
        let mut orders = orders_for_child(&spec, &containment)?;
        let mut child = start_child(dir, gid)?;
        let leader = ProcessId::of(child.id()).map_err(fail("see the child"))?;
        let report = child.stdout.take();
        let (ready, end, failure) = (false, None, String::new());
        let look_at_log = Instant::now() + LOG_EVERY;
        let mut keeper = Self {
            dir,
            gid,
            spec,
            clients,
            signals,
            leader,
            adopted: None,
            took_over: false,
            leader_end: None,
            report,
            failure,
            containment,
            ready,
            end,
            look_at_log,
        };
        orders.push(b'\n');
        match keeper.record_identity(record::now()) {
            Ok(()) => {
                // EPIPE: it died; its end is seen like any other.
                orders.append(&mut env);
                let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&orders));
            }
            // Not given its environment, the child exits without having run anything.
            Err(error) => keeper.failure = format!("cannot record its identity: {error}"),
        }
        drop(child);
        Ok(keeper)
    }

    /// Keeps what a keeper that is gone has started. How the leader ends cannot be learned any more
    /// (only a parent is told), that it ends, and its whole end when asked for, can.
    fn take_over(dir: &'a OwnedFd, gid: Option<u32>) -> Result<Self, String> {
        let read = |error: record::RecordError| error.to_string();
        let spec: Spec =
            record::read(dir.as_fd(), SPEC).map_err(read)?.ok_or("spec.json is missing")?;
        let identity: Identity =
            record::read(dir.as_fd(), IDENTITY).map_err(read)?.ok_or("identity.json is missing")?;
        let proc = |error: io::Error| format!("cannot see its processes: {error}");
        if identity.boot_id != process::boot_id().map_err(proc)? {
            return Err("it belongs to another boot".to_owned());
        }
        let adopted = identity.child.open().map_err(proc)?;
        let leader_end = adopted.is_none().then_some((None, None));
        let (signals, clients) = prepare(dir, gid, &spec)?;
        let mut keeper = Self {
            dir,
            gid,
            clients,
            signals,
            leader: identity.child,
            adopted,
            took_over: true,
            leader_end,
            report: None,
            failure: "its keeper was gone: how it ended is not known".to_owned(),
            containment: identity.containment,
            ready: record::read::<Ready>(dir.as_fd(), READY).is_ok_and(|ready| ready.is_some()),
            end: None,
            look_at_log: Instant::now() + LOG_EVERY,
            spec,
        };
        keeper
            .record_identity(identity.started_at)
            .map_err(|error| format!("cannot record its identity: {error}"))?;
        if let Ok(Some(Ending { asked: true, .. })) = record::read(dir.as_fd(), ENDING) {
            let stop = keeper.spec.order.stop.clone();
            keeper.begin_end(stop.signal, stop.grace_ms);
        }
        Ok(keeper)
    }

    fn record_identity(&self, started_at: Moment) -> io::Result<()> {
        let identity = Identity {
            format: FORMAT,
            boot_id: process::boot_id()?,
            keeper: ProcessId::own()?,
            child: self.leader,
            started_at,
            containment: self.containment.clone(),
        };
        record::write(self.dir.as_fd(), IDENTITY, &identity, self.gid)
    }

    fn keep(&mut self) -> io::Result<()> {
        loop {
            let report_is_due = self.wait()?;
            self.read_signals();
            if report_is_due {
                self.read_report();
            }
            let nothing_left = self.reap()?;
            for (client, request) in self.clients.requests() {
                let answer = request.map_or_else(|answer| answer, |request| self.answer(&request));
                self.clients.answer(client, &answer);
            }
            if nothing_left && !containment::is_populated(&self.containment) {
                return self.finish();
            }
            self.end_what_is_due();
            self.rotate_log();
        }
    }

    /// Waits for whatever comes first; true if the child's report can be read.
    fn wait(&mut self) -> io::Result<bool> {
        let limit = self.next_due().saturating_duration_since(Instant::now());
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            // Rounded up: a wait that ends a little early would spin until its time.
            tv_nsec: (i64::from(limit.subsec_nanos()) + 1_000_000).min(999_999_999),
        };
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(self.report.iter().map(|report| PollFd::new(report, PollFlags::IN)));
        // Readable from its end on; afterwards the clock is what is waited for.
        let leader = self.adopted.iter().filter(|_| self.leader_end.is_none());
        fds.extend(leader.map(|leader| PollFd::new(leader, PollFlags::IN)));
        fds.extend(self.clients.fds());
        match rustix::event::poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.report.is_some() && !fds[1].revents().is_empty())
    }

    fn next_due(&self) -> Instant {
        match &self.end {
            // Who is not our child tells us nothing when it ends, and neither does a cgroup.
            Some(end)
                if end.deadline <= Instant::now()
                    || self.took_over
                    || self.leader_end.is_some() =>
            {
                Instant::now() + KILL_EVERY
            }
            Some(end) => end.deadline.min(self.look_at_log),
            None => self.look_at_log,
        }
    }

    fn read_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            // SIGCHLD only wakes; SIGTERM is the machine going down, or an administrator.
            if signal.ssi_signo == NixSignal::SIGTERM as u32 {
                let stop = self.spec.order.stop.clone();
                self.begin_end(stop.signal, stop.grace_ms);
            }
        }
    }

    fn read_report(&mut self) {
        let Some(report) = &mut self.report else { return };
        let mut bytes = [0; 1024];
        match report.read(&mut bytes) {
            Ok(0) | Err(_) => self.report = None,
            Ok(n) => self.failure.push_str(&String::from_utf8_lossy(&bytes[..n])),
        }
    }

    /// Reaps what has ended; true if no descendant is left. Every descendant whose parent is gone is
    /// our child, so that having no child means that there is no descendant.
    fn reap(&mut self) -> io::Result<bool> {
        if self.took_over {
            if self.leader_end.is_none() && !self.leader.is_running()? {
                self.leader_end = Some((None, None));
            }
            return Ok(self.leader_end.is_some() && self.others().is_empty());
        }
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if u32::try_from(pid.as_raw_pid()) == Ok(self.leader.pid) {
                        self.leader_end = Some((status.exit_status(), status.terminating_signal()));
                    }
                }
                Ok(None) => return Ok(false),
                Err(rustix::io::Errno::CHILD) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Status => Answer {
                protocol: Some(PROTOCOL),
                incarnation: Some(self.spec.order.incarnation.to_string()),
                pid: Some(self.leader.pid),
                ready: Some(self.ready),
                ..Answer::in_phase(if self.end.is_some() { "ending" } else { "running" })
            },
            Request::Stop { signal, grace_ms } => {
                self.begin_end(*signal, *grace_ms);
                Answer::in_phase("ending")
            }
            Request::Kill => {
                self.begin_end(Signal::KILL.as_raw(), 0);
                Answer::in_phase("ending")
            }
            Request::Ready => self.note_ready(),
            Request::LogTail { bytes } => {
                let bytes = (*bytes).min(super::protocol::LONGEST_LINE as u64);
                match log::tail(self.dir.as_fd(), bytes) {
                    Ok(text) => Answer { text: Some(text), ..Answer::done() },
                    Err(error) => Answer::refused(format!("cannot read the log: {error}")),
                }
            }
        }
    }

    fn note_ready(&mut self) -> Answer {
        if !self.ready {
            let ready = Ready { format: FORMAT, at: record::now() };
            if let Err(error) = record::write(self.dir.as_fd(), READY, &ready, self.gid) {
                return Answer::refused(format!("cannot write {READY}: {error}"));
            }
            self.ready = true;
        }
        Answer::done()
    }

    /// Somebody asks for the end.
    fn begin_end(&mut self, signal: i32, grace_ms: u64) {
        let grace = Duration::from_millis(grace_ms).min(LONGEST_GRACE);
        let deadline = Instant::now() + grace;
        if let Some(end) = &mut self.end {
            end.deadline = end.deadline.min(deadline);
            // Asked only counts if the leader had not ended by itself before.
            end.asked |= self.leader_end.is_none();
            return;
        }
        self.enter_end(deadline, true);
        if self.leader_end.is_none() {
            if let Some(signal) = Signal::from_named_raw(signal) {
                self.signal_group(signal);
            }
            // One that is stopped would sleep through it.
            self.signal_group(Signal::CONT);
        }
    }

    fn enter_end(&mut self, deadline: Instant, asked: bool) {
        self.end = Some(End { deadline, asked, rest_told: false });
        let ending = Ending { format: FORMAT, since: record::now(), asked };
        // For those who look at the directory; without it they see a running session that goes.
        let _ = record::write(self.dir.as_fd(), ENDING, &ending, self.gid);
    }

    fn end_what_is_due(&mut self) {
        let now = Instant::now();
        if self.leader_end.is_some() {
            if self.end.is_none() {
                self.enter_end(now + REST_GRACE, false);
            }
            let told = self.end.as_mut().is_none_or(|end| {
                end.deadline = end.deadline.min(now + REST_GRACE);
                std::mem::replace(&mut end.rest_told, true)
            });
            if !told {
                self.signal_others(Signal::TERM);
                self.signal_others(Signal::CONT);
            }
        }
        if self.end.as_ref().is_some_and(|end| end.deadline <= now) {
            containment::kill(&self.containment);
            if self.leader_end.is_none() {
                self.signal_group(Signal::KILL);
            }
            self.signal_others(Signal::KILL);
        }
    }

    /// Only while the leader is not reaped: afterwards its number may become another group's.
    fn signal_group(&self, signal: Signal) {
        if self.took_over {
            // Not its parent, we cannot keep its number from being given again: one by one.
            self.signal_others(signal);
        } else if let Some(pid) = i32::try_from(self.leader.pid).ok().and_then(Pid::from_raw) {
            // ESRCH before the child has called setsid: then it is told alone.
            if rustix::process::kill_process_group(pid, signal).is_err() {
                let _ = self.leader.signal(signal);
            }
        }
    }

    fn signal_others(&self, signal: Signal) {
        // Whoever starts new processes meanwhile is met by the next round.
        for process in self.others() {
            let _ = process.signal(signal);
        }
    }

    /// What runs of the session, found in the process tree.
    fn others(&self) -> Vec<ProcessId> {
        let all = process::all().unwrap_or_default();
        let mut found = if self.took_over {
            process::of_session(&all, self.leader)
        } else {
            process::descendants_in(&all, std::process::id())
        };
        let members = containment::members(&self.containment);
        found.extend(members.into_iter().filter_map(|pid| ProcessId::of(pid).ok()));
        found
    }

    fn rotate_log(&mut self) {
        if self.look_at_log <= Instant::now() {
            let _ = log::rotate(self.dir.as_fd(), log::LARGEST, self.gid);
            self.look_at_log = Instant::now() + LOG_EVERY;
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        // What the child said last may still be in the pipe; the other end is closed by now.
        while self.report.is_some() {
            self.read_report();
        }
        let (code, signal) = self.leader_end.unwrap_or_default();
        let asked = self.end.as_ref().is_some_and(|end| end.asked);
        let failure = std::mem::take(&mut self.failure);
        let at = record::now();
        let exit = Exit { at, code, signal, asked, failure, ..Exit::default() };
        containment::remove(&self.containment);
        write_exit(self.dir, &exit.into(), self.gid)?;
        let _ = rustix::fs::unlinkat(self.dir, KEEPER_SOCKET, rustix::fs::AtFlags::empty());
        Ok(())
    }
}
