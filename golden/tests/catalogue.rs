//! What the catalogue promises, held against what is there: an option that acts has its proof and its reader, and
//! the table of states is that of the rows.
//!
//! Reads the project's own files and the compiled catalogue, starts nothing. The proofs themselves are in
//! `options_act`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use engine_core::desired::own_fields;
use golden::sources::{self, Source, check, read, rust};
use grammar::catalogue::{self, State};
use grammar::kind::{FileKind, WITHOUT_MEANING};
use grammar::own::OwnKind;

/// The functions of a test file that are tests.
fn test_functions(source: &Source) -> BTreeSet<String> {
    let code = source.code();
    let tests = code.split("#[test]").skip(1);
    let name = |item: &str| Some(item.split_once("fn ")?.1.split_once('(')?.0.trim().to_owned());
    tests.filter_map(name).collect()
}

/// Tests of `options_act` for options whose rows do not say `acts`.
const TESTS_OF_OTHERS: [(&str, &str); 1] =
    [("load_balancing_switch", "the switch turns nothing on yet; its warning is proven")];

#[test]
fn every_option_that_acts_names_a_test_that_is_there() {
    let there = test_functions(&read("golden/tests/options_act/main.rs"));
    let mut named: BTreeSet<&str> = TESTS_OF_OTHERS.iter().map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    for row in catalogue::all() {
        if let State::Acts { test } = row.state {
            named.insert(test);
            if !there.contains(test) {
                findings.push(format!("{}: `{}` names the test `{test}`", row.file, row.name));
            }
        }
    }
    let unused = there.iter().filter(|name| !named.contains(name.as_str()));
    findings.extend(unused.map(|name| format!("no row names the test `{name}`")));
    check(
        "golden/tests/options_act/main.rs and the rows that say `acts` name each other",
        &findings,
    );
}

/// Options that act by a rule alone, by which lowering refuses a set: file, option, where the rule is.
const ACT_BY_A_RULE: [(&str, &str, &str); 1] =
    [("database.conf", "provider", "engine/core/src/lint/store.rs")];

#[test]
fn every_option_that_acts_is_read_where_files_are_lowered() {
    let lower: Vec<String> = rust()
        .iter()
        .filter(|source| source.path.starts_with("engine/core/src/desired/lower/"))
        .map(Source::code_and_strings)
        .collect();
    let is_read = |file: &str, name: &str| {
        let quoted = format!("\"{name}\"");
        let by_rule = ACT_BY_A_RULE.iter().find(|(of, option, _)| (*of, *option) == (file, name));
        match by_rule {
            Some((_, _, rule)) => read(rule).code_and_strings().contains(&quoted),
            None => lower.iter().any(|code| code.contains(&quoted)),
        }
    };
    let findings: Vec<String> = catalogue::all()
        .iter()
        .filter(|row| matches!(row.state, State::Acts { .. }) && !is_read(row.file, row.name))
        .map(|row| format!("{}: `{}`", row.file, row.name))
        .collect();
    check("an option that acts is named in engine/core/src/desired/lower", &findings);
}

#[test]
fn every_option_says_what_is_done_with_it() {
    let empty = |row: &catalogue::OptionRow| match row.state {
        State::Acts { test: said } | State::Arrives { issue: said } => said.trim().is_empty(),
        State::Accepted { why } | State::Unsupported { why } => why.trim().len() < 10,
    };
    let findings: Vec<String> = catalogue::all()
        .iter()
        .filter(|row| empty(row) || row.summary.is_empty() || row.effect.name().is_empty())
        .map(|row| format!("{}: `{}`", row.file, row.name))
        .collect();
    check("a row says test, issue or reason", &findings);
}

/// What is done with the options of a file, by state.
const STATES: [&str; 4] = ["acts", "arrives", "accepted", "unsupported"];

/// How many options of a file are in each state; of a file without options, the state of the whole.
fn counts(kind: FileKind) -> [usize; 4] {
    let rows = catalogue::rows(kind.file_name()).iter().map(|row| row.state);
    let whole = kind.facts().whole.map(|(_, state)| state);
    let states: Vec<&str> = rows.chain(whole).map(State::name).collect();
    STATES.map(|state| states.iter().filter(|name| **name == state).count())
}

