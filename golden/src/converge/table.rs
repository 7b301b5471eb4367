//! What all scripts together reach: every action with its impact, every hold with what it keeps back,
//! every effect of an option with what follows from it. A cell that can be reached and is not is a
//! case that nobody thought of.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use engine_core::plan::{Action, EndPurpose, Impact, Plan, WaitingOn};
use engine_core::report::Report;
use engine_core::settings::Takes;

/// Cells reached, by table, with the first script that reaches each.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    actions: BTreeSet<(&'static str, Impact)>,
    holds: BTreeSet<(&'static str, Impact)>,
    effects: BTreeSet<(Takes, &'static str)>,
}

/// Every action, an end by what it is for.
const ACTIONS: [&str; 20] = [
    "place",
    "start",
    "end: removed",
    "end: stopped",
    "end: restart",
    "end: never ready",
    "end: superseded",
    "record-end",
    "forget",
    "retire",
    "remember",
    "provide",
    "set-route",
    "drop-route",
    "listen",
    "unlisten",
    "lease",
    "release",
    "lead",
    "balance",
];

/// Every hold.
const HOLDS: [&str; 15] = [
    "draining",
    "in-flight",
    "back-off",
    "budget",
    "unknown",
    "harm-delay",
    "nodes",
    "next-start",
    "idle",
    "window",
    "approval",
    "no-node",
    "problem",
    "pinned",
    "crash-loop",
];

const IMPACTS: [Impact; 7] = [
    Impact::None,
    Impact::NewSessions,
    Impact::RequestsHeld,
    Impact::Suspended,
    Impact::Moved,
    Impact::Restarted,
    Impact::Ended,
];

const EFFECTS: [Takes; 5] =
    [Takes::Live, Takes::NextStart, Takes::SessionRestart, Takes::DaemonRestart, Takes::No];

/// What may follow from a changed option.
const OUTCOMES: [&str; 6] = ["end", "restart", "start", "change", "held", "outdated"];

fn action_of(action: &Action) -> &'static str {
    match action {
        Action::Place { .. } => "place",
        Action::Start(_) => "start",
        Action::End { purpose, .. } => match purpose {
            EndPurpose::Removed => "end: removed",
            EndPurpose::Stopped => "end: stopped",
            EndPurpose::Restart => "end: restart",
            EndPurpose::NeverReady => "end: never ready",
            EndPurpose::Superseded => "end: superseded",
        },
        Action::RecordEnd { .. } => "record-end",
        Action::Forget { .. } => "forget",
        Action::Retire { .. } => "retire",
        Action::Remember { .. } => "remember",
        Action::Provide { .. } => "provide",
        Action::SetRoute(_) => "set-route",
        Action::DropRoute { .. } => "drop-route",
        Action::Listen { .. } => "listen",
        Action::Unlisten { .. } => "unlisten",
        Action::Lease { .. } => "lease",
        Action::Release { .. } => "release",
        Action::Lead { .. } => "lead",
        Action::Balance { .. } => "balance",
    }
}

fn hold_of(on: &WaitingOn) -> &'static str {
    match on {
        WaitingOn::Draining => "draining",
        WaitingOn::InFlight { .. } => "in-flight",
        WaitingOn::BackOff { .. } => "back-off",
        WaitingOn::Budget => "budget",
        WaitingOn::Unknown { .. } => "unknown",
        WaitingOn::HarmDelay => "harm-delay",
        WaitingOn::Nodes { .. } => "nodes",
        WaitingOn::NextStart { .. } => "next-start",
        WaitingOn::Idle => "idle",
        WaitingOn::Window => "window",
        WaitingOn::Approval { .. } => "approval",
        WaitingOn::NoNode => "no-node",
        WaitingOn::Problem { .. } => "problem",
        WaitingOn::Pinned { .. } => "pinned",
        WaitingOn::CrashLoop { .. } => "crash-loop",
    }
}

/// Why an action cannot have an impact, or what is kept back by a hold cannot; none = it can.
fn impossible_action(action: &str, impact: Impact) -> Option<&'static str> {
    match (action, impact) {
        (_, Impact::RequestsHeld | Impact::Suspended | Impact::Moved) => Some("a"),
        ("balance", Impact::NewSessions)
        | ("end: restart", Impact::Restarted)
        | ("end: removed" | "end: stopped", Impact::Ended) => None,
        ("balance" | "end: restart" | "end: removed" | "end: stopped", _) => Some("b"),
        (_, Impact::None) => None,
        _ => Some("c"),
    }
}

fn impossible_hold(hold: &str, impact: Impact) -> Option<&'static str> {
    match (hold, impact) {
        ("approval", Impact::NewSessions) => None,
        ("draining" | "nodes", _) => Some("d"),
        (_, Impact::NewSessions | Impact::RequestsHeld | Impact::Suspended | Impact::Moved) => {
            Some("a")
        }
        ("approval", Impact::None)
        | ("harm-delay" | "approval" | "idle" | "unknown", Impact::Restarted | Impact::Ended)
        | ("window", Impact::Restarted)
        | ("pinned", Impact::None | Impact::Ended) => None,
        ("harm-delay" | "idle" | "window" | "pinned", _) => Some("e"),
        (_, Impact::None) => None,
        _ => Some("f"),
    }
}

