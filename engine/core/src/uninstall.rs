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
    for dir in &found.configuration {
        add(dir, "what people wrote; nothing of ours ever wrote there");
    }
    for home in &found.homes {
        add(home, "a home that the engine made, with what people keep in it");
    }
    if let Some(state) = &found.state {
        add(state, "generations, requests, overrides; sealed files, and the key that opens them");
    }
    if let Some(store) = &found.store {
        add(store, "the store, kept apart from the state");
    }
    if let Some(runtime) = &found.runtime {
        add(
            runtime,
            "sockets, and the directories of sessions with their logs; gone at the next boot",
        );
    }
    for prefix in &found.prefixes {
        add(prefix, &format!("what {prefix}/{FILES} lists"));
    }
    for path in installed(found) {
        add(path, "installed");
    }
    stays
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
    let mut to = |command: String, note: &str| all.push(Do { command, note: note.to_owned() });
    let living: usize = found.sessions.values().map(Vec::len).sum();
    let instance = &found.instance;
    if found.state.is_some() {
        let command =
            format!("wharf state export --instance {instance} --out wharf-{instance}.jsonl");
        to(command, "a copy of what is known, to go back to");
    }
    match (living, found.engine) {
        (0, _) => {}
        (_, Some(_)) => {
            let command = format!("wharf session stop --all --instance {instance}");
            to(command, &format!("ends {}: they outlive the engine", plural(living, "session")));
        }
        (_, None) => {
            // Without an engine nobody else can tell them: each keeper ends its own session.
            let pids: Vec<String> =
                found.sessions.values().flatten().map(|living| living.pid.to_string()).collect();
            let note = format!("ends {}: no engine runs to do it", plural(living, "session"));
            to(format!("kill {}", pids.join(" ")), &note);
        }
    }
    match (found.units.is_empty(), found.engine) {
        (false, _) => to("systemctl disable --now wharf".to_owned(), &frees(found)),
        (true, Some(pid)) => to(format!("kill {pid}"), &frees(found)),
        (true, None) => {}
    }
    for prefix in &found.prefixes {
        let command = format!("(cd {prefix} && xargs -d '\\n' rm -f <{FILES})");
        to(command, "the program and what came with it");
    }
    let installed: Vec<&str> = installed(found).map(String::as_str).collect();
    if !installed.is_empty() {
        to(format!("rm -r {}", installed.join(" ")), "the program and what came with it");
    }
    if !found.units.is_empty() {
        to("systemctl daemon-reload".to_owned(), "");
    }
    if let Some(state) = &found.state {
        let note = match found.homes.is_empty() {
            true => "for good: what is known of sessions, and the key of sealed files",
            false => {
                "for good: what is known of sessions, the key of sealed files, and the homes in it"
            }
        };
        to(format!("rm -r {state}"), note);
    }
    if let Some(store) = &found.store {
        to(format!("rm -r {store}"), "for good");
    }
    if let Some(runtime) = &found.runtime {
        to(format!("rm -r {runtime}"), "once no session lives any more");
    }
    all
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
mod tests {
    use super::*;

    fn living(session: &str, pid: u32) -> Living {
        Living { session: session.to_owned(), pid }
    }

    fn serving() -> Installed {
        Installed {
            instance: "main".to_owned(),
            mode: Some(Mode::Serve),
            engine: Some(812),
            sessions: BTreeMap::from([
                ("alice".to_owned(), vec![living("lab", 900), living("r", 901)]),
                ("bob".to_owned(), vec![living("b", 902)]),
            ]),
            units: vec!["/etc/systemd/system/wharf.service".to_owned()],
            programs: vec!["/usr/bin/wharf".to_owned()],
            listens: vec!["0.0.0.0:8787".to_owned()],
            state: Some("/var/lib/wharf".to_owned()),
            runtime: Some("/run/wharf".to_owned()),
            configuration: vec!["/etc/rstudio".to_owned()],
            ..Installed::default()
        }
    }

    fn typed(found: &Installed) -> Vec<String> {
        plan(found).commands.into_iter().map(|of| of.command).collect()
    }

