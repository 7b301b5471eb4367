//! `wharf replan FILE...`: plan again from recorded rounds, and hold that against what was planned then.

use std::path::{Path, PathBuf};

use clap::Args;
use engine_core::plan::{On, Plan};
use serde_json::{Value, json};

use super::{FAILED, OK, complain, print, print_json};
use crate::recorded::{self, Recorded};
use crate::status::hold_view;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf replan rounds/1795667544355-round-12.json\n  wharf replan rounds/*.json\n  \
    wharf replan --json rounds/*.json | jq -r '.rounds[] | select(.as_then == false) | .file'\n\n\
    Exit codes: 0 planned as then; 1 planned otherwise than the engine did then, or no recorded round; 64 usage."
)]
pub(super) struct ReplanArgs {
    /// Files that `wharf serve --record DIR` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Machine-readable output
    #[arg(long)]
    json: bool,
}

/// What shape the object has.
const FORMAT_VERSION: u32 = 1;

pub(super) fn run(args: &ReplanArgs) -> u8 {
    let mut code = OK;
    let mut rounds = Vec::new();
    for file in &args.files {
        let replanned = replan(file);
        if args.json {
            rounds.push(object(file, &replanned));
        } else {
            if args.files.len() > 1 {
                print(&format!("{}:\n", file.display()));
            }
            if let Ok(replanned) = &replanned {
                let steps = engine_core::report::text::steps(&replanned.plan, &super::when);
                print(&steps);
            }
        }
        if let Err(message) = replanned.and_then(Replanned::verdict) {
            complain(&format!("{}: {message}", file.display()));
            code = FAILED;
        }
    }
    if args.json {
        let object =
            json!({ "format_version": FORMAT_VERSION, "rounds": rounds, "exit_code": code });
        print_json(format!("{object:#}\n"));
    }
    code
}

/// What comes of a recorded round now, and what came of it then.
struct Replanned {
    plan: Plan,
    /// The lines of the plan then; none where none was written down.
    then: Option<Vec<String>>,
}

impl Replanned {
    /// Whether both are the same; none = nobody knows what was planned then.
    fn as_then(&self) -> Option<bool> {
        self.then.as_ref().map(|then| *then == recorded::lines(&self.plan))
    }

    fn verdict(self) -> Result<(), String> {
        match (self.as_then(), self.then) {
            (Some(false), Some(then)) => {
                Err(format!("the engine planned otherwise then:\n{}", then.join("\n")))
            }
            _ => Ok(()),
        }
    }
}

fn replan(file: &Path) -> Result<Replanned, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let recorded = Recorded::parse(&text).map_err(|error| crate::chain(&error))?;
    let then = recorded.planned.clone();
    let plan = recorded.replan().map_err(|error| crate::chain(&error))?;
    Ok(Replanned { plan, then })
}

/// One file's object: the steps and holds, or why there are none.
fn object(file: &Path, replanned: &Result<Replanned, String>) -> Value {
    let file = file.display().to_string();
    let replanned = match replanned {
        Ok(replanned) => replanned,
        Err(error) => return json!({ "file": file, "error": error }),
    };
    let steps = replanned.plan.steps.iter().map(|step| {
        let on = match &step.on {
            On::Node(node) => node.to_string(),
            On::Site => "site".to_owned(),
        };
        let because = engine_core::report::text::places(&step.because);
        json!({ "id": step.id, "on": on, "impact": step.impact, "because": because })
    });
    json!({
        "file": file,
        "as_then": replanned.as_then(),
        "steps": steps.collect::<Vec<_>>(),
        "holds": replanned.plan.holds.iter().map(hold_view).collect::<Vec<_>>(),
        "then": replanned.then,
    })
}
