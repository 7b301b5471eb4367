//! Every manual page that `wharf man` writes, judged by mandoc.

use std::process::{Command, Stdio};

use golden::real;

#[test]
fn every_page_is_a_manual_page() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let made = Command::new(real::wharf())
        .args(["man", "--dir"])
        .arg(dir.path())
        .status()
        .expect("wharf runs");
    assert!(made.success());
    let mut pages = Vec::new();
    for section in ["man1", "man5"] {
        let entries = std::fs::read_dir(dir.path().join(section)).expect("the pages are there");
        pages.extend(entries.map(|entry| entry.expect("it can be listed").path()));
    }
    assert!(pages.len() > 30, "{pages:?}");
    let output = Command::new("mandoc")
        // Words on style are for pages that people write: unknown requests and broken tables are errors.
        .args(["-T", "lint", "-W", "error"])
        .args(&pages)
        .stdin(Stdio::null())
        .output()
        .expect("mandoc is installed; golden/run installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
