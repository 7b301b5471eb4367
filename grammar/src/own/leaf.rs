//! Single values: how a TOML value becomes one of ours, or why it does not.
//!
//! A `Leaf` says what it takes; a `Check` (in `check`) narrows one field further. Neither knows places: the
//! `reader` adds them and makes the problem.

use serde_json::json;
use toml::de::DeValue;

use super::schema::{self, Schema};
use crate::value::{Bytes, Millis, SIZE_UNITS, TIME_UNITS, ValueError, parse_duration, parse_size};

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Another type than the key takes; what to write instead, where that can be said.
    Type(Option<String>),
    /// One word, but none of these.
    Word {
        /// What was written.
        given: String,
        /// What can be.
        words: &'static [&'static str],
    },
    /// The right type, but not a possible value.
    Value {
        /// What is wrong with it, to stand below it.
        label: String,
        /// What to write instead.
        help: Option<String>,
    },
}

impl Wrong {
    /// An impossible value.
    pub(crate) fn value(label: impl Into<String>) -> Self {
        Wrong::Value { label: label.into(), help: None }
    }

    /// Says what to write instead.
    pub(crate) fn or_write(self, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        match self {
            Wrong::Type(_) => Wrong::Type(advice),
            Wrong::Value { label, .. } => Wrong::Value { label, help: advice },
            Wrong::Word { .. } => self,
        }
    }
}

impl From<ValueError> for Wrong {
    fn from(error: ValueError) -> Self {
        Wrong::Value { label: error.to_string(), help: error.help() }
    }
}

/// A value that is written as one TOML value.
pub(crate) trait Leaf: Sized {
    /// What is written for it: "a whole number".
    const TAKES: &'static str;

    /// What a JSON Schema says of it, never more than the reader asks.
    fn schema() -> Schema;

    /// Reads it.
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong>;
}

/// How a value's type is called in a message.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text from a file as it may stand in a message: no control characters, no end of the page.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out: String = text.chars().take(LONGEST).flat_map(escape).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out
}

fn escape(c: char) -> impl Iterator<Item = char> {
    // Format characters (such as the ones that turn the direction of writing) would let a file write
    // something else into our message than stands in it.
    let hidden = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let escaped = hidden.then(|| c.escape_unicode());
    let plain = (!hidden).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// The text of a string value; for another type, `Wrong::Type`.
pub(crate) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Wrong> {
    value.as_str().ok_or(Wrong::Type(None))
}

/// The text of a string value; for a bare number, the advice to add quotes and a unit.
fn quantity<'v>(value: &'v DeValue<'_>, unit: &str) -> Result<&'v str, Wrong> {
    match value {
        DeValue::Integer(number) => Err(Wrong::Type(Some(format!(
            "write it with its unit, such as \"{}{unit}\"",
            number.as_str()
        )))),
        other => text(other),
    }
}

impl Leaf for String {
    const TAKES: &'static str = "a string";

    fn schema() -> Schema {
        json!({ "type": "string" })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = match value {
            DeValue::Integer(number) => {
                return Err(Wrong::Type(Some(format!("write \"{number}\""))));
            }
            DeValue::Boolean(switch) => {
                return Err(Wrong::Type(Some(format!("write \"{switch}\""))));
            }
            other => text(other)?,
        };
        if text.contains('\0') {
            return Err(Wrong::value("no program takes a NUL character"));
        }
        Ok(text.to_owned())
    }
}

impl Leaf for bool {
    const TAKES: &'static str = "true or false";

    fn schema() -> Schema {
        json!({ "type": "boolean" })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::Boolean(switch) => Ok(*switch),
            DeValue::String(word) => match &**word {
                "true" | "yes" | "on" => Err(Wrong::Type(Some("write true, no quotes".into()))),
                "false" | "no" | "off" => Err(Wrong::Type(Some("write false, no quotes".into()))),
                _ => Err(Wrong::Type(None)),
            },
            DeValue::Integer(number) => {
                let word = if number.as_str() == "0" { "false" } else { "true" };
                Err(Wrong::Type(Some(format!("write {word}"))))
            }
            _ => Err(Wrong::Type(None)),
        }
    }
}

/// A whole number from `min` to `max`.
fn whole(value: &DeValue<'_>, min: i64, max: i64) -> Result<i64, Wrong> {
    let number = match value {
        DeValue::Integer(number) => number,
        DeValue::String(text) if text.parse::<i64>().is_ok() => {
            return Err(Wrong::Type(Some(format!("write {}, no quotes", text.trim()))));
        }
        _ => return Err(Wrong::Type(None)),
    };
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(ValueError::OutOfRange { min, max }.into()),
    }
}

