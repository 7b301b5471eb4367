//! Wharf.
fn main() {}
