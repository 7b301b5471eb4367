//! What an edit of files makes the running product do, and to whom.
//!
//! | the catalogue says | the product must | source |
//! |---|---|---|
//! | `restart` | restart its server; for files of the launcher both services | the page of administrative tasks (files.md) |
//! | `reload`, `launcher-reload` | read its files again; no session ends | the same; the server's command line page |
//! | `new-session`, `immediate` | nothing | the same |
//! | `unknown` | restart, the page's default, reckoned with and marked `not proven` | |
//!
//! | session | restart of rstudio-server | restart of rstudio-launcher |
//! |---|---|---|
//! | R, started by the server | ends: stopping it stops the R sessions of its node ([command line][cli]); they are suspended by force ([18091]) | stays |
//! | R, started by the launcher | ends, not proven | ends, not proven |
//! | other, started by the server | ends, not proven | stays |
//! | other, started by the launcher | stays, not proven | ends, not proven |
//! | nobody knows by whom | ends, not proven | ends, not proven |
//! | a scheduler's job | stays: it is the scheduler's process | stays |
//!
//! Reckons with harm where nothing is proven, and says which is which.
//!
//! [cli]: https://docs.posit.co/ide/server-pro/reference/rstudio_server_cli.html
//! [18091]: https://github.com/rstudio/rstudio/pull/18091

use std::collections::BTreeSet;
use std::sync::Arc;

use grammar::catalogue::Incumbent;
use grammar::source::FileKind;

use super::{Found, Kind, Service};
use crate::known::Known;
use crate::settings::{OptionChange, SettingKey, Settings};
use crate::site::{DropIn, WHARF_TOML};

/// What an edit makes the product do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequence {
    /// Beside each changed option: what the product must do for it; none for files of our own.
    pub musts: Vec<Option<Incumbent>>,
    /// Services to restart.
    pub restart: BTreeSet<Service>,
    /// Services to reload.
    pub reload: BTreeSet<Service>,
    /// Whether each restart is established for the options that ask for it.
    pub proven: bool,
    /// The nodes on which it must be done, as far as they are known.
    pub nodes: Vec<String>,
    /// Why further nodes are not known, if so.
    pub nodes_unknown: Option<String>,
    /// What becomes of each session that is known of.
    pub fates: Vec<Fate>,
    /// Jobs in schedulers, by cluster: they stay.
    pub jobs: Vec<(String, usize)>,
    /// What is not known, and might be hurt.
    pub unknowns: Vec<String>,
}

/// What becomes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// What it is.
    pub kind: Kind,
    /// Its account.
    pub user: String,
    /// Its pid on its node.
    pub pid: u32,
    /// Its node, where it is another one than this.
    pub node: Option<String>,
    /// Whether it ends.
    pub ends: bool,
    /// Whether that is established.
    pub proven: bool,
    /// Why, in words.
    pub why: &'static str,
}

impl Consequence {
    /// Sessions that end.
    pub fn ending(&self) -> impl Iterator<Item = &Fate> {
        self.fates.iter().filter(|fate| fate.ends)
    }

    /// Whether somebody's session ends, or nobody knows whether.
    #[must_use]
    pub fn is_harmful(&self) -> bool {
        let unseen = !self.restart.is_empty() && !self.unknowns.is_empty();
        unseen || self.ending().next().is_some()
    }

    /// What must be done, in words; empty where nothing must: `restart rstudio-server and rstudio-launcher`.
    #[must_use]
    pub fn acts(&self) -> String {
        let acts = [("restart", &self.restart), ("reload", &self.reload)];
        let acts = acts.into_iter().filter(|(_, services)| !services.is_empty());
        let acts = acts.map(|(verb, services)| {
            let names: Vec<&str> = services.iter().map(|service| service.name()).collect();
            format!("{verb} {}", names.join(" and "))
        });
        acts.collect::<Vec<_>>().join(", ")
    }

    /// How many of the changed options are the product's.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.musts.iter().flatten().count()
    }
}

/// What `changes`, from one site to another, make the product do that was `found` on the node `here`.
#[must_use]
pub fn consequence(
    changes: &[OptionChange],
    from: &Settings,
    to: &Settings,
    found: &Known<Arc<Found>>,
    here: &str,
) -> Consequence {
    let mut out = Consequence { proven: true, ..Consequence::default() };
    for change in changes {
        let must = must(change, from, to);
        match must {
            Some(Incumbent::Restart) => out.restart.extend(services(&change.file)),
            Some(Incumbent::Unknown) => {
                out.restart.extend(services(&change.file));
                out.proven = false;
            }
            Some(Incumbent::Reload) => out.reload.extend([Service::Server]),
            Some(Incumbent::LauncherReload) => out.reload.extend([Service::Launcher]),
            Some(Incumbent::NewSession | Incumbent::Immediate) | None => {}
        }
        out.musts.push(must);
    }
    // Who restarts has read everything anew.
    out.reload.retain(|service| !out.restart.contains(service));
    if let Known::Unknown { reason, .. } = found {
        out.unknowns.push(reason.clone());
    }
    if let Some(found) = found.present() {
        people(&mut out, found, here);
    }
    out
}

