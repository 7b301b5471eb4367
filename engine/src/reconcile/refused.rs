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
    /// What it asks for; none = nobody can say what is on disk.
    lowered: Option<Arc<Lowered>>,
    /// The same beside what acts: found out once for each that does.
    beside: Option<(Arc<Lowered>, Arc<RefusedFiles>)>,
}

impl Reconciler {
    /// Says that the files on disk are not in force, and why; `lowered` is what they ask for, if that is known.
    pub fn refuse(&mut self, problems: Vec<String>, lowered: Option<Arc<Lowered>>, now: Moment) {
        self.decided_at = now;
        let told = Refusal { at: now, problems };
        self.refused = Some(Refused { told, lowered, beside: None });
    }

    /// Of what the newest files say otherwise than those that act, if they are refused.
    pub(super) fn refused_files(&mut self) -> Option<Arc<RefusedFiles>> {
        let acts = self.lowered();
        let refused = self.refused.as_mut()?;
        let lowered = refused.lowered.as_ref()?;
        let known = refused.beside.take().filter(|(of, _)| Arc::ptr_eq(of, &acts));
        let (_, files) = refused.beside.insert(known.unwrap_or_else(|| {
            let (of, desired) = (&acts.desired, &lowered.desired);
            let files = RefusedFiles::beside(of, desired, &refused.told.problems);
            (acts, Arc::new(files))
        }));
        Some(Arc::clone(files))
    }
}
