//! Phase: sessions that are over. How each ended is written down, then what is left of it is removed; the
//! next round decides what follows.

use super::found::Found;
use super::sessions::session;
use super::{Draft, Input, seen};
use crate::ids::Incarnation;
use crate::observed::{EndRecord, Exit, IncarnationSeen};
use crate::plan::{Action, Impact, On, WaitingOn};

/// An incarnation that was routed to, and of which nothing is left: it ended, and no record tells how.
pub(super) fn vanished(input: &Input<'_>, found: &Found<'_>) -> Option<Incarnation> {
    let (placed, route) = (found.placed?, found.route?);
    let gone = found.live.is_empty() && found.over.is_empty();
    let was_it = route.incarnation.n == placed.n && placed.node == input.observed.node;
    (gone && was_it).then(|| route.incarnation.clone())
}

pub(super) fn forget_vanished(draft: &mut Draft, input: &Input<'_>, incarnation: Incarnation) {
    let how = "it is gone and left no exit record".to_owned();
    let because = seen(format!("{incarnation}: {how}"));
    let end = EndRecord {
        at: input.now,
        failed: true,
        asked: false,
        how,
        start: Some(incarnation.n),
        of: None,
        never_ran: false,
    };
    let id = format!("forget/{incarnation}");
    let action = Action::Forget { incarnation, end };
    draft.step(id, On::Node(input.observed.node.clone()), action, Impact::None, because);
}

/// Writes an end down and removes what is left: the next round decides what follows from it.
pub(super) fn forget(
    input: &Input<'_>,
    draft: &mut Draft,
    incarnation: &Incarnation,
    found: &IncarnationSeen,
    exit: &Exit,
) {
    let Some(records) = input.observed.records.present() else {
        let reason = "the store cannot be written".to_owned();
        let because = seen(exit.to_string());
        let waiting = WaitingOn::Unknown { reason };
        draft.hold(
            session(&incarnation.session),
            "is written down as ended",
            waiting,
            Impact::None,
            because,
            None,
        );
        return;
    };
    // A start that never answered was written down when it was told to end: that is its end.
    let ends = records.ends.get(&incarnation.session);
    let written = ends
        .and_then(|ends| ends.last())
        .filter(|end| exit.asked && !end.asked && end.is_of(incarnation, found.started_at));
    let end = match written {
        Some(end) => end.clone(),
        None => EndRecord {
            start: Some(incarnation.n),
            of: Some(found.launch.digest()),
            ..EndRecord::from(exit)
        },
    };
    draft.step(
        format!("forget/{incarnation}"),
        On::Node(found.node.clone()),
        Action::Forget { incarnation: incarnation.clone(), end },
        Impact::None,
        seen(format!("{incarnation} is over: {exit}")),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Access, BasePath, Desired, Origins};
    use crate::ids::{Moment, NodeId, SessionId};
    use crate::known::Known;
    use crate::observed::{Observed, Placed, Records};
    use crate::plan::RouteSpec;
    use crate::planner::found::Walk;
    use crate::planner::tests::{session_spec, started};

    /// What vanished of a session that is routed to its first start and placed as given.
    fn vanished_with(n: u32, node: &str) -> Option<u32> {
        let id: SessionId = "a".parse().expect("a session id");
        let here: NodeId = "n1".parse().expect("a node");
        let mut observed = Observed::empty(here);
        let node = node.parse().expect("a node");
        let mut records = Records::default();
        records.placements.insert(id.clone(), Placed { n, node, at: Moment(0) });
        observed.records = Known::Present(records);
        let route = RouteSpec {
            incarnation: Incarnation::new(id.clone(), 1),
            socket_dir: String::new(),
            socket: String::new(),
            uid: 1,
            base: BasePath::Keep,
            access: Access::default(),
            ready: true,
            display_name: String::new(),
            workbench: "demo".parse().expect("a workbench"),
        };
        observed.routes.insert(id.clone(), route);
        let (desired, origins) = (Desired::default(), Origins::default());
        let input =
            Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(0) };
        let session = Walk::new(&input).next().expect("it is known of");
        vanished(&input, &session.found).map(|incarnation| incarnation.n)
    }

    #[test]
    fn only_what_was_routed_to_and_placed_here_can_vanish() {
        assert_eq!(vanished_with(1, "n1"), Some(1));
        // A newer intent was not carried out yet, and what is elsewhere is for its own node to tell.
        assert_eq!(vanished_with(2, "n1"), None);
        assert_eq!(vanished_with(1, "n2"), None);
    }

    /// What is written of a start of the time 10 that ended at 30, where `last` was written before.
    fn written(asked: bool, last: Option<(i64, bool)>) -> String {
        written_of(asked, last, None)
    }

    /// The same where what was written says of which start it was.
    fn written_of(asked: bool, last: Option<(i64, bool)>, start: Option<u32>) -> String {
        let incarnation = Incarnation::new("a".parse().expect("a session id"), 1);
        let record = |(at, asked): (i64, bool)| EndRecord {
            at: Moment(at),
            failed: !asked,
            asked,
            how: "as written".to_owned(),
            start,
            of: None,
            never_ran: false,
        };
        let mut records = Records::default();
        let ends = last.into_iter().map(record).collect();
        records.ends.insert(incarnation.session.clone(), ends);
        let mut observed = Observed::empty("n1".parse().expect("a node"));
        observed.records = Known::Present(records);
        let exit = Exit {
            at: Moment(30),
            code: Some(0),
            signal: None,
            asked,
            failure: String::new(),
            never_ran: false,
        };
        let found = started(&session_spec("a", "alice"), Moment(10));
        let (desired, origins) = (Desired::default(), Origins::default());
        let input =
            Input { desired: &desired, origins: &origins, observed: &observed, now: Moment(40) };
        let mut draft = Draft::default();
        forget(&input, &mut draft, &incarnation, &found, &exit);
        match draft.plan.steps.remove(0).action {
            Action::Forget { end, .. } => end.how,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failure_that_was_written_when_a_start_was_told_to_end_is_its_end() {
        assert_eq!(written(true, Some((20, false))), "as written");
        // Nothing was written, or it is of an earlier start, or another kind of end.
        assert_eq!(written(true, None), "exit code 0");
        assert_eq!(written(true, Some((5, false))), "exit code 0");
        assert_eq!(written(true, Some((20, true))), "exit code 0");
        assert_eq!(written(false, Some((20, false))), "exit code 0");
        // Given up before its process was there: the number says whose it is.
        assert_eq!(written_of(true, Some((5, false)), Some(1)), "as written");
        assert_eq!(written_of(true, Some((20, false)), Some(0)), "exit code 0");
    }
}
