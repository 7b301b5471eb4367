//! `wharf apply`: lets go what waits for harm-delay or approval, and waits for what comes of it.
//!
//! Writes no file and decides nothing: what goes on, and whether an approved plan covers it, says the engine.

mod follow;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::{CHANGES, FAILED, Global, HARM, OK, UNCOVERED, ask, complain, span_ms, when};
use crate::admin::protocol::{Answer, Request};
use crate::saved_plan::SavedPlan;
use crate::status::HoldView;
use follow::{Events, Set};

/// Between two questions.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// How long planned files may take from the disk into force.
const INTO_FORCE: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, or nothing waits; 1 failed, refused, or not done in time; with\n\
    --detailed-exitcode 2 = something was let go, 3 = and part of it needs the engine's next start;\n\
    4 the plan does not cover what would happen now, or was made for other files; 64 usage;\n\
    69 the engine does not answer.\n\n\
    Examples:\n  wharf apply                                 # whatever waits now, see `wharf plan --pending`\n  \
    wharf plan /srv/stage --out change.plan     # look at it, have it looked at, put the files in place\n  \
    wharf apply change.plan --wait              # no more than was planned, until all is done\n  \
    wharf apply --dry-run                       # what would go on"
)]
pub(super) struct ApplyArgs {
    /// A plan that `wharf plan --out` wrote: nothing happens that it does not have
    plan: Option<PathBuf>,
    /// Wait until nothing is left to do; with `all` until nothing is held either
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "settled")]
    wait: Option<Until>,
    /// How long to wait
    #[arg(long, default_value = "5m", value_name = "TIME")]
    timeout: String,
    /// Say what would go on, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object a line for everything that happens
    #[arg(long)]
    json: bool,
    /// 0 = nothing waited, 2 = something was let go, 3 = part of it needs the engine's next start
    #[arg(long)]
    detailed_exitcode: bool,
}

/// What `--wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// No steps and no passing holds.
    Settled,
    /// No holds at all; sessions that wait for their next start are none.
    All,
}

pub(super) fn run(global: &Global, args: &ApplyArgs) -> u8 {
    let timeout = match span_ms("--timeout", &args.timeout) {
        Ok(span) => Duration::from_millis(span),
        Err(code) => return code,
    };
    let plan = match args.plan.as_deref().map(SavedPlan::read).transpose() {
        Ok(plan) => plan,
        Err(error) => {
            complain(&crate::chain(&error));
            return FAILED;
        }
    };
    let deadline = Instant::now() + timeout;
    let answer = match approve(global, args, plan.as_ref(), deadline) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    let Answer::Applied { generation, site, let_go, new, round } = answer else {
        complain("the engine answered something else than was asked");
        return FAILED;
    };
    let mut events = Events::new(args.json, global.quiet);
    if !new.is_empty() {
        events.refused(generation, &new);
        return UNCOVERED;
    }
    events.approved(&Set { generation, site }, &let_go, args.dry_run);
    if let (Some(until), false) = (args.wait, args.dry_run) {
        let done = follow::follow(global, until == Until::All, round, deadline, &mut events);
        if done != OK {
            return done;
        }
    }
    let restart = plan.is_some_and(|plan| plan.needs_engine_restart);
    match (args.detailed_exitcode, let_go.is_empty(), restart) {
        (true, _, true) => HARM,
        (true, false, false) => CHANGES,
        _ => OK,
    }
}

/// Asks the engine; files of the plan that have only just been written are waited for.
fn approve(
    global: &Global,
    args: &ApplyArgs,
    plan: Option<&SavedPlan>,
    deadline: Instant,
) -> Result<Answer, u8> {
    let ask_once = || {
        let plan = plan.cloned().map(Box::new);
        ask::engine(global, None, Request::Apply { plan, dry_run: args.dry_run })
    };
    let mut answer = ask_once()?;
    let Answer::OtherFiles { .. } = answer else { return Ok(answer) };
    // The engine reads the files first: until it has, nobody knows whether they are the planned ones.
    ask::engine(global, None, Request::Reload)?;
    let asked = ask::Asked::in_status(&ask::status(global)?);
    let deadline = deadline.min(Instant::now() + INTO_FORCE);
    while Instant::now() < deadline {
        std::thread::sleep(PAUSE);
        answer = ask_once()?;
        let Answer::OtherFiles { on_disk, .. } = answer else { return Ok(answer) };
        let decided = asked.has_verdict(&ask::status(global)?);
        if decided && !on_disk {
            break;
        }
    }
    Err(other_files(&answer, plan))
}

/// Says that the files are not those that were planned for.
fn other_files(answer: &Answer, plan: Option<&SavedPlan>) -> u8 {
    let Answer::OtherFiles { generation, on_disk } = answer else { return FAILED };
    if *on_disk {
        complain(&format!(
            "the planned files are on disk and not in force: see `wharf status`; generation {generation} stays"
        ));
        return FAILED;
    }
    let (site, made) = plan.map_or((String::new(), String::new()), |plan| {
        (plan.site.clone(), format!("{} ({})", when(plan.made_at), plan.against))
    });
    complain(&format!(
        "the files of {site} are not those that were planned for {made}: generation {generation} is in force.\n\
         Nothing was let go. Plan again: wharf plan --out FILE"
    ));
    UNCOVERED
}

/// A hold in one line: `demo   ends: needs ...   (sessions.d/demo.toml:1)`.
pub(super) fn line(hold: &HoldView) -> String {
    let name = hold.resource.strip_prefix("session/").unwrap_or(&hold.resource);
    let because = if hold.because.is_empty() {
        String::new()
    } else {
        format!("   because {}", hold.because.join(", "))
    };
    format!("{name}   {}{because}", hold.wanted)
}
