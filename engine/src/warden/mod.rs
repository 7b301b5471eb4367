//! The privileged role: starts keepers as other users, opens what only root may read, binds ports.

pub mod protocol;
