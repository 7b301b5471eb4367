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