/// What the product must do for one changed option; none where the file is our own.
pub(super) fn must(change: &OptionChange, from: &Settings, to: &Settings) -> Option<Incumbent> {
    let dir = change.file.split('/').next().unwrap_or_default();
    let own = &*change.file == WHARF_TOML || DropIn::ALL.iter().any(|d| d.dir_name() == dir);
    if own {
        return None;
    }
    let key = SettingKey {
        file: Arc::clone(&change.file),
        scope: change.scope.as_str().into(),
        option: change.option.clone(),
    };
    let row = to.get(&key).or_else(|| from.get(&key)).and_then(|setting| setting.row);
    Some(row.map_or_else(|| of_file(&change.file), |row| row.incumbent))
}

/// What the page of administrative tasks says of files whose options are names of the site's own.
fn of_file(file: &str) -> Incumbent {
    match FileKind::of_file_name(file) {
        Some(FileKind::EnvVars) => Incumbent::Reload,
        Some(FileKind::ReposConf) => Incumbent::NewSession,
        _ => Incumbent::Unknown,
    }
}

/// The services that read a file: the launcher its own ones only, and then both are to be restarted, as the
/// page has it.
pub(super) fn services(file: &str) -> impl Iterator<Item = Service> {
    let launcher = file.rsplit('/').next().is_some_and(|name| name.starts_with("launcher"));
    let both = launcher.then_some(Service::Launcher);
    [Service::Server].into_iter().chain(both)
}

/// Who is there, and what becomes of them.
fn people(out: &mut Consequence, found: &Found, here: &str) {
    out.nodes = vec![here.to_owned()];
    match &found.nodes {
        Known::Present(nodes) => {
            out.nodes = nodes.iter().map(|node| node.host.clone()).collect();
        }
        Known::Absent => {}
        Known::Unknown { reason, .. } => out.nodes_unknown = Some(reason.clone()),
    }
    if let Some(reason) = found.sessions.unknown_reason() {
        out.unknowns.push(format!("its sessions on {here}: {reason}"));
    }
    for session in found.local() {
        let (ends, proven, why) = fate(session.kind, session.held_by, &out.restart);
        let (kind, user, pid) = (session.kind, session.user.clone(), session.pid);
        out.fates.push(Fate { kind, user, pid, node: None, ends, proven, why });
    }
    elsewhere(out, found, here);
    for (cluster, jobs) in &found.jobs {
        match jobs {
            Known::Present(jobs) => out.jobs.push((cluster.clone(), jobs.len())),
            // They stay anyway.
            Known::Absent | Known::Unknown { .. } => {}
        }
    }
}

/// Sessions that the product counts on other nodes: their kind is not said.
fn elsewhere(out: &mut Consequence, found: &Found, here: &str) {
    let short = |host: &str| host.split('.').next().unwrap_or(host).to_owned();
    let known: BTreeSet<(u32, &str)> =
        found.local().iter().map(|session| (session.pid, session.user.as_str())).collect();
    for node in found.nodes.present().into_iter().flatten() {
        let is_here = short(&node.host) == short(here);
        let seen_here = found.sessions.present().is_some();
        for (pid, user) in &node.sessions {
            if (is_here && seen_here) || known.contains(&(*pid, user.as_str())) {
                continue;
            }
            let (ends, proven, why) = fate(Kind::Unsaid, None, &out.restart);
            let node = (!is_here).then(|| node.host.clone());
            let (kind, user, pid) = (Kind::Unsaid, user.clone(), *pid);
            out.fates.push(Fate { kind, user, pid, node, ends, proven, why });
        }
    }
}

const STAYS: &str = "no service of its own is restarted";
const SUSPENDED: &str =
    "the server stops the R sessions of its node: suspended by force, what they compute is lost";
const OF_SERVER: &str = "rstudio-server started it, and is restarted";
const OF_LAUNCHER: &str = "rstudio-launcher started it, and is restarted";
const LAUNCHER_STAYS: &str = "rstudio-launcher started it, and is not restarted";
const ANYBODYS: &str = "which service started it is not known";

