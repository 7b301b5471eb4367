//! One line of a source as it can be shown: characters that a terminal would obey are escaped, tabs
//! and wide characters take the columns they take, secrets are covered, long lines become a window.
//!
//! Knows no problem and no colour. The work done depends on the width of the window, not on the length
//! of the line, except for the search for secrets.

use std::borrow::Cow;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::secret;

/// Columns between tab stops.
const TAB: usize = 4;
/// Stands for what is left out at either side of a window.
const MORE: &str = "...";

/// A line, ready to be shown, with the columns that are marked in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snippet {
    pub(super) text: String,
    /// Columns to put marks below, from 0; at least one.
    pub(super) marks: Range<usize>,
}

/// A character with its byte and the column it begins at.
struct Cell {
    text: String,
    width: usize,
    byte: usize,
}

/// Shows `line` with the bytes `marked`, in at most `width` columns.
pub(super) fn snippet(line: &str, marked: Range<usize>, width: usize) -> Snippet {
    let (line, marked) = cover(line, marked);
    let start = floor(&line, marked.start);
    let from = floor(&line, start.saturating_sub(width * 4));
    let to = floor(&line, start.saturating_add(width * 8).min(line.len()));
    let cells = cells(&line[from..to], from);
    let whole = from == 0 && to == line.len();
    let total: usize = cells.iter().map(|cell| cell.width).sum();
    let at = |byte: usize| cells.partition_point(|cell| cell.byte < byte);
    let (first, last) = (at(marked.start), at(marked.end.min(to)));
    let shown = if whole && total <= width {
        0..cells.len()
    } else {
        window(&cells, first..last, width.saturating_sub(2 * MORE.len()).max(1))
    };
    let mut text = String::new();
    if shown.start > 0 || from > 0 {
        text.push_str(MORE);
    }
    let columns = |range: Range<usize>| cells[range].iter().map(|cell| cell.width).sum::<usize>();
    let lead = text.len() + columns(shown.start..first.clamp(shown.start, shown.end));
    let marks = columns(first.clamp(shown.start, shown.end)..last.clamp(shown.start, shown.end));
    text.extend(cells[shown.clone()].iter().map(|cell| cell.text.as_str()));
    if shown.end < cells.len() || to < line.len() {
        text.push_str(MORE);
    }
    Snippet { text, marks: lead..lead + marks.max(1) }
}

/// The cells around the marked ones that fit: a third of the room before them, the rest behind.
fn window(cells: &[Cell], marked: Range<usize>, width: usize) -> Range<usize> {
    let mut room = width;
    let mut start = marked.start.min(cells.len());
    while start > 0 && room.saturating_sub(cells[start - 1].width) >= width - width / 3 {
        start -= 1;
        room -= cells[start].width;
    }
    let mut end = marked.start.min(cells.len());
    while end < cells.len() && cells[end].width <= room {
        room -= cells[end].width;
        end += 1;
    }
    while start > 0 && cells[start - 1].width <= room {
        start -= 1;
        room -= cells[start].width;
    }
    start..end
}

fn cells(text: &str, from: usize) -> Vec<Cell> {
    let mut column = 0;
    text.char_indices()
        .map(|(at, c)| {
            let text = match c {
                '\t' => " ".repeat(TAB - column % TAB),
                c => escaped_char(c).unwrap_or_else(|| c.to_string()),
            };
            let width = match text.chars().count() {
                1 => c.width().unwrap_or(1),
                many => many,
            };
            column += width;
            Cell { text, width, byte: from + at }
        })
        .collect()
}

/// What stands for a character that must not reach a terminal as it is.
fn escaped_char(c: char) -> Option<String> {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e0000}'..='\u{e007f}');
    let code = u32::from(c);
    match c {
        c if c.is_control() && code < 0x80 => Some(format!("\\x{code:02x}")),
        c if c.is_control() || hidden => Some(format!("\\u{{{code:x}}}")),
        _ => None,
    }
}

/// Whether a terminal would obey a character, or hide it.
pub(super) fn is_obeyed(c: char) -> bool {
    escaped_char(c).is_some()
}

/// A text from outside that stands in a message of one line: everything that a terminal would obey is escaped.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, |_| false)
}

/// The same of what a person said, in whatever language.
#[must_use]
pub fn said(text: &str) -> Cow<'_, str> {
    escaped_but(text, joins)
}

