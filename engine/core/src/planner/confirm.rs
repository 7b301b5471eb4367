//! Phase: what the newest files would change while they wait for a person (`apply = "confirm"`).
//!
//! Until `wharf apply` the files approved last go on acting: what crashed is started again, what was never
//! bound is bound. What the newest ones would do beside that is held, each thing with its cause. Plans them
//! with the same function and carries none of it out. Read next: [`crate::desired::act_on`].

use std::collections::BTreeSet;

use super::harm::ASKS;
use super::{Input, plan};
use crate::plan::{Because, Hold, Impact, Mark, Plan, Resource, WaitingOn, told};

/// Adds the holds of what waits for approval to a plan of what acts.
pub(super) fn hold_back(input: &Input<'_>, plan: &mut Plan) {
    let (Some(newest), Some(origins)) = (&input.desired.waiting, &input.origins.waiting) else {
        return;
    };
    let newest = Input { desired: newest, origins, ..*input };
    let ahead = self::plan(&newest);
    let mut held = Held::of(input, plan);
    for step in &ahead.steps {
        for (resource, _, what) in told(step, newest.desired, input.observed) {
            held.add(plan, approval(resource, what, step.impact, step.because.clone()));
        }
    }
    for hold in ahead.holds {
        if stays(&hold) {
            held.add(plan, hold);
        } else if !matches!(hold.waiting_on, WaitingOn::InFlight { .. }) {
            // What is under way is looked at again when it is done.
            held.add(plan, approval(hold.resource, hold.wanted, hold.impact, hold.because));
        }
    }
    if !held.any {
        // What is changed touches nothing that is there, and waits all the same.
        let because = origins.because("policy/apply", "policy.apply");
        let wanted = "another generation of files acts".to_owned();
        plan.holds.push(approval(Resource::Site, wanted, Impact::None, because));
    }
}

/// Whether a hold says that nothing is done about a thing, whatever is approved.
fn stays(hold: &Hold) -> bool {
    let nobody_knows = matches!(
        hold.waiting_on,
        WaitingOn::Unknown { .. } | WaitingOn::Problem { .. } | WaitingOn::Pinned { .. }
    );
    nobody_knows && hold.impact == Impact::None && hold.mark() == Mark::Change
}

fn approval(resource: Resource, wanted: String, impact: Impact, because: Vec<Because>) -> Hold {
    let waiting_on = WaitingOn::Approval { reason: ASKS.to_owned() };
    Hold { resource, waiting_on, because, until: None, impact, wanted }
}

/// What happens or waits anyway: it does not wait for approval, too.
struct Held {
    words: BTreeSet<(Resource, String)>,
    any: bool,
}

impl Held {
    fn of(input: &Input<'_>, plan: &Plan) -> Self {
        let steps = plan.steps.iter().flat_map(|step| told(step, input.desired, input.observed));
        let holds = plan.holds.iter().map(|hold| (hold.resource.clone(), hold.wanted.clone()));
        let words = steps.map(|(resource, _, what)| (resource, what)).chain(holds).collect();
        Held { words, any: false }
    }

    /// Holds it, unless the same happens or waits without it.
    fn add(&mut self, plan: &mut Plan, hold: Hold) {
        if self.words.insert((hold.resource.clone(), hold.wanted.clone())) {
            self.any |= matches!(hold.waiting_on, WaitingOn::Approval { .. });
            plan.holds.push(hold);
        }
    }
}
