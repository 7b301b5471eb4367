//! What stands above every plan: change windows that are open, and commands that hide a line of a file.

use std::fmt::Write as _;

use grammar::report::said;

use super::{Style, fold};
use crate::report::{Overridden, Report};

/// A line for each window; nothing where none is open.
pub(super) fn windows(out: &mut String, report: &Report, style: &Style<'_>) {
    for window in &report.about.windows {
        let until = (style.when)(window.until);
        let _ = writeln!(out, "      change window \"{}\" open until {until}", window.id);
    }
}

/// Each override with who asked, why, until when, and the line that it hides.
pub(super) fn overridden(out: &mut String, report: &Report, style: &Style<'_>) {
    let overrides = &report.about.overrides;
    if overrides.is_empty() {
        return;
    }
    out.push_str("Overridden\n");
    for given in overrides {
        fold(out, "  ! ", "      ", &format!("{}   {}", given.id, in_words(given, style)));
        let hides: Vec<String> = given.hides.iter().map(ToString::to_string).collect();
        if !hides.is_empty() {
            fold(out, "      ", "        ", &format!("hides {}", hides.join(", ")));
        }
    }
    out.push('\n');
}

/// `n1 takes no new sessions until 22:00   by root: CHG0012345`
pub(in crate::report) fn in_words(given: &Overridden, style: &Style<'_>) -> String {
    let until = given.until.map(|until| format!(" until {}", (style.when)(until)));
    let colon = if given.reason.is_empty() { "" } else { ": " };
    let until = until.unwrap_or_default();
    let (owner, reason) = (said(&given.owner), said(&given.reason));
    format!("{}{until}   by {owner}{colon}{reason}", given.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_engine_let_somebody_say_stays_in_its_line() {
        let given = Overridden {
            id: "stop-lab".to_owned(),
            what: "lab is stopped".to_owned(),
            owner: "ann".to_owned(),
            reason: "\u{1b}[2J\nEnds".to_owned(),
            until: None,
            hides: Vec::new(),
        };
        let style = Style { when: &|_| String::new(), verbose: false };
        assert_eq!(in_words(&given, &style), r"lab is stopped   by ann: \x1b[2J\x0aEnds");
    }
}
