//! Typed values: what a text means once its option's type is known.
//!
//! Knows types, not options: which type an option has stands in the [`crate::catalogue`], what a
//! reader does to the text before it gets here (cutting, trimming, un-escaping) in that reader.

mod address;
mod error;
mod ports;
mod text;
mod units;

use std::sync::Arc;

pub use address::{AddressForm, parse_address};
pub use error::ValueError;
pub use ports::{PortRange, parse_port, parse_port_range};
pub use text::{parse_moment, parse_name, parse_pattern};
pub use units::{Bytes, Millis, SizeUnit, TimeUnit, parse_count, parse_duration, parse_size};
pub(crate) use units::{SIZE_UNITS, TIME_UNITS};

/// A value in its type. Units are in the variant's doc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number, as written.
    Decimal(Box<str>),
    /// A port; 0 where its option takes it.
    Port(u16),
    /// A range of ports.
    PortRange(PortRange),
    /// Free text.
    Text(Box<str>),
    /// The name of an account or a group.
    Name(Box<str>),
    /// A regular expression, as written.
    Pattern(Box<str>),
    /// A moment, as written.
    Moment(Box<str>),
    /// A path, as written.
    Path(Box<str>),
    /// A network address or host name, as written.
    Address(Box<str>),
    /// A list, split by its option's separator.
    List(Vec<Arc<str>>),
    /// One word of a closed set, in the catalogue's spelling.
    Word(Box<str>),
    /// A URL, as written.
    Url(Box<str>),
    /// A size in bytes.
    Size(u64),
    /// A span of time.
    Duration(Millis),
}

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// A switch: `1 true yes on` and `0 false no off`, any case (files.md A).
    Bool,
    /// A whole number.
    Int,
    /// A number with or without decimals.
    Decimal,
    /// A whole number that is a span of time in a fixed unit.
    Duration(TimeUnit),
    /// A whole number that is a size in a fixed unit.
    Size(SizeUnit),
    /// A port.
    Port,
    /// `lower-upper`.
    PortRange,
    /// Free text.
    Text,
    /// The name of an account.
    Account,
    /// The name of a group.
    Group,
    /// A regular expression, or a rewrite rule that begins with one.
    Pattern,
    /// A date, with or without a clock.
    Moment,
    /// A path.
    Path,
    /// A network address.
    Address(AddressForm),
    /// A list in one value.
    List(Separator),
    /// One word of a set.
    Word,
    /// A URL.
    Url,
}

impl ValueKind {
    /// The name of the type as `wharf option show` prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ValueKind::Bool => "switch",
            ValueKind::Int | ValueKind::Decimal => "number",
            ValueKind::Duration(unit) => unit.name(),
            ValueKind::Size(unit) => unit.name(),
            ValueKind::Port => "port",
            ValueKind::PortRange => "range of ports",
            ValueKind::Text => "text",
            ValueKind::Account => "name of an account",
            ValueKind::Group => "name of a group",
            ValueKind::Pattern => "regular expression",
            ValueKind::Moment => "date",
            ValueKind::Path => "path",
            ValueKind::Address(_) => "address",
            ValueKind::List(_) => "list",
            ValueKind::Word => "word",
            ValueKind::Url => "URL",
        }
    }
}

/// What stands between the items of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Separator {
    /// Commas, blanks around them do not count.
    Comma,
    /// Blanks.
    Blank,
    /// Colons.
    Colon,
    /// Each item on its own line.
    Line,
    /// The whole value is one item: the option is repeated instead.
    None,
}

/// Reads a switch: `1 true yes on` or `0 false no off`, any case (files.md A).
///
/// # Errors
/// [`ValueError::NotASwitch`] for everything else, the empty text included: what an empty value means
/// is the reader's business.
pub fn parse_bool(text: &str) -> Result<bool, ValueError> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(["1", "true", "yes", "on"]) {
        Ok(true)
    } else if is(["0", "false", "no", "off"]) {
        Ok(false)
    } else {
        Err(ValueError::NotASwitch)
    }
}

/// Reads a whole number within `min..=max`.
///
/// # Errors
/// [`ValueError::Empty`], [`ValueError::NotANumber`] or [`ValueError::OutOfRange`].
pub fn parse_int(text: &str, min: i64, max: i64) -> Result<i64, ValueError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::NotANumber);
    }
    let number = text.parse().map_err(|_| ValueError::OutOfRange { min, max })?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(ValueError::OutOfRange { min, max })
    }
}

/// Reads one word of a set, whatever its letter case; the answer has the set's spelling.
///
/// Blanks, `-` and `_` are the same inside a word, and may be left out: `VS Code`, `vs-code` and
/// `vscode` are one word (files.md 6: values are matched loosely). A word such as `<origin>` in the set
/// stands for any text.
///
/// # Errors
/// [`ValueError::NotAWord`] with the word that was probably meant.
pub fn parse_word(text: &str, words: &'static [&'static str]) -> Result<Box<str>, ValueError> {
    let same = |word: &str| letters(word).eq(letters(text));
    if let Some(word) = words.iter().copied().find(|word| same(word)) {
        return Ok(word.into());
    }
    if words.iter().any(|word| word.starts_with('<')) && !text.is_empty() {
        return Ok(text.into());
    }
    let words: Vec<_> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    let nearest = crate::suggest::nearest(text, words.iter().copied());
    let nearest = words.iter().copied().find(|&word| Some(word) == nearest);
    Err(ValueError::NotAWord { words, nearest })
}

