//! Which names and addresses a site's files hold it to, for the check that tries them (`check --live`).
//!
//! Tries nothing: who connects is the command. Only what the product itself connects to is connected
//! to; of other values that name a machine, the name only is looked up.

use std::sync::Arc;

use grammar::document::{Document, Entry};
use grammar::error::{Code, Problem, Severity};
use grammar::source::{FileKind, Source};
use grammar::span::Span;
use grammar::value::ValueKind;

use crate::known::Known;
use crate::site::SiteFiles;

/// The launcher's port where no file names it (options.toml, launcher-port).
const LAUNCHER_PORT: u16 = 5559;
/// PostgreSQL's port where no file names it (options.toml, port of database.conf).
const DATABASE_PORT: u16 = 5432;

/// Something that a file names and that can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is to the site: `the database`.
    pub what: &'static str,
    /// Where.
    pub place: Place,
    /// The file that names it, as shown.
    pub file: Arc<str>,
    /// Where in it.
    pub span: Span,
}

/// A place that can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A connection to this host and port.
    Tcp(String, u16),
    /// A connection to this socket.
    Socket(String),
    /// The look-up of this name.
    Name(String),
}

/// What trying a target came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It answers, or its name is known.
    Reached,
    /// Its name is not known, in the system's words.
    NoSuchName(String),
    /// The connection was refused or failed, in the system's words.
    Failed(String),
    /// Nothing was heard in the time there was.
    Silent,
}

impl Target {
    /// What came of it as a problem; none where it was reached.
    #[must_use]
    pub fn problem(&self, tried: &Tried) -> Option<Problem> {
        let place = match &self.place {
            Place::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp(host, port) => format!("{host}:{port}"),
            Place::Socket(path) => path.clone(),
            Place::Name(name) => name.clone(),
        };
        let (code, message, label, help) = match tried {
            Tried::Reached => return None,
            Tried::NoSuchName(reason) => (
                701,
                format!("{} is named by a name that is not known here: {place}", self.what),
                reason.clone(),
                "look the name up from this machine (getent hosts), and mend the name or the resolver",
            ),
            Tried::Failed(reason) => (
                702,
                format!("{} cannot be reached: {place}", self.what),
                reason.clone(),
                "is the service up, on this port, and does a firewall let this machine through?",
            ),
            Tried::Silent => (
                703,
                format!("{} does not answer: {place}", self.what),
                "no answer in time".to_owned(),
                "a firewall that drops packets looks like this; try from this machine with nc -vz",
            ),
        };
        let problem = Problem::new(Code(code), Severity::Error, message);
        Some(problem.label(&self.file, Some(self.span), label).help(help))
    }
}

/// Everything in a site that can be tried.
#[must_use]
pub fn targets(files: &SiteFiles) -> Vec<Target> {
    let mut found = Vec::new();
    for (kind, file) in &files.workbench {
        let Known::Present(source) = file else { continue };
        let document = grammar::read::read_file(*kind, source).document;
        match kind {
            FileKind::DatabaseConf => found.extend(database(source, &document)),
            FileKind::RserverConf => {
                found.extend(launcher(source, &document));
                found.extend(callback(source, &document));
            }
            _ => {}
        }
        found.extend(names(source, &document, &found));
    }
    found
}

fn entry<'a>(document: &'a Document, name: &str) -> Option<&'a Entry> {
    document.sections.iter().find_map(|section| section.get(name))
}

fn target(source: &Source, entry: &Entry, what: &'static str, place: Place) -> Target {
    Target { what, place, file: Arc::clone(&source.file), span: entry.value_span }
}

fn number(document: &Document, name: &str, default: u16) -> u16 {
    entry(document, name).and_then(|port| port.value.trim().parse().ok()).unwrap_or(default)
}

/// A PostgreSQL server; an embedded store is no place to connect to.
fn database(source: &Source, document: &Document) -> Option<Target> {
    let provider = entry(document, "provider")?;
    if !provider.value.eq_ignore_ascii_case("postgresql") {
        return None;
    }
    // A connection's URI goes before host and port (files.md, database.conf).
    if let Some(uri) = entry(document, "connection-uri")
        && let Some((host, port)) = host_of_url(&uri.value)
    {
        let place = Place::Tcp(host, port.unwrap_or(DATABASE_PORT));
        return Some(target(source, uri, "the database", place));
    }
    let host = entry(document, "host")?;
    let place = match &*host.value {
        path if path.starts_with('/') => return None,
        name => Place::Tcp(name.to_owned(), number(document, "port", DATABASE_PORT)),
    };
    Some(target(source, host, "the database", place))
}

fn launcher(source: &Source, document: &Document) -> Option<Target> {
    let address = entry(document, "launcher-address")?;
    let place = match &*address.value {
        "" => return None,
        path if path.starts_with('/') => Place::Socket(path.to_owned()),
        name => Place::Tcp(name.to_owned(), number(document, "launcher-port", LAUNCHER_PORT)),
    };
    Some(target(source, address, "the launcher", place))
}

/// Where sessions call back: they must reach it, and so should this machine.
fn callback(source: &Source, document: &Document) -> Option<Target> {
    let address = entry(document, "launcher-sessions-callback-address")?;
    let (host, port) = host_of_url(&address.value)?;
    let port = port.unwrap_or(if address.value.starts_with("https:") { 443 } else { 80 });
    Some(target(source, address, "the callback address", Place::Tcp(host, port)))
}

