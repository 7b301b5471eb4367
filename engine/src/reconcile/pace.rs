//! How soon the world is looked at again, where nothing tells of a change.

use engine_core::ids::Moment;
use engine_core::plan::{HoldKind, Plan, WaitingOn};
use grammar::value::Millis;

use super::Reconciler;

/// While something is under way the world is looked at this often, in milliseconds.
const BUSY_MS: u64 = 100;
/// While sessions live, in milliseconds: an end is seen this soon even if nobody tells.
const LIVE_MS: u64 = 1_000;
/// Otherwise, in milliseconds.
const QUIET_MS: u64 = 30_000;

impl Reconciler {
    /// When to look again at the latest.
    pub(super) fn next_look(&self, plan: &Plan, now: Moment) -> Moment {
        let passing = || plan.holds.iter().filter(|hold| hold.kind() == HoldKind::Passing);
        let live = self.last.as_ref().is_some_and(|seen| !seen.incarnations.is_empty());
        let pace = match (passing().any(|hold| hold.until.is_none()), live) {
            (true, _) => BUSY_MS,
            (false, true) => LIVE_MS,
            (false, false) => QUIET_MS,
        };
        let starting = passing().any(|hold| matches!(hold.waiting_on, WaitingOn::InFlight { .. }));
        let pace = if starting { BUSY_MS } else { pace };
        let latest = now.plus(Millis(pace));
        passing()
            .filter_map(|hold| hold.until)
            .filter(|until| *until > now)
            .fold(latest, Moment::min)
    }
}
