//! Commands that hide a line of a file: `override list|clear`, `node ...`, `pause`; each with a reason and an end.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use grammar::report::said;

use super::{FAILED, Global, OK, ask, complain, print, print_json, span_ms, when};
use crate::admin::protocol::{NodeCommand, Request};
use crate::status::{NodeView, OverrideView};

/// Why, and for how long.
#[derive(Debug, Args)]
pub(super) struct WordArgs {
    /// How long it lasts [default: 8h]
    #[arg(long = "for", value_name = "TIME")]
    for_time: Option<String>,
    /// Why, for whoever reads the status
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) reason: String,
}

impl WordArgs {
    /// How long, in milliseconds; complains and gives the exit code where it is no time.
    pub(super) fn for_ms(&self) -> Result<Option<u64>, u8> {
        self.for_time.as_deref().map(|time| span_ms("--for", time)).transpose()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum OverrideCommand {
    /// What is overridden, by whom, why, until when, and which line that hides
    List(ListArgs),
    /// End one: what the file says holds again
    Clear(ClearArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf override list\n  wharf override list --json")]
pub(super) struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf override clear cordon-node3")]
pub(super) struct ClearArgs {
    /// Its id, as `wharf override list` has it
    id: String,
}

pub(super) fn run(global: &Global, command: &OverrideCommand) -> u8 {
    match command {
        OverrideCommand::List(args) => {
            let status = match ask::status(global) {
                Ok(status) => status,
                Err(code) => return code,
            };
            show(&status.overrides, args.json, |overrides| list(overrides))
        }
        OverrideCommand::Clear(args) => {
            ask::simple(global, Request::OverrideClear { id: args.id.clone() })
        }
    }
}

/// Prints things as JSON, or as text.
pub(super) fn show<T: serde::Serialize>(things: &T, json: bool, text: impl Fn(&T) -> String) -> u8 {
    if !json {
        print(&text(things));
        return OK;
    }
    match serde_json::to_string_pretty(things) {
        Ok(text) => {
            print_json(text + "\n");
            OK
        }
        Err(error) => {
            complain(&error.to_string());
            FAILED
        }
    }
}

fn list(overrides: &[OverrideView]) -> String {
    if overrides.is_empty() {
        return "nothing is overridden\n".to_owned();
    }
    overrides.iter().map(|given| format!("{}\n", line(given))).collect()
}

/// `cordon-n1   n1 takes no new sessions until Nov 21 22:00, hides nodes.d/n1.toml:1 (by root: CHG12)`
pub(super) fn line(given: &OverrideView) -> String {
    let until = given.until.map(|until| format!(" until {}", when(until))).unwrap_or_default();
    let hides = if given.hides.is_empty() { "" } else { ", hides " };
    let colon = if given.reason.is_empty() { "" } else { ": " };
    let OverrideView { id, what, .. } = given;
    let (owner, reason) = (said(&given.owner), said(&given.reason));
    format!("{id}   {what}{until}{hides}{} (by {owner}{colon}{reason})", given.hides)
}

#[derive(Debug, Subcommand)]
pub(super) enum NodeCli {
    /// All nodes: state, weight, sessions
    List(ListArgs),
    /// No new sessions; those that run stay
    Cordon(NodeArgs),
    /// New sessions again; ends a drain, too
    Uncordon(NodeArgs),
    /// No new sessions, and shown as draining; those that run stay (this version moves none)
    Drain(NodeArgs),
    /// Another share of new sessions
    Weight(WeightArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "What contradicts the node's file is an override: shown first in `wharf status` and in every plan,\n\
    until its time is over or `wharf override clear` ends it. The file is not written.\n\n\
    Examples:\n  wharf node cordon node3 --for 2h --reason CHG0012345\n  wharf node uncordon node3"
)]
pub(super) struct NodeArgs {
    /// Its name
    node: String,
    #[command(flatten)]
    word: WordArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf node weight node3 0 --reason 'disk almost full'")]
pub(super) struct WeightArgs {
    /// Its name
    node: String,
    /// Its share, relative to the others; 0 = none
    weight: u32,
    #[command(flatten)]
    word: WordArgs,
}

pub(super) fn node(global: &Global, command: &NodeCli) -> u8 {
    let (node, word, command) = match command {
        NodeCli::List(args) => {
            return match ask::status(global) {
                Ok(status) => show(&status.nodes, args.json, |nodes| {
                    nodes.iter().map(|(name, node)| node_line(name, node)).collect()
                }),
                Err(code) => code,
            };
        }
        NodeCli::Cordon(args) => (&args.node, &args.word, NodeCommand::Cordon),
        NodeCli::Uncordon(args) => (&args.node, &args.word, NodeCommand::Uncordon),
        NodeCli::Drain(args) => (&args.node, &args.word, NodeCommand::Drain),
        NodeCli::Weight(args) => (&args.node, &args.word, NodeCommand::Weight(args.weight)),
    };
    let for_ms = match word.for_ms() {
        Ok(for_ms) => for_ms,
        Err(code) => return code,
    };
    let (node, reason) = (node.clone(), word.reason.clone());
    ask::simple(global, Request::NodeTell { node, command, reason, for_ms })
}

fn node_line(name: &str, node: &NodeView) -> String {
    let mut line = String::new();
    let (state, weight, sessions) = (&node.state, node.weight, node.sessions);
    let _ = writeln!(line, "{name}   {state}   weight {weight}   {sessions} sessions");
    line
}

/// `wharf pause`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf pause --for 2h --reason 'moving the file server'")]
pub(super) struct PauseArgs {
    #[command(flatten)]
    word: WordArgs,
}

pub(super) fn pause(global: &Global, args: &PauseArgs) -> u8 {
    let for_ms = match args.word.for_ms() {
        Ok(for_ms) => for_ms,
        Err(code) => return code,
    };
    ask::simple(global, Request::Pause { reason: args.word.reason.clone(), for_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_engine_let_somebody_say_stays_in_its_line() {
        let given = OverrideView {
            id: "stop-lab".to_owned(),
            what: "lab is stopped".to_owned(),
            owner: "ann".to_owned(),
            reason: "\u{1b}[2J\nREFUSED".to_owned(),
            ..OverrideView::default()
        };
        assert_eq!(line(&given), r"stop-lab   lab is stopped (by ann: \x1b[2J\x0aREFUSED)");
    }
}
