//! Watching: whatever way a file is written, the engine has its content in force within a moment, once; whatever goes
//! wrong slowly, nobody is hurt before somebody can see it.
//!
//! The table of ways is `watching/ways.rs`; what needs mounts of its own `watching/mounts.rs`; the disasters of a
//! configuration directory `watching/disasters.rs`.

mod watching;
