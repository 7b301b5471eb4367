//! Walks every edge of the table in the module's text, then searches for a way around it.

use proptest::prelude::*;

use super::*;
use crate::ids::Digest;

mod slow;

fn digest(n: u8) -> SiteDigest {
    SiteDigest(Digest::of(&[n]))
}

/// Sets from this number on look partial where they are valid.
const PARTIAL: u8 = 200;

fn looks(n: u8, valid: bool) -> Looks {
    match (valid, n >= PARTIAL) {
        (false, _) => Looks::Broken,
        (true, true) => Looks::Partial,
        (true, false) => Looks::Whole,
    }
}

/// Files that change at given times, and the automaton that is asked every millisecond.
struct World {
    acceptance: Acceptance,
    /// When, which set, whether it is valid; the last one not in the future is on disk.
    disk: Vec<(i64, u8, bool)>,
    reads: Vec<(i64, SiteDigest)>,
    said: Vec<(i64, Next)>,
}

impl World {
    fn new(settle: Settle, accepted: Option<u8>, disk: &[(i64, u8, bool)]) -> Self {
        Self {
            acceptance: Acceptance::new(settle, accepted.map(digest)),
            disk: disk.to_vec(),
            reads: Vec::new(),
            said: Vec::new(),
        }
    }

    fn at(&self, t: i64) -> (SiteDigest, Looks) {
        let entry = self.disk.iter().rev().find(|(from, ..)| *from <= t);
        entry.map_or((digest(0), Looks::Whole), |&(_, n, valid)| (digest(n), looks(n, valid)))
    }

    /// Runs to `end`, waking at every change and at `touches`.
    fn run(&mut self, end: i64, touches: &[i64]) {
        for t in 0..=end {
            if touches.contains(&t) || self.disk.iter().any(|(from, ..)| *from == t) {
                self.acceptance.wake(Moment(t));
            }
            self.ask(t);
        }
    }

    /// Follows the automaton until it waits.
    fn ask(&mut self, t: i64) {
        for _ in 0..10 {
            match self.acceptance.next(Moment(t)) {
                Next::ReadAgainAt(at) if at <= Moment(t) => {
                    let (digest, looks) = self.at(t);
                    self.reads.push((t, digest));
                    read(&mut self.acceptance, t, digest, looks);
                }
                Next::ReadAgainAt(_) | Next::Sleep(_) => return,
                said => self.said.push((t, said)),
            }
        }
        panic!("at {t} the automaton does not come to rest");
    }
}

/// A pass that takes no time.
fn read(acceptance: &mut Acceptance, t: i64, digest: SiteDigest, looks: Looks) {
    acceptance.read_began(Moment(t));
    acceptance.read_done(Moment(t), digest, looks);
}

/// What is said, when, of files that change thus (set 0 is in force and on disk before).
#[track_caller]
fn check(disk: &[(i64, u8, bool)], touches: &[i64], said: &[(i64, Next)]) {
    let mut world = World::new(Settle::default(), Some(0), disk);
    world.run(12_000, touches);
    assert_eq!(world.said, said);
}

#[test]
fn by_when_it_is_decided_is_known_as_long_as_it_is_not() {
    let mut world = World::new(Settle::default(), Some(0), &[(100, 1, true)]);
    let by = |world: &World, now| world.acceptance.decides_by(Moment(now));
    assert_eq!(by(&world, 99), None);
    world.run(100, &[]);
    assert_eq!(by(&world, 100), Some(Moment(5_100)));
    // It never lies behind as long as nothing is decided.
    assert_eq!(by(&world, 6_000), Some(Moment(6_100)));
    world.acceptance.hold(Moment(100), Some(Moment(60_000)));
    assert_eq!(by(&world, 100), Some(Moment(60_000)));
    world.acceptance.hold(Moment(101), None);
    (101..400).for_each(|t| world.ask(t));
    assert_eq!(world.said, [(201, Next::Accept(digest(1)))]);
    assert_eq!(by(&world, 400), None);
}

