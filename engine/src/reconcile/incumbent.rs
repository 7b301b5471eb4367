//! What a set of files means to the product that runs on them: the last part of a plan where the engine
//! observes, or serves beside it.

use engine_core::desired::{Ground, Lowered};
use engine_core::ids::Moment;
use engine_core::incumbent::Questions;
use engine_core::report::Report;
use engine_core::report::incumbent::{IncumbentPlan, serving};
use engine_core::site::SiteFiles;

use super::Reconciler;

/// What to ask of the product that runs on these files; none where they are no product's.
#[must_use]
pub fn questions(lowered: &Lowered, ground: &Ground) -> Option<Questions> {
    let desired = &lowered.desired;
    let clusters = desired.clusters.iter().map(|(name, spec)| (name.as_str(), &*spec.kind));
    Questions::of(&lowered.settings, clusters, !ground.self_contained, desired.mode)
}

impl Reconciler {
    /// Adds to the report of `files` what they mean to the product, as of the last look at the world.
    pub fn tell_incumbent(
        &self,
        report: &mut Report,
        files: &SiteFiles,
        lowered: &Lowered,
        now: Moment,
    ) {
        let Some(observed) = &self.last else { return };
        let in_force = self.in_force.as_ref();
        let from = in_force.map(|site| &site.lowered.settings);
        let desired = &lowered.desired;
        let Some(mut plan) = IncumbentPlan::new(report, from, &lowered.settings, desired, observed)
        else {
            return;
        };
        if let (Some(site), true) = (in_force, plan.observing && !report.options.is_empty()) {
            plan.serving = Some(serving(&site.files, files, &self.ground, observed, now));
        }
        report.incumbent = Some(Box::new(plan));
    }
}
