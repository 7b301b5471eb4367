//! The plan as text where the engine observes: what the product must do, and whose sessions that ends.

use std::fmt::Write as _;

use grammar::catalogue;

use super::words::count;
use super::{Style, Summary, cells, header, stays, summary_line, warnings};
use crate::known::Known;
use crate::plan::Because;
use crate::report::Report;
use crate::report::incumbent::{Group, IncumbentPlan, Serving};

/// A value is cut to so many columns.
const VALUE: usize = 40;

/// So many options that were not taken up yet are shown before the rest is counted.
const PENDING: usize = 12;

/// So many people of a group are named before the rest is counted.
const NAMED: usize = 6;

/// Writes the whole plan, if the engine only observes.
pub(super) fn observing(report: &Report, style: &Style<'_>) -> Option<String> {
    let plan = report.incumbent.as_deref().filter(|plan| plan.observing)?;
    let mut out = String::new();
    header(&mut out, report, style);
    run_by(&mut out, plan, style);
    not_taken_up(&mut out, plan, style);
    if report.options.is_empty() {
        out.push_str("No changes.\n");
        warnings(&mut out, report);
        return Some(out);
    }
    options(&mut out, report, plan);
    if plan.first {
        let name = plan.short_name();
        let _ =
            writeln!(out, "Nothing was in force before: {name} is taken to run on these files.");
    } else {
        must(&mut out, report, plan, style);
    }
    if let Some(serving) = &plan.serving {
        out.push_str(&with_wharf(serving));
    }
    stays(&mut out, report, &Summary::default());
    end_section(&mut out, report);
    warnings(&mut out, report);
    let _ = writeln!(out, "{}", summary_line(&report.summary()));
    Some(out)
}

/// What the product must do besides what the engine does, in mode `beside`.
pub(super) fn beside(out: &mut String, report: &Report, style: &Style<'_>) {
    let Some(plan) = report.incumbent.as_deref() else { return };
    if plan.observing || plan.consequence.changes() == 0 {
        return;
    }
    must(out, report, plan, style);
    end_section(out, report);
}

/// A blank line, unless warnings begin with one.
fn end_section(out: &mut String, report: &Report) {
    if report.warnings.is_empty() {
        out.push('\n');
    }
}

/// Who runs on the files, and what could not be read of it.
fn run_by(out: &mut String, plan: &IncumbentPlan, style: &Style<'_>) {
    match &plan.found {
        Known::Present(found) => {
            let nodes = match found.nodes.present().map_or(&[][..], Vec::as_slice) {
                [] | [_] => String::new(),
                nodes => format!(", {} in its list", count(nodes.len(), "node")),
            };
            let at = (style.when)(found.looked_at);
            let _ = writeln!(out, "Run by {} (observed {at}{nodes})", plan.name());
            for unknown in found.unknowns() {
                let _ = writeln!(out, "  not known: {unknown}");
            }
        }
        Known::Absent => {
            out.push_str(
                "No Workbench or RStudio Server runs here: this is what one would have to do.\n",
            );
        }
        Known::Unknown { reason, .. } => {
            let _ = writeln!(out, "Who runs on these files is not known: {reason}");
        }
    }
    out.push('\n');
}

/// What the product runs without, although the files say it.
fn not_taken_up(out: &mut String, plan: &IncumbentPlan, style: &Style<'_>) {
    for behind in &plan.behind {
        let (service, since) = (behind.service.name(), (style.when)(behind.since));
        let _ =
            writeln!(out, "Not taken up yet: {service} runs since {since}, these changed later");
        let shown =
            if style.verbose { behind.options.len() } else { behind.options.len().min(PENDING) };
        for option in &behind.options[..shown] {
            let [place, name, what, ..] = cells(option, VALUE);
            let _ = writeln!(out, "  |  {place}   {name}   {what}");
        }
        if behind.options.len() > shown {
            let _ = writeln!(out, "  |  and {} more", behind.options.len() - shown);
        }
    }
    if !plan.behind.is_empty() {
        out.push('\n');
    }
}

/// The changed options, each with what it takes there and here.
fn options(out: &mut String, report: &Report, plan: &IncumbentPlan) {
    let rows: Vec<[String; 5]> = report.options.iter().map(|option| cells(option, VALUE)).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(44)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let name = plan.short_name();
    let there: Vec<&str> = if plan.first {
        rows.iter().map(|_| "").collect()
    } else {
        plan.consequence.musts.iter().map(|must| in_words(*must)).collect()
    };
    let widest = there.iter().map(|words| words.len()).max().unwrap_or(0);
    for (row, there) in rows.iter().zip(there) {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(widths) {
            if width > 0 {
                let _ = write!(line, "{cell:<width$}   ");
            }
        }
        if !plan.first {
            let _ = write!(line, "{name}: {there:<widest$}   ");
        }
        let _ = writeln!(out, "{line}wharf: {}", row[4]);
    }
    out.push('\n');
}

