//! Golden cases.

pub mod own_cases;
