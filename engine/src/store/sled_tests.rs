//! The embedded store: the port's words, damage, and what opening refuses.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::FileExt;

use super::*;
use crate::store::conformance::conformance;

fn open(dir: &Path) -> Opened {
    SledStore::open(dir, Moment(1_000)).unwrap()
}

fn put(store: &SledStore, key: &str, bytes: &[u8]) -> Version {
    let batch = Batch { put: vec![(key.to_owned(), bytes.to_vec())], ..Batch::default() };
    store.commit(&batch).unwrap()
}

/// A store with forty records of 1 KiB of JSON, closed; and the names beside it.
fn filled(dir: &Path, snapshot: bool) {
    let opened = open(dir);
    for n in 0..40 {
        put(&opened.store, &format!("k/{n:02}"), json(n).as_bytes());
    }
    if snapshot {
        opened.store.write_snapshot("main", Moment(900)).unwrap();
    }
}

fn json(n: usize) -> String {
    format!(r#"{{"format":1,"n":{n},"pad":"{}"}}"#, "x".repeat(1000))
}

#[test]
fn it_keeps_to_the_words_of_every_store() {
    let scratches = RefCell::new(Vec::new());
    conformance(&|| {
        let scratch = tempfile::tempdir().unwrap();
        let opened = open(&scratch.path().join("store"));
        scratches.borrow_mut().push(scratch);
        Box::new(opened.store)
    });
}

#[test]
fn what_was_acknowledged_is_there_after_opening_again() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, false);
    let opened = open(&dir);
    assert_eq!(opened.recovered, None);
    assert_eq!(opened.store.scan("k/").unwrap().len(), 40);
    let before = opened.store.get("k/39").unwrap().unwrap().version;
    let epoch = opened.store.lease("site", "n1", Moment(0), Millis(10)).unwrap();
    drop(opened);
    let opened = open(&dir);
    assert!(put(&opened.store, "k/39", b"{}") > before);
    assert!(opened.store.lease("site", "n2", Moment(11), Millis(10)).unwrap() > epoch);
}

#[test]
fn big_values_shrink_and_grow_without_leftovers() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    let sizes = [1 << 20, 0, 5_000, 4_096, 300_000, 1];
    for (at, size) in sizes.into_iter().enumerate() {
        let opened = open(&dir);
        assert_eq!(opened.recovered, None);
        if at > 0 {
            let found = opened.store.get("big").unwrap().unwrap();
            assert_eq!(found.bytes.len(), sizes[at - 1]);
        }
        put(&opened.store, "big", &vec![0xa5; size]);
    }
}

#[test]
fn a_second_process_is_told_who_has_it_open() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    let opened = open(&dir);
    let Err(error) = SledStore::open(&dir, Moment(0)) else { panic!("it was opened twice") };
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    drop(opened);
    open(&dir);
}

#[test]
fn a_lost_store_is_made_anew_from_its_snapshot_and_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, true);
    fs::remove_dir_all(&dir).unwrap();
    let opened = open(&dir);
    let recovery = opened.recovered.unwrap();
    assert_eq!(recovery.aside, None);
    assert_eq!(recovery.snapshot.unwrap().records, 40);
    let records = opened.store.scan("k/").unwrap();
    assert!(records.iter().enumerate().all(|(n, record)| record.1.bytes == json(n).as_bytes()));
    let newest = records.iter().map(|record| record.1.version).max().unwrap();
    assert!(put(&opened.store, "k/00", b"{}") > newest);
}

#[test]
fn a_lost_store_without_a_snapshot_is_not_taken_for_a_new_one() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, false);
    fs::remove_dir_all(dir.join("data")).unwrap();
    let opened = open(&dir);
    assert_eq!(opened.recovered.unwrap().snapshot, None);
    assert!(opened.store.scan("").unwrap().is_empty());
}

