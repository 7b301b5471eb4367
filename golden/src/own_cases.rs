//! Golden cases of our own files: what a person is told about one `wharf.toml`, session, template, gateway or
//! node file.
//!
//! A case is one file: a line with the kind, the input, a line of dashes, then every problem in the short form
//! with its advice below. Knows no other kind of case. The cases lie in `cases/own`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use grammar::own::{OwnKind, problems_of};
use grammar::report::{Format, Style, render};
use grammar::source::Source;

/// What stands between the input and what is said about it.
const DASHES: &str = "-----\n";

/// The extension of a case; any other file among the cases is an orphan.
const EXTENSION: &str = "case";

/// What to do with a case that says something else than its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Report it.
    Compare,
    /// Write what is said into the file.
    Rewrite,
}

/// Why a run of cases cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file or directory that cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A build must not bless what it should judge.
    #[error("UPDATE_GOLDEN is refused where CI is set")]
    UpdateInCi,
}

/// What the environment asks for: `UPDATE_GOLDEN=1` rewrites, and is refused where `CI` is set.
///
/// # Errors
/// [`CaseError::UpdateInCi`].
pub fn verdict_of(update: Option<&str>, ci: Option<&str>) -> Result<Verdict, CaseError> {
    let set = |value: Option<&str>| value.is_some_and(|value| !value.is_empty() && value != "0");
    match (set(update), set(ci)) {
        (false, _) => Ok(Verdict::Compare),
        (true, false) => Ok(Verdict::Rewrite),
        (true, true) => Err(CaseError::UpdateInCi),
    }
}

/// Runs every case of a directory; gives how many there are and what is wrong, a paragraph a case.
///
/// # Errors
/// [`CaseError::Io`].
pub fn run(directory: &Path, verdict: Verdict) -> Result<(usize, Vec<String>), CaseError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |cause| CaseError::Io { path, cause }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        paths.push(entry.map_err(at(directory))?.path());
    }
    paths.sort();
    let mut failures = Vec::new();
    if paths.is_empty() {
        failures.push(format!("{}: no cases", directory.display()));
    }
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            failures.push(format!("{name}: an orphan, cases end with .{EXTENSION}"));
            continue;
        }
        let text = fs::read_to_string(path).map_err(at(path))?;
        match judge(&text) {
            Ok(judged) if judged == text => {}
            Ok(judged) if verdict == Verdict::Rewrite => {
                fs::write(path, judged).map_err(at(path))?;
            }
            Ok(judged) => failures.push(difference(&name, &text, &judged)),
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    Ok((paths.len(), failures))
}

fn difference(name: &str, expected: &str, judged: &str) -> String {
    let diff = similar::TextDiff::from_lines(expected, judged);
    format!("{name}:\n{}", diff.unified_diff().header("in the case", "said now"))
}

/// The case as it should stand: its input, and what is said about it now.
fn judge(case: &str) -> Result<String, String> {
    let (kind, rest) = case.split_once('\n').ok_or("the first line names the kind of file")?;
    let kind = kind_of(kind)?;
    let input = match rest.split_once(DASHES) {
        Some((input, _)) => input,
        None => rest,
    };
    let source = Source::new(shown_path(kind), input);
    let mut said = String::new();
    for problem in problems_of(kind, &source) {
        let help = problem.help.clone();
        said.push_str(&render(&[problem], [&source], Format::Short, Style::default()));
        for line in help.iter().flat_map(|help| help.lines()) {
            said.push_str(&format!("    help: {line}\n"));
        }
    }
    if said.is_empty() {
        said.push_str("no problems\n");
    }
    Ok(format!("{}\n{input}{DASHES}{said}", word_of(kind)))
}

fn word_of(kind: OwnKind) -> &'static str {
    match kind {
        OwnKind::Wharf => "wharf",
        OwnKind::Session => "session",
        OwnKind::Template => "template",
        OwnKind::Gateway => "gateway",
        OwnKind::Node => "node",
    }
}

fn kind_of(word: &str) -> Result<OwnKind, String> {
    let found = OwnKind::ALL.into_iter().find(|kind| word_of(*kind) == word);
    found.ok_or_else(|| format!("`{word}` is no kind of file"))
}

fn shown_path(kind: OwnKind) -> &'static str {
    match kind {
        OwnKind::Wharf => "wharf.toml",
        OwnKind::Session => "sessions.d/genomics-lab.toml",
        OwnKind::Template => "templates.d/rstudio-small.toml",
        OwnKind::Gateway => "gateways.d/lab.toml",
        OwnKind::Node => "nodes.d/node3.toml",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    const GOOD: &str = "node\nweight = 1\n-----\nno problems\n";

    #[test]
    fn a_case_that_says_what_its_file_says_passes() {
        let directory = cases(&[("good.case", GOOD)]);
        assert_eq!(run(directory.path(), Verdict::Compare).unwrap(), (1, Vec::new()));
    }

    #[test]
    fn a_case_that_says_something_else_fails_with_the_difference() {
        let directory = cases(&[("bad.case", "node\nweight = -1\n-----\nno problems\n")]);
        let (_, failures) = run(directory.path(), Verdict::Compare).unwrap();
        assert!(failures[0].starts_with("bad.case:\n"), "{failures:?}");
        assert!(failures[0].contains("+nodes.d/node3.toml:1:10: error[WH0504]"), "{failures:?}");
    }

    #[test]
    fn rewriting_writes_what_is_said_and_nothing_else() {
        let directory = cases(&[("new.case", "node\nweight = 1\n"), ("good.case", GOOD)]);
        assert_eq!(run(directory.path(), Verdict::Rewrite).unwrap(), (2, Vec::new()));
        assert_eq!(fs::read_to_string(directory.path().join("new.case")).unwrap(), GOOD);
    }

    #[test]
    fn orphans_unknown_kinds_and_empty_directories_fail_even_when_rewriting() {
        for files in [&[("case.txt", GOOD)][..], &[("a.case", "nod\nx\n")], &[("a.case", "")], &[]]
        {
            let directory = cases(files);
            let (_, failures) = run(directory.path(), Verdict::Rewrite).unwrap();
            assert_eq!(failures.len(), 1, "{files:?}");
        }
    }

    #[test]
    fn a_build_cannot_bless() {
        assert_eq!(verdict_of(None, Some("true")).unwrap(), Verdict::Compare);
        assert_eq!(verdict_of(Some("0"), None).unwrap(), Verdict::Compare);
        assert_eq!(verdict_of(Some("1"), None).unwrap(), Verdict::Rewrite);
        assert!(matches!(verdict_of(Some("1"), Some("true")), Err(CaseError::UpdateInCi)));
    }
}
