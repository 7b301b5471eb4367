//! One round's plan, step by step: what logs, recorded rounds and golden scripts show.

use std::fmt::Write as _;

use super::waiting;
use super::words::until;
use crate::ids::Moment;
use crate::plan::{Because, Hold, HoldKind, Impact, On, Plan, Step};

/// Writes a round's plan, a line a step and a line a hold.
#[must_use]
pub fn steps(plan: &Plan, when: &dyn Fn(Moment) -> String) -> String {
    let mut out = String::new();
    if plan.steps.is_empty() && plan.holds.is_empty() {
        out.push_str("nothing to do\n");
    }
    for step in &plan.steps {
        step_line(&mut out, step);
    }
    for hold in &plan.holds {
        hold_line(&mut out, hold, when);
    }
    out
}

fn step_line(out: &mut String, step: &Step) {
    let on = match &step.on {
        On::Node(node) => node.to_string(),
        On::Site => "site".to_owned(),
    };
    let impact = impact(step.impact);
    let _ = writeln!(out, "step  {} on {on}{impact}   because {}", step.id, causes(&step.because));
}

fn hold_line(out: &mut String, hold: &Hold, when: &dyn Fn(Moment) -> String) {
    let until = until(hold, when);
    let kind = match hold.kind() {
        HoldKind::Passing => "hold ",
        HoldKind::Standing => "stand",
    };
    let _ = writeln!(
        out,
        "{kind} {} {}: {}{until}{}   because {}",
        hold.resource,
        hold.wanted,
        waiting(&hold.waiting_on),
        impact(hold.impact),
        causes(&hold.because)
    );
}

fn impact(impact: Impact) -> String {
    match impact {
        Impact::None => String::new(),
        impact => format!("   {impact:?}"),
    }
}

/// Causes as people read them, each once: several fields may stand in one line.
#[must_use]
pub fn places(because: &[Because]) -> Vec<String> {
    let mut places: Vec<String> = because.iter().map(ToString::to_string).collect();
    places.dedup();
    places
}

fn causes(because: &[Because]) -> String {
    places(because).join(", ")
}
