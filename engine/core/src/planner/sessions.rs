//! Phase: sessions. What each should be, against what was found of it.
//!
//! ```text
//! wanted        found            ->
//! running       nothing          starts::plan_start
//! running       Preparing/Starting  wait, until it is ready or its start has failed
//! running       Ready, same spec    stays
//! running       Ready, other spec   outdated: next start, or a restart if asked for
//! running       Ending              wait
//! any           Exited           write the end down, remove what is left
//! any           Unknown          hold everything
//! stopped       live             end
//! nobody asks   live             removal::plan_removal, or at once if a person has said so
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use grammar::value::Millis;

use super::found::{Found, Session};
use super::{Draft, Harm, Input, ends, removal, seen, starts};
use crate::desired::{AskedBy, Renew, SessionSpec, StopSpec, WantedState};
use crate::diff;
use crate::ids::{Incarnation, Moment, SessionId};
use crate::known::Known;
use crate::observed::{EndRecord, IncarnationSeen, Phase, Terms};
use crate::plan::{Action, Because, EndPurpose, Impact, On, Resource, Step, WaitingOn};

/// A minute, in milliseconds: windows of time know no smaller unit.
const MINUTE_MS: i64 = 60_000;

/// Starts on this node that are not ready yet: what the budget counts. One that is at rest has none.
pub(super) fn under_way(input: &Input<'_>, sessions: &[Session<'_>]) -> u32 {
    let live = sessions.iter().flat_map(|session| &session.found.live);
    let count = live
        .filter(|(_, seen)| seen.node == input.observed.node)
        .filter(|(_, seen)| matches!(seen.phase, Phase::Preparing | Phase::Starting))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn plan_session(input: &Input<'_>, draft: &mut Draft, of: &Session<'_>) {
    let Session { id, wanted, found } = of;
    let (id, wanted) = (*id, *wanted);
    let told = input.desired.told_to_stop.get(id).filter(|_| !found.live.is_empty());
    if let (Some(Known::Unknown { reason, .. }), None) = (wanted, told) {
        // A person has to put the file right; what runs goes on as it was asked for.
        let waiting = WaitingOn::Problem { reason: reason.clone() };
        let because = vec![Because::Seen { what: format!("sessions.d/{id}.toml") }];
        draft.hold(session(id), "stays as it is", waiting, Impact::None, because, None);
        draft.plan.unchanged.sessions += found.live.len();
        return;
    }
    if let Some(reason) = not_to_be_touched(input, wanted, found) {
        let waiting = WaitingOn::Unknown { reason: reason.clone() };
        let because = seen(reason);
        draft.hold(session(id), "stays as it is", waiting, Impact::None, because, None);
        draft.plan.unchanged.sessions += found.live.len();
        return;
    }
    for (incarnation, seen, exit) in &found.over {
        ends::forget(input, draft, incarnation, seen, exit);
    }
    if let Some(incarnation) = ends::vanished(input, found) {
        ends::forget_vanished(draft, input, incarnation);
        return;
    }
    // What no directory manages is not ended, not even an older start of it.
    let newest = if wanted.is_some() || input.desired.sessions.managed {
        end_superseded(draft, found)
    } else {
        found.live.last().copied()
    };
    match wanted {
        Some(Known::Present(spec)) if spec.ending && newest.is_none() => {
            if found.over.is_empty() {
                removal::retire(input, draft, id);
            }
        }
        Some(Known::Present(spec)) => {
            remember(input, draft, spec, found);
            match (spec.state, newest) {
                (WantedState::Running, Some((incarnation, seen))) => {
                    plan_live(input, draft, spec, incarnation, seen);
                }
                (WantedState::Running, None) if found.over.is_empty() => {
                    starts::plan_start(input, draft, spec);
                }
                (WantedState::Stopped | WantedState::Suspended, Some((incarnation, seen))) => {
                    stop(input, draft, spec, incarnation, seen);
                }
                (WantedState::Running, None)
                | (WantedState::Stopped | WantedState::Suspended, None) => {}
            }
        }
        Some(Known::Absent | Known::Unknown { .. }) | None => {
            if let (Some(command), Some((incarnation, seen))) = (told, newest) {
                return removal::end_told(input, draft, incarnation, seen, command);
            }
            removal::plan_removal(input, draft, id, newest, found);
        }
    }
}

/// Why nothing may be done to a session at all, if so.
fn not_to_be_touched(
    input: &Input<'_>,
    wanted: Option<&Known<Arc<SessionSpec>>>,
    found: &Found<'_>,
) -> Option<String> {
    if let Some(reason) = &found.unknown {
        return Some(reason.clone());
    }
    let silent = |cluster: &str| {
        let (_, reason) = input.observed.silent_clusters.get(cluster)?;
        Some(format!("cluster {cluster} does not answer: {reason}"))
    };
    let spec = wanted.and_then(Known::present);
    let placed = found.placed;
    spec.and_then(|spec| silent(spec.launch.cluster.as_str()))
        .or_else(|| found.live.iter().find_map(|(_, seen)| silent(seen.launch.cluster.as_str())))
        .or_else(|| {
            // It was started, and was not found: it may live where nobody answers.
            let hidden = placed.is_some() && found.live.is_empty() && found.over.is_empty();
            let first = input.observed.silent_clusters.keys().next().filter(|_| hidden);
            first.and_then(|cluster| silent(cluster))
        })
        .or_else(|| {
            let away = placed.filter(|placed| !input.observed.is_online(&placed.node))?;
            Some(format!("node {} does not answer", away.node))
        })
}

/// Ends all but the newest of several live incarnations; there should never be any.
fn end_superseded<'a>(
    draft: &mut Draft,
    found: &Found<'a>,
) -> Option<(&'a Incarnation, &'a IncarnationSeen)> {
    let (newest, older) = found.live.split_last()?;
    for (incarnation, incarnation_seen) in older {
        if !matches!(incarnation_seen.phase, Phase::Ending { .. }) {
            draft.plan.steps.push(end_step(
                incarnation,
                incarnation_seen,
                StopSpec::default(),
                EndPurpose::Superseded,
                Impact::None,
                seen(format!("{} runs, too", newest.0)),
            ));
        }
    }
    Some(*newest)
}

