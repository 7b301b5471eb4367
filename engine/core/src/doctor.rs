//! What a machine lacks to serve a site, and what would be lost if this engine took the product's place.
//!
//! Pure: from a site's files, what they ask for, and [`Machine`], what was found around them. The shell collects
//! (`cli/doctor` in the engine). Read next: [`mod@cutover`], [`state`].

mod cutover;
pub mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::desired::{Desired, Lowered, Mode};
use crate::ids::{UserName, WorkbenchName};
use crate::incumbent::{Found, Service};
use crate::known::Known;
use crate::observed::{ProgramSeen, UserSeen, WorkbenchSeen};
use crate::site::SiteFiles;

pub use cutover::cutover;

/// What was found around a site's files.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Whether this account can become others: it is root; Unknown for a copy of a machine.
    pub root: Known<bool>,
    /// Whether somebody keeps the clock.
    pub clock: Known<bool>,
    /// The ports that the site names: what for, and who holds each; none = it is free.
    pub ports: BTreeMap<u16, PortSeen>,
    /// Accounts of declared sessions.
    pub users: BTreeMap<UserName, Known<UserSeen>>,
    /// Workbenches of declared sessions, and `rstudio`.
    pub workbenches: BTreeMap<WorkbenchName, Known<WorkbenchSeen>>,
    /// The product.
    pub incumbent: Known<Arc<Found>>,
    /// Suspended R sessions in the homes of this machine's own accounts.
    pub suspended: Known<Suspended>,
}

/// A port that a site names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSeen {
    /// What for: `pages`, `gateway lab`.
    pub what: String,
    /// Who listens there, in words: `nginx, pid 812`.
    pub holder: Known<Option<String>>,
}

/// Suspended R sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspended {
    /// How many.
    pub sessions: usize,
    /// In how many homes.
    pub homes: usize,
    /// Homes that could not be read.
    pub unreadable: usize,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing is wrong.
    Note,
    /// It could not be established.
    Unknown,
    /// It works, and not as it should.
    Degraded,
    /// It would be lost at cut-over.
    Lost,
    /// It does not work.
    Failed,
}

impl Verdict {
    /// The word in front of a line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Unknown => "?",
            Verdict::Degraded => "warn",
            Verdict::Lost => "lost",
            Verdict::Failed => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What it is about: `port 8787`.
    pub area: String,
    /// How it is.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where it stands: `rserver.conf:4`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

impl Finding {
    /// A finding that names no place and says nothing of what to do.
    #[must_use]
    pub fn new(area: impl Into<String>, verdict: Verdict, text: impl Into<String>) -> Self {
        let (area, text) = (area.into(), text.into());
        Self { area, verdict, text, help: None, places: Vec::new() }
    }

    /// The same with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with where it stands.
    #[must_use]
    pub fn at(self, place: String) -> Self {
        self.places([place])
    }

    fn places(mut self, places: impl IntoIterator<Item = String>) -> Self {
        self.places.extend(places);
        self
    }
}

/// The exit code of `doctor` (interface.md §2): 0 healthy, 1 something does not work, 2 something is degraded,
/// not known, or would be lost.
#[must_use]
pub fn exit_code<'a>(findings: impl Iterator<Item = &'a Finding>) -> u8 {
    match findings.map(|finding| finding.verdict).max() {
        Some(Verdict::Failed) => 1,
        Some(Verdict::Lost | Verdict::Degraded | Verdict::Unknown) => 2,
        Some(Verdict::Note | Verdict::Ok) | None => 0,
    }
}

/// Looks at everything that the site needs of the machine, in the mode that it has.
#[must_use]
pub fn examine(files: &SiteFiles, lowered: &Lowered, machine: &Machine) -> Vec<Finding> {
    let desired = &lowered.desired;
    let mut out = vec![of_files(files, lowered)];
    out.extend(of_product(machine));
    out.extend(machine.ports.iter().map(|(port, seen)| of_port(*port, seen, desired, machine)));
    out.push(of_clock(machine));
    out.extend(of_accounts(desired, machine));
    out.extend(of_workbenches(desired, machine));
    out
}

fn of_files(files: &SiteFiles, lowered: &Lowered) -> Finding {
    let denied = files.denied().count();
    let help = "wharf check says what and where";
    if !lowered.is_acceptable() && denied == 0 {
        let text = format!("{}: they cannot come into force", count(lowered.site_errors, "error"));
        return Finding::new("files", Verdict::Failed, text).help(help);
    }
    if denied > 0 {
        let text = format!("{denied} not read (permission denied)");
        return Finding::new("files", Verdict::Unknown, text).help("ask as root");
    }
    let warnings = lowered.problems.len();
    let text = format!("{} set", count(lowered.settings.len(), "option"));
    match warnings {
        0 => Finding::new("files", Verdict::Ok, text),
        n => {
            let text = format!("{text}, {}", count(n, "finding"));
            Finding::new("files", Verdict::Note, text).help(help)
        }
    }
}

