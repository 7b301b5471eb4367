//! `wharf change begin|end|list`: several files are written, and none is judged before the last one is there.

use std::time::Duration;

use clap::{Args, Subcommand};
use engine_core::window::ChangeWindow;

use super::{FAILED, Global, OK, ask, complain, print, print_json, span_ms, when};
use crate::admin::protocol::{Answer, Request};

#[derive(Debug, Subcommand)]
pub(super) enum ChangeCommand {
    /// Judge no file until the window ends, or its time is over
    Begin(BeginArgs),
    /// End a window: the files on disk are judged now
    End(EndArgs),
    /// The windows that are open
    List(ListArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Where several windows are open, files are judged once all have ended. A window survives a restart of\n\
    the engine. Beginning again with the same name gives it the whole time again.\n\n\
    Exit codes: 0 open; 1 refused; 64 usage; 69 the engine does not answer.\n\n\
    Examples:\n  wharf change begin --id ansible-4711\n  wharf change begin --ttl 30m"
)]
pub(super) struct BeginArgs {
    /// The window's name [default: the account that asks]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// When it runs out, if nobody ends it; a day at the most
    #[arg(long, default_value = "10m", value_name = "TIME")]
    ttl: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ended, with --wait: and the files are in force; 1 it is not open (any more), with --wait\n\
    also: the files are refused; 64 usage; 69 the engine does not answer.\n\n\
    Examples:\n  wharf change end ansible-4711 --wait"
)]
pub(super) struct EndArgs {
    /// The window's name [default: the only one that is open]
    id: Option<String>,
    /// Wait for the verdict on the files: 0 = in force, 1 = refused
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// As JSON
    #[arg(long, conflicts_with = "wait")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf change list --json")]
pub(super) struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, command: &ChangeCommand) -> u8 {
    match command {
        ChangeCommand::Begin(args) => begin(global, args),
        ChangeCommand::End(args) => end(global, args),
        ChangeCommand::List(args) => show(global, Request::ChangeList, args.json, |windows| {
            let line = |window: &ChangeWindow| {
                let (since, until) = (when(window.since), when(window.until));
                format!("{}   since {since}   until {until}   by {}\n", window.id, window.owner)
            };
            windows.iter().map(line).collect()
        }),
    }
}

fn begin(global: &Global, args: &BeginArgs) -> u8 {
    let ttl = match span_ms("--ttl", &args.ttl) {
        Ok(ttl) => ttl,
        Err(code) => return code,
    };
    let request = Request::ChangeBegin { id: args.id.clone(), ttl_ms: Some(ttl) };
    show(global, request, args.json, |windows| {
        let line = |window: &ChangeWindow| {
            let (id, until) = (&window.id, when(window.until));
            format!(
                "change window \"{id}\" open until {until}; end it with: wharf change end {id}\n"
            )
        };
        windows.iter().map(line).collect()
    })
}

fn end(global: &Global, args: &EndArgs) -> u8 {
    let request = Request::ChangeEnd { id: args.id.clone() };
    let code = show(global, request, args.json, |windows| {
        windows.iter().map(|window| format!("change window \"{}\" ended\n", window.id)).collect()
    });
    if code != OK || !args.wait {
        return code;
    }
    match ask::verdict_on_look(global, Duration::from_secs(args.timeout)) {
        Ok(now) => ask::verdict(&now),
        Err(code) => code,
    }
}

/// Asks, and shows the windows of the answer.
fn show(
    global: &Global,
    request: Request,
    json: bool,
    text: impl Fn(&[ChangeWindow]) -> String,
) -> u8 {
    match ask::engine(global, None, request) {
        Ok(Answer::Windows { windows }) if json => match serde_json::to_string_pretty(&windows) {
            Ok(text) => {
                print_json(text + "\n");
                OK
            }
            Err(error) => {
                complain(&error.to_string());
                FAILED
            }
        },
        Ok(Answer::Windows { windows }) => {
            if !global.quiet {
                print(&text(&windows));
            }
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}
