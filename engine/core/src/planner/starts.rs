//! Phase: starting a session. Everything that a start needs is checked here; what is missing is a hold.
//!
//! Order of a start (design.md §7): the intent is in the store, then the launcher acts. A placement
//! without an incarnation is an intent that was not carried out yet, and is carried out with its number.

use std::sync::Arc;

use grammar::value::Millis;

use super::sessions::{on_here, session};
use super::{Draft, Input, choose, seen};
use crate::desired::{BackOff, Launch, Restart, SessionSpec};
use crate::ids::{Incarnation, Moment, NodeId, WorkbenchName};
use crate::known::Known;
use crate::observed::{EndRecord, InstallationSeen, ProgramSeen, Records, UserSeen};
use crate::plan::{Action, Because, Impact, On, StartOrder, WaitingOn};

/// Why a start does not happen now.
struct Wait {
    on: WaitingOn,
    until: Option<Moment>,
    because: Option<Vec<Because>>,
}

impl Wait {
    fn on(on: WaitingOn) -> Self {
        Self { on, until: None, because: None }
    }

    fn problem(reason: impl Into<String>) -> Self {
        Self::on(WaitingOn::Problem { reason: reason.into() })
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::on(WaitingOn::Unknown { reason: reason.into() })
    }
}

pub(super) fn plan_start(input: &Input<'_>, draft: &mut Draft, spec: &SessionSpec) {
    let asked = asked_for(input, spec);
    match prepare(input, draft, spec) {
        Ok(None) => {}
        Ok(Some((order, intent))) => start(input, draft, order, intent, asked),
        Err(Wait { on, until, because }) => {
            let because = because.unwrap_or(asked);
            draft.hold(session(&spec.id), "starts", on, Impact::None, because, until);
        }
    }
}

/// Why a session is wanted.
fn asked_for(input: &Input<'_>, spec: &SessionSpec) -> Vec<Because> {
    match (&spec.asked_by, &spec.state_by) {
        (_, Some(command)) => vec![Because::Person { what: command.clone() }],
        (crate::desired::AskedBy::Person { uid, .. }, None) => {
            vec![Because::Person { what: format!("asked for by uid {uid}") }]
        }
        (crate::desired::AskedBy::File, None) => {
            let state = format!("session/{}/state", spec.id);
            input.origins.because(&state, "session")
        }
    }
}

/// Checks everything a start needs. `None` = it is over and not to be started again. The flag says
/// whether the intent is already in the store.
fn prepare(
    input: &Input<'_>,
    draft: &mut Draft,
    spec: &SessionSpec,
) -> Result<Option<(StartOrder, bool)>, Wait> {
    let Some(records) = input.observed.records.present() else {
        return Err(Wait::unknown(input.store_problem().unwrap_or_default()));
    };
    let ends = records.ends.get(&spec.id).map_or(&[][..], Vec::as_slice);
    if !starts_again(spec.restart, ends.last()) {
        return Ok(None);
    }
    may_start_again(&input.desired.policy.back_off, ends, &spec.launch, input.now)?;
    let user = find_user(input, spec)?;
    is_local(input, spec)?;
    let exe = find_exe(input, draft, spec)?;
    let (n, node, intent) = number_and_node(input, draft, records, spec)?;
    let budget = input.desired.policy.concurrent_starts.unwrap_or(input.observed.cores).max(1);
    if draft.starting >= budget {
        return Err(Wait::on(WaitingOn::Budget));
    }
    draft.starting += 1;
    if let (false, Some(shares)) = (intent, &mut draft.shares) {
        shares.give(&node);
    }
    let order = StartOrder {
        incarnation: Incarnation::new(spec.id.clone(), n),
        node,
        launch: spec.launch.clone(),
        digest: spec.launch.digest(),
        user,
        exe,
        stop: spec.stop.clone(),
        on_removal: spec.on_removal,
        health: spec.health.clone(),
        generation: input.observed.in_force.acts(),
    };
    Ok(Some((order, intent)))
}

/// Whether a session starts again after its last end.
pub(crate) fn starts_again(restart: Restart, last: Option<&EndRecord>) -> bool {
    match (last, restart) {
        (None, _) | (Some(EndRecord { asked: true, .. }), _) | (_, Restart::Always) => true,
        (Some(end), Restart::OnFailure) => end.failed,
        (Some(end), Restart::No) => end.never_ran,
    }
}

