//! The manual in a terminal: an option at length, and lists of options.

use std::fmt::Write as _;

use super::facts;
use crate::catalogue::OptionRow;

/// An option at length, lines broken at `width` columns.
#[must_use]
pub fn option(row: &OptionRow, width: usize) -> String {
    let mut out = format!("{}\n", heading(row));
    wrapped(&mut out, "  ", "  ", row.summary, width);
    out.push('\n');
    for (label, text) in facts(row) {
        wrapped(&mut out, &format!("  {label:<10} "), &" ".repeat(13), &text, width);
    }
    out
}

/// `rserver.conf   www-port`, with the section where a file has some.
fn heading(row: &OptionRow) -> String {
    let section = match row.section {
        "" | "record" => String::new(),
        section => format!("[{section}]   "),
    };
    format!("{}   {section}{}", row.file, row.name)
}

/// A table of options: name, what is done with it, default, summary; one line each, cut at `width`.
#[must_use]
pub fn list(rows: &[&OptionRow], width: usize) -> String {
    let mut out = String::new();
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut above = None;
    for row in rows {
        let place = (row.file, row.section);
        if above != Some(place) {
            let gap = if above.is_some() { "\n" } else { "" };
            let section = match row.section {
                "" | "record" => String::new(),
                section => format!("   [{section}]"),
            };
            let _ = writeln!(out, "{gap}{}{section}", row.file);
            above = Some(place);
        }
        let default = row.default.unwrap_or("-");
        let default = if default.is_empty() { "-" } else { default };
        let name = row.name;
        let line =
            format!("  {name:<longest$}  {:<11}  {default:<8}  {}", row.state.name(), row.summary);
        let _ = writeln!(out, "{}", cut(&line, width));
    }
    out
}

/// A line cut at a column, with a sign that it was.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// Text in lines of at most `width` columns, the first behind `first`, the others behind `rest`.
fn wrapped(out: &mut String, first: &str, rest: &str, text: &str, width: usize) {
    let mut line = first.to_owned();
    let mut begun = false;
    for word in text.split_whitespace() {
        if begun && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{}", line.trim_end());
            rest.clone_into(&mut line);
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn no_line_is_wider_than_asked_for() {
        for row in catalogue::all() {
            // A single word may be longer than a line: a path, an address.
            let wide =
                |line: &&str| line.chars().count() > 100 && line.split_whitespace().count() > 2;
            let text = option(row, 100);
            let found = text.lines().find(wide);
            assert!(found.is_none(), "{found:?}");
            assert!(list(&[row], 100).lines().all(|line| line.chars().count() <= 100));
        }
    }

    #[test]
    fn an_option_is_shown_with_its_file_and_facts() {
        let row = catalogue::find("rserver.conf", "", "www-port").expect("it is in the catalogue");
        let text = option(row, 100);
        assert!(text.starts_with("rserver.conf   www-port\n"), "{text}");
        assert!(text.contains("\n  type       port"), "{text}");
    }
}
