//! Launchers: one adapter a kind of cluster; the accounts and workbenches that they need.
//!
//! Read next: [`local`].

pub mod accounts;
pub mod local;
pub mod workbench;