fn of_product(machine: &Machine) -> Vec<Finding> {
    let area = "product";
    let found = match &machine.incumbent {
        Known::Present(found) => found,
        Known::Absent => {
            return vec![Finding::new(
                area,
                Verdict::Ok,
                "no Workbench or RStudio Server runs here",
            )];
        }
        Known::Unknown { reason, .. } => return vec![Finding::new(area, Verdict::Unknown, reason)],
    };
    let main = found.main(Service::Server).or_else(|| found.main(Service::Launcher));
    let pid = main.map(|main| format!(" ({}, pid {})", main.program, main.pid));
    let sessions = match &found.sessions {
        Known::Present(sessions) => format!("{} here", count(sessions.len(), "session")),
        Known::Absent | Known::Unknown { .. } => "sessions not known".to_owned(),
    };
    let text = format!("{}{} runs, {sessions}", found.name(), pid.unwrap_or_default());
    let unknowns = found.unknowns().into_iter();
    let unknowns =
        unknowns.map(|what| Finding::new(area, Verdict::Note, format!("not known: {what}")));
    std::iter::once(Finding::new(area, Verdict::Note, text)).chain(unknowns).collect()
}

/// `1 session`, `2 sessions`.
fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn of_port(port: u16, seen: &PortSeen, desired: &Desired, machine: &Machine) -> Finding {
    let area = format!("port {port}");
    let holder = match &seen.holder {
        Known::Present(Some(holder)) => holder,
        Known::Present(None) | Known::Absent => {
            return Finding::new(area, Verdict::Ok, format!("free, for {}", seen.what));
        }
        Known::Unknown { reason, .. } => return Finding::new(area, Verdict::Unknown, reason),
    };
    let product = machine.incumbent.present().and_then(|found| found.holder(port));
    let text = format!("held by {holder}, wanted for {}", seen.what);
    match (product, desired.mode) {
        (Some(_), Mode::Observe) => Finding::new(area, Verdict::Ok, format!("held by {holder}, the product")),
        (Some(_), _) => Finding::new(area, Verdict::Failed, format!("{text}: it is the product's"))
            .help("serve beside it: mode = \"beside\" with [listen] www-port in wharf.toml; or stop it"),
        (None, _) if holder.starts_with("wharf,") => {
            Finding::new(area, Verdict::Ok, format!("held by {holder}, for {}", seen.what))
        }
        (None, _) => Finding::new(area, Verdict::Failed, text).help("stop it, or name another port"),
    }
}

fn of_clock(machine: &Machine) -> Finding {
    let help = "sign-in cookies and leases go by the clock: run chrony or systemd-timesyncd";
    match &machine.clock {
        Known::Present(true) => Finding::new("clock", Verdict::Ok, "synchronised"),
        Known::Present(false) => {
            Finding::new("clock", Verdict::Degraded, "nobody keeps it").help(help)
        }
        Known::Absent => Finding::new("clock", Verdict::Degraded, "nobody keeps it").help(help),
        Known::Unknown { reason, .. } => Finding::new("clock", Verdict::Unknown, reason).help(help),
    }
}

fn of_accounts(desired: &Desired, machine: &Machine) -> Vec<Finding> {
    let mut out = Vec::new();
    match &machine.root {
        Known::Present(true) => {}
        Known::Present(false) => out.push(
            Finding::new(
                "accounts",
                Verdict::Degraded,
                "this account can start its own sessions only",
            )
            .help("run the unit: its warden is root, its engine is not"),
        ),
        Known::Absent => {}
        Known::Unknown { reason, .. } => {
            out.push(Finding::new("accounts", Verdict::Unknown, reason));
        }
    }
    let mut well = 0;
    for (user, known) in &machine.users {
        let area = format!("account {user}");
        let used = || desired.sessions.known().filter(|(_, s)| s.launch.user == *user).count();
        match known {
            Known::Present(_) => well += 1,
            Known::Absent => out.push(
                Finding::new(
                    area,
                    Verdict::Failed,
                    format!("there is none, for {}", count(used(), "session")),
                )
                .help("make it, or mend `user` in sessions.d"),
            ),
            Known::Unknown { reason, .. } => out.push(Finding::new(area, Verdict::Unknown, reason)),
        }
    }
    if well > 0 {
        out.push(Finding::new(
            "accounts",
            Verdict::Ok,
            format!("{well} of declared sessions found"),
        ));
    }
    out
}

fn of_workbenches(desired: &Desired, machine: &Machine) -> Vec<Finding> {
    let used = |name: &WorkbenchName| {
        desired.sessions.known().filter(|(_, spec)| spec.launch.workbench == *name).count()
    };
    let seen = machine.workbenches.iter().filter(|(name, _)| used(name) > 0);
    seen.map(|(name, known)| of_workbench(name, known)).collect()
}

fn of_workbench(name: &WorkbenchName, known: &Known<WorkbenchSeen>) -> Finding {
    let area = format!("workbench {name}");
    match known {
        Known::Present(WorkbenchSeen { found, ours }) => match (found, ours) {
            (ProgramSeen::Works { exe, version }, _) => {
                Finding::new(area, Verdict::Ok, format!("{exe} {version}").trim_end().to_owned())
            }
            (ProgramSeen::Asked { exe } | ProgramSeen::Silent { exe }, _) => {
                Finding::new(area, Verdict::Ok, exe)
            }
            (ProgramSeen::Missing { .. }, Some(_)) => {
                Finding::new(area, Verdict::Ok, "installed once it is needed, as a file asks")
            }
            (ProgramSeen::Missing { help }, None) => {
                Finding::new(area, Verdict::Failed, "not found").help(help)
            }
        },
        Known::Absent => Finding::new(area, Verdict::Failed, "there is no such workbench"),
        Known::Unknown { reason, .. } => Finding::new(area, Verdict::Unknown, reason),
    }
}

#[cfg(test)]
mod tests;
