//! The real engine killed before and after each thing that it does and each thing that it writes, and at random
//! times, while sessions run: none is lost, none is there twice, each restart settles and finds nothing to do, and
//! what every round was decided from gives the same plan again.
//!
//! What is done while it dies are [`ways`]; what must hold is said by [`Mortal`]. An ordinary run kills once at each
//! kind of boundary; `WHARF_KILLS=300 cargo test -p golden --test real_kills` kills at every boundary that there is,
//! and at random times until it were so many.

mod found;
mod mortal;
mod ways;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
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

/// The kinds of boundaries that some test of this run has chosen.
static CHOSEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Whether nobody has chosen a boundary of this kind yet.
fn is_first(kind: &str) -> bool {
    CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.to_owned())
}

/// An engine that is killed, where, and how often.
struct Killing {
    mortal: Mortal,
    /// Whether it is killed at every boundary, or once at each kind.
    every: bool,
    random: Random,
    /// The kinds of boundaries at which it was killed.
    kinds: BTreeSet<String>,
    at_boundaries: usize,
    at_random: usize,
}

impl Killing {
    /// Goes a circle of ways once without a kill, then again until it has died at each boundary that was passed.
    fn circle(&mut self, ways: &[Way]) {
        let mut chosen: Vec<Vec<usize>> = Vec::new();
        for way in ways {
            let (start, passed) = self.mortal.passes(way);
            let own = passed.iter().enumerate().skip(start);
            let chosen_here = own.filter(|(_, kind)| self.every || is_first(kind));
            chosen.push(chosen_here.map(|(at, _)| at + 1).collect());
        }
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

    /// Dies at each boundary of a start.
    fn starts(&mut self) {
        let nothing = ways::nothing();
        let (start, passed) = self.mortal.passes(&nothing);
        for (at, kind) in passed.iter().enumerate().take(start) {
            if self.every || is_first(kind) {
                self.dies_at(&nothing, at + 1);
            }
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
    let Killing { mortal, kinds, at_boundaries, at_random, .. } = killing;
    println!(
        "{} kills: {at_boundaries} at boundaries of {} kinds, {at_random} at random, besides {} at rest; on {} ways; \
         {rounds} recorded rounds planned again",
        at_boundaries + at_random,
        kinds.len(),
        mortal.at_rest(),
        circles.iter().flatten().count(),
    );
    println!("kinds: {}", kinds.into_iter().collect::<Vec<_>>().join(", "));
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
