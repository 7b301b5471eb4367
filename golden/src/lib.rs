//! Golden cases: scripts, files and what people see of them, and the runners that hold them to it.
//!
//! `real` is the harness for tests against real components.

pub mod cases;
pub mod cli_cases;
pub mod converge;
pub mod lint_cases;
pub mod own_cases;
pub mod parse_cases;
pub mod real;
pub mod simulated;
pub mod sources;
