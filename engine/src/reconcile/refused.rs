//! The newest files where they are refused: not in force, and heard all the same where those in force would hurt somebody.
//! Decides nothing: `desired::RefusedFiles` says of what they differ, and the planner what waits for it.

use std::sync::Arc;

use engine_core::desired::{Lowered, RefusedFiles};
use engine_core::ids::Moment;

use super::Reconciler;
use crate::status::Refusal;

/// A set of files that was refused.
pub(super) struct Refused {
    /// What people are told.
    pub(super) told: Refusal,
    /// What it asks for.
    lowered: Arc<Lowered>,
    /// The same beside what acts: found out once for each that does.
    beside: Option<(Arc<Lowered>, Arc<RefusedFiles>)>,
}

impl Reconciler {
    /// Says that the files on disk are not in force, and why; `lowered` is what they ask for.
    pub fn refuse(&mut self, problems: Vec<String>, lowered: Arc<Lowered>, now: Moment) {
        self.decided_at = now;
        let told = Refusal { at: now, problems };
        self.refused = Some(Refused { told, lowered, beside: None });
    }

    /// Says that nobody knows what the files on disk say, and why, until [`Reconciler::newer_files`] knows better.
    /// Files that were refused before are no less refused.
    pub fn files_unknown(&mut self, problems: Vec<String>, now: Moment) {
        self.decided_at = now;
        self.unknown = Some(Refusal { at: now, problems });
    }

    /// Why the files on disk are not in force, as people are told.
    pub(super) fn told_refusal(&self) -> Option<&Refusal> {
        self.unknown.as_ref().or(self.refused.as_ref().map(|refused| &refused.told))
    }

    /// Of what the newest files say otherwise than those that act, if they are refused.
    pub(super) fn refused_files(&mut self) -> Option<Arc<RefusedFiles>> {
        let acts = self.lowered();
        let refused = self.refused.as_mut()?;
        let lowered = &refused.lowered;
        let known = refused.beside.take().filter(|(of, _)| Arc::ptr_eq(of, &acts));
        let (_, files) = refused.beside.insert(known.unwrap_or_else(|| {
            let (of, desired) = (&acts.desired, &lowered.desired);
            let files = RefusedFiles::beside(of, desired, &refused.told.problems);
            (acts, Arc::new(files))
        }));
        Some(Arc::clone(files))
    }
}
