//! Real sessions of this machine: real keepers, real processes, ended for real.

mod sessions;
mod world;