fn impossible_effect(effect: Takes, outcome: &str) -> Option<&'static str> {
    match (effect, outcome) {
        (Takes::SessionRestart | Takes::DaemonRestart, _) => Some("g"),
        (Takes::No, _) => Some("h"),
        (Takes::Live, "outdated") | (Takes::NextStart, "end") => Some("i"),
        _ => None,
    }
}

const REASONS: [(&str, &str); 9] = [
    ("a", "sessions are neither suspended nor moved in this version, and no request is held"),
    ("b", "an end and the balancer have one impact each: that of what they are for"),
    ("c", "it hurts nobody and concerns nobody's next session"),
    ("d", "nothing is drained and generations of several nodes do not wait yet"),
    ("e", "such a hold keeps back harm and nothing else; a window keeps back restarts only"),
    ("f", "what it keeps back hurts nobody"),
    ("g", "such an option waits for the engine's next start; nothing in a plan follows from it"),
    ("h", "an option without effect is nobody's cause"),
    ("i", "what is live outdates nothing, and what is for the next start ends nothing"),
];

impl Reached {
    /// Counts a round's plan.
    pub fn plan(&mut self, plan: &Plan) {
        self.actions.extend(plan.steps.iter().map(|s| (action_of(&s.action), s.impact)));
        self.holds.extend(plan.holds.iter().map(|h| (hold_of(&h.waiting_on), h.impact)));
    }

    /// Counts what changed options do.
    pub fn report(&mut self, report: &Report) {
        let acts = report.acts.iter().map(|act| (act.mark.word(), &act.because));
        let held = report.held.iter().map(|held| ("held", &held.hold.because));
        let outdated = report.outdated.iter().map(|outdated| ("outdated", &outdated.because));
        for (outcome, because) in acts.chain(held).chain(outdated) {
            for change in &report.options {
                let caused = because.iter().any(|b| b.place() == Some((&change.file, change.line)));
                if caused {
                    self.effects.insert((change.effect, outcome));
                }
            }
        }
    }

    /// Adds what another script reached.
    pub fn join(&mut self, other: &Reached) {
        self.actions.extend(&other.actions);
        self.holds.extend(&other.holds);
        self.effects.extend(&other.effects);
    }

    /// Cells that can be reached and were not.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for impact in IMPACTS {
            for action in ACTIONS {
                let reached = self.actions.contains(&(action, impact));
                check(
                    &mut missing,
                    action,
                    &format!("{impact:?}"),
                    reached,
                    impossible_action(action, impact),
                );
            }
            for hold in HOLDS {
                let reached = self.holds.contains(&(hold, impact));
                check(
                    &mut missing,
                    hold,
                    &format!("{impact:?}"),
                    reached,
                    impossible_hold(hold, impact),
                );
            }
        }
        for effect in EFFECTS {
            for outcome in OUTCOMES {
                let reached = self.effects.contains(&(effect, outcome));
                check(
                    &mut missing,
                    &effect.to_string(),
                    outcome,
                    reached,
                    impossible_effect(effect, outcome),
                );
            }
        }
        missing
    }

    /// The tables as text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::from(
            "# What the scripts of this directory reach\n\n\
             Written by the runner (`UPDATE_GOLDEN=1`). `x` = some script reaches it; a letter = it\n\
             cannot be, for the reason below; a cell that can be and is not reached fails the test.\n",
        );
        let impacts: Vec<String> = IMPACTS.iter().map(|impact| format!("{impact:?}")).collect();
        out.push_str("\n## Steps: action by impact\n\n");
        head(&mut out, "action", &impacts);
        for action in ACTIONS {
            let cells = IMPACTS.iter().map(|impact| {
                (self.actions.contains(&(action, *impact)), impossible_action(action, *impact))
            });
            row(&mut out, action, cells);
        }
        out.push_str("\n## Holds: what is waited for by the impact of what is kept back\n\n");
        head(&mut out, "hold", &impacts);
        for hold in HOLDS {
            let cells = IMPACTS.iter().map(|impact| {
                (self.holds.contains(&(hold, *impact)), impossible_hold(hold, *impact))
            });
            row(&mut out, hold, cells);
        }
        out.push_str("\n## Changed options: when they take effect by what follows in a plan\n\n");
        let outcomes: Vec<String> = OUTCOMES.iter().map(|o| (*o).to_owned()).collect();
        head(&mut out, "effect", &outcomes);
        for effect in EFFECTS {
            let cells = OUTCOMES.iter().map(|outcome| {
                (self.effects.contains(&(effect, *outcome)), impossible_effect(effect, outcome))
            });
            row(&mut out, &effect.to_string(), cells);
        }
        out.push('\n');
        for (letter, reason) in REASONS {
            let _ = writeln!(out, "- {letter}: {reason}");
        }
        out
    }
}

/// A cell that can be reached must be; one that cannot must not.
fn check(missing: &mut Vec<String>, row: &str, column: &str, reached: bool, why: Option<&str>) {
    match (reached, why) {
        (false, None) => missing.push(format!("{row} x {column}: no script reaches it")),
        (true, Some(_)) => missing.push(format!("{row} x {column}: said to be impossible")),
        _ => {}
    }
}

fn head(out: &mut String, first: &str, columns: &[String]) {
    let _ = writeln!(out, "| {first} | {} |", columns.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(columns.len()));
}

fn row(out: &mut String, name: &str, cells: impl Iterator<Item = (bool, Option<&'static str>)>) {
    let cells: Vec<&str> =
        cells.map(|(reached, why)| if reached { "x" } else { why.unwrap_or("MISSING") }).collect();
    let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
}
