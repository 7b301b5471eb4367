//! Which passes may look at that alone of which something was heard. What that is: [`crate::heard`].

use super::Acceptance;

impl Acceptance {
    /// Whether the pass that begins now may be narrow; one that somebody has asked for never is.
    #[must_use]
    pub fn may_be_narrow(&self, asked: bool) -> bool {
        let is_first = self.episode.is_some_and(|episode| episode.reading.is_none());
        !asked && (is_first || self.believes_events())
    }

    /// Whether files need not hold still: then there is nothing but events to go by.
    pub(super) fn believes_events(&self) -> bool {
        self.settle.quiet.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use grammar::value::Millis;

    use super::super::{Looks, Next, Refusal, Settle};
    use super::*;
    use crate::ids::{Digest, Moment, SiteDigest};

    fn digest(n: u8) -> SiteDigest {
        SiteDigest(Digest::of(&[n]))
    }

    /// Woken at 0, in force is 1.
    fn woken(quiet: u64) -> Acceptance {
        let settle = Settle { quiet: Millis(quiet), ..Settle::default() };
        let mut acceptance = Acceptance::new(settle, Some(digest(1)));
        acceptance.wake(Moment(0));
        acceptance
    }

    /// A pass that takes no time, and is narrow where it may be; whether it was.
    fn pass(acceptance: &mut Acceptance, at: i64, n: u8, looks: Looks) -> bool {
        let is_narrow = acceptance.may_be_narrow(false);
        acceptance.read_began(Moment(at));
        if is_narrow {
            acceptance.narrow_read_done(Moment(at), digest(n), looks);
        } else {
            acceptance.read_done(Moment(at), digest(n), looks);
        }
        is_narrow
    }

    #[test]
    fn the_first_pass_may_be_narrow_and_nothing_is_decided_upon_it() {
        // A new set, the one in force, and one that was refused before.
        for (n, looks, decided) in [
            (2, Looks::Whole, Next::Accept(digest(2))),
            (1, Looks::Whole, Next::Unchanged(digest(1))),
            (3, Looks::Broken, Next::Refuse(digest(3), Refusal::Invalid)),
        ] {
            let mut acceptance = woken(100);
            acceptance.refused = Some(digest(3));
            assert!(pass(&mut acceptance, 10, n, looks));
            assert_eq!(acceptance.next(Moment(10)), Next::ReadAgainAt(Moment(110)));
            assert!(!pass(&mut acceptance, 110, n, looks), "the second one is complete");
            assert_eq!(acceptance.next(Moment(110)), decided);
        }
    }

    #[test]
    fn what_only_a_complete_pass_has_seen_rests_for_as_long_as_anything() {
        let mut acceptance = woken(100);
        assert!(pass(&mut acceptance, 0, 2, Looks::Whole));
        assert!(!pass(&mut acceptance, 100, 3, Looks::Whole));
        assert_eq!(acceptance.next(Moment(100)), Next::ReadAgainAt(Moment(200)));
        assert!(!pass(&mut acceptance, 200, 3, Looks::Whole));
        assert_eq!(acceptance.next(Moment(200)), Next::Accept(digest(3)));
    }

    #[test]
    fn what_a_narrow_pass_takes_says_nothing_of_how_long_a_complete_one_may() {
        let mut acceptance = woken(100);
        for began in [0, 12_100] {
            acceptance.read_began(Moment(began));
            acceptance.read_done(Moment(began + 12_000), digest(2), Looks::Whole);
        }
        assert_eq!(acceptance.next(Moment(24_100)), Next::Accept(digest(2)));
        acceptance.wake(Moment(30_000));
        acceptance.read_began(Moment(30_000));
        acceptance.narrow_read_done(Moment(30_005), digest(3), Looks::Whole);
        let mut now = 30_005;
        for _ in 0..2 {
            // Twice as long as the last complete one, and `max` counts from after them.
            assert_eq!(acceptance.next(Moment(now)), Next::ReadAgainAt(Moment(now + 100)));
            acceptance.read_began(Moment(now + 100));
            assert_eq!(
                acceptance.next(Moment(now + 11_000)),
                Next::Sleep(Some(Moment(now + 24_100)))
            );
            acceptance.wake(Moment(now + 12_000));
            now += 12_100;
            acceptance.read_done(Moment(now), digest(3), Looks::Whole);
        }
        assert_eq!(acceptance.next(Moment(now)), Next::ReadAgainAt(Moment(now + 100)));
    }

    #[test]
    fn where_nothing_has_to_rest_events_are_believed() {
        let mut acceptance = woken(0);
        assert!(pass(&mut acceptance, 0, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(0)), Next::ReadAgainAt(Moment(0)));
        assert!(pass(&mut acceptance, 0, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(0)), Next::Accept(digest(2)));
        acceptance.wake(Moment(5));
        assert!(pass(&mut acceptance, 5, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(5)), Next::Unchanged(digest(2)));
    }

    #[test]
    fn quiet_that_is_asked_for_meanwhile_is_judged_by_a_complete_pass() {
        let mut acceptance = woken(0);
        pass(&mut acceptance, 0, 2, Looks::Whole);
        pass(&mut acceptance, 50, 2, Looks::Whole);
        acceptance.set_settle(Settle::default());
        assert_eq!(acceptance.next(Moment(60)), Next::ReadAgainAt(Moment(100)));
        assert!(!pass(&mut acceptance, 100, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(100)), Next::Accept(digest(2)));
    }

    #[test]
    fn a_first_pass_after_the_deadline_is_followed_by_a_complete_one_all_the_same() {
        let mut acceptance = woken(100);
        assert!(pass(&mut acceptance, 9_000, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(9_000)), Next::ReadAgainAt(Moment(9_100)));
        assert!(!pass(&mut acceptance, 9_100, 2, Looks::Whole));
        assert_eq!(acceptance.next(Moment(9_100)), Next::Accept(digest(2)));
    }

    #[test]
    fn what_is_asked_for_is_complete_and_so_is_what_is_shown_while_nothing_is_decided() {
        assert!(!woken(0).may_be_narrow(true) && !woken(100).may_be_narrow(true));
        assert!(!Acceptance::new(Settle::default(), None).may_be_narrow(false));
    }
}
