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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::FileChange;
    use crate::report::tests::{STYLE, option};
    use crate::settings::Takes;

    fn change(file: &str, change: Change, added: usize, removed: usize) -> FileChange {
        let text = "@@ -1 +1 @@\n-a\n+b\n".to_owned();
        FileChange { file: file.to_owned(), change, added, removed, text }
    }

    fn found(files: Vec<FileChange>) -> Comparison {
        let options = files.iter().map(|_| option(Takes::Live)).collect();
        Comparison { from: "generation 4".to_owned(), to: "on disk".to_owned(), options, files }
    }

    #[test]
    fn each_file_has_its_head_and_all_are_counted() {
        let reason = "denied".to_owned();
        let text = render(
            &found(vec![
                change("a", Change::Added, 2, 0),
                change("b", Change::Removed, 0, 3),
                change("c", Change::Edited, 4, 5),
                change("d", Change::Unknown { reason }, 0, 0),
            ]),
            &STYLE,
        );
        for head in [
            "\n--- a   (not there: generation 4)\n+++ a   (on disk)\n@@ -1 +1 @@\n-a\n+b\n\n",
            "\n--- b   (generation 4)\n+++ b   (not there: on disk)\n@@",
            "\n--- c   (generation 4)\n+++ c   (on disk)\n@@",
            "\nd: cannot be compared: denied\n\n4 options in 4 files: 6 added, 8 removed.\n",
        ] {
            assert!(text.contains(head), "{head}: {text}");
        }
        assert!(text.starts_with("  rserver.conf:1   www-port   8787 -> 8443   live\n"), "{text}");
    }

    #[test]
    fn where_nothing_differs_nothing_is_written_and_the_object_says_so() {
        assert_eq!(render(&found(Vec::new()), &STYLE), "");
        let object = |found| -> serde_json::Value {
            serde_json::from_str(&json(&found)).expect("it is an object")
        };
        assert_eq!(object(found(Vec::new()))["same"], true);
        let differs = object(found(vec![change("a", Change::Edited, 1, 1)]));
        assert_eq!(differs["same"], false);
        assert_eq!(differs["files"][0]["change"]["how"], "edited");
    }
}
