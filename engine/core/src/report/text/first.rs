//! What stands above every plan: change windows that are open.

use std::fmt::Write as _;

use super::Style;
use crate::report::Report;

/// A line for each window; nothing where none is open.
pub(super) fn windows(out: &mut String, report: &Report, style: &Style<'_>) {
    for window in &report.about.windows {
        let until = (style.when)(window.until);
        let _ = writeln!(out, "      change window \"{}\" open until {until}", window.id);
    }
}
