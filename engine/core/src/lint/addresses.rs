//! Where people and sessions reach the server: port, encryption, the address that sessions call back.

use std::net::IpAddr;

use grammar::error::{Code, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind::{LauncherConf, RserverConf};

use super::balancing::is_loopback;
use super::finding::at_field;
use super::{Findings, Need, Rule, Site};
use crate::facts::{Certificate, NamedFile};

const SERVER: &[Need] = &[Need::File(RserverConf)];

/// The rules about addresses.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(342),
        title: "TLS is switched on without certificate or key",
        severity: Severity::Warning,
        needs: SERVER,
        check: nothing_to_encrypt_with,
    },
    Rule {
        code: Code(343),
        title: "sessions on other machines are told to call back to themselves",
        severity: Severity::Warning,
        needs: &[Need::File(RserverConf), Need::File(LauncherConf), Need::Wharf],
        check: callback_on_loopback,
    },
    Rule {
        code: Code(344),
        title: "the callback address names another port than the server listens on",
        severity: Severity::Warning,
        needs: SERVER,
        check: callback_port,
    },
    Rule {
        code: Code(345),
        title: "the callback address is not among the certificate's names",
        severity: Severity::Warning,
        needs: SERVER,
        check: callback_name,
    },
    Rule {
        code: Code(346),
        title: "port 443 without TLS",
        severity: Severity::Warning,
        needs: SERVER,
        check: port_without_tls,
    },
    Rule {
        code: Code(347),
        title: "the callback address speaks another protocol than the server",
        severity: Severity::Warning,
        needs: SERVER,
        check: callback_scheme,
    },
    Rule {
        code: Code(348),
        title: "a certificate or key that is named is not there, or is none",
        severity: Severity::Warning,
        needs: SERVER,
        check: no_certificate,
    },
    Rule {
        code: Code(349),
        title: "the certificate is not valid now, or not much longer",
        severity: Severity::Warning,
        needs: SERVER,
        check: expiry,
    },
    Rule {
        code: Code(361),
        title: "mode beside without a port of its own",
        severity: Severity::Error,
        needs: &[Need::Wharf],
        check: beside_without_port,
    },
];

const CALLBACK: &str = "launcher-sessions-callback-address";
/// The port that packages of the product listen on unless told otherwise (options.toml, www-port).
const PACKAGED_PORT: u16 = 8787;
const HTTP: u16 = 80;
const HTTPS: u16 = 443;
/// A certificate that ends within so many days is said.
const SOON_DAYS: i64 = 14;
const DAY_MS: i64 = 86_400_000;

/// Beside the incumbent the port of its files is the incumbent's: it would be fought over at each restart.
fn beside_without_port(site: &Site<'_>, out: &mut Findings) {
    let Some(read) = site.read.wharf.as_ref().filter(|_| site.mode == Mode::Beside) else { return };
    let Some(own) = &read.own else { return };
    if own.value.listen.as_ref().is_some_and(|listen| listen.www_port.is_some()) {
        return;
    }
    let problem = out.problem("mode \"beside\" has no port of its own");
    let label = "would take the port of rserver.conf from the product";
    out.push(
        at_field(problem, read.source, &own.lines, "mode", label)
            .help("add to wharf.toml: [listen] www-port = 18787"),
    );
}

/// `scheme://host:port/path`, as far as it matters here.
struct Url<'a> {
    https: bool,
    host: &'a str,
    /// The port, if it is written.
    port: Option<u16>,
}

impl Url<'_> {
    /// The port that is connected to.
    fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.https { HTTPS } else { HTTP })
    }
}

/// A URL of HTTP; none for any other text.
fn parse_url(text: &str) -> Option<Url<'_>> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    (!host.is_empty()).then_some(Url { https, host, port })
}

fn callback<'a>(site: &'a Site<'_>) -> Option<Url<'a>> {
    site.read.text(RserverConf, CALLBACK).and_then(parse_url)
}

fn tls(site: &Site<'_>) -> bool {
    site.read.switch(RserverConf, "ssl-enabled") == Some(true)
}

/// `www-port` as written.
fn written_port(site: &Site<'_>) -> Option<u16> {
    site.read.port(RserverConf, "www-port")
}

/// The port that the server listens on.
fn www_port(site: &Site<'_>) -> u16 {
    written_port(site).unwrap_or(if tls(site) { HTTPS } else { PACKAGED_PORT })
}

fn nothing_to_encrypt_with(site: &Site<'_>, out: &mut Findings) {
    let missing: Vec<&str> = ["ssl-certificate", "ssl-certificate-key"]
        .into_iter()
        .filter(|option| site.read.text(RserverConf, option).is_none())
        .collect();
    if !tls(site) || missing.is_empty() {
        return;
    }
    let message = format!("TLS is on without {}", missing.join(" and "));
    let problem = site.at(out.problem(message), RserverConf, "ssl-enabled", "switched on here");
    out.push(
        problem.help("name both files, or set ssl-enabled=0 where a proxy in front speaks TLS"),
    );
}

fn callback_on_loopback(site: &Site<'_>, out: &mut Findings) {
    let elsewhere = site.clusters.iter().find(|(_, kind)| **kind != "local");
    let Some((cluster, _)) = elsewhere else { return };
    if !callback(site).is_some_and(|url| is_loopback(url.host)) {
        return;
    }
    let message = format!("sessions of `{cluster}` are told to call back to their own machine");
    let problem = site.at(out.problem(message), RserverConf, CALLBACK, "leads to whoever asks");
    out.push(
        problem
            .note("such a session starts, cannot report, and ends")
            .help("name the server by an address that compute nodes and containers reach"),
    );
}

