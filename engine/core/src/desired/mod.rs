//! What is asked for, as one value: lowered from files, merged with people's requests and overrides.

mod spec;

pub use spec::*;
