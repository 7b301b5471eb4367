//! Keys, and files whose mode matters: too short, too open, not open enough, one without the other.

use grammar::error::{Code, Problem, Severity};
use grammar::source::FileKind::{DatabaseConf, RserverConf, RsessionConf};

use super::{Findings, Need, Rule, Site};
use crate::facts::{COOKIE_KEY_BYTES, KeyFile};

/// The rules about keys and modes.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(631),
        title: "secure-cookie-key is too short for the product to start",
        severity: Severity::Error,
        needs: &[],
        check: short_cookie_key,
    },
    Rule {
        code: Code(632),
        title: "secure-cookie-key can be read by everybody",
        severity: Severity::Warning,
        needs: &[],
        check: open_cookie_key,
    },
    Rule {
        code: Code(633),
        title: "launcher.pem can be read by others than its owner, which the product rejects",
        severity: Severity::Error,
        needs: &[],
        check: open_launcher_key,
    },
    Rule {
        code: Code(634),
        title: "launcher.pem or launcher.pub is not the key that it should be",
        severity: Severity::Warning,
        needs: &[],
        check: odd_key,
    },
    Rule {
        code: Code(635),
        title: "one of launcher.pem and launcher.pub is there without the other",
        severity: Severity::Warning,
        needs: &[],
        check: half_a_pair,
    },
    Rule {
        code: Code(636),
        title: "database.conf can be read by others than its owner",
        severity: Severity::Warning,
        needs: &[Need::File(DatabaseConf)],
        check: open_database_conf,
    },
    Rule {
        code: Code(637),
        title: "rsession.conf cannot be read by the sessions that need it",
        severity: Severity::Warning,
        needs: &[Need::File(RsessionConf)],
        check: closed_rsession_conf,
    },
];

/// The mode of a key as a place: its file, and what stands there.
fn at_key(problem: Problem, key: &KeyFile) -> Problem {
    problem.label(&key.path, None, format!("mode {}", key.file.octal()))
}

fn short_cookie_key(site: &Site<'_>, out: &mut Findings) {
    let facts = site.facts();
    out.known(&facts.cookie_key);
    let Some(key) = facts.short_cookie_key() else { return };
    let message =
        format!("the cookie key has {} bytes, and needs {COOKIE_KEY_BYTES}", key.file.length);
    let problem = out.problem(message).label(&key.path, None, "too short");
    let problem = site.at(problem, RserverConf, "secure-cookie-key-file", "named here");
    out.push(
        problem
            .note("the product does not start with it")
            .help("write a new one: `uuidgen > FILE`, mode 0600, the same on every node"),
    );
}

fn open_cookie_key(site: &Site<'_>, out: &mut Findings) {
    let Some(key) = out.known(&site.facts().cookie_key).filter(|key| key.file.mode & 0o007 != 0)
    else {
        return;
    };
    let problem =
        at_key(out.problem("everybody on this machine can read or change the cookie key"), key);
    out.push(
        problem
            .note("with it anybody can sign in as anybody")
            .help(format!("chmod 0600 {}", key.path)),
    );
}

fn open_launcher_key(site: &Site<'_>, out: &mut Findings) {
    let facts = site.facts();
    out.known(&facts.launcher_pem);
    let Some(key) = facts.open_launcher_key() else { return };
    let problem = at_key(out.problem("others than its owner can read the launcher's key"), key);
    out.push(problem.note("the product rejects it then").help(format!("chmod 0600 {}", key.path)));
}

fn odd_key(site: &Site<'_>, out: &mut Findings) {
    let facts = site.facts();
    let keys = [(&facts.launcher_pem, "PRIVATE KEY"), (&facts.launcher_pub, "PUBLIC KEY")];
    for (known, wanted) in keys {
        let Some(key) = out.known(known) else { continue };
        let found = out.known(&key.pem).cloned();
        if key.pem.is_unknown() || found.as_ref().is_some_and(|label| label.ends_with(wanted)) {
            continue;
        }
        let message = format!("this is no {} in PEM", wanted.to_ascii_lowercase());
        let label = match found {
            Some(label) => format!("begins with `-----BEGIN {label}-----`"),
            None => "has no PEM block".to_owned(),
        };
        out.push(
            out.problem(message)
                .label(&key.path, None, label)
                .help("`openssl genpkey -algorithm RSA -out launcher.pem` makes a pair's private half, `openssl rsa -in launcher.pem -pubout -out launcher.pub` its public one"),
        );
    }
}

fn half_a_pair(site: &Site<'_>, out: &mut Findings) {
    let facts = site.facts();
    let (pem, public) = (&facts.launcher_pem, &facts.launcher_pub);
    let (found_pem, found_public) = (out.known(pem), out.known(public));
    if pem.is_unknown() || public.is_unknown() {
        return;
    }
    let (there, missing) = match (found_pem, found_public) {
        (Some(key), None) => (key, "launcher.pub"),
        (None, Some(key)) => (key, "launcher.pem"),
        _ => return,
    };
    let problem =
        out.problem(format!("{missing} is missing")).label(&there.path, None, "its other half");
    out.push(
        problem
            .note("sessions that are reached through another node cannot be proven to be their user's")
            .help("copy the pair from another node, or make a new one for all of them"),
    );
}

/// With PostgreSQL the product warns of it, and changes mode and owner itself (files.md §5).
fn open_database_conf(site: &Site<'_>, out: &mut Findings) {
    let secret = ["password", "connection-uri"]
        .into_iter()
        .find(|option| site.read.text(DatabaseConf, option).is_some());
    let Some(secret) = secret else { return };
    let facts = site.facts().file(&site.read.shown(DatabaseConf));
    let Some(file) = out.known(&facts).filter(|file| file.mode & 0o077 != 0) else { return };
    let span = site.read.entry(DatabaseConf, secret).map(|entry| entry.name_span);
    let problem = out.problem("others than its owner can read the database's password").label(
        &site.read.shown(DatabaseConf),
        span,
        format!("mode {}", file.octal()),
    );
    out.push(problem.help(format!("chmod 0600 {}", site.read.shown(DatabaseConf))));
}

/// Every session reads it as its user; one that cannot ends at its start, saying next to nothing.
fn closed_rsession_conf(site: &Site<'_>, out: &mut Findings) {
    if site.source(RsessionConf).is_none() {
        return;
    }
    let facts = site.facts().file(&site.read.shown(RsessionConf));
    let Some(file) = out.known(&facts).filter(|file| !file.everybody_reads()) else { return };
    let problem = out.problem("sessions cannot read rsession.conf");
    let problem = site.at_file(problem, RsessionConf, format!("mode {}", file.octal()));
    out.push(
        problem
            .note("each session reads it as its user, and ends at once where it may not")
            .help(format!("chmod 0644 {}", site.read.shown(RsessionConf))),
    );
}
