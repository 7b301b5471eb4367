//! The embedded store against a real disk: killed, cut short, and with no room left.
//!
//! The process that is killed is this test binary itself, run again with [`ROLE`] set; what it
//! acknowledged is what it printed. Needs no program but `sh`, and `unshare` and `mount` when root.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use engine::ports::{Batch, Store, StoreError};
use engine::store::Recovery;
use engine::store::sled::{Opened, SledStore};
use engine_core::ids::Moment;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// Says what a child is to do: `write WRITERS`, `fill LIMIT`, `fill-tmpfs`.
const ROLE: &str = "WHARF_TEST_STORE_ROLE";
/// The store's directory, for a child.
const DIR: &str = "WHARF_TEST_STORE_DIR";

/// Kills in one run.
const KILLS: u32 = 200;
/// So many children at once.
const LANES: usize = 4;
/// Records that a child writes before it ends by itself.
const RECORDS: u32 = 1000;

/// On the disk that the build is on: a directory for temporary files may be memory.
fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's directory can be written")
}

fn open(dir: &Path) -> Opened {
    SledStore::open(dir, Moment(1_000)).expect("the store opens")
}

fn put(key: &str, bytes: &[u8]) -> Batch {
    Batch { put: vec![(key.to_owned(), bytes.to_vec())], ..Batch::default() }
}

fn record(writer: u32, n: u32) -> (String, Vec<u8>) {
    let bytes = format!(r#"{{"format":1,"writer":{writer},"n":{n}}}"#);
    (format!("w/{writer}/{n:06}"), bytes.into_bytes())
}

/// This test binary once more, as a child that does `role` in `dir`.
fn child(before: &str, role: &str, dir: &Path) -> Child {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" --exact the_child --nocapture --test-threads=1"))
        .arg(std::env::current_exe().expect("a running program has a path"))
        .env(ROLE, role)
        .env(DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs")
}

/// No test of its own: what the other tests run as a child. Without a role it has nothing to do.
#[test]
fn the_child() {
    let (Ok(role), Some(dir)) = (std::env::var(ROLE), std::env::var_os(DIR).map(PathBuf::from))
    else {
        return;
    };
    match role.split_once(' ') {
        Some(("write", writers)) => write_until_killed(&dir, writers.parse().expect("a number")),
        Some(("fill", limit)) => fill_to_a_limit(&dir, limit.parse().expect("a number")),
        _ => fill_a_file_system(&dir),
    }
}

fn write_until_killed(dir: &Path, writers: u32) {
    let store = open(dir).store;
    thread::scope(|scope| {
        for writer in 0..writers {
            let store = &store;
            scope.spawn(move || {
                for n in 0..RECORDS / writers {
                    let (key, bytes) = record(writer, n);
                    store.commit(&put(&key, &bytes)).expect("nothing else writes here");
                    // One write of one line: whole in the pipe, or not at all.
                    writeln!(std::io::stdout(), "acknowledged {writer}").expect("somebody reads");
                }
            });
        }
    });
}

/// Numbers that look random and are the same for the same seed (xorshift64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).expect("below a u32")
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_and_hardly_anything_else() {
    let seed = 0x5eed_0001;
    println!("seed {seed:#x}");
    let mut random = Seeded(seed);
    let kills: Vec<(u32, u32)> = (0..KILLS).map(|n| (n, 1 + random.below(RECORDS))).collect();
    // Side by side: each child mostly waits for the disk.
    thread::scope(|scope| {
        for lane in kills.chunks(kills.len().div_ceil(LANES)) {
            scope.spawn(move || {
                for &(kill, after) in lane {
                    let writers = if kill % 2 == 0 { 1 } else { 4 };
                    let case = format!(
                        "seed {seed:#x}, kill {kill}, {writers} writers, after {after} commits"
                    );
                    kill_and_compare(writers, after, &case);
                }
            });
        }
    });
}

/// One kill. Panics if an acknowledged record is not there, or more than one that was not, a writer.
fn kill_and_compare(writers: u32, after: u32, case: &str) {
    let scratch = scratch();
    let dir = scratch.path().join("store");
    let acknowledged = kill_after(&dir, writers, after);
    let opened = open(&dir);
    assert_eq!(opened.recovered, None, "{case}");
    let mut whole = 0;
    for writer in 0..writers {
        let count = acknowledged.get(&writer).copied().unwrap_or(0);
        let there = records_of(&opened.store, writer, case);
        assert!(there >= count, "{case}: {count} acknowledged, {there} there");
        assert!(there <= count + 1, "{case}: {count} acknowledged, {there} there");
        whole += there;
    }
    let found = opened.store.scan("").expect("the store can be read").len();
    assert_eq!(found, usize::try_from(whole).expect("small"), "{case}: nothing else is there");
}

