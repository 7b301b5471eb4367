//! Windows.

/// A window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Days.
    pub days: u8,
}

impl Window {
    /// Contains.
    pub fn contains(&self, _minute: u16) -> bool {
        true
    }
}
