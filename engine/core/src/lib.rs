//! The pure half of the engine: `plan = f(desired, observed, policy, now)`.
//!
//! Knows no tokio, no file system, no clock, no randomness and no hash order: `.clippy.toml` beside
//! this package bans them. Read in this order: [`ids`], [`site`], [`desired`], [`observed`], [`plan`],
//! [`planner`], [`forecast`](mod@forecast), [`report`].

pub mod accept;
pub mod approval;
pub mod check;
pub mod compare;
pub mod desired;
pub mod diff;
pub mod doctor;
pub mod effective;
pub mod explain;
pub mod facts;
pub mod forecast;
pub mod heard;
pub mod ids;
pub mod incumbent;
pub mod known;
pub mod lint;
pub mod observed;
pub mod pace;
pub mod pairs;
pub mod plan;
pub mod planner;
pub mod predict;
pub mod proof;
pub mod read_site;
pub mod report;
pub mod settings;
pub mod shared_map;
pub mod site;
pub mod sockets;
pub mod uninstall;
pub mod whereabouts;
pub mod window;
