//! When each field of our own files takes effect: one row a field, and nothing by default.
//!
//! A row is a promise. What it calls live is proven on a real engine by `golden/tests/options_act/own`, where a
//! field without a probe fails; that every field which the readers know has a row is proven here.

use grammar::own::OwnKind;

use crate::settings::Takes;

/// A field of one of our own files, and when a change of it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnField {
    /// Its dotted path; `*` stands for a name that the administrator gives.
    pub path: &'static str,
    /// When a change of it takes effect.
    pub takes: Takes,
    /// With which step of the roadmap it begins to act, where it does not yet.
    pub arrives: Option<&'static str>,
}

const fn row(path: &'static str, takes: Takes) -> OwnField {
    OwnField { path, takes, arrives: None }
}

const fn live(path: &'static str) -> OwnField {
    row(path, Takes::Live)
}

const fn next_start(path: &'static str) -> OwnField {
    row(path, Takes::NextStart)
}

const fn daemon_restart(path: &'static str) -> OwnField {
    row(path, Takes::DaemonRestart)
}

const fn arrives(path: &'static str, step: &'static str) -> OwnField {
    OwnField { path, takes: Takes::No, arrives: Some(step) }
}

/// Sessions for people.
const SESSIONS: &str = "roadmap-4";
/// Proxy and gateways.
const GATEWAYS: &str = "roadmap-5";
/// Nodes, and a store that they share.
const NODES: &str = "roadmap-6";

/// The fields of files of a kind, by path.
#[must_use]
pub fn own_fields(kind: OwnKind) -> &'static [OwnField] {
    match kind {
        OwnKind::Wharf => WHARF,
        OwnKind::Session => SESSION,
        OwnKind::Template => TEMPLATE,
        OwnKind::Gateway => GATEWAY,
        OwnKind::Node => NODE,
    }
}

const WHARF: &[OwnField] = &[
    live("accept.codes"),
    live("accept.files"),
    live("beside.clusters"),
    next_start("clusters.*.type"),
    // A format that this version does not know is refused.
    live("format"),
    live("history.keep"),
    daemon_restart("instance"),
    arrives("limits.sessions-per-group", SESSIONS),
    arrives("limits.sessions-per-user", SESSIONS),
    daemon_restart("listen.admin-socket"),
    live("listen.www-port"),
    live("mode"),
    live("policy.apply"),
    live("policy.back-off.first"),
    live("policy.back-off.give-up-after"),
    live("policy.back-off.max"),
    live("policy.back-off.within"),
    live("policy.concurrent-starts"),
    live("policy.harm-delay"),
    live("policy.max-harmed"),
    arrives("policy.max-unavailable", NODES),
    live("policy.session-restart"),
    live("policy.windows"),
    daemon_restart("site.config-dir"),
    live("site.poll"),
    live("site.settle.invalid"),
    live("site.settle.max"),
    live("site.settle.quiet"),
    daemon_restart("store.path"),
    arrives("store.url", NODES),
    next_start("workbenches.*.args"),
    next_start("workbenches.*.base"),
    arrives("workbenches.*.display-name", SESSIONS),
    next_start("workbenches.*.env"),
    next_start("workbenches.*.exe"),
    next_start("workbenches.*.install"),
    next_start("workbenches.*.ready-path"),
    next_start("workbenches.*.requirements"),
];

const SESSION: &[OwnField] = &[
    live("access.admins"),
    live("access.groups"),
    live("access.users"),
    next_start("args"),
    next_start("cluster"),
    live("display-name"),
    next_start("env"),
    // It is asked for by who starts the session, of what was ordered then.
    next_start("health.path"),
    live("health.start-timeout"),
    arrives("idle.action", SESSIONS),
    arrives("idle.timeout", SESSIONS),
    live("on-removal"),
    next_start("placement.nodes"),
    next_start("placement.require"),
    live("publish.gateway"),
    live("publish.port"),
    arrives("publish.target-port", GATEWAYS),
    // Nothing limits a session by them yet; a change of them makes it outdated all the same.
    arrives("resources.cpus", SESSIONS),
    arrives("resources.memory", SESSIONS),
    arrives("resources.profile", SESSIONS),
    arrives("resources.request.cpus", SESSIONS),
    arrives("resources.request.memory", SESSIONS),
    live("restart"),
    live("state"),
    live("stop.signal"),
    live("stop.stop-grace-period"),
    live("update.apply"),
    live("update.window"),
    next_start("user"),
    next_start("workbench"),
    next_start("working-dir"),
];

/// A template is for sessions that start later.
const TEMPLATE: &[OwnField] = &[
    next_start("access.admins"),
    next_start("access.groups"),
    next_start("access.users"),
    arrives("allow.clusters", SESSIONS),
    arrives("allow.groups", SESSIONS),
    arrives("allow.max-per-user", SESSIONS),
    arrives("allow.max-total", SESSIONS),
    next_start("args"),
    arrives("choices.*.default", SESSIONS),
    arrives("choices.*.from", SESSIONS),
    arrives("choices.*.label", SESSIONS),
    next_start("cluster"),
    arrives("description", SESSIONS),
    next_start("display-name"),
    next_start("env"),
    next_start("health.path"),
    next_start("health.start-timeout"),
    arrives("idle.action", SESSIONS),
    arrives("idle.timeout", SESSIONS),
    next_start("on-removal"),
    next_start("placement.nodes"),
    next_start("placement.require"),
    next_start("publish.gateway"),
    next_start("publish.port"),
    arrives("publish.target-port", GATEWAYS),
    arrives("resources.cpus", SESSIONS),
    arrives("resources.memory", SESSIONS),
    arrives("resources.profile", SESSIONS),
    arrives("resources.request.cpus", SESSIONS),
    arrives("resources.request.memory", SESSIONS),
    next_start("restart"),
    arrives("start", SESSIONS),
    next_start("stop.signal"),
    next_start("stop.stop-grace-period"),
    next_start("update.apply"),
    next_start("update.window"),
    next_start("version"),
    next_start("workbench"),
    next_start("working-dir"),
];

