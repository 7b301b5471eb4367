//! Lines and the pieces that readers find in them.
//!
//! What is a blank, a comment or a name differs from reader to reader (files.md §0): they pass it in.
//! Nothing here fails and nothing here looks beyond its line, so reading takes linear time.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while};
use nom::character::complete::char;
use nom::combinator::{recognize, rest};
use nom::{IResult, Parser};

/// A line without and with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawLine<'a> {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// A byte order mark, on the first line only.
    pub(crate) mark: &'a str,
    /// What stands on it.
    pub(crate) body: &'a str,
    /// `\n`, `\r\n`, or nothing at the end of the text.
    pub(crate) eol: &'a str,
}

/// The lines of a text. A text that ends with a line end has no empty line behind it.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = RawLine<'_>> {
    text.split_inclusive('\n').zip(1..).map(|(line, number)| {
        let (mark, line) = match line.strip_prefix('\u{feff}') {
            Some(after) if number == 1 => line.split_at(line.len() - after.len()),
            _ => ("", line),
        };
        let body = line.strip_suffix('\n').unwrap_or(line);
        let body =
            if body.len() < line.len() { body.strip_suffix('\r').unwrap_or(body) } else { body };
        RawLine { number, mark, body, eol: &line[body.len()..] }
    })
}

/// What a reader takes for a blank. Each reader's own function, so that it is compiled into the loops over a text.
pub(crate) trait Blank: Fn(char) -> bool + Copy {}

impl<F: Fn(char) -> bool + Copy> Blank for F {}

/// Blanks as readers A trim them (files.md A).
pub(crate) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Blanks as readers B, C and D trim them: the C library's white space.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0b' | '\x0c')
}

/// A text without the blanks around it: `(before, inner, after)`.
pub(crate) fn trimmed(text: &str, blank: impl Blank) -> (&str, &str, &str) {
    let start = text.len() - text.trim_start_matches(blank).len();
    let (before, text) = text.split_at(start);
    let (inner, after) = text.split_at(text.trim_end_matches(blank).len());
    (before, inner, after)
}

/// A name, a separator and a value: the pieces tile the text they were found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting<'a> {
    pub(crate) indent: &'a str,
    pub(crate) key: &'a str,
    pub(crate) before: &'a str,
    pub(crate) separator: &'a str,
    pub(crate) after: &'a str,
    pub(crate) value: &'a str,
    pub(crate) trail: &'a str,
}

/// Splits at the first `=`; both sides lose their blanks. None without one.
pub(crate) fn setting(text: &str, blank: impl Blank) -> Option<Setting<'_>> {
    let name = recognize(take_till(|c| c == '='));
    let mut parser = (take_while(blank), name, tag("="), take_while(blank), rest);
    let parsed: IResult<&str, _, ()> = parser.parse(text);
    let (_, (indent, key, separator, after, value)) = parsed.ok()?;
    let (_, key, before) = trimmed(key, blank);
    let (_, value, trail) = trimmed(value, blank);
    Some(Setting { indent, key, before, separator, after, value, trail })
}

/// A section's header: `[`, the name, `]`, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) indent: &'a str,
    pub(crate) open: &'a str,
    pub(crate) name: &'a str,
    /// Empty where the bracket is missing.
    pub(crate) close: &'a str,
    pub(crate) junk: &'a str,
}

/// A header as INI readers take it: up to the first `]`, whatever follows (files.md B).
pub(crate) fn header(text: &str) -> Option<Header<'_>> {
    let close = alt((tag("]"), tag("")));
    let mut parser = (take_while(is_space), tag("["), take_till(|c| c == ']'), close, rest);
    let parsed: IResult<&str, _, ()> = parser.parse(text);
    let (_, (indent, open, name, close, junk)) = parsed.ok()?;
    Some(Header { indent, open, name, close, junk })
}

/// A field of a record: `Key: value`, the key in column 0 and without blanks (files.md D).
pub(crate) fn field(text: &str) -> Option<Setting<'_>> {
    let name = take_till(|c: char| c == ':' || is_space(c));
    let mut parser = (name, take_while(is_space), recognize(char(':')), take_while(is_space), rest);
    let parsed: IResult<&str, _, ()> = parser.parse(text);
    let (_, (key, before, separator, after, value)) = parsed.ok()?;
    let (_, value, trail) = trimmed(value, is_space);
    (!key.is_empty()).then_some(Setting { indent: "", key, before, separator, after, value, trail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_ends() {
        let ends: Vec<_> =
            lines("\u{feff}a\nb\r\n\r\nc\r").map(|l| (l.number, l.mark, l.body, l.eol)).collect();
        assert_eq!(
            ends,
            [
                (1, "\u{feff}", "a", "\n"),
                (2, "", "b", "\r\n"),
                (3, "", "", "\r\n"),
                (4, "", "c\r", "")
            ]
        );
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }

    #[test]
    fn a_setting_splits_at_its_first_equals_sign() {
        let found = setting("  a b =  c=d \r", is_blank).expect("it has an equals sign");
        let pieces = [
            found.indent,
            found.key,
            found.before,
            found.separator,
            found.after,
            found.value,
            found.trail,
        ];
        assert_eq!(pieces, ["  ", "a b", " ", "=", "  ", "c=d", " \r"]);
        assert_eq!(setting("no equals", is_blank), None);
        let empty = setting("=", is_blank).expect("it has an equals sign");
        assert_eq!((empty.key, empty.value), ("", ""));
    }

    #[test]
    fn a_header_ends_at_its_first_bracket() {
        let found = header(" [a]b]").expect("it has a bracket");
        assert_eq!((found.indent, found.name, found.close, found.junk), (" ", "a", "]", "b]"));
        let open = header("[a").expect("it has a bracket");
        assert_eq!((open.name, open.close, open.junk), ("a", "", ""));
        assert_eq!(header("a]"), None);
    }

    #[test]
    fn a_field_has_no_blank_before_its_name_or_in_it() {
        let found = field("Path :  /a: b ").expect("it has a colon");
        assert_eq!((found.key, found.before, found.value), ("Path", " ", "/a: b"));
        assert_eq!(field("Path b: c"), None);
        assert_eq!(field(" Path: c"), None);
        assert_eq!(field(": c"), None);
        assert_eq!(field("Path"), None);
    }
}
