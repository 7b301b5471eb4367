//! The product that runs on the same files, as it was found: its services, its sessions, what its pages say.
//!
//! Plain values, each part [`Known`]: what nobody could read is Unknown with its reason, and is said. All
//! of it is *foreign*: shown, reckoned with, never touched. The shell looks (`incumbent` in the engine);
//! what its answers mean is read here, by [`process`] and [`pages`]. What an edit of files makes the
//! product do, and to whom, is [`consequence`]; what it has not taken up yet, [`behind`]. Sources: behaviour.md §1.3, §2, §7; files.md, "When a
//! change takes effect".

pub mod behind;
pub mod consequence;
pub mod pages;
pub mod process;
mod questions;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::Moment;
use crate::known::Known;
use pages::{Health, Metrics, NodeStatus};

pub use questions::{Questions, Scheduler, SchedulerKind};

/// What was found of the product at one look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Found {
    /// When.
    pub looked_at: Moment,
    /// Its version, from the directory that its server was started from, or from its metrics.
    pub version: Known<String>,
    /// Its processes that are no sessions, by pid.
    pub services: Vec<FoundService>,
    /// Its sessions on this machine, oldest first.
    pub sessions: Known<Vec<FoundSession>>,
    /// Its nodes, as `GET /load-balancer/status` lists them.
    pub nodes: Known<Vec<NodeStatus>>,
    /// What `GET /health-check` says; absent where the files do not turn it on.
    pub health: Known<Health>,
    /// What its metrics say; absent where the files do not turn them on.
    pub metrics: Known<Metrics>,
    /// Its jobs in schedulers, by cluster; only clusters of `launcher.conf` that have a scheduler.
    pub jobs: BTreeMap<String, Known<Vec<FoundJob>>>,
    /// The TCP ports at which its processes listen, as far as their descriptors may be looked at.
    pub ports: Vec<HeldPort>,
    /// Whether the files of this engine are those that the product reads.
    pub of_this_site: bool,
}

/// A service of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// `rstudio-server`: `rserver` and what it starts.
    Server,
    /// `rstudio-launcher`: the job launcher and its plugins.
    Launcher,
}

impl Service {
    /// The name that the service manager knows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Service::Server => "rstudio-server",
            Service::Launcher => "rstudio-launcher",
        }
    }
}

/// A process of the product that is no session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FoundService {
    /// The program: `rserver`, `rstudio-launcher`.
    pub program: String,
    /// The service that it belongs to.
    pub service: Service,
    /// Its pid.
    pub pid: u32,
    /// When it began.
    pub since: Moment,
    /// The account it runs as.
    pub user: String,
    /// Whether that account is root, the product's, or the engine's own: another one's program may only
    /// be called so.
    pub trusted: bool,
}

/// What kind of session a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An R session.
    Rstudio,
    /// JupyterLab.
    Jupyterlab,
    /// Jupyter Notebook.
    JupyterNotebook,
    /// VS Code.
    VsCode,
    /// Positron.
    Positron,
    /// A session of a node that does not say which kind.
    Unsaid,
}

impl Kind {
    /// The name of the workbench.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rstudio => "rstudio",
            Kind::Jupyterlab => "jupyterlab",
            Kind::JupyterNotebook => "jupyter-notebook",
            Kind::VsCode => "vs-code",
            Kind::Positron => "positron",
            Kind::Unsaid => "unknown",
        }
    }
}

/// A session of the product on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FoundSession {
    /// What it is.
    pub kind: Kind,
    /// Its pid.
    pub pid: u32,
    /// When it began.
    pub since: Moment,
    /// The account it runs as.
    pub user: String,
    /// The service that started it, by its control group or its ancestors; none = neither says.
    pub held_by: Option<Service>,
}

/// A job of the product in a scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FoundJob {
    /// The scheduler's number or name for it.
    pub id: String,
    /// Its account.
    pub user: String,
    /// Its state, in the scheduler's word.
    pub state: String,
}

/// A port that the product holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldPort {
    /// The port.
    pub port: u16,
    /// The pid of the process that listens there.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

impl Found {
    /// Whether the same was found, whenever.
    #[must_use]
    pub fn same_as(&self, other: &Found) -> bool {
        let at = self.looked_at;
        *self == Found { looked_at: at, ..other.clone() }
    }

    /// What to call the product: Workbench where its launcher runs or it says so, else RStudio Server.
    #[must_use]
    pub fn product(&self) -> &'static str {
        let launcher = self.services.iter().any(|found| found.service == Service::Launcher);
        let pro = self.version.present().is_some_and(|version| version.contains(".pro"));
        let licensed = self.health.present().is_some_and(|health| health.license_status.is_some());
        if launcher || pro || licensed { "Workbench" } else { "RStudio Server" }
    }

    /// The product with its version where it is known: `Workbench 2026.07.0+139.pro3`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.version.present() {
            Some(version) => format!("{} {version}", self.product()),
            None => self.product().to_owned(),
        }
    }

    /// The process of the product that holds a port, if one does that is surely the product's.
    #[must_use]
    pub fn holder(&self, port: u16) -> Option<&HeldPort> {
        let trusted = |held: &&HeldPort| {
            self.services.iter().any(|service| service.pid == held.pid && service.trusted)
        };
        self.ports.iter().filter(|held| held.port == port).find(trusted)
    }

    /// The main process of a service.
    #[must_use]
    pub fn main(&self, service: Service) -> Option<&FoundService> {
        let of = self.services.iter().filter(|found| found.service == service);
        of.min_by_key(|found| (process::rank(&found.program), found.pid))
    }

    /// Sessions on this machine; none where nobody could look.
    #[must_use]
    pub fn local(&self) -> &[FoundSession] {
        self.sessions.present().map_or(&[], Vec::as_slice)
    }

    /// What could not be read, in words, part by part.
    #[must_use]
    pub fn unknowns(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut say = |what: &str, reason: Option<&str>| {
            if let Some(reason) = reason {
                out.push(format!("{what}: {reason}"));
            }
        };
        say("its version", self.version.unknown_reason());
        say("its sessions here", self.sessions.unknown_reason());
        say("its nodes", self.nodes.unknown_reason());
        say("its health check", self.health.unknown_reason());
        say("its metrics", self.metrics.unknown_reason());
        for (cluster, jobs) in &self.jobs {
            say(&format!("its jobs in cluster {cluster}"), jobs.unknown_reason());
        }
        out
    }
}

/// What is known before anybody looked.
#[must_use]
pub fn nobody_looked() -> Known<Arc<Found>> {
    let reason = "nobody looked for it yet".to_owned();
    Known::Unknown { since: Moment::default(), reason }
}

#[cfg(test)]
mod tests;
