//! Clusters that files name: whether there are such, and whether what is said of them reaches anybody.

use std::collections::BTreeMap;

use grammar::document::Entry;
use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind::{
    self, JupyterConf, LauncherConf, LauncherEnv, LauncherMounts, LauncherPorts, PositronConf,
    RserverConf, VscodeConf,
};
use grammar::suggest::nearest;

use super::finding::{at_field, item_span, items};
use super::{Findings, Need, Rule, Site};
use crate::ids::ClusterName;

/// The rules about clusters.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(302),
        title: "a cluster is named that is not declared",
        severity: Severity::Error,
        needs: &[Need::File(LauncherConf), Need::Wharf],
        check: undeclared,
    },
    Rule {
        code: Code(306),
        title: "the default cluster is not among those that sessions may use",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf)],
        check: default_not_allowed,
    },
    Rule {
        code: Code(307),
        title: "mounts or ports are declared and no cluster runs containers",
        severity: Severity::Warning,
        needs: &[Need::File(LauncherConf), Need::Wharf],
        check: no_containers,
    },
];

/// The allow-lists of clusters in `rserver.conf`; an empty one allows all.
const ALLOWED: [&str; 2] = ["launcher-sessions-clusters", "launcher-adhoc-clusters"];

/// What is declared, looked up once.
struct Declared<'s> {
    site: &'s Site<'s>,
    /// All of them, in words, with their lines.
    shown: String,
    /// How many more unknown names are compared with all of them: it costs, and nobody reads a hundred.
    to_compare: usize,
}

/// More unknown names than this get no suggestion.
const COMPARED: usize = 50;
/// More clusters than this are not listed.
const SHOWN: usize = 8;

impl<'s> Declared<'s> {
    fn new(site: &'s Site<'_>) -> Self {
        let named = site.sections(LauncherConf).iter().filter_map(|section| section.get("name"));
        let lines: BTreeMap<&str, u32> =
            named.rev().map(|entry| (&*entry.value, entry.line)).collect();
        let line = |name: &ClusterName| match lines.get(name.as_str()) {
            Some(line) => format!("{name} (line {line})"),
            None => name.to_string(),
        };
        let mut shown: Vec<String> = site.clusters.keys().take(SHOWN).map(line).collect();
        if site.clusters.len() > SHOWN {
            shown.push(format!("{} more", site.clusters.len() - SHOWN));
        }
        let shown = if shown.is_empty() { "no cluster".to_owned() } else { shown.join(", ") };
        Self { site, shown, to_compare: COMPARED }
    }

    fn has(&self, name: &str) -> bool {
        ClusterName::new(name).is_ok_and(|name| self.site.clusters.contains_key(&name))
    }

    fn nearest(&mut self, name: &str) -> Option<&'s str> {
        self.to_compare = self.to_compare.checked_sub(1)?;
        nearest(name, self.site.clusters.keys().map(ClusterName::as_str))
    }

    /// Adds what is declared, and where.
    fn at(&self, problem: Problem) -> Problem {
        self.site.at_file(problem, LauncherConf, format!("has: {}", self.shown))
    }
}

fn undeclared(site: &Site<'_>, out: &mut Findings) {
    let mut declared = Declared::new(site);
    default_undeclared(&mut declared, out);
    for option in ALLOWED {
        let Some(entry) = site.read.entry(RserverConf, option) else { continue };
        for item in items(&entry.value) {
            let note = "sessions are never offered it";
            named(&mut declared, out, (RserverConf, entry), item, note);
        }
    }
    for kind in [LauncherMounts, LauncherEnv, LauncherPorts] {
        for entry in site.sections(kind).iter().filter_map(|record| record.get("Cluster")) {
            let name = entry.value.trim();
            if !name.is_empty() && !name.eq_ignore_ascii_case("any") && name != "*" {
                let note = "this record applies to no session";
                named(&mut declared, out, (kind, entry), name, note);
            }
        }
    }
    for kind in [JupyterConf, VscodeConf, PositronConf] {
        let Some(entry) = site.read.entry(kind, "default-session-cluster") else { continue };
        if !entry.value.is_empty() {
            let note = "sessions of this workbench begin without a cluster";
            named(&mut declared, out, (kind, entry), &entry.value, note);
        }
    }
    undeclared_in_ours(&declared, out);
}

