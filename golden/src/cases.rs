//! A directory of golden cases: one file a case, the text a person sees, rewritten on request.
//!
//! Knows nothing of what a case says: whoever runs them hands in what a case's text ought to be.

use std::path::{Path, PathBuf};

use similar::TextDiff;

/// One case as it lies on disk.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name without `.txt`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// The cases of a directory below `cases/`, by name.
///
/// # Errors
/// A file that is empty, is no `.txt`, or cannot be read: nothing may lie there unlooked at.
pub fn read(directory: &str, besides: &[&str]) -> Result<Vec<Case>, String> {
    let dir = root().join(directory);
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if besides.contains(&file.as_str()) {
            continue;
        }
        let Some(name) = file.strip_suffix(".txt") else {
            return Err(format!("{directory}/{file} is no case: nobody runs it"));
        };
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        if text.trim().is_empty() {
            return Err(format!("{directory}/{file} is empty"));
        }
        cases.push(Case { name: name.to_owned(), path, text });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

/// The directory of all cases.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Holds a file to `wanted`, or rewrites it where `UPDATE_GOLDEN=1` asks for that.
///
/// # Errors
/// They differ: how. Rewriting while `CI` is set.
pub fn hold(path: &Path, before: &str, wanted: &str) -> Result<(), String> {
    if before == wanted {
        return Ok(());
    }
    let shown = path.strip_prefix(root()).unwrap_or(path).display();
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        if std::env::var_os("CI").is_some() {
            return Err(format!("{shown}: golden files are not rewritten where CI is set"));
        }
        return std::fs::write(path, wanted).map_err(|error| format!("{shown}: {error}"));
    }
    let diff = TextDiff::from_lines(before, wanted);
    let diff = diff.unified_diff().context_radius(3).header("on disk", "now").to_string();
    Err(format!("{shown} differs; UPDATE_GOLDEN=1 rewrites it, then read it\n{diff}"))
}
