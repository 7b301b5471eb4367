//! What every store must do, in one suite: called by the tests of each.
//!
//! Plain functions that panic with what was wrong. `make` gives a new, empty store at each call.

use std::thread;

use engine_core::ids::{Epoch, Moment};
use grammar::value::Millis;

use crate::ports::{Batch, Store, StoreError, Version};

/// Writers in the test of concurrent commits.
const WRITERS: usize = 8;
/// Commits of each.
const COMMITS: usize = 200;

/// Runs the whole suite.
///
/// # Panics
/// The store does not do what [`Store`] says; the message says what.
pub fn conformance(make: &dyn Fn() -> Box<dyn Store>) {
    records_come_back_with_growing_versions(&*make());
    compare_and_swap_refuses_what_changed(&*make());
    a_batch_is_all_or_nothing(&*make());
    a_batch_that_writes_nothing_only_compares(&*make());
    each_of_a_group_has_its_own_answer(&*make());
    removes_come_before_puts(&*make());
    scans_are_ordered_and_end_at_their_prefix(&*make());
    big_values_come_back(&*make());
    leases_fence(&*make());
    leases_are_no_records(&*make());
    concurrent_commits_lose_nothing(&*make());
    concurrent_lease_takers_get_one(&*make());
}

fn put(key: &str, bytes: &[u8]) -> Batch {
    Batch { put: vec![(key.to_owned(), bytes.to_vec())], ..Batch::default() }
}

fn expecting(key: &str, version: Option<Version>, batch: Batch) -> Batch {
    Batch { expect: vec![(key.to_owned(), version)], ..batch }
}

fn commit(store: &dyn Store, batch: &Batch) -> Version {
    store.commit(batch).expect("a commit without a conflict is done")
}

fn bytes(store: &dyn Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).expect("the store can be read").map(|found| found.bytes)
}

fn version(store: &dyn Store, key: &str) -> Option<Version> {
    store.get(key).expect("the store can be read").map(|found| found.version)
}

fn assert_conflict(answer: &Result<Version, StoreError>, key: &str) {
    match answer {
        Err(StoreError::Conflict { key: named }) => assert_eq!(named, key, "the key at fault"),
        other => panic!("a conflict at {key} was expected, not {other:?}"),
    }
}

fn each_of_a_group_has_its_own_answer(store: &dyn Store) {
    let group = [
        put("a", b"1"),
        expecting("a", None, put("b", b"2")),
        expecting("c", None, put("c", b"3")),
        put("a", b"4"),
    ];
    let mut answers = store.commit_all(&group);
    assert_conflict(&answers.remove(1), "a");
    let versions: Vec<Version> = answers.into_iter().map(|answer| answer.expect("done")).collect();
    assert!(versions.is_sorted() && versions.len() == 3, "in order: {versions:?}");
    let stored = ["a", "b", "c"].map(|key| bytes(store, key));
    assert_eq!(stored, [Some(b"4".to_vec()), None, Some(b"3".to_vec())]);
    assert_eq!(version(store, "a"), versions.last().copied());
    assert!(store.commit_all(&[]).is_empty());
}

fn records_come_back_with_growing_versions(store: &dyn Store) {
    assert_eq!(bytes(store, "a"), None, "a new store is empty");
    let first = commit(store, &put("a", b"1"));
    let second = commit(store, &put("b", b"2"));
    assert!(first > Version(0) && second > first, "versions grow: {first:?}, {second:?}");
    assert_eq!(version(store, "a"), Some(first), "a record keeps the version that wrote it");
    let third = commit(store, &put("a", b"1"));
    assert_eq!(version(store, "a"), Some(third), "the same bytes again are a new version");
    commit(store, &Batch { remove: vec!["a".to_owned()], ..Batch::default() });
    assert_eq!(bytes(store, "a"), None, "a removed record is gone");
    let fourth = commit(store, &put("a", b"1"));
    assert!(fourth > third, "a version is never given twice, not even after a remove");
    assert_eq!(bytes(store, "a").as_deref(), Some(&b"1"[..]));
}