    #[test]
    fn sessions_end_before_the_engine_and_the_engine_before_its_files() {
        let commands = typed(&serving());
        assert_eq!(
            commands,
            [
                "wharf state export --instance main --out wharf-main.jsonl",
                "wharf session stop --all --instance main",
                "systemctl disable --now wharf",
                "rm -r /etc/systemd/system/wharf.service /usr/bin/wharf",
                "systemctl daemon-reload",
                "rm -r /var/lib/wharf",
                "rm -r /run/wharf",
            ]
        );
        let stop = plan(&serving()).commands.remove(2);
        assert!(stop.note.contains("0.0.0.0:8787 is free again: start what served before"));
    }

    #[test]
    fn what_an_archive_brought_goes_by_its_list() {
        let mut found = Installed { prefixes: vec!["/usr".to_owned()], ..serving() };
        found.programs.push("/opt/wharf".to_owned());
        let commands = typed(&found);
        assert_eq!(commands[3], r"(cd /usr && xargs -d '\n' rm -f <share/wharf/files)");
        assert_eq!(commands[4], "rm -r /etc/systemd/system/wharf.service /opt/wharf");
    }

    #[test]
    fn without_an_engine_sessions_are_named_by_their_processes() {
        let found = Installed { engine: None, ..serving() };
        assert!(typed(&found).contains(&"kill 900 901 902".to_owned()));
    }

    #[test]
    fn no_command_touches_what_people_wrote_or_what_is_the_products() {
        let mut found = serving();
        found.configuration.push("/etc/wharf".to_owned());
        found.foreign = 14;
        let all = typed(&found).join("\n");
        assert!(!all.contains("/etc/rstudio") && !all.contains("/etc/wharf"), "{all}");
        let stays = plan(&found).stays;
        assert_eq!(stays[0].what, "14 sessions of the product");
        assert!(stays.iter().any(|of| of.what == "/etc/wharf"));
    }

    #[test]
    fn what_stays_is_named_with_what_it_holds() {
        let found = Installed {
            foreign: 1,
            homes: vec!["/var/lib/wharf/homes/nobody".to_owned()],
            store: Some("/srv/wharf/store".to_owned()),
            ..serving()
        };
        let planned = plan(&found);
        let stays: Vec<String> =
            planned.stays.iter().map(|of| format!("{}: {}", of.what, of.note)).collect();
        assert_eq!(
            stays,
            [
                "1 session of the product: they were shown only",
                "/etc/rstudio: what people wrote; nothing of ours ever wrote there",
                "/var/lib/wharf/homes/nobody: a home that the engine made, with what people keep in it",
                "/var/lib/wharf: generations, requests, overrides; sealed files, and the key that opens them",
                "/srv/wharf/store: the store, kept apart from the state",
                "/run/wharf: sockets, and the directories of sessions with their logs; gone at the next boot",
                "/etc/systemd/system/wharf.service: installed",
                "/usr/bin/wharf: installed",
            ]
        );
        let notes: Vec<String> =
            planned.commands.iter().map(|of| format!("{}: {}", of.command, of.note)).collect();
        assert_eq!(
            notes[5..],
            [
                "rm -r /var/lib/wharf: for good: what is known of sessions, the key of sealed files, and the homes in it",
                "rm -r /srv/wharf/store: for good",
                "rm -r /run/wharf: once no session lives any more",
            ]
        );
        assert!(notes[1].ends_with(": ends 3 sessions: they outlive the engine"), "{notes:?}");
    }

    #[test]
    fn an_engine_without_a_unit_is_killed_and_frees_its_port() {
        for mode in [None, Some(Mode::Observe), Some(Mode::Beside)] {
            let found =
                Installed { mode, units: Vec::new(), sessions: BTreeMap::new(), ..serving() };
            let stop = plan(&found).commands.remove(1);
            assert_eq!(stop.command, "kill 812");
            assert_eq!(stop.note, "the engine stops; 0.0.0.0:8787 is free again");
        }
        let found = Installed { units: Vec::new(), listens: Vec::new(), ..serving() };
        assert_eq!(plan(&found).commands[2].note, "the engine stops");
    }

    #[test]
    fn where_nothing_is_nothing_is_to_be_done() {
        let none = plan(&Installed::default());
        assert!(none.commands.is_empty() && none.stays.is_empty() && none.ends.is_empty());
    }
}