/// Waits after ends that nobody asked for, longer each time, and gives up after too many failures in
/// too short a time.
///
/// Time alone does not undo giving up; a person does, or files that ask for something else than what
/// failed.
fn may_start_again(
    policy: &BackOff,
    ends: &[EndRecord],
    wanted: &Launch,
    now: Moment,
) -> Result<(), Wait> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    // What came before an end that somebody asked for is over and done with.
    let since_asked = ends.iter().rev().take_while(|end| !end.asked);
    let of_itself: Vec<&EndRecord> = since_asked.collect();
    let Some(last) = of_itself.first() else { return Ok(()) };
    let because = || Some(seen(format!("last end: {}", last.how)));
    let of_this = |end: &&&EndRecord| end.failed && end.of.is_none_or(|of| wanted.was_named(of));
    let together = |end: &&&EndRecord| last.at.since(end.at) <= policy.within;
    let failures = count(of_itself.iter().filter(of_this).filter(together).count());
    if failures >= policy.give_up_after && of_this(&last) {
        let on = WaitingOn::CrashLoop { failures };
        return Err(Wait { on, until: None, because: because() });
    }
    let recent = |end: &&&EndRecord| now.since(end.at) <= policy.within;
    let in_a_row = count(of_itself.iter().take_while(recent).count());
    if in_a_row == 0 {
        return Ok(());
    }
    let until = last.at.plus(back_off(policy, in_a_row));
    if now < until {
        let on = WaitingOn::BackOff { failures: in_a_row };
        return Err(Wait { on, until: Some(until), because: because() });
    }
    Ok(())
}

/// `first`, doubled after each further failure, at most `max`.
fn back_off(policy: &BackOff, failures: u32) -> Millis {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Millis(policy.first.0.saturating_mul(doubled).min(policy.max.0))
}

fn find_user(input: &Input<'_>, spec: &SessionSpec) -> Result<UserSeen, Wait> {
    let user = &spec.launch.user;
    match input.observed.users.get(user) {
        Some(Known::Present(found)) if found.reachable => Ok(found.clone()),
        Some(Known::Present(_)) => Err(Wait::problem(format!("needs root to run as {user}"))),
        Some(Known::Absent) => Err(Wait::problem(format!("there is no account `{user}`"))),
        Some(Known::Unknown { reason, .. }) => Err(Wait::unknown(format!("{user}: {reason}"))),
        None => Err(Wait::unknown(format!("{user} was not looked up yet"))),
    }
}

/// Whether the session's cluster is one that this engine can launch in by now.
fn is_local(input: &Input<'_>, spec: &SessionSpec) -> Result<(), Wait> {
    let name = &spec.launch.cluster;
    match input.desired.clusters.get(name) {
        Some(cluster) if cluster.left_alone => Err(Wait::problem(format!(
            "cluster {name} is left to the product: [beside] clusters in wharf.toml does not name it"
        ))),
        Some(cluster) if cluster.kind == "local" => Ok(()),
        Some(cluster) => Err(Wait::problem(format!(
            "cluster {name} is of type {}: this version launches in local clusters only",
            cluster.kind
        ))),
        None => Err(Wait::problem(format!("no cluster is called `{name}`"))),
    }
}

/// The program to start, or what is waited for until there is one.
fn find_exe(input: &Input<'_>, draft: &mut Draft, spec: &SessionSpec) -> Result<String, Wait> {
    let workbench = &spec.launch.workbench;
    let seen = match input.observed.workbenches.get(workbench) {
        Some(Known::Present(seen)) => seen,
        Some(Known::Absent) => {
            return Err(Wait::problem(format!("no workbench is called `{workbench}`")));
        }
        Some(Known::Unknown { reason, .. }) => return Err(Wait::unknown(reason)),
        None => return Err(Wait::unknown(format!("{workbench} was not looked for yet"))),
    };
    match (&seen.found, &seen.ours) {
        // One that is there and works comes before one of our making.
        (ProgramSeen::Works { exe, .. }, _)
        | (ProgramSeen::Asked { exe } | ProgramSeen::Silent { exe }, None) => Ok(exe.clone()),
        (ProgramSeen::Asked { exe }, Some(_)) => {
            Err(Wait::unknown(format!("{exe} was asked for its version")))
        }
        (ProgramSeen::Missing { help }, None) => {
            Err(Wait::problem(format!("{workbench} is not installed here: {help}")))
        }
        (ProgramSeen::Missing { .. } | ProgramSeen::Silent { .. }, Some(ours)) => {
            installed(input, draft, workbench, ours)
        }
    }
}

/// The program that a file asks to be installed; the installation itself is a step.
fn installed(
    input: &Input<'_>,
    draft: &mut Draft,
    workbench: &WorkbenchName,
    ours: &InstallationSeen,
) -> Result<String, Wait> {
    let installing = |what: String| Err(Wait::on(WaitingOn::InFlight { what }));
    match ours {
        InstallationSeen::Installed { exe, .. } => Ok(exe.clone()),
        InstallationSeen::NotInstalled => {
            if draft.provided.insert(workbench.clone()) {
                let what = format!("workbench/{workbench}");
                draft.step(
                    format!("provide/{workbench}"),
                    on_here(input),
                    Action::Provide { workbench: workbench.clone() },
                    Impact::None,
                    input.origins.because(&what, "install"),
                );
            }
            installing(format!("installing {workbench}"))
        }
        InstallationSeen::Installing { done, total: 0 } => {
            installing(format!("installing {workbench} ({done} packages so far)"))
        }
        InstallationSeen::Installing { done, total } => {
            installing(format!("installing {workbench} ({done} of {total} packages)"))
        }
        InstallationSeen::Failed { reason } => Err(Wait::problem(reason)),
    }
}