/// Keeps what a file says of its session's end where it is found when the file is gone.
fn remember(input: &Input<'_>, draft: &mut Draft, spec: &SessionSpec, found: &Found<'_>) {
    if input.observed.records.present().is_none() {
        return;
    }
    let terms = Terms { on_removal: spec.on_removal, stop: spec.stop.clone() };
    if found.terms == Some(&terms) {
        return;
    }
    let because = match &spec.asked_by {
        AskedBy::File => {
            input.origins.because(&format!("session/{}/on-removal", spec.id), "on-removal")
        }
        AskedBy::Person { uid, .. } => {
            vec![Because::Person { what: format!("asked for by uid {uid}") }]
        }
    };
    draft.step(
        format!("remember/{}", spec.id),
        On::Site,
        Action::Remember { session: spec.id.clone(), terms },
        Impact::None,
        because,
    );
}

/// A session that should run and has a live incarnation.
fn plan_live(
    input: &Input<'_>,
    draft: &mut Draft,
    spec: &SessionSpec,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
) {
    match &found.phase {
        Phase::Preparing | Phase::Starting => {
            await_ready(input, draft, spec, incarnation, found);
        }
        Phase::Ending { .. } => {
            let waiting = WaitingOn::InFlight { what: "end".to_owned() };
            let because = seen(format!("{incarnation} is ending"));
            draft.hold(session(&spec.id), "starts again", waiting, Impact::None, because, None);
        }
        Phase::Ready if found.launch.digest() == spec.launch.digest() => {
            draft.plan.unchanged.sessions += 1;
        }
        Phase::Ready => renew(input, draft, spec, incarnation, found),
        Phase::Exited(_) => {}
    }
}

/// Waits for a start to become ready, and ends one that never does.
fn await_ready(
    input: &Input<'_>,
    draft: &mut Draft,
    spec: &SessionSpec,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
) {
    let deadline = found.started_at.plus(Millis(spec.health.start_timeout_ms));
    if input.now < deadline {
        let waiting = WaitingOn::InFlight { what: "start".to_owned() };
        let because = seen(format!("{incarnation} does not answer yet"));
        draft.hold(
            session(&spec.id),
            "becomes ready",
            waiting,
            Impact::None,
            because,
            Some(deadline),
        );
        return;
    }
    let how = format!("did not answer in {}", Millis(spec.health.start_timeout_ms));
    let because = seen(format!("{incarnation} {how}"));
    let ends = input.observed.records.present().map(|records| records.ends.get(&spec.id));
    // An end that was asked for is of an earlier start, however soon after it this one began.
    let unwritten = ends.is_some_and(|ends| {
        let last = ends.and_then(|ends| ends.last());
        last.is_none_or(|end| end.asked || !end.is_of(incarnation, found.started_at))
    });
    if unwritten {
        let of = Some(found.launch.digest());
        let end = EndRecord {
            at: input.now,
            failed: true,
            asked: false,
            how,
            start: Some(incarnation.n),
            of,
            never_ran: false,
        };
        draft.step(
            format!("record-end/{incarnation}"),
            On::Site,
            Action::RecordEnd { session: spec.id.clone(), end },
            Impact::None,
            because.clone(),
        );
    }
    let (stop, purpose) = (spec.stop.clone(), EndPurpose::NeverReady);
    let step = end_step(incarnation, found, stop, purpose, Impact::None, because);
    draft.plan.steps.push(step);
}

