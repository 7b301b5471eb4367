//! Many files: one after another, at once, and more events than the kernel keeps.

use std::fs;
use std::path::Path;

use golden::real::Site;
use golden::real::engine::is;

use super::{Bench, Connected, NEVER, text, wharf_toml};

const MANY: usize = 500;

fn stopped(name: &str) -> String {
    format!("workbench = \"demo\"\nstate = \"stopped\"\ndisplay-name = \"{name}\"\n")
}

fn write_many(dir: &Path, name: &str) {
    for n in 0..MANY {
        fs::write(dir.join(format!("s{n:03}.toml")), stopped(name)).expect("it is ours");
    }
}

/// Waits until all of them are in force, under this name.
#[track_caller]
fn all_are(bench: &mut Bench, name: &str) -> u64 {
    bench.engine.wait_status(name, |status| {
        let named = status.sessions.iter().filter(|session| session.display_name == name).count();
        (named == MANY).then_some(status.generation.0)
    })
}

#[test]
fn five_hundred_files_are_one_generation_or_two_however_they_come() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(NEVER, "0s"));
    let mut bench = Bench::new(site);
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    let sessions = bench.engine.site.path("sessions.d");
    let demo_file = fs::read_to_string(sessions.join("demo.toml")).expect("it is there");

    let mut generation = bench.reload().generation.0;
    let mut few = |bench: &mut Bench, name: &str| {
        let now = all_are(bench, name);
        assert!(now - generation <= 2, "{name}: from {generation} to {now}");
        generation = now;
    };
    write_many(&sessions, "one after another");
    few(&mut bench, "one after another");

    // By rename of a whole directory.
    let beside = bench.outside("beside");
    fs::create_dir(&beside).expect("it is ours");
    write_many(&beside, "all at once");
    fs::write(beside.join("demo.toml"), &demo_file).expect("it is ours");
    super::sh(
        r#"mv "$D" "$O"; mv "$B" "$D""#,
        &[("D", &sessions), ("O", &bench.outside("old")), ("B", &beside)],
    );
    few(&mut bench, "all at once");

    // As tools do that remove everything first, the running one too: nothing waits for harm-delay here.
    let staged = bench.outside("staged");
    fs::create_dir(&staged).expect("it is ours");
    write_many(&staged, "removed first");
    fs::write(staged.join("demo.toml"), &demo_file).expect("it is ours");
    super::sh(
        r#"tar -C "$S" -cf "$O" .; rm "$D"/*; tar -C "$D" -xf "$O""#,
        &[("D", &sessions), ("S", &staged), ("O", &bench.outside("tar"))],
    );
    few(&mut bench, "removed first");
    demo.are_known_to(&mut bench.engine);
    is(&bench.engine.admin(&["status"]), 0, "demo");
}

/// So many events that the kernel drops some (fs.inotify.max_queued_events) while the engine is stopped: the
/// content that is there at last is in force without another event.
#[test]
fn more_events_than_the_kernel_keeps() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let limit: u32 = limit.map_or(16_384, |text| text.trim().parse().expect("a number"));
    let site = Site::empty();
    site.write("wharf.toml", &wharf_toml(NEVER, "60s"));
    let mut bench = Bench::new(site);
    bench.reload();
    let engine = golden::real::Process::of(bench.engine.pid()).expect("it runs");
    engine.signal(rustix::process::Signal::STOP);
    // Two names in turn, because the same event twice is one.
    let (a, b) = (bench.dir().join("a"), bench.dir().join("b"));
    for _ in 0..=limit / 2 {
        for file in [&a, &b] {
            fs::File::create(file).expect("it is ours");
        }
    }
    fs::remove_file(&a).expect("it is there");
    fs::write(bench.file(), text(77)).expect("it is ours");
    engine.signal(rustix::process::Signal::CONT);
    bench.in_force(77);
}