/// Of `lease`, `on-removal`, `protocol`, `sign-in` and `tls` one word acts; the others make the file a problem at
/// once, so that nothing is served otherwise than it says.
const GATEWAY: &[OwnField] = &[
    live("address"),
    arrives("allow-from", GATEWAYS),
    arrives("hold.bytes", GATEWAYS),
    arrives("hold.requests", GATEWAYS),
    arrives("hold.time", GATEWAYS),
    live("lease"),
    live("on-removal"),
    live("port-range"),
    live("protocol"),
    arrives("public-address", GATEWAYS),
    live("sign-in"),
    live("tls"),
    arrives("tls.certificate", GATEWAYS),
    arrives("tls.key", GATEWAYS),
];

const NODE: &[OwnField] = &[
    // Being there is what it says; what is in it comes later.
    live("drain"),
    arrives("drain.at-deadline", NODES),
    arrives("drain.deadline", NODES),
    arrives("drain.jobs", NODES),
    arrives("drain.notify", NODES),
    arrives("drain.reason", NODES),
    live("labels"),
    live("max-sessions"),
    arrives("reserve.cpus", NODES),
    arrives("reserve.memory", NODES),
    live("schedulable"),
    live("weight"),
];

/// The row of a field at a dotted path, or of the table that it is an entry of: `env` for `env.LC_ALL`.
#[must_use]
pub fn own_field(kind: OwnKind, path: &str) -> Option<&'static OwnField> {
    let rows = own_fields(kind);
    if let Ok(at) = rows.binary_search_by(|row| row.path.cmp(path)) {
        return rows.get(at);
    }
    let above = |row: &&OwnField| begins_with(path, row.path);
    rows.iter().filter(above).max_by_key(|row| row.path.len())
}

/// When a change of what stands at a dotted path takes effect; a table does as soon as one of its fields does.
#[must_use]
pub fn own_takes(kind: OwnKind, path: &str) -> Takes {
    if let Some(field) = own_field(kind, path) {
        return field.takes;
    }
    let below =
        own_fields(kind).iter().filter(|row| path.is_empty() || begins_with(row.path, path));
    below.map(|row| row.takes).min().unwrap_or(Takes::No)
}

/// Whether the first names of `path` are those of `first`; a `*` on either side is any name.
fn begins_with(path: &str, first: &str) -> bool {
    let mut names = path.split('.');
    first.split('.').all(|wanted| {
        names.next().is_some_and(|name| name == wanted || name == "*" || wanted == "*")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Tables that say something by being there.
    const TABLES: [(OwnKind, &str); 2] = [(OwnKind::Node, "drain"), (OwnKind::Gateway, "tls")];

    #[test]
    fn every_field_that_the_readers_know_has_a_row() {
        for kind in OwnKind::ALL {
            let mut known: BTreeSet<String> = kind.fields().into_iter().collect();
            known.extend(
                TABLES.iter().filter(|(of, _)| *of == kind).map(|(_, path)| (*path).to_owned()),
            );
            let rows: Vec<&str> = own_fields(kind).iter().map(|row| row.path).collect();
            assert!(rows.is_sorted(), "{kind:?}: found by halving");
            let rows: BTreeSet<String> = rows.into_iter().map(str::to_owned).collect();
            assert_eq!(rows, known, "{kind:?}");
        }
    }

    #[test]
    fn what_does_nothing_yet_says_with_what_it_arrives() {
        for field in OwnKind::ALL.into_iter().flat_map(own_fields) {
            assert_eq!(field.takes == Takes::No, field.arrives.is_some(), "{field:?}");
        }
    }

    #[test]
    fn entries_are_as_their_table_and_tables_as_the_first_of_their_fields() {
        for (kind, path, takes) in [
            (OwnKind::Wharf, "", Takes::Live),
            (OwnKind::Wharf, "accept.codes.WH0412", Takes::Live),
            (OwnKind::Wharf, "clusters.Pods", Takes::NextStart),
            (OwnKind::Wharf, "clusters.Pods.type", Takes::NextStart),
            (OwnKind::Wharf, "limits", Takes::No),
            (OwnKind::Wharf, "limits.sessions-per-group.students", Takes::No),
            (OwnKind::Wharf, "site", Takes::Live),
            (OwnKind::Wharf, "store", Takes::DaemonRestart),
            (OwnKind::Wharf, "workbenches.lab.env.LC_ALL", Takes::NextStart),
            (OwnKind::Wharf, "unheard-of", Takes::No),
            (OwnKind::Session, "env.LC_ALL", Takes::NextStart),
            (OwnKind::Session, "health", Takes::Live),
            (OwnKind::Session, "placement.require.gpu", Takes::NextStart),
            (OwnKind::Node, "drain", Takes::Live),
            (OwnKind::Node, "drain.reason", Takes::No),
            (OwnKind::Node, "labels.gpu", Takes::Live),
            (OwnKind::Gateway, "tls.key", Takes::No),
        ] {
            assert_eq!(own_takes(kind, path), takes, "{kind:?} {path}");
        }
    }
}
