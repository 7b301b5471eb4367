//! What the catalogue promises, held against what is there: an option that acts has its proof and its reader, and
//! the table of states is that of the rows.
//!
//! Reads the project's own files and the compiled catalogue, starts nothing. The proofs themselves are in
//! `options_act.rs`.

use std::collections::{BTreeMap, BTreeSet};

use golden::sources::{self, Source, check, read, rust};
use grammar::catalogue::{self, State};

/// The functions of a test file that are tests.
fn test_functions(source: &Source) -> BTreeSet<String> {
    let code = source.code();
    let tests = code.split("#[test]").skip(1);
    let name = |item: &str| Some(item.split_once("fn ")?.1.split_once('(')?.0.trim().to_owned());
    tests.filter_map(name).collect()
}

/// Tests of `options_act.rs` for options whose rows do not say `acts`.
const TESTS_OF_OTHERS: [(&str, &str); 1] =
    [("load_balancing_switch", "the switch turns nothing on yet; its warning is proven")];

#[test]
fn every_option_that_acts_names_a_test_that_is_there() {
    let there = test_functions(&read("golden/tests/options_act.rs"));
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
    check("golden/tests/options_act.rs and the rows that say `acts` name each other", &findings);
}

#[test]
fn every_option_that_acts_is_read_where_files_are_lowered() {
    let lower: Vec<String> = rust()
        .iter()
        .filter(|source| source.path.starts_with("engine/core/src/desired/lower/"))
        .map(Source::code_and_strings)
        .collect();
    let is_read = |name: &str| lower.iter().any(|code| code.contains(&format!("\"{name}\"")));
    let findings: Vec<String> = catalogue::all()
        .iter()
        .filter(|row| matches!(row.state, State::Acts { .. }) && !is_read(row.name))
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

/// The table of `grammar/catalogue/STATES.md`.
fn states_table() -> String {
    let mut files: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut acts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in catalogue::all() {
        *files.entry(row.file).or_default().entry(row.state.name()).or_default() += 1;
        if matches!(row.state, State::Acts { .. }) {
            let section =
                if row.section.is_empty() { String::new() } else { format!("[{}] ", row.section) };
            acts.entry(row.file).or_default().push(format!("`{section}{}`", row.name));
        }
    }
    let states = ["acts", "arrives", "accepted", "unsupported"];
    let mut text =
        "# Options by state\n\nGenerated from the rows beside this file; a test holds them equal \
                    (`UPDATE_GOLDEN=1 cargo test -p golden --test catalogue`).\n\n\
                    | file | acts | arrives | accepted | unsupported |\n|---|--:|--:|--:|--:|\n"
            .to_owned();
    let mut sums = [0; 4];
    for (file, counts) in &files {
        let counts = states.map(|state| counts.get(state).copied().unwrap_or(0));
        let cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
        text.push_str(&format!("| {file} | {} |\n", cells.join(" | ")));
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let cells: Vec<String> = sums.iter().map(ToString::to_string).collect();
    text.push_str(&format!("| all | {} |\n\n## What acts\n\n", cells.join(" | ")));
    for (file, options) in &acts {
        text.push_str(&format!("- {file}: {}\n", options.join(", ")));
    }
    text
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
