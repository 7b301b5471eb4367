//! The manual, made of the catalogue: what there is to say about an option and about a file.
//!
//! Data in words, without a form: [`text`] shows it in a terminal, [`roff`] as manual pages. Knows
//! nothing that the catalogue does not have.

pub mod roff;
pub mod text;

use crate::catalogue::{self, Effect, Incumbent, OptionRow, State};
use crate::suggest;
use crate::value::{Separator, ValueKind};

/// One thing to say about an option: what about, and what.
pub type Said = (&'static str, String);

/// All there is to say about an option besides its name and summary, in the order of reading.
#[must_use]
pub fn facts(row: &OptionRow) -> Vec<Said> {
    let mut said = vec![("type", type_of(row))];
    let mut say = |label, text: String| said.push((label, text));
    match row.default {
        Some("") => say("default", "empty".to_owned()),
        Some(default) => say("default", default.to_owned()),
        None if row.required => say("default", "none: it has to be set".to_owned()),
        None => {}
    }
    if row.repeatable {
        say("repeated", "it may stand several times, and each counts".to_owned());
    }
    say("here", done(row.state, row.effect));
    if row.narrows_access {
        say("access", "it restricts who gets in: set without acting, it is an error".to_owned());
    }
    say("Workbench", incumbent(row.incumbent).to_owned());
    if let Some(since) = row.since {
        say("since", format!("Workbench {since}"));
    }
    if let Some(instead) = row.deprecated {
        say("out of use", instead.to_owned());
    }
    if row.command_line {
        say("where", "on the product's command line only, not in the file".to_owned());
    }
    if let Some(note) = row.note {
        say("note", note.to_owned());
    }
    say("source", row.source.to_owned());
    said
}

/// The type of an option with what it takes.
fn type_of(row: &OptionRow) -> String {
    let words: Vec<&str> = row.values.iter().copied().filter(|word| !word.is_empty()).collect();
    let mut text = match row.kind {
        ValueKind::Word => return format!("one of {}", words.join(", ")),
        ValueKind::List(separator) => format!("list, {}", between(separator)),
        ValueKind::Bool => "switch (0 or 1)".to_owned(),
        kind => kind.name().to_owned(),
    };
    match (row.min, row.max) {
        (Some(min), Some(max)) => text.push_str(&format!(", {min} to {max}")),
        (Some(min), None) => text.push_str(&format!(", {min} or more")),
        (None, Some(max)) => text.push_str(&format!(", {max} or less")),
        (None, None) => {}
    }
    if !words.is_empty() {
        text.push_str(&format!(", or {}", words.join(", ")));
    }
    text
}

fn between(separator: Separator) -> &'static str {
    match separator {
        Separator::Comma => "commas between",
        Separator::Blank => "blanks between",
        Separator::Colon => "colons between",
        Separator::Line => "one a line",
        Separator::None => "one item, the option repeated for more",
    }
}

/// What is done with something here, and when a change of it is seen.
fn done(state: State, effect: Effect) -> String {
    let when = match effect {
        Effect::Live => "at once, touching no session",
        Effect::NextStart => "for sessions that start later",
        Effect::SessionRestart => "once a session is restarted",
        Effect::DaemonRestart => "once the engine is restarted",
    };
    match state {
        State::Acts { .. } => format!("acts; a change takes effect {when}"),
        State::Arrives { issue } => {
            format!("is understood and does not act yet (it arrives with {issue}); then {when}")
        }
        State::Accepted { why } => format!("is accepted without a meaning: {why}"),
        State::Unsupported { why } => format!("is not supported: {why}"),
    }
}

/// What the product itself must do to see a change.
fn incumbent(incumbent: Incumbent) -> &'static str {
    match incumbent {
        Incumbent::Restart => "restarts its services for a change",
        Incumbent::Reload => "reloads its server for a change",
        Incumbent::LauncherReload => "reloads its launcher for a change",
        Incumbent::NewSession => "new sessions see a change",
        Incumbent::Immediate => "sees a change at once",
        Incumbent::Unknown => "not established: reckon with a restart of its services",
    }
}

/// Every file that has options, in the catalogue's order.
#[must_use]
pub fn files() -> Vec<&'static str> {
    let mut files: Vec<&'static str> = catalogue::all().iter().map(|row| row.file).collect();
    files.dedup();
    files
}

/// The options that a person means by `NAME` or `FILE:NAME`, in any letter case.
#[must_use]
pub fn named(name: &str) -> Vec<&'static OptionRow> {
    let (file, name) = match name.split_once(':') {
        Some((file, name)) => (Some(file), name),
        None => (None, name),
    };
    let fits = |row: &&OptionRow| {
        row.name.eq_ignore_ascii_case(name) && file.is_none_or(|file| row.file == file)
    };
    catalogue::all().iter().filter(fits).collect()
}

/// The name that a person most likely meant.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    suggest::nearest(name, catalogue::all().iter().map(|row| row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_says_its_type_what_is_done_with_it_and_where_that_is_read() {
        for row in catalogue::all() {
            let labels: Vec<_> = facts(row).iter().map(|(label, _)| *label).collect();
            for needed in ["type", "here", "Workbench", "source"] {
                assert!(labels.contains(&needed), "{} {}: {needed}", row.file, row.name);
            }
            assert!(facts(row).iter().all(|(_, text)| !text.is_empty()), "{}", row.name);
        }
    }

    #[test]
    fn an_option_is_found_by_its_name_or_by_its_file_and_name() {
        assert_eq!(named("www-address").len(), 2);
        assert_eq!(named("rserver.conf:www-address").len(), 1);
        assert_eq!(named("launcher.conf:port").len(), 1);
        assert!(named("port").len() > 1);
        assert!(named("www-prot").is_empty());
        assert_eq!(nearest("rserver.conf:www-prot"), Some("www-port"));
    }
}
