//! Held against an ordinary map; and what is shared after an edit.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Plain = BTreeMap<String, u32>;

fn shared(of: &Plain) -> SharedMap<String, u32> {
    of.iter().map(|(key, value)| (key.clone(), *value)).collect()
}

fn cuts(map: &SharedMap<String, u32>) -> Vec<usize> {
    map.runs().map(|run| run.entries().len()).collect()
}

/// Says the same as an ordinary map, and is cut like one that was made at once.
fn check(map: &SharedMap<String, u32>, plain: &Plain) {
    assert!(map.iter().eq(plain.iter()), "{map:?}");
    assert!(map.iter().rev().eq(plain.iter().rev()));
    assert_eq!(map.len(), plain.len());
    assert_eq!(cuts(map), cuts(&shared(plain)));
}

fn key(n: u32) -> String {
    format!("s{n:03}")
}

proptest! {
    #[test]
    fn edits_are_those_of_an_ordinary_map(
        first in prop::collection::btree_map(0_u32..400, 0_u32..9, 0..400),
        edits in prop::collection::vec((0_u32..400, prop::option::weighted(0.5, 0_u32..9)), 0..60),
    ) {
        let mut plain: Plain = first.into_iter().map(|(n, value)| (key(n), value)).collect();
        let mut map = shared(&plain);
        let (before, plain_before) = (map.clone(), plain.clone());
        for (n, value) in edits {
            match value {
                Some(value) => prop_assert_eq!(map.insert(key(n), value), plain.insert(key(n), value)),
                None => prop_assert_eq!(map.remove(&key(n)), plain.remove(&key(n))),
            }
            prop_assert_eq!(map.get(&key(n)), plain.get(&key(n)));
        }
        check(&map, &plain);
        check(&before, &plain_before);
        let keys: std::collections::BTreeSet<&String> = plain.keys().chain(plain_before.keys()).collect();
        let differ = keys.into_iter().filter(|key| plain.get(*key) != plain_before.get(*key));
        let found: Vec<(&String, Option<&u32>, Option<&u32>)> =
            map.changes_since(&before).map(|c| (c.key, c.before, c.now)).collect();
        let expected: Vec<_> =
            differ.map(|key| (key, plain_before.get(key), plain.get(key))).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(map == before, plain == plain_before);
    }

    #[test]
    fn a_range_is_that_of_an_ordinary_map(
        all in prop::collection::btree_map(0_u32..300, 0_u32..9, 0..300), from in 0_u32..300, span in 0_u32..300,
    ) {
        let plain: Plain = all.into_iter().map(|(n, value)| (key(n), value)).collect();
        let range = key(from)..=key(from + span);
        prop_assert!(shared(&plain).range(range.clone()).eq(plain.range(range)));
    }
}

fn many() -> SharedMap<String, u32> {
    (0..5_000).map(|n| (format!("s{n:05}"), n)).collect()
}

fn shared_runs(a: &SharedMap<String, u32>, b: &SharedMap<String, u32>) -> usize {
    let of_b: Vec<_> = b.runs.iter().map(Arc::as_ptr).collect();
    a.runs.iter().filter(|run| of_b.contains(&Arc::as_ptr(run))).count()
}

#[test]
fn an_edit_replaces_one_run_and_what_is_made_anew_shares_what_says_the_same() {
    let map = many();
    let runs = map.runs.len();
    assert!((40..160).contains(&runs), "{runs}");
    let mut edited = map.clone();
    assert!(edited.is(&map));
    edited.insert("s02500".to_owned(), 7);
    assert!(!edited.is(&map));
    assert_eq!(shared_runs(&edited, &map), runs - 1);
    let mut anew = many();
    assert_eq!(shared_runs(&anew, &map), 0);
    anew.insert("s00001".to_owned(), 9);
    anew.share(&map, |a, b| a == b);
    assert_eq!(shared_runs(&anew, &map), runs - 1);
    let mut same = many();
    same.share(&map, |a, b| a == b);
    assert!(same.is(&map));
    same.retain(|_, value| *value != 17);
    assert_eq!((same.len(), shared_runs(&same, &map)), (4_999, runs - 1));
}

