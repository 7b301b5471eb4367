//! The plan for a merge request: the same [`Report`], as Markdown.
//!
//! People read it who must not learn who works when: sessions are counted by kind, and nobody is named, unless
//! that is asked for (product.md §6). Files keep their names, since a merge request shows those anyway.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::incumbent::IncumbentPlan;
use super::text::{self, NAMED, SECTIONS, Style, cells, count, name, seconds, waiting};
use super::{Act, Held, Outdated, Report};
use crate::plan::{Because, Resource};

/// A value is cut to so many columns.
const VALUE: usize = 60;

/// Fields of our own files whose values are accounts.
const ACCOUNTS: [&str; 3] = ["user", "users", "admins"];

/// So many causes are named; of more, the rest is counted.
const CAUSES: usize = 6;

/// Writes the whole plan; people and their sessions are named with `people` only.
#[must_use]
pub fn render(report: &Report, people: bool, style: &Style<'_>) -> String {
    let mut out = String::new();
    let about = &report.about;
    let _ = writeln!(out, "### wharf plan: {}\n", code(&about.site));
    if !about.remark.is_empty() {
        let _ = writeln!(out, "{}\n", escaped(&about.remark));
    }
    let in_force = match about.in_force {
        Some((generation, since)) => {
            format!("In force: generation {generation} since {}.", (style.when)(since))
        }
        None => "Nothing is in force yet.".to_owned(),
    };
    let against = if about.against.is_empty() {
        String::new()
    } else {
        format!(" Planned for: {}.", code(&about.against))
    };
    let _ = writeln!(out, "{in_force}{against}\n");
    for window in &about.windows {
        let until = (style.when)(window.until);
        let _ = writeln!(out, "Change window {} is open until {until}.\n", code(&window.id));
    }
    for given in &about.overrides {
        let hides: Vec<String> = given.hides.iter().map(ToString::to_string).collect();
        let hides =
            if hides.is_empty() { String::new() } else { format!(", hides {}", hides.join(", ")) };
        let until = given.until.map(|until| format!(" until {}", (style.when)(until)));
        let line = format!("{}{}{hides}", given.what, until.unwrap_or_default());
        let _ = writeln!(out, "Overridden by {}: {}.\n", code(&given.id), escaped(&line));
    }
    if let Some(inert) = &report.inert {
        let _ = writeln!(out, "{}\n", escaped(inert));
    }
    let summary = report.summary();
    let line =
        if people { text::summary_line(&summary) } else { text::nameless_summary_line(&summary) };
    let line =
        if report.is_new() || report.only_pending { line } else { format!("No changes. {line}") };
    let _ = writeln!(out, "**{}**", escaped(&line));
    options(&mut out, report, people);
    product(&mut out, report, people);
    acts(&mut out, report, people);
    held(&mut out, report, people, style);
    outdated(&mut out, report, people);
    warnings(&mut out, report);
    out
}

fn options(out: &mut String, report: &Report, people: bool) {
    if report.options.is_empty() {
        return;
    }
    out.push_str("\n| where | option | change | for | takes effect |\n|---|---|---|---|---|\n");
    for change in &report.options {
        let [place, option, mut what, scope, effect] = cells(change, VALUE);
        if !people && names_people(&option) {
            "(who, changed)".clone_into(&mut what);
        }
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {effect} |",
            cell(&place),
            cell(&option),
            cell(&what),
            cell(&scope)
        );
    }
}

