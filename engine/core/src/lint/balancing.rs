//! Several nodes: whether what they share is shared, and whether the switch says what the files say.

use std::net::IpAddr;

use grammar::error::{Code, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind::{DatabaseConf, LoadBalancer, RserverConf};

use super::{Findings, Need, Rule, Site};

/// The rules about several nodes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(311),
        title: "load balancing is on and the store is not shared",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf), Need::File(DatabaseConf)],
        check: store_not_shared,
    },
    Rule {
        code: Code(313),
        title: "a load-balancer file is there and the switch is unset or off",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf), Need::File(LoadBalancer), Need::Wharf],
        check: switch_and_file,
    },
    Rule {
        code: Code(314),
        title: "load balancing is on and each node would ask a database of its own",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf), Need::File(DatabaseConf)],
        check: database_on_loopback,
    },
    Rule {
        code: Code(315),
        title: "a node tells the others a name that leads back to themselves",
        severity: Severity::Warning,
        needs: &[Need::File(LoadBalancer)],
        check: own_name_is_loopback,
    },
    Rule {
        code: Code(316),
        title: "balancer=custom, and the program that decides is not there",
        severity: Severity::Warning,
        needs: &[Need::File(LoadBalancer), Need::Wharf],
        check: no_program,
    },
];

const SWITCH: &str = "load-balancing-enabled";

fn is_postgresql(site: &Site<'_>) -> bool {
    let provider = site.read.text(DatabaseConf, "provider");
    provider.is_some_and(|word| word.eq_ignore_ascii_case("postgresql"))
}

fn store_not_shared(site: &Site<'_>, out: &mut Findings) {
    if is_postgresql(site) || site.read.switch(RserverConf, SWITCH) != Some(true) {
        return;
    }
    let problem = out.problem("load balancing is on but the store is not shared");
    let problem = site.at(problem, RserverConf, SWITCH, "");
    let problem = match site.read.entry(DatabaseConf, "provider") {
        Some(_) => site.at(problem, DatabaseConf, "provider", ""),
        None => problem.note("without provider in database.conf each node keeps its own store"),
    };
    out.push(problem.help("set provider=postgresql in database.conf, or turn load balancing off"));
}

/// Unset means: on if the file is there, with a warning (files.md §4); off means the file says nothing.
fn switch_and_file(site: &Site<'_>, out: &mut Findings) {
    if site.source(LoadBalancer).is_none() {
        return;
    }
    match site.read.switch(RserverConf, SWITCH) {
        Some(true) => {}
        Some(false) => {
            let balancer = site.read.entry(LoadBalancer, "balancer");
            let problem = out.problem("load balancing is off, so this file has no effect");
            let problem = match balancer {
                Some(entry) => site.at_entry(problem, LoadBalancer, entry, ""),
                None => site.at_file(problem, LoadBalancer, ""),
            };
            let problem = site.at(problem, RserverConf, SWITCH, "switched off here");
            out.push(problem.help("remove the file, or switch load balancing on"));
        }
        // Whoever serves with wharf has no switch to set: nodes are nodes.
        None if site.mode == Mode::Serve || site.read.entry(RserverConf, SWITCH).is_some() => {}
        None => {
            let problem = out.problem("this file alone switches the product's load balancing on");
            let problem = site.at_file(problem, LoadBalancer, "here");
            let problem = problem.note(format!("{SWITCH} is not set in rserver.conf"));
            out.push(problem.help(format!("write {SWITCH}=1 or =0 into rserver.conf")));
        }
    }
}

fn database_on_loopback(site: &Site<'_>, out: &mut Findings) {
    if !is_postgresql(site) || site.read.switch(RserverConf, SWITCH) != Some(true) {
        return;
    }
    let (option, host) = match site.read.text(DatabaseConf, "connection-uri") {
        Some(uri) => ("connection-uri", uri_host(uri)),
        None => ("host", site.read.text(DatabaseConf, "host")),
    };
    if !host.is_some_and(is_loopback) {
        return;
    }
    let problem = out.problem("load balancing is on but the database is this machine's");
    let problem = match site.read.entry(DatabaseConf, option) {
        // A URI may hold a password: only its name is shown.
        Some(entry) if option == "connection-uri" => {
            problem.label(&site.read.shown(DatabaseConf), Some(entry.name_span), "names loopback")
        }
        _ => site.at(problem, DatabaseConf, option, "on each node another one"),
    };
    let problem = site.at(problem, RserverConf, SWITCH, "");
    out.push(problem.help("name the database by an address that every node reaches it by"));
}

/// The host of `scheme://user:password@host:port/path`.
fn uri_host(uri: &str) -> Option<&str> {
    let authority = uri.split_once("://")?.1.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    }
}

/// Whether a host leads back to whoever looks it up.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn own_name_is_loopback(site: &Site<'_>, out: &mut Findings) {
    let Some(name) = site.read.text(LoadBalancer, "www-host-name") else { return };
    let host = if name.matches(':').count() == 1 { name.split(':').next() } else { Some(name) };
    if !host.is_some_and(is_loopback) {
        return;
    }
    let problem = out.problem("the other nodes would look for this one on themselves");
    let problem = site.at(problem, LoadBalancer, "www-host-name", "leads to whoever asks");
    out.push(problem.help("name the address by which the other nodes reach this one"));
}

fn no_program(site: &Site<'_>, out: &mut Findings) {
    let custom = site.read.text(LoadBalancer, "balancer");
    if !custom.is_some_and(|word| word.eq_ignore_ascii_case("custom")) {
        return;
    }
    let program = &site.facts().balancer_program;
    if out.known(program).is_some() || program.is_unknown() {
        return;
    }
    let problem = out.problem("the program that chooses nodes is not there");
    let problem = site.at(problem, LoadBalancer, "balancer", "asks it");
    out.push(problem.help("put it at /usr/lib/rstudio-server/bin/rserver-balancer, executable"));
}
