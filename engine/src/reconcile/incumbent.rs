//! What a set of files means to the product that runs on them: the last part of a plan where the engine
//! observes, or serves beside it.

use engine_core::desired::{self, Ground, Lowered, Mode};
use engine_core::ids::{Generation, Moment};
use engine_core::incumbent::behind::{Behind, began_with, behind};
use engine_core::incumbent::{FoundService, Questions, Service};
use engine_core::report::Report;
use engine_core::report::incumbent::{IncumbentPlan, serving};
use engine_core::settings::OptionChange;
use engine_core::site::SiteFiles;

use super::{Reconciler, SiteInForce};
use crate::status::StatusView;

/// What to ask of the product that runs on these files; none where they are no product's.
#[must_use]
pub fn questions(lowered: &Lowered, ground: &Ground) -> Option<Questions> {
    let desired = &lowered.desired;
    let clusters = desired.clusters.iter().map(|(name, spec)| (name.as_str(), &*spec.kind));
    Questions::of(&lowered.settings, clusters, !ground.self_contained, desired.mode)
}

/// What the product has taken up of the files: looked at anew once it or they change.
#[derive(Debug, Default)]
pub(super) struct TakenUp {
    generation: Option<Generation>,
    mains: Vec<FoundService>,
    behind: Vec<Behind>,
}

impl TakenUp {
    /// Puts into a status what was not taken up, in one line each.
    pub(super) fn show(&self, view: &mut StatusView) {
        let Some(incumbent) = &mut view.incumbent else { return };
        for behind in &self.behind {
            let service = behind.service.name();
            let line = |option: &OptionChange| {
                format!("{service}: {} {}", option.as_cause(), option.option)
            };
            incumbent.not_taken_up.extend(behind.options.iter().map(line));
        }
    }
}

impl Reconciler {
    /// Looks for the product before a first set comes into force, so that the report of it knows of the product.
    pub fn look_for_product(&mut self, lowered: &Lowered, now: Moment) {
        if self.in_force.is_none() {
            let questions = questions(lowered, &self.ground);
            self.adapters.incumbent.observe(questions.as_ref(), now);
        }
    }

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
        plan.behind.clone_from(&self.taken_up.behind);
        if let (Some(site), true) = (in_force, plan.observing && !report.options.is_empty()) {
            plan.serving = Some(serving(&site.files, files, &self.ground, observed, now));
        }
        report.incumbent = Some(Box::new(plan));
    }

    /// Finds what the product has not taken up, where it or the files are others than before.
    pub(super) fn hold_product_against_files(&mut self) {
        let found = self.last.as_ref().and_then(|seen| seen.incumbent.present().cloned());
        let mains = found.iter().flat_map(|found| {
            [Service::Server, Service::Launcher]
                .into_iter()
                .filter_map(|service| found.main(service))
        });
        let mains: Vec<FoundService> = mains.cloned().collect();
        let generation = self.in_force.as_ref().map(|site| site.mark.generation);
        if self.taken_up.mains == mains && self.taken_up.generation == generation {
            return;
        }
        let behind = self.behind(&mains);
        self.taken_up = TakenUp { generation, mains, behind };
    }

    /// What the product has not taken up yet, by the generations that the store has.
    fn behind(&self, mains: &[FoundService]) -> Vec<Behind> {
        let (Some(first), Some(site)) = (mains.iter().map(|main| main.since).min(), &self.in_force)
        else {
            return Vec::new();
        };
        if self.desired.mode == Mode::Serve || site.mark.since <= first {
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
        mains.iter().filter_map(of).collect()
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
