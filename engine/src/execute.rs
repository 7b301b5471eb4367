//! Carries a plan out, step by step, and reports each outcome. Decides nothing and never retries: the
//! next round is the retry.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::desired::Desired;
use engine_core::ids::{Moment, NodeId};
use engine_core::observed::Observed;
use engine_core::plan::{Action, On, Plan, Step};
use engine_core::predict;

use crate::boundary;
use crate::ledger::{Ledger, Write};
use crate::ports::{Launcher, Routes, Secrets, StoreError, Workbenches};

/// The ports that steps act on.
pub struct Hands<'a> {
    /// Launchers by the type of their clusters.
    pub launchers: &'a mut BTreeMap<String, Box<dyn Launcher>>,
    /// The proxy.
    pub routes: &'a mut dyn Routes,
    /// Workbenches.
    pub workbenches: &'a mut dyn Workbenches,
    /// The store's records.
    pub ledger: &'a mut Ledger,
    /// Texts of secrets.
    pub secrets: &'a Secrets,
    /// What is asked for: types of clusters, sources of workbenches.
    pub desired: &'a Desired,
    /// The world that the plan was made for.
    pub observed: &'a Observed,
    /// This node.
    pub node: NodeId,
    /// Whether this node holds the site's lease.
    pub site: bool,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The step's id.
    pub step: String,
    /// Why it failed; none = it was done.
    pub error: Option<String>,
}

/// Whether a step is this node's to take.
#[must_use]
pub fn is_ours(step: &Step, node: &NodeId, site: bool) -> bool {
    match &step.on {
        On::Node(on) => on == node,
        On::Site => site,
    }
}

/// Carries out every step that is this node's; those that come after a failed one are left out and reported as such.
///
/// In waves: all steps whose `after` are over. What the steps of a wave have to write down first is written as one
/// group, with one flush of the store, and then they act in the order of the plan.
pub fn execute(plan: &Plan, hands: &mut Hands<'_>, now: Moment) -> Vec<Outcome> {
    let mut over: BTreeMap<&str, Result<(), String>> = BTreeMap::new();
    let ours = |step: &&Step| is_ours(step, &hands.node, hands.site);
    let mut left: Vec<&Step> = plan.steps.iter().filter(ours).collect();
    let order: Vec<&str> = left.iter().map(|step| step.id.as_str()).collect();
    while !left.is_empty() {
        let (wave, later) = next_wave(left);
        let (out, wave): (Vec<&Step>, Vec<&Step>) =
            wave.into_iter().partition(|step| failed_before(step, &over).is_some());
        for step in out {
            let before = failed_before(step, &over).unwrap_or_default();
            let left_out = Err(format!("left out, since {before} failed"));
            over.insert(&step.id, left_out);
        }
        left = take(&wave, hands, now, &mut over);
        left.extend(later);
    }
    let outcome = |id: &str| {
        let error = over.remove(id).and_then(Result::err);
        Outcome { step: id.to_owned(), error }
    };
    order.into_iter().map(outcome).collect()
}

/// The steps that wait for no other of them, and the rest. A plan is in an order in which it can be taken.
fn next_wave(left: Vec<&Step>) -> (Vec<&Step>, Vec<&Step>) {
    let waited_for: BTreeSet<&str> = left.iter().map(|step| step.id.as_str()).collect();
    let waits = |step: &Step| step.after.iter().any(|before| waited_for.contains(before.as_str()));
    let (wave, later): (Vec<&Step>, Vec<&Step>) = left.into_iter().partition(|step| !waits(step));
    if wave.is_empty() { (later, wave) } else { (wave, later) }
}

fn failed_before<'a>(step: &'a Step, over: &BTreeMap<&str, Result<(), String>>) -> Option<&'a str> {
    let failed = |before: &&String| over.get(before.as_str()).is_some_and(Result::is_err);
    step.after.iter().find(failed).map(String::as_str)
}

/// Takes the steps of a wave: first what they write, then what they do. Given back are those whose write begins
/// from a record that another step of the wave writes: theirs has to be made from what is there then.
fn take<'a>(
    wave: &[&'a Step],
    hands: &mut Hands<'_>,
    now: Moment,
    over: &mut BTreeMap<&'a str, Result<(), String>>,
) -> Vec<&'a Step> {
    let (mut writes, mut writers) = (Vec::new(), Vec::new());
    let (mut written, mut again) = (BTreeSet::new(), BTreeMap::new());
    for step in wave {
        match write_first(step, hands, now) {
            None => {}
            Some(Ok(write)) if write.begins_from().any(|key| written.contains(key)) => {
                again.insert(step.id.as_str(), *step);
            }
            Some(Ok(write)) => {
                written.extend(write.records().map(str::to_owned));
                writes.push(write);
                writers.push(step.id.as_str());
            }
            Some(Err(error)) => drop(over.insert(&step.id, Err(crate::chain(&error)))),
        }
    }
    if !writes.is_empty() {
        let results = hands.ledger.write(writes);
        let failed = writers
            .into_iter()
            .zip(results)
            .filter_map(|(id, result)| Some((id, Err(crate::chain(&result.err()?)))));
        over.extend(failed);
    }
    for step in wave {
        let id = step.id.as_str();
        if !over.contains_key(id) && !again.contains_key(id) {
            let kind = step.id.split('/').next().unwrap_or_default();
            boundary::reached("before", kind);
            let result = carry_out(step, hands, now);
            boundary::reached("after", kind);
            over.insert(&step.id, result);
        }
    }
    wave.iter().filter_map(|step| again.remove(step.id.as_str())).collect()
}

