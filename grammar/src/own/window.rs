//! Windows.

/// A window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Days.
    pub days: u8,
}
