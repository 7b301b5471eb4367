//! Why a text is not a value of its option's type, and what to write instead.

use std::fmt;

use super::AddressForm;

/// Why a text is not a value of its option's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// There is no text where a value is needed.
    Empty,
    /// Neither of the words for a switch.
    NotASwitch,
    /// Not a whole number.
    NotANumber,
    /// A whole number outside the option's range.
    OutOfRange {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// None of the words of the set.
    NotAWord {
        /// The words, the empty one left out.
        words: Vec<&'static str>,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A number that counts something, below zero.
    BelowZero,
    /// Not a number, decimals allowed.
    NotADecimal,
    /// Not `lower-upper`.
    NotAPortRange,
    /// A range of ports that ends before it begins.
    PortOrder,
    /// No account or group could be called so.
    NotAName,
    /// A bracket of a regular expression that is not closed, or not opened; or a `\` at its end.
    Unclosed(char),
    /// Not a date in a form that is read.
    NotAMoment,
    /// Not an address of the form that the option takes.
    NotAnAddress(AddressForm),
    /// A URL where an address is needed.
    AddressWithScheme,
    /// Has no `scheme://`.
    NotAUrl,
    /// A quantity without its unit.
    NoUnit {
        /// The units to choose from.
        units: &'static str,
    },
    /// A quantity with a unit that is none of ours.
    UnknownUnit {
        /// The units to choose from.
        units: &'static str,
    },
    /// Units of time not from largest to smallest, or one twice.
    UnitOrder,
    /// A fraction of a unit.
    Fraction,
    /// Beyond 64 bits.
    TooLarge,
}

impl fmt::Display for ValueError {
    /// What is wrong, in a few words, to stand below the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Empty => write!(f, "a value is needed here"),
            ValueError::NotASwitch => write!(f, "not a switch"),
            ValueError::NotANumber => write!(f, "not a whole number"),
            ValueError::OutOfRange { min, max } if *max == i64::MAX => {
                write!(f, "must be {min} or more")
            }
            ValueError::OutOfRange { min, max } => write!(f, "must be from {min} to {max}"),
            ValueError::NotAWord { nearest: Some(word), .. } => {
                write!(f, "did you mean `{word}`?")
            }
            ValueError::NotAWord { nearest: None, .. } => write!(f, "not one of the known words"),
            ValueError::BelowZero => write!(f, "below zero"),
            ValueError::NotADecimal => write!(f, "not a number"),
            ValueError::NotAPortRange => write!(f, "not a range of ports"),
            ValueError::PortOrder => write!(f, "ends before it begins"),
            ValueError::NotAName => write!(f, "no name has a `:`, `/` or `,` in it"),
            ValueError::Unclosed(')') => write!(f, "a `)` without its `(`"),
            ValueError::Unclosed('\\') => write!(f, "ends in a backslash"),
            ValueError::Unclosed(open) => write!(f, "a `{open}` is not closed"),
            ValueError::NotAMoment => write!(f, "not a date"),
            ValueError::NotAnAddress(AddressForm::Any) => write!(f, "an address has no blanks"),
            ValueError::NotAnAddress(_) => write!(f, "not an address"),
            ValueError::AddressWithScheme => write!(f, "an address has no scheme in front"),
            ValueError::NotAUrl => write!(f, "no `scheme://` in front"),
            ValueError::NoUnit { .. } => write!(f, "a unit is missing"),
            ValueError::UnknownUnit { .. } => write!(f, "unknown unit"),
            ValueError::UnitOrder => write!(f, "units go from the largest to the smallest"),
            ValueError::Fraction => write!(f, "fractions are not read here"),
            ValueError::TooLarge => write!(f, "too large"),
        }
    }
}

impl ValueError {
    /// What may be written instead, where that can be said in general.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ValueError::NotASwitch => {
                Some("write 1, true, yes or on; or 0, false, no or off".to_owned())
            }
            ValueError::NotAWord { words, .. } => Some(format!("one of: {}", words.join(", "))),
            ValueError::NotAPortRange | ValueError::PortOrder => {
                Some("write the lowest and the highest port, like 40000-40100".to_owned())
            }
            ValueError::NotAMoment => {
                Some("write it like 2026-01-31, or 2026-01-31 08:30".to_owned())
            }
            ValueError::NotAnAddress(AddressForm::Any) => None,
            ValueError::NotAnAddress(form) => Some(format!("write {}", form.takes())),
            ValueError::AddressWithScheme => Some("write the address alone".to_owned()),
            ValueError::NoUnit { units } | ValueError::UnknownUnit { units } => {
                Some(format!("units are: {units}"))
            }
            ValueError::UnitOrder => Some("write it like 1h30m".to_owned()),
            ValueError::Fraction => {
                Some("use the next smaller unit, such as 90m or 1536MiB".into())
            }
            _ => None,
        }
    }
}
