//! `wharf history`: the generations that are kept, what each changed, and one of them pinned.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use engine_core::ids::Generation;

use super::overrides::{self, WordArgs};
use super::{FAILED, Global, OK, ask, complain, print, when};
use crate::admin::protocol::{Answer, DiffSide, GenerationView, Request};

/// `wharf history`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  wharf history                   # those that are kept, [history] keep of wharf.toml\n  \
    wharf history show 41           # what generation 41 changed\n  \
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
    /// What a generation changed
    Show(ShowArgs),
    /// Let a generation act whatever the files say; they are not written
    Pin(PinArgs),
    /// Let the newest generation act again
    Unpin,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Its number
    generation: u64,
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

/// What a generation changed, compared with the one kept before it.
fn show(global: &Global, args: &ShowArgs) -> u8 {
    let generations = match kept(global) {
        Ok(generations) => generations,
        Err(code) => return code,
    };
    let at = generations.iter().position(|kept| kept.generation.0 == args.generation);
    let Some(at) = at else {
        complain(&format!("generation {} is not kept", args.generation));
        return FAILED;
    };
    let Some(before) = at.checked_sub(1).and_then(|at| generations.get(at)) else {
        complain(&format!(
            "generation {} is the oldest that is kept: there is nothing to compare it with",
            args.generation
        ));
        return FAILED;
    };
    let (from, to) = (before.generation.0, args.generation);
    let (from, to) = (DiffSide::Generation(from), DiffSide::Generation(to));
    match ask::engine(global, None, Request::Diff { from, to, verbose: global.verbose > 0 }) {
        Ok(Answer::Diff { text, json, .. }) => {
            print(&if args.json { format!("{json}\n") } else { text });
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}