#[test]
fn what_a_run_comes_to_is_asked_once_and_again_after_an_edit() {
    let mut map = many();
    let of = |entries: &[(String, u32)]| Digest::of(format!("{entries:?}").as_bytes());
    let digests = |map: &SharedMap<String, u32>| -> Vec<Digest> {
        map.runs().map(|run| *run.digest_by(of)).collect()
    };
    let first = digests(&map);
    assert!(
        map.runs().all(|run| run.digest_by(|_| unreachable!("it is known")) == &of(run.entries()))
    );
    *map.get_mut("s02500").expect("it is there") += 1;
    let again = digests(&map);
    assert_eq!(first.iter().zip(&again).filter(|(a, b)| a != b).count(), 1);
    let copy = map.clone();
    map.insert("s02500".to_owned(), 2_500);
    assert_eq!((digests(&map), digests(&copy)), (first, again));
}

#[test]
fn of_two_entries_of_one_key_the_later_stays_and_json_is_that_of_a_map() {
    let of = [("b", 1), ("a", 2), ("b", 3)].map(|(key, value)| (key.to_owned(), value));
    let map: SharedMap<String, u32> = of.into();
    let text = serde_json::to_string(&map).expect("it is a map");
    assert_eq!(text, r#"{"a":2,"b":3}"#);
    assert_eq!(serde_json::from_str::<SharedMap<String, u32>>(&text).expect("it is one"), map);
}

#[test]
fn where_runs_end_stays_where_it_is() {
    // Digests of sets of files rest on it: another way to cut would make every set another one.
    let ends = |map: &SharedMap<String, u32>| -> Vec<u32> {
        map.runs().filter_map(|run| run.entries().last().map(|(_, n)| *n)).take(8).collect()
    };
    assert_eq!(ends(&many()), [32, 47, 167, 206, 239, 294, 331, 332]);
}

#[test]
fn a_start_is_cut_like_its_session() {
    let start = |session: &str, n| Incarnation::new(session.parse().expect("an id"), n);
    assert_eq!(start("lab", 1).bytes(), b"lab");
    let all = (0..200).map(|n| (start(&format!("s{n:03}"), 1), n));
    let map: SharedMap<Incarnation, u32> = all.collect();
    assert_eq!(
        map.runs.len(),
        (0..200).map(|n| (format!("s{n:03}"), n)).collect::<SharedMap<_, _>>().runs.len()
    );
}

#[test]
fn a_range_keeps_to_bounds_of_every_sort() {
    use Bound::{Excluded, Included, Unbounded};
    let plain: Plain = (0..300).map(|n| (key(n), n)).collect();
    let map = shared(&plain);
    let bounds =
        || [10, 64, 150, 299].map(key).into_iter().flat_map(|k| [Included(k.clone()), Excluded(k)]);
    for start in bounds().chain([Unbounded]) {
        for end in bounds().chain([Unbounded]) {
            let both = |a: &Bound<String>, b: &Bound<String>| match (a, b) {
                (Included(a) | Excluded(a), Included(b) | Excluded(b)) => a < b,
                _ => true,
            };
            if !both(&start, &end) {
                continue;
            }
            let range = (start.clone(), end.clone());
            assert!(map.range(range.clone()).eq(plain.range(range)), "{start:?} {end:?}");
        }
    }
}

#[test]
fn entries_in_order_may_have_one_key_too() {
    let of = [("a", 1), ("a", 2), ("b", 3)].map(|(key, value)| (key.to_owned(), value));
    let map: SharedMap<String, u32> = of.into();
    assert_eq!(format!("{map:?}"), r#"{"a": 2, "b": 3}"#);
}