/// What the product that runs on the same files must do, and whose sessions that ends.
fn product(out: &mut String, report: &Report, people: bool) {
    let Some(plan) = report.incumbent.as_deref() else { return };
    not_taken_up(out, plan);
    let all = &plan.consequence;
    if all.changes() == 0 {
        return;
    }
    let _ = writeln!(out, "\n#### What {} must do\n", escaped(&plan.name()));
    let services = [("restart", &all.restart), ("reload", &all.reload)];
    for (verb, services) in services.into_iter().filter(|(_, services)| !services.is_empty()) {
        let names: Vec<&str> = services.iter().map(|service| service.name()).collect();
        let nodes = if all.nodes.is_empty() {
            String::new()
        } else {
            format!(" on {}", all.nodes.join(", "))
        };
        let _ = writeln!(out, "- {verb} {}{}", escaped(&names.join(", ")), escaped(&nodes));
    }
    if all.restart.is_empty() {
        let _ = writeln!(out, "- {} stay", count(all.fates.len(), "session"));
        return;
    }
    for group in plan.groups() {
        let n = group.sessions();
        let verb = match (group.first.ends, n) {
            (true, 1) => "ends",
            (true, _) => "end",
            (false, 1) => "stays",
            (false, _) => "stay",
        };
        let who: Vec<String> = group.people.keys().take(NAMED).map(|name| escaped(name)).collect();
        let who = if people { format!(" ({})", who.join(", ")) } else { String::new() };
        let proven = if group.first.proven { "" } else { " (not proven)" };
        let sessions = format!("{} {verb}", group.label());
        let _ = writeln!(out, "- {sessions}{who}{proven}: {}", escaped(group.first.why));
    }
    for unknown in &all.unknowns {
        let _ = writeln!(out, "- who is hurt is not known: {}", escaped(unknown));
    }
    if let Some(serving) = &plan.serving {
        let words = text::with_wharf(serving);
        let _ =
            writeln!(out, "\n{}", escaped(&words.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
}

/// What the product runs without, although the files say it.
fn not_taken_up(out: &mut String, plan: &IncumbentPlan) {
    for behind in &plan.behind {
        let _ = writeln!(out, "\n#### Not taken up yet by {}\n", behind.service.name());
        for option in &behind.options {
            let [place, name, what, ..] = cells(option, VALUE);
            let _ = writeln!(out, "- {} {} {}", code(&place), code(&name), code(&what));
        }
    }
}

/// Whether an option's values are people: `user`, `access.users`.
fn names_people(option: &str) -> bool {
    let field = option.rsplit('.').next().unwrap_or(option);
    ACCOUNTS.contains(&field)
}

fn acts(out: &mut String, report: &Report, people: bool) {
    for (mark, title) in SECTIONS {
        for delayed in [false, true] {
            let of = report.acts.iter().filter(|act| {
                report.is_about(act.pending)
                    && act.mark == mark
                    && act.delayed_until.is_some() == delayed
            });
            let of: Vec<&Act> = of.collect();
            if of.is_empty() {
                continue;
            }
            let after = format!(", after harm-delay ({})", seconds(report.harm_delay));
            let _ = writeln!(out, "\n#### {title}{}\n", if delayed { &after } else { "" });
            let key = |act: &Act| Line {
                resource: act.resource.clone(),
                what: act.what.clone(),
                whose: (act.user.clone(), act.workbench.clone()),
                because: act.because.clone(),
            };
            lines(out, of.into_iter().map(key), people);
        }
    }
}

fn held(out: &mut String, report: &Report, people: bool, style: &Style<'_>) {
    let held: Vec<&Held> =
        report.held.iter().filter(|held| report.is_about(held.pending)).collect();
    if held.is_empty() {
        return;
    }
    out.push_str("\n#### Held\n\n");
    let line = |held: &Held| {
        let until = held.hold.until.map(|until| format!(" until {}", (style.when)(until)));
        let what = format!("{}: {}", held.hold.wanted, waiting(&held.hold.waiting_on));
        Line {
            resource: held.hold.resource.clone(),
            what: what + &until.unwrap_or_default(),
            whose: (held.user.clone(), held.detail.clone()),
            because: held.hold.because.clone(),
        }
    };
    lines(out, held.into_iter().map(line), people);
}

/// What happens to one thing, or waits.
struct Line {
    resource: Resource,
    what: String,
    /// Account and workbench, where it is a session.
    whose: (Option<String>, String),
    because: Vec<Because>,
}

/// How many sessions do the same, of what kinds, and why.
#[derive(Default)]
struct Together {
    kinds: BTreeMap<String, usize>,
    names: Vec<String>,
    because: Vec<String>,
}

/// Sessions that do the same are one line; everything else has its own.
fn lines(out: &mut String, all: impl Iterator<Item = Line>, people: bool) {
    let mut sessions: BTreeMap<String, Together> = BTreeMap::new();
    for line in all {
        let Line { resource, what, whose: (user, workbench), because } = line;
        let because = because.iter().map(|cause| cause_of(cause, people));
        if !matches!(resource, Resource::Session(_)) {
            let because: Vec<String> = because.collect();
            let name = escaped(&name(&resource));
            let _ = writeln!(out, "- {name}: {}{}", escaped(&what), causes(&because));
            continue;
        }
        let what = match &user {
            Some(user) if !people => without(&what, user),
            _ => what,
        };
        let together = sessions.entry(what).or_default();
        *together.kinds.entry(workbench).or_default() += 1;
        if people && together.names.len() <= NAMED {
            let user = user.map(|user| format!(" ({user})")).unwrap_or_default();
            together.names.push(format!("{}{user}", name(&resource)));
        }
        if together.because.len() <= CAUSES {
            together.because.extend(because);
        }
    }
    for (what, together) in sessions {
        let sessions: usize = together.kinds.values().sum();
        let _ = writeln!(
            out,
            "- {} ({}): {}{}{}",
            count(sessions, "session"),
            escaped(&kinds(&together.kinds)),
            escaped(&what),
            named(&together.names, sessions),
            causes(&together.because)
        );
    }
}

fn named(names: &[String], all: usize) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown = names.len().min(NAMED);
    let more = all - shown;
    let rest = if more > 0 { format!(", +{more}") } else { String::new() };
    format!(" - {}{rest}", escaped(&names[..shown].join(", ")))
}

fn outdated(out: &mut String, report: &Report, people: bool) {
    let outdated: Vec<&Outdated> =
        report.outdated.iter().filter(|o| report.is_about(o.pending)).collect();
    if outdated.is_empty() {
        return;
    }
    out.push_str("\n#### Outdated: they keep running with what they have\n\n");
    let mut rows: BTreeMap<String, Together> = BTreeMap::new();
    for session in outdated {
        let differs: Vec<&str> =
            session.differs.iter().map(|what| what.strip_prefix("env ").unwrap_or(what)).collect();
        let row = rows.entry(differs.join(", ")).or_default();
        *row.kinds.entry(session.workbench.clone()).or_default() += 1;
        if people && row.names.len() <= NAMED {
            row.names.push(session.session.to_string());
        }
        if row.because.len() <= CAUSES {
            row.because.extend(session.because.iter().map(|cause| cause_of(cause, people)));
        }
    }
    for (what, row) in rows {
        let sessions: usize = row.kinds.values().sum();
        let _ = writeln!(
            out,
            "- {} ({}): {}{}{}",
            count(sessions, "session"),
            escaped(&kinds(&row.kinds)),
            escaped(&what),
            named(&row.names, sessions),
            causes(&row.because)
        );
    }
}

fn kinds(kinds: &BTreeMap<String, usize>) -> String {
    let shown: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    shown.join(", ")
}

fn warnings(out: &mut String, report: &Report) {
    if report.warnings.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n#### {}\n", count(report.warnings.len(), "warning"));
    for warning in &report.warnings {
        // Four: a warning shows lines of files, and those may hold three.
        let _ = writeln!(out, "````\n{}\n````", warning.trim_end());
    }
}

/// A cause; who is behind it is not told without `people`.
fn cause_of(cause: &Because, people: bool) -> String {
    match cause {
        Because::Person { .. } if !people => "a person's command".to_owned(),
        Because::Seen { .. } if !people => "what was observed".to_owned(),
        cause => cause.to_string(),
    }
}

fn causes(because: &[String]) -> String {
    let mut shown: Vec<&String> = Vec::new();
    for cause in because {
        if !shown.contains(&cause) {
            shown.push(cause);
        }
    }
    if shown.is_empty() {
        return String::new();
    }
    let more = shown.len().saturating_sub(CAUSES);
    shown.truncate(CAUSES);
    let rest = if more > 0 { ", ..." } else { "" };
    let shown: Vec<String> = shown.into_iter().map(|cause| code(cause)).collect();
    format!("; because {}{rest}", shown.join(", "))
}

/// `text` without a person's name, where it stands as a word.
fn without(text: &str, user: &str) -> String {
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(user) {
        let (before, from) = rest.split_at(at);
        let after = &from[user.len()..];
        let whole = !before.ends_with(of_name) && !after.starts_with(of_name);
        out.push_str(before);
        out.push_str(if whole { "(somebody)" } else { user });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A cell of a table as code; empty stays empty.
fn cell(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(text).replace('|', "\\|") }
}

/// Text as code: nothing in it is Markdown.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// Text in which nothing is Markdown but what is written as code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_where_it_is_a_word_and_nowhere_else() {
        assert_eq!(without("no account `al`, al.", "al"), "no account `(somebody)`, al.");
        assert_eq!(without("al is alone", "al"), "(somebody) is alone");
        assert_eq!(without("all", "al"), "all");
    }

    #[test]
    fn code_is_fenced_by_more_than_it_holds() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(escaped("<b> *x*"), "\\<b\\> \\*x\\*");
    }

    use crate::desired::Desired;
    use crate::ids::Moment;
    use crate::incumbent::Service;
    use crate::incumbent::behind::Behind;
    use crate::report::tests::{STYLE, held, option, outdated, quiet, session, world};
    use crate::settings::{Settings, Takes};

    #[test]
    fn code_keeps_a_blank_from_a_sign_at_either_end() {
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a`"), "`` a` ``");
    }

    #[test]
    fn who_is_behind_a_cause_is_told_with_people_only() {
        let person = Because::Person { what: "stop-a by root".to_owned() };
        let seen = Because::Seen { what: "alice is gone".to_owned() };
        let file = Because::FileRemoved { file: "sessions.d/a.toml".into() };
        for (cause, without, with) in [
            (person, "a person's command", "stop-a by root"),
            (seen, "what was observed", "alice is gone"),
            (file, "sessions.d/a.toml (removed)", "sessions.d/a.toml (removed)"),
        ] {
            assert_eq!(cause_of(&cause, false), without);
            assert_eq!(cause_of(&cause, true), with);
        }
    }

    #[test]
    fn of_many_sessions_twelve_are_named_and_the_rest_counted() {
        let text = |n: u32| {
            let held = (10..10 + n).map(|n| held(session(&format!("s{n}")), Vec::new())).collect();
            render(&Report { held, ..quiet() }, true, &STYLE)
        };
        assert!(text(12).contains("s20, s21\n"), "{}", text(12));
        assert!(text(14).contains("s20, s21, +2\n"), "{}", text(14));
    }

    #[test]
    fn sessions_that_run_as_once_asked_are_counted_by_what_differs() {
        let cause = |line| Because::Line { file: "f".into(), line, option: String::new() };
        let mut all: Vec<Outdated> =
            (10..24).map(|n| outdated(&format!("s{n}"), "demo", &["env TZ"])).collect();
        all.iter_mut().zip(1..).for_each(|(one, line)| one.because.push(cause(line)));
        all.push(outdated("t1", "rstudio", &["env TZ"]));
        all.push(outdated("t2", "rstudio", &["env TZ", "user"]));
        let report = Report { outdated: all, ..quiet() };
        let row = "- 15 sessions (14 demo, 1 rstudio): TZ; because `f:1`, `f:2`, `f:3`, `f:4`, \
                   `f:5`, `f:6`, ...\n";
        let text = render(&report, false, &STYLE);
        assert!(
            text.contains("\n#### Outdated: they keep running with what they have\n\n"),
            "{text}"
        );
        assert!(
            text.contains(row) && text.contains("- 1 session (1 rstudio): TZ, user\n"),
            "{text}"
        );
        assert!(!text.contains("s10") && !text.contains("t2"), "{text}");
        let text = render(&report, true, &STYLE);
        assert!(text.contains("TZ - s10, s11") && text.contains("s20, s21, +3; because"), "{text}");
        assert!(text.contains("TZ, user - t2\n"), "{text}");
        assert!(!render(&quiet(), true, &STYLE).contains("Outdated"));
    }

    #[test]
    fn what_the_product_has_not_taken_up_is_listed_for_each_service() {
        let mut report = quiet();
        let desired = Desired { mode: crate::desired::Mode::Observe, ..Desired::default() };
        let mut plan =
            IncumbentPlan::new(&report, None, &Settings::default(), &desired, &world()).unwrap();
        let options = vec![option(Takes::Live)];
        plan.behind.push(Behind { service: Service::Server, since: Moment(0), options });
        report.incumbent = Some(Box::new(plan));
        let text = render(&report, false, &STYLE);
        let list = "\n#### Not taken up yet by rstudio-server\n\n\
                    - `rserver.conf:1` `www-port` `8787 -> 8443`\n";
        assert!(text.contains(list), "{text}");
    }
}
