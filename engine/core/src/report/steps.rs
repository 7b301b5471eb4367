//! The steps of a forecast by their ids: the words in which the log, `apply` and `history show` tell of them once taken.
//!
//! All of them, bookkeeping too, so that a plan can be held against what was done. What they mean to people is
//! told by [`super::Act`].

use std::collections::BTreeSet;

use serde::Serialize;

use crate::forecast::Forecast;
use crate::plan::{Impact, On};

/// A step that is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// Its id, as [`crate::plan::Step`] has it.
    pub id: String,
    /// Who carries it out: a node's name, or `site`.
    pub on: String,
    /// What it does to people.
    pub impact: Impact,
    /// In which of the forecast's rounds it comes first, from 1; steps of one round go together.
    pub round: usize,
    /// Whether it is taken without the new files, too.
    pub pending: bool,
}

/// Each step of a forecast once, in the order in which they come.
pub(super) fn steps(forecast: &Forecast) -> Vec<PlannedStep> {
    let mut told = BTreeSet::new();
    let mut steps = Vec::new();
    let acting = forecast.rounds.iter().filter(|round| !round.plan.steps.is_empty());
    for (round, planned) in (1..).zip(acting) {
        for step in &planned.plan.steps {
            // A route is set while a session starts and once it answers: the same step, twice.
            if told.insert(step.id.as_str()) {
                let on = match &step.on {
                    On::Node(node) => node.to_string(),
                    On::Site => "site".to_owned(),
                };
                let (id, impact) = (step.id.clone(), step.impact);
                steps.push(PlannedStep { id, on, impact, round, pending: false });
            }
        }
    }
    steps
}

/// Marks those of `steps` that are in `before`, the steps of the files in force for the same world.
pub(super) fn mark_pending(steps: &mut [PlannedStep], before: &[PlannedStep]) {
    let before: BTreeSet<&str> = before.iter().map(|step| step.id.as_str()).collect();
    for step in steps {
        step.pending = before.contains(step.id.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Round;
    use crate::ids::Moment;
    use crate::observed::Observed;
    use crate::plan::{Action, Plan, Step};

    fn round(ids: &[&str]) -> Round {
        let step = |id: &&str| Step {
            id: (*id).to_owned(),
            on: On::Site,
            action: Action::Retire { session: "a".parse().unwrap() },
            after: Vec::new(),
            because: Vec::new(),
            impact: Impact::None,
        };
        let plan = Plan { steps: ids.iter().map(step).collect(), ..Plan::default() };
        Round { at: Moment(0), plan }
    }

    fn planned(rounds: &[&[&str]]) -> Vec<PlannedStep> {
        let rounds = rounds.iter().map(|ids| round(ids)).collect();
        let world = Observed::empty("n1".parse().unwrap());
        steps(&Forecast { rounds, world, arrived: true })
    }

    #[test]
    fn each_step_is_told_once_in_the_round_in_which_it_comes_first() {
        let told = planned(&[&["start/a#1", "route/a#1"], &[], &["route/a#1", "end/b#1"], &[]]);
        let told: Vec<(&str, usize)> = told.iter().map(|of| (of.id.as_str(), of.round)).collect();
        // A round in which time passes and nothing is done is none.
        assert_eq!(told, [("start/a#1", 1), ("route/a#1", 1), ("end/b#1", 2)]);
    }

    #[test]
    fn a_step_that_is_taken_anyway_is_pending() {
        let mut told = planned(&[&["start/a#1", "end/b#1"]]);
        mark_pending(&mut told, &planned(&[&["end/b#1", "balance"]]));
        let pending: Vec<bool> = told.iter().map(|of| of.pending).collect();
        assert_eq!(pending, [false, true]);
    }
}
