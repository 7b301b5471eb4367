//! Probes of `[policy]`: what waits, for what, for how long.

use engine_core::ids::Moment;
use golden::real::engine::session as session_of;
use grammar::own::OwnKind;

use super::{Editor, Probe, file_of};

const WHARF: &str = "wharf.toml";
const MINUTE_MS: i64 = 60_000;

const fn probe(field: &'static str, effect: &'static str, see: fn(&mut Editor)) -> Probe {
    Probe { kind: OwnKind::Wharf, field, effect, see }
}

/// The group.
pub(super) const PROBES: &[Probe] = &[
    probe("policy.apply", "what an edit does waits for `wharf apply`, or no longer", apply),
    probe(
        "policy.session-restart",
        "an outdated session waits to be idle instead",
        session_restart,
    ),
    probe("policy.harm-delay", "an end that waits comes sooner", harm_delay),
    probe("policy.max-harmed", "an end that waits needs `wharf apply`", max_harmed),
    probe("policy.concurrent-starts", "a start that waited for another begins", concurrent_starts),
    probe("policy.back-off.first", "a session that fails waits longer", back_off_first),
    probe("policy.back-off.max", "and longer at the most", back_off_max),
    probe("policy.back-off.give-up-after", "it is given up, and tried again", give_up_after),
    probe("policy.back-off.within", "failures further apart no longer count together", within),
    probe("policy.windows", "a restart waits for the window", windows),
];

#[test]
fn probes_of_policy() {
    let wharf = [
        ("policy.harm-delay", "\"60s\""),
        ("policy.back-off.first", "\"20ms\""),
        ("policy.back-off.max", "\"1h\""),
        ("policy.back-off.give-up-after", "1000"),
        ("workbenches.slow.exe", "\"/bin/sh\""),
        ("workbenches.slow.args", "[\"-c\", \"exec sleep 600\"]"),
        ("workbenches.fails.exe", "\"/bin/false\""),
    ];
    Editor::probe_all(&wharf, PROBES);
}

fn apply(editor: &mut Editor) {
    editor.set(WHARF, "policy.apply", "\"confirm\"");
    editor.busy.edit("load-balancer", "balancer=user-hash\n");
    editor.until("the balancer waits", |status| {
        let mut holds = status.holds.iter().filter(|hold| hold.resource == "balancer");
        holds.any(|hold| hold.waiting.contains("needs `wharf apply`")).then_some(())
    });
    assert_eq!(editor.status().balancer, "sessions");
    editor.unset(WHARF, "policy.apply");
    editor.until("it waits no more", |status| (status.balancer == "user-hash").then_some(()));
    editor.in_force(|editor| editor.busy.engine.site.remove("load-balancer"));
}

fn session_restart(editor: &mut Editor) {
    editor.runs("outdated", &[("env.WORD", "\"one\"")]);
    editor.set(&file_of("outdated"), "env.WORD", "\"two\"");
    editor.held("outdated", "at its next start: env WORD");
    editor.set(WHARF, "policy.session-restart", "\"when-idle\"");
    editor.held("outdated", "once it is idle");
    editor.unset(WHARF, "policy.session-restart");
    editor.held("outdated", "at its next start");
    editor.gone("outdated");
}

fn harm_delay(editor: &mut Editor) {
    editor.runs("leaves", &[("on-removal", "\"stop\"")]);
    editor.remove(&file_of("leaves"));
    let held = editor.held("leaves", "waits for harm-delay");
    assert!(waits_longer_than(editor, held.until, 40_000), "{held:?}");
    editor.set(WHARF, "policy.harm-delay", "\"100ms\"");
    editor.no_longer("leaves");
    editor.set(WHARF, "policy.harm-delay", "\"60s\"");
}

fn max_harmed(editor: &mut Editor) {
    editor.runs("leaves", &[("on-removal", "\"stop\"")]);
    editor.remove(&file_of("leaves"));
    editor.held("leaves", "waits for harm-delay");
    editor.set(WHARF, "policy.max-harmed", "0");
    editor.held("leaves", "max-harmed is 0");
    editor.set(WHARF, "policy.max-harmed", "100");
    editor.held("leaves", "waits for harm-delay");
    editor.ended("leaves");
}

fn concurrent_starts(editor: &mut Editor) {
    editor.set(WHARF, "policy.concurrent-starts", "1");
    for id in ["slow-1", "slow-2"] {
        editor.add(&file_of(id), &[("workbench", "\"slow\"")]);
    }
    editor.is("slow-1", "starting");
    editor.held("slow-2", "waits for other starts");
    editor.set(WHARF, "policy.concurrent-starts", "2");
    editor.is("slow-2", "starting");
    for id in ["slow-1", "slow-2"] {
        editor.gone(id);
    }
    editor.unset(WHARF, "policy.concurrent-starts");
}

