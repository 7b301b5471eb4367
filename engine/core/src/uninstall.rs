//! What taking the program off a machine would end, what stays, and the commands for it, in their order.
//!
//! Pure, and only a plan: nothing here or behind it does any of it. The shell looks ([`Installed`]); `cli/uninstall` in
//! the engine shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::desired::Mode;

/// The list of what an archive installs, below its prefix.
pub const FILES: &str = "share/wharf/files";

/// What was found of an instance on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The instance's name.
    pub instance: String,
    /// What the engine does; none = it does not run, and its files do not say.
    pub mode: Option<Mode>,
    /// The engine's process id; none = it does not run.
    pub engine: Option<u32>,
    /// Our live sessions: by account, each with its id and process.
    pub sessions: BTreeMap<String, Vec<Living>>,
    /// Sessions of the product, which are nobody's here to end.
    pub foreign: usize,
    /// Unit files.
    pub units: Vec<String>,
    /// The program, its pages and whatever else an installation puts beside them.
    pub programs: Vec<String>,
    /// Prefixes below which an archive was unpacked: each has the list of its files, [`FILES`].
    pub prefixes: Vec<String>,
    /// Where it listens for people: `127.0.0.1:8787`.
    pub listens: Vec<String>,
    /// The directory of its state, if it is there.
    pub state: Option<String>,
    /// The store, where it lies elsewhere.
    pub store: Option<String>,
    /// Homes that the engine made for an account that has none, with what people left there.
    pub homes: Vec<String>,
    /// The directory of sockets and sessions, if it is there.
    pub runtime: Option<String>,
    /// Directories of files that people wrote: the product's, ours.
    pub configuration: Vec<String>,
    /// The configuration directory that was named, for commands that need it named again.
    pub dir: Option<String>,
    /// The unit that the engine found runs in ([`unit_in`]); none = it was started otherwise, or does not run.
    pub unit: Option<String>,
    /// Other instances on this machine, which must not be hurt.
    pub others: Vec<Other>,
}

/// Another instance below the same directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub instance: String,
    /// The directories that it has: of its state, of its sockets and sessions.
    pub dirs: Vec<String>,
}

impl Installed {
    /// The names of other instances that have something below `dir`.
    fn others_below(&self, dir: &str) -> Vec<&str> {
        let is_below = |path: &String| {
            path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let holds = |other: &&Other| other.dirs.iter().any(is_below);
        self.others.iter().filter(holds).map(|other| other.instance.as_str()).collect()
    }

    fn is_alone(&self) -> bool {
        self.others.is_empty()
    }
}

/// The unit of ours in which a process runs, of what `/proc/PID/cgroup` says (cgroups(7)).
///
/// A unit that is none of ours is never named: an engine that somebody started by hand within one must not end it.
#[must_use]
pub fn unit_in(cgroup: &str) -> Option<String> {
    let unit = cgroup.lines().filter_map(|line| line.rsplit('/').next()).find(|name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@' | '.');
        name.starts_with("wharf") && name.ends_with(".service") && name.chars().all(plain)
    });
    unit.map(ToOwned::to_owned)
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Living {
    /// Its id.
    pub session: String,
    /// Its leader.
    pub pid: u32,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uninstall {
    /// What would end, by account.
    pub ends: BTreeMap<String, Vec<Living>>,
    /// What is left as it is, each with what to know of it.
    pub stays: Vec<Thing>,
    /// What to do, in this order; nothing of it was done.
    pub commands: Vec<Do>,
}

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// What.
    pub what: String,
    /// What to know of it.
    pub note: String,
}

/// A command with what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Do {
    /// As it is typed.
    pub command: String,
    /// What it does, or loses.
    pub note: String,
}

/// Plans the end of an installation.
#[must_use]
pub fn plan(found: &Installed) -> Uninstall {
    Uninstall { ends: found.sessions.clone(), stays: stays(found), commands: commands(found) }
}

fn stays(found: &Installed) -> Vec<Thing> {
    let mut stays = Vec::new();
    let mut add = |what: &str, note: &str| {
        stays.push(Thing { what: what.to_owned(), note: note.to_owned() });
    };
    if found.foreign > 0 {
        let sessions = plural(found.foreign, "session");
        add(&format!("{sessions} of the product"), "they were shown only");
    }
    for Other { instance, .. } in &found.others {
        add(&format!("instance {instance}"), "another one on this machine: it needs the program");
    }
    for dir in &found.configuration {
        add(dir, "what people wrote; nothing of ours ever wrote there");
    }
    for home in &found.homes {
        add(home, "a home that the engine made, with what people keep in it");
    }
    if let Some(state) = &found.state {
        let note = "generations, requests, overrides; sealed files, and the key that opens them";
        add(state, &with_others(found, state, note));
    }
    if let Some(store) = &found.store {
        add(store, "the store, kept apart from the state");
    }
    if let Some(runtime) = &found.runtime {
        let note =
            "sockets, and the directories of sessions with their logs; gone at the next boot";
        add(runtime, &with_others(found, runtime, note));
    }
    for prefix in &found.prefixes {
        add(prefix, &format!("what {prefix}/{FILES} lists"));
    }
    for path in installed(found) {
        add(path, "installed");
    }
    stays
}

