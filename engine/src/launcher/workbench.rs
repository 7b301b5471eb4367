//! Workbenches.
