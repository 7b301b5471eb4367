//! What to ask of the product, by what its files say: ports, pages that are turned on, schedulers.
//!
//! Defaults: options.toml (`www-port` 8787), interface.md §6 (metrics on 8989).

use crate::desired::Mode;
use crate::settings::Settings;

/// Where the product runs, or is what is observed, it is looked at this often, in milliseconds.
const OFTEN_MS: u64 = 5_000;
/// Where an engine serves and the product does not run, in milliseconds.
const SELDOM_MS: u64 = 60_000;

/// What the shell is to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// The port of the product's pages.
    pub www_port: u16,
    /// Whether it speaks TLS there: then its pages are not asked.
    pub www_tls: bool,
    /// Whether the files turn the health check on.
    pub health: bool,
    /// The port of the metrics, where the files turn them on.
    pub metrics_port: Option<u16>,
    /// Clusters that have a scheduler.
    pub schedulers: Vec<Scheduler>,
    /// The account that the product's server runs as.
    pub server_user: String,
    /// Whether these are the files that the product reads, and not a directory of the engine's own.
    pub of_this_site: bool,
    /// How often to look while it runs, in milliseconds.
    pub every_ms: u64,
    /// How often to look while it does not, in milliseconds.
    pub absent_every_ms: u64,
}

/// A cluster with a scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduler {
    /// The cluster's name.
    pub cluster: String,
    /// What it is.
    pub kind: SchedulerKind,
}

/// Which scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulerKind {
    /// Slurm: `squeue`.
    Slurm,
    /// Kubernetes: `kubectl`.
    Kubernetes,
}

const SERVER: &str = "rserver.conf";

impl Questions {
    /// What to ask where a site sets this; none where an engine serves a directory of its own, which is no
    /// product's. `clusters` are those of `launcher.conf`, each with its type.
    #[must_use]
    pub fn of<'a>(
        settings: &Settings,
        clusters: impl Iterator<Item = (&'a str, &'a str)>,
        of_this_site: bool,
        mode: Mode,
    ) -> Option<Self> {
        if mode == Mode::Serve && !of_this_site {
            return None;
        }
        let text = |option: &str| settings.value(SERVER, option);
        let port = |option: &str, default: u16| {
            text(option).and_then(|value| value.parse().ok()).unwrap_or(default)
        };
        let on = |option: &str| {
            text(option).is_some_and(|v| ["1", "true", "yes", "on"].contains(&&*v.to_lowercase()))
        };
        let www_port = port("www-port", 8787);
        let metrics_port = on("metrics-enabled").then(|| port("metrics-port", 8989));
        Some(Self {
            www_port,
            www_tls: on("ssl-enabled"),
            health: on("server-health-check-enabled"),
            metrics_port,
            schedulers: clusters.filter_map(scheduler).collect(),
            server_user: text("server-user").unwrap_or("rstudio-server").to_owned(),
            of_this_site,
            every_ms: OFTEN_MS,
            absent_every_ms: if mode == Mode::Serve { SELDOM_MS } else { OFTEN_MS },
        })
    }
}

fn scheduler((cluster, kind): (&str, &str)) -> Option<Scheduler> {
    let kind = match kind {
        "slurm" => SchedulerKind::Slurm,
        "kubernetes" => SchedulerKind::Kubernetes,
        _ => return None,
    };
    Some(Scheduler { cluster: cluster.to_owned(), kind })
}