/// Runs a child, kills it once it has acknowledged `after` commits; what it acknowledged, by writer.
fn kill_after(dir: &Path, writers: u32, after: u32) -> BTreeMap<u32, u32> {
    let mut child = child("", &format!("write {writers}"), dir);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut acknowledged: BTreeMap<u32, u32> = BTreeMap::new();
    let mut seen = 0;
    // To the end: what it printed before the kill was acknowledged, whenever it is read.
    while let Some(Ok(line)) = lines.next() {
        // The harness of the child prints the test's name before the first line.
        let Some((_, writer)) = line.split_once("acknowledged ") else { continue };
        *acknowledged.entry(writer.parse().expect("a number")).or_default() += 1;
        seen += 1;
        if seen == after {
            child.kill().expect("it can be killed");
        }
    }
    child.wait().expect("it can be waited for");
    assert!(seen >= after, "the child ended after {seen} of {after} commits");
    acknowledged
}

/// How many records of a writer are there: the first so many, each as it was written.
fn records_of(store: &SledStore, writer: u32, case: &str) -> u32 {
    let found = store.scan(&format!("w/{writer}/")).expect("the store can be read");
    let mut n = 0;
    for (key, found) in found {
        assert_eq!((key, found.bytes), record(writer, n), "{case}: a gap or another's bytes");
        n += 1;
    }
    n
}

#[test]
fn a_file_cut_at_any_page_is_recovered_from_or_reported() {
    let scratch = scratch();
    let saved = scratch.path().join("saved");
    let texts = filled(&saved);
    let mut cases = 0;
    let mut reported = 0;
    for name in files_of(&saved.join("data")) {
        let len = fs::metadata(saved.join("data").join(&name)).expect("it is there").len();
        for at in (0..len).step_by(4096) {
            // Without a snapshot every eighth time.
            let snapshot = (at / 4096) % 8 != 7;
            let case = format!("{name} cut to {at} of {len}, snapshot {snapshot}");
            cases += 1;
            reported += u32::from(cut_and_open(scratch.path(), &name, at, snapshot, &texts, &case));
        }
    }
    println!("{cases} cuts, {reported} of them reported");
    assert!(cases > 16 && reported > 0, "{cases} cuts, {reported} reported");
}

/// Opens a copy with one file cut; whether that was noticed. Panics if something was lost silently.
fn cut_and_open(
    scratch: &Path,
    name: &str,
    at: u64,
    snapshot: bool,
    texts: &BTreeMap<String, Vec<u8>>,
    case: &str,
) -> bool {
    let (saved, dir) = (scratch.join("saved"), scratch.join("store"));
    for gone in [dir.clone(), scratch.join("store.damaged-1000")] {
        let _ = fs::remove_dir_all(gone);
    }
    copy(&saved, &dir);
    let beside = scratch.join("store.jsonl");
    if snapshot {
        fs::copy(scratch.join("saved.jsonl"), &beside).expect("it can be copied");
    } else {
        let _ = fs::remove_file(&beside);
    }
    let cut =
        OpenOptions::new().write(true).open(dir.join("data").join(name)).expect("it is there");
    cut.set_len(at).expect("it can be cut");
    let opened = open(&dir);
    let found = opened.store.scan("").expect("the store can be read");
    let found: BTreeMap<_, _> =
        found.into_iter().map(|(key, record)| (key, record.bytes)).collect();
    let Some(Recovery { aside, snapshot: used, .. }) = opened.recovered else {
        assert_eq!(&found, texts, "{case}: lost silently");
        return false;
    };
    assert!(aside.is_some_and(|aside| aside.is_dir()), "{case}: moved aside");
    assert_eq!(used.is_some(), snapshot, "{case}");
    let expected = if snapshot { texts.clone() } else { BTreeMap::new() };
    assert_eq!(found, expected, "{case}");
    assert!(opened.store.commit(&put("after", b"{}")).is_ok(), "{case}: it can be written again");
    true
}

/// A closed store with 64 KiB of records, some of them written twice, and its snapshot beside it.
fn filled(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let opened = open(dir);
    let mut texts = BTreeMap::new();
    for n in 0..128_u32 {
        let key = format!("k/{:02}", n % 64);
        let bytes = format!(r#"{{"format":1,"n":{n},"pad":"{}"}}"#, "x".repeat(1000)).into_bytes();
        opened.store.commit(&put(&key, &bytes)).expect("the store can be written");
        texts.insert(key, bytes);
    }
    opened.store.write_snapshot("test", Moment(900)).expect("a snapshot can be written");
    texts
}

fn files_of(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).expect("it is there").map(|file| file.expect("it can be read"));
    let files = files.filter(|file| file.file_type().expect("it has a type").is_file());
    let mut names: Vec<String> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("it is new");
    for file in fs::read_dir(from).expect("it is there").map(|file| file.expect("it can be read")) {
        let to = to.join(file.file_name());
        if file.file_type().expect("it has a type").is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), &to).expect("it can be copied");
        }
    }
}