/// The table of `grammar/catalogue/STATES.md`.
fn states_table() -> String {
    let mut text = "# Files, their readers, and their options by state\n\n\
        Generated from `grammar/src/kind.rs` and the rows beside this file; a test holds them equal\n\
        (`UPDATE_GOLDEN=1 cargo test -p golden --test catalogue`). A file without options of its own counts as one.\n\
        `*`: how the product reads it was never seen. `s`: holds a secret. `n`: narrows access or changes the proxy as a whole.\n\n\
        | file | what it is for | reader | | acts | arrives | accepted | unsupported |\n\
        |---|---|---|---|--:|--:|--:|--:|\n"
        .to_owned();
    let mut sums = [0; 4];
    for kind in FileKind::ALL {
        let facts = kind.facts();
        let marks = [(!facts.is_established(), "\\*"), (facts.secret, "s"), (facts.narrows, "n")];
        let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let counts = counts(kind);
        let cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
        let cells = cells.join(" | ");
        let (name, reader) = (facts.file_name, facts.reader.name());
        let _ = writeln!(
            text,
            "| {name} | {} | {reader} | {} | {cells} |",
            kind.meaning().trim_end_matches('.'),
            marks.join(" "),
        );
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let cells: Vec<String> = sums.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "| all | | | | {} |", cells.join(" | "));
    text.push_str("\n## Known and without meaning here\n\n");
    for (name, why) in WITHOUT_MEANING {
        let _ = writeln!(text, "- `{name}`: {why}");
    }
    text.push_str("\n## What acts\n\n");
    for kind in FileKind::ALL {
        let rows = catalogue::rows(kind.file_name()).iter();
        let acting = rows.filter(|row| matches!(row.state, State::Acts { .. }));
        let shown = acting.map(|row| match row.section {
            "" => format!("`{}`", row.name),
            section => format!("`[{section}] {}`", row.name),
        });
        let shown: Vec<String> = shown.collect();
        if !shown.is_empty() {
            let _ = writeln!(text, "- {}: {}", kind.file_name(), shown.join(", "));
        }
    }
    text.push_str(&own_fields_text());
    text
}

/// The fields of our own files, by when a change of them takes effect.
fn own_fields_text() -> String {
    let mut text =
        "\n## Our own files\n\nProven by `golden/tests/options_act/own` where it says `live`.\n\n"
            .to_owned();
    for kind in OwnKind::ALL {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for field in own_fields(kind) {
            let state = match field.arrives {
                Some(step) => format!("arrives with {step}"),
                None => field.takes.to_string(),
            };
            fields.entry(state).or_default().push(format!("`{}`", field.path));
        }
        for (state, fields) in fields {
            let (name, count) = (kind.shown(), fields.len());
            let _ = writeln!(text, "- {name}, {state} ({count}): {}", fields.join(", "));
        }
    }
    text
}

#[test]
fn every_file_has_a_reader_and_says_what_is_done_with_it() {
    let nothing = |kind: &FileKind| counts(*kind).iter().sum::<usize>() == 0;
    let mut findings: Vec<String> = FileKind::ALL
        .into_iter()
        .filter(nothing)
        .map(|kind| format!("{} has neither options nor a state", kind.file_name()))
        .collect();
    let without_kind =
        catalogue::all().iter().filter(|row| FileKind::of_file_name(row.file).is_none());
    findings.extend(
        without_kind
            .map(|row| format!("{}: `{}` belongs to no file that is read", row.file, row.name)),
    );
    for kind in FileKind::ALL {
        let source = grammar::source::Source::new(kind.file_name(), "");
        let document = grammar::read::read_file(kind, &source).document;
        if document.kind != kind {
            findings.push(format!("{} is read as {}", kind.file_name(), document.kind.file_name()));
        }
    }
    check("every kind of file has its reader, and options or a state", &findings);
}

#[test]
fn the_table_of_states_is_that_of_the_catalogue() {
    let path = sources::top().join("grammar/catalogue/STATES.md");
    let wanted = states_table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() && std::env::var_os("CI").is_none() {
        std::fs::write(&path, &wanted).expect("the checkout can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "grammar/catalogue/STATES.md is older than the rows; it should be:\n{wanted}"
    );
}