fn in_words(must: Option<catalogue::Incumbent>) -> &'static str {
    match must {
        Some(catalogue::Incumbent::Unknown) => "restart (not proven)",
        Some(must) => must.name(),
        None => "does not read it",
    }
}

/// What must be done, because of which lines, and what becomes of whom.
fn must(out: &mut String, report: &Report, plan: &IncumbentPlan, style: &Style<'_>) {
    let all = &plan.consequence;
    let name = plan.short_name();
    if all.changes() == 0 {
        let _ = writeln!(out, "{name} has nothing to do for this: it does not read these files.");
        return;
    }
    let acts = all.acts();
    if acts.is_empty() {
        let _ = writeln!(out, "What {name} must do for this: nothing; its new sessions take it up");
    } else {
        let on = if all.nodes.is_empty() { String::new() } else { on_nodes(&all.nodes) };
        let _ = writeln!(out, "What {name} must do for this: {acts}{on}");
    }
    if !all.proven {
        out.push_str("  not proven: what its manual says of files in general is reckoned with\n");
    }
    if let Some(reason) = &all.nodes_unknown {
        let _ = writeln!(out, "  ?  further nodes: {reason}");
    }
    fates(out, report, plan, style);
    for (cluster, jobs) in &all.jobs {
        let stay = if *jobs == 1 { "stays" } else { "stay" };
        let _ = writeln!(out, "  =  {} in cluster {cluster} {stay}", count(*jobs, "job"));
    }
    if !all.restart.is_empty() {
        for unknown in &all.unknowns {
            let _ = writeln!(out, "  ?  who is hurt is not known: {unknown}");
        }
    }
}

/// What becomes of whom; where nothing is restarted, that all stay.
fn fates(out: &mut String, report: &Report, plan: &IncumbentPlan, style: &Style<'_>) {
    if plan.consequence.restart.is_empty() {
        match plan.consequence.fates.len() {
            0 => {}
            1 => out.push_str("  =  1 session stays\n"),
            n => {
                let _ = writeln!(out, "  =  {n} sessions stay");
            }
        }
        return;
    }
    let groups = plan.groups();
    let (end, stay): (Vec<_>, Vec<_>) = groups.iter().partition(|group| group.first.ends);
    for group in &end {
        fate_lines(out, group, style);
    }
    if !end.is_empty() {
        because(out, report, plan, style);
    }
    for group in &stay {
        fate_lines(out, group, style);
    }
}

fn on_nodes(nodes: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = nodes.iter().take(SHOWN).map(String::as_str).collect();
    let more = nodes.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(", +{more}") } else { String::new() };
    format!(" on {}{rest}", shown.join(", "))
}

fn fate_lines(out: &mut String, group: &Group<'_>, style: &Style<'_>) {
    let fate = group.first;
    let n = group.sessions();
    let (mark, verb) = match (fate.ends, n) {
        (true, 1) => ("-", "ends"),
        (true, _) => ("-", "end"),
        (false, 1) => ("=", "stays"),
        (false, _) => ("=", "stay"),
    };
    let proven = if fate.proven { "" } else { "   (not proven)" };
    let people = people(group, style);
    let _ = writeln!(out, "  {mark}  {} {verb}   {people}{proven}", group.label());
    let _ = writeln!(out, "       {}", fate.why);
}

/// `alice (3), bob, +6`.
fn people(group: &Group<'_>, style: &Style<'_>) -> String {
    let mut people: Vec<(&str, usize)> = group.people.iter().map(|(name, n)| (*name, *n)).collect();
    people.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let shown = if style.verbose { people.len() } else { people.len().min(NAMED) };
    let mut words: Vec<String> = people[..shown]
        .iter()
        .map(|(name, n)| if *n == 1 { (*name).to_owned() } else { format!("{name} ({n})") })
        .collect();
    if people.len() > shown {
        words.push(format!("+{}", people.len() - shown));
    }
    words.join(", ")
}

/// The lines that make it restart something.
fn because(out: &mut String, report: &Report, plan: &IncumbentPlan, style: &Style<'_>) {
    let restarts = |must: &Option<catalogue::Incumbent>| {
        matches!(must, Some(catalogue::Incumbent::Restart | catalogue::Incumbent::Unknown))
    };
    let lines = report.options.iter().zip(&plan.consequence.musts);
    let causes: Vec<Because> =
        lines.filter(|(_, must)| restarts(must)).map(|(option, _)| option.as_cause()).collect();
    super::lines::because(out, &causes, style);
}

