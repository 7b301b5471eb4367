//! Carries a plan out, step by step, and reports each outcome. Decides nothing and never retries: the
//! next round is the retry.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::desired::Desired;
use engine_core::ids::{Moment, NodeId};
use engine_core::observed::Observed;
use engine_core::plan::{Action, On, Plan, Step};
use engine_core::predict;

use crate::ledger::Ledger;
use crate::ports::{Launcher, Routes, Secrets, Workbenches};

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
pub fn execute(plan: &Plan, hands: &mut Hands<'_>, now: Moment) -> Vec<Outcome> {
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        if !is_ours(step, &hands.node, hands.site) {
            continue;
        }
        let before = step.after.iter().find(|before| failed.contains(before.as_str()));
        let result = match before {
            Some(before) => Err(format!("left out, since {before} failed")),
            None => record_harm(step, hands, now).and_then(|()| carry_out(step, hands, now)),
        };
        if result.is_err() {
            failed.insert(&step.id);
        }
        outcomes.push(Outcome { step: step.id.clone(), error: result.err() });
    }
    outcomes
}

/// Harm is written down before it is done: a crash between the two counts one too many, never too few.
fn record_harm(step: &Step, hands: &mut Hands<'_>, now: Moment) -> Result<(), String> {
    match predict::counted_harm(hands.observed, step) {
        Some(session) => {
            hands.ledger.record_harm(session, now).map_err(|error| crate::chain(&error))
        }
        None => Ok(()),
    }
}

fn carry_out(step: &Step, hands: &mut Hands<'_>, now: Moment) -> Result<(), String> {
    match &step.action {
        Action::Place { incarnation, node } => {
            hands.ledger.place(incarnation, node, now).map_err(|e| crate::chain(&e))
        }
        Action::Start(order) => {
            let secrets = hands.secrets;
            let launcher = launcher(hands, order.launch.cluster.as_str())?;
            launcher.start(order, secrets, now).map_err(|e| crate::chain(&e))
        }
        Action::End { incarnation, stop, .. } => {
            let told = hands.launchers.values_mut().map(|l| l.end(incarnation, stop, now));
            any(told)
        }
        Action::RecordEnd { session, end } => {
            hands.ledger.record_end(session, end.clone()).map_err(|e| crate::chain(&e))
        }
        Action::Forget { incarnation, end } => {
            // Written down first: an exit that is removed before it is recorded would be lost.
            hands.ledger.ended(incarnation, end.clone()).map_err(|e| crate::chain(&e))?;
            let forgotten = hands.launchers.values_mut().map(|l| l.forget(incarnation));
            any(forgotten)
        }
        Action::Retire { session } => hands.ledger.retire(session).map_err(|e| crate::chain(&e)),
        Action::Remember { session, terms } => {
            hands.ledger.remember(session, terms).map_err(|e| crate::chain(&e))
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
        Action::Lease { gateway, port, session } => {
            hands.ledger.lease(gateway, *port, session).map_err(|e| crate::chain(&e))
        }
        Action::Release { gateway, port } => {
            hands.ledger.release(gateway, *port).map_err(|e| crate::chain(&e))
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
