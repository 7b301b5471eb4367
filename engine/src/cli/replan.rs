//! `wharf replan FILE...`: plan again from recorded rounds, and hold that against what was planned then.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{FAILED, OK, complain, print};
use crate::recorded::{self, Recorded};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf replan rounds/1795667544355-round-12.json\n  wharf replan rounds/*.json\n\n\
    Exit codes: 0 planned as then; 1 planned otherwise than the engine did then, or no recorded round; 64 usage."
)]
pub(super) struct ReplanArgs {
    /// Files that `wharf serve --record DIR` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &ReplanArgs) -> u8 {
    let mut code = OK;
    for file in &args.files {
        if args.files.len() > 1 {
            print(&format!("{}:\n", file.display()));
        }
        if let Err(message) = replan(file) {
            complain(&format!("{}: {message}", file.display()));
            code = FAILED;
        }
    }
    code
}

fn replan(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&text).map_err(|error| crate::chain(&error))?;
    let then = recorded.planned.clone();
    let plan = recorded.replan().map_err(|error| crate::chain(&error))?;
    print(&engine_core::report::text::steps(&plan, &super::when));
    match then {
        Some(then) if then != recorded::lines(&plan) => {
            Err(format!("the engine planned otherwise then:\n{}", then.join("\n")))
        }
        _ => Ok(()),
    }
}