#[test]
fn a_store_that_may_not_grow_stays_readable_and_works_again_when_it_may() {
    let scratch = scratch();
    // Ignored, so that writing beyond the limit is an error and no signal; sh hands that on.
    for limit in [600_000, 1_048_576, 1_300_000] {
        let dir = scratch.path().join(format!("store-{limit}"));
        done(child("trap '' XFSZ;", &format!("fill {limit}"), &dir));
    }
}

#[test]
fn a_full_file_system_leaves_the_store_readable_and_it_works_again_with_room() {
    if !rustix::process::geteuid().is_root() {
        println!(
            "not root, so no file system of our own: the test with a limit on files stands for it"
        );
        return;
    }
    let scratch = scratch();
    let mount = format!("mount -t tmpfs -o size=1m,mode=0700 none '{}'", scratch.path().display());
    let may = Command::new("unshare").args(["-m", "sh", "-c", &mount]).status();
    if !may.is_ok_and(|status| status.success()) {
        println!("root may not mount here: the test with a limit on files stands for it");
        return;
    }
    let before = format!("{mount} &&");
    let dir = scratch.path().join("store");
    let exe = std::env::current_exe().expect("a running program has a path");
    let run = format!("{before} exec \"$0\" --exact the_child --nocapture --test-threads=1");
    let child = Command::new("unshare")
        .args(["-m", "sh", "-c", &run])
        .arg(exe)
        .env(ROLE, "fill-tmpfs")
        .env(DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare ran before");
    done(child);
}

/// A child must end well and say that it did all it was to do.
fn done(child: Child) {
    let output = child.wait_with_output().expect("it can be waited for");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("filled and emptied"), "{text}");
}

fn fill_to_a_limit(dir: &Path, limit: u64) {
    let unlimited = getrlimit(Resource::Fsize);
    fill(
        dir,
        || {
            let limited = Rlimit { current: Some(limit), maximum: unlimited.maximum };
            setrlimit(Resource::Fsize, limited).expect("a soft limit can be lowered");
        },
        || setrlimit(Resource::Fsize, unlimited).expect("a soft limit can be raised"),
    );
}

fn fill_a_file_system(dir: &Path) {
    let ballast = dir.with_file_name("ballast");
    fill(
        dir,
        || {
            // Whatever fits: the store must do with the room that it has already.
            let mut file = fs::File::create(&ballast).expect("an empty file fits");
            while file.write_all(&[0; 4096]).is_ok() {}
        },
        || fs::remove_file(&ballast).expect("it is there"),
    );
}

/// Fills a store until it refuses, with the room taken by `take`; then again after `give`.
fn fill(dir: &Path, take: impl FnOnce(), give: impl FnOnce()) {
    let store = open(dir).store;
    let mut acknowledged = 0;
    let bytes = |n: u32| vec![u8::try_from(n % 251).expect("below 251"); 3000];
    let key = |n: u32| format!("k/{n:06}");
    for n in 0..5 {
        store.commit(&put(&key(n), &bytes(n))).expect("there is room");
        acknowledged += 1;
    }
    take();
    let refused = loop {
        match store.commit(&put(&key(acknowledged), &bytes(acknowledged))) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 10_000, "it never filled");
    };
    assert!(matches!(refused, StoreError::Failed { .. }), "{refused:?}");
    let whole = |store: &SledStore, count: u32| {
        let found = store.scan("k/").expect("the store can be read");
        assert_eq!(found.len(), usize::try_from(count).expect("small"));
        for (n, (found_key, record)) in (0..).zip(found) {
            assert_eq!((found_key, record.bytes), (key(n), bytes(n)));
        }
    };
    whole(&store, acknowledged);
    // Again and again: refused each time, and never half done.
    for _ in 0..3 {
        let again = store.commit(&put("k/other", &bytes(1)));
        assert!(matches!(again, Err(StoreError::Failed { .. })), "{again:?}");
    }
    whole(&store, acknowledged);
    give();
    for _ in 0..5 {
        let written = store.commit(&put(&key(acknowledged), &bytes(acknowledged)));
        written.expect("there is room again");
        acknowledged += 1;
    }
    drop(store);
    let opened = open(dir);
    assert_eq!(opened.recovered, None);
    whole(&opened.store, acknowledged);
    println!("filled and emptied");
}
