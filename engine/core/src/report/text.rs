//! The plan as text: header, changed options, steps by harm, holds, what stays, one summary line.
//!
//! ASCII, at most [`WIDTH`] columns where nothing forces more; the texts are golden files.

mod incumbent;
mod round;
mod words;

use std::fmt::Write as _;

pub use round::steps;
pub use words::waiting;
use words::{count, name, seconds, short};

use super::{Act, Held, Mark, Outdated, Report, Summary};
use crate::ids::{Generation, Moment};
use crate::plan::Because;
use crate::settings::OptionChange;

/// Columns that the text keeps to.
pub const WIDTH: usize = 100;

/// How many sessions of one kind are named before the rest is counted.
const NAMED: usize = 12;

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
    let summary = report.summary();
    let new = summary.outdated + summary.held + report.acts.iter().filter(|a| !a.pending).count();
    if new == 0 && report.options.is_empty() {
        no_changes(&mut out, report);
        pending(&mut out, report, style);
        warnings(&mut out, report);
        return out;
    }
    options(&mut out, &report.options);
    acts(&mut out, report, style);
    let waiting: Vec<&Held> = report.held.iter().filter(|held| !held.pending).collect();
    held(&mut out, &waiting, style);
    let new: Vec<&Outdated> = report.outdated.iter().filter(|o| !o.pending).collect();
    outdated(&mut out, &new, style);
    pending(&mut out, report, style);
    stays(&mut out, report, &summary);
    incumbent::beside(&mut out, report, style);
    warnings(&mut out, report);
    let _ = writeln!(out, "{}", summary_line(&summary));
    out
}

/// The summary line alone: what `serve` prints for a new generation.
#[must_use]
pub fn summary_line(summary: &Summary) -> String {
    let Summary { end, restart, moved, suspend, start, change, held, people, .. } = summary;
    let person = if people.len() == 1 { "person" } else { "people" };
    let mut line = format!(
        "Plan: {end} end, {restart} restart, {moved} move, {suspend} suspend, {start} start, \
         {change} change, {held} held; {} {person} interrupted",
        people.len()
    );
    if !people.is_empty() {
        let names: Vec<&str> = people.iter().map(String::as_str).take(4).collect();
        let more = people.len().saturating_sub(names.len());
        let rest = if more > 0 { format!(", +{more}") } else { String::new() };
        let _ = write!(line, " ({}{rest})", names.join(", "));
    }
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
    out.push_str("\n\n");
    if let Some(inert) = &report.inert {
        let _ = writeln!(out, "{inert}\n");
    }
}

fn options(out: &mut String, changes: &[OptionChange]) {
    if changes.is_empty() {
        return;
    }
    let rows: Vec<[String; 5]> = changes.iter().map(option_row).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).min(44)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    for row in &rows {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(widths) {
            if width > 0 {
                let _ = write!(line, "{cell:<width$}   ");
            }
        }
        line.push_str(&row[4]);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
}

fn option_row(change: &OptionChange) -> [String; 5] {
    let of_file = change.option.is_empty() || change.line == 0;
    let place =
        if of_file { change.file.to_string() } else { format!("{}:{}", change.file, change.line) };
    let what = match (&change.from, &change.to) {
        (Some(from), Some(to)) if to == "(secret, changed)" => {
            debug_assert!(from == "(secret)", "a secret is never shown");
            to.clone()
        }
        (Some(from), Some(to)) => format!("{} -> {}", short(from), short(to)),
        (None, Some(to)) if to.is_empty() => "(added)".to_owned(),
        (None, Some(to)) => format!("none -> {}", short(to)),
        (Some(from), None) if from.is_empty() => "(removed)".to_owned(),
        (Some(from), None) => format!("{} -> none", short(from)),
        (None, None) => String::new(),
    };
    [place, change.option.clone(), what, change.scope.clone(), change.effect.to_string()]
}

fn acts(out: &mut String, report: &Report, style: &Style<'_>) {
    let sections = [
        (Mark::End, "Ends"),
        (Mark::Restart, "Restarts"),
        (Mark::Start, "Starts"),
        (Mark::Change, "Changes"),
    ];
    for (mark, title) in sections {
        for delayed in [false, true] {
            let of: Vec<&Act> = report
                .acts
                .iter()
                .filter(|act| !act.pending && act.mark == mark)
                .filter(|act| act.delayed_until.is_some() == delayed)
                .collect();
            if of.is_empty() {
                continue;
            }
            let title = if delayed {
                format!("{title}, after harm-delay ({})", seconds(report.harm_delay))
            } else {
                title.to_owned()
            };
            section(out, &title, &of, style);
        }
    }
}

/// Acts under one title; those with the same causes share their `because` line.
fn section(out: &mut String, title: &str, acts: &[&Act], style: &Style<'_>) {
    let _ = writeln!(out, "{title}");
    act_lines(out, acts, style);
    out.push('\n');
}

