//! What would be lost if this engine took the product's place now: read before the day, not on it.
//!
//! Made from the site as it would be served (`lowered` in mode `serve`), the catalogue's states, and what was
//! found of the product. Nothing is listed that is kept.

use std::collections::BTreeMap;

use grammar::catalogue::State;
use grammar::text::says_anything;

use super::{Finding, Machine, Verdict};
use crate::desired::Lowered;
use crate::ids::WorkbenchName;
use crate::incumbent::Kind;
use crate::known::Known;
use crate::observed::{ProgramSeen, WorkbenchSeen};
use crate::settings::{Setting, SettingKey};
use crate::site::SiteFiles;

/// Where each option stands that is named; more are counted.
const NAMED: usize = 6;

/// Lists what would be lost, gravest first. `serving` is the site lowered as one that serves.
#[must_use]
pub fn cutover(files: &SiteFiles, serving: &Lowered, machine: &Machine) -> Vec<Finding> {
    let mut out = Vec::new();
    out.extend(refused(files, serving));
    out.extend(running(machine));
    out.push(r_sessions(machine));
    out.extend(suspended(machine));
    out.extend(signing_in(serving));
    out.extend(clusters(serving));
    out.extend(whole_files(files));
    out.extend(options(serving));
    out
}

/// The set as it is would not be served at all.
fn refused(files: &SiteFiles, serving: &Lowered) -> Option<Finding> {
    if serving.is_acceptable() {
        return None;
    }
    let of_site = |problem: &&grammar::error::Problem| {
        problem.is_error() && !files.is_of_one_thing(problem) && !files.is_ignored_slip(problem)
    };
    let errors: Vec<_> = serving.problems.iter().filter(of_site).collect();
    let shown: Vec<String> = errors
        .iter()
        .take(NAMED)
        .map(|problem| format!("{} {}", problem.code, problem.message))
        .collect();
    let more = errors.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let text = format!("these files would be refused: {}{more}", shown.join("; "));
    let help = "mend them, or accept each with a reason: [accept] in wharf.toml";
    Some(Finding::new("files", Verdict::Failed, text).help(help))
}

/// Sessions that run there stay there.
fn running(machine: &Machine) -> Option<Finding> {
    let found = machine.incumbent.present()?;
    let name = found.product();
    let finding = match &found.sessions {
        Known::Unknown { reason, .. } => Finding::new("running sessions", Verdict::Unknown, reason),
        Known::Absent => return None,
        Known::Present(sessions) if sessions.is_empty() => {
            Finding::new("running sessions", Verdict::Ok, format!("none on {name}"))
        }
        Known::Present(sessions) => {
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            for session in sessions {
                *kinds.entry(session.kind.name()).or_default() += 1;
            }
            let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            let text = format!("on {name}: {}; they stay there until they end", kinds.join(", "));
            Finding::new("running sessions", Verdict::Note, text)
                .help("send new sign-ins here first, and stop it when the last one has ended")
        }
    };
    Some(finding)
}

/// Workbench's own R sessions need its licence; others are started where there is a program for them.
fn r_sessions(machine: &Machine) -> Finding {
    let area = "RStudio";
    let found = machine.incumbent.present();
    let is_pro = found.is_some_and(|found| found.product() == "Workbench");
    let help = "install RStudio Server, and set exe below [workbenches.rstudio] in wharf.toml";
    let rstudio = WorkbenchName::new("rstudio").ok().and_then(|n| machine.workbenches.get(&n));
    let missing = |why: &str| {
        let r_sessions = found.map_or(0, |found| {
            found.local().iter().filter(|session| session.kind == Kind::Rstudio).count()
        });
        let used = match r_sessions {
            0 => String::new(),
            n => format!("; {} of it now", super::count(n, "session")),
        };
        Finding::new(area, Verdict::Lost, format!("{why}{used}")).help(help)
    };
    match rstudio {
        Some(Known::Present(WorkbenchSeen { found: ProgramSeen::Missing { help }, .. })) => {
            missing(help)
        }
        Some(Known::Present(_)) if is_pro => {
            let text =
                "RStudio Pro's features: several R versions, shared projects, its own profiles";
            Finding::new(area, Verdict::Lost, text)
        }
        Some(Known::Present(_)) => Finding::new(area, Verdict::Ok, "there is a program for it"),
        None if is_pro => missing("Workbench's rsession is licensed, and is never run"),
        None => Finding::new(area, Verdict::Note, "whether it can be started was not looked at"),
        Some(Known::Absent) => Finding::new(area, Verdict::Lost, "no such workbench here"),
        Some(Known::Unknown { reason, .. }) => Finding::new(area, Verdict::Unknown, reason),
    }
}