/// A running session whose files ask for something else than it was started from.
fn renew(
    input: &Input<'_>,
    draft: &mut Draft,
    spec: &SessionSpec,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
) {
    let changes = diff::launch_changes(&found.launch, &spec.launch);
    let mut because = BTreeSet::new();
    for change in &changes {
        let what = format!("session/{}/{}", spec.id, change.what);
        because.extend(input.origins.because_exactly(&what, &change.what));
    }
    if spec.update.renew != Renew::NextStart {
        // What asks for a renewal at all is a cause of it, too.
        because.extend(renewal(input, spec));
    }
    let because: Vec<Because> = because.into_iter().collect();
    let differs = changes.into_iter().map(|change| change.what).collect();
    let resource = session(&spec.id);
    match spec.update.renew {
        Renew::NextStart => {
            let waiting = WaitingOn::NextStart { differs };
            draft.hold(resource, "is renewed", waiting, Impact::None, because, None);
            draft.plan.unchanged.sessions += 1;
        }
        Renew::WhenIdle => {
            draft.hold(resource, "restarts", WaitingOn::Idle, Impact::Restarted, because, None);
            draft.plan.unchanged.sessions += 1;
        }
        Renew::Now => {
            if let Some(opens) = outside_window(input, spec) {
                let (waiting, impact) = (WaitingOn::Window, Impact::Restarted);
                draft.hold(resource, "restarts", waiting, impact, because, Some(opens));
                draft.plan.unchanged.sessions += 1;
                return;
            }
            let step = end_step(
                incarnation,
                found,
                spec.stop.clone(),
                EndPurpose::Restart,
                Impact::Restarted,
                because,
            );
            draft.harms.push(Harm { resource, step, wanted: "restarts" });
        }
    }
}

/// The line that asks for renewing a session by a restart.
fn renewal(input: &Input<'_>, spec: &SessionSpec) -> Vec<Because> {
    let own = format!("session/{}/update.apply", spec.id);
    let lines = |what: &str| input.origins.because_exactly(what, "update.apply");
    if input.origins.exactly(&own).is_empty() {
        lines("policy/session-restart")
    } else {
        lines(&own)
    }
}

/// When the next time window opens that restarts have to wait for; none = they need not wait.
fn outside_window(input: &Input<'_>, spec: &SessionSpec) -> Option<Moment> {
    // A session's own window is instead of the site's, not besides.
    let windows = match &spec.update.window {
        Some(own) => std::slice::from_ref(own),
        None => &input.desired.policy.windows[..],
    };
    let minutes = windows.iter().map(|window| window.opens_in(input.observed.week_minute)).min()?;
    let begun = u64::try_from(input.now.0.rem_euclid(MINUTE_MS)).unwrap_or(0);
    let ms = (u64::from(minutes) * MINUTE_MS.unsigned_abs()).checked_sub(begun)?;
    (ms > 0).then(|| input.now.plus(Millis(ms)))
}

/// A session that should not run and does.
fn stop(
    input: &Input<'_>,
    draft: &mut Draft,
    spec: &SessionSpec,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
) {
    let resource = session(&spec.id);
    if matches!(found.phase, Phase::Ending { .. }) {
        let waiting = WaitingOn::InFlight { what: "end".to_owned() };
        let because = seen(format!("{incarnation} is ending"));
        draft.hold(resource, "ends", waiting, Impact::None, because, None);
        return;
    }
    let because = match &spec.state_by {
        Some(command) => vec![Because::Person { what: command.clone() }],
        None => input.origins.because(&format!("session/{}/state", spec.id), "state"),
    };
    let step = end_step(
        incarnation,
        found,
        spec.stop.clone(),
        EndPurpose::Stopped,
        Impact::Ended,
        because,
    );
    if spec.state_by.is_some() {
        draft.plan.steps.push(step);
    } else {
        draft.harms.push(Harm { resource, step, wanted: "ends" });
    }
}