/// Whether `until` is more than so many milliseconds after the round that the status tells of.
fn waits_longer_than(editor: &Editor, until: Option<Moment>, ms: i64) -> bool {
    until.is_some_and(|until| until.0 - editor.status().round_at.0 > ms)
}

/// Adds a session that fails at once, and waits until it has done so a few times.
fn fails(editor: &mut Editor) {
    editor.add(&file_of("fails"), &[("workbench", "\"fails\"")]);
    editor.held("fails", "ends of its own");
}

/// Waits until the session that fails is started once more.
fn fails_again(editor: &mut Editor) {
    let mut first = None;
    editor.until("it is started again", |status| {
        let n = session_of(status, "fails")?.incarnation;
        (n > 0 && n > *first.get_or_insert(n.max(1))).then_some(())
    });
}

fn back_off_first(editor: &mut Editor) {
    fails(editor);
    editor.set(WHARF, "policy.back-off.first", "\"50m\"");
    let held = editor.held("fails", "ends of its own");
    assert!(waits_longer_than(editor, held.until, 40 * MINUTE_MS), "{held:?}");
    editor.set(WHARF, "policy.back-off.first", "\"20ms\"");
    editor.forgotten("fails");
}

fn back_off_max(editor: &mut Editor) {
    fails(editor);
    editor.set(WHARF, "policy.back-off.first", "\"1h\"");
    let held = editor.held("fails", "ends of its own");
    assert!(!waits_longer_than(editor, held.until, 60 * MINUTE_MS), "{held:?}");
    editor.set(WHARF, "policy.back-off.max", "\"3h\"");
    editor.until("it waits longer", |status| {
        let hold = status.holds.iter().find(|hold| hold.resource == "session/fails")?;
        (hold.until?.0 - status.round_at.0 > 90 * MINUTE_MS).then_some(())
    });
    editor.set(WHARF, "policy.back-off.first", "\"20ms\"");
    editor.set(WHARF, "policy.back-off.max", "\"1h\"");
    editor.forgotten("fails");
}

fn give_up_after(editor: &mut Editor) {
    fails(editor);
    editor.set(WHARF, "policy.back-off.give-up-after", "2");
    editor.held("fails", "gave up after");
    editor.is("fails", "failed");
    editor.set(WHARF, "policy.back-off.give-up-after", "1000");
    fails_again(editor);
    editor.forgotten("fails");
}

fn within(editor: &mut Editor) {
    fails(editor);
    editor.set(WHARF, "policy.back-off.give-up-after", "2");
    editor.held("fails", "gave up after");
    editor.set(WHARF, "policy.back-off.within", "\"1ms\"");
    fails_again(editor);
    editor.unset(WHARF, "policy.back-off.within");
    editor.held("fails", "gave up after");
    editor.set(WHARF, "policy.back-off.give-up-after", "1000");
    editor.forgotten("fails");
}

/// Windows of which one at the most is open at any time.
const WINDOWS: [&str; 3] = ["Mon 02:00-03:00", "Wed 02:00-03:00", "Fri 02:00-03:00"];

fn windows(editor: &mut Editor) {
    editor.runs("outdated", &[("env.WORD", "\"one\""), ("update.apply", "\"now\"")]);
    editor.set(&file_of("outdated"), "env.WORD", "\"two\"");
    editor.held("outdated", "waits for harm-delay");
    see_windows(editor, |editor, window| {
        editor.set(WHARF, "policy.windows", &format!("[\"{window}\"]"));
    });
    editor.unset(WHARF, "policy.windows");
    editor.held("outdated", "waits for harm-delay");
    editor.gone("outdated");
}

/// Sees that what restarts `outdated` waits for whichever window is set: each opens at another time.
pub(super) fn see_windows(editor: &mut Editor, set: impl Fn(&mut Editor, &str)) {
    let mut opens = Vec::new();
    for window in WINDOWS {
        set(editor, window);
        let held = editor.held("outdated", "waits for");
        if held.waiting == "waits for its time window" {
            opens.push(held.until.expect("a window opens some time").0);
        }
    }
    assert!(opens.len() >= 2, "one of them is open at the most: {opens:?}");
    opens.sort_unstable();
    assert!(opens.windows(2).all(|two| two[0] < two[1]), "{opens:?}");
}
