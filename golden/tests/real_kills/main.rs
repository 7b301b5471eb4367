//! The real engine killed before and after each thing that it does and each thing that it writes, and at random
//! times, while sessions run: none is lost, none is there twice, each restart settles and finds nothing to do, and
//! what every round was decided from gives the same plan again.
//!
//! What is done while it dies are [`ways`]; what must hold is said by [`Mortal`]. An ordinary run kills once at each
//! kind of boundary that a test passes, and fails where it did not;
//! `WHARF_KILLS=300 cargo test -p golden --test real_kills` kills at every boundary that there is, and at random times
//! until it were so many.

mod found;
mod mortal;
mod ways;

use std::collections::BTreeSet;
use std::time::Duration;

use engine::lab::random::Random;
use mortal::Mortal;
use ways::Way;

/// How many kills are asked for; none = one at each kind of boundary.
fn asked_for() -> Option<usize> {
    let text = std::env::var("WHARF_KILLS").ok()?;
    Some(text.parse().expect("WHARF_KILLS is a number"))
}

/// Of so many kills at the least this share is at random times: one in so many.
const RANDOM_SHARE: usize = 5;

/// How often a circle is gone for kinds of boundaries that were chosen: under load another order may come, and it dies
/// at another kind or not at all.
const TRIES: usize = 3;

/// An engine that is killed, where, and how often.
struct Killing {
    mortal: Mortal,
    /// Whether it is killed at every boundary, or once at each kind.
    every: bool,
    random: Random,
    /// The kinds of boundaries at which it was to be killed.
    chosen: BTreeSet<String>,
    /// Those at which it was.
    kinds: BTreeSet<String>,
    at_boundaries: usize,
    at_random: usize,
}

impl Killing {
    /// Chooses among boundaries that were passed, the first `start` left out: each one, or one of each kind at
    /// which it has not died yet. Numbers from 1.
    fn choose(
        &self,
        passed: &[String],
        start: usize,
        every: bool,
        picked: &mut BTreeSet<String>,
    ) -> Vec<usize> {
        let own = passed.iter().enumerate().skip(start);
        let chosen = own.filter(|(_, kind)| {
            let is_first = picked.insert((*kind).clone());
            every || (is_first && !self.kinds.contains(*kind))
        });
        chosen.map(|(at, _)| at + 1).collect()
    }

    /// Whether it has not died at each kind that was chosen.
    fn misses(&self) -> bool {
        !self.chosen.is_subset(&self.kinds)
    }

    /// Goes a circle of ways until it has died at each kind of boundary that was passed.
    fn circle(&mut self, ways: &[Way]) {
        self.circle_once(ways, self.every);
        for _ in 1..TRIES {
            if self.misses() {
                self.circle_once(ways, false);
            }
        }
    }

    /// Goes a circle of ways once without a kill, then again until it was killed at each boundary that was chosen.
    fn circle_once(&mut self, ways: &[Way], every: bool) {
        let mut picked = BTreeSet::new();
        let mut chosen: Vec<Vec<usize>> = Vec::new();
        for way in ways {
            let (start, passed) = self.mortal.passes(way);
            chosen.push(self.choose(&passed, start, every, &mut picked));
        }
        self.chosen.append(&mut picked);
        for round in 0..chosen.iter().map(Vec::len).max().unwrap_or(0).max(1) {
            for (way, chosen) in ways.iter().zip(&chosen) {
                match chosen.get(round) {
                    Some(at) => self.dies_at(way, *at),
                    // The circle goes on all the same.
                    None => self.dies_some_time(way),
                }
            }
        }
    }

    /// Dies at each kind of boundary of a start.
    fn starts(&mut self) {
        for again in 0..TRIES {
            if again > 0 && !self.misses() {
                return;
            }
            let nothing = ways::nothing();
            let (start, passed) = self.mortal.passes(&nothing);
            let mut picked = BTreeSet::new();
            let every = self.every && again == 0;
            let chosen = self.choose(&passed[..start], 0, every, &mut picked);
            self.chosen.append(&mut picked);
            chosen.into_iter().for_each(|at| self.dies_at(&nothing, at));
        }
    }

    fn dies_at(&mut self, way: &Way, at: usize) {
        // It may have passed fewer this time, and come to the end alive.
        if let Some(kind) = self.mortal.dies_at(way, at) {
            self.at_boundaries += 1;
            self.kinds.insert(kind);
        }
    }

    fn dies_some_time(&mut self, way: &Way) {
        let ms = self.random.below(LONGEST_MS);
        self.mortal.dies_after(way, Duration::from_millis(ms), self.at_random);
        self.at_random += 1;
    }
}

/// Random kills come at most so late after a way was begun.
const LONGEST_MS: u64 = 400;

/// Kills an engine on these circles of ways, and says what came of it.
fn kill_on(mortal: Mortal, circles: &[Vec<Way>]) {
    let asked = asked_for();
    let mut killing = Killing {
        mortal,
        every: asked.is_some(),
        random: Random::new(0x5eed),
        chosen: BTreeSet::new(),
        kinds: BTreeSet::new(),
        at_boundaries: 0,
        at_random: 0,
    };
    killing.starts();
    for ways in circles {
        killing.circle(ways);
    }
    let wanted = asked.map_or(0, |kills| kills / SHARES);
    let mut ways = circles.iter().flatten().cycle();
    while killing.at_boundaries + killing.at_random < wanted
        || killing.at_random * RANDOM_SHARE < wanted
    {
        killing.dies_some_time(ways.next().expect("there are ways"));
    }
    let rounds = killing.mortal.replans();
    let Killing { mortal, chosen, kinds, at_boundaries, at_random, .. } = killing;
    println!(
        "{} kills: {at_boundaries} at boundaries of {} kinds, {at_random} at random, besides {} at rest; on {} ways; \
         {rounds} recorded rounds planned again",
        at_boundaries + at_random,
        kinds.len(),
        mortal.at_rest(),
        circles.iter().flatten().count(),
    );
    println!("kinds: {}", kinds.iter().cloned().collect::<Vec<_>>().join(", "));
    assert!(!chosen.is_empty(), "no boundary was passed: nothing was proven");
    let missed: Vec<_> = chosen.difference(&kinds).collect();
    assert!(missed.is_empty(), "it was to die at each kind, and did not at {missed:?}");
}

/// How many tests share the kills.
const SHARES: usize = 3;

#[test]
fn killed_while_files_change() {
    kill_on(Mortal::start("policy.harm-delay = \"100ms\"\n"), &ways::files());
}

#[test]
fn killed_while_places_change() {
    kill_on(Mortal::start("policy.harm-delay = \"100ms\"\n"), &ways::places());
}

#[test]
fn killed_while_people_command() {
    let wharf = "policy.apply = \"confirm-harmful\"\npolicy.harm-delay = \"100ms\"\n";
    kill_on(Mortal::start(wharf), &ways::commands());
}
