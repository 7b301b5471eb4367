//! Secrets in files: who can read them, and who knows them anyway. Never prints one.

use grammar::document::Entry;
use grammar::error::{Code, Severity};
use grammar::secret;
use grammar::source::FileKind::{self, DatabaseConf, LauncherEnv};
use grammar::span::Span;
use grammar::value::ValueKind;

use super::{Findings, Need, Rule, Site};

/// The rules about secrets.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code(431),
        title: "a secret stands in a file that everybody can read",
        severity: Severity::Warning,
        needs: &[],
        check: everybody_reads,
    },
    Rule {
        code: Code(432),
        title: "a password that everybody knows",
        severity: Severity::Warning,
        needs: &[],
        check: well_known,
    },
    Rule {
        code: Code(433),
        title: "the database's password stands in clear",
        severity: Severity::Note,
        needs: &[Need::File(DatabaseConf)],
        check: in_clear,
    },
];

/// Passwords of samples and images that were never changed: the first is the gateway guide's.
const WELL_KNOWN: [&str; 10] = [
    "Welcome123!",
    "rstudio",
    "postgres",
    "password",
    "changeme",
    "changeit",
    "secret",
    "admin",
    "letmein",
    "12345678",
];

/// A secret as it stands in a file: where its name is, and what it is.
struct Secret<'a> {
    name: &'a str,
    name_span: Span,
    value: &'a str,
}

/// The secrets of a file, in order.
fn secrets<'a>(site: &'a Site<'_>, kind: FileKind) -> Vec<Secret<'a>> {
    let places = site.read.secret_places(kind);
    let entries = site.sections(kind).iter().flat_map(|section| &section.entries);
    if kind == LauncherEnv {
        let parts = entries.filter(|entry| &*entry.name == "Environment");
        let parts = parts.flat_map(|entry| &entry.parts);
        return parts.filter(|part| places.contain(part.span.start)).filter_map(variable).collect();
    }
    let entries = entries.filter(|entry| places.contain(entry.name_span.start));
    entries.filter(|entry| holds_text(entry)).filter_map(secret).collect()
}

/// Whether an option's value is a text: a switch called `...-password` is no password, nor is a path.
fn holds_text(entry: &Entry) -> bool {
    entry
        .row
        .is_none_or(|row| matches!(row.kind, ValueKind::Text | ValueKind::Url | ValueKind::List(_)))
}

fn secret(entry: &Entry) -> Option<Secret<'_>> {
    let value = written_out(&entry.value)?;
    Some(Secret { name: &entry.name, name_span: entry.name_span, value })
}

fn variable(part: &grammar::document::Part) -> Option<Secret<'_>> {
    let (name, value) = part.text.split_once('=')?;
    let value = written_out(value.trim())?;
    let start = part.span.start as usize;
    Some(Secret { name: name.trim(), name_span: Span::new(start, start + name.len()), value })
}

/// What of a secret value is the secret, if it is written out: `$OTHER` and `{USER}` are not.
fn written_out(value: &str) -> Option<&str> {
    let found = match secret::in_value(value) {
        Some(range) => value.get(range)?,
        None => value,
    };
    (!found.is_empty() && !found.starts_with(['$', '{'])).then_some(found)
}

/// `database.conf` has a rule of its own (WH0636): the product changes its mode itself.
fn everybody_reads(site: &Site<'_>, out: &mut Findings) {
    for kind in site.read.documents.keys().copied().filter(|kind| *kind != DatabaseConf) {
        let found = secrets(site, kind);
        let Some(first) = found.first() else { continue };
        let facts = site.facts().file(&site.read.shown(kind));
        let Some(file) = out.known(&facts).filter(|file| file.everybody_reads()) else { continue };
        let more = match found.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let problem = out
            .problem(format!("everybody on this machine can read the secret `{}`", first.name))
            .label(
                &site.read.shown(kind),
                Some(first.name_span),
                format!("mode {}{more}", file.octal()),
            );
        out.push(problem.help(format!("chmod 0600 {}", site.read.shown(kind))));
    }
}

fn well_known(site: &Site<'_>, out: &mut Findings) {
    for kind in site.read.documents.keys().copied() {
        for secret in secrets(site, kind).iter().filter(|s| WELL_KNOWN.contains(&s.value)) {
            let message = format!("`{}` is a password that everybody knows", secret.name);
            let problem = out.problem(message).label(
                &site.read.shown(kind),
                Some(secret.name_span),
                "from a sample or an image",
            );
            out.push(problem.help("choose another, also where it is checked"));
        }
    }
}

/// What `encrypt-password` prints is long and of the alphabet of base 64; what is not that is clear.
fn looks_encrypted(value: &str) -> bool {
    const SHORTEST: usize = 32;
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    value.len() >= SHORTEST && value.bytes().all(alphabet)
}

fn in_clear(site: &Site<'_>, out: &mut Findings) {
    for secret in secrets(site, DatabaseConf).iter().filter(|s| !looks_encrypted(s.value)) {
        let problem = out.problem("the database's password stands in clear").label(
            &site.read.shown(DatabaseConf),
            Some(secret.name_span),
            "",
        );
        out.push(problem.help("`rstudio-server encrypt-password` prints what to write instead"));
    }
}
