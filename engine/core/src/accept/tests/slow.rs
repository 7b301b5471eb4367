//! File systems that take their time, or fail whoever reads: nothing is lost, nothing stands still, nothing spins.

use super::*;

/// A pass over files of which each is read at its own moment, as long as the pass takes.
struct Slow {
    acceptance: Acceptance,
    /// When, and which set is on disk from then on.
    disk: Vec<(i64, u8)>,
    takes: i64,
    /// When the pass under way began; what it finds is what is there when it ends.
    began: Option<i64>,
    passes: Vec<(i64, i64)>,
    said: Vec<(i64, Next)>,
}

impl Slow {
    fn new(takes: i64, disk: &[(i64, u8)]) -> Self {
        Self {
            acceptance: Acceptance::new(Settle::default(), Some(digest(0))),
            disk: disk.to_vec(),
            takes,
            began: None,
            passes: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Lets time pass, to `end`, in steps of ten milliseconds.
    fn run(&mut self, end: i64) {
        for t in (0..=end).step_by(10) {
            if self.disk.iter().any(|(from, _)| *from == t) {
                self.acceptance.wake(Moment(t));
            }
            self.step(t);
        }
    }

    fn step(&mut self, t: i64) {
        if let Some(began) = self.began.filter(|began| began + self.takes <= t) {
            let on_disk = self.disk.iter().rev().find(|(from, _)| *from <= t);
            let n = on_disk.map_or(0, |(_, n)| *n);
            self.acceptance.read_done(Moment(t), digest(n), looks(n, true));
            self.passes.push((began, t));
            self.began = None;
        }
        for _ in 0..10 {
            match self.acceptance.next(Moment(t)) {
                Next::ReadAgainAt(at) if at <= Moment(t) => {
                    assert_eq!(self.began, None, "two passes at once");
                    self.acceptance.read_began(Moment(t));
                    self.began = Some(t);
                }
                Next::ReadAgainAt(_) | Next::Sleep(_) => return,
                said => self.said.push((t, said)),
            }
        }
        panic!("at {t} the automaton does not come to rest");
    }
}

#[test]
fn a_pass_that_takes_longer_than_the_patience_counts_when_it_comes() {
    let mut slow = Slow::new(12_000, &[(0, 1)]);
    slow.run(40_000);
    // Said once: with what the first one took, the second one is in time.
    assert_eq!(slow.said, [(10_000, Next::Silent(Moment(0))), (24_100, Next::Accept(digest(1)))]);
    assert_eq!(slow.passes, [(0, 12_000), (12_100, 24_100)]);
}

#[test]
fn files_that_are_those_in_force_need_one_slow_pass() {
    let mut slow = Slow::new(12_000, &[(0, 0)]);
    slow.run(40_000);
    assert_eq!(
        slow.said,
        [(10_000, Next::Silent(Moment(0))), (12_000, Next::Unchanged(digest(0)))]
    );
}

#[test]
fn an_edit_during_a_slow_pass_is_no_lack_of_rest() {
    let mut slow = Slow::new(12_000, &[(0, 1), (15_000, 2)]);
    slow.run(60_000);
    assert_eq!(slow.said.last(), Some(&(36_200, Next::Accept(digest(2)))), "{:?}", slow.said);
    assert!(!slow.said.iter().any(|(_, said)| matches!(said, Next::Refuse(..))), "{:?}", slow.said);
}

#[test]
fn edits_without_end_put_no_decision_off_for_ever() {
    let disk: Vec<(i64, u8)> = (0..100).map(|n| (n * 1_000, 1)).collect();
    let mut slow = Slow::new(3_000, &disk);
    slow.run(60_000);
    let (at, first) = slow.said[0];
    assert!(first == Next::Accept(digest(1)) && at <= 17_000, "{:?}", slow.said);
}

#[test]
fn nothing_is_decided_while_a_pass_is_under_way() {
    let mut slow = Slow::new(3_000, &[(0, 1)]);
    slow.run(6_000);
    assert_eq!((slow.acceptance.reading_since(), slow.began), (Some(Moment(3_100)), Some(3_100)));
    assert!(slow.acceptance.decides_by(Moment(6_000)).unwrap() >= Moment(13_100));
    assert!(slow.said.is_empty(), "{:?}", slow.said);
}

#[test]
fn what_was_under_way_when_a_change_window_ended_does_not_count() {
    let mut slow = Slow::new(3_000, &[(0, 1)]);
    slow.run(4_000);
    slow.acceptance.hold(Moment(4_000), Some(Moment(60_000)));
    slow.acceptance.hold(Moment(5_000), None);
    slow.disk.push((4_500, 2));
    for t in (5_000..20_000).step_by(10) {
        slow.step(t);
    }
    assert_eq!(slow.said, [(12_200, Next::Accept(digest(2)))], "{:?}", slow.passes);
}

#[test]
fn a_window_that_opens_meanwhile_holds_what_comes_back() {
    let mut slow = Slow::new(3_000, &[(0, 1)]);
    slow.run(4_000);
    slow.acceptance.hold(Moment(4_000), Some(Moment(60_000)));
    for t in (4_000..30_000).step_by(10) {
        slow.step(t);
    }
    assert!(slow.said.is_empty() && slow.passes.len() == 2, "{:?}", slow.said);
}

#[test]
fn a_clock_that_jumps_back_takes_what_is_under_way_with_it() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    acceptance.wake(Moment(1_000_000));
    acceptance.read_began(Moment(1_000_000));
    assert_eq!(acceptance.next(Moment(1_000_100)), Next::Sleep(Some(Moment(1_010_000))));
    assert_eq!(acceptance.next(Moment(5)), Next::Sleep(Some(Moment(9_905))));
}

#[test]
fn who_fails_at_each_pass_is_tried_again_later_each_time_and_at_once_when_asked() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    let mut now = Moment(0);
    let mut tries = Vec::new();
    acceptance.wake(now);
    while tries.len() < 12 {
        match acceptance.next(now) {
            Next::ReadAgainAt(at) => {
                now = now.max(at);
                tries.push(now.0 / 1_000);
                acceptance.read_began(now);
                acceptance.wake(now);
                acceptance.read_failed(now);
            }
            Next::Sleep(Some(until)) => {
                // Events make it no sooner.
                acceptance.wake(now);
                now = until;
            }
            said => panic!("{said:?}"),
        }
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1_111]);
    acceptance.ask(now);
    assert!(matches!(acceptance.next(now), Next::ReadAgainAt(at) if at <= now));
    read(&mut acceptance, now.0, digest(1), Looks::Whole);
    assert_eq!(acceptance.next(now), Next::ReadAgainAt(now.plus(Millis(100))));
}

