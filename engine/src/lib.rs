//! Wharfinger: a cluster engine for interactive data-science sessions, driven by files.
//!
//! Read `engine/ARCHITECTURE.md` first; then `ports`, then `reconcile`.

pub mod cli;
pub mod identity;
pub mod keeper;
pub mod lab;
pub mod launcher;
pub mod layout;
pub mod ports;
pub mod proxy;
pub mod session_socket;
pub mod status;
pub mod store;
pub mod warden;
pub mod web;
