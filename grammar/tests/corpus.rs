//! Real configuration files: read, printed and changed without loss.
//!
//! They are not part of the project. `WHARF_CORPUS` names a directory of them, or else one is looked
//! for two levels above the workspace; without any, samples of our own stand in.

use std::fs;
use std::path::{Path, PathBuf};

use grammar::error::Problem;
use grammar::exercise::exercise;
use grammar::read::read_file;
use grammar::source::{FileKind, Source};

/// Our own sample of a kind.
fn sample(kind: FileKind) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let path = folder.join(kind.file_name());
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn corpus() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = manifest.parent().unwrap_or(manifest).join("../../shared/corpus");
    std::env::var_os("WHARF_CORPUS").map_or(beside, PathBuf::from)
}

/// The files of a corpus: `<kind>/<number>.<anything>`, one directory a kind; in `other` each file has
/// its own name behind the number.
fn files(corpus: &Path) -> Vec<(FileKind, PathBuf)> {
    let paths = |folder: &str| {
        let entries = fs::read_dir(corpus.join(folder)).into_iter().flatten();
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for kind in FileKind::ALL {
        found.extend(paths(kind.file_name()).into_iter().map(|path| (kind, path)));
    }
    for path in paths("other") {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = name.split_once('.').and_then(|(_, name)| kind_of(name));
        found.extend(kind.map(|kind| (kind, path)));
    }
    found.sort();
    found
}

/// The kind of a name; names of clusters beside the product's are of Slurm.
fn kind_of(name: &str) -> Option<FileKind> {
    let slurm = |name: &str| {
        Some(format!("launcher.slurm.{}", name.split_once("launcher.slurm")?.1.split_once('.')?.1))
    };
    FileKind::of_file_name(name).or_else(|| FileKind::of_file_name(&slurm(name)?))
}

#[test]
fn our_own_samples_are_read_without_a_problem() {
    let mut found = Vec::new();
    for kind in FileKind::ALL {
        let text = sample(kind);
        exercise(kind, text.as_bytes());
        let source = Source::new(kind.file_name(), text);
        found.extend(read_file(kind, &source).problems);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The problems of a real file, a line each: code, file, place, message, first label.
fn problems(kind: FileKind, path: &Path, text: &str) -> Vec<String> {
    let source = Source::new(path.to_string_lossy(), text);
    let shown = |problem: &Problem| {
        let label = problem.labels.first();
        let line =
            label.and_then(|label| label.span).map_or(0, |span| source.lines.line(span.start));
        let text = label.map_or("", |label| &label.text);
        let stands = label.and_then(|label| label.span).map_or("", |span| source.slice(span));
        let Problem { code, severity, message, .. } = problem;
        format!("{code} {severity:?} {}:{line}: {message}: {text} [{stands}]", path.display())
    };
    read_file(kind, &source).problems.iter().map(shown).collect()
}

#[test]
fn real_files_are_read_printed_and_changed_without_loss() {
    let corpus = corpus();
    let files = files(&corpus);
    if files.is_empty() {
        println!("no corpus at {}: only our own samples were read", corpus.display());
    }
    let mut found = Vec::new();
    for (kind, path) in &files {
        let bytes = fs::read(path).expect("the corpus can be read");
        println!("{}", path.display());
        exercise(*kind, &bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            found.extend(problems(*kind, path, text));
        }
    }
    found.sort();
    println!("{}", found.join("\n"));
    println!("{} files of the corpus, {} problems", files.len(), found.len());
}
