//! Looks for the product that runs on the same files: its processes, its ports, its own pages.
//!
//! Reads `/proc` and asks the loopback; starts no process, writes nothing, signs in nowhere. Looking takes
//! its time, so it has a thread of its own, and the control thread gets what was found last
//! ([`crate::ports::Incumbent`]). What is read there means what [`engine_core::incumbent`] says. Jobs in
//! schedulers are Unknown: how the product marks its own there is not published.

mod http;
mod procfs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_core::ids::Moment;
use engine_core::incumbent::process::{Is, Stat, candidates, recognise};
use engine_core::incumbent::{
    Found, FoundService, FoundSession, HeldPort, Questions, SchedulerKind, nobody_looked, pages,
};
use engine_core::known::Known;

use crate::ports::{Clock, Incumbent};
use procfs::Procfs;

/// Where processes are seen.
const PROCFS: &str = "/proc";

/// What a tick of `/proc/PID/stat` is: the kernel counts in hundredths of a second towards programs,
/// whatever it counts in inside (proc_pid_stat(5), `USER_HZ`).
const TICK_MS: u64 = 10;

/// Looks again and again on a thread of its own.
pub struct IncumbentWatch {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    asked: Condvar,
}

struct State {
    questions: Option<Questions>,
    /// None: nobody has looked yet.
    found: Option<Known<Arc<Found>>>,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IncumbentWatch {
    /// Looks again and again, once it is asked. Calls `changed` when something else was found.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(clock: Arc<dyn Clock>, changed: impl Fn() + Send + 'static) -> io::Result<Self> {
        let state = State { questions: None, found: None, over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), asked: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let work = move || watch(&of_thread, &*clock, &changed);
        std::thread::Builder::new().name("incumbent".to_owned()).spawn(work)?;
        Ok(Self { shared })
    }
}

impl Drop for IncumbentWatch {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.asked.notify_all();
    }
}

impl Incumbent for IncumbentWatch {
    /// Whoever asks first waits for a look at the processes, so that nothing is begun before it is known who is there.
    fn observe(&mut self, questions: Option<&Questions>, now: Moment) -> Known<Arc<Found>> {
        let mut state = self.shared.lock();
        if let (None, Some(questions)) = (&state.found, questions) {
            let seen = look_at_processes(Path::new(PROCFS), questions, &mut Names::default(), now);
            state.found = Some(seen.map(Arc::new));
        }
        if questions.is_some() && state.questions.as_ref() != questions {
            state.questions = questions.cloned();
            self.shared.asked.notify_all();
        }
        state.found.clone().unwrap_or_else(nobody_looked)
    }
}

