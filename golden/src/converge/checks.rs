//! The proofs as scripts need them: of one plan's whole way, and of what a report prints.

use engine_core::forecast;
use engine_core::plan::Because;
use engine_core::planner::Input;
use engine_core::report::Report;

/// Looks ahead and checks progress, arrival and rest.
///
/// # Errors
/// Which proof does not hold.
pub fn forecast_proven(input: &Input<'_>) -> Result<forecast::Forecast, String> {
    let forecast = forecast::forecast(input.desired, input.origins, input.observed, input.now);
    let mut unhurried = input.desired.clone();
    unhurried.policy.concurrent_starts = Some(u32::MAX);
    forecast::prove(&unhurried, input.origins, &forecast)?;
    Ok(forecast)
}

/// Each line printed as the cause of something new is among the changes printed.
///
/// # Errors
/// Which cause is not.
pub fn causes_are_changes(report: &Report) -> Result<(), String> {
    let acts = report.acts.iter().filter(|act| !act.pending).map(|act| &act.because);
    let held = report.held.iter().filter(|held| !held.pending).map(|held| &held.hold.because);
    let outdated = report.outdated.iter().filter(|o| !o.pending).map(|o| &o.because);
    for because in acts.chain(held).chain(outdated).flatten() {
        let printed = match because {
            Because::Line { file, line, .. } | Because::LineRemoved { file, line, .. } => {
                report.options.iter().any(|o| o.file == *file && o.line == *line)
            }
            Because::FileRemoved { file } => {
                report.options.iter().any(|o| o.file == *file && o.to.is_none())
            }
            Because::Seen { .. } | Because::Person { .. } | Because::Default { .. } => true,
        };
        if !printed {
            return Err(format!("because {because}, which is not among the changes"));
        }
    }
    Ok(())
}
