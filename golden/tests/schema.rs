//! The JSON Schemas beside the samples are those of the readers. `UPDATE_GOLDEN=1` rewrites them.
//!
//! What they let through and what they refuse is tried in `real_schema.rs`, by somebody else's validator.

use std::fs;
use std::path::Path;

use golden::cases::hold;
use grammar::own::{OwnKind, schema, schema_name};

#[test]
fn the_schemas_beside_the_samples_are_those_of_the_readers() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/schema");
    let mut names: Vec<String> = Vec::new();
    for kind in OwnKind::ALL {
        let path = directory.join(schema_name(kind));
        let before = fs::read_to_string(&path).unwrap_or_default();
        hold(&path, &before, &schema(kind)).unwrap_or_else(|why| panic!("{why}"));
        names.push(schema_name(kind).to_owned());
    }
    for entry in fs::read_dir(&directory).expect("the schemas lie there") {
        let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
        assert!(names.contains(&name), "samples/schema/{name} is no kind's schema");
    }
}

/// The first line by which TOML editors find the schema: a path from the file that has it.
#[test]
fn every_sample_of_ours_names_its_schema() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/quickstart");
    let mut seen = 0;
    for kind in OwnKind::ALL {
        let directory = kind.directory().map_or(samples.clone(), |name| samples.join(name));
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        let paths = entries.map(|entry| entry.expect("it can be listed").path());
        for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "toml")) {
            let text = fs::read_to_string(&path).expect("a sample can be read");
            let first = text.lines().next().unwrap_or_default();
            let named = first.strip_prefix("#:schema ").map(|named| directory.join(named));
            let named = named.and_then(|named| named.canonicalize().ok());
            let file = named.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
            assert_eq!(file, Some(schema_name(kind)), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 1, "there are samples");
}
