//! Typed values: what a text means once its option's type is known.

use std::fmt;

/// A value in its type. Units are in the variant's doc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Free text.
    Text(Box<str>),
    /// A path, as written.
    Path(Box<str>),
    /// A network address or host name, as written.
    Address(Box<str>),
    /// A list, split by its option's separator.
    List(Vec<Box<str>>),
    /// One word of a closed set, in the catalogue's spelling.
    Word(Box<str>),
    /// A URL, as written.
    Url(Box<str>),
    /// A size in bytes.
    Size(u64),
    /// A span of time.
    Duration(Millis),
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl fmt::Display for Millis {
    /// `100ms`, `60s`, `90s`, `2m`, `8h`, `1h30m`: the largest units that show it exactly; seconds up to 90.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        if ms % 1000 != 0 || ms == 0 {
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
