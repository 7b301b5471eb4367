//! Many sessions at once: all found by an engine that starts anew, and what they cost is printed.

use std::time::Instant;

use engine::ports::Launcher;
use engine_core::ids::Moment;
use engine_core::observed::Phase;

use crate::world::{World, wait_until};

/// As many as a test may take; `WHARF_TEST_SESSIONS` for a measurement.
fn count() -> usize {
    let asked = std::env::var("WHARF_TEST_SESSIONS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(20)
}

#[test]
fn an_engine_that_starts_anew_finds_every_session_at_its_first_look() {
    let mut world = World::new();
    let begun = Instant::now();
    for at in 0..count() {
        let order = world.order(&format!("s-{at}"), 1, "/bin/sleep", &["1000"]);
        world.start(&order);
    }
    println!("started {} in {:?}", count(), begun.elapsed());
    let started = wait_until(|| {
        let all = world.launcher.observe(Moment(1)).unwrap();
        let running = |phase: &Phase| *phase == Phase::Starting;
        let up = all.values().filter_map(|known| known.present()).filter(|s| running(&s.phase));
        (up.count() == count()).then_some(())
    });
    started.expect("all of them run");
    world.restart_engine();
    for look in ["first", "second", "third"] {
        let begun = Instant::now();
        let all = world.launcher.observe(Moment(2)).unwrap();
        println!("{look} look: {:?}", begun.elapsed());
        assert_eq!(all.len(), count());
        assert!(all.values().all(|known| known.present().is_some_and(|seen| seen.kept)));
    }
    println!("keepers: {} KiB each", keeper_kib(&world));
}

/// What a keeper adds to the memory in use: its proportional share, on the average.
fn keeper_kib(world: &World) -> u64 {
    let mut sum = 0;
    for at in 0..count() {
        let incarnation = world.order(&format!("s-{at}"), 1, "/", &[]).incarnation;
        let identity = crate::sessions::identity(world, &incarnation);
        let rollup = format!("/proc/{}/smaps_rollup", identity.keeper.pid);
        let text = std::fs::read_to_string(rollup).unwrap_or_default();
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0 kB");
        sum += pss.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
    }
    sum / count() as u64
}
