//! How soon the world is looked at again, where nothing tells of a change.
//!
//! Knows no clock: who runs the loop waits, and is woken sooner by whatever tells. Read next: [`crate::plan::Hold`].

use grammar::value::Millis;

use crate::ids::Moment;
use crate::plan::{Hold, HoldKind, Mark, Plan, WaitingOn};

/// While something is under way the world is looked at this often.
pub const BUSY: Millis = Millis(100);
/// While sessions live: an end is seen this soon even if nobody tells.
pub const LIVE: Millis = Millis(1_000);
/// Otherwise.
pub const QUIET: Millis = Millis(30_000);

/// When to look again at the latest, after a round at `now` that decided `plan`; `live` = there are sessions.
#[must_use]
pub fn next_look(plan: &Plan, live: bool, now: Moment) -> Moment {
    let passing = || plan.holds.iter().filter(|hold| hold.kind() == HoldKind::Passing);
    let pace = match (passing().any(is_under_way), live) {
        (true, _) => BUSY,
        (false, true) => LIVE,
        (false, false) => QUIET,
    };
    let ends = passing().filter_map(|hold| hold.until).filter(|until| *until > now);
    ends.fold(now.plus(pace), Moment::min)
}

/// Whether a hold that passes may be over at any moment, with nobody to tell.
fn is_under_way(hold: &Hold) -> bool {
    match hold.waiting_on {
        WaitingOn::InFlight { .. } => true,
        // What stays as it is until somebody answers, be it a node or the files, is in no hurry, however long that takes.
        WaitingOn::Unknown { .. } => hold.until.is_none() && hold.mark() == Mark::Start,
        _ => hold.until.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Impact, Resource};

    fn next(holds: &[(WaitingOn, Impact, Option<i64>)], live: bool) -> i64 {
        next_for("ends", holds, live)
    }

    fn next_for(wanted: &str, holds: &[(WaitingOn, Impact, Option<i64>)], live: bool) -> i64 {
        let hold = |(waiting_on, impact, until): &(WaitingOn, Impact, Option<i64>)| Hold {
            resource: Resource::Session("lab".parse().expect("an id")),
            waiting_on: waiting_on.clone(),
            because: Vec::new(),
            until: until.map(Moment),
            impact: *impact,
            wanted: wanted.to_owned(),
        };
        let plan = Plan { holds: holds.iter().map(hold).collect(), ..Plan::default() };
        next_look(&plan, live, Moment(1_000_000)).0 - 1_000_000
    }

    fn unknown() -> WaitingOn {
        WaitingOn::Unknown { reason: "it does not answer".to_owned() }
    }

    #[test]
    fn what_is_under_way_is_looked_at_often() {
        let in_flight = || WaitingOn::InFlight { what: "start".to_owned() };
        assert_eq!((next(&[], false), next(&[], true)), (30_000, 1_000));
        assert_eq!(next(&[(in_flight(), Impact::None, None)], false), 100);
        assert_eq!(next(&[(in_flight(), Impact::None, Some(1_060_000))], true), 100);
        assert_eq!(next(&[(WaitingOn::Budget, Impact::None, None)], true), 100);
        assert_eq!(next(&[(WaitingOn::Idle, Impact::Ended, None)], true), 1_000);
        // A start waits for whoever is asked, and is not told.
        assert_eq!(next_for("starts", &[(unknown(), Impact::None, None)], false), 100);
    }

    #[test]
    fn what_goes_on_at_a_known_time_is_looked_at_then() {
        let harm = |until| (WaitingOn::HarmDelay, Impact::Ended, Some(until));
        assert_eq!(next(&[harm(1_000_300)], true), 300);
        assert_eq!(next(&[harm(1_060_000)], true), 1_000);
        assert_eq!(next(&[harm(1_000_000)], true), 1_000, "that was this round");
    }

    #[test]
    fn what_stays_as_it_is_until_somebody_answers_makes_no_hurry() {
        // Harm, while the files do not answer; a session on a node that does not.
        for impact in [Impact::Ended, Impact::Restarted, Impact::None] {
            assert_eq!(next(&[(unknown(), impact, None)], true), 1_000);
            assert_eq!(next(&[(unknown(), impact, None)], false), 30_000);
        }
        assert_eq!(
            next(
                &[(unknown(), Impact::Ended, None), (WaitingOn::Budget, Impact::None, None)],
                true
            ),
            100
        );
    }
}
