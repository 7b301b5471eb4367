//! The store: what must outlive the engine and cannot be read off the world again.
//!
//! Behind [`crate::ports::Store`] stand [`sled::SledStore`] (one node) and [`memory::MemoryStore`] (the
//! simulator); [`conformance`] holds every store to the same words. Decides nothing about sessions.
//! Read in this order: `table` (the whole semantics, pure), `sled` and `writer` (how it becomes
//! durable), `directory` and `recovery` (what opening refuses and repairs), [`late`] (when it cannot be
//! opened at all); then [`keys`] and [`crate::ledger`] (what the engine keeps in it). design.md §7.

pub mod conformance;
mod directory;
mod disk;
mod frame;
pub mod keys;
pub mod late;
pub mod look;
pub mod memory;
mod recovery;
pub mod restore;
pub mod sled;
pub mod snapshot;
pub mod snapshots;
mod table;
mod writer;

pub use directory::OpenError;
pub use recovery::{Recovery, SnapshotUsed};