fn compare_and_swap_refuses_what_changed(store: &dyn Store) {
    let first = commit(store, &expecting("a", None, put("a", b"1")));
    assert_conflict(&store.commit(&expecting("a", None, put("a", b"2"))), "a");
    let second = commit(store, &expecting("a", Some(first), put("a", b"2")));
    assert_conflict(&store.commit(&expecting("a", Some(first), put("a", b"3"))), "a");
    assert_conflict(&store.commit(&expecting("none", Some(second), put("a", b"3"))), "none");
    assert_eq!(bytes(store, "a").as_deref(), Some(&b"2"[..]), "a refused commit writes nothing");
    let elsewhere = commit(store, &expecting("a", Some(second), put("b", b"1")));
    assert!(elsewhere > second, "a commit may compare one key and write another");
}

fn a_batch_is_all_or_nothing(store: &dyn Store) {
    let keep = commit(store, &put("keep", b"1"));
    let batch = Batch {
        expect: vec![("keep".to_owned(), Some(keep)), ("taken".to_owned(), Some(keep))],
        put: vec![("new".to_owned(), b"1".to_vec())],
        remove: vec!["keep".to_owned()],
    };
    assert_conflict(&store.commit(&batch), "taken");
    assert_eq!(bytes(store, "new"), None, "nothing of a refused batch is put");
    assert_eq!(version(store, "keep"), Some(keep), "nothing of a refused batch is removed");
    let puts = ["x", "y", "z"].map(|key| (key.to_owned(), key.as_bytes().to_vec()));
    let both = Batch { put: puts.to_vec(), remove: vec!["keep".to_owned()], ..Batch::default() };
    let written = commit(store, &both);
    for key in ["x", "y", "z"] {
        assert_eq!(version(store, key), Some(written), "one batch, one version");
    }
    assert_eq!(bytes(store, "keep"), None);
}

fn a_batch_that_writes_nothing_only_compares(store: &dyn Store) {
    let empty = commit(store, &Batch::default());
    let first = commit(store, &put("a", b"1"));
    assert!(first > empty);
    assert_eq!(commit(store, &Batch::default()), first, "an empty batch makes no version");
    assert_eq!(commit(store, &expecting("a", Some(first), Batch::default())), first);
    assert_conflict(&store.commit(&expecting("a", None, Batch::default())), "a");
    let gone = Batch { remove: vec!["never".to_owned()], ..Batch::default() };
    store.commit(&gone).expect("removing what is not there is fine");
}

fn removes_come_before_puts(store: &dyn Store) {
    commit(store, &put("a", b"1"));
    let both = Batch { remove: vec!["a".to_owned()], ..put("a", b"2") };
    commit(store, &both);
    assert_eq!(bytes(store, "a").as_deref(), Some(&b"2"[..]), "a key removed and put is put");
    let put = vec![("a".to_owned(), b"3".to_vec()), ("a".to_owned(), b"4".to_vec())];
    commit(store, &Batch { put, ..Batch::default() });
    assert_eq!(bytes(store, "a").as_deref(), Some(&b"4"[..]), "of two puts the last counts");
}

fn scans_are_ordered_and_end_at_their_prefix(store: &dyn Store) {
    // Around every way of getting the end of a prefix wrong: a byte below and above the separator,
    // characters whose bytes are the greatest of UTF-8, a key that is the prefix itself, a NUL.
    let keys = [
        "a",
        "a/",
        "a/\0",
        "a/1",
        "a/10",
        "a/2",
        "a/\u{7f}",
        "a/ÿ",
        "a/ÿ/1",
        "a/\u{10ffff}",
        "a/\u{10ffff}x",
        "a.",
        "a0",
        "b",
        "ÿ",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
    ];
    for key in keys {
        commit(store, &put(key, key.as_bytes()));
    }
    for prefix in ["", "a", "a/", "a/1", "a/ÿ", "a/\u{10ffff}", "ÿ", "\u{10ffff}", "c", "a/10/"] {
        let found = store.scan(prefix).expect("the store can be read");
        let mut expected: Vec<&str> =
            keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        let names: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, expected, "scan of {prefix:?}");
        assert!(found.iter().all(|(key, record)| record.bytes == key.as_bytes()));
    }
}

fn big_values_come_back(store: &dyn Store) {
    let big: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    assert_eq!(big.len(), 1 << 20);
    commit(store, &put("big", &big));
    assert_eq!(bytes(store, "big"), Some(big), "1 MiB comes back");
    commit(store, &put("big", b""));
    assert_eq!(bytes(store, "big"), Some(Vec::new()), "an empty value is a value");
}

