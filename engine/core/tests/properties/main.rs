//! Properties of lowering and planning over small random sites and worlds.
//!
//! `site` writes files, `life` lets things happen to a world; every plan on the way is proven by
//! `engine_core::proof` and `engine_core::forecast`.

mod life;
mod site;

use engine_core::desired::{Lowered, lower, lower_after};
use engine_core::planner::{self, Input};
use proptest::prelude::*;

use life::{Event, Life};
use site::{Site, ground};

fn lowered(site: &Site) -> Lowered {
    lower(&site.files(), &ground())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happens, in whatever order: each plan keeps its rules, its way ends, and rest is rest.
    #[test]
    fn every_plan_on_the_way_is_proven(
        first in site::any_site(),
        events in prop::collection::vec(life::any_event(), 1..24),
    ) {
        let mut life = Life::new(&first);
        for event in &events {
            life.happen(event);
            if let Err(wrong) = life.round() {
                prop_assert!(false, "after {event:?}: {wrong}\n{:#?}", life.observed);
            }
        }
    }

    /// Left alone, a world comes to rest, and rest lasts until time goes on.
    #[test]
    fn a_world_that_is_left_alone_settles(
        first in site::any_site(),
        events in prop::collection::vec(life::any_event(), 0..12),
    ) {
        let mut life = Life::new(&first);
        for event in &events {
            life.happen(event);
            prop_assert!(life.round().is_ok());
        }
        life.happen(&Event::Calm);
        for _ in 0..60 {
            life.happen(&Event::EverythingDone);
            match life.round() {
                Ok(plan) if plan.steps.is_empty() && plan.is_settled() => return Ok(()),
                Ok(_) => life.happen(&Event::Advance(61)),
                Err(wrong) => prop_assert!(false, "{wrong}"),
            }
        }
        let plan = life.round();
        prop_assert!(false, "no rest: {plan:#?}");
    }

    /// A plan is a function of its input.
    #[test]
    fn the_same_input_gives_the_same_plan(site in site::any_site()) {
        let mut life = Life::new(&site);
        life.happen(&Event::EverythingDone);
        let (desired, origins) = life.desired();
        let input = Input {
            desired: &desired,
            origins: &origins,
            observed: &life.observed,
            now: life.now,
        };
        prop_assert_eq!(planner::plan(&input), planner::plan(&input.clone()));
    }

    /// A site that is paused, and one of which nothing was accepted, gets no step but routes; where it is paused what
    /// listens no more does so again.
    #[test]
    fn an_inert_engine_takes_no_step(site in site::any_site(), paused: bool) {
        let mut life = Life::new(&site);
        if paused {
            life.observed.memory.paused = true;
        } else {
            life.observed.in_force.digest = None;
        }
        let (desired, origins) = life.desired();
        let input = Input {
            desired: &desired,
            origins: &origins,
            observed: &life.observed,
            now: life.now,
        };
        let traffic = |id: &str| id.starts_with("listen/") || id.starts_with("lead/");
        let plan = planner::plan(&input);
        prop_assert!(
            plan.steps.iter().all(|s| s.id.contains("route/") || paused && traffic(&s.id))
        );
    }

    /// Blank lines and comments ask for nothing.
    #[test]
    fn lowering_ignores_blank_lines_and_comments(site in site::any_site(), every in 1_usize..4) {
        let plain = lowered(&site);
        let padded = lowered(&site.padded(every));
        prop_assert_eq!(&plain.desired, &padded.desired);
        prop_assert!(plain.settings.changes(&padded.settings).is_empty());
        prop_assert_eq!(plain.is_acceptable(), padded.is_acceptable());
    }

    /// A site compared with itself differs in nothing, and what is asked for is a function of its files.
    #[test]
    fn a_site_does_not_differ_from_itself(site in site::any_site()) {
        let (a, b) = (lowered(&site), lowered(&site));
        prop_assert!(a.settings.changes(&b.settings).is_empty());
        prop_assert_eq!(a.desired, b.desired);
    }

    /// Changes go both ways: what one direction adds, the other removes.
    #[test]
    fn changes_are_symmetric(a in site::any_site(), b in site::any_site()) {
        let (a, b) = (lowered(&a).settings, lowered(&b).settings);
        let there: Vec<_> = a.changes(&b).into_iter().map(|c| (c.file, c.option, c.scope)).collect();
        let back: Vec<_> = b.changes(&a).into_iter().map(|c| (c.file, c.option, c.scope)).collect();
        let sorted = |mut all: Vec<_>| { all.sort(); all };
        prop_assert_eq!(sorted(there), sorted(back));
    }

    /// What was kept of an earlier lowering changes nothing but its cost, whatever was edited.
    #[test]
    fn lowering_again_is_lowering_anew(a in site::any_site(), b in site::any_site()) {
        let mut sessions_of_b = a.files();
        sessions_of_b.sessions = b.files().sessions;
        let mut earlier = lowered(&a);
        for files in [sessions_of_b, b.files(), a.files(), a.files()] {
            let again = lower_after(&files, &ground(), &earlier.pieces);
            prop_assert_eq!(&again, &lower(&files, &ground()));
            earlier = again;
        }
    }

    /// Every origin is a line of a file that is there.
    #[test]
    fn every_origin_exists(site in site::any_site()) {
        let origins = lowered(&site).origins;
        for (what, places) in origins.iter() {
            for place in places {
                let lines = site.lines_of(&place.file);
                prop_assert!(place.line >= 1, "{what}");
                prop_assert!(place.line as usize <= lines.max(1), "{what} in {}:{}", place.file, place.line);
            }
        }
    }

    /// Lowering says something of every text, and never panics.
    #[test]
    fn lowering_is_total(text in "\\PC{0,200}", bytes in "[a-z=\\[\\]\"{}#:,. \n-]{0,200}") {
        for text in [text, bytes] {
            drop(lower(&Site::garbled(&text).files(), &ground()));
        }
    }
}
