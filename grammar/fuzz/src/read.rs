//! libFuzzer's target: one reader, named by the environment, one call an input.
//!
//! `grammar/fuzz/run` builds it with coverage on the stable toolchain and runs it for each reader.

#![no_main]

use std::sync::LazyLock;

use grammar::exercise::{Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("WHARF_FUZZ_READER").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("WHARF_FUZZ_READER names no reader: `{name}`"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.exercise(input));
