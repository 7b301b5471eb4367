//! The table of changed options: where, which, from what to what, for whom, when it takes effect.

use std::fmt::Write as _;

use super::words::short;
use super::{Style, WIDTH};
use crate::settings::OptionChange;

/// Values are cut to the first of these lengths with which every row keeps to the width.
const LENGTHS: [usize; 5] = [40, 32, 24, 18, 12];

/// A column is padded up to here; one long cell does not widen all rows.
const PADDED: usize = 44;

pub(in crate::report) fn options(out: &mut String, changes: &[OptionChange], style: &Style<'_>) {
    if changes.is_empty() {
        return;
    }
    let mut lines = Vec::new();
    for length in LENGTHS {
        lines = table(changes, length);
        let fits = lines.iter().all(|line| line.chars().count() <= WIDTH);
        if fits || style.verbose {
            break;
        }
    }
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

fn table(changes: &[OptionChange], length: usize) -> Vec<String> {
    let rows: Vec<[String; 5]> = changes.iter().map(|change| cells(change, length)).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).min(PADDED)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let line = |row: &[String; 5]| {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(widths) {
            if width > 0 {
                let _ = write!(line, "{cell:<width$}   ");
            }
        }
        line.push_str(&row[4]);
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

/// Place, option, change, scope, effect; values cut to `length`.
pub(in crate::report) fn cells(change: &OptionChange, length: usize) -> [String; 5] {
    let of_file = change.option.is_empty() || change.line == 0;
    let place =
        if of_file { change.file.to_string() } else { format!("{}:{}", change.file, change.line) };
    let short = |value: &str| short(value, length);
    let what = match (&change.from, &change.to) {
        (Some(from), Some(to)) if to == "(secret, changed)" => {
            debug_assert!(from == "(secret)", "a secret is never shown");
            to.clone()
        }
        (Some(from), Some(to)) => format!("{} -> {}", short(from), short(to)),
        (None, Some(to)) if to.is_empty() => "(added)".to_owned(),
        (None, Some(to)) => format!("none -> {}", short(to)),
        (Some(from), None) if from.is_empty() => "(removed)".to_owned(),
        (Some(from), None) => format!("{} -> none", short(from)),
        (None, None) => String::new(),
    };
    [place, change.option.clone(), what, change.scope.clone(), change.effect.to_string()]
}
