//! Every golden case of our own files says what its file says. `UPDATE_GOLDEN=1` rewrites them.

use std::env;
use std::path::Path;

use golden::own_cases::{run, verdict_of};

#[test]
fn every_case_of_our_own_files_says_what_its_file_says() {
    let (update, ci) = (env::var("UPDATE_GOLDEN").ok(), env::var("CI").ok());
    let verdict = verdict_of(update.as_deref(), ci.as_deref()).unwrap_or_else(|e| panic!("{e}"));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/own");
    let (count, failures) = run(&directory, verdict).expect("the cases can be read");
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}