/// The table of this module: whether a session ends, whether that is established, and why.
fn fate(
    kind: Kind,
    held_by: Option<Service>,
    restart: &BTreeSet<Service>,
) -> (bool, bool, &'static str) {
    let restarts = |service| restart.contains(&service);
    let (server, launcher) = (restarts(Service::Server), restarts(Service::Launcher));
    match (kind, held_by) {
        _ if !server && !launcher => (false, true, STAYS),
        (Kind::Rstudio, Some(Service::Server)) if server => (true, true, SUSPENDED),
        (Kind::Rstudio, _) if server => (true, false, SUSPENDED),
        (_, Some(Service::Server)) if server => (true, false, OF_SERVER),
        (_, Some(Service::Launcher)) if launcher => (true, false, OF_LAUNCHER),
        (_, Some(Service::Launcher)) => (false, false, LAUNCHER_STAYS),
        (_, Some(Service::Server)) => (false, true, STAYS),
        (_, None) => (true, false, ANYBODYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Service; 2] = [Service::Server, Service::Launcher];

    fn outcome(kind: Kind, by: Option<Service>, restart: &[Service]) -> (bool, bool) {
        let (ends, proven, _) = fate(kind, by, &restart.iter().copied().collect());
        (ends, proven)
    }

    #[test]
    fn every_edge_of_the_table() {
        let (server, launcher) = (Some(Service::Server), Some(Service::Launcher));
        let (r, lab) = (Kind::Rstudio, Kind::Jupyterlab);
        for (kind, by, on_server, on_launcher, on_both) in [
            (r, server, (true, true), (false, true), (true, true)),
            (r, launcher, (true, false), (true, false), (true, false)),
            (r, None, (true, false), (true, false), (true, false)),
            (lab, server, (true, false), (false, true), (true, false)),
            (lab, launcher, (false, false), (true, false), (true, false)),
            (lab, None, (true, false), (true, false), (true, false)),
            (Kind::Unsaid, None, (true, false), (true, false), (true, false)),
        ] {
            assert_eq!(outcome(kind, by, &[]), (false, true), "{kind:?} {by:?}");
            assert_eq!(outcome(kind, by, &BOTH[..1]), on_server, "{kind:?} {by:?}");
            assert_eq!(outcome(kind, by, &BOTH[1..]), on_launcher, "{kind:?} {by:?}");
            assert_eq!(outcome(kind, by, &BOTH), on_both, "{kind:?} {by:?}");
        }
    }

    #[test]
    fn files_of_the_launcher_restart_both_services() {
        let of = |file| services(file).collect::<Vec<_>>();
        assert_eq!(of("rserver.conf"), [Service::Server]);
        assert_eq!(of("launcher.conf"), BOTH);
        assert_eq!(of("/etc/rstudio/launcher.slurm2.conf"), BOTH);
    }

    #[test]
    fn what_names_are_the_sites_own_is_known_by_their_file() {
        assert_eq!(of_file("env-vars"), Incumbent::Reload);
        assert_eq!(of_file("repos.conf"), Incumbent::NewSession);
        assert_eq!(of_file("launcher-env"), Incumbent::Unknown);
        assert_eq!(of_file("no-such-file"), Incumbent::Unknown);
    }

    #[test]
    fn harm_is_a_session_that_ends_or_a_restart_that_nobody_knows_the_victims_of() {
        let fate = |ends| Fate {
            kind: Kind::Rstudio,
            user: "alice".to_owned(),
            pid: 1,
            node: None,
            ends,
            proven: true,
            why: "",
        };
        let unknowns = || vec!["its sessions on n1: denied".to_owned()];
        let restart = || BTreeSet::from([Service::Server]);
        let none = Consequence::default;
        for (consequence, harmful) in [
            (none(), false),
            (Consequence { restart: restart(), ..none() }, false),
            (Consequence { unknowns: unknowns(), ..none() }, false),
            (Consequence { restart: restart(), unknowns: unknowns(), ..none() }, true),
            (Consequence { restart: restart(), fates: vec![fate(false)], ..none() }, false),
            (Consequence { restart: restart(), fates: vec![fate(true)], ..none() }, true),
        ] {
            assert_eq!(consequence.is_harmful(), harmful, "{consequence:?}");
        }
    }

    #[test]
    fn a_session_is_counted_once_however_its_node_is_written() {
        let node = |host: &str, sessions: &[(u32, &str)]| crate::incumbent::pages::NodeStatus {
            host: host.to_owned(),
            port: 8787,
            address: "10.0.0.1".to_owned(),
            load: "0, 0, 0".to_owned(),
            sessions: sessions.iter().map(|(pid, user)| (*pid, (*user).to_owned())).collect(),
        };
        let nodes = vec![
            node("n1.example.org", &[(7, "alice"), (8, "bob")]),
            node("n2.example.org", &[(8, "bob")]),
        ];
        let mut found = crate::incumbent::tests::found();
        found.nodes = Known::Present(nodes);
        let fates = |found: &Found| -> Vec<(String, Option<String>)> {
            let mut out = Consequence::default();
            people(&mut out, found, "n1");
            out.fates.into_iter().map(|fate| (fate.user, fate.node)).collect()
        };
        let row = |user: &str, node: Option<&str>| (user.to_owned(), node.map(str::to_owned));
        // What runs here was looked at here.
        assert_eq!(fates(&found), [row("bob", Some("n2.example.org"))]);
        // Nobody could look here, so the list counts.
        found.sessions = Known::Unknown { since: Default::default(), reason: "denied".to_owned() };
        let all = [row("alice", None), row("bob", None), row("bob", Some("n2.example.org"))];
        assert_eq!(fates(&found), all);
    }
}