fn letters(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).map(|c| c.to_ascii_lowercase())
}

/// Reads a number with or without decimals: `2`, `0.5`, `-1`.
///
/// # Errors
/// [`ValueError::Empty`] or [`ValueError::NotADecimal`].
pub fn parse_decimal(text: &str) -> Result<Box<str>, ValueError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() {
        Err(ValueError::Empty)
    } else if whole.len() + part.len() > 0 && all_digits(whole) && all_digits(part) {
        Ok(text.into())
    } else {
        Err(ValueError::NotADecimal)
    }
}

/// Reads a URL: `scheme://` and something after it. An empty text is allowed: it unsets the option.
///
/// # Errors
/// [`ValueError::NotAUrl`].
pub fn parse_url(text: &str) -> Result<Box<str>, ValueError> {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let good = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(fits);
    if text.is_empty() || good { Ok(text.into()) } else { Err(ValueError::NotAUrl) }
}

/// Splits a list; items lose the blanks around them, empty items are left out.
#[must_use]
pub fn parse_list(text: &str, separator: Separator) -> Vec<Arc<str>> {
    let split: &dyn Fn(char) -> bool = match separator {
        Separator::Comma => &|c| c == ',',
        Separator::Blank => &char::is_whitespace,
        Separator::Colon => &|c| c == ':',
        Separator::Line => &|c| c == '\n',
        Separator::None => &|_| false,
    };
    text.split(split).map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_know_eight_words_in_any_case() {
        for word in ["1", "true", "yes", "on", "TRUE", "Yes"] {
            assert_eq!(parse_bool(word), Ok(true), "{word}");
        }
        for word in ["0", "false", "no", "off", "OFF"] {
            assert_eq!(parse_bool(word), Ok(false), "{word}");
        }
        for word in ["", "2", "y", "enabled", "tru"] {
            assert_eq!(parse_bool(word), Err(ValueError::NotASwitch), "{word}");
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(parse_int("8787", 1, 65535), Ok(8787));
        assert_eq!(parse_int("-1", i64::MIN, i64::MAX), Ok(-1));
        assert_eq!(parse_int("", 0, 9), Err(ValueError::Empty));
        assert_eq!(parse_int("8787x", 0, 9), Err(ValueError::NotANumber));
        assert_eq!(parse_int("-", 0, 9), Err(ValueError::NotANumber));
        let range = ValueError::OutOfRange { min: 1, max: 65535 };
        assert_eq!(parse_int("0", 1, 65535), Err(range.clone()));
        assert_eq!(parse_int("99999999999999999999", 1, 65535), Err(range));
    }

    #[test]
    fn words_are_matched_loosely_and_answered_in_one_spelling() {
        const WORDS: &[&str] = &["rstudio", "jupyter-notebook", "vs-code", "any"];
        for (text, word) in [
            ("Jupyter Notebook", "jupyter-notebook"),
            ("jupyternotebook", "jupyter-notebook"),
            ("VS Code", "vs-code"),
            ("vscode", "vs-code"),
            ("ANY", "any"),
        ] {
            assert_eq!(parse_word(text, WORDS).as_deref(), Ok(word), "{text}");
        }
        let ValueError::NotAWord { nearest, .. } = parse_word("rstuido", WORDS).unwrap_err() else {
            panic!("a wrong word is not a word");
        };
        assert_eq!(nearest, Some("rstudio"));
    }

    #[test]
    fn a_set_with_a_placeholder_takes_any_text() {
        assert_eq!(parse_word("https://a.b", &["none", "<origin>"]).as_deref(), Ok("https://a.b"));
        assert!(parse_word("", &["none", "<origin>"]).is_err());
    }

    #[test]
    fn decimals_may_have_a_point() {
        for text in ["2", "0.5", "-1", ".5", "1."] {
            assert!(parse_decimal(text).is_ok(), "{text}");
        }
        for text in ["", ".", "1,5", "1e3", "two", "1.2.3"] {
            assert!(parse_decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn urls_have_a_scheme() {
        assert!(parse_url("http://10.0.0.1:8787").is_ok());
        assert!(parse_url("").is_ok());
        assert!(parse_url("10.0.0.1:8787").is_err());
        assert!(parse_url("://x").is_err());
    }

    #[test]
    fn lists_split_by_their_own_separator() {
        let items = |text, separator| parse_list(text, separator).join("|");
        assert_eq!(items("a, b,,c", Separator::Comma), "a|b|c");
        assert_eq!(items("a  b", Separator::Blank), "a|b");
        assert_eq!(items("a b:c", Separator::Colon), "a b|c");
        assert_eq!(items("a b,c", Separator::None), "a b,c");
        assert!(parse_list("", Separator::Comma).is_empty());
    }
}
