//! Launchers: one adapter a kind of cluster.
