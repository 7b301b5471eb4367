//! What people do to the engines of a simulation: commands against files, pauses, pins, change windows.
//!
//! Each command is what the control thread makes of it, and the world is told what must hold from then on.
//! A command that the store refused may have been done all the same: then the world demands nothing of it.

use engine::lab::random::Random;
use engine::lab::world::{Shared, lock};
use engine_core::desired::{Effect, Override, WantedState};
use engine_core::ids::{Generation, Moment, NodeId, SessionId};
use grammar::value::Millis;

use super::Engine;

/// One of them does something to an engine; `nodes` are those of the site.
pub fn command(engine: &mut Engine, world: &Shared, nodes: &[NodeId], random: &mut Random) {
    let now = lock(world).now;
    let until = Some(now.plus(Millis(2_000 + random.below(20_000))));
    match random.below(7) {
        0 | 1 => {
            let session = SessionId::new(&format!("s{}", random.below(6))).expect("a name");
            let running = random.below(2) == 0;
            let state = if running { WantedState::Running } else { WantedState::Stopped };
            let effect = Effect::SessionState { session: session.clone(), state };
            if effect.contradicts(&engine.reconciler.files_ask()) {
                // Stopped by a person, or let run against its file until the word is over: no harm of files.
                let mut told = lock(world);
                told.may_end.insert(session.clone());
                told.told.insert(session);
            }
            tell(engine, world, effect, until, now);
        }
        2 => {
            let node = any(nodes, random);
            let effect = match random.below(3) {
                0 => Effect::Schedulable { node, schedulable: random.below(2) == 0 },
                1 => Effect::Drain { node },
                _ => Effect::Weight { node, weight: u32::try_from(random.below(3)).unwrap_or(0) },
            };
            tell(engine, world, effect, until, now);
        }
        3 => pause(engine, world, until, now),
        // Each node numbers the generations that it accepts: what is pinned is one node's.
        4 if nodes.len() == 1 => {
            let kept = engine.reconciler.ledger().history();
            let at = usize::try_from(random.below(kept.len().max(1) as u64)).unwrap_or(0);
            let Some(mark) = kept.get(at) else { return };
            if engine.reconciler.can_pin(mark.generation) {
                tell(engine, world, Effect::Pin { generation: mark.generation }, until, now);
            }
        }
        5 => window(engine, world, random, now),
        _ => clear_one(engine, world, random),
    }
}

/// Nobody says anything any more, and files speak for themselves. What an engine does not know to be stored,
/// since it was told that it is not, is found when it reads the store the next time: to be said again.
pub fn silence(engine: &mut Engine, world: &Shared) {
    lock(world).paused_until = None;
    let ledger = engine.reconciler.ledger();
    let ids: Vec<String> = ledger.overrides().iter().map(|given| given.id.clone()).collect();
    ids.iter().for_each(|id| drop(ledger.clear_override(id)));
    let now = lock(world).now;
    let open: Vec<String> = ledger.windows().open(now).map(|window| window.id.clone()).collect();
    open.iter().for_each(|id| drop(ledger.end_window(id)));
    if !open.is_empty() {
        engine.intake.wake(now);
    }
}

fn any(nodes: &[NodeId], random: &mut Random) -> NodeId {
    let at = usize::try_from(random.below(nodes.len() as u64)).unwrap_or(0);
    nodes[at].clone()
}

/// What `control::overrides` does with a command.
fn tell(
    engine: &mut Engine,
    world: &Shared,
    effect: Effect,
    until: Option<Moment>,
    now: Moment,
) -> bool {
    let words = effect.words();
    let contradicts = effect.contradicts(&engine.reconciler.files_ask());
    let ledger = engine.reconciler.ledger();
    let told = if contradicts {
        ledger.put_override(&Override::new(effect, "ann", "", now, until)).is_ok()
    } else {
        ledger.clear_replaced(&effect).is_ok()
    };
    lock(world).note(&format!("a person says: {words}{}", if told { "" } else { ", in vain" }));
    told
}

fn pause(engine: &mut Engine, world: &Shared, until: Option<Moment>, now: Moment) {
    let told = tell(engine, world, Effect::Pause, until, now);
    // The one before may have been replaced although this one was reported to have failed.
    lock(world).paused_until = until.filter(|_| told);
}

/// Begins a window, or ends one.
fn window(engine: &mut Engine, world: &Shared, random: &mut Random, now: Moment) {
    let ledger = engine.reconciler.ledger();
    let open = ledger.windows().open(now).next().map(|window| window.id.clone());
    match open {
        Some(id) => {
            lock(world).note(&format!("a person ends the change window {id}"));
            if ledger.end_window(&id).is_ok() {
                engine.intake.wake(now);
            }
        }
        None => {
            let ttl = Millis(1_000 + random.below(30_000));
            if let Ok(window) = ledger.windows().begin("play", "ann", ttl, now) {
                lock(world).note(&format!("a person begins a change window of {ttl}"));
                let _ = ledger.put_window(window);
            }
        }
    }
}

fn clear_one(engine: &mut Engine, world: &Shared, random: &mut Random) {
    let ledger = engine.reconciler.ledger();
    let given = ledger.overrides();
    let at = usize::try_from(random.below(given.len().max(1) as u64)).unwrap_or(0);
    let Some(given) = given.get(at).cloned() else { return };
    let mut told = lock(world);
    told.note(&format!("a person clears {}", given.id));
    match &given.effect {
        Effect::Pause => told.paused_until = None,
        Effect::SessionState { session, .. } => drop(told.may_end.insert(session.clone())),
        Effect::Pin { generation: Generation(_) }
        | Effect::Schedulable { .. }
        | Effect::Drain { .. }
        | Effect::Weight { .. } => {}
    }
    drop(told);
    let _ = ledger.clear_override(&given.id);
}