fn suspended(machine: &Machine) -> Option<Finding> {
    let area = "suspended sessions";
    let help =
        "their owners open them on the product once more and save, or lose what is not saved";
    match &machine.suspended {
        Known::Absent => None,
        Known::Unknown { reason, .. } => Some(Finding::new(area, Verdict::Unknown, reason)),
        Known::Present(seen) => {
            let unread = match seen.unreadable {
                0 => String::new(),
                n => format!("; {} could not be read", super::count(n, "home")),
            };
            let sessions = super::count(seen.sessions, "R session");
            let text = format!("{sessions} in {}{unread}", super::count(seen.homes, "home"));
            let verdict = match (seen.sessions, seen.unreadable) {
                (0, 0) => Verdict::Ok,
                (0, _) => Verdict::Unknown,
                _ => Verdict::Lost,
            };
            let finding = Finding::new(area, verdict, text);
            Some(if verdict == Verdict::Ok { finding } else { finding.help(help) })
        }
    }
}

/// Whether an option is set to something else than its default and would do nothing here.
fn is_lost(setting: &Setting) -> bool {
    let Some(row) = setting.row else { return false };
    let set = row.default.is_none_or(|default| default != setting.value);
    set && matches!(row.state, State::Arrives { .. } | State::Unsupported { .. })
}

fn is_sign_in(key: &SettingKey) -> bool {
    &*key.file == "rserver.conf" && key.option.starts_with("auth-")
}

fn place(key: &SettingKey, setting: &Setting) -> String {
    format!("{}:{}", key.file, setting.line)
}

/// People sign in by a one-time link, whatever the files say.
fn signing_in(serving: &Lowered) -> Option<Finding> {
    let lost: Vec<_> = serving
        .settings
        .iter()
        .filter(|(key, setting)| is_sign_in(key) && is_lost(setting))
        .collect();
    if lost.is_empty() {
        let text = "passwords (PAM), the default of these files: people sign in by one-time links";
        return Some(Finding::new("sign-in", Verdict::Lost, text));
    }
    let names: Vec<&str> = lost.iter().map(|(key, _)| key.option.as_str()).collect();
    let text = format!("{}: people sign in by one-time links", listed(&names));
    let places = lost.iter().take(NAMED).map(|(key, setting)| place(key, setting));
    Some(Finding::new("sign-in", Verdict::Lost, text).places(places))
}

fn clusters(serving: &Lowered) -> Vec<Finding> {
    let clusters = serving.desired.clusters.iter().filter(|(_, spec)| spec.kind != "local");
    clusters
        .map(|(name, spec)| {
            let text =
                format!("of type {}: this version launches in local clusters only", spec.kind);
            let origin = serving.origins.because(&format!("cluster/{name}"), "cluster");
            let places = origin.iter().filter_map(crate::plan::Because::place);
            let places = places.map(|(file, line)| format!("{file}:{line}"));
            Finding::new(format!("cluster {name}"), Verdict::Lost, text).places(places)
        })
        .collect()
}

/// Files that change the proxy or who gets in as a whole.
fn whole_files(files: &SiteFiles) -> Vec<Finding> {
    let mut out = Vec::new();
    for (kind, file) in &files.workbench {
        let Known::Present(source) = file else { continue };
        if kind.facts().narrows && says_anything(&source.text) {
            let text = kind.meaning().trim_end_matches('.').to_owned();
            out.push(
                Finding::new(kind.file_name(), Verdict::Lost, text)
                    .help("do what it does in the proxy in front of wharf"),
            );
        }
    }
    out
}

/// Every other option that is set and does nothing here, by file.
fn options(serving: &Lowered) -> Vec<Finding> {
    let mut by_file: BTreeMap<&str, Vec<(&SettingKey, &Setting)>> = BTreeMap::new();
    for (key, setting) in serving.settings.iter() {
        if is_lost(setting) && !is_sign_in(key) {
            by_file.entry(&key.file).or_default().push((key, setting));
        }
    }
    by_file
        .into_iter()
        .map(|(file, lost)| {
            let names: Vec<&str> = lost.iter().map(|(key, _)| key.option.as_str()).collect();
            let text = format!("without effect here: {}", listed(&names));
            let places = lost.iter().take(NAMED).map(|(key, setting)| place(key, setting));
            Finding::new(file, Verdict::Lost, text)
                .help("wharf option show NAME says of each whether it is to come")
                .places(places)
        })
        .collect()
}

/// `a, b, c, and 4 more`.
pub(super) fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{rest}", names[..names.len().min(NAMED)].join(", "))
}
