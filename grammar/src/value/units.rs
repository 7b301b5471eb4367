//! Quantities that are written with a unit: spans of time and sizes.
//!
//! The files of our own write the unit behind the number (product.md §4, rule 5); Workbench's files put it into
//! the option's name, and the catalogue says which it is.

use std::fmt;

use super::ValueError;

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl fmt::Display for Millis {
    /// `100ms`, `60s`, `90s`, `2m`, `8h`, `1h30m`: the largest units that show it exactly; seconds up to 90.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        if !ms.is_multiple_of(1000) || ms == 0 {
            return write!(f, "{ms}ms");
        }
        let s = ms / 1000;
        if s <= 90 {
            return write!(f, "{s}s");
        }
        let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
        for (n, unit) in [(h, "h"), (m, "m"), (s, "s")] {
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}

/// A size in bytes, to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    /// `512B`, `1536MiB`, `32GiB`: the largest binary unit that shows it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |&&(_, factor): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(factor);
        let (unit, factor) =
            SIZE_UNITS.iter().rfind(|row| row.0.ends_with("iB") && exact(row)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// The unit of a bare number that is a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeUnit {
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days of 24 hours.
    Days,
}

impl TimeUnit {
    /// How many milliseconds one is.
    #[must_use]
    pub fn millis(self) -> u64 {
        match self {
            TimeUnit::Milliseconds => 1,
            TimeUnit::Seconds => 1000,
            TimeUnit::Minutes => 60_000,
            TimeUnit::Hours => 3_600_000,
            TimeUnit::Days => 86_400_000,
        }
    }

    /// What a number of it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "number of milliseconds",
            TimeUnit::Seconds => "number of seconds",
            TimeUnit::Minutes => "number of minutes",
            TimeUnit::Hours => "number of hours",
            TimeUnit::Days => "number of days",
        }
    }
}

/// The unit of a bare number that is a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeUnit {
    /// Bytes.
    Bytes,
    /// Megabytes of 1024 times 1024 bytes, as the product multiplies them.
    Megabytes,
}

impl SizeUnit {
    /// How many bytes one is.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            SizeUnit::Bytes => 1,
            SizeUnit::Megabytes => 1 << 20,
        }
    }

    /// What a number of it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SizeUnit::Bytes => "number of bytes",
            SizeUnit::Megabytes => "number of megabytes",
        }
    }
}

/// Reads a whole number that counts something of `factor` each, within `min..=max`.
///
/// # Errors
/// As [`super::parse_int`]; [`ValueError::BelowZero`] for a number that counts less than nothing where no range
/// says that it may not; [`ValueError::TooLarge`].
pub fn parse_count(text: &str, factor: u64, min: i64, max: i64) -> Result<u64, ValueError> {
    let number = super::parse_int(text, min, max)?;
    let number = u64::try_from(number).map_err(|_| ValueError::BelowZero)?;
    number.checked_mul(factor).ok_or(ValueError::TooLarge)
}

/// Longest first where one begins another, largest last.
pub(crate) const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

pub(crate) const SIZE_UNITS: [(&str, u64); 11] = [
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

/// Reads a span of time such as `100ms`, `60s`, `2h` or `1h30m`.
///
/// Whole numbers, each with its unit (`d`, `h`, `m`, `s`, `ms`), largest first, each unit once, no
/// blanks inside. `0` needs a unit too.
///
/// # Errors
/// A [`ValueError`] that says what is wrong with it.
pub fn parse_duration(text: &str) -> Result<Millis, ValueError> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    if rest.is_empty() {
        return Err(ValueError::Empty);
    }
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(end);
        if unit.is_empty() {
            return Err(ValueError::NoUnit { units: "d, h, m, s, ms" });
        }
        let factor = TIME_UNITS.iter().find(|row| row.0 == unit).map(|row| row.1);
        let factor = factor.ok_or(ValueError::UnknownUnit { units: "d, h, m, s, ms" })?;
        if factor >= smallest {
            return Err(ValueError::UnitOrder);
        }
        smallest = factor;
        let part = number.checked_mul(factor).ok_or(ValueError::TooLarge)?;
        total = total.checked_add(part).ok_or(ValueError::TooLarge)?;
        rest = tail;
    }
    Ok(Millis(total))
}

