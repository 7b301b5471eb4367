//! `wharf replan FILE`: plan again from a recorded round.

use std::path::PathBuf;

use clap::Args;

use super::{FAILED, OK, complain, print};
use crate::recorded::Recorded;

#[derive(Debug, Args)]
pub(super) struct ReplanArgs {
    /// A file that `wharf serve --record DIR` wrote
    file: PathBuf,
}

pub(super) fn run(args: &ReplanArgs) -> u8 {
    let text = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) => {
            complain(&format!("{}: {error}", args.file.display()));
            return FAILED;
        }
    };
    let plan = match Recorded::parse(&text).and_then(Recorded::replan) {
        Ok(plan) => plan,
        Err(error) => {
            complain(&format!("{}: {}", args.file.display(), crate::chain(&error)));
            return FAILED;
        }
    };
    print(&engine_core::report::text::steps(&plan, &super::when));
    OK
}