/// How many of something: up to a million, beyond which a figure is a slip.
pub(crate) const COUNT_MAX: i64 = 1_000_000;

/// A number of things, 0 included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count(pub(crate) u32);

impl Leaf for Count {
    const TAKES: &'static str = "a whole number";

    fn schema() -> Schema {
        json!({ "type": "integer", "minimum": 0, "maximum": COUNT_MAX })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let number = whole(value, 0, COUNT_MAX)?;
        u32::try_from(number).map(Count).map_err(|_| ValueError::TooLarge.into())
    }
}

/// A TCP port, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

impl Leaf for Port {
    const TAKES: &'static str = "the number of a port";

    fn schema() -> Schema {
        json!({ "type": "integer", "minimum": 1, "maximum": 65_535 })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let number = whole(value, 1, 65_535)?;
        u16::try_from(number).map(Port).map_err(|_| ValueError::TooLarge.into())
    }
}

/// A share of processors in thousandths: `cpus = 1.5` is 1500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpus(pub u32);

/// More processors than any machine has.
const CPUS_MAX: u32 = 100_000;

impl Leaf for MilliCpus {
    const TAKES: &'static str = "a number of processors";

    fn schema() -> Schema {
        json!({ "type": "number", "minimum": 0.001, "maximum": CPUS_MAX })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = match value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            DeValue::String(text) if text.parse::<u32>().is_ok() => {
                return Err(Wrong::Type(Some(format!("write {text}, no quotes"))));
            }
            _ => return Err(Wrong::Type(None)),
        };
        parse_milli(text).map(MilliCpus).ok_or_else(|| {
            Wrong::value(format!("must be from 0.001 to {CPUS_MAX}, with at most three decimals"))
        })
    }
}

/// `8` is 8000, `0.25` is 250; in digits, because a float would round.
fn parse_milli(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 3 {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= CPUS_MAX)?;
    let milli = whole.checked_mul(1000)?.checked_add(thousandths)?;
    (milli > 0 && milli <= CPUS_MAX * 1000).then_some(milli)
}

impl Leaf for Millis {
    const TAKES: &'static str = "a duration in quotes";

    fn schema() -> Schema {
        let units = TIME_UNITS.map(|(unit, _)| format!("([0-9]+{unit})?")).concat();
        json!({ "type": "string", "minLength": 2, "pattern": format!(r"^\s*{units}\s*$") })
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Ok(parse_duration(quantity(value, "s")?)?)
    }
}

impl Leaf for Bytes {
    const TAKES: &'static str = "a size in quotes";

    fn schema() -> Schema {
        let units = SIZE_UNITS.map(|(unit, _)| unit).join("|");
        schema::text_like(&format!(r"^\s*[0-9]+\s*({units})\s*$"))
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Ok(Bytes(parse_size(quantity(value, "GiB")?)?))
    }
}

/// Declares a closed set of words as an enum that reads itself.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// Its words, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as it stands in the file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl $crate::own::leaf::Leaf for $name {
            const TAKES: &'static str = "a word in quotes";

            fn schema() -> $crate::own::schema::Schema {
                serde_json::json!({ "enum": $name::WORDS })
            }

            fn parse(
                value: &toml::de::DeValue<'_>,
            ) -> Result<Self, $crate::own::leaf::Wrong> {
                let words = || format!("one of: {}", $name::WORDS.join(", "));
                match $crate::own::leaf::text(value).map_err(|wrong| wrong.or_write(words()))? {
                    $($word => Ok($name::$variant),)+
                    other => Err($crate::own::leaf::Wrong::Word {
                        given: other.to_owned(),
                        words: $name::WORDS,
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (text, milli) in [
            ("8", Some(8000)),
            ("0.25", Some(250)),
            ("1.5000", Some(1500)),
            ("0.001", Some(1)),
            ("0", None),
            ("0.0001", None),
            ("-1", None),
            ("1e3", None),
            ("100001", None),
            ("inf", None),
            ("", None),
            (".5", None),
            ("100000", Some(100_000_000)),
            ("100000.1", None),
        ] {
            assert_eq!(parse_milli(text), milli, "{text}");
        }
    }

    #[test]
    fn hostile_text_is_shown_harmlessly() {
        assert_eq!(shown("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(shown(&"x".repeat(1000)).len(), 63);
    }
}
