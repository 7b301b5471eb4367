//! What people have told: requests and overrides, and the generation that acts whatever newer files say. Decides
//! nothing: the planner says what waits for it.

use std::sync::Arc;

use engine_core::desired::{self, Desired, Lowered, Override, Request};
use engine_core::ids::{Generation, Moment};
use engine_core::observed::InForce;
use engine_core::report::{About, Overridden};

use super::Reconciler;
use crate::saved::SavedSite;

/// A pinned generation.
pub(super) struct Pin {
    generation: Generation,
    /// What it asks for; none = it cannot be read, and nothing is changed.
    lowered: Option<Arc<Lowered>>,
}

impl Reconciler {
    /// What people asked for, as far as it is in force.
    pub(super) fn people(&self, now: Moment) -> (Vec<Request>, Vec<Override>) {
        let overrides = self.ledger.overrides();
        let in_force = overrides.iter().filter(|given| given.in_force(now)).cloned().collect();
        (self.ledger.requests().to_vec(), in_force)
    }

    /// What a report is about, with the commands that hide a line of what acts.
    pub(super) fn overridden(&self, about: &About, now: Moment) -> About {
        let overrides = Overridden::all(self.ledger.overrides(), &self.lowered().origins, now);
        About { overrides, ..about.clone() }
    }

    /// Takes up what the store says of a pin: given, taken away, run out, or there since before the start.
    pub(super) fn follow_pin(&mut self, now: Moment) {
        let wanted = self.ledger.pinned(now);
        // One that could not be read is tried again, and goes when it is taken away.
        let known = self.pin.as_ref().map(|pin| (pin.generation, pin.lowered.is_some()));
        if known != wanted.map(|generation| (generation, true)) {
            self.pin =
                wanted.map(|generation| Pin { generation, lowered: self.lowered_of(generation) });
        }
    }

    /// What a generation that is kept asks for.
    fn lowered_of(&self, generation: Generation) -> Option<Arc<Lowered>> {
        match &self.in_force {
            Some(site) if site.mark.generation == generation => Some(Arc::clone(&site.lowered)),
            _ => {
                let stored = self.ledger.site_of(generation)?;
                let lowered = desired::lower(&stored.files, &self.ground);
                lowered.is_acceptable().then(|| Arc::new(lowered))
            }
        }
    }

    /// What acts because it is pinned.
    pub(super) fn pinned(&self) -> Option<&Arc<Lowered>> {
        self.pin.as_ref()?.lowered.as_ref()
    }

    /// The files that act because they are pinned, as they are recorded.
    pub(super) fn pinned_files(&self) -> Option<SavedSite> {
        let pin = self.pin.as_ref().filter(|pin| pin.lowered.is_some())?;
        let stored = self.ledger.site_of(pin.generation)?;
        Some(SavedSite::from(&stored.files))
    }

    /// What is wrong with the pin, if something is.
    pub(super) fn pin_problem(&self) -> Option<String> {
        let pin = self.pin.as_ref().filter(|pin| pin.lowered.is_none())?;
        Some(format!(
            "generation {} is pinned and cannot be read: nothing is changed before `wharf history unpin`",
            pin.generation
        ))
    }

    /// The set in force, with the generation that acts where that is another one.
    pub(super) fn mark(&self) -> InForce {
        let mut mark = self.in_force.as_ref().map(|site| site.mark.clone()).unwrap_or_default();
        let pinned = self.pin.as_ref().filter(|pin| pin.lowered.is_some());
        if let Some(pin) = pinned.filter(|pin| pin.generation != mark.generation) {
            mark.acting = Some(pin.generation);
        }
        mark
    }

    /// What the files that act ask for, without anybody's word.
    #[must_use]
    pub fn files_ask(&self) -> Desired {
        self.lowered().desired.clone()
    }

    /// Whether a generation is kept and can act.
    #[must_use]
    pub fn can_pin(&self, generation: Generation) -> bool {
        self.lowered_of(generation).is_some()
    }
}