fn act_lines(out: &mut String, acts: &[&Act], style: &Style<'_>) {
    let mut rest = acts;
    while let Some((first, _)) = rest.split_first() {
        let same = rest.iter().take_while(|act| act.because == first.because).count();
        let (group, after) = rest.split_at(same);
        let shown = if style.verbose { group.len() } else { group.len().min(NAMED) };
        let width = group[..shown].iter().map(|act| name(&act.resource).chars().count());
        let width = width.max().unwrap_or(0);
        for act in &group[..shown] {
            let name = name(&act.resource);
            let user = act.user.as_deref().map(|user| format!("{user}   ")).unwrap_or_default();
            let effect =
                if act.mark == Mark::Change && act.impact == crate::plan::Impact::NewSessions {
                    "   new sessions only"
                } else {
                    ""
                };
            let line =
                format!("  {} {name:<width$}   {user}{}{effect}", act.mark.symbol(), act.what);
            let _ = writeln!(out, "{}", line.trim_end());
        }
        if group.len() > shown {
            let symbol = first.mark.symbol();
            let _ = writeln!(out, "  {symbol} and {} more", group.len() - shown);
        }
        because(out, &first.because);
        for note in group.iter().filter_map(|act| act.note.as_ref()) {
            let _ = writeln!(out, "      {note}");
        }
        rest = after;
    }
}

fn because(out: &mut String, causes: &[Because]) {
    if causes.is_empty() {
        return;
    }
    let mut shown: Vec<String> = causes.iter().map(ToString::to_string).collect();
    shown.dedup();
    let more = shown.len().saturating_sub(6);
    shown.truncate(6);
    let rest = if more > 0 { format!(", +{more}") } else { String::new() };
    let _ = writeln!(out, "      because {}{rest}", shown.join(", "));
}

fn held(out: &mut String, held: &[&Held], style: &Style<'_>) {
    if held.is_empty() {
        return;
    }
    out.push_str("Held\n");
    hold_lines(out, held, style);
    out.push('\n');
}

/// A line a hold; those with the same causes share their `because` line.
fn hold_lines(out: &mut String, held: &[&Held], style: &Style<'_>) {
    let width = held.iter().map(|held| name(&held.hold.resource).chars().count()).max();
    let width = width.unwrap_or(0);
    for (at, item) in held.iter().enumerate() {
        let hold = &item.hold;
        let until = hold.until.map(|until| format!(" until {}", (style.when)(until)));
        let line = format!(
            "  | {:<width$}   {}: {}{}",
            name(&hold.resource),
            hold.wanted,
            waiting(&hold.waiting_on),
            until.unwrap_or_default()
        );
        let _ = writeln!(out, "{}", line.trim_end());
        let next = held.get(at + 1).map(|next| &next.hold.because);
        if next != Some(&hold.because) {
            because(out, &hold.because);
        }
    }
}

/// What happens or waits without the new files just the same.
fn pending(out: &mut String, report: &Report, style: &Style<'_>) {
    let acts: Vec<&Act> = report.acts.iter().filter(|act| act.pending).collect();
    let held: Vec<&Held> = report.held.iter().filter(|held| held.pending).collect();
    if acts.is_empty() && held.is_empty() {
        return;
    }
    let title = if report.options.is_empty() { "Pending" } else { "Pending, with or without this" };
    let _ = writeln!(out, "{title}");
    act_lines(out, &acts, style);
    hold_lines(out, &held, style);
    out.push('\n');
}

fn outdated(out: &mut String, outdated: &[&Outdated], style: &Style<'_>) {
    if outdated.is_empty() {
        return;
    }
    out.push_str("Outdated after this (keep running with what they have until their next start)\n");
    let mut groups: Vec<(&Outdated, Vec<&Outdated>)> = Vec::new();
    for &session in outdated {
        let same = |(first, _): &&mut (&Outdated, Vec<&Outdated>)| {
            first.differs == session.differs && first.because == session.because
        };
        match groups.iter_mut().find(same) {
            Some((_, members)) => members.push(session),
            None => groups.push((session, vec![session])),
        }
    }
    for (first, members) in groups {
        let differs = first.differs.iter().map(|what| what.strip_prefix("env ").unwrap_or(what));
        let what = differs.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            out,
            "  | {:<14} {what}   {}",
            count(members.len(), "session"),
            kinds(&members)
        );
        if style.verbose || members.len() <= 4 {
            let ids: Vec<&str> = members.iter().map(|member| member.session.as_str()).collect();
            let _ = writeln!(out, "      {}", ids.join(", "));
        }
        because(out, &first.because);
    }
    out.push('\n');
}

/// `22 rstudio, 12 jupyterlab`.
fn kinds(members: &[&Outdated]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for member in members {
        *counts.entry(member.workbench.as_str()).or_insert(0_usize) += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let shown: Vec<String> = counts.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    shown.join(", ")
}

fn stays(out: &mut String, report: &Report, summary: &Summary) {
    let harmless = summary.end + summary.restart + summary.moved + summary.suspend == 0;
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

fn no_changes(out: &mut String, report: &Report) {
    match report.outdated.len() {
        0 => out.push_str("No changes.\n"),
        n => {
            let (run, next) = if n == 1 {
                ("session runs", "its next start brings")
            } else {
                ("sessions run", "their next starts bring")
            };
            let _ = writeln!(out, "No changes. {n} {run} as once asked; {next} what is asked now.");
        }
    }
}

fn warnings(out: &mut String, report: &Report) {
    for warning in &report.warnings {
        let _ = writeln!(out, "\n{}", warning.trim_end());
    }
    if !report.warnings.is_empty() {
        out.push('\n');
    }
}