/// What the same edit would do with this engine serving.
pub(in crate::report) fn with_wharf(serving: &Serving) -> String {
    let mut out = String::new();
    match serving {
        Serving::Refused { first, errors } => {
            let more = errors.saturating_sub(1);
            let more = if more > 0 { format!(" (+{more} more)") } else { String::new() };
            out.push_str("With wharf serving this site these files would be refused:\n");
            let _ = writeln!(out, "  {first}{more}");
        }
        Serving::Accepted { summary, later, next_start, no_effect } => {
            let hurt = summary.hurt();
            if hurt == 0 && *later > 0 {
                let things = count(*later, "session");
                let _ = writeln!(
                    out,
                    "With wharf serving this site the same edit would hurt nobody who is at work:\n  \
                     {things} would wait until idle, for a window or for approval"
                );
            } else if hurt == 0 {
                out.push_str("With wharf serving this site the same edit would touch nobody.\n");
            } else {
                let _ = writeln!(
                    out,
                    "With wharf serving this site the same edit would end {} and restart {}.",
                    count(summary.end, "session"),
                    count(summary.restart, "session")
                );
            }
            if *next_start > 0 {
                let takes = if *next_start == 1 { "is taken up" } else { "are taken up" };
                let options = count(*next_start, "option");
                let _ = writeln!(out, "  {options} {takes} by each session at its next start");
            }
            if *no_effect > 0 {
                let does = if *no_effect == 1 { "does" } else { "do" };
                let options = count(*no_effect, "option");
                let _ = writeln!(out, "  {options} {does} nothing in this version of wharf");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Desired, Mode};
    use crate::ids::Moment;
    use crate::incumbent::behind::Behind;
    use crate::incumbent::consequence::Fate;
    use crate::incumbent::{Kind, Service};
    use crate::report::tests::{STYLE, option, quiet, world};
    use crate::settings::{Settings, Takes};

    fn plan(mode: Mode) -> IncumbentPlan {
        let desired = Desired { mode, ..Desired::default() };
        let settings = Settings::default();
        IncumbentPlan::new(&quiet(), Some(&settings), &settings, &desired, &world()).unwrap()
    }

    #[test]
    fn beside_the_product_an_edit_that_it_does_not_read_is_not_spoken_of() {
        let text = |musts| {
            let mut plan = plan(Mode::Beside);
            plan.consequence.musts = musts;
            let mut out = String::new();
            let report = Report { incumbent: Some(Box::new(plan)), ..quiet() };
            beside(&mut out, &report, &STYLE);
            out
        };
        assert_eq!(text(vec![None]), "");
        let new = vec![Some(catalogue::Incumbent::NewSession)];
        assert!(text(new).starts_with("What Workbench must do for this: nothing"));
    }

    #[test]
    fn of_many_options_that_were_not_taken_up_twelve_are_shown_and_the_rest_counted() {
        let lines = |n: usize| {
            let mut plan = plan(Mode::Observe);
            let options = (0..n).map(|_| option(Takes::Live)).collect();
            plan.behind.push(Behind { service: Service::Server, since: Moment(7), options });
            let mut out = String::new();
            not_taken_up(&mut out, &plan, &STYLE);
            (
                out.matches("www-port").count(),
                out.contains("and"),
                out.contains("  |  and 2 more\n"),
            )
        };
        assert_eq!(lines(12), (12, false, false));
        assert_eq!(lines(14), (12, true, true));
    }

    #[test]
    fn of_many_nodes_eight_are_named_and_the_rest_counted() {
        let on = |n: usize| on_nodes(&(1..=n).map(|n| format!("n{n}")).collect::<Vec<_>>());
        assert_eq!(on(8), " on n1, n2, n3, n4, n5, n6, n7, n8");
        assert_eq!(on(10), " on n1, n2, n3, n4, n5, n6, n7, n8, +2");
    }

    #[test]
    fn of_many_people_six_are_named_those_with_most_sessions_first() {
        let fate = |user: &str| Fate {
            kind: Kind::Rstudio,
            user: user.to_owned(),
            pid: 1,
            node: None,
            ends: true,
            proven: true,
            why: "",
        };
        let of = |users: &str| {
            let mut plan = plan(Mode::Observe);
            plan.consequence.fates = users.split(' ').map(fate).collect();
            people(&plan.groups()[0], &STYLE)
        };
        assert_eq!(of("a b c d e f"), "a, b, c, d, e, f");
        assert_eq!(of("a b c d e f g h h"), "h (2), a, b, c, d, e, +2");
    }

    #[test]
    fn of_the_errors_of_a_refused_set_the_first_is_told_and_the_rest_counted() {
        let text = |errors| with_wharf(&Serving::Refused { first: "WH0107 x".to_owned(), errors });
        assert!(text(1).ends_with("\n  WH0107 x\n"), "{}", text(1));
        assert!(text(3).ends_with("\n  WH0107 x (+2 more)\n"), "{}", text(3));
    }

    #[test]
    fn serving_the_same_edit_hurts_whom_it_ends_or_restarts() {
        let text = |end, restart, later| {
            let summary = Summary { end, restart, ..Summary::default() };
            with_wharf(&Serving::Accepted { summary, later, next_start: 0, no_effect: 0 })
        };
        assert!(text(0, 0, 0).contains("would touch nobody"));
        assert!(
            text(0, 0, 2).contains("would hurt nobody who is at work:\n  2 sessions would wait")
        );
        assert!(text(1, 0, 2).contains("would end 1 session and restart 0 sessions."));
        assert!(text(0, 2, 0).contains("would end 0 sessions and restart 2 sessions."));
    }
}
