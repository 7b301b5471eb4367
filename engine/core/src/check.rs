//! The check of a site: its problems, what could not be read, and which of its options do nothing here.
//!
//! Pure: files come in as values. Holds the rule for staged files (product.md §6): a problem inside a
//! staged file counts; one between files that the live set does not have is a warning, because the
//! files of a set are written one after another; one that the live set has already never fails a
//! write, or nothing could be repaired. Read next: [`crate::desired`], whose lowering finds the problems.

pub mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grammar::catalogue::State;
use grammar::check::{AnyKind, Checked as Alone, check_file};
use grammar::error::{Code, Problem, Severity, sort_problems};
use grammar::own::OwnKind;
use grammar::source::Source;

use crate::desired::{Ground, Lowered, lower, own_field};
use crate::known::Known;
use crate::lint::{self, Skipped};
use crate::settings::{Setting, SettingKey, Takes};
use crate::site::{DropIn, FileProblemKind, SiteFiles};

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is wrong, by place.
    pub problems: Vec<Problem>,
    /// Files that this account may not read, where that is no problem.
    pub unread: Vec<Arc<str>>,
    /// Rules that could not be applied, and why.
    pub skipped: Vec<Skipped>,
    /// Options that are set and do nothing here, by file and line.
    pub idle: Vec<IdleOption>,
    /// How many problems of the live set were left out beside staged files.
    pub standing: usize,
    /// How many files were read.
    pub files: usize,
    /// How many options they set.
    pub options: usize,
}

/// An option that is set and does nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleOption {
    /// The file's short name.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u32,
    /// Its name.
    pub option: String,
    /// What is the matter with it.
    pub why: Idle,
}

/// Why an option does nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Idle {
    /// It is going to do something: with which step of the roadmap, where that is written down.
    Later(Option<&'static str>),
    /// It has no meaning here: why.
    Meaningless(&'static str),
    /// It is not done here: why.
    Unsupported(&'static str),
}

impl Idle {
    /// The catalogue's word for it.
    #[must_use]
    pub fn state(self) -> &'static str {
        match self {
            Idle::Later(_) => "arrives",
            Idle::Meaningless(_) => "accepted",
            Idle::Unsupported(_) => "unsupported",
        }
    }

    /// Why, where that is written down.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        match self {
            Idle::Later(step) => step,
            Idle::Meaningless(why) | Idle::Unsupported(why) => Some(why),
        }
    }
}

impl Checked {
    /// How many problems have a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }
}

/// Checks a site. Not read is not wrong, unless `strict`.
#[must_use]
pub fn check(files: &SiteFiles, ground: &Ground, strict: bool) -> Checked {
    let lowered = lower(files, ground);
    let denied = if strict { Severity::Error } else { Severity::Note };
    let mut problems = files.problems(denied);
    let mut unread = Vec::new();
    if !strict {
        let code = FileProblemKind::Denied.code();
        problems.retain(|problem| problem.code != code);
        unread.extend(files.denied().cloned());
    }
    problems.extend(files.notes());
    let idle = idle_options(&lowered);
    problems.extend(lowered.problems);
    sort_problems(&mut problems);
    Checked {
        problems,
        unread,
        skipped: lowered.skipped,
        idle,
        standing: 0,
        files: sources(files).count(),
        options: lowered.settings.len(),
    }
}

/// Checks one file by itself: nothing between files is looked at.
#[must_use]
pub fn check_alone(kind: AnyKind, source: &Source) -> Checked {
    let checked = check_file(kind, source);
    let entries = checked.document.iter().flat_map(|document| &document.sections);
    let idle = entries.flat_map(|section| &section.entries).filter_map(|entry| {
        let why = idle_of(&entry.row?.state)?;
        let (file, option) = (Arc::clone(&source.file), entry.name.to_string());
        Some(IdleOption { file, line: entry.line, option, why })
    });
    let idle = idle.collect();
    let Alone { problems, options, .. } = checked;
    Checked { problems, idle, files: 1, options, ..Checked::default() }
}

