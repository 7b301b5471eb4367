//! Real configuration files: read, printed and changed without loss.
//!
//! They are not part of the project. `WHARF_CORPUS` names a directory of them, or else one is looked
//! for two levels above the workspace; without any, samples of our own stand in.

use std::fs;
use std::path::{Path, PathBuf};

use grammar::exercise::exercise;
use grammar::source::FileKind;

const SAMPLES: [(FileKind, &str); 7] = [
    (FileKind::RserverConf, include_str!("samples/rserver.conf")),
    (FileKind::LauncherConf, include_str!("samples/launcher.conf")),
    (FileKind::DatabaseConf, include_str!("samples/database.conf")),
    (FileKind::LoadBalancer, include_str!("samples/load-balancer")),
    (FileKind::LauncherMounts, include_str!("samples/launcher-mounts")),
    (FileKind::LauncherEnv, include_str!("samples/launcher-env")),
    (FileKind::LauncherPorts, include_str!("samples/launcher-ports")),
];

fn corpus() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = manifest.parent().unwrap_or(manifest).join("../../shared/corpus");
    std::env::var_os("WHARF_CORPUS").map_or(beside, PathBuf::from)
}

/// The files of a corpus: `<kind>/<number>.<anything>`, one directory a kind.
fn files(corpus: &Path) -> Vec<(FileKind, PathBuf)> {
    let mut found = Vec::new();
    for kind in FileKind::ALL {
        let Ok(entries) = fs::read_dir(corpus.join(kind.file_name())) else { continue };
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        found.extend(paths.filter(|path| path.is_file()).map(|path| (kind, path)));
    }
    found.sort();
    found
}

#[test]
fn our_own_samples_are_read_without_a_problem() {
    for (kind, text) in SAMPLES {
        exercise(kind, text.as_bytes());
        let source = grammar::source::Source::new(kind.file_name(), text);
        let problems = grammar::read::read_file(kind, &source).problems;
        assert!(problems.is_empty(), "{kind:?}: {problems:?}");
    }
}

#[test]
fn real_files_are_read_printed_and_changed_without_loss() {
    let corpus = corpus();
    let files = files(&corpus);
    if files.is_empty() {
        println!("no corpus at {}: only our own samples were read", corpus.display());
    }
    for (kind, path) in &files {
        let bytes = fs::read(path).expect("the corpus can be read");
        println!("{}", path.display());
        exercise(*kind, &bytes);
    }
    println!("{} files of the corpus", files.len());
}
