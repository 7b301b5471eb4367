//! Texts with a form of their own: account names, regular expressions, moments.
//!
//! Each check refuses only what no reader of such a text could take; what is left is free text.

use super::ValueError;

/// Reads the name of an account or group.
///
/// Whether it exists is not asked. Directories give names with blanks, `@` and `\`; a `:` ends a name in every
/// account database, a `/` would leave its home directory.
///
/// # Errors
/// [`ValueError::NotAName`].
pub fn parse_name(text: &str) -> Result<Box<str>, ValueError> {
    if text.contains([':', '/', ',']) { Err(ValueError::NotAName) } else { Ok(text.into()) }
}

/// Reads a regular expression, or a rewrite rule that begins with one.
///
/// Which dialect the product uses is not established, so only brackets are looked at: each `(` and `[` is closed
/// and each `)` opened, and the text does not end in a backslash. That holds in all of them.
///
/// # Errors
/// [`ValueError::Unclosed`] with the character.
pub fn parse_pattern(text: &str) -> Result<Box<str>, ValueError> {
    let mut open = 0usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => chars.next().map(drop).ok_or(ValueError::Unclosed('\\'))?,
            '(' => open += 1,
            ')' => open = open.checked_sub(1).ok_or(ValueError::Unclosed(')'))?,
            '[' => skip_class(&mut chars)?,
            _ => {}
        }
    }
    if open > 0 { Err(ValueError::Unclosed('(')) } else { Ok(text.into()) }
}

/// Goes behind the `]` of a class; one right behind `[` or `[^` may be a member of it.
fn skip_class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), ValueError> {
    chars.next_if_eq(&'^');
    let first = chars.next_if_eq(&']').is_some();
    while let Some(c) = chars.next() {
        match c {
            ']' => return Ok(()),
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    // `[]` is empty in one dialect and open in another.
    if first { Ok(()) } else { Err(ValueError::Unclosed('[')) }
}

/// Reads a moment as `notifications.conf` takes it: `YYYY-MM-DD`, `YYYY-MM-DD hh:mm`, or
/// `YYYY-MM-DD hh:mm:ss +hh:mm`.
///
/// An empty text is allowed: without a beginning a message is shown at once.
///
/// # Errors
/// [`ValueError::NotAMoment`].
pub fn parse_moment(text: &str) -> Result<Box<str>, ValueError> {
    let mut parts = text.split_ascii_whitespace();
    let date = parts.next().is_none_or(is_date);
    let clock = parts.next().is_none_or(is_clock);
    let zone = parts.next().is_none_or(is_zone);
    if date && clock && zone && parts.next().is_none() {
        Ok(text.into())
    } else {
        Err(ValueError::NotAMoment)
    }
}

fn is_date(text: &str) -> bool {
    let [year, month, day] = numbers(text, '-', [4, 2, 2]).unwrap_or([0; 3]);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_clock(text: &str) -> bool {
    let parts = match text.matches(':').count() {
        1 => numbers(text, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0]),
        _ => numbers(text, ':', [2, 2, 2]),
    };
    // 60 is a leap second.
    parts.is_some_and(|[hour, minute, second]| hour < 24 && minute < 60 && second <= 60)
}

fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return false };
    numbers(offset, ':', [2, 2]).is_some_and(|[hour, minute]| hour <= 14 && minute < 60)
}

/// Numbers of fixed widths; none if that is not what stands there.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = digits.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_an_account_database_can_hold() {
        for name in ["rstudio-server", "DOMAIN\\domain users", "a@b.example", "_svc", "ü"] {
            assert!(parse_name(name).is_ok(), "{name}");
        }
        for text in ["a:b", "/a", "a,b"] {
            assert_eq!(parse_name(text), Err(ValueError::NotAName), "{text}");
        }
    }

    #[test]
    fn the_brackets_of_a_pattern_are_closed() {
        for text in ["", "^.*$ azureuser", r"^([a-z]+)@x\.de$ $1", r"[^]]", "[]a]", r"\(", "[(]"] {
            assert!(parse_pattern(text).is_ok(), "{text}");
        }
        for (text, at) in [("(a", '('), ("a)", ')'), ("[a", '['), ("a\\", '\\'), ("([)]", '(')] {
            assert_eq!(parse_pattern(text), Err(ValueError::Unclosed(at)), "{text}");
        }
    }

    #[test]
    fn moments_are_dates_with_or_without_a_clock() {
        for text in ["", "2026-02-28", "2028-02-29 08:30", "2026-01-31 08:30:00 +02:00"] {
            assert!(parse_moment(text).is_ok(), "{text}");
        }
        for text in
            ["soon", "2026-02-29", "2026-1-1", "2026-01-01 24:00", "2026-01-01 8:00 +2", "08:30"]
        {
            assert_eq!(parse_moment(text), Err(ValueError::NotAMoment), "{text}");
        }
    }
}
