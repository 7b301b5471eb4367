//! What fuzzing found worth keeping (`grammar/fuzz/corpus`), read again in every run.

use std::fs;
use std::path::Path;

use grammar::exercise::targets;

#[test]
fn every_kept_input_is_read_as_promised() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in targets() {
        let kept = corpus.join(target.name());
        let entries = fs::read_dir(&kept).unwrap_or_else(|e| panic!("{}: {e}", kept.display()));
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} is empty", kept.display());
        for path in paths {
            println!("{}", path.display());
            target.exercise(&fs::read(&path).expect("a kept input can be read"));
        }
    }
    let directories = fs::read_dir(&corpus).expect("it was read above");
    assert_eq!(directories.count(), targets().len(), "each directory is a reader's");
}
