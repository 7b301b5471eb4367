//! Which processes of a machine are the product's, and which of those are sessions.
//!
//! | process | is |
//! |---|---|
//! | `rserver`, `rserver-http`, `rserver-monitor`, `rworkspaces` | service `rstudio-server` |
//! | `rstudio-launcher`, its plugins (`rstudio-*-launcher`), `rserver-launcher`, `rsandbox` | service `rstudio-launcher` |
//! | `rsession` | an R session |
//! | JupyterLab, Jupyter Notebook, code-server, Positron below one of those, or in the control group of one | a session |
//!
//! A notebook that somebody started by hand has no such ancestor, and is nobody's concern here. Of a session's
//! own processes only the topmost one counts. Names of programs: behaviour.md §1 to §4, components.md.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Service};

/// What `/proc/PID/stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The parent.
    pub parent: u32,
    /// The first fifteen bytes of the program's name.
    pub name: String,
    /// Its state; `Z` and `X` are dead.
    pub state: char,
    /// When it began, in clock ticks after boot.
    pub start_ticks: u64,
}

/// What else must be known of a process that may be the product's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The account that it runs as.
    pub uid: u32,
    /// Its arguments.
    pub args: Vec<String>,
    /// The text of its control groups.
    pub cgroup: String,
}

/// A process that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// A process of a service: which program.
    Service(Service, &'static str),
    /// A session, and the service that started it.
    Session(Kind, Option<Service>),
}

/// The product's programs that are no sessions.
const PROGRAMS: [(&str, Service); 10] = [
    ("rserver", Service::Server),
    ("rserver-http", Service::Server),
    ("rserver-monitor", Service::Server),
    ("rworkspaces", Service::Server),
    ("rstudio-launcher", Service::Launcher),
    ("rstudio-local-launcher", Service::Launcher),
    ("rstudio-slurm-launcher", Service::Launcher),
    ("rstudio-kubernetes-launcher", Service::Launcher),
    ("rserver-launcher", Service::Launcher),
    ("rsandbox", Service::Launcher),
];

/// The kernel keeps so many bytes of a program's name.
const NAME_BYTES: usize = 15;

/// Which of a service's processes is its main one: the lowest.
#[must_use]
pub fn rank(program: &str) -> usize {
    PROGRAMS.iter().position(|(name, _)| *name == program).unwrap_or(PROGRAMS.len())
}

/// Reads the text of `/proc/PID/stat`; the name in it may hold blanks and parentheses.
#[must_use]
pub fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

fn program(name: &str) -> Option<(&'static str, Service)> {
    let found = PROGRAMS.iter().find(|(program, _)| {
        let shown = program.get(..NAME_BYTES).unwrap_or(program);
        shown == name
    });
    found.copied()
}