/// Reads a size such as `32GiB`, `4 MiB` or `500MB` into bytes.
///
/// A whole number and one unit, with or without a blank between. `KiB`, `MiB`, ... count in 1024,
/// `KB`, `MB`, ... in 1000; a bare `G` or `M` is refused because the tools of this field disagree
/// about it.
///
/// # Errors
/// A [`ValueError`] that says what is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, ValueError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    let (number, unit) = leading_number(text)?;
    let unit = unit.trim_start();
    let units = "B, KiB, MiB, GiB, TiB, KB, MB, GB, TB";
    if unit.is_empty() {
        return Err(ValueError::NoUnit { units });
    }
    let factor = SIZE_UNITS.iter().find(|row| row.0 == unit).map(|row| row.1);
    let factor = factor.ok_or(ValueError::UnknownUnit { units })?;
    number.checked_mul(factor).ok_or(ValueError::TooLarge)
}

fn leading_number(text: &str) -> Result<(u64, &str), ValueError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Err(ValueError::NotANumber);
    }
    if rest.starts_with(['.', ',']) {
        return Err(ValueError::Fraction);
    }
    let number = digits.parse().map_err(|_| ValueError::TooLarge)?;
    Ok((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, ms) in [
            ("100ms", 100),
            ("60s", 60_000),
            ("2m", 120_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            (" 5s ", 5000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Millis(ms)), "{text}");
        }
    }

    #[test]
    fn durations_that_mean_nothing_are_refused() {
        for (text, error) in [
            ("", ValueError::Empty),
            ("60", ValueError::NoUnit { units: "d, h, m, s, ms" }),
            ("5 s", ValueError::NoUnit { units: "d, h, m, s, ms" }),
            ("60sec", ValueError::UnknownUnit { units: "d, h, m, s, ms" }),
            ("1.5h", ValueError::Fraction),
            ("-5s", ValueError::NotANumber),
            ("30m1h", ValueError::UnitOrder),
            ("1h1h", ValueError::UnitOrder),
            ("99999999999999999999s", ValueError::TooLarge),
            ("213503982335d", ValueError::TooLarge),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_shown_duration_reads_back() {
        for (ms, text) in [
            (0, "0ms"),
            (1, "1ms"),
            (1500, "1500ms"),
            (90_000, "90s"),
            (91_000, "1m31s"),
            (5_400_000, "1h30m"),
        ] {
            assert_eq!(Millis(ms).to_string(), text);
            assert_eq!(parse_duration(text), Ok(Millis(ms)));
        }
    }

    #[test]
    fn sizes_read_with_and_without_a_blank() {
        for (text, bytes) in [
            ("512B", 512),
            ("4 MiB", 4 << 20),
            ("32GiB", 32 << 30),
            ("500MB", 500_000_000),
            ("2TiB", 2 << 40),
            ("0B", 0),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_mean_nothing_are_refused() {
        let units = "B, KiB, MiB, GiB, TiB, KB, MB, GB, TB";
        for (text, error) in [
            ("", ValueError::Empty),
            ("32", ValueError::NoUnit { units }),
            ("32G", ValueError::UnknownUnit { units }),
            ("1.5GiB", ValueError::Fraction),
            ("GiB", ValueError::NotANumber),
            ("99999999PiB", ValueError::TooLarge),
        ] {
            assert_eq!(parse_size(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_shown_size_reads_back() {
        for (bytes, text) in
            [(0, "0B"), (1000, "1000B"), (1536 << 20, "1536MiB"), (32 << 30, "32GiB")]
        {
            assert_eq!(Bytes(bytes).to_string(), text);
            assert_eq!(parse_size(text), Ok(bytes));
        }
    }
}
