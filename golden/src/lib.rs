//! Golden cases.

pub mod own_cases;
//! Golden cases: what people see, kept as files that are read before they are committed.

pub mod parse_cases;
