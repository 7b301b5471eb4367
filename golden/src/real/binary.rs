//! The built `wharf` that the tests run.
//!
//! `cargo test --workspace` builds it beside the tests; `cargo test -p golden` alone does not, so it is built
//! here where it is missing or older than its sources (by the list that the compiler left beside it).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The path of the `wharf` of this checkout, in the profile of the running test.
///
/// # Panics
/// It cannot be built.
pub fn wharf() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows its own path");
        // target/PROFILE/deps/TEST
        let profile_dir = test.ancestors().nth(2).expect("cargo puts tests two levels deep");
        let exe = profile_dir.join("wharf");
        if !is_fresh(&exe) {
            build(profile_dir);
        }
        assert!(exe.is_file(), "{}: cargo built no such program", exe.display());
        exe
    })
}

/// Whether the program is there and no older than any source that it was made of.
fn is_fresh(exe: &Path) -> bool {
    let Ok(made) = exe.metadata().and_then(|meta| meta.modified()) else { return false };
    // `PROGRAM: SOURCE SOURCE...`; a blank in a path is written `\ `.
    let Ok(list) = std::fs::read_to_string(exe.with_extension("d")) else { return false };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources).replace("\\ ", "\0");
    sources.split_whitespace().all(|source| {
        let source = source.replace('\0', " ");
        Path::new(&source)
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|changed| changed <= made)
    })
}

fn build(profile_dir: &Path) {
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package=engine", "--bin=wharf", "--profile"])
        .arg(profile)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .status()
        .expect("cargo runs: it started this test");
    assert!(built.success(), "wharf cannot be built");
}
