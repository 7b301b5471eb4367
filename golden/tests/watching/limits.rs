//! The kernel gives no more watches, or none at all: files are read every `poll`, and `status` says which and what to
//! do.

use golden::real::engine::is;
use golden::real::{Own, Site, within};

use super::{Bench, text, wharf_toml};

/// Lets this user have so many watches or watchers in this namespace.
fn limit(name: &str, n: u32) {
    std::fs::write(format!("/proc/sys/user/{name}"), n.to_string()).expect("all capabilities");
}

/// As an ordinary account, with nothing but a number in a file.
fn bench() -> Bench {
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml("1s", "60s"));
    Bench::new(site)
}

fn with_few_watches() {
    limit("max_inotify_watches", 3);
    let mut bench = bench();
    let status = bench.status();
    assert!(!status.polled.is_empty(), "{status:?}");
    for why in status.polled.values() {
        assert!(why.contains("raise fs.inotify.max_user_watches"), "{why}");
    }
    is(&bench.engine.admin(&["status"]), 0, "raise fs.inotify.max_user_watches");
    for n in 11..13 {
        std::fs::write(bench.file(), text(n)).expect("it is ours");
        bench.in_force(n);
    }
    // Raised, it is heard again without a restart.
    limit("max_inotify_watches", 1_000);
    bench.engine.wait_status("all is watched", |status| status.polled.is_empty().then_some(()));
    std::fs::write(bench.file(), text(20)).expect("it is ours");
    bench.in_force(20);
}

#[test]
fn fewer_watches_than_directories() {
    within(Own::Limits, fewer_watches_than_directories, with_few_watches);
}

fn without_a_watcher() {
    limit("max_inotify_instances", 0);
    let mut bench = bench();
    is(&bench.engine.admin(&["status"]), 0, "raise fs.inotify.max_user_instances");
    std::fs::write(bench.file(), text(11)).expect("it is ours");
    bench.in_force(11);
}

#[test]
fn no_watcher_at_all() {
    within(Own::Limits, no_watcher_at_all, without_a_watcher);
}
