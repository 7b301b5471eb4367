//! `wharf history`: the generations that are kept, what each changed, and one of them pinned.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use engine_core::ids::{Generation, Moment};
use serde::Serialize;
use serde_json::{Value, json};

use super::overrides::{self, WordArgs};
use super::{FAILED, Global, OK, ask, complain, print, print_json, when};
use crate::admin::protocol::{Answer, DiffSide, GenerationView, Request, RoundView};

/// `wharf history`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  wharf history                   # those that are kept, [history] keep of wharf.toml\n  \
    wharf history show              # what the newest changed, and the steps that were taken since\n  \
    wharf history show 41 --json | jq -r '.steps[].step'\n  \
    wharf history pin 40 --reason 'INC0042: jupyter does not start'\n  wharf history unpin"
)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    command: Option<HistoryCommand>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// What a generation changed, and the steps that were taken while it was in force
    Show(ShowArgs),
    /// Let a generation act whatever the files say; they are not written
    Pin(PinArgs),
    /// Let the newest generation act again
    Unpin,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Steps have the ids under which `wharf plan -v` and `wharf plan --json` announced them. The engine\n\
    remembers those of its last 1,000 rounds, and none from before its own start.\n\n\
    Examples:\n  wharf history show\n  wharf history show 41 --json"
)]
struct ShowArgs {
    /// Its number [default: the newest]
    generation: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    mut_arg("for_time", |arg| arg.help("How long it lasts [default: until it is unpinned]")),
    after_help = "What going back would do to people waits for harm-delay like any change of files.\n\n\
    Examples:\n  wharf history pin 40 --for 2h"
)]
struct PinArgs {
    /// Its number
    generation: u64,
    #[command(flatten)]
    word: WordArgs,
}

pub(super) fn run(global: &Global, args: &HistoryArgs) -> u8 {
    match &args.command {
        None => match kept(global) {
            Ok(generations) => overrides::show(&generations, args.json, |kept| list(kept)),
            Err(code) => code,
        },
        Some(HistoryCommand::Show(args)) => show(global, args),
        Some(HistoryCommand::Pin(args)) => match args.word.for_ms() {
            Ok(for_ms) => {
                let generation = Generation(args.generation);
                let reason = args.word.reason.clone();
                ask::simple(global, Request::Pin { generation, reason, for_ms })
            }
            Err(code) => code,
        },
        Some(HistoryCommand::Unpin) => ask::simple(global, Request::Unpin),
    }
}

fn kept(global: &Global) -> Result<Vec<GenerationView>, u8> {
    match ask::engine(global, None, Request::History)? {
        Answer::History { generations } => Ok(generations),
        _ => {
            complain("the engine answered something else than was asked");
            Err(FAILED)
        }
    }
}

fn list(generations: &[GenerationView]) -> String {
    let mut out = String::new();
    for kept in generations {
        let digest: String = kept.digest.chars().take(12).collect();
        let mut line = format!("{:>5}   {}   {digest}", kept.generation, when(kept.since));
        let marks = [(kept.in_force, "in force"), (kept.acts, "acts"), (kept.pinned, "pinned")];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        if !marks.is_empty() {
            let _ = write!(line, "   {}", marks.join(", "));
        }
        let _ = writeln!(out, "{line}");
    }
    if out.is_empty() { "no generation is kept\n".to_owned() } else { out }
}

/// A step that was taken, as `--json` has it.
#[derive(Serialize)]
struct Taken {
    at: Moment,
    round: u64,
    step: String,
    error: Option<String>,
}

/// What a generation changed, compared with the one kept before it, and what was done while it was in force.
fn show(global: &Global, args: &ShowArgs) -> u8 {
    let generations = match kept(global) {
        Ok(generations) => generations,
        Err(code) => return code,
    };
    let at = match args.generation {
        Some(number) => generations.iter().position(|kept| kept.generation.0 == number),
        None => generations.len().checked_sub(1),
    };
    let Some(at) = at else {
        complain(&match args.generation {
            Some(number) => {
                format!("generation {number} is not kept; `wharf history` has those that are")
            }
            None => "no generation is kept".to_owned(),
        });
        return FAILED;
    };
    let generation = generations[at].generation;
    let shown = match at.checked_sub(1) {
        Some(before) => changed(global, generations[before].generation, generation),
        None => Ok((format!("generation {generation} is the oldest that is kept\n"), json!({}))),
    };
    let steps = shown.and_then(|shown| Ok((shown, taken(global, generation)?)));
    let ((text, mut object), steps) = match steps {
        Ok(both) => both,
        Err(code) => return code,
    };
    if args.json {
        object["generation"] = json!(generation);
        object["steps"] = json!(steps);
        print_json(format!("{object}\n"));
    } else {
        print(&(text + &in_words(&steps)));
    }
    OK
}

/// How a generation differs from the one before it: as text, and as a JSON object.
fn changed(global: &Global, from: Generation, to: Generation) -> Result<(String, Value), u8> {
    let (from, to) = (DiffSide::Generation(from.0), DiffSide::Generation(to.0));
    let request = Request::Diff { from, to, verbose: global.verbose > 0 };
    match ask::engine(global, None, request)? {
        Answer::Diff { text, json, .. } => match serde_json::from_str(&json) {
            Ok(object) => Ok((text, object)),
            Err(error) => Err(not_understood(&error.to_string())),
        },
        _ => Err(not_understood("")),
    }
}

/// The steps of the rounds in which a generation was in force, as far as the engine remembers them.
fn taken(global: &Global, generation: Generation) -> Result<Vec<Taken>, u8> {
    let Answer::Rounds { rounds } = ask::engine(global, None, Request::Rounds { after: 0 })? else {
        return Err(not_understood(""));
    };
    let of = rounds.into_iter().filter(|round| round.generation == generation);
    let steps = of.flat_map(|RoundView { number, at, steps, .. }| {
        let step = move |(step, error)| Taken { at, round: number, step, error };
        steps.into_iter().map(step)
    });
    Ok(steps.collect())
}

/// A line a round, and one for each step that failed.
fn in_words(steps: &[Taken]) -> String {
    if steps.is_empty() {
        return "\nNo step of it is remembered.\n".to_owned();
    }
    let mut out = "\nSteps taken\n".to_owned();
    for round in steps.chunk_by(|a, b| a.round == b.round) {
        let ids: Vec<&str> = round.iter().map(|taken| taken.step.as_str()).collect();
        let _ = writeln!(out, "  {}   {}", when(round[0].at), ids.join(", "));
        for taken in round {
            if let Some(error) = &taken.error {
                let _ = writeln!(out, "      {} failed: {error}", taken.step);
            }
        }
    }
    out
}

fn not_understood(how: &str) -> u8 {
    let colon = if how.is_empty() { "" } else { ": " };
    complain(&format!("the engine answered something else than was asked{colon}{how}"));
    FAILED
}
