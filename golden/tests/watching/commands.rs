//! `wharf reload --wait` and SIGHUP: each has the files read at once, and `reload` says what came of it.

use golden::real::engine::is;
use golden::real::{Process, Site, wait_for};
use rustix::process::Signal;

use super::{Bench, NEVER, text, wharf_toml};

/// Nothing but these reads: of the file's change no event tells.
fn write_silently(bench: &Bench, n: u32) {
    let other = bench.outside("other");
    if !other.exists() {
        std::fs::hard_link(bench.file(), &other).expect("one file system");
    }
    std::fs::write(other, text(n)).expect("it is ours");
}

fn site() -> Site {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml(NEVER, "60s"));
    site
}

fn hang_up(bench: &Bench) {
    Process::of(bench.engine.pid()).expect("it runs").signal(Signal::HUP);
}

#[test]
fn reload_reads_at_once_and_its_exit_code_is_the_verdict() {
    let mut bench = Bench::new(site());
    write_silently(&bench, 2);
    is(&bench.engine.admin(&["reload", "--wait"]), 0, "is in force");
    assert_eq!(bench.status().nodes[&bench.node].weight, 2, "the verdict is of what was on disk");
    write_silently(&bench, 3);
    is(&bench.engine.admin(&["reload", "--wait", "--detailed-exitcode"]), 2, "is in force");
    is(&bench.engine.admin(&["reload", "--wait", "--detailed-exitcode"]), 0, "is in force");

    let good =
        std::fs::read_to_string(bench.engine.site.path("rserver.conf")).expect("it is there");
    bench.engine.site.write("rserver.conf", &format!("{good}www-prot=1\n"));
    for _ in 0..2 {
        let refused = bench.engine.admin(&["reload", "--wait"]);
        is(&refused, 1, "rserver.conf:3:1");
        is(&refused, 1, "stays in force");
        assert_eq!(refused.stdout, "", "only a result stands on stdout: {refused:?}");
    }
    let refused = bench.engine.admin(&["reload", "--wait", "--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&refused.stdout).expect("an object");
    assert_eq!((refused.code, &verdict["accepted"]), (Some(1), &false.into()), "{refused:?}");
    assert!(verdict["problems"][0].as_str().is_some_and(|line| line.contains("www-prot")));
    bench.engine.site.write("rserver.conf", &good);
    is(&bench.engine.admin(&["reload", "--wait"]), 0, "is in force");
    is(&bench.engine.admin(&["reload"]), 0, "looking at the files");
    is(&bench.engine.admin(&["reload", "--wait", "--timeout", "soon"]), 64, "--timeout");
    bench.engine.kill_9();
    is(&bench.engine.admin(&["reload", "--wait"]), 69, "");
}

#[test]
fn a_hangup_reads_at_once_and_a_hundred_do_not_pile_up() {
    let mut bench = Bench::new(site());
    write_silently(&bench, 2);
    hang_up(&bench);
    bench.in_force(2);

    write_silently(&bench, 3);
    let before = bench.status();
    for _ in 0..100 {
        hang_up(&bench);
    }
    bench.in_force(3);
    let after = bench.reload();
    assert_eq!(after.generation.0, before.generation.0 + 1);
    assert!(after.rounds - before.rounds < 20, "{} rounds", after.rounds - before.rounds);
}

#[test]
fn a_hangup_at_a_refused_set_is_another_verdict_and_in_a_change_window_none() {
    let mut bench = Bench::new(site());
    let good =
        std::fs::read_to_string(bench.engine.site.path("rserver.conf")).expect("it is there");
    bench.engine.site.write("rserver.conf", &format!("{good}www-prot=1\n"));
    let first = bench
        .engine
        .wait_status("refused", |status| status.refused.as_ref().map(|_| status.decided_at));
    hang_up(&bench);
    let again = bench
        .engine
        .wait_status("refused again", |status| (status.decided_at > first).then(|| status.clone()));
    let refused = again.refused.expect("as before");
    assert!(refused.problems.iter().any(|line| line.contains("www-prot")), "{refused:?}");
    bench.engine.site.write("rserver.conf", &good);
    let repaired = bench.reload();

    is(&bench.engine.admin(&["change", "begin", "--id", "play"]), 0, "play");
    write_silently(&bench, 5);
    hang_up(&bench);
    is(&bench.engine.admin(&["reload", "--wait", "--timeout", "1"]), 1, "\"play\" is open");
    assert_eq!(bench.status().decided_at, repaired.decided_at, "nothing is judged");
    is(&bench.engine.admin(&["change", "end", "--wait"]), 0, "is in force");
    wait_for("what was written meanwhile", || match bench.status().nodes[&bench.node].weight {
        5 => Ok(()),
        other => Err(format!("weight {other}")),
    });
}

/// Files that never hold still are refused with that as the reason, and accepted once they do.
#[test]
fn files_that_do_not_hold_still_say_so() {
    let site = site();
    let policy = wharf_toml(NEVER, "60s");
    let short = policy.replace("200ms", "900ms").replace("500ms", "1s").replace("20s", "2s");
    site.write("wharf.toml", &short);
    let mut bench = Bench::new(site);
    let mut n = 2;
    let refused = wait_for("unsettled", || {
        n += 1;
        std::fs::write(bench.file(), text(n)).expect("it is ours");
        bench.engine.status()?.refused.ok_or_else(|| "not refused".to_owned())
    });
    assert!(refused.problems[0].contains("WH0617"), "{refused:?}");
    bench.in_force(n);
}
