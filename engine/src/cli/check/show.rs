//! What `wharf check` prints: problems, what was not read, what does nothing here, and one line in sum.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

use engine_core::check::{Checked, Idle, IdleOption};
use engine_core::lint::Skipped;
use grammar::report::{self, Beside, Format, Style};
use serde_json::json;

use super::{CheckArgs, Found, Global, MessageFormat};
use crate::cli::{complain, print_exact};

pub(super) fn show(global: &Global, args: &CheckArgs, found: &Found, took: Duration) {
    let Found { checked, sources } = found;
    let style = Style { color: global.color_for(&std::io::stdout()), width: Some(100) };
    let format = match args.message_format {
        MessageFormat::Human => Format::Human,
        MessageFormat::Short => Format::Short,
        MessageFormat::Github => Format::Github,
        MessageFormat::Json => {
            print_exact(&report::render_json(&checked.problems, sources, &beside(checked)));
            return;
        }
    };
    let mut text = report::render(&checked.problems, sources, format, style);
    let mut notes = unread_notes(checked, global.verbose > 0);
    if format != Format::Human {
        // On stdout such forms have problems only.
        print_exact(&text);
        notes.iter().for_each(|note| complain(note.trim_start_matches("note: ")));
        return;
    }
    if !global.quiet {
        notes.extend(standing_note(checked));
        notes.extend(idle_notes(&checked.idle, global.verbose > 0));
    }
    for note in notes {
        text.push_str(&report::for_terminal(&note));
        text.push('\n');
    }
    if !global.quiet {
        text.push_str(&summary(checked, took));
    }
    print_exact(&text);
}

/// The last line. The time is for people at a terminal; whoever compares texts is spared it.
fn summary(checked: &Checked, took: Duration) -> String {
    let Checked { problems, files, options, .. } = checked;
    let mut line = grammar::check::render_summary(problems, *files, *options);
    if std::io::stdout().is_terminal() {
        line = format!("{line}   {:.2} s", took.as_secs_f64());
    }
    line + "\n"
}

/// Not read is not wrong, and said; so are the rules that could not be applied for it or for another reason.
fn unread_notes(checked: &Checked, verbose: bool) -> Vec<String> {
    let names: Vec<&str> = checked
        .unread
        .iter()
        .map(|file| file.rsplit_once('/').map_or(&**file, |(_, name)| name))
        .collect();
    let mut said = Vec::new();
    if !names.is_empty() {
        let files = counted(names.len(), "file");
        said.push(format!("{files} not read (permission denied): {}", names.join(", ")));
    }
    let codes: BTreeSet<String> =
        checked.skipped.iter().map(|rule| rule.code.to_string()).collect();
    if !codes.is_empty() {
        let rules = counted(codes.len(), "rule");
        let codes: Vec<String> = codes.into_iter().collect();
        said.push(format!("{rules} skipped: {}", codes.join(", ")));
    }
    if said.is_empty() {
        return Vec::new();
    }
    let mut notes = vec![format!("note: {}", said.join("; "))];
    if verbose {
        notes
            .extend(checked.skipped.iter().map(|rule| format!("  {}  {}", rule.code, rule.reason)));
    }
    notes
}

/// What stands beside staged files, and did before.
fn standing_note(checked: &Checked) -> Option<String> {
    let n = checked.standing;
    let problems = counted(n, "problem");
    let them = if n == 1 { "it" } else { "them" };
    (n > 0).then(|| {
        format!("note: {problems} of the files in place left out (wharf check lists {them})")
    })
}

/// What is said of options that do nothing, by their state: of one, of several, what.
const STATES: [(&str, &str, &str, &str); 3] = [
    ("accepted", "is understood and has", "are understood and have", "no meaning here"),
    ("arrives", "has", "have", "no effect yet"),
    ("unsupported", "is", "are", "not supported here"),
];

/// One line for each state, and each option of it where `verbose`.
fn idle_notes(idle: &[IdleOption], verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (state, one, many, end) in STATES {
        let of_state: Vec<_> = idle.iter().filter(|option| option.why.state() == state).collect();
        let (verb, hint) = match (of_state.len(), verbose) {
            (0, _) => continue,
            (1, true) => (one, ":"),
            (1, false) => (one, " (-v lists it)"),
            (_, true) => (many, ":"),
            (_, false) => (many, " (-v lists them)"),
        };
        lines.push(format!("note: {} {verb} {end}{hint}", counted(of_state.len(), "option")));
        if verbose {
            lines.extend(of_state.into_iter().map(idle_line));
        }
    }
    lines
}

fn idle_line(option: &IdleOption) -> String {
    let place = format!("{}:{}", option.file, option.line);
    let why = match option.why {
        Idle::Later(Some(step)) => format!("arrives with {step}"),
        other => other.words().unwrap_or("not in this version").to_owned(),
    };
    format!("  {place:<24} {:<32} {why}", option.option)
}

/// What programs are told besides problems.
fn beside(checked: &Checked) -> Beside {
    let idle: Vec<_> = checked.idle.iter().map(idle_json).collect();
    let rule = |rule: &Skipped| json!({ "code": rule.code.to_string(), "why": rule.reason });
    let skipped: Vec<_> = checked.skipped.iter().map(rule).collect();
    let object = json!({
        "files": checked.files,
        "options": checked.options,
        "unread": checked.unread,
        "skipped": skipped,
        "standing": checked.standing,
        "idle": idle,
    });
    match object {
        serde_json::Value::Object(map) => map,
        _ => Beside::new(),
    }
}

fn idle_json(option: &IdleOption) -> serde_json::Value {
    let IdleOption { file, line, option, why } = option;
    let (state, why) = (why.state(), why.words());
    json!({ "file": file, "line": line, "option": option, "state": state, "why": why })
}

fn counted(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}