/// Sessions would start nowhere, or in the wrong place.
fn default_undeclared(declared: &mut Declared<'_>, out: &mut Findings) {
    let read = declared.site.read;
    let Some(entry) = read.entry(RserverConf, "launcher-default-cluster") else { return };
    if entry.value.is_empty() || declared.has(&entry.value) {
        return;
    }
    let label = match declared.nearest(&entry.value) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "not in launcher.conf".to_owned(),
    };
    let problem = out.problem(no_cluster(&entry.value)).label(
        &read.shown(RserverConf),
        Some(entry.value_span),
        label,
    );
    out.push(declared.at(problem).help(
        "if launcher.conf is about to follow, nothing is lost: what is in force stays until the set is valid",
    ));
}

/// A name that selects: a slip in it is an error, since what it selects silently reaches nobody; a name
/// that is like no other may be meant for another site that shares the file.
fn named(
    declared: &mut Declared<'_>,
    out: &mut Findings,
    (kind, entry): (FileKind, &Entry),
    name: &str,
    note: &str,
) {
    if declared.has(name) {
        return;
    }
    let slip = declared.nearest(name).filter(|near| !is_sibling(near, name));
    let message = no_cluster(name);
    let problem = if slip.is_some() { out.problem(message) } else { out.warning(message) };
    let label = match slip {
        Some(near) => format!("did you mean `{near}`?"),
        None => "not declared".to_owned(),
    };
    let site = declared.site;
    let source = site.source(kind).filter(|_| !out.is_full());
    let span = item_span(source, entry, name);
    let problem = problem.label(&site.read.shown(kind), Some(span), label);
    out.push(declared.at(problem).note(note));
}

fn undeclared_in_ours(declared: &Declared<'_>, out: &mut Findings) {
    let read = declared.site.read;
    for template in read.templates.values() {
        let Some(own) = &template.own else { continue };
        let allowed = own.value.allow.as_ref().and_then(|allow| allow.clusters.as_ref());
        for name in allowed.into_iter().flatten().filter(|name| !declared.has(name)) {
            let problem = out.problem(no_cluster(name));
            let problem = at_field(problem, template.source, &own.lines, "allow.clusters", "");
            out.push(declared.at(problem).note("nobody can start this template there"));
        }
    }
    let (Some(wharf), Some(own)) = (&read.wharf, read.wharf()) else { return };
    let beside = own.value.beside.as_ref().and_then(|beside| beside.clusters.as_ref());
    for name in beside.into_iter().flatten().filter(|name| !declared.has(name)) {
        let problem = out.problem(no_cluster(name));
        let problem = at_field(problem, wharf.source, &own.lines, "beside.clusters", "");
        out.push(declared.at(problem));
    }
}

fn no_cluster(name: &str) -> String {
    format!("no cluster is called `{}`", name.escape_debug())
}

/// Whether two names look like a row of clusters, `slurm-a` and `slurm-b`, or `k8s1` and `k8s2`: then one is
/// no slip of the other.
fn is_sibling(one: &str, other: &str) -> bool {
    let differing: Vec<(usize, char, char)> = one
        .chars()
        .zip(other.chars())
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(at, (a, b))| (at, a, b))
        .collect();
    let length = one.chars().count();
    length == other.chars().count()
        && differing.iter().all(|(at, a, b)| {
            (a.is_ascii_digit() && b.is_ascii_digit())
                || (at + 1 == length && a.is_lowercase() == b.is_lowercase())
        })
}

fn default_not_allowed(site: &Site<'_>, out: &mut Findings) {
    let Some(default) = site.read.text(RserverConf, "launcher-default-cluster") else { return };
    let Some(allowed) = site.read.text(RserverConf, ALLOWED[0]) else { return };
    if items(allowed).next().is_none() || items(allowed).any(|name| name == default) {
        return;
    }
    let problem = out.problem(format!("sessions may not use the default cluster `{default}`"));
    let problem = site.at(problem, RserverConf, "launcher-default-cluster", "the default");
    let problem = site.at(problem, RserverConf, ALLOWED[0], "the only ones that sessions may use");
    out.push(problem.help("add it to the list, or make one of the list the default"));
}

/// Mounts and ports are for containers (files.md §6, §8); the local launcher has none.
fn no_containers(site: &Site<'_>, out: &mut Findings) {
    let local = site.clusters.values().all(|kind| *kind == "local");
    if site.source(LauncherConf).is_none() || site.clusters.is_empty() || !local {
        return;
    }
    for kind in [LauncherMounts, LauncherPorts] {
        let records = site.sections(kind).iter().filter(|record| !record.entries.is_empty());
        let count = records.count();
        if count == 0 {
            continue;
        }
        let records = if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
        let message = format!("{} applies to no session", kind.file_name());
        let problem = site.at_file(out.problem(message), kind, records);
        let problem = site.at_file(problem, LauncherConf, "every cluster is of type Local");
        out.push(problem.note("only clusters that run containers look at this file"));
    }
}