/// A message in which texts from outside stand: everything that a terminal would obey is escaped, but for the ends of
/// its lines and tabs.
#[must_use]
pub fn for_terminal(message: &str) -> Cow<'_, str> {
    escaped_but(message, |c| matches!(c, '\n' | '\t') || joins(c))
}

/// Whether a character only says how its neighbours are joined: words of Persian and of Indic scripts need it.
fn joins(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn escaped_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let code = |c: char| if stays(c) { None } else { escaped_char(c) };
    if text.chars().all(|c| code(c).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match code(c) {
            Some(code) => out.push_str(&code),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Puts `(secret)` in the place of what looks like one; marks inside it cover it.
fn cover(line: &str, marked: Range<usize>) -> (Cow<'_, str>, Range<usize>) {
    let Some(secret) = secret::in_line(line) else { return (Cow::Borrowed(line), marked) };
    let mut out = String::with_capacity(line.len());
    out.push_str(&line[..secret.start]);
    out.push_str(secret::COVER);
    let end = out.len();
    out.push_str(&line[secret.end..]);
    let moved = |at: usize, inside: usize| match at {
        at if at <= secret.start => at,
        at if at < secret.end => inside,
        at => at - secret.end + end,
    };
    let marked = moved(marked.start, secret.start)..moved(marked.end, end);
    (Cow::Owned(out), marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, marked: Range<usize>) -> (String, Range<usize>) {
        let snippet = snippet(line, marked, 40);
        (snippet.text, snippet.marks)
    }

    #[test]
    fn a_short_line_is_shown_whole() {
        assert_eq!(shown("a=b", 2..3), ("a=b".into(), 2..3));
        assert_eq!(shown("", 0..0), (String::new(), 0..1));
        assert_eq!(shown("a", 9..12), ("a".into(), 1..2));
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_marks_in_place() {
        assert_eq!(shown("\ta", 1..2), ("    a".into(), 4..5));
        assert_eq!(shown("ab\tc", 3..4), ("ab  c".into(), 4..5));
        assert_eq!(shown("日本=x", 7..8), ("日本=x".into(), 5..6));
        assert_eq!(shown("日本", 0..3).1, 0..2);
        assert_eq!(shown("e\u{301}x", 3..4).1, 1..2);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(shown("\u{1b}[31mx", 5..6), ("\\x1b[31mx".into(), 8..9));
        assert_eq!(shown("a\u{202e}b", 4..5), ("a\\u{202e}b".into(), 9..10));
        assert_eq!(escaped("a\nb\u{7f}"), "a\\x0ab\\x7f");
        assert_eq!(escaped("plain"), "plain");
        // A joiner in a name of a file may be a mistake; in what somebody said it is spelling.
        let persian = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";
        assert!(escaped(persian).contains("\\u{200c}"));
        assert_eq!((said(persian), for_terminal(persian)), (persian.into(), persian.into()));
        assert_eq!(said("a\nb"), "a\\x0ab");
    }

    #[test]
    fn a_long_line_becomes_a_window_around_its_mark() {
        let line = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let (text, marks) = shown(&line, 1000..1001);
        assert_eq!(text.len(), 40);
        assert!(text.starts_with("...a") && text.ends_with("b..."));
        assert_eq!(&text[marks], "X");
        let (text, marks) = shown(&line, 0..2001);
        assert!(text.starts_with('a') && marks.start == 0 && marks.end <= 40);
        let (text, marks) = shown(&line, 2000..2001);
        assert!(!text.ends_with("...") && text.len() <= 40);
        assert_eq!(&text[marks], "b");
    }

    #[test]
    fn secrets_are_covered_and_marks_cover_them() {
        assert_eq!(shown("password=hunter2", 9..16), ("password=(secret)".into(), 9..17));
        assert_eq!(shown("DB_PASSWORD = x y", 0..11).0, "DB_PASSWORD = (secret)");
        assert_eq!(shown(" MODEL_KEY=abc", 1..10).0, " MODEL_KEY=(secret)");
        assert_eq!(shown("password hunter2", 0..16).0, "password (secret)");
        assert_eq!(shown("uri=postgresql://u:p@h/d", 0..3).0, "uri=postgresql://u:(secret)@h/d");
        for open in [
            "SecretFile: /etc/ceph",
            "www-root-path=/token/x",
            "ssl-certificate-key=/a",
            "password=",
        ] {
            assert_eq!(shown(open, 0..1).0, open);
        }
    }
}