proptest! {
    #[test]
    fn however_long_passes_take_only_what_held_still_is_accepted_and_at_last_what_is_there(
        takes in prop::sample::select(vec![0i64, 30, 90, 400, 3_000, 12_000]),
        steps in prop::collection::vec((1i64..800, 0u8..5), 0..30),
    ) {
        let mut t = 0;
        let disk: Vec<(i64, u8)> = steps
            .iter()
            .map(|&(wait, n)| {
                t += wait * 10;
                (t, n)
            })
            .collect();
        let mut slow = Slow::new(takes, &disk);
        let end = t + 8 * takes + 20_000;
        slow.run(end);
        let on_disk = disk.last().map_or(0, |(_, n)| *n);
        prop_assert_eq!(slow.acceptance.accepted(), Some(digest(on_disk)));
        prop_assert!(!slow.acceptance.is_deciding());
        for (at, _) in slow.said.iter().filter(|(_, said)| matches!(said, Next::Accept(_))) {
            let mut passes = slow.passes.iter().rev().skip_while(|(_, back)| back > at);
            let (last, before) = (passes.next().unwrap(), passes.next().unwrap());
            prop_assert!(last.0 - before.1 >= 0, "{:?}", slow.passes);
        }
    }
}

#[test]
fn the_times_that_are_kept_to_are_those_that_were_given_last() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    let times = Settle { quiet: Millis(1), invalid: Millis(2), max: Millis(3) };
    acceptance.set_settle(times);
    assert_eq!(acceptance.settle(), times);
    acceptance.set_patience(Millis(7));
    assert!(!acceptance.is_deciding());
    acceptance.wake(Moment(0));
    assert!(acceptance.is_deciding());
    acceptance.read_began(Moment(0));
    assert_eq!(acceptance.next(Moment(6)), Next::Sleep(Some(Moment(7))));
    assert_eq!(acceptance.next(Moment(7)), Next::Silent(Moment(0)));
}

#[test]
fn a_pass_for_who_asked_begins_something_only_where_it_found_what_nobody_knew_of() {
    let looked_at = |n, looks| {
        let mut acceptance = Acceptance::new(Settle::default(), Some(digest(1)));
        acceptance.wake(Moment(0));
        for at in [0, 2_000] {
            read(&mut acceptance, at, digest(2), Looks::Broken);
        }
        assert_eq!(acceptance.next(Moment(2_000)), Next::Refuse(digest(2), Refusal::Invalid));
        acceptance.hold(Moment(3_000), Some(Moment(9_000)));
        read(&mut acceptance, 3_000, digest(n), looks);
        acceptance.is_deciding()
    };
    assert!(looked_at(3, Looks::Whole));
    assert!(!looked_at(2, Looks::Broken), "refused before");
    assert!(looked_at(1, Looks::Whole), "as accepted: what was refused is over");
    let mut acceptance = Acceptance::new(Settle::default(), Some(digest(1)));
    read(&mut acceptance, 0, digest(1), Looks::Whole);
    assert!(!acceptance.is_deciding());
}

#[test]
fn only_the_end_of_a_window_begins_anew() {
    let mut acceptance = Acceptance::new(Settle::default(), None);
    let read = |acceptance: &mut Acceptance, at| {
        acceptance.read_began(Moment(at));
        acceptance.read_done(Moment(at), digest(1), Looks::Whole);
    };
    acceptance.wake(Moment(0));
    read(&mut acceptance, 0);
    let second = acceptance.next(Moment(1));
    assert_eq!(second, Next::ReadAgainAt(Moment(100)));
    acceptance.hold(Moment(1), None);
    assert_eq!(acceptance.next(Moment(1)), second, "no window was open");
    acceptance.hold(Moment(1), Some(Moment(9)));
    acceptance.hold(Moment(2), None);
    assert_eq!(
        acceptance.next(Moment(2)),
        Next::ReadAgainAt(Moment(2)),
        "what was read meanwhile may be half-written"
    );
}