/// The node for a new start.
fn choose_node(input: &Input<'_>, draft: &mut Draft, spec: &SessionSpec) -> Result<NodeId, Wait> {
    let shares = draft.shares.get_or_insert_with(|| choose::Shares::of(input));
    let best = shares.best(input.desired.balancer, &spec.placement, &spec.launch.user);
    best.cloned().ok_or_else(|| Wait::on(WaitingOn::NoNode))
}

/// The number and node of the next start, and whether its intent is in the store already. An intent is
/// binding: it may be under way on its node, so nobody else starts the session.
fn number_and_node(
    input: &Input<'_>,
    draft: &mut Draft,
    records: &Records,
    spec: &SessionSpec,
) -> Result<(u32, NodeId, bool), Wait> {
    match records.placements.get(&spec.id) {
        Some(placed) if placed.node == input.observed.node => {
            Ok((placed.n, placed.node.clone(), true))
        }
        Some(placed) => {
            let what = format!("start on {}", placed.node);
            Err(Wait::on(WaitingOn::InFlight { what }))
        }
        None => {
            // Whatever has the name, foreign or from before the store was lost, keeps its number.
            let found = input.observed.of_session(&spec.id).next_back();
            let found = found.map_or(0, |(incarnation, _)| incarnation.n);
            let last = records.numbers.get(&spec.id).copied().unwrap_or(0).max(found);
            Ok((last.saturating_add(1), choose_node(input, draft, spec)?, false))
        }
    }
}

fn start(
    input: &Input<'_>,
    draft: &mut Draft,
    order: StartOrder,
    intent: bool,
    because: Vec<Because>,
) {
    let incarnation = order.incarnation.clone();
    let mut after = Vec::new();
    if !intent {
        let id = format!("place/{incarnation}");
        after.push(id.clone());
        let action = Action::Place { incarnation: incarnation.clone(), node: order.node.clone() };
        draft.step(id, On::Site, action, Impact::None, because.clone());
    }
    // Another node starts what is placed on it once it sees the intent.
    if order.node == input.observed.node {
        let on = On::Node(order.node.clone());
        let id = format!("start/{incarnation}");
        let step = draft.step(id, on, Action::Start(Arc::new(order)), Impact::None, because);
        step.after = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::LaunchSpec;
    use crate::ids::{Digest, SpecDigest};
    use crate::planner::tests::session_spec;

    #[test]
    fn failures_count_under_the_digest_of_earlier_versions_and_not_under_another() {
        let limited = |launch: &mut LaunchSpec| launch.resources.cpus_milli = Some(4_000);
        let launch = session_spec("a", "alice").launch.with(limited);
        let other = launch.with(|launch| launch.working_dir = Some("/w".to_owned()));
        let gives_up = |of: Option<SpecDigest>| {
            let end = |at| EndRecord {
                at: Moment(at),
                failed: true,
                asked: false,
                how: String::new(),
                start: None,
                of,
                never_ran: false,
            };
            let ends: Vec<EndRecord> = (1..=5).map(end).collect();
            let policy = BackOff { give_up_after: 5, ..BackOff::default() };
            let wait = may_start_again(&policy, &ends, &launch, Moment(1_000_000_000)).err();
            wait.is_some_and(|wait| matches!(wait.on, WaitingOn::CrashLoop { failures: 5 }))
        };
        // While limits counted.
        let earlier = SpecDigest(Digest::of_value(&*launch));
        assert_ne!(earlier, launch.digest());
        assert!(gives_up(Some(launch.digest())) && gives_up(Some(earlier)) && gives_up(None));
        assert!(!gives_up(Some(other.digest())));
    }

    #[test]
    fn what_never_ran_is_no_end_of_a_session() {
        let end = |asked, failed, never_ran| EndRecord {
            at: Moment(1),
            failed,
            asked,
            how: String::new(),
            start: None,
            of: None,
            never_ran,
        };
        for (last, again) in [
            (None, [true, true, true]),
            (Some(end(true, false, false)), [true, true, true]),
            (Some(end(false, true, false)), [true, true, false]),
            (Some(end(false, false, false)), [true, false, false]),
            (Some(end(false, true, true)), [true, true, true]),
        ] {
            let found = [Restart::Always, Restart::OnFailure, Restart::No]
                .map(|restart| starts_again(restart, last.as_ref()));
            assert_eq!(found, again, "{last:?}");
        }
    }
}
