//! The admin socket: how commands reach a running engine.
//!
//! One JSON line a request, one or more JSON lines in answer. The peer's credentials, told by the kernel,
//! decide what it may do: [`rights`] is the whole table. Read next: [`protocol`].

pub mod client;
pub mod protocol;
pub mod rights;
pub mod server;
