//! `wharf why THING`.

use clap::Args;

use super::{FAILED, Global, OK, ask, complain, print_as};
use crate::admin::protocol::{Answer, Request};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf why genomics-lab\n  wharf why node3\n  wharf why listener"
)]
pub(super) struct WhyArgs {
    /// A session, node, gateway or listener
    thing: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &WhyArgs) -> u8 {
    match ask::engine(global, None, Request::Why { thing: args.thing.clone() }) {
        Ok(Answer::Why { lines, because }) => {
            let text = if args.json {
                serde_json::json!({ "lines": lines, "because": because }).to_string()
            } else {
                lines.join("\n")
            };
            print_as(args.json, text + "\n");
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}
