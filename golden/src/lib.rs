//! Golden cases: what people see, kept as files that are read before they are committed.

pub mod own_cases;
pub mod parse_cases;
pub mod real;
pub mod sources;
