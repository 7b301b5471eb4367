//! `wharf option list|show`: the catalogue of options, asked from the command line.

use clap::{Args, Subcommand, ValueEnum};
use grammar::catalogue::{self, OptionRow, State};
use grammar::manual::{self, text};
use grammar::suggest;
use serde_json::json;

use super::{FAILED, OK, complain, print, print_json};

/// Columns of what people read.
const WIDTH: usize = 100;

#[derive(Debug, Subcommand)]
pub(super) enum OptionCommand {
    /// Options of every file, or of one
    List(ListArgs),
    /// One option at length: type, default, effect, state, source, what Workbench does
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only of this file: rserver.conf
    file: Option<String>,
    /// Only those of this state
    #[arg(long, value_name = "STATE")]
    state: Option<Wanted>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf option show www-port\n  wharf option show launcher.conf:port"
)]
pub(super) struct ShowArgs {
    /// The option's name, or FILE:NAME
    name: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A state of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// It does what it says, and a test proves it
    Acts,
    /// It is going to
    Arrives,
    /// It is understood and has no meaning here
    Accepted,
    /// It is understood and not done
    Unsupported,
}

impl Wanted {
    fn is(self, state: State) -> bool {
        matches!(
            (self, state),
            (Wanted::Acts, State::Acts { .. })
                | (Wanted::Arrives, State::Arrives { .. })
                | (Wanted::Accepted, State::Accepted { .. })
                | (Wanted::Unsupported, State::Unsupported { .. })
        )
    }
}

pub(super) fn run(command: &OptionCommand) -> u8 {
    match command {
        OptionCommand::List(args) => list(args),
        OptionCommand::Show(args) => show(args),
    }
}

fn list(args: &ListArgs) -> u8 {
    if let Some(file) = &args.file
        && catalogue::rows(file).is_empty()
    {
        let meant = suggest::nearest(file, manual::files().into_iter());
        let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        complain(&format!("{file}: the catalogue has no such file{meant}"));
        return FAILED;
    }
    let rows: Vec<&OptionRow> = catalogue::all()
        .iter()
        .filter(|row| args.file.as_deref().is_none_or(|file| row.file == file))
        .filter(|row| args.state.is_none_or(|state| state.is(row.state)))
        .collect();
    if args.json {
        let options: Vec<_> = rows.iter().map(|row| json_of(row)).collect();
        print_json(format!("{:#}\n", json!({ "format_version": "1.0", "options": options })));
    } else {
        print(&text::list(&rows, WIDTH));
        let n = rows.len();
        print(&if n == 1 { "1 option\n".to_owned() } else { format!("{n} options\n") });
    }
    OK
}

fn show(args: &ShowArgs) -> u8 {
    let rows = manual::named(&args.name);
    if rows.is_empty() {
        let meant = manual::nearest(&args.name);
        let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        complain(&format!("no option is called `{}`{meant}", args.name));
        return FAILED;
    }
    if args.json {
        let options: Vec<_> = rows.iter().map(|row| json_of(row)).collect();
        print_json(format!("{:#}\n", json!({ "format_version": "1.0", "options": options })));
    } else {
        let texts: Vec<String> = rows.iter().map(|row| text::option(row, WIDTH)).collect();
        print(&texts.join("\n"));
    }
    OK
}

fn json_of(row: &OptionRow) -> serde_json::Value {
    let (state, why) = match row.state {
        State::Acts { test } => ("acts", test),
        State::Arrives { issue } => ("arrives", issue),
        State::Accepted { why } => ("accepted", why),
        State::Unsupported { why } => ("unsupported", why),
    };
    json!({
        "file": row.file,
        "section": row.section,
        "name": row.name,
        "type": row.kind.name(),
        "default": row.default,
        "values": row.values,
        "min": row.min,
        "max": row.max,
        "repeatable": row.repeatable,
        "required": row.required,
        "effect": row.effect.name(),
        "state": state,
        "why": why,
        "narrows_access": row.narrows_access,
        "workbench": row.incumbent.name(),
        "since": row.since,
        "deprecated": row.deprecated,
        "command_line": row.command_line,
        "summary": row.summary,
        "note": row.note,
        "source": row.source,
    })
}