#[test]
fn a_record_changed_behind_sleds_back_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, true);
    let db = ::sled::Config::default().path(dir.join("data")).open().unwrap();
    let (key, value) = db.scan_prefix(b"rk/17").next().unwrap().unwrap();
    let mut changed = value.to_vec();
    changed[100] ^= 1;
    db.insert(key, changed).unwrap();
    drop(db);
    let recovery = open(&dir).recovered.unwrap();
    assert!(recovery.reason.contains("k/17: its digest"), "{recovery}");
    assert_eq!(recovery.snapshot.unwrap().records, 40);
}

#[test]
fn a_record_taken_out_or_put_back_behind_sleds_back_is_noticed() {
    for old in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        filled(&dir, false);
        let open_raw = || ::sled::Config::default().path(dir.join("data")).open().unwrap();
        let db = open_raw();
        let (key, value) = db.scan_prefix(b"rk/17").next().unwrap().unwrap();
        drop(db);
        put(&open(&dir).store, "k/17", b"{}");
        let db = open_raw();
        if old {
            db.insert(key, value).unwrap();
        } else {
            db.remove(key).unwrap();
        }
        drop(db);
        let recovery = open(&dir).recovered.unwrap();
        assert!(recovery.reason.contains("not the 40 of its last commit 41"), "{recovery}");
    }
}

#[test]
fn a_store_that_ends_before_what_was_acknowledged_is_damaged() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, true);
    let early = scratch.path().join("early");
    copy(&dir.join("data"), &early);
    let opened = open(&dir);
    put(&opened.store, "k/40", b"{}");
    drop(opened);
    let mark = fs::read(dir.join("data/mark")).unwrap();
    fs::remove_dir_all(dir.join("data")).unwrap();
    copy(&early, &dir.join("data"));
    fs::write(dir.join("data/mark"), mark).unwrap();
    let opened = open(&dir);
    let recovery = opened.recovered.unwrap();
    assert!(
        recovery.reason.contains("commits 41 to 41 were acknowledged and are gone"),
        "{recovery}"
    );
    assert!(recovery.aside.unwrap().join("db").exists());
    assert!(put(&opened.store, "k/41", b"{}") > Version(41));
}

#[test]
fn the_snapshot_before_is_used_when_the_newest_is_torn_too() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, true);
    open(&dir).store.write_snapshot("main", Moment(950)).unwrap();
    let newest = scratch.path().join("store.jsonl");
    fs::OpenOptions::new().write(true).open(&newest).unwrap().set_len(100).unwrap();
    fs::remove_dir_all(dir.join("data")).unwrap();
    let recovery = open(&dir).recovered.unwrap();
    assert_eq!(recovery.snapshot.unwrap().made_at, Moment(900));
    assert_eq!(recovery.refused.len(), 1);
}

#[test]
fn bytes_flipped_anywhere_in_the_log_lose_nothing_silently() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    filled(&dir, false);
    let saved = scratch.path().join("saved");
    copy(&dir.join("data"), &saved);
    let used = used_bytes(&saved.join("db"));
    for at in (0..used).step_by(usize::try_from(used / 24).unwrap().max(1)) {
        let _ = fs::remove_dir_all(dir.join("data"));
        copy(&saved, &dir.join("data"));
        let db = fs::OpenOptions::new().read(true).write(true).open(dir.join("data/db")).unwrap();
        let mut byte = [0];
        db.read_exact_at(&mut byte, at).unwrap();
        db.write_all_at(&[byte[0] ^ 0x55], at).unwrap();
        let opened = open(&dir);
        if opened.recovered.is_none() {
            let found = opened.store.scan("k/").unwrap();
            assert_eq!(found.len(), 40, "byte {at}");
            for (n, (_, record)) in found.iter().enumerate() {
                assert_eq!(record.bytes, json(n).as_bytes(), "byte {at}");
            }
        }
    }
}

fn used_bytes(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0 && *byte != 0xff).unwrap_or(0);
    u64::try_from(last).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), &to).unwrap();
        }
    }
}
