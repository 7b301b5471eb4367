//! The plan as text: header, changed options, steps by harm, holds, what stays, one summary line.
//!
//! ASCII, at most [`WIDTH`] columns where nothing forces more; the texts are golden files. Things with the
//! same cause are one group: some are named, the others counted.

mod first;
mod fold;
mod incumbent;
mod lines;
mod options;
mod outdated;
mod round;
mod words;

use std::fmt::Write as _;

use fold::fold;
pub(super) use incumbent::with_wharf;
pub(super) use options::{cells, options};
pub use round::{places, steps};
pub use words::waiting;
pub(super) use words::{count, name, seconds};

use super::{Act, Held, Outdated, PlannedStep, Report, Summary};
use crate::ids::{Generation, Moment};
use crate::plan::Mark;

/// Columns that the text keeps to.
pub const WIDTH: usize = 100;

/// How many sessions of one kind are named before the rest is counted.
pub(super) const NAMED: usize = 12;

/// How to write.
pub struct Style<'a> {
    /// Writes a moment as people read it here.
    pub when: &'a dyn Fn(Moment) -> String,
    /// Everything, also what is usually counted only.
    pub verbose: bool,
}

/// Writes the whole plan.
#[must_use]
pub fn render(report: &Report, style: &Style<'_>) -> String {
    if let Some(text) = incumbent::observing(report, style) {
        return text;
    }
    let mut out = String::new();
    header(&mut out, report, style);
    if !report.only_pending && !report.is_new() {
        no_changes(&mut out, report);
        lines::pending(&mut out, report, style);
        out.truncate(out.trim_end().len());
        out.push('\n');
        names(&mut out, report, style);
        warnings(&mut out, report);
        return out;
    }
    options(&mut out, &report.options, style);
    acts(&mut out, report, style);
    let waiting: Vec<&Held> =
        report.held.iter().filter(|held| report.is_about(held.pending)).collect();
    if !waiting.is_empty() {
        out.push_str("Held\n");
        lines::holds(&mut out, &waiting, style);
        out.push('\n');
    }
    let outdated: Vec<&Outdated> =
        report.outdated.iter().filter(|o| report.is_about(o.pending)).collect();
    outdated::outdated(&mut out, report, &outdated, style);
    if !report.only_pending {
        lines::pending(&mut out, report, style);
    }
    planned_steps(&mut out, report, style);
    let summary = report.summary();
    stays(&mut out, report, &summary);
    names(&mut out, report, style);
    incumbent::beside(&mut out, report, style);
    warnings(&mut out, report);
    let line = summary_line(&summary);
    if report.only_pending {
        let line = line.trim_start_matches("Plan: ");
        let _ = writeln!(out, "Pending: {line}");
    } else {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// The summary line alone: what `serve` prints for a new generation.
#[must_use]
pub fn summary_line(summary: &Summary) -> String {
    let people = &summary.people;
    let mut line = summary_counts(summary);
    if !people.is_empty() {
        let names: Vec<&str> = people.iter().map(String::as_str).take(4).collect();
        let more = people.len().saturating_sub(names.len());
        let rest = if more > 0 { format!(", +{more}") } else { String::new() };
        let _ = write!(line, " ({}{rest})", names.join(", "));
    }
    line.push_str(&summary_rest(summary));
    line
}

/// The summary line without anybody's name.
pub(super) fn nameless_summary_line(summary: &Summary) -> String {
    summary_counts(summary) + &summary_rest(summary)
}

fn summary_counts(summary: &Summary) -> String {
    let Summary { end, restart, moved, suspend, start, change, held, people, .. } = summary;
    let person = if people.len() == 1 { "person" } else { "people" };
    format!(
        "Plan: {end} end, {restart} restart, {moved} move, {suspend} suspend, {start} start, \
         {change} change, {held} held; {} {person} interrupted",
        people.len()
    )
}

fn summary_rest(summary: &Summary) -> String {
    let mut line = String::new();
    if summary.outdated > 0 {
        let _ = write!(line, "; {} outdated", summary.outdated);
    }
    if summary.pending > 0 {
        let _ = write!(line, "; {} pending", summary.pending);
    }
    if summary.warnings > 0 {
        let _ = write!(line, "; {}", count(summary.warnings, "warning"));
    }
    line.push('.');
    line
}

/// What is said instead of a plan when the files are refused.
#[must_use]
pub fn no_plan(
    errors: usize,
    in_force: Option<(Generation, Moment)>,
    untouched: usize,
    when: &dyn Fn(Moment) -> String,
) -> String {
    let errors = count(errors, "error");
    let stays = match in_force {
        Some((generation, since)) => {
            format!("Generation {generation} stays in force (since {}).", when(since))
        }
        None => "Nothing is in force.".to_owned(),
    };
    let sessions = match untouched {
        0 => String::new(),
        n => format!(" {} untouched.", count(n, "session")),
    };
    format!("No plan: {errors}. {stays}{sessions}\n")
}

fn header(out: &mut String, report: &Report, style: &Style<'_>) {
    let about = &report.about;
    if !about.remark.is_empty() {
        let _ = writeln!(out, "{}", about.remark);
    }
    let _ = write!(out, "Site  {}   ", about.site);
    match about.in_force {
        Some((generation, since)) => {
            let _ = write!(out, "in force: generation {generation} since {}", (style.when)(since));
        }
        None => out.push_str("nothing in force yet"),
    }
    if !about.against.is_empty() {
        let _ = write!(out, "   ->   {}", about.against);
    }
    out.push('\n');
    first::windows(out, report, style);
    out.push('\n');
    first::overridden(out, report, style);
    if let Some(inert) = &report.inert {
        let _ = writeln!(out, "{inert}\n");
    }
}

/// Titles of what happens, worst first.
pub(super) const SECTIONS: [(Mark, &str); 4] = [
    (Mark::End, "Ends"),
    (Mark::Restart, "Restarts"),
    (Mark::Start, "Starts"),
    (Mark::Change, "Changes"),
];

fn acts(out: &mut String, report: &Report, style: &Style<'_>) {
    for (mark, title) in SECTIONS {
        for delayed in [false, true] {
            let of: Vec<&Act> = report
                .acts
                .iter()
                .filter(|act| report.is_about(act.pending) && act.mark == mark)
                .filter(|act| act.delayed_until.is_some() == delayed)
                .collect();
            if of.is_empty() {
                continue;
            }
            let _ = match delayed {
                true => {
                    writeln!(out, "{title}, after harm-delay ({})", seconds(report.harm_delay))
                }
                false => writeln!(out, "{title}"),
            };
            lines::acts(out, &of, style);
            out.push('\n');
        }
    }
}

fn stays(out: &mut String, report: &Report, summary: &Summary) {
    let harmless = summary.hurt() == 0;
    if report.untouched == 0 {
        return;
    }
    let mut line = if harmless {
        format!("Nothing running is touched: {}", count(report.untouched, "session"))
    } else {
        format!("  = {}", count(report.untouched, "session"))
    };
    if report.routes > 0 {
        let _ = write!(line, ", {}", count(report.routes, "route"));
    }
    if report.gateways > 0 {
        let _ = write!(line, ", {}", count(report.gateways, "gateway"));
    }
    let alone = report.untouched == 1 && report.routes + report.gateways == 0;
    line.push_str(match (harmless, alone) {
        (true, true) => " stays as it is.",
        (true, false) => " stay as they are.",
        (false, true) => " stays",
        (false, false) => " stay",
    });
    let _ = writeln!(out, "{line}");
}

/// The steps by their ids, those that go together in one line: only where everything is asked for.
fn planned_steps(out: &mut String, report: &Report, style: &Style<'_>) {
    let of = |step: &&PlannedStep| report.is_about(step.pending);
    let steps: Vec<&PlannedStep> = report.steps.iter().filter(of).collect();
    if !style.verbose || steps.is_empty() {
        return;
    }
    out.push_str("Steps, by the ids under which the log and `wharf history show` tell of them\n");
    for together in steps.chunk_by(|a, b| a.round == b.round) {
        let ids: Vec<&str> = together.iter().map(|step| step.id.as_str()).collect();
        fold(out, "  ", "    ", &ids.join(", "));
    }
    out.push('\n');
}

/// The sessions that stay, by name: only where everything is asked for.
fn names(out: &mut String, report: &Report, style: &Style<'_>) {
    if style.verbose && !report.names.is_empty() {
        let ids: Vec<&str> = report.names.iter().map(crate::ids::SessionId::as_str).collect();
        fold(out, "  = ", "    ", &ids.join(", "));
    }
}

fn no_changes(out: &mut String, report: &Report) {
    out.push_str("No changes.");
    match report.outdated.len() {
        0 => {}
        n => {
            let sessions = count(n, "session");
            let run = if n == 1 { "runs" } else { "run" };
            let with = if outdated::is_environment(&report.outdated) {
                "with an older environment"
            } else {
                "as once asked"
            };
            let generations = outdated::generations(&report.outdated);
            let _ = write!(out, " {sessions} {run} {with}{generations}.");
        }
    }
    out.push('\n');
}

fn warnings(out: &mut String, report: &Report) {
    for warning in &report.warnings {
        let _ = writeln!(out, "\n{}", warning.trim_end());
    }
    if !report.warnings.is_empty() {
        out.push('\n');
    }
}
