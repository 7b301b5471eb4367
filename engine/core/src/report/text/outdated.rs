//! Sessions that run as once asked: counted by what differs, and by kind; few are named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Style, count, fold, lines};
use crate::desired::Renew;
use crate::ids::Generation;
use crate::report::{Outdated, Report};

/// So many are named without being asked for.
const NAMED: usize = 4;

/// So many generations are listed; of more, the first and the last are named.
const GENERATIONS: usize = 3;

pub(super) fn outdated(
    out: &mut String,
    report: &Report,
    outdated: &[&Outdated],
    style: &Style<'_>,
) {
    if outdated.is_empty() {
        return;
    }
    let after = if report.only_pending { "" } else { " after this" };
    let policy = match report.renew {
        Renew::NextStart => "next-start",
        Renew::WhenIdle => "when-idle",
        Renew::Now => "now",
    };
    let _ = writeln!(
        out,
        "Outdated{after} (keep running with what they have; policy session-restart = {policy})"
    );
    rows(out, outdated);
    if style.verbose {
        for session in outdated {
            let from = session.generation.map(|n| format!("   (generation {n})"));
            let differs: Vec<&str> = session.differs.iter().map(|what| bare(what)).collect();
            let text =
                format!("{}   {}{}", session.session, differs.join(", "), from.unwrap_or_default());
            fold(out, "      ", "        ", &text);
        }
    } else if outdated.len() <= NAMED {
        let ids: Vec<&str> = outdated.iter().map(|session| session.session.as_str()).collect();
        fold(out, "      ", "      ", &ids.join(", "));
    }
    let causes: BTreeSet<_> = outdated.iter().flat_map(|session| &session.because).collect();
    lines::because(out, causes, style);
    out.push('\n');
}

/// How many sessions one thing differs for, and of what kinds they are.
#[derive(Default)]
struct Row<'a> {
    sessions: usize,
    /// How many of them are among those of the first row.
    of_first: usize,
    kinds: BTreeMap<&'a str, usize>,
}

fn rows(out: &mut String, outdated: &[&Outdated]) {
    let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for session in outdated {
        for what in &session.differs {
            let row = rows.entry(bare(what)).or_default();
            row.sessions += 1;
            *row.kinds.entry(&session.workbench).or_default() += 1;
        }
    }
    let Some(first) = rows.iter().max_by(|a, b| a.1.sessions.cmp(&b.1.sessions).then(b.0.cmp(a.0)))
    else {
        return;
    };
    let first = *first.0;
    for session in outdated.iter().filter(|s| s.differs.iter().any(|what| bare(what) == first)) {
        for what in &session.differs {
            rows.entry(bare(what)).or_default().of_first += 1;
        }
    }
    let mut rows: Vec<(&str, Row<'_>)> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.sessions.cmp(&a.1.sessions).then(a.0.cmp(b.0)));
    let width = rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    for (at, (what, row)) in rows.iter().enumerate() {
        let who = match at {
            0 => count(row.sessions, "session"),
            _ if row.of_first == row.sessions => format!("{} of these", row.sessions),
            _ => count(row.sessions, "session"),
        };
        let text = format!("{who:<14}   {what:<width$}   {}", kinds(&row.kinds));
        fold(out, "  | ", "      ", &text);
    }
}

/// The name of what differs without the word for where it is.
fn bare(what: &str) -> &str {
    what.strip_prefix("env ").unwrap_or(what)
}

/// `22 rstudio, 12 jupyterlab`.
fn kinds(counts: &BTreeMap<&str, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown: Vec<String> = counts.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    shown.join(", ")
}

/// Whether only environments differ.
pub(super) fn is_environment(outdated: &[Outdated]) -> bool {
    outdated.iter().flat_map(|session| &session.differs).all(|what| what.starts_with("env "))
}

/// ` (generation 40 or 41)`: from which files they were started; nothing where nobody knows.
pub(super) fn generations(outdated: &[Outdated]) -> String {
    let known: BTreeSet<Generation> =
        outdated.iter().filter_map(|session| session.generation).collect();
    let all = outdated.iter().all(|session| session.generation.is_some());
    let (Some(first), Some(last), true) = (known.first(), known.last(), all) else {
        return String::new();
    };
    if known.len() > GENERATIONS {
        return format!(" (generations {first} to {last})");
    }
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    format!(" (generation {})", known.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::outdated as session;

    #[test]
    fn what_differs_is_counted_within_those_that_the_most_common_thing_differs_for() {
        let all = [
            session("a", "rstudio", &["env TZ", "user"]),
            session("b", "rstudio", &["env TZ", "exe"]),
            session("c", "demo", &["env TZ"]),
            session("d", "demo", &["exe"]),
        ];
        let mut out = String::new();
        rows(&mut out, &all.iter().collect::<Vec<_>>());
        assert_eq!(
            out,
            "  | 3 sessions       TZ     2 rstudio, 1 demo\n  \
             | 2 sessions       exe    1 demo, 1 rstudio\n  \
             | 1 of these       user   1 rstudio\n"
        );
    }

    #[test]
    fn few_generations_are_listed_and_of_many_the_first_and_the_last() {
        let of = |generations: &[u64]| {
            let from = |n: &u64| {
                let generation = (*n > 0).then_some(Generation(*n));
                Outdated { generation, ..session("a", "demo", &["user"]) }
            };
            super::generations(&generations.iter().map(from).collect::<Vec<_>>())
        };
        assert_eq!(of(&[4]), " (generation 4)");
        assert_eq!(of(&[4, 6, 5, 4]), " (generation 4 or 5 or 6)");
        assert_eq!(of(&[4, 5, 6, 7]), " (generations 4 to 7)");
        assert_eq!(of(&[4, 5, 6, 7, 9]), " (generations 4 to 9)");
        // Where nobody knows of one, none is named.
        assert_eq!(of(&[4, 0]), "");
    }
}
