//! What files would do: asked, and not done.

use engine_core::desired::{self, Lowered};
use engine_core::forecast;
use engine_core::ids::{Moment, SiteDigest};
use engine_core::observed::Observed;
use engine_core::planner::{self, Input};
use engine_core::report::{About, Report};

use super::Reconciler;
use crate::observe;

impl Reconciler {
    /// What a set of files would do, compared with the one in force: what `wharf plan` prints.
    pub fn report(
        &mut self,
        digest: SiteDigest,
        lowered: &Lowered,
        about: &About,
        warnings: Vec<String>,
        now: Moment,
    ) -> Report {
        let mut observed = self.look(now);
        // The files in force may not speak yet of the accounts and workbenches that the new ones ask for.
        let mut spoken_of = self.spoken_of.clone();
        spoken_of.follow(&lowered.desired);
        observe::look_around(
            &mut observed,
            &mut *self.adapters.accounts,
            &mut *self.adapters.workbenches,
            (&lowered.desired, &spoken_of),
            now,
        );
        observe::look_at_port(&mut observed, &mut *self.adapters.routes, &lowered.desired, now);
        let (requests, overrides) = self.people(now);
        let (newest, acts) = (self.newest(), self.lowered());
        let about = self.overridden(about, now);
        let report_of = |lowered: &Lowered, observed: &Observed, options, warnings| {
            let desired = desired::merge(lowered.desired.clone(), &requests, &overrides, now);
            let origins = &lowered.origins;
            let forecast = forecast::forecast_after(&desired, origins, observed, now, &self.kept);
            Report::new(about.clone(), options, &desired, observed, &forecast, warnings)
        };
        // What happens without the new files just the same is not theirs.
        let without = (self.in_force.is_some() && !self.rests(&acts, &observed, now))
            .then(|| report_of(&acts, &observed, Vec::new(), Vec::new()));
        // What is planned for is taken as in force: so an engine without any set can plan its first, what was
        // approved of another is not approved of it, and what is refused on disk does not matter to it.
        observed.in_force.digest = Some(digest);
        observed.refused_files = None;
        let options = newest.settings.changes(&lowered.settings);
        let mut lowered = lowered.clone();
        lowered.origins.follow(&newest.origins);
        let would_act = match self.pinned() {
            Some(pinned) => Lowered::clone(pinned),
            None => desired::act_on(&self.acted().lowered, &lowered),
        };
        let report = report_of(&would_act, &observed, options, warnings);
        match without {
            Some(without) => report.compared_with(&without),
            None => report,
        }
    }

    /// Whether nothing is to be done and nothing waits, with what is asked for already.
    fn rests(&self, acts: &Lowered, observed: &Observed, now: Moment) -> bool {
        let (requests, overrides) = self.people(now);
        let desired = desired::merge(acts.desired.clone(), &requests, &overrides, now);
        let input = Input { desired: &desired, origins: &acts.origins, observed, now };
        let plan = planner::plan_after(&input, &mut self.kept.clone());
        plan.steps.is_empty() && plan.holds.is_empty()
    }
}
