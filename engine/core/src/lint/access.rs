//! Who gets in: what keeps people out and does not act, and what lets everybody reach a door.

use std::net::IpAddr;

use grammar::catalogue::State;
use grammar::error::{Code, Problem, Severity};
use grammar::own::wharf::{AcceptTable, Mode};
use grammar::source::FileKind::RserverConf;

use super::balancing::is_loopback;
use super::finding::at_field;
use super::{Findings, Need, Rule, Site, rule};

/// The code of [`narrows`], which may be accepted although it is an error.
pub(super) const NARROWS: Code = Code(401);

const SERVER: &[Need] = &[Need::File(RserverConf)];

/// The rules about access.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: NARROWS,
        title: "an option that restricts who gets in is set and does not act here",
        severity: Severity::Error,
        needs: &[Need::File(RserverConf), Need::Wharf],
        check: narrows,
    },
    Rule {
        code: Code(403),
        title: "several ways to sign in exclude each other",
        severity: Severity::Warning,
        needs: SERVER,
        check: several_sign_ins,
    },
    Rule {
        code: Code(404),
        title: "nobody has to sign in, and everybody can reach the server",
        severity: Severity::Warning,
        needs: SERVER,
        check: no_sign_in,
    },
    Rule {
        code: Code(412),
        title: "the server listens on all addresses without TLS",
        severity: Severity::Warning,
        needs: SERVER,
        check: open_and_plain,
    },
    Rule {
        code: Code(461),
        title: "[accept] names a finding that cannot be accepted",
        severity: Severity::Warning,
        needs: &[Need::Wharf],
        check: cannot_be_accepted,
    },
];

/// Never a warning (design.md §5), unless `[accept]` says that somebody has looked.
fn narrows(site: &Site<'_>, out: &mut Findings) {
    if site.mode == Mode::Observe {
        return;
    }
    // A file that narrows as a whole is spoken of as a whole.
    let documents = site.read.documents.iter().filter(|(kind, _)| !kind.facts().narrows);
    for (kind, document) in documents {
        for entry in document.sections.iter().flat_map(|section| &section.entries) {
            let Some(row) = entry.row else { continue };
            let acts = matches!(row.state, State::Acts { .. });
            let set = row.default.is_none_or(|default| default != &*entry.value);
            if !row.narrows_access || acts || !set {
                continue;
            }
            let message = format!("`{}` restricts who gets in, and does not act here", entry.name);
            out.push(
                out.problem(message)
                    .label(&site.read.shown(*kind), Some(entry.name_span), "set here")
                    .note("serving without it could let in people whom these files keep out")
                    .help(
                        "serve in mode \"observe\", or accept it in wharf.toml: \
                         [accept] codes = { WH0401 = \"why\" }",
                    ),
            );
        }
    }
}

fn accept_table<'a>(site: &'a Site<'_>) -> Option<&'a AcceptTable> {
    site.read.wharf()?.value.accept.as_ref()
}

/// Options that each choose a way to sign in instead of PAM (behaviour.md §5).
const SIGN_INS: [&str; 4] = ["auth-proxy", "auth-saml", "auth-openid", "auth-none"];

fn several_sign_ins(site: &Site<'_>, out: &mut Findings) {
    let on: Vec<&str> = SIGN_INS
        .into_iter()
        .filter(|option| site.read.switch(RserverConf, option) == Some(true))
        .collect();
    let [first, second, ..] = on[..] else { return };
    let message = format!("`{first}` and `{second}` are two ways to sign in, and one is taken");
    let problem = site.at(out.problem(message), RserverConf, first, "one");
    let problem = site.at(problem, RserverConf, second, "another");
    out.push(problem.help("leave one of them; which one the product takes is not established"));
}

fn no_sign_in(site: &Site<'_>, out: &mut Findings) {
    let open = site.read.switch(RserverConf, "auth-none") == Some(true);
    let address = site.read.text(RserverConf, "www-address");
    if !open || address.is_some_and(is_loopback) {
        return;
    }
    let problem = out.problem("nobody has to sign in, and other machines can reach the server");
    let problem = site.at(problem, RserverConf, "auth-none", "no sign-in");
    let problem = match address {
        Some(_) => site.at(problem, RserverConf, "www-address", "reachable from elsewhere"),
        None => problem.note("www-address is not set: all addresses"),
    };
    out.push(problem.help("leave auth-none out, or set www-address=127.0.0.1"));
}

/// Only where somebody has written the address down: it is also the default, and a proxy in front is usual.
fn open_and_plain(site: &Site<'_>, out: &mut Findings) {
    let Some(address) = site.read.text(RserverConf, "www-address") else { return };
    let all =
        address == "*" || address.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    if !all || site.read.switch(RserverConf, "ssl-enabled") == Some(true) {
        return;
    }
    let problem = out.problem("the server listens on all addresses without TLS");
    let problem = site.at(problem, RserverConf, "www-address", "all addresses");
    let problem = site.at(problem, RserverConf, "ssl-enabled", "no TLS");
    out.push(
        problem
            .note("passwords and cookies can be read on the way, unless a proxy in front speaks TLS")
            .help(
                "listen on 127.0.0.1 behind the proxy, set ssl-enabled=1, or accept it in wharf.toml: \
                 [accept] codes = { WH0412 = \"why\" }",
            ),
    );
}

fn cannot_be_accepted(site: &Site<'_>, out: &mut Findings) {
    let (Some(read), Some(own)) = (&site.read.wharf, site.read.wharf()) else { return };
    let codes = accept_table(site).and_then(|accept| accept.codes.as_ref());
    for code in codes.into_iter().flatten().map(|(code, _)| code) {
        let number = code.strip_prefix("WH").and_then(|digits| digits.parse().ok());
        let found = number.and_then(|number| rule(Code(number)));
        if found.is_some_and(Rule::may_be_accepted) {
            continue;
        }
        let why = match found {
            Some(_) => "an error: the set would not work",
            None => "no rule between files",
        };
        let problem: Problem = out.problem(format!("`{code}` cannot be accepted"));
        let field = format!("accept.codes.{code}");
        out.push(
            at_field(problem, read.source, &own.lines, &field, why)
                .help("correct what it finds, and leave the line out"),
        );
    }
}
