//! What a set of files means to the product that runs on them: the last part of a plan where the engine
//! observes, or serves beside it.

use engine_core::desired::{self, Ground, Lowered};
use engine_core::ids::{Generation, Moment};
use engine_core::incumbent::behind::{Behind, began_with, behind};
use engine_core::incumbent::{FoundService, Questions, Service};
use engine_core::report::Report;
use engine_core::report::incumbent::{IncumbentPlan, serving};
use engine_core::site::SiteFiles;

use super::{Reconciler, SiteInForce};

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
        plan.behind = self.behind(&plan);
        if let (Some(site), true) = (in_force, plan.observing && !report.options.is_empty()) {
            plan.serving = Some(serving(&site.files, files, &self.ground, observed, now));
        }
        report.incumbent = Some(Box::new(plan));
    }

    /// What the product has not taken up yet, by the generations that the store has.
    fn behind(&self, plan: &IncumbentPlan) -> Vec<Behind> {
        let (Some(found), Some(site)) = (plan.found.present(), &self.in_force) else {
            return Vec::new();
        };
        let mains = [Service::Server, Service::Launcher].into_iter();
        let mains: Vec<&FoundService> = mains.filter_map(|service| found.main(service)).collect();
        let Some(first) = mains.iter().map(|main| main.since).min() else { return Vec::new() };
        if site.mark.since <= first {
            return Vec::new();
        }
        let generations = self.generations_back_to(site, first);
        let marks: Vec<_> = generations.iter().map(|(mark, _)| *mark).collect();
        let of = |main: &FoundService| {
            let began = began_with(main.since, &marks)?;
            let (_, files) =
                generations.iter().find(|((generation, _), _)| *generation == began)?;
            let then = desired::lower(files.as_ref()?, &self.ground);
            behind(main, &then.settings, &site.lowered.settings)
        };
        mains.into_iter().filter_map(of).collect()
    }

    /// The generations from the one in force back to the one that was in force at a moment, oldest first;
    /// without files the one in force, and back only as far as they are kept.
    fn generations_back_to(
        &self,
        site: &SiteInForce,
        moment: Moment,
    ) -> Vec<((Generation, Moment), Option<SiteFiles>)> {
        let mut found = vec![((site.mark.generation, site.mark.since), None)];
        let mut at = site.mark.generation.0;
        while at > 1 && found.last().is_some_and(|((_, since), _)| *since > moment) {
            at -= 1;
            let Some(saved) = self.ledger.site_of(Generation(at)) else { break };
            found.push(((Generation(at), saved.mark.since), Some(saved.files)));
        }
        found.reverse();
        found
    }
}