/// `note`, and whose else `dir` is: no command removes it then.
fn with_others(found: &Installed, dir: &str, note: &str) -> String {
    match &*found.others_below(dir) {
        [] => note.to_owned(),
        others => {
            let others = others.join(", ");
            format!("{note}; no command here removes it, below it is also instance {others}")
        }
    }
}

/// What is installed beside the files of archives.
fn installed(found: &Installed) -> impl Iterator<Item = &String> {
    let listed = |path: &&String| {
        let below = |prefix: &String| path.strip_prefix(prefix.as_str())?.strip_prefix('/');
        found.prefixes.iter().any(|prefix| below(prefix).is_some())
    };
    found.units.iter().chain(&found.programs).filter(move |path| !listed(path))
}

fn commands(found: &Installed) -> Vec<Do> {
    let mut all = Vec::new();
    if found.state.is_some() {
        let instance = &found.instance;
        let dir = found.dir.as_ref().map_or_else(String::new, |dir| format!(" {}", quoted(dir)));
        let command =
            format!("wharf state export --instance {instance} --out wharf-{instance}.jsonl{dir}");
        all.push(to(command, "a copy of what is known, to go back to"));
    }
    end_sessions(found, &mut all);
    stop_engine(found, &mut all);
    // The program is everybody's.
    if found.is_alone() {
        remove_program(found, &mut all);
    }
    remove_state(found, &mut all);
    all
}

fn to(command: String, note: &str) -> Do {
    Do { command, note: note.to_owned() }
}

fn end_sessions(found: &Installed, all: &mut Vec<Do>) {
    let pids: Vec<u32> = found.sessions.values().flatten().map(|living| living.pid).collect();
    let sessions = plural(pids.len(), "session");
    match (pids.is_empty(), found.engine) {
        (true, _) => {}
        (false, Some(_)) => {
            let command = format!("wharf session stop --all --wait --instance {}", found.instance);
            let note = format!("ends {sessions}: they outlive the engine; go on once it succeeded");
            all.push(to(command, &note));
        }
        (false, None) => {
            // Without an engine nobody else can tell them: each keeper ends its own session.
            let note = format!("ends {sessions}: no engine runs to do it");
            all.push(to(killed(&pids), &note));
            all.push(to(over(&pids), "waits until they are over"));
        }
    }
}

fn stop_engine(found: &Installed, all: &mut Vec<Do>) {
    if let Some(unit) = &found.unit {
        let unit = unit.strip_suffix(".service").unwrap_or(unit);
        all.push(to(format!("systemctl disable --now {unit}"), &frees(found)));
        return;
    }
    if let Some(pid) = found.engine {
        all.push(to(killed(&[pid]), &frees(found)));
        all.push(to(over(&[pid]), "waits until it is over"));
    }
    if found.is_alone() && !found.units.is_empty() {
        // Without `--now`: whatever runs in it is not the engine that was found.
        all.push(to("systemctl disable wharf".to_owned(), "no engine starts at boot any more"));
    }
}

fn killed(pids: &[u32]) -> String {
    format!("kill {}", listed(pids))
}

/// Waits for processes that are no children of the shell.
fn over(pids: &[u32]) -> String {
    let pids = listed(pids);
    format!("for pid in {pids}; do while kill -0 $pid 2>/dev/null; do sleep 1; done; done")
}

fn listed(pids: &[u32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn remove_program(found: &Installed, all: &mut Vec<Do>) {
    for prefix in &found.prefixes {
        let command = format!("(cd {} && xargs -d '\\n' rm -f <{FILES})", quoted(prefix));
        all.push(to(command, "the program and what came with it"));
    }
    let installed: Vec<&str> = installed(found).map(String::as_str).collect();
    if !installed.is_empty() {
        let command = format!("rm -r {}", installed.join(" "));
        all.push(to(command, "the program and what came with it"));
    }
    if !found.units.is_empty() {
        all.push(to("systemctl daemon-reload".to_owned(), ""));
    }
}

/// Directories below which there is nothing of another instance.
fn remove_state(found: &Installed, all: &mut Vec<Do>) {
    let state = match found.homes.is_empty() {
        true => "for good: what is known of sessions, and the key of sealed files",
        false => {
            "for good: what is known of sessions, the key of sealed files, and the homes in it"
        }
    };
    let runtime = "once no session lives any more";
    let dirs = [(&found.state, state), (&found.store, "for good"), (&found.runtime, runtime)];
    for (dir, note) in dirs {
        if let Some(dir) = dir.as_ref().filter(|dir| found.others_below(dir).is_empty()) {
            all.push(to(format!("rm -r {}", quoted(dir)), note));
        }
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What the engine's end leaves free.
fn frees(found: &Installed) -> String {
    match (found.listens.is_empty(), found.mode) {
        (true, _) => "the engine stops".to_owned(),
        (false, mode) => {
            let free = format!("the engine stops; {} is free again", found.listens.join(", "));
            match mode {
                Some(Mode::Serve) => {
                    free + ": start what served before, or point the balancer there"
                }
                Some(Mode::Beside | Mode::Observe) | None => free,
            }
        }
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests;