/// What a step has to have written down before it acts.
fn write_first(step: &Step, hands: &Hands<'_>, now: Moment) -> Option<Result<Write, StoreError>> {
    let ledger = &hands.ledger;
    Some(match &step.action {
        Action::Place { incarnation, node } => ledger.placing(incarnation, node, now),
        Action::RecordEnd { session, end } => ledger.failing(session, end.clone()),
        // An exit that is removed before it is recorded would be lost.
        Action::Forget { incarnation, end } => ledger.ending(incarnation, end.clone()),
        Action::Retire { session } => Ok(ledger.retiring(session)),
        Action::Remember { session, terms } => ledger.remembering(session, terms),
        Action::Lease { gateway, port, session } => ledger.leasing(gateway, *port, session),
        Action::Release { gateway, port } => Ok(ledger.releasing(gateway, *port)),
        // A crash between the two counts one too many, never too few.
        Action::End { .. } => ledger.harming(predict::counted_harm(hands.observed, step)?, now),
        Action::Start(_)
        | Action::Provide { .. }
        | Action::SetRoute(_)
        | Action::DropRoute { .. }
        | Action::Listen { .. }
        | Action::Unlisten { .. }
        | Action::Lead { .. }
        | Action::Balance { .. } => return None,
    })
}

/// What a step does once it is written down.
fn carry_out(step: &Step, hands: &mut Hands<'_>, now: Moment) -> Result<(), String> {
    match &step.action {
        Action::Place { .. }
        | Action::RecordEnd { .. }
        | Action::Retire { .. }
        | Action::Remember { .. }
        | Action::Lease { .. }
        | Action::Release { .. } => Ok(()),
        Action::Start(order) => {
            let secrets = hands.secrets;
            let launcher = launcher(hands, order.launch.cluster.as_str())?;
            launcher.start(order, secrets, now).map_err(|e| crate::chain(&e))
        }
        Action::End { incarnation, stop, .. } => {
            let told = hands.launchers.values_mut().map(|l| l.end(incarnation, stop, now));
            any(told)
        }
        Action::Forget { incarnation, .. } => {
            let forgotten = hands.launchers.values_mut().map(|l| l.forget(incarnation));
            any(forgotten)
        }
        Action::Provide { workbench } => {
            let spec = hands.desired.workbenches.get(workbench).cloned().unwrap_or_default();
            hands.workbenches.provide(workbench, &spec)
        }
        Action::SetRoute(route) => {
            hands.routes.set_route(route);
            Ok(())
        }
        Action::DropRoute { session } => {
            hands.routes.drop_route(session);
            Ok(())
        }
        Action::Listen { listener, address } => {
            hands.routes.listen(listener, address, now).map_err(|refusal| refusal.reason)
        }
        Action::Unlisten { listener } => {
            hands.routes.unlisten(listener);
            Ok(())
        }
        Action::Lead { gateway, port, session } => {
            hands.routes.lead(gateway, *port, session.as_ref());
            Ok(())
        }
        Action::Balance { method, weights } => {
            hands.routes.balance(*method, weights);
            Ok(())
        }
    }
}

fn launcher<'a>(
    hands: &'a mut Hands<'_>,
    cluster: &str,
) -> Result<&'a mut Box<dyn Launcher>, String> {
    let of = |spec: &engine_core::desired::ClusterSpec| spec.kind.clone();
    let found = hands.desired.clusters.iter().find(|(name, _)| name.as_str() == cluster);
    let kind = found.map(|(_, spec)| of(spec)).ok_or_else(|| format!("no cluster `{cluster}`"))?;
    hands.launchers.get_mut(&kind).ok_or_else(|| format!("no launcher for type {kind}"))
}

/// Done if any launcher did it; the first error otherwise.
fn any(results: impl Iterator<Item = Result<(), crate::ports::LaunchError>>) -> Result<(), String> {
    let mut first = None;
    for result in results {
        match result {
            Ok(()) => return Ok(()),
            Err(error) => {
                first.get_or_insert_with(|| crate::chain(&error));
            }
        }
    }
    Err(first.unwrap_or_else(|| "there is no launcher".to_owned()))
}
