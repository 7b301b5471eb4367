//! What of a forecast's steps is told to people: one act a resource, worst first. Bookkeeping is not told.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, People};
use crate::desired::Desired;
use crate::forecast::Forecast;
use crate::ids::{GatewayId, Moment};
use crate::observed::Observed;
use crate::plan::{Action, Impact, Mark, Plan, Resource, Step, WaitingOn, told};

/// One act per resource over all rounds, worst first.
pub(super) fn acts(
    forecast: &Forecast,
    people: &People<'_>,
    desired: &Desired,
    observed: &Observed,
) -> Vec<Act> {
    let delayed = delays(forecast);
    let mut acts: BTreeMap<Resource, Act> = BTreeMap::new();
    for round in &forecast.rounds {
        let passed_on = leased(&round.plan);
        for step in &round.plan.steps {
            if matches!(&step.action, Action::Release { gateway, port } if passed_on.contains(&(gateway, *port)))
            {
                continue;
            }
            for (resource, mark, what) in told(step, desired, observed) {
                let whose = people.get(&resource);
                let user = whose.map(|(user, _)| user.to_string());
                let workbench = whose.map(|(_, workbench)| workbench.to_string());
                let workbench = workbench.unwrap_or_default();
                let act = acts.entry(resource.clone()).or_insert_with(|| Act {
                    mark,
                    what: what.clone(),
                    user,
                    workbench,
                    because: Vec::new(),
                    note: None,
                    delayed_until: delayed.get(&resource).copied(),
                    impact: step.impact,
                    steps: Vec::new(),
                    pending: false,
                    resource,
                });
                absorb(act, mark, &what, step);
            }
        }
    }
    for act in acts.values_mut() {
        act.note = match &act.resource {
            Resource::Balancer => super::next::next_session(desired, observed),
            Resource::Node(node) => super::next::node(node, desired, observed),
            Resource::Listener(listener) => super::holds::connected(listener, observed),
            _ => None,
        };
    }
    let mut acts: Vec<Act> = acts.into_values().collect();
    acts.iter_mut().for_each(shorten);
    acts.sort_by(|a, b| a.mark.cmp(&b.mark).then_with(|| a.resource.cmp(&b.resource)));
    acts
}

/// The ports that a plan leases: one that is given back in the same plan passes on.
fn leased(plan: &Plan) -> BTreeSet<(&GatewayId, u16)> {
    let leases = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Lease { gateway, port, .. } => Some((gateway, *port)),
        _ => None,
    });
    leases.collect()
}

/// A gateway's ports are told in one line, of many only the first.
fn shorten(act: &mut Act) {
    const SHOWN: usize = 4;
    if matches!(act.resource, Resource::Gateway(_)) {
        let ports: Vec<&str> = act.what.split(PORTS).collect();
        if ports.len() > SHOWN {
            let shown = ports[..SHOWN].join(PORTS);
            act.what = format!("{shown}{PORTS}and {} more", ports.len() - SHOWN);
        }
    }
}

/// What stands between the ports of one gateway.
const PORTS: &str = ", ";

/// Joins a further step to what is told of its resource.
fn absorb(act: &mut Act, mark: Mark, what: &str, step: &Step) {
    let restarted = matches!((act.mark, mark), (Mark::End, Mark::Start));
    if restarted {
        act.mark = Mark::Restart;
        act.impact = act.impact.max(Impact::Restarted);
    } else if step.impact > act.impact {
        act.mark = mark;
        what.clone_into(&mut act.what);
        act.impact = step.impact;
        // The line speaks of the graver step now, and so do its causes.
        act.because.clear();
    } else if matches!(act.resource, Resource::Gateway(_)) && !act.steps.is_empty() {
        act.what.push_str(PORTS);
        act.what.push_str(what);
    }
    if !restarted && !step.id.starts_with("start/") || act.because.is_empty() {
        for because in &step.because {
            if !act.because.contains(because) {
                act.because.push(because.clone());
            }
        }
    }
    act.steps.push(step.id.clone());
}

/// When harm that waits goes on.
fn delays(forecast: &Forecast) -> BTreeMap<Resource, Moment> {
    let holds = forecast.rounds.iter().flat_map(|round| &round.plan.holds);
    let delayed = holds.filter(|hold| hold.waiting_on == WaitingOn::HarmDelay);
    delayed.filter_map(|hold| Some((hold.resource.clone(), hold.until?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Because, On};
    use crate::report::tests::{act, session};

    fn gateway(ports: usize) -> Act {
        let ports: Vec<String> = (0..ports).map(|n| format!("port 1000{n} -> s{n}")).collect();
        let what = ports.join(PORTS);
        Act { what, ..act(Resource::Gateway("lab".parse().unwrap()), Mark::Change) }
    }

    #[test]
    fn of_a_gateways_ports_four_are_told_and_the_rest_counted() {
        let shortened = |ports| {
            let mut act = gateway(ports);
            shorten(&mut act);
            act.what
        };
        assert_eq!(shortened(4), gateway(4).what);
        assert_eq!(shortened(6), gateway(4).what + ", and 2 more");
        let mut other = Act { resource: session("a"), ..gateway(6) };
        shorten(&mut other);
        assert_eq!(other.what, gateway(6).what);
    }

    fn step(id: &str, impact: Impact, line: u32) -> Step {
        let because = vec![Because::Line { file: "f".into(), line, option: String::new() }];
        let action = Action::Retire { session: "a".parse().unwrap() };
        Step { id: id.to_owned(), on: On::Site, action, after: Vec::new(), because, impact }
    }

    /// What is told of a resource after these steps, each with its mark.
    fn told(resource: Resource, steps: &[(&str, Mark, Impact)]) -> (Mark, Impact, String) {
        let mut all = Act { what: String::new(), ..act(resource, steps[0].1) };
        for ((id, mark, impact), line) in steps.iter().zip(1..) {
            absorb(&mut all, *mark, "more", &step(id, *impact, line));
        }
        let because: Vec<String> = all.because.iter().map(ToString::to_string).collect();
        (all.mark, all.impact, because.join(" "))
    }

    #[test]
    fn the_causes_of_all_steps_are_named_but_those_of_the_start_behind_an_end() {
        let lab = || Resource::Gateway("lab".parse().unwrap());
        let lease = |id| (id, Mark::Change, Impact::None);
        let two = told(lab(), &[lease("lease/lab/1"), lease("lease/lab/2")]);
        assert_eq!(two, (Mark::Change, Impact::None, "f:1 f:2".to_owned()));
        let end = ("end/a#1", Mark::End, Impact::Restarted);
        let start = ("start/a#2", Mark::Start, Impact::None);
        let restart = told(session("a"), &[end, start]);
        assert_eq!(restart, (Mark::Restart, Impact::Restarted, "f:1".to_owned()));
        let graver = told(session("a"), &[start, ("end/a#2", Mark::End, Impact::Ended)]);
        assert_eq!(graver, (Mark::End, Impact::Ended, "f:2".to_owned()));
    }
}
