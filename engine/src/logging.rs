//! Logs: one structured event a round, a generation, a refusal. JSON on a pipe, plain on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::control::Told;
use crate::execute::Outcome;

/// Starts logging to stderr. `WHARF_LOG` says what (`info`, `engine=debug`, ...).
pub fn start(verbose: u8) {
    let terminal = std::io::stderr().is_terminal();
    let default = match (verbose, terminal) {
        // On a terminal the narration says what happens; the log is for what goes wrong.
        (0, true) => "warn",
        (0, false) | (1, _) => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("WHARF_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second engine in one process (tests) keeps the first one's log.
    let _ = if terminal {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// So many steps are named in one event; a log's line has to stay a line.
const NAMED: usize = 100;

/// The steps of a round by their ids, as `wharf plan --json` has them: `place/demo#1 start/demo#1`.
fn ids(outcomes: &[Outcome]) -> String {
    let named: Vec<&str> = outcomes.iter().take(NAMED).map(|of| of.step.as_str()).collect();
    let more = outcomes.len() - named.len();
    let rest = if more > 0 { format!(" +{more}") } else { String::new() };
    named.join(" ") + &rest
}

/// Logs what the control thread tells.
pub fn listener() -> impl FnMut(&Told<'_>) + Send {
    move |told| match told {
        Told::Accepted { report, status } => {
            let summary = report.summary();
            tracing::info!(
                generation = status.generation.0,
                end = summary.end,
                restart = summary.restart,
                start = summary.start,
                change = summary.change,
                held = summary.held,
                outdated = summary.outdated,
                "files accepted"
            );
            crate::instance::notify(&format!(
                "STATUS=generation {}, {} sessions",
                status.generation,
                status.sessions.iter().filter(|session| session.state != "foreign").count()
            ));
        }
        Told::Refused { problems, status } => {
            tracing::warn!(
                generation = status.generation.0,
                problems = problems.len(),
                first = problems.first().map_or("", String::as_str),
                "files refused; the generation stays in force"
            );
            let first = problems.first().map_or("", String::as_str);
            crate::instance::notify(&format!(
                "STATUS=generation {} stays, files refused: {first}",
                status.generation
            ));
        }
        Told::Round { after, round, .. } => {
            crate::instance::tell_watchdog();
            for outcome in round.outcomes.iter().filter(|outcome| outcome.error.is_some()) {
                let error = outcome.error.as_deref().unwrap_or_default();
                tracing::warn!(step = outcome.step, error, "step failed");
            }
            if !round.outcomes.is_empty() {
                tracing::info!(
                    round = round.number,
                    woken_by = round.woken_by,
                    generation = after.generation.0,
                    steps = round.outcomes.len(),
                    ids = ids(&round.outcomes),
                    holds = round.plan.holds.len(),
                    took_us = after.round_us,
                    settled = after.settled,
                    "round"
                );
            } else {
                tracing::debug!(
                    round = round.number,
                    woken_by = round.woken_by,
                    holds = round.plan.holds.len(),
                    took_us = after.round_us,
                    "round"
                );
            }
        }
    }
}