/// Whether a process may be one whose details are wanted: by its name, or by an ancestor's.
#[must_use]
pub fn candidates(all: &BTreeMap<u32, Stat>) -> BTreeSet<u32> {
    let named = |stat: &Stat| program(&stat.name).is_some() || stat.name == "rsession";
    let mut known: BTreeMap<u32, bool> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for pid in all.keys() {
        if below(*pid, all, &named, &mut known) {
            found.insert(*pid);
        }
    }
    // A session of a launcher that has gone away has init for its parent; its control group may still say.
    let orphan = |stat: &Stat| stat.parent == 1 && may_be_session(&stat.name);
    found.extend(all.iter().filter(|(_, stat)| orphan(stat)).map(|(pid, _)| *pid));
    found.retain(|pid| all.get(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X')));
    found
}

/// Whether a process or one of its ancestors is meant. Remembers what it finds, so that each process is looked
/// at once; a circle, as of a torn picture, ends.
fn below(
    pid: u32,
    all: &BTreeMap<u32, Stat>,
    is_meant: &dyn Fn(&Stat) -> bool,
    known: &mut BTreeMap<u32, bool>,
) -> bool {
    let mut way = Vec::new();
    let mut at = pid;
    let found = loop {
        if let Some(found) = known.get(&at) {
            break *found;
        }
        let Some(stat) = all.get(&at) else { break false };
        way.push(at);
        known.insert(at, false);
        if is_meant(stat) {
            break true;
        }
        at = stat.parent;
    };
    for pid in way {
        known.insert(pid, found);
    }
    found
}

fn may_be_session(name: &str) -> bool {
    ["python", "jupyter", "node", "code-server", "positron"].iter().any(|n| name.starts_with(n))
}

/// What each of the candidates is; the others are nothing of the product's.
#[must_use]
pub fn recognise(all: &BTreeMap<u32, Stat>, details: &BTreeMap<u32, Detail>) -> BTreeMap<u32, Is> {
    let mut found = BTreeMap::new();
    for (pid, detail) in details {
        let Some(stat) = all.get(pid) else { continue };
        if let Some((name, service)) = program(&stat.name) {
            found.insert(*pid, Is::Service(service, name));
        } else if let Some(kind) = kind(stat, detail) {
            let held_by = holder(*pid, all, detail);
            let ours = kind == Kind::Rstudio || held_by.is_some();
            if ours && !inside_another(stat.parent, all, details) {
                found.insert(*pid, Is::Session(kind, held_by));
            }
        }
    }
    found
}

/// Whether one of the ancestors is a session already.
fn inside_another(parent: u32, all: &BTreeMap<u32, Stat>, details: &BTreeMap<u32, Detail>) -> bool {
    ancestors(parent, all).any(|(pid, stat)| {
        details
            .get(&pid)
            .is_some_and(|detail| program(&stat.name).is_none() && kind(stat, detail).is_some())
    })
}

/// A process and its ancestors, at most so many that a circle ends.
fn ancestors(from: u32, all: &BTreeMap<u32, Stat>) -> impl Iterator<Item = (u32, &Stat)> {
    let mut at = from;
    (0..64).map_while(move |_| {
        let stat = all.get(&at)?;
        let pid = at;
        at = stat.parent;
        Some((pid, stat))
    })
}

/// What kind of session a process would be, by its name and its arguments.
fn kind(stat: &Stat, detail: &Detail) -> Option<Kind> {
    if stat.name == "rsession" {
        return Some(Kind::Rstudio);
    }
    // The program is among the first words: `python3 /opt/x/bin/jupyter-lab`, `sh -c`, `node entry.js`.
    let words = || detail.args.iter().take(4).map(|arg| arg.rsplit('/').next().unwrap_or(arg));
    let has = |name: &str| words().any(|word| word == name);
    let path_has = |part: &str| detail.args.iter().take(4).any(|arg| arg.contains(part));
    if has("jupyter-lab") || has("jupyter-labhub") || (has("jupyter") && has("lab")) {
        Some(Kind::Jupyterlab)
    } else if has("jupyter-notebook") || (has("jupyter") && has("notebook")) {
        Some(Kind::JupyterNotebook)
    } else if path_has("positron-server") {
        Some(Kind::Positron)
    } else if path_has("code-server") {
        Some(Kind::VsCode)
    } else {
        None
    }
}

/// The service that started a session: its unit by the control group, else the nearest ancestor's.
fn holder(pid: u32, all: &BTreeMap<u32, Stat>, detail: &Detail) -> Option<Service> {
    let unit = |service: Service| {
        let name = format!("{}.service", service.name());
        detail.cgroup.split(['/', '\n']).any(|part| part == name)
    };
    if let Some(service) = [Service::Server, Service::Launcher].into_iter().find(|s| unit(*s)) {
        return Some(service);
    }
    let parent = all.get(&pid)?.parent;
    ancestors(parent, all).find_map(|(_, stat)| program(&stat.name)).map(|(_, service)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(rows: &[(u32, u32, &str, &str)]) -> (BTreeMap<u32, Stat>, BTreeMap<u32, Detail>) {
        let mut all = BTreeMap::new();
        let mut details = BTreeMap::new();
        for (pid, parent, name, args) in rows {
            let name = name.get(..NAME_BYTES).unwrap_or(name).to_owned();
            let stat = Stat { parent: *parent, name, state: 'S', start_ticks: u64::from(*pid) };
            all.insert(*pid, stat);
            let args = args.split_whitespace().map(str::to_owned).collect();
            details.insert(*pid, Detail { uid: 1000, args, cgroup: String::new() });
        }
        (all, details)
    }

    fn recognised(rows: &[(u32, u32, &str, &str)]) -> Vec<(u32, Is)> {
        let (all, mut details) = machine(rows);
        let wanted = candidates(&all);
        details.retain(|pid, _| wanted.contains(pid));
        recognise(&all, &details).into_iter().collect()
    }

    #[test]
    fn sessions_are_found_below_their_service_and_counted_once() {
        let found = recognised(&[
            (1, 0, "systemd", ""),
            (812, 1, "rserver", "/usr/lib/rstudio-server/bin/rserver"),
            (813, 812, "rserver-http", "nginx: master process"),
            (820, 812, "rsession", "rsession -u alice"),
            (821, 820, "sh", "sh -c jupyter lab"),
            (900, 1, "rstudio-launcher", "rstudio-launcher"),
            (901, 900, "rstudio-local-launcher", "x"),
            (902, 901, "rsandbox", "rsandbox --user bob"),
            (903, 902, "python3.12", "python3 /opt/jupyter/bin/jupyter-lab --no-browser"),
            (904, 903, "python3.12", "python3 -m ipykernel_launcher"),
            (905, 902, "node", "/usr/lib/rstudio-server/bin/code-server/lib/node code-server"),
            (906, 905, "node", "node /usr/lib/code-server/out/node/entry"),
        ]);
        let session = |pid, kind, service| (pid, Is::Session(kind, Some(service)));
        let service = |pid, name, service| (pid, Is::Service(service, name));
        assert_eq!(
            found,
            [
                service(812, "rserver", Service::Server),
                service(813, "rserver-http", Service::Server),
                session(820, Kind::Rstudio, Service::Server),
                service(900, "rstudio-launcher", Service::Launcher),
                service(901, "rstudio-local-launcher", Service::Launcher),
                service(902, "rsandbox", Service::Launcher),
                session(903, Kind::Jupyterlab, Service::Launcher),
                session(905, Kind::VsCode, Service::Launcher),
            ]
        );
    }

    #[test]
    fn a_notebook_of_ones_own_is_not_the_products() {
        let found = recognised(&[
            (1, 0, "systemd", ""),
            (50, 1, "bash", "bash"),
            (51, 50, "jupyter-lab", "python3 /home/x/bin/jupyter-lab"),
            (60, 1, "jupyter-lab", "python3 /home/x/bin/jupyter-lab"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_orphan_is_known_by_its_control_group() {
        let (all, mut details) = machine(&[
            (1, 0, "systemd", ""),
            (60, 1, "jupyter-lab", "python3 /opt/jupyter/bin/jupyter-lab"),
            (61, 1, "rsession", "rsession -u carol"),
        ]);
        let unit = "0::/system.slice/rstudio-launcher.service\n";
        unit.clone_into(&mut details.get_mut(&60).unwrap().cgroup);
        let found = recognise(&all, &details);
        assert_eq!(found[&60], Is::Session(Kind::Jupyterlab, Some(Service::Launcher)));
        assert_eq!(found[&61], Is::Session(Kind::Rstudio, None));
        let nearly = "0::/user.slice/not-rstudio-launcher.service\n";
        nearly.clone_into(&mut details.get_mut(&60).unwrap().cgroup);
        assert!(!recognise(&all, &details).contains_key(&60));
    }

    #[test]
    fn the_dead_a_circle_and_a_torn_picture_are_no_trap() {
        let (mut all, details) =
            machine(&[(5, 6, "x", ""), (6, 5, "y", ""), (7, 99, "rsession", "rsession")]);
        assert_eq!(candidates(&all).into_iter().collect::<Vec<_>>(), [7]);
        assert_eq!(recognise(&all, &details).len(), 1);
        all.get_mut(&7).unwrap().state = 'Z';
        assert!(candidates(&all).is_empty());
    }

    #[test]
    fn a_name_may_hold_anything() {
        let text = "812 (a) (b) S 9 (c) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 7";
        assert_eq!(parse_stat(text).map(|stat| stat.name), Some("a) (b) S 9 (c".to_owned()));
        for torn in ["", "812", "812 (x)", "812 (x) S 1 2 3", "x) y ("] {
            assert_eq!(parse_stat(torn), None, "{torn}");
        }
    }

    #[test]
    fn of_the_orphans_those_are_looked_at_whose_name_may_be_a_sessions() {
        let (all, _) = machine(&[
            (1, 0, "systemd", ""),
            (60, 1, "python3.12", ""),
            (61, 1, "jupyter-lab", ""),
            (62, 1, "node", ""),
            (63, 1, "code-server", ""),
            (64, 1, "positron-server", ""),
            (65, 1, "bash", ""),
            (66, 65, "python3.12", ""),
        ]);
        assert_eq!(candidates(&all).into_iter().collect::<Vec<_>>(), [60, 61, 62, 63, 64]);
    }

    #[test]
    fn a_session_is_known_by_the_words_that_start_it() {
        let kind_of = |args: &str| {
            let (all, details) = machine(&[(7, 1, "python3", args)]);
            kind(&all[&7], &details[&7])
        };
        for (args, is) in [
            ("/opt/bin/jupyter-lab --no-browser", Some(Kind::Jupyterlab)),
            ("python3 /opt/bin/jupyter-labhub", Some(Kind::Jupyterlab)),
            ("python3 /opt/bin/jupyter lab", Some(Kind::Jupyterlab)),
            ("python3 lab", None),
            ("python3 /opt/bin/jupyter console", None),
            ("jupyter-notebook", Some(Kind::JupyterNotebook)),
            ("python3 /opt/bin/jupyter notebook", Some(Kind::JupyterNotebook)),
            ("python3 notebook", None),
            ("node /opt/positron-server/out/main.js", Some(Kind::Positron)),
            ("node /opt/code-server/out/main.js", Some(Kind::VsCode)),
        ] {
            assert_eq!(kind_of(args), is, "{args}");
        }
    }
}
