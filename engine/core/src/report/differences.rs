//! Two sets of files side by side, as people read it: options first, then the lines of each file.

use std::fmt::Write as _;

use serde::Serialize;

use super::json::FORMAT_VERSION;
use super::text::{Style, count, options};
use crate::compare::{Change, Comparison};

/// A comparison as one object.
#[derive(Serialize)]
struct Object<'a> {
    format_version: &'static str,
    same: bool,
    #[serde(flatten)]
    found: &'a Comparison,
}

/// Writes a comparison as one line of JSON.
///
/// # Panics
/// Never: the object has string keys only.
#[must_use]
pub fn json(found: &Comparison) -> String {
    let object = Object { format_version: FORMAT_VERSION, same: found.is_empty(), found };
    serde_json::to_string(&object).expect("the object has string keys only")
}

/// Writes a comparison; nothing where the sets are the same.
#[must_use]
pub fn render(found: &Comparison, style: &Style<'_>) -> String {
    let mut out = String::new();
    if found.is_empty() {
        return out;
    }
    options(&mut out, &found.options, style);
    let Comparison { from, to, .. } = found;
    for file in &found.files {
        let name = &file.file;
        match &file.change {
            Change::Unknown { reason } => {
                let _ = writeln!(out, "{name}: cannot be compared: {reason}\n");
                continue;
            }
            Change::Added => {
                let _ = writeln!(out, "--- {name}   (not there: {from})\n+++ {name}   ({to})");
            }
            Change::Removed => {
                let _ = writeln!(out, "--- {name}   ({from})\n+++ {name}   (not there: {to})");
            }
            Change::Edited => {
                let _ = writeln!(out, "--- {name}   ({from})\n+++ {name}   ({to})");
            }
        }
        let _ = writeln!(out, "{}", file.text);
    }
    let (added, removed) =
        found.files.iter().fold((0, 0), |(a, r), file| (a + file.added, r + file.removed));
    let _ = writeln!(
        out,
        "{} in {}: {added} added, {removed} removed.",
        count(found.options.len(), "option"),
        count(found.files.len(), "file")
    );
    out
}
