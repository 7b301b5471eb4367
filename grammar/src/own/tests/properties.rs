//! What holds for every text.

use proptest::prelude::*;

use super::{problems, samples};
use crate::own::{BAD_VALUE, OwnKind, UNKNOWN_KEY, problems_of};
use crate::source::Source;

/// Reads a text as each kind and checks what holds of any outcome.
fn read_anything(text: &str) {
    for kind in OwnKind::ALL {
        for problem in problems(kind, text) {
            for label in &problem.labels {
                let Some(span) = label.span else { continue };
                assert!(text.get(span.range()).is_some(), "{problem:?} points outside its text");
            }
            assert!(!problem.labels.is_empty(), "{problem:?} names no file");
            let shown = format!("{} {:?}", problem.message, problem.help);
            assert!(!shown.contains(['\u{1b}', '\u{0}', '\u{202e}']), "{shown}");
        }
    }
}

/// The keys of a sample with their places: words before `=`, also inside `{ ... }`, and in headers.
fn keys(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(['=', ']']) {
        let name_end = text[..at].trim_end_matches(' ').len();
        let is_key = |c: char| c.is_ascii_lowercase() || c == '-';
        let start = text[..name_end].rfind(|c| !is_key(c)).map_or(0, |before| before + 1);
        let before = text[..start].trim_end_matches(' ').chars().next_back().unwrap_or('\n');
        let header = text[at..].starts_with(']') && text[..start].ends_with("\n[");
        let value = text[at..].starts_with('=') && matches!(before, '\n' | '{' | ',' | '.');
        if (header || value) && name_end > start + 2 {
            found.push(start..name_end);
        }
    }
    found
}

/// Names that the administrator gives: any other is as good.
const FREE: [&str; 5] = ["students", "gpu", "rack", "r-version", "socket"];

#[test]
fn nearly_every_key_of_the_samples_is_found_to_be_misspelt() {
    let all: usize = samples::ALL.iter().map(|(_, text)| keys(text).len()).sum();
    assert!(all > 100, "{all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_text_is_read_without_panic(text in "\\PC{0,200}") {
        read_anything(&text);
    }

    #[test]
    fn arbitrary_toml_like_text_is_read_without_panic(
        text in "([a-e.\\[\\]{}=\"',#\n 0-9_\u{feff}\u{1b}-]|memory|drain|\\[\\[|\"\"\"|= \"|\n\\[){0,60}"
    ) {
        read_anything(&text);
    }

    #[test]
    fn a_sample_with_a_hole_or_a_blot_is_read_without_panic(
        sample in 0..samples::ALL.len(), at in 0.0..1.0f64, cut in 0..20usize, blot in "\\PC{0,3}"
    ) {
        let text = samples::ALL[sample].1;
        let place = |share: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a short text")]
            let byte = (share * text.len() as f64) as usize;
            byte.min(text.len())
        };
        let start = place(at);
        let end = (start + cut).min(text.len());
        read_anything(&format!("{}{blot}{}", &text[..start], &text[end..]));
    }

    #[test]
    fn a_key_with_one_slip_is_reported_at_its_place_with_what_was_meant(
        sample in 0..samples::ALL.len(), which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), letter in "[a-z]", slip in 0..3
    ) {
        let (kind, text) = samples::ALL[sample];
        let keys = keys(text);
        let key = keys[which.index(keys.len())].clone();
        let right = &text[key.clone()];
        prop_assume!(!FREE.contains(&right));
        let spot = at.index(right.len());
        let wrong = match slip {
            0 => format!("{}{letter}{}", &right[..spot], &right[spot..]),
            1 => format!("{}{letter}{}", &right[..spot], &right[spot + 1..]),
            _ => format!("{}{}", &right[..spot], &right[spot + 1..]),
        };
        // Two letters are too few to guess from, and a slip may come as near to another key.
        prop_assume!(wrong.len() > 2 && !wrong.starts_with('-') && wrong != right);
        let as_near = |key: &&str| *key != right && is_one_slip(key, &wrong);
        prop_assume!(!known_keys().any(|key| key == wrong || as_near(&key)));
        let edited = format!("{}{wrong}{}", &text[..key.start], &text[key.end..]);
        let source = Source::new("f", edited.as_str());
        let found = problems_of(kind, &source);
        let here = found.iter().find(|problem| {
            problem.labels[0].span.is_some_and(|span| span.start as usize == key.start)
        });
        let here = here.unwrap_or_else(|| panic!("`{wrong}` for `{right}` was taken: {found:?}"));
        prop_assert!([UNKNOWN_KEY, BAD_VALUE].contains(&here.code));
        let label = &here.labels[0].text;
        prop_assert_eq!(label, &format!("did you mean `{right}`?"), "{} for {}", wrong, right);
    }
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    let tables = OwnKind::ALL.into_iter().flat_map(OwnKind::tables);
    tables.flat_map(|keys| keys.names.iter().copied())
}

/// Whether one letter more, less or other makes `b` of `a`, or two neighbours swapped.
fn is_one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[head..], &b[head..]);
    let rest = |of: &[u8], from: usize| of.get(from..).map(<[u8]>::to_vec);
    rest(a, 1) == rest(b, 1)
        || rest(a, 1).as_deref() == Some(b)
        || rest(b, 1).as_deref() == Some(a)
        || (a.len() > 1 && b.len() > 1 && a[..2] == [b[1], b[0]] && a[2..] == b[2..])
}

#[test]
fn hostile_depth_and_width_are_read_without_panic() {
    for text in [
        "[".repeat(100_000),
        "a.".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(10_000)),
        "[a]\n".repeat(1000),
        "[[drain]]\n".repeat(1000),
        "weight = 1\n".repeat(1000),
        format!("{} = 1", "k".repeat(1_000_000)),
        "\u{feff}weight = 3\r\n[drain]\r\n".to_owned(),
    ] {
        read_anything(&text);
    }
}

#[test]
fn a_wide_file_gets_every_problem_and_few_guesses() {
    let text: String = (0..5000).map(|n| format!("weigh{n} = 1\n")).collect();
    let found = problems(OwnKind::Node, &text);
    assert_eq!(found.len(), 5000);
    let guesses = found.iter().filter(|problem| !problem.labels[0].text.is_empty()).count();
    assert!(guesses <= 50, "{guesses}");
}
