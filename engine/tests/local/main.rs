//! Real sessions of this machine: real keepers, real processes, ended for real.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod demo;
mod many;
mod sessions;
mod wardens;
mod world;
