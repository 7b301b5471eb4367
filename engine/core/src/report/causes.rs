//! Why: of the lines behind a thing those that a plan changes, and what would be so without it.
//!
//! A thing that happens, or waits, without the new files just the same is *pending*: it is shown, and not
//! counted as theirs (product.md §6). Of the lines behind a new thing only those are printed that the
//! files changed, so that each cause printed is among the changes printed.

use super::{Held, Report};
use crate::plan::Because;
use crate::settings::{OptionChange, Takes};

impl Report {
    /// Marks what is in `before`, the report of the files in force for the same world, as pending.
    #[must_use]
    pub fn compared_with(mut self, before: &Report) -> Self {
        for act in &mut self.acts {
            let same = before.acts.iter().find(|other| {
                (&other.resource, other.mark, &other.what) == (&act.resource, act.mark, &act.what)
            });
            if let Some(same) = same {
                act.pending = true;
                act.because.clone_from(&same.because);
            }
        }
        for held in &mut self.held {
            if let Some(same) = before.held.iter().find(|other| same_wait(other, held)) {
                held.pending = true;
                held.hold.because.clone_from(&same.hold.because);
            }
        }
        for outdated in &mut self.outdated {
            let same = before.outdated.iter().find(|other| {
                (&other.session, &other.differs) == (&outdated.session, &outdated.differs)
            });
            if let Some(same) = same {
                outdated.pending = true;
                outdated.because.clone_from(&same.because);
            }
        }
        self
    }

    /// Leaves of the causes of each thing those lines that the files changed.
    pub(super) fn name_changed_lines(&mut self) {
        let acts = self.acts.iter_mut().map(|act| &mut act.because);
        let held = self.held.iter_mut().map(|held| &mut held.hold.because);
        let outdated = self.outdated.iter_mut().map(|o| &mut o.because);
        for because in acts.chain(held).chain(outdated) {
            changed_lines(because, &self.options);
        }
    }
}

/// Whether the same thing waits for the same.
fn same_wait(a: &Held, b: &Held) -> bool {
    a.hold.resource == b.hold.resource
        && a.hold.waiting_on == b.hold.waiting_on
        && a.hold.wanted == b.hold.wanted
}

fn changed_lines(because: &mut Vec<Because>, options: &[OptionChange]) {
    let changed = |cause: &Because| match cause.place() {
        Some((file, line)) => options.iter().any(|o| o.file == *file && o.line == line),
        None => true,
    };
    let names_a_change = |cause: &Because| cause.place().is_some() && changed(cause);
    if because.iter().any(names_a_change) {
        because.retain(|cause| changed(cause) && !matches!(cause, Because::Default { .. }));
        return;
    }
    // None of its lines changed, but others of the same file did: those made the difference, as where a
    // session's account is corrected and the session, asked for all along, can start.
    let files: Vec<_> = because.iter().filter_map(Because::file).cloned().collect();
    let of_same_file = options.iter().filter(|option| files.contains(&option.file));
    let instead: Vec<Because> = of_same_file.map(OptionChange::as_cause).collect();
    if let Some(Because::FileRemoved { file }) = because.first() {
        // Its file was gone already, with its directory: the directory is what came back.
        let gone = options.iter().any(|o| o.file == *file && o.to.is_none());
        let dir = file.split_once('/').map(|(dir, _)| dir);
        let dir = options.iter().find(|o| Some(&*o.file) == dir);
        if let (false, Some(dir)) = (gone, dir) {
            *because = vec![dir.as_cause()];
        }
        return;
    }
    if !instead.is_empty() {
        *because = instead;
    } else if because.iter().any(|cause| cause.place().is_some()) {
        // It is new, so one of the changes made it: the mode, if that is one of them, else all that act.
        let acting =
            |o: &&OptionChange| o.effect != Takes::No && o.line > 0 && !o.option.is_empty();
        let mode: Vec<_> = options.iter().filter(|o| &*o.option == "mode").collect();
        let some = if mode.is_empty() { options.iter().filter(acting).collect() } else { mode };
        if !some.is_empty() {
            *because = some.into_iter().map(OptionChange::as_cause).collect();
        }
    }
}