/// Only where the callback address is surely this server's own port: another host may be a proxy in front.
fn callback_port(site: &Site<'_>, out: &mut Findings) {
    let Some(url) = callback(site) else { return };
    let (Some(called), Some(listened)) = (url.port, written_port(site)) else { return };
    let own = called == PACKAGED_PORT
        || (url.host.parse::<IpAddr>().is_ok() && called != HTTP && called != HTTPS);
    if called == listened || !own {
        return;
    }
    let problem = out.problem("the callback address names another port than the server listens on");
    let problem = site.at(problem, RserverConf, CALLBACK, "sessions call here");
    let problem = site.at(problem, RserverConf, "www-port", "the server listens here");
    out.push(
        problem.help("sessions started with it cannot call back; write the same port in both"),
    );
}

fn callback_name(site: &Site<'_>, out: &mut Findings) {
    let verifies =
        site.read.switch(RserverConf, "launcher-sessions-callback-verify-ssl-certs") != Some(false);
    let Some(url) = callback(site).filter(|url| url.https) else { return };
    // At another port something else answers, with a certificate of its own.
    if !verifies || !tls(site) || url.effective_port() != www_port(site) {
        return;
    }
    let Some(NamedFile::There(certificate)) = out.known(&site.facts().certificate) else { return };
    if certificate.names.iter().any(|name| covers(name, url.host)) {
        return;
    }
    let message = format!("`{}` is not among the certificate's names", url.host.escape_debug());
    let problem = site.at(out.problem(message), RserverConf, CALLBACK, "sessions call this");
    let problem = site.at(problem, RserverConf, "ssl-certificate", names(certificate));
    out.push(
        problem
            .note("sessions verify the name, and refuse to call back")
            .help("write one of the certificate's names, or have this one added to it"),
    );
}

fn names(certificate: &Certificate) -> String {
    const SHOWN: usize = 3;
    let names = &certificate.names;
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    match names.first() {
        None => "stands for no name".to_owned(),
        Some(_) => format!("stands for {}{more}", names[..names.len().min(SHOWN)].join(", ")),
    }
}

/// Whether a certificate's name covers a host: equal, or `*` in the place of its first label.
fn covers(name: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let same_address = |a: &str, b: &str| matches!((a.parse::<IpAddr>(), b.parse::<IpAddr>()), (Ok(a), Ok(b)) if a == b);
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host || same_address(name, &host),
    }
}

fn port_without_tls(site: &Site<'_>, out: &mut Findings) {
    if written_port(site) != Some(HTTPS) || tls(site) {
        return;
    }
    let problem =
        site.at(out.problem("port 443 without ssl-enabled=1"), RserverConf, "www-port", "");
    let problem = site.at(problem, RserverConf, "ssl-enabled", "");
    out.push(problem.help("browsers speak TLS on this port: switch it on, or choose another port"));
}

fn callback_scheme(site: &Site<'_>, out: &mut Findings) {
    let Some(url) = callback(site) else { return };
    if url.https == tls(site) || url.effective_port() != www_port(site) {
        return;
    }
    let (calls, speaks) = if url.https { ("https", "http") } else { ("http", "https") };
    let message = format!("sessions call back by {calls}, and the server speaks {speaks} there");
    let problem = site.at(out.problem(message), RserverConf, CALLBACK, "");
    let problem = site.at(problem, RserverConf, "ssl-enabled", "");
    out.push(problem.help(format!("write {speaks}:// into the callback address")));
}

fn no_certificate(site: &Site<'_>, out: &mut Findings) {
    if !tls(site) {
        return;
    }
    let certificate = out.known(&site.facts().certificate).map(wrong);
    let key = out.known(&site.facts().certificate_key).map(wrong);
    for (option, wrong) in [("ssl-certificate", certificate), ("ssl-certificate-key", key)] {
        let Some(Some(wrong)) = wrong else { continue };
        let problem = out.problem(format!("{option}: {wrong}"));
        let problem = site.at(problem, RserverConf, option, "named here");
        out.push(problem.help("the server cannot listen with TLS without it"));
    }
}

/// What is wrong with a file that a value names.
fn wrong<T>(file: &NamedFile<T>) -> Option<String> {
    match file {
        NamedFile::There(_) => None,
        NamedFile::Missing => Some("there is no such file".to_owned()),
        NamedFile::Odd(why) => Some(why.clone()),
    }
}

fn expiry(site: &Site<'_>, out: &mut Findings) {
    if !tls(site) {
        return;
    }
    let facts = site.facts();
    let Some(NamedFile::There(certificate)) = out.known(&facts.certificate) else { return };
    let Some(now) = out.known(&facts.now).map(|now| now.0) else { return };
    let days = |ms: i64| match ms / DAY_MS {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let (from, until) = (certificate.from.0, certificate.until.0);
    let message = if until <= now {
        format!("the certificate ended {} ago", days(now.saturating_sub(until)))
    } else if from > now {
        format!("the certificate is valid in {} only", days(from.saturating_sub(now)))
    } else if until.saturating_sub(now) < SOON_DAYS.saturating_mul(DAY_MS) {
        format!("the certificate ends in {}", days(until.saturating_sub(now)))
    } else {
        return;
    };
    let problem = site.at(out.problem(message), RserverConf, "ssl-certificate", names(certificate));
    out.push(problem.help("put a new one in its place"));
}
