//! Clusters that files name: whether there are such.

use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind::{LauncherConf, RserverConf};
use grammar::suggest::nearest;

use super::{Findings, Need, Rule, Site};
use crate::ids::ClusterName;

/// The rules about clusters.
pub(super) const RULES: &[Rule] = &[Rule {
    code: Code(302),
    title: "a cluster is named that is not declared",
    severity: Severity::Error,
    needs: &[Need::File(RserverConf), Need::File(LauncherConf), Need::Wharf],
    check: undeclared,
}];

fn undeclared(site: &Site<'_>, out: &mut Findings) {
    let Some(entry) = site.read.entry(RserverConf, "launcher-default-cluster") else { return };
    if entry.value.is_empty() || is_declared(site, &entry.value) {
        return;
    }
    let label = match nearest_cluster(site, &entry.value) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "not in launcher.conf".to_owned(),
    };
    let message = format!("no cluster is called `{}`", entry.value.escape_debug());
    let problem =
        out.problem(message).label(&site.read.shown(RserverConf), Some(entry.value_span), label);
    out.push(declared(site, problem).help(
        "if launcher.conf is about to follow, nothing is lost: what is in force stays until the set is valid",
    ));
}

fn is_declared(site: &Site<'_>, name: &str) -> bool {
    site.clusters.keys().any(|declared| declared.as_str() == name)
}

fn nearest_cluster<'a>(site: &'a Site<'_>, name: &str) -> Option<&'a str> {
    nearest(name, site.clusters.keys().map(ClusterName::as_str))
}

/// Adds what is declared, and where.
fn declared(site: &Site<'_>, problem: Problem) -> Problem {
    let sections = site.read.documents.get(&LauncherConf).map(|document| &document.sections);
    let line = |name: &str| {
        let named = sections.into_iter().flatten().filter_map(|section| section.get("name"));
        named.filter(|entry| &*entry.value == name).map(|entry| entry.line).next()
    };
    let has: Vec<String> = site
        .clusters
        .keys()
        .map(|name| match line(name.as_str()) {
            Some(line) => format!("{name} (line {line})"),
            None => name.to_string(),
        })
        .collect();
    let has = if has.is_empty() { "no cluster".to_owned() } else { has.join(", ") };
    site.at_file(problem, LauncherConf, format!("has: {has}"))
}
