//! A simulated world behind the same ports, for tests: seeded, without threads, clocks or files.
//!
//! [`faults`] holds the written promise: which faults occur, and what must hold all the same.
//! [`world`] is the truth that adapters cannot see whole; [`ports`] are the adapters.

pub mod disk;
pub mod faults;
pub mod ports;
pub mod random;
pub mod world;