#[test]
fn nothing_is_read_before_the_first_event() {
    let mut world = World::new(Settle::default(), Some(0), &[]);
    world.run(1_000, &[]);
    assert!(world.reads.is_empty() && world.said.is_empty());
}

#[test]
fn a_valid_set_is_accepted_when_two_passes_a_quiet_time_apart_agree() {
    check(&[(10, 1, true)], &[], &[(110, Next::Accept(digest(1)))]);
}

#[test]
fn a_change_of_content_begins_the_quiet_time_anew() {
    check(&[(10, 1, true), (60, 2, true)], &[], &[(210, Next::Accept(digest(2)))]);
}

#[test]
fn touching_files_delays_nothing() {
    let touches: Vec<i64> = (10..200).collect();
    let last = (210, Next::Unchanged(digest(1)));
    check(
        &[(10, 1, true)],
        &touches,
        &[(110, Next::Accept(digest(1))), (111, last.1)]
            .into_iter()
            .chain((112..200).map(|t| (t, last.1)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_set_in_force_ends_the_matter_at_the_first_pass() {
    check(&[], &[10], &[(10, Next::Unchanged(digest(0)))]);
}

#[test]
fn errors_are_given_time_for_the_other_half_to_arrive() {
    check(&[(10, 1, false), (1_500, 2, true)], &[], &[(1_600, Next::Accept(digest(2)))]);
}

#[test]
fn errors_that_stay_are_refused() {
    check(&[(10, 1, false)], &[], &[(2_010, Next::Refuse(digest(1), Refusal::Invalid))]);
}

#[test]
fn a_partial_set_is_given_the_same_time_and_then_accepted() {
    let accepted = Next::Accept(digest(PARTIAL));
    check(&[(10, PARTIAL, true)], &[], &[(2_010, accepted)]);
    // Its other half arrives.
    check(&[(10, PARTIAL, true), (1_500, 2, true)], &[], &[(1_600, Next::Accept(digest(2)))]);
    // It was only away for a moment.
    check(&[(10, PARTIAL, true), (1_500, 0, true)], &[], &[(1_500, Next::Unchanged(digest(0)))]);
}

#[test]
fn a_partial_set_that_held_still_late_is_accepted_at_the_latest_moment() {
    let disk: Vec<(i64, u8, bool)> =
        (0..5u8).map(|n| (10 + 900 * i64::from(n), PARTIAL + n, true)).collect();
    check(&disk, &[], &[(5_010, Next::Accept(digest(PARTIAL + 4)))]);
}

#[test]
fn a_refused_set_is_read_a_few_times_only() {
    let mut world = World::new(Settle::default(), Some(0), &[(10, 1, false)]);
    world.run(3_000, &[]);
    assert_eq!(world.reads.len(), 3, "{:?}", world.reads);
}

#[test]
fn a_set_refused_before_is_refused_again_at_once() {
    let again = Next::Refuse(digest(1), Refusal::Invalid);
    check(&[(10, 1, false)], &[4_000], &[(2_010, again), (4_000, again)]);
}

#[test]
fn putting_the_files_back_ends_a_refusal() {
    check(
        &[(10, 1, false), (3_000, 0, true), (4_000, 1, false)],
        &[],
        &[
            (2_010, Next::Refuse(digest(1), Refusal::Invalid)),
            (3_000, Next::Unchanged(digest(0))),
            (6_000, Next::Refuse(digest(1), Refusal::Invalid)),
        ],
    );
}

#[test]
fn a_refused_set_that_is_mended_is_accepted() {
    check(
        &[(10, 1, false), (3_000, 2, true)],
        &[],
        &[(2_010, Next::Refuse(digest(1), Refusal::Invalid)), (3_100, Next::Accept(digest(2)))],
    );
}

#[test]
fn a_set_with_errors_that_keeps_changing_is_refused_at_the_latest_moment() {
    let disk: Vec<(i64, u8, bool)> =
        (0..10u8).map(|n| (10 + 1_000 * i64::from(n), n + 1, false)).collect();
    let mut world = World::new(Settle::default(), Some(0), &disk);
    world.run(9_000, &[]);
    assert_eq!(world.said[0], (5_010, Next::Refuse(digest(6), Refusal::Invalid)));
}

#[test]
fn a_set_that_never_holds_still_is_refused_as_unsettled_and_accepted_once_it_does() {
    let disk: Vec<(i64, u8, bool)> =
        (0..110u8).map(|n| (10 + 50 * i64::from(n), n + 1, true)).collect();
    let mut world = World::new(Settle::default(), Some(0), &disk);
    world.run(9_000, &[]);
    let (first, last) = (world.said[0], world.said[1]);
    assert!(matches!(first, (5_010, Next::Refuse(_, Refusal::Unsettled))), "{first:?}");
    assert_eq!(last.1, Next::Accept(digest(110)));
    assert!(last.0 <= 5_460 + 200, "{last:?}");
    assert_eq!(world.said.len(), 2);
}

#[test]
fn events_after_every_pass_put_no_decision_off_and_none_is_forgotten() {
    let mut acceptance = Acceptance::new(Settle::default(), Some(digest(0)));
    acceptance.wake(Moment(0));
    let mut now = Moment(0);
    let said = loop {
        match acceptance.next(now) {
            Next::ReadAgainAt(at) => {
                now = now.max(at);
                read(&mut acceptance, now.0, digest(1), Looks::Whole);
                acceptance.wake(now);
            }
            said => break said,
        }
    };
    assert_eq!((now, said), (Moment(5_000), Next::Accept(digest(1))));
    assert_eq!(acceptance.next(now), Next::ReadAgainAt(now));
}

#[test]
fn a_change_window_holds_acceptance_and_then_all_is_read_anew() {
    let mut world =
        World::new(Settle::default(), Some(0), &[(10, 1, true), (500, 2, true), (7_990, 3, true)]);
    world.acceptance.hold(Moment(0), Some(Moment(8_000)));
    world.run(12_000, &[]);
    assert_eq!(world.reads.first(), Some(&(8_000, digest(3))));
    assert_eq!(world.said, [(8_100, Next::Accept(digest(3)))]);
}

#[test]
fn a_window_that_ends_early_lets_the_set_be_read_at_once() {
    let mut world = World::new(Settle::default(), Some(0), &[(0, 1, true)]);
    world.acceptance.wake(Moment(0));
    world.acceptance.hold(Moment(0), Some(Moment(60_000)));
    assert_eq!(world.acceptance.next(Moment(10)), Next::Sleep(Some(Moment(60_000))));
    world.acceptance.hold(Moment(20), None);
    assert_eq!(world.acceptance.next(Moment(20)), Next::ReadAgainAt(Moment(20)));
}

#[test]
fn a_window_without_an_event_wakes_nobody() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    acceptance.hold(Moment(0), Some(Moment(100)));
    assert_eq!(acceptance.next(Moment(1)), Next::Sleep(None));
    assert_eq!(acceptance.next(Moment(200)), Next::Sleep(None));
}

#[test]
fn new_settle_times_count_from_the_next_answer_on() {
    let mut world = World::new(Settle::default(), Some(0), &[(0, 1, true)]);
    world.acceptance.wake(Moment(0));
    world.ask(0);
    world.acceptance.set_settle(Settle { quiet: Millis(400), ..Settle::default() });
    assert_eq!(world.acceptance.next(Moment(100)), Next::ReadAgainAt(Moment(400)));
}

#[test]
fn settle_times_out_of_order_are_put_in_order() {
    let odd = Settle { quiet: Millis(300), invalid: Millis(10), max: Millis(0) };
    let mut world = World::new(odd, Some(0), &[(10, 1, true)]);
    world.run(1_000, &[]);
    assert_eq!(world.said, [(310, Next::Accept(digest(1)))]);
}

#[test]
fn a_clock_that_jumps_back_neither_delays_nor_hastens() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    acceptance.wake(Moment(1_000_000));
    read(&mut acceptance, 1_000_000, digest(1), Looks::Whole);
    assert_eq!(acceptance.next(Moment(5)), Next::ReadAgainAt(Moment(105)));
    read(&mut acceptance, 105, digest(1), Looks::Whole);
    assert_eq!(acceptance.next(Moment(105)), Next::Accept(digest(1)));
}

#[test]
fn a_clock_that_jumps_back_takes_a_change_window_with_it() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    acceptance.wake(Moment(1_000_000));
    acceptance.hold(Moment(1_000_000), Some(Moment(1_000_500)));
    assert_eq!(acceptance.next(Moment(0)), Next::Sleep(Some(Moment(500))));
}

#[test]
fn a_set_that_could_not_be_stored_is_offered_again() {
    let mut world = World::new(Settle::default(), Some(0), &[(0, 1, true)]);
    world.run(200, &[]);
    world.acceptance.set_accepted(Some(digest(0)));
    world.acceptance.wake(Moment(210));
    (210..=400).for_each(|t| world.ask(t));
    assert_eq!(world.said.len(), 2);
    assert_eq!(world.said[1].1, Next::Accept(digest(1)));
}

proptest! {
    #[test]
    fn whatever_happens_only_a_set_that_held_still_is_accepted_and_all_is_decided_in_time(
        steps in prop::collection::vec((1i64..400, 0u8..7), 0..60),
        touches in prop::collection::vec(0i64..8_000, 0..40),
        invalid in prop::collection::vec(any::<bool>(), 7),
    ) {
        let mut t = 0;
        let disk: Vec<(i64, u8, bool)> = steps
            .iter()
            .map(|&(wait, n)| {
                t += wait;
                let number = if n > 4 { PARTIAL + n } else { n };
                (t, number, n == 0 || !invalid[n as usize])
            })
            .collect();
        let settle = Settle { quiet: Millis(100), invalid: Millis(600), max: Millis(1_500) };
        let end = t.max(8_000) + 4_000;
        let mut world = World::new(settle, Some(0), &disk);
        let mut open_since = None;
        for now in 0..=end {
            let woken = touches.contains(&now) || disk.iter().any(|(from, ..)| *from == now);
            if woken {
                world.acceptance.wake(Moment(now));
                open_since = open_since.or(Some(now));
            }
            let said_before = world.said.len();
            world.ask(now);
            for &(_, said) in &world.said[said_before..] {
                open_since = None;
                if let Next::Accept(accepted) = said {
                    let last = world.reads[world.reads.len() - 1];
                    let run = world.reads.iter().rev().take_while(|read| read.1 == accepted);
                    let first = run.last().copied().unwrap_or(last);
                    prop_assert_eq!(last.1, accepted);
                    prop_assert!(last.0 - first.0 >= 100, "{:?}", world.reads);
                }
            }
            if world.acceptance.is_deciding() {
                open_since = open_since.or(Some(now));
            }
            if let Some(since) = open_since {
                prop_assert!(now - since <= 1_500, "undecided since {} at {}", since, now);
            }
        }
        // In the end the last word fits what is on disk.
        let (on_disk, looks) = world.at(end);
        if looks != Looks::Broken {
            prop_assert_eq!(world.acceptance.accepted(), Some(on_disk));
        } else {
            let last = world.said.last().map(|&(_, said)| said);
            prop_assert_eq!(last, Some(Next::Refuse(on_disk, Refusal::Invalid)));
        }
        prop_assert!(!world.acceptance.is_deciding());
    }
}
