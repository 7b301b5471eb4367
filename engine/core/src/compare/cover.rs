//! The lines of a file as they may be shown.
//!
//! Covers more rather than less: what lowering calls a secret, what looks like one whatever it is called, what
//! goes on behind it, and of a file that is for secrets everything that is not known to be none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grammar::secret::{self, COVER};
use grammar::source::FileKind;

use crate::settings::Settings;

/// What is shown of a secret that is another one now.
const CHANGED: &str = "(secret, changed)";

/// A file's lines, each with what may be shown of it.
pub(super) struct Covered {
    text: Arc<str>,
    shown: Vec<String>,
    /// Those in which something is covered.
    covered: BTreeSet<String>,
}

/// What lowering says of a line: whether it holds a secret, and whether it is known.
#[derive(Clone, Copy, Default)]
struct Said {
    secret: bool,
    known: bool,
}

impl Covered {
    pub(super) fn of(file: &str, text: Arc<str>, settings: &Settings) -> Self {
        let said = said(file, settings);
        let kind = FileKind::of_file_name(file);
        let for_secrets = kind.is_some_and(|kind| kind.facts().secret);
        // A value of ours may go on over several lines.
        let goes_on = file.ends_with(".toml");
        let mut behind_secret = false;
        let lines = text.lines().zip(1_u32..).map(|(line, number)| {
            let of_line = said.get(&number).copied();
            if let Some(of_line) = of_line {
                behind_secret = of_line.secret && goes_on;
            }
            let Said { secret, known } = of_line.unwrap_or_default();
            let blank = line.trim().is_empty();
            if secret || (for_secrets && !known && !blank && !is_comment(line)) {
                return behind_name(line);
            }
            if behind_secret && !blank {
                return COVER.to_owned();
            }
            without_secrets(line)
        });
        let shown: Vec<String> = lines.map(|line| printable(&line)).collect();
        let covered = shown.iter().filter(|line| line.contains(COVER)).cloned().collect();
        Self { text, shown, covered }
    }

    /// What the lines are told apart by: all of them.
    pub(super) fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    /// A line as it may be shown.
    pub(super) fn shown(&self, at: usize) -> &str {
        self.shown.get(at).map_or("", String::as_str)
    }

    /// A new line as it may be shown: where nothing but its secret is another one, that is said.
    pub(super) fn shown_beside(&self, at: usize, before: &Covered) -> String {
        let shown = self.shown(at);
        if before.covered.contains(shown) {
            return shown.replace(COVER, CHANGED);
        }
        shown.to_owned()
    }
}

fn said(file: &str, settings: &Settings) -> BTreeMap<u32, Said> {
    let mut lines: BTreeMap<u32, Said> = BTreeMap::new();
    let of_file = settings.iter().filter(|(key, _)| &*key.file == file);
    for (_, setting) in of_file {
        let said = lines.entry(setting.line).or_default();
        said.secret |= setting.secret.is_some();
        said.known |= setting.row.is_some();
    }
    lines
}

fn is_comment(line: &str) -> bool {
    // What stands behind the sign may be a password that was commented out.
    line.trim_start().starts_with(['#', ';'])
        && secret::in_line(line).is_none()
        && !line.contains('=')
}

/// The line up to the first separator behind a name; all of it covered where there is none.
fn behind_name(line: &str) -> String {
    // `Environment: KEY=value`: the last name before the value.
    let at = line.find('=').or_else(|| line.find(':'));
    match at {
        Some(at) if secret::in_line(&line[..at]).is_none() => {
            format!("{}{COVER}", &line[..=at])
        }
        _ => {
            let indent = line.len() - line.trim_start().len();
            format!("{}{COVER}", &line[..indent])
        }
    }
}

/// Whatever looks like a secret, covered.
fn without_secrets(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(range) = secret::in_line(rest).filter(|range| range.end > 0) {
        out.push_str(&rest[..range.start]);
        out.push_str(COVER);
        rest = &rest[range.end..];
    }
    out.push_str(rest);
    out
}

/// Nothing that a terminal obeys.
fn printable(line: &str) -> String {
    let keep = |c: char| c == '\t' || !(c.is_control() || is_directional(c));
    line.chars().map(|c| if keep(c) { c } else { '?' }).collect()
}

/// Characters that turn the direction of what follows: they make a line look like another one.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::lower;
    use crate::known::Known;
    use crate::site::{Managed, SiteFiles};
    use grammar::source::Source;

    #[test]
    fn names_are_kept_and_values_covered() {
        assert_eq!(behind_name("Environment: KEY=a=b"), "Environment: KEY=(secret)");
        assert_eq!(behind_name("password: x"), "password:(secret)");
        assert_eq!(behind_name("  hunter2"), "  (secret)");
        assert_eq!(behind_name("token abc=def"), "(secret)");
    }

    #[test]
    fn several_secrets_of_a_line_are_covered() {
        let line = "a=postgresql://u:pw@h/d b=postgresql://u:pw2@h/d";
        let shown = without_secrets(line);
        assert!(!shown.contains("pw"), "{shown}");
        assert_eq!(without_secrets("TZ=UTC"), "TZ=UTC");
    }

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\td"), "a?[31mb?c\td");
    }

    fn shown(file: &str, files: &SiteFiles, text: &str) -> Vec<String> {
        let lowered = lower(files, &ground());
        let covered = Covered::of(file, Arc::from(text), &lowered.settings);
        (0..covered.lines().len()).map(|at| covered.shown(at).to_owned()).collect()
    }

    #[test]
    fn a_secret_of_several_lines_is_covered_to_its_end_and_nothing_else() {
        let text = "workbench = \"demo\"\nuser = \"alice\"\n[env]\nAPI_TOKEN = \"\"\"\nhunter2\n\n\
                    hunter3\"\"\"\nNOTE = \"\"\"\nfirst\nsecond\"\"\"\n";
        let mut files = site(&[]);
        let source = Source::new("/etc/wharf/sessions.d/lab.toml", text);
        files.sessions = Managed::Managed([("lab".to_owned(), Known::Present(source))].into());
        assert_eq!(
            shown("sessions.d/lab.toml", &files, text),
            [
                "workbench = \"demo\"",
                "user = \"alice\"",
                "[env]",
                "API_TOKEN =(secret)",
                "(secret)",
                "",
                "(secret)",
                "NOTE = \"\"\"",
                "first",
                "second\"\"\"",
            ]
        );
    }

    #[test]
    fn of_a_file_for_secrets_what_is_known_and_plain_remarks_are_shown() {
        let text = "# the database of the site\nprovider=sqlite\n# pw=hunter2\n\nodd hunter2\n\
                    ; password hunter2\n";
        let files = site(&[(FileKind::DatabaseConf, text)]);
        assert_eq!(
            shown("database.conf", &files, text),
            [
                "# the database of the site",
                "provider=sqlite",
                "# pw=(secret)",
                "",
                "(secret)",
                "(secret)",
            ]
        );
    }

    #[test]
    fn outside_our_own_files_a_secret_ends_with_its_line() {
        let text = "JobType: session\nEnvironment: API_KEY=hunter2\n TZ=UTC\n# a remark\n";
        let files = site(&[(FileKind::LauncherEnv, text)]);
        assert_eq!(
            shown("launcher-env", &files, text),
            ["JobType: session", "Environment: API_KEY=(secret)", " TZ=UTC", "# a remark"]
        );
    }
}