/// The step that tells an incarnation to end.
pub(super) fn end_step(
    incarnation: &Incarnation,
    found: &IncarnationSeen,
    stop: StopSpec,
    purpose: EndPurpose,
    impact: Impact,
    because: Vec<Because>,
) -> Step {
    Step {
        id: format!("end/{incarnation}"),
        on: On::Node(found.node.clone()),
        action: Action::End { incarnation: incarnation.clone(), stop, purpose },
        after: Vec::new(),
        because,
        impact,
    }
}

pub(super) fn session(id: &SessionId) -> Resource {
    Resource::Session(id.clone())
}

pub(super) fn on_here(input: &Input<'_>) -> On {
    On::Node(input.observed.node.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Desired, LaunchSpec, Origins};
    use crate::ids::Moment;
    use crate::known::Known;
    use crate::observed::{Observed, Records};
    use crate::planner::tests::{session_spec, started};

    /// What is done with a start of the time 10 that does not answer until 40, where `last` was written before.
    fn never_ready(last: Option<(i64, bool)>) -> Vec<String> {
        never_ready_after(last, None)
    }

    /// The same where what was written says of which start it was.
    fn never_ready_after(last: Option<(i64, bool)>, start: Option<u32>) -> Vec<String> {
        let mut spec = session_spec("a", "alice");
        spec.health.start_timeout_ms = 30;
        let record = |(at, asked): (i64, bool)| EndRecord {
            at: Moment(at),
            failed: !asked,
            asked,
            how: String::new(),
            start,
            of: None,
            never_ran: false,
        };
        let mut records = Records::default();
        records.ends.insert(spec.id.clone(), last.into_iter().map(record).collect());
        let mut observed = Observed::empty("n1".parse().expect("a node"));
        observed.records = Known::Present(records);
        let (desired, origins) = (Desired::default(), Origins::default());
        let input =
            Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(40) };
        let mut draft = Draft::default();
        let incarnation = Incarnation::new(spec.id.clone(), 2);
        await_ready(&input, &mut draft, &spec, &incarnation, &started(&spec, Moment(10)));
        draft.plan.steps.into_iter().map(|step| step.id).collect()
    }

    /// What is done with a start of the time 10 that answers and was made from `launch`, where a change restarts it.
    fn answering(change: impl Fn(&mut LaunchSpec)) -> Vec<&'static str> {
        let mut spec = session_spec("a", "alice");
        spec.update.renew = Renew::Now;
        let mut seen = started(&spec, Moment(10));
        seen.launch = spec.launch.with(change);
        let (desired, origins) = (Desired::default(), Origins::default());
        let observed = Observed::empty("n1".parse().expect("a node"));
        let input =
            Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(40) };
        let mut draft = Draft::default();
        plan_live(&input, &mut draft, &spec, &Incarnation::new(spec.id.clone(), 2), &seen);
        draft.harms.into_iter().map(|harm| harm.wanted).collect()
    }

    #[test]
    fn what_a_start_differs_in_renews_it_and_what_its_engine_called_that_does_not() {
        assert_eq!(answering(|launch| launch.working_dir = Some("/w".to_owned())), ["restarts"]);
        // Limits were part of the digest that earlier engines stored with a start.
        assert_eq!(answering(|launch| launch.resources.cpus_milli = Some(4_000)), [""; 0]);
    }

    #[test]
    fn which_start_was_given_up_goes_by_its_number_and_not_by_when_its_process_came() {
        // Given up before it had a process: written once, and never taken for an end of the start before.
        assert_eq!(never_ready_after(Some((9, false)), Some(2)), ["end/a#2"]);
        assert_eq!(never_ready_after(Some((40, false)), Some(1)), ["record-end/a#2", "end/a#2"]);
    }

    #[test]
    fn a_start_that_never_answers_is_a_failure_that_is_written_down_once() {
        let both = ["record-end/a#2", "end/a#2"];
        assert_eq!(never_ready(None), both);
        assert_eq!(never_ready(Some((9, false))), both);
        assert_eq!(never_ready(Some((10, false))), ["end/a#2"]);
        assert_eq!(never_ready(Some((40, false))), ["end/a#2"]);
        // The start before it was told to end, in the very moment in which this one began.
        assert_eq!(never_ready(Some((10, true))), both);
    }
}