fn leases_fence(store: &dyn Store) {
    let ttl = Millis(100);
    let take = |name: &str, holder: &str, at: i64| store.lease(name, holder, Moment(at), ttl);
    let epoch = |answer: Result<Epoch, StoreError>| answer.expect("the lease is to be had");
    let first = epoch(take("site", "n1", 1_000));
    assert!(first > Epoch(0));
    assert_eq!(epoch(take("site", "n1", 1_050)), first, "a renewal keeps its epoch");
    for at in [1_050, 1_149] {
        match take("site", "n2", at) {
            Err(StoreError::Held { name, holder }) => {
                assert_eq!((&*name, &*holder), ("site", "n1"));
            }
            other => panic!("a held lease was given away at {at}: {other:?}"),
        }
    }
    let second = epoch(take("site", "n2", 1_150));
    assert!(second > first, "a new holder gets a higher epoch");
    assert!(take("site", "n1", 1_160).is_err(), "the old holder is refused");
    store.release("site", "n1").expect("giving back what one does not hold does nothing");
    assert!(take("site", "n1", 1_160).is_err());
    assert!(take("other", "n1", 1_160).is_ok(), "another lease is another matter");
    store.release("site", "n2").expect("a lease can be given back");
    store.release("site", "n2").expect("twice is as good as once");
    store.release("never", "n2").expect("even if there is none");
    let third = epoch(take("site", "n1", 1_170));
    assert!(third > second, "epochs grow over a release");
    store.release("site", "n1").expect("a lease can be given back");
    assert!(epoch(take("site", "n1", 1_180)) > third, "also for the same holder");
}

fn leases_are_no_records(store: &dyn Store) {
    store.lease("site", "n1", Moment(0), Millis(10)).expect("the lease is to be had");
    assert!(store.scan("").expect("the store can be read").is_empty());
    assert_eq!(bytes(store, "site"), None);
}

fn concurrent_commits_lose_nothing(store: &dyn Store) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for n in 0..COMMITS {
                    count_up(store, &format!("own/{writer}/{n}"));
                }
            });
        }
    });
    let counted = bytes(store, "counter").expect("the counter is there");
    let counted: usize = String::from_utf8_lossy(&counted).parse().expect("a number");
    assert_eq!(counted, WRITERS * COMMITS, "no update is lost");
    let own = store.scan("own/").expect("the store can be read");
    assert_eq!(own.len(), WRITERS * COMMITS, "every commit is there");
    let mut versions: Vec<Version> = own.into_iter().map(|(_, record)| record.version).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), WRITERS * COMMITS, "every commit has a version of its own");
}

/// Adds one to a shared counter and puts a record of its own, in one batch; again after a conflict.
fn count_up(store: &dyn Store, own: &str) {
    loop {
        let seen = store.get("counter").expect("the store can be read");
        let count: usize = seen
            .as_ref()
            .map_or(0, |seen| String::from_utf8_lossy(&seen.bytes).parse().expect("a number"));
        let batch = Batch {
            expect: vec![("counter".to_owned(), seen.map(|seen| seen.version))],
            put: vec![
                ("counter".to_owned(), (count + 1).to_string().into_bytes()),
                (own.to_owned(), b"{}".to_vec()),
            ],
            remove: Vec::new(),
        };
        match store.commit(&batch) {
            Ok(version) => {
                let seen = store.get(own).expect("the store can be read");
                assert_eq!(
                    seen.map(|seen| seen.version),
                    Some(version),
                    "one reads what one wrote"
                );
                return;
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("a commit failed: {other}"),
        }
    }
}

fn concurrent_lease_takers_get_one(store: &dyn Store) {
    let winners: Vec<Epoch> = thread::scope(|scope| {
        let takers: Vec<_> = (0..WRITERS)
            .map(|n| {
                scope.spawn(move || {
                    store.lease("site", &format!("n{n}"), Moment(0), Millis(10)).ok()
                })
            })
            .collect();
        takers.into_iter().filter_map(|taker| taker.join().expect("no taker panics")).collect()
    });
    assert_eq!(winners.len(), 1, "of takers at once one gets the lease");
}
