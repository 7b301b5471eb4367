//! Why: of the lines behind a thing those that a plan changes, and what would be so without it.
//!
//! A thing that happens, or waits, without the new files just the same is *pending*: it is shown, and not
//! counted as theirs (product.md §6). Of the lines behind a new thing only those are printed that the
//! files changed, so that each cause printed is among the changes printed. Linear in things and changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Held, Report};
use crate::plan::{Because, Hold, Impact, Mark, Resource};
use crate::settings::{OptionChange, Takes};

/// Where none of the changed lines speaks of a thing, so many of them are named.
const GUESSED: usize = 8;

/// What a hold is the same by: what waits, and for what.
type Wait<'a> = (&'a Resource, &'a crate::plan::WaitingOn, &'a str);

impl Report {
    /// Marks what is in `before`, the report of the files in force for the same world, as pending.
    #[must_use]
    pub fn compared_with(mut self, before: &Report) -> Self {
        let acts: BTreeMap<(&Resource, Mark, &str), &Vec<Because>> = before
            .acts
            .iter()
            .map(|act| ((&act.resource, act.mark, act.what.as_str()), &act.because))
            .collect();
        // Harm that the files in force ask for and that waits there is not asked for by the new ones, where there
        // is less of it than the brake holds back; nor the other way round, where there is more.
        let held_harms: Harms<'_> = harms(before.held.iter().map(|held| &held.hold));
        for act in &mut self.acts {
            let known = acts.get(&(&act.resource, act.mark, act.what.as_str()));
            let because = known.or_else(|| held_harms.get(&(&act.resource, act.impact)));
            if let Some(because) = because {
                act.pending = true;
                act.because.clone_from(because);
            }
        }
        let waits: BTreeMap<Wait<'_>, &Vec<Because>> =
            before.held.iter().map(|held| (wait(held), &held.hold.because)).collect();
        let acts = before.acts.iter().filter(|act| act.impact.is_harm());
        let harms: Harms<'_> =
            acts.map(|act| ((&act.resource, act.impact), &act.because)).collect();
        for held in &mut self.held {
            let harm = || harms.get(&(&held.hold.resource, held.hold.impact));
            let because = waits.get(&wait(held)).or_else(harm);
            if let Some(because) = because.map(|because| (*because).clone()) {
                held.pending = true;
                held.hold.because = because;
            }
        }
        let outdated: BTreeMap<_, _> =
            before.outdated.iter().map(|o| ((&o.session, &o.differs), &o.because)).collect();
        for session in &mut self.outdated {
            if let Some(because) = outdated.get(&(&session.session, &session.differs)) {
                session.pending = true;
                session.because.clone_from(because);
            }
        }
        super::steps::mark_pending(&mut self.steps, &before.steps);
        self
    }

    /// Leaves of the causes of each thing those lines that the files changed.
    pub(super) fn name_changed_lines(&mut self) {
        let changed = Changed::of(&self.options);
        let acts = self.acts.iter_mut().map(|act| &mut act.because);
        let held = self.held.iter_mut().map(|held| &mut held.hold.because);
        let outdated = self.outdated.iter_mut().map(|o| &mut o.because);
        acts.chain(held).chain(outdated).for_each(|because| changed.name(because));
    }
}

/// Harms by what they are the same by, with their causes.
type Harms<'a> = BTreeMap<(&'a Resource, Impact), &'a Vec<Because>>;

fn harms<'a>(holds: impl Iterator<Item = &'a Hold>) -> Harms<'a> {
    let harms = holds.filter(|hold| hold.impact.is_harm());
    harms.map(|hold| ((&hold.resource, hold.impact), &hold.because)).collect()
}

fn wait(held: &Held) -> Wait<'_> {
    (&held.hold.resource, &held.hold.waiting_on, &held.hold.wanted)
}

/// The changed options, found by what causes name.
struct Changed<'a> {
    lines: BTreeSet<(&'a str, u32)>,
    by_file: BTreeMap<&'a str, Vec<&'a OptionChange>>,
    /// What is named where nothing else is known: the mode, if it changed, else what acts.
    acting: Vec<Because>,
}

impl<'a> Changed<'a> {
    fn of(options: &'a [OptionChange]) -> Self {
        let mut by_file: BTreeMap<&str, Vec<&OptionChange>> = BTreeMap::new();
        for option in options {
            by_file.entry(&option.file).or_default().push(option);
        }
        let acts = |o: &&OptionChange| o.effect != Takes::No && o.line > 0 && !o.option.is_empty();
        let mode: Vec<_> = options.iter().filter(|o| &*o.option == "mode").collect();
        let acting = if mode.is_empty() {
            options.iter().filter(acts).take(GUESSED).map(OptionChange::as_cause).collect()
        } else {
            mode.into_iter().map(OptionChange::as_cause).collect()
        };
        let lines = options.iter().map(|option| (&*option.file, option.line)).collect();
        Self { lines, by_file, acting }
    }

    fn is_changed(&self, cause: &Because) -> bool {
        cause.place().is_none_or(|(file, line)| self.lines.contains(&(&**file, line)))
    }

    fn name(&self, because: &mut Vec<Because>) {
        let names_a_change = |cause: &Because| cause.place().is_some() && self.is_changed(cause);
        if because.iter().any(names_a_change) {
            because.retain(|cause| {
                self.is_changed(cause) && !matches!(cause, Because::Default { .. })
            });
            return;
        }
        // None of its lines changed, but others of the same file did: those made the difference, as where a
        // session's account is corrected and the session, asked for all along, can start.
        let files: BTreeSet<&str> =
            because.iter().filter_map(Because::file).map(|file| &**file).collect();
        let of_same_file = files.iter().filter_map(|file| self.by_file.get(file)).flatten();
        let instead = of_same_file.take(GUESSED).map(|option| option.as_cause());
        let instead: Vec<Because> = instead.collect();
        if let Some(Because::FileRemoved { file }) = because.first() {
            // Its file was gone already, with its directory: the directory is what came back.
            let of_file = self.by_file.get(&**file).map_or(&[][..], Vec::as_slice);
            let gone = of_file.iter().any(|option| option.to.is_none());
            let dir = file.split_once('/').and_then(|(dir, _)| self.by_file.get(dir)?.first());
            if let (false, Some(dir)) = (gone, dir) {
                *because = vec![dir.as_cause()];
            }
            return;
        }
        if !instead.is_empty() {
            *because = instead;
        } else if because.iter().any(|cause| cause.place().is_some()) && !self.acting.is_empty() {
            // It is new, so one of the changes made it.
            because.clone_from(&self.acting);
        }
    }
}
