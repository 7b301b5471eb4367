//! What a person has approved, and what acts until then. Decides nothing: `approval` and `desired::act_on` do.

use std::sync::Arc;

use engine_core::approval::{self, Matter};
use engine_core::desired::{self, Lowered};
use engine_core::forecast;
use engine_core::ids::{Generation, Moment};
use engine_core::observed::Observed;
use engine_core::plan::{Hold, Plan};
use engine_core::planner::{self, Input};
use engine_core::report::{About, Report};
use engine_core::site::SiteFiles;

use super::Reconciler;

/// The files that act while the set in force waits for a person.
pub(super) struct Acting {
    /// Theirs.
    generation: Generation,
    /// The files; none = nothing was ever approved.
    pub(super) files: Option<Arc<SiteFiles>>,
    /// What they ask for.
    pub(super) lowered: Arc<Lowered>,
    /// The same, with what waits beside it.
    pub(super) with_waiting: Arc<Lowered>,
}

/// What came of an approval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// What goes on.
    pub let_go: Vec<Hold>,
    /// What does not, because the plan that was approved does not have it; then nothing goes on.
    pub new: Vec<Hold>,
}

impl Reconciler {
    /// Lets go what waits for harm-delay or approval; `saved` is what another plan for the same files had,
    /// none = everything that waits now. With `dry_run` nothing is changed.
    ///
    /// # Errors
    /// Nothing is in force, or the store cannot be written.
    pub fn apply(
        &mut self,
        saved: Option<&[Matter]>,
        dry_run: bool,
        now: Moment,
    ) -> Result<Applied, String> {
        let site = self.in_force.as_ref().ok_or("nothing is in force yet")?;
        let (digest, generation) = (site.mark.digest, site.mark.generation);
        if self.acting.is_some() && self.pinned().is_some() {
            // What would be approved with it is nothing that anybody was shown.
            return Err("a generation is pinned: `wharf history unpin` comes first".to_owned());
        }
        let (observed, plan) = self.plan_now(now);
        let given = match approval::approve(&plan, digest, generation, saved) {
            Ok(given) => given,
            Err(new) => return Ok(Applied { new, ..Applied::default() }),
        };
        let let_go: Vec<Hold> = approval::awaiting(&plan).cloned().collect();
        if !dry_run && !let_go.is_empty() {
            let given = given.of_starts(|session| observed.newest_start(session));
            self.ledger.put_approval(given).map_err(|error| crate::chain(&error))?;
            self.follow_approval();
        }
        Ok(Applied { let_go, new: Vec::new() })
    }

    /// What waits and drifts of the set in force: what `wharf plan --pending` prints.
    pub fn pending(&mut self, about: &About, now: Moment) -> Report {
        let observed = self.look(now);
        let lowered = self.lowered();
        let (desired, origins) = (&self.desired, &lowered.origins);
        let ahead = forecast::forecast_after(desired, origins, &observed, now, &self.kept);
        let none = Vec::new();
        let about = self.overridden(about, now);
        let report = Report::new(about, none, &self.desired, &observed, &ahead, Vec::new());
        report.of_what_is_pending()
    }

    /// The world as the last round found it.
    #[must_use]
    pub fn last_seen(&self) -> Option<&Observed> {
        self.last.as_ref()
    }

    /// Lets the set in force act once it is approved: here, by another node, or by a write that was said to
    /// have failed. That it acts is stored with it, before its first step: the approval may be lost.
    pub(super) fn follow_approval(&mut self) {
        let approved = self.ledger.approval();
        let newest = self.in_force.as_mut().filter(|site| approved.is_of(site.mark.digest));
        if let (Some(site), true) = (newest, self.acting.is_some()) {
            (site.mark.acting, site.saved) = (None, false);
            self.acting = None;
            self.save_if_unsaved();
        }
    }

    /// What a round would decide now.
    fn plan_now(&mut self, now: Moment) -> (Observed, Plan) {
        let observed = self.look(now);
        let lowered = self.lowered();
        let (desired, origins) = (&self.desired, &lowered.origins);
        let input = Input { desired, origins, observed: &observed, now };
        let plan = planner::plan_after(&input, &mut self.kept.clone());
        (observed, plan)
    }

    /// What acts by itself, without what waits for a person.
    pub(super) fn acted(&self) -> Acting {
        let of = |generation, files, lowered: &Arc<Lowered>| Acting {
            generation,
            files,
            lowered: Arc::clone(lowered),
            with_waiting: Arc::clone(lowered),
        };
        match (&self.acting, &self.in_force) {
            (Some(acting), _) => of(acting.generation, acting.files.clone(), &acting.lowered),
            (None, Some(site)) => {
                of(site.mark.generation, Some(Arc::clone(&site.files)), &site.lowered)
            }
            (None, None) => of(Generation(0), None, &Arc::default()),
        }
    }

    /// Lets what acted so far go on acting, if the set that has come into force waits for a person.
    pub(super) fn wait_for_approval(&mut self, acted: Acting) {
        let newest = self.newest();
        let waits = desired::waits(&acted.lowered.desired, &newest.desired);
        let Some(site) = &mut self.in_force else { return };
        site.mark.acting = waits.then_some(acted.generation);
        self.acting = waits.then(|| Acting {
            with_waiting: Arc::new(desired::act_on(&acted.lowered, &newest)),
            ..acted
        });
    }

    /// Finds out what acts, after a restart.
    pub(super) fn resume_acting(&mut self) {
        let acting = self.in_force.as_ref().and_then(|site| site.mark.acting);
        let Some(generation) = acting else { return };
        // Without it nothing acts: what was never approved, or cannot be read any more, is not guessed.
        let stored = self.ledger.site_of(generation);
        let lowered = stored.as_ref().map(|saved| desired::lower(&saved.files, &self.ground));
        let lowered = Arc::new(lowered.unwrap_or_default());
        let acted = Acting {
            generation,
            files: stored.map(|saved| Arc::new(saved.files)),
            with_waiting: Arc::clone(&lowered),
            lowered,
        };
        self.wait_for_approval(acted);
        self.follow_approval();
    }
}