fn watch(shared: &Shared, clock: &dyn Clock, changed: &dyn Fn()) {
    let procfs = Path::new(PROCFS);
    let mut names = Names::default();
    loop {
        let Some(questions) = next_questions(shared) else { return };
        let found = look_again(procfs, &questions, true, &mut names, clock.now());
        let every = match &found {
            Known::Absent => questions.absent_every_ms,
            Known::Present(_) | Known::Unknown { .. } => questions.every_ms,
        };
        let every = Duration::from_millis(every.max(100));
        let mut state = shared.lock();
        let before = state.found.take().unwrap_or_else(nobody_looked);
        let same = same(&before, &found);
        state.found = Some(keep_since(&before, found));
        if !same {
            drop(state);
            changed();
            state = shared.lock();
        }
        if state.questions.as_ref() == Some(&questions) && !state.over {
            let wait = shared.asked.wait_timeout(state, every);
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Waits until somebody asks; none at the end.
fn next_questions(shared: &Shared) -> Option<Questions> {
    let mut state = shared.lock();
    loop {
        if state.over {
            return None;
        }
        if let Some(questions) = &state.questions {
            return Some(questions.clone());
        }
        state = shared.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Whether the same was found, whenever.
fn same(a: &Known<Arc<Found>>, b: &Known<Arc<Found>>) -> bool {
    match (a, b) {
        (Known::Present(a), Known::Present(b)) => a.same_as(b),
        (Known::Unknown { reason: a, .. }, Known::Unknown { reason: b, .. }) => a == b,
        (Known::Absent, Known::Absent) => true,
        _ => false,
    }
}

/// Unknown since the first time that nobody could say for this reason.
fn keep_since(before: &Known<Arc<Found>>, found: Known<Arc<Found>>) -> Known<Arc<Found>> {
    match (before, found) {
        (Known::Unknown { since, reason: before }, Known::Unknown { reason, .. })
            if *before == reason =>
        {
            Known::Unknown { since: *since, reason }
        }
        (_, found) => found,
    }
}

/// Names of accounts by number, asked for once each: a directory service may be far.
#[derive(Debug, Default)]
struct Names(BTreeMap<u32, String>);

impl Names {
    fn of(&mut self, uid: u32) -> String {
        let name = self.0.entry(uid).or_insert_with(|| {
            let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
            user.map_or_else(|| uid.to_string(), |user| user.name)
        });
        name.clone()
    }
}

/// Looks once, at the processes below `procfs` and, where those are this machine's, at its pages.
#[must_use]
pub fn look(
    procfs: &Path,
    questions: &Questions,
    pages_too: bool,
    now: Moment,
) -> Known<Arc<Found>> {
    look_again(procfs, questions, pages_too, &mut Names::default(), now)
}

fn look_again(
    procfs: &Path,
    questions: &Questions,
    pages_too: bool,
    names: &mut Names,
    now: Moment,
) -> Known<Arc<Found>> {
    look_at_processes(procfs, questions, names, now).map(|mut found| {
        if pages_too {
            ask_pages(&mut found, questions, now);
        }
        Arc::new(found)
    })
}

/// The names of all programs that run, as far as they are seen.
///
/// # Errors
/// The tree cannot be read.
pub fn names(procfs: &Path) -> io::Result<std::collections::BTreeSet<String>> {
    let all = Procfs::new(procfs).processes()?;
    Ok(all.into_values().map(|stat| stat.name).collect())
}

/// The quick half of a look: asks no page.
fn look_at_processes(
    procfs: &Path,
    questions: &Questions,
    names: &mut Names,
    now: Moment,
) -> Known<Found> {
    let procfs = Procfs::new(procfs);
    let all = match procfs.processes() {
        Ok(all) => all,
        Err(error) => {
            let reason = format!("processes cannot be seen: {error}");
            return Known::Unknown { since: now, reason };
        }
    };
    let hidden = !all.contains_key(&1);
    let mut found = Found {
        looked_at: now,
        version: unknown(now, "its server does not run here"),
        services: Vec::new(),
        sessions: Known::Present(Vec::new()),
        nodes: unknown(now, "its pages were not asked yet"),
        health: Known::Absent,
        metrics: Known::Absent,
        jobs: jobs(questions, now),
        ports: Vec::new(),
        of_this_site: questions.of_this_site,
    };
    processes(&mut found, &procfs, &all, questions, names);
    if found.services.is_empty() && found.local().is_empty() {
        return if hidden {
            unknown(now, "processes of other accounts are hidden (hidepid): ask as root")
        } else {
            Known::Absent
        };
    }
    if hidden {
        found.sessions = unknown(now, "processes of other accounts are hidden (hidepid)");
    }
    ports(&mut found, &procfs);
    version(&mut found, &procfs, now);
    Known::Present(found)
}

fn unknown<T>(since: Moment, reason: impl Into<String>) -> Known<T> {
    Known::Unknown { since, reason: reason.into() }
}

fn jobs(
    questions: &Questions,
    now: Moment,
) -> BTreeMap<String, Known<Vec<engine_core::incumbent::FoundJob>>> {
    let of = |kind| match kind {
        SchedulerKind::Slurm => "how it marks its jobs in Slurm is not published: not counted",
        SchedulerKind::Kubernetes => "how it marks its pods is not published: not counted",
    };
    let schedulers = questions.schedulers.iter();
    schedulers.map(|s| (s.cluster.clone(), unknown(now, of(s.kind)))).collect()
}

fn processes(
    found: &mut Found,
    procfs: &Procfs,
    all: &BTreeMap<u32, Stat>,
    questions: &Questions,
    names: &mut Names,
) {
    let details = procfs.details(&candidates(all));
    let booted = procfs.booted_ms().unwrap_or(0);
    let own = rustix::process::geteuid().as_raw();
    let mut sessions = Vec::new();
    for (pid, is) in recognise(all, &details) {
        let (Some(stat), Some(detail)) = (all.get(&pid), details.get(&pid)) else { continue };
        let since = stat.start_ticks.saturating_mul(TICK_MS);
        let since = Moment(booted.saturating_add(i64::try_from(since).unwrap_or(i64::MAX)));
        let user = names.of(detail.uid);
        match is {
            Is::Service(service, program) => found.services.push(FoundService {
                program: program.to_owned(),
                service,
                pid,
                since,
                trusted: detail.uid == 0 || detail.uid == own || user == questions.server_user,
                user,
            }),
            Is::Session(kind, held_by) => {
                sessions.push(FoundSession { kind, pid, since, user, held_by });
            }
        }
    }
    sessions.sort_by_key(|session| (session.since, session.pid));
    found.sessions = Known::Present(sessions);
}

fn ports(found: &mut Found, procfs: &Procfs) {
    let Ok(sockets) = procfs.listening() else { return };
    if sockets.is_empty() {
        return;
    }
    for service in &found.services {
        for port in procfs.held(service.pid, &sockets) {
            let (pid, program) = (service.pid, service.program.clone());
            found.ports.push(HeldPort { port, pid, program });
        }
    }
}

/// The file `VERSION` above the directory of the server's program, as packages install it.
fn version(found: &mut Found, procfs: &Procfs, now: Moment) {
    let Some(server) = found.services.iter().find(|service| service.program == "rserver") else {
        return;
    };
    found.version = match procfs.exe(server.pid) {
        Ok(exe) => version_beside(&procfs.below_root(&exe), now),
        Err(error) => unknown(now, format!("its program cannot be looked at: {error}")),
    };
}

fn version_beside(exe: &Path, now: Moment) -> Known<String> {
    const VERSION_BYTES: u64 = 4 << 10;
    let dir = exe.parent().and_then(Path::parent).map(Path::to_owned);
    let path = dir.unwrap_or_else(|| PathBuf::from("/")).join("VERSION");
    match procfs::read(&path, VERSION_BYTES) {
        Ok(text) => match pages::version(&text) {
            Some(version) => Known::Present(version),
            None => unknown(now, format!("{} holds none", path.display())),
        },
        Err(error) => unknown(now, format!("{}: {error}", path.display())),
    }
}

fn ask_pages(found: &mut Found, questions: &Questions, now: Moment) {
    if questions.www_tls {
        found.nodes = unknown(now, "its pages speak TLS, and are not asked");
        if questions.health {
            found.health = unknown(now, "its pages speak TLS, and are not asked");
        }
    } else {
        let port = questions.www_port;
        found.nodes = page(port, "/load-balancer/status", pages::parse_nodes, now);
        if questions.health {
            found.health = page(port, "/health-check", pages::parse_health, now);
        }
    }
    if let Some(port) = questions.metrics_port {
        found.metrics = page(port, "/metrics", pages::parse_metrics, now);
    }
    let of_metrics = found.metrics.present().and_then(|metrics| metrics.version.clone());
    if let (true, Some(version)) = (found.version.is_unknown(), of_metrics) {
        found.version = Known::Present(version);
    }
}

fn page<T>(
    port: u16,
    path: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    now: Moment,
) -> Known<T> {
    match http::get(port, path) {
        Ok(text) => match parse(&text) {
            Ok(said) => Known::Present(said),
            Err(why) => unknown(now, format!("{path}: {why}")),
        },
        Err(why) => unknown(now, why),
    }
}