/// Names of machines in any other option whose type says that it is one.
fn names(source: &Source, document: &Document, tried: &[Target]) -> Vec<Target> {
    let entries = document.sections.iter().flat_map(|section| &section.entries);
    let named = entries.filter_map(|entry| {
        let name = match entry.row?.kind {
            ValueKind::Url => host_of_url(&entry.value)?.0,
            ValueKind::Address(_) => host_and_port(&entry.value)?.0,
            _ => return None,
        };
        // With blanks, braces or stars in it is a pattern or a placeholder and no name.
        let plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
        let is_name = name.parse::<std::net::IpAddr>().is_err()
            && name.chars().all(plain)
            && name.chars().any(char::is_alphabetic);
        let span = entry.value_span;
        let is_new = !tried.iter().any(|t| t.file == source.file && t.span == span);
        (is_name && is_new).then(|| target(source, entry, "a machine", Place::Name(name)))
    });
    named.collect()
}

/// Host and port of `scheme://user:password@host:port/path`.
fn host_of_url(url: &str) -> Option<(String, Option<u16>)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    host_and_port(authority.rsplit('@').next()?)
}

/// `host`, `host:port`, `[v6]:port`, or a bare IPv6 address.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return Some((host.to_owned(), rest.strip_prefix(':').and_then(|port| port.parse().ok())));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host.to_owned(), port.parse().ok())),
        _ => Some((text.to_owned(), None)),
    }
    .filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::site;

    fn places(texts: &[(FileKind, &str)]) -> Vec<Place> {
        targets(&site(texts)).into_iter().map(|target| target.place).collect()
    }

    fn tcp(host: &str, port: u16) -> Place {
        Place::Tcp(host.to_owned(), port)
    }

    #[test]
    fn the_database_is_where_its_uri_or_its_host_says() {
        let of = |text| places(&[(FileKind::DatabaseConf, text)]);
        assert_eq!(of("provider=sqlite\nhost=db\n").len(), 1);
        assert_eq!(of("provider=postgresql\nhost=db\n"), [tcp("db", 5432)]);
        assert_eq!(of("provider=postgresql\nhost=10.0.0.1\nport=1\n"), [tcp("10.0.0.1", 1)]);
        let uri = "provider=postgresql\nconnection-uri=postgresql://u:p@[::1]:2/d?x=1\n";
        assert_eq!(of(uri), [tcp("::1", 2)]);
    }

    #[test]
    fn launcher_and_callback_are_tried_and_other_names_are_looked_up() {
        let text = "launcher-address=localhost\nlauncher-sessions-callback-address=https://lb.example.org\n\
                    auth-openid-issuer=https://sso.example.org/realm\nwww-address=127.0.0.1\n";
        let name = Place::Name("sso.example.org".to_owned());
        let wanted = [tcp("localhost", 5559), tcp("lb.example.org", 443), name];
        assert_eq!(places(&[(FileKind::RserverConf, text)]), wanted);
        let socket = "launcher-address=/run/l.sock\n";
        let wanted = [Place::Socket("/run/l.sock".to_owned())];
        assert_eq!(places(&[(FileKind::RserverConf, socket)]), wanted);
    }

    #[test]
    fn what_was_tried_in_vain_names_the_line_and_what_to_do() {
        let files = site(&[(FileKind::RserverConf, "launcher-address=l\nlauncher-port=1\n")]);
        let target = targets(&files).remove(0);
        let failed = target.problem(&Tried::Failed("Connection refused".to_owned())).unwrap();
        assert_eq!(failed.message, "the launcher cannot be reached: l:1");
        assert_eq!(failed.labels[0].text, "Connection refused");
        assert!(target.problem(&Tried::Reached).is_none());
    }

    #[test]
    fn a_database_behind_a_socket_is_no_place_to_connect_to() {
        let text = "provider=postgresql\nhost=/run/postgresql\n";
        assert!(places(&[(FileKind::DatabaseConf, text)]).is_empty());
    }

    #[test]
    fn only_what_can_be_a_name_is_looked_up() {
        let of = |issuer: &str| {
            let text = format!("auth-openid-issuer={issuer}\n");
            places(&[(FileKind::RserverConf, &text)]).len()
        };
        assert_eq!(of("https://sso.example.org/realm"), 1);
        assert_eq!(of("https://sso_1.example.org:8443"), 1);
        for none in ["https://10.0.0.1", "https://{host}", "https://*.example.org", "https://--.-"]
        {
            assert_eq!(of(none), 0, "{none}");
        }
    }

    #[test]
    fn host_and_port_are_told_apart_in_every_spelling() {
        let of = |text| host_and_port(text);
        let host = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(of("db"), host("db", None));
        assert_eq!(of(" db:5432 "), host("db", Some(5432)));
        assert_eq!(of("[::1]:5432"), host("::1", Some(5432)));
        assert_eq!(of("[::1]"), host("::1", None));
        assert_eq!(of("fe80::1"), host("fe80::1", None), "a bare address has no port");
        assert_eq!(of(":5432"), None);
        assert_eq!(of("db:many"), host("db", None));
    }

    #[test]
    fn what_was_tried_is_shown_as_people_write_it() {
        let said = |place: Place| {
            let file = Arc::from("/etc/rstudio/rserver.conf");
            let target = Target { what: "the launcher", place, file, span: Span::default() };
            target.problem(&Tried::Silent).expect("it was silent").message
        };
        let silent = |place: &str| format!("the launcher does not answer: {place}");
        assert_eq!(said(tcp("l", 1)), silent("l:1"));
        assert_eq!(said(tcp("::1", 2)), silent("[::1]:2"));
        assert_eq!(said(Place::Socket("/run/l".to_owned())), silent("/run/l"));
        assert_eq!(said(Place::Name("l.org".to_owned())), silent("l.org"));
    }
}
