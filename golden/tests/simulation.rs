//! The seeded sweep: chaos, then calm. The promise is written in `engine::lab::faults`.
//!
//! `WHARF_SEED=n` replays one seed; `WHARF_SEEDS=n` widens the sweep, `WHARF_SEEDS=m..n` is a part of it. A
//! failure prints seed, step, what broke, and the last things that happened.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

use engine::lab::world::lock;
use engine::ports::{Batch, Store};
use engine::recorded::{Recorded, lines};
use engine::store::keys;
use engine_core::desired::{Effect, Override};
use engine_core::ids::Generation;
use golden::simulated::run::Run;
use grammar::value::Millis;

fn run(seed: u64, nodes: usize) {
    let mut run = Run::new(seed, nodes);
    run.chaos();
    run.calm();
}

fn sweep(nodes: usize) {
    let said = |name: &str| std::env::var(name).ok();
    if let Some(seed) = said("WHARF_SEED").and_then(|text| text.parse().ok()) {
        run(seed, nodes);
        return;
    }
    let seeds = said("WHARF_SEEDS").unwrap_or_else(|| "200".to_owned());
    let (first, end) = seeds.split_once("..").unwrap_or(("0", &seeds));
    for seed in first.parse().unwrap()..end.parse().unwrap() {
        run(seed, nodes);
    }
}

#[test]
fn one_node_survives_chaos_and_settles_in_calm() {
    sweep(1);
}

#[test]
fn two_nodes_survive_chaos_and_settle_in_calm() {
    sweep(2);
}

/// Files come to rest, two seconds at a time.
fn rounds(run: &mut Run, count: usize) {
    for _ in 0..count {
        lock(&run.world).pass(Millis(2_000));
        run.take_in();
        run.tell_world();
        run.round();
    }
}

/// Which generation acts, and in the place of which.
fn acts(run: &Run) -> (Option<u64>, Option<u64>) {
    let mark = run.engines[0].reconciler.in_force().map(|site| &site.mark);
    let acting = mark.and_then(|mark| mark.acting).map(|acting| acting.0);
    (mark.map(|mark| mark.generation.0), acting)
}

#[test]
fn an_approved_set_acts_after_a_restart_whatever_became_of_its_approval() {
    let mut run = Run::new(1, 1);
    run.write_apply("confirm");
    run.wake();
    rounds(&mut run, 4);
    let newest = acts(&run).0;
    let approve = |run: &mut Run| {
        let now = lock(&run.world).now;
        run.engines[0].reconciler.apply(None, false, now).unwrap();
    };
    approve(&mut run);
    run.write_session(0, "stop", "running", 7);
    run.wake();
    rounds(&mut run, 4);
    let edited = acts(&run);
    assert!(edited.0 > newest && edited.1.is_some(), "it waits: {edited:?}");
    run.restart(0);
    assert_eq!(acts(&run), edited);

    approve(&mut run);
    assert_eq!(acts(&run), (edited.0, None));
    let remove = vec![keys::APPROVAL.to_owned()];
    run.store.commit(&Batch { remove, ..Batch::default() }).unwrap();
    run.restart(0);
    assert_eq!(acts(&run), (edited.0, None));
}

#[test]
fn a_set_that_was_approved_by_its_number_acts() {
    let mut run = Run::new(1, 1);
    rounds(&mut run, 4);
    run.write_apply("confirm");
    run.write_session(0, "stop", "running", 7);
    run.wake();
    rounds(&mut run, 4);
    let (Some(newest), Some(_)) = acts(&run) else { panic!("it waits: {:?}", acts(&run)) };
    // As versions wrote it that knew sets by their numbers only.
    for (number, acting) in [(newest - 1, true), (newest, false)] {
        let record = format!(r#"{{"format":1,"generation":{number},"matters":[]}}"#);
        let put = vec![(keys::APPROVAL.to_owned(), record.into_bytes())];
        run.store.commit(&Batch { put, ..Batch::default() }).unwrap();
        run.restart(0);
        rounds(&mut run, 1);
        assert_eq!(acts(&run).1.is_some(), acting, "of generation {number}");
    }
}

/// Found by seed 40: the pin was given, could not be read once, and was still obeyed after it was cleared.
#[test]
fn a_pin_that_cannot_be_read_is_over_once_it_is_cleared() {
    let mut run = Run::new(1, 1);
    let node = run.nodes[0].clone();
    rounds(&mut run, 4);
    let now = lock(&run.world).now;
    let pin = Override::new(Effect::Pin { generation: Generation(1) }, "ann", "", now, None);
    // Another generation is in force, so that the pinned one has to be read.
    run.write_session(5, "stop", "running", 0);
    run.wake();
    rounds(&mut run, 1);
    run.engines[0].reconciler.ledger().put_override(&pin).unwrap();
    lock(&run.world).cut.insert(node.clone(), now.plus(Millis(1_000_000)));
    rounds(&mut run, 1);
    lock(&run.world).cut.clear();
    run.engines[0].reconciler.ledger().clear_override(&pin.id).unwrap();
    rounds(&mut run, 4);
    run.check_arrival();
}

#[test]
fn the_round_in_which_an_engine_dies_is_recorded_and_plans_again_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::new(1, 1);
    lock(&run.world).pass(Millis(2_000));
    run.take_in();
    run.engines[0].reconciler.record_into(dir.path().to_owned());
    let now = lock(&run.world).now;
    lock(&run.world).dies_after = Some(0);
    run.engines[0].reconciler.round(now, "its last");
    assert!(lock(&run.world).sessions.is_empty(), "nothing was done");
    let saved: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().collect();
    let [saved] = &saved[..] else { panic!("{saved:?}") };
    let recorded = Recorded::parse(&std::fs::read_to_string(saved.path()).unwrap()).unwrap();
    let planned = recorded.planned.clone().unwrap();
    assert!(planned.iter().any(|line| line.starts_with("step")), "{planned:?}");
    assert_eq!(lines(&recorded.replan().unwrap()), planned);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    let journal = |seed| {
        let mut run = Run::new(seed, 2);
        run.chaos();
        lock(&run.world).journal.clone()
    };
    assert_eq!(journal(11), journal(11));
}