/// Every text of a site.
pub fn sources(files: &SiteFiles) -> impl Iterator<Item = &Source> {
    let own = DropIn::ALL.into_iter().flat_map(|drop_in| files.managed(drop_in).files());
    files.of_the_set().chain(own.map(|(_, file)| file)).filter_map(Known::present)
}

/// What is set and does nothing.
fn idle_options(lowered: &Lowered) -> Vec<IdleOption> {
    let idle = |(key, setting): (&SettingKey, &Setting)| {
        let why = match setting.row {
            Some(row) => idle_of(&row.state)?,
            // A name of Workbench's that the catalogue does not have is a problem of its own.
            None if setting.effect == Takes::No => {
                let kind = OwnKind::of_short_name(&key.file)?;
                // The head of a table is no option.
                Idle::Later(own_field(kind, &key.option)?.arrives)
            }
            None => return None,
        };
        let (file, line, option) = (Arc::clone(&key.file), setting.line, key.option.clone());
        Some(IdleOption { file, line, option, why })
    };
    let mut found: Vec<IdleOption> = lowered.settings.iter().filter_map(idle).collect();
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    found
}

fn idle_of(state: &State) -> Option<Idle> {
    match state {
        State::Acts { .. } => None,
        State::Arrives { issue } => Some(Idle::Later(Some(issue))),
        State::Accepted { why } => Some(Idle::Meaningless(why)),
        State::Unsupported { why } => Some(Idle::Unsupported(why)),
    }
}

/// Holds what was found with staged files in place against the problems of the live set.
///
/// `staged` are the shown paths of the places that staged files were put over. With `as_set` they are
/// the whole change, so that what they break between files counts as it stands.
pub fn hold_against_live(
    checked: &mut Checked,
    live: &[Problem],
    staged: &BTreeSet<Arc<str>>,
    as_set: bool,
) {
    let mut standing: BTreeMap<Kinship, usize> = BTreeMap::new();
    for problem in live {
        *standing.entry(kinship(problem)).or_default() += 1;
    }
    let mut kept = Vec::new();
    for mut problem in std::mem::take(&mut checked.problems) {
        if is_inside(&problem, staged) {
            kept.push(problem);
            continue;
        }
        if let Some(left) = standing.get_mut(&kinship(&problem)).filter(|left| **left > 0) {
            *left -= 1;
            checked.standing += 1;
            continue;
        }
        if !as_set {
            problem.severity = problem.severity.max(Severity::Warning);
        }
        kept.push(problem);
    }
    checked.problems = kept;
}

/// What two problems share that are one and the same in two readings: lines may have moved.
type Kinship = (Code, String, Option<Arc<str>>);

fn kinship(problem: &Problem) -> Kinship {
    let file = problem.labels.first().map(|label| Arc::clone(&label.file));
    (problem.code, problem.message.clone(), file)
}

/// Whether a problem is one of a staged file by itself.
fn is_inside(problem: &Problem, staged: &BTreeSet<Arc<str>>) -> bool {
    let first = problem.labels.first();
    first.is_some_and(|label| staged.contains(&label.file)) && !is_between_files(problem)
}

/// The codes of what lowering finds between files, whatever it shows.
const BETWEEN: std::ops::Range<u16> = 300..400;

/// The one rule of that range that looks at one line: an address that is none.
const BAD_ADDRESS: u16 = 341;

/// An option that narrows access and does not act is never a mere warning (design.md §5).
const NARROWS: u16 = 401;

/// Whether a problem depends on more than the file it is shown in.
fn is_between_files(problem: &Problem) -> bool {
    let Code(code) = problem.code;
    let first = problem.labels.first().map(|label| &label.file);
    let several = problem.labels.iter().any(|label| Some(&label.file) != first);
    let of_one_line = [BAD_ADDRESS, NARROWS].contains(&code);
    several || (!of_one_line && (BETWEEN.contains(&code) || lint::rule(Code(code)).is_some()))
}

#[cfg(test)]
pub(crate) mod tests;
