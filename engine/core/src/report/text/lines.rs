//! A line a thing that happens or waits; those with the same cause are one group and share its line.

use std::collections::BTreeMap;

use super::words::until;
use super::{NAMED, Style, count, fold, name, waiting};
use crate::plan::{Because, Impact, Mark, Resource};
use crate::report::{Act, Held, Report};

/// So many things that wait for the same have a line each.
const LISTED: usize = 4;

/// So many causes are named where not everything is asked for.
const CAUSES: usize = 6;

/// Things in groups of the same `key`, in the order in which each group begins.
fn grouped<'a, T, K: Ord>(all: &[&'a T], key: impl Fn(&'a T) -> K) -> Vec<Vec<&'a T>> {
    let mut at = BTreeMap::new();
    let mut groups: Vec<Vec<&T>> = Vec::new();
    for &one in all {
        let place = *at.entry(key(one)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(one);
    }
    groups
}

/// The column at which what happens begins, where names are short.
fn width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).min(40)
}

pub(super) fn acts(out: &mut String, acts: &[&Act], style: &Style<'_>) {
    for group in grouped(acts, |act| (&act.because, act.mark)) {
        let shown = if style.verbose { group.len() } else { group.len().min(NAMED) };
        let names: Vec<String> = group[..shown].iter().map(|act| name(&act.resource)).collect();
        let width = width(names.iter());
        let symbol = group[0].mark.symbol();
        for (act, name) in group.iter().zip(&names) {
            let user = act.user.as_deref().map(|user| format!("{user}   ")).unwrap_or_default();
            let new = act.mark == Mark::Change && act.impact == Impact::NewSessions;
            let effect = if new { "   new sessions only" } else { "" };
            let text = format!("{name:<width$}   {user}{}{effect}", act.what);
            fold(out, &format!("  {symbol} "), "      ", &text);
        }
        if group.len() > shown {
            fold(out, "  ", "", &format!("{symbol} and {} more", group.len() - shown));
        }
        because(out, &group[0].because, style);
        for note in group[..shown].iter().filter_map(|act| act.note.as_ref()) {
            fold(out, "      ", "      ", note);
        }
    }
}

pub(super) fn holds(out: &mut String, held: &[&Held], style: &Style<'_>) {
    for group in grouped(held, |held| &held.hold.because) {
        let same_wait = |held: &'_ Held| {
            let hold = &held.hold;
            (hold.wanted.clone(), hold.waiting_on.clone(), hold.until)
        };
        let (many, few): (Vec<_>, Vec<_>) =
            grouped(&group, same_wait).into_iter().partition(|same| same.len() > LISTED);
        many.iter().for_each(|same| wait_of_many(out, same, style));
        let few: Vec<&Held> = few.into_iter().flatten().collect();
        let names: Vec<String> = few.iter().map(|held| name(&held.hold.resource)).collect();
        let width = width(names.iter());
        for (held, name) in few.iter().zip(&names) {
            fold(out, "  | ", "      ", &format!("{name:<width$}   {}", wait(held, style)));
        }
        because(out, &group[0].hold.because, style);
        for note in few.iter().filter_map(|held| held.note.as_ref()) {
            fold(out, "      ", "      ", note);
        }
    }
}

/// What is waited for is said once, who waits is listed below it.
fn wait_of_many(out: &mut String, same: &[&Held], style: &Style<'_>) {
    let shown = if style.verbose { same.len() } else { same.len().min(NAMED) };
    let all_sessions = same.iter().all(|held| matches!(held.hold.resource, Resource::Session(_)));
    let noun = if all_sessions { "session" } else { "thing" };
    let text = format!("{}   {}", count(same.len(), noun), wait(same[0], style));
    fold(out, "  | ", "      ", &text);
    let mut names: Vec<String> =
        same[..shown].iter().map(|held| name(&held.hold.resource)).collect();
    if same.len() > shown {
        names.push(format!("+{}", same.len() - shown));
    }
    fold(out, "      ", "      ", &names.join(", "));
}

fn wait(held: &Held, style: &Style<'_>) -> String {
    let hold = &held.hold;
    format!("{}: {}{}", hold.wanted, waiting(&hold.waiting_on), until(hold, style.when))
}

/// What happens or waits without the new files just the same.
pub(super) fn pending(out: &mut String, report: &Report, style: &Style<'_>) {
    let waiting: Vec<&Act> = report.acts.iter().filter(|act| act.pending).collect();
    let held: Vec<&Held> = report.held.iter().filter(|held| held.pending).collect();
    if waiting.is_empty() && held.is_empty() {
        return;
    }
    let title = if report.options.is_empty() { "Pending" } else { "Pending, with or without this" };
    fold(out, "", "", title);
    acts(out, &waiting, style);
    holds(out, &held, style);
    out.push('\n');
}

pub(super) fn because<'a>(
    out: &mut String,
    causes: impl IntoIterator<Item = &'a Because>,
    style: &Style<'_>,
) {
    let mut shown: Vec<String> = causes.into_iter().map(ToString::to_string).collect();
    shown.dedup();
    if shown.is_empty() {
        return;
    }
    let most = if style.verbose { shown.len() } else { CAUSES };
    let more = shown.len().saturating_sub(most);
    shown.truncate(most);
    let rest = if more > 0 { format!(", +{more}") } else { String::new() };
    fold(out, "      ", "        ", &format!("because {}{rest}", shown.join(", ")));
}
