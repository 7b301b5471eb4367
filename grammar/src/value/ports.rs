//! Ports and ranges of ports.

use super::{ValueError, parse_int};

/// A range of ports, both ends in it; `lower` is not above `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first port.
    pub lower: u16,
    /// The last port.
    pub upper: u16,
}

/// Reads a port within `min..=max`, both at most 65535.
///
/// # Errors
/// As [`parse_int`].
pub fn parse_port(text: &str, min: u16, max: u16) -> Result<u16, ValueError> {
    let number = parse_int(text, min.into(), max.into())?;
    Ok(u16::try_from(number).expect("the range was checked, and ends at 65535"))
}

/// Reads `lower-upper` (files.md §2).
///
/// # Errors
/// [`ValueError::NotAPortRange`], [`ValueError::PortOrder`], or as [`parse_int`].
pub fn parse_port_range(text: &str) -> Result<PortRange, ValueError> {
    let Some((lower, upper)) = text.split_once('-') else {
        return Err(if text.is_empty() { ValueError::Empty } else { ValueError::NotAPortRange });
    };
    let port = |text: &str| match parse_port(text.trim(), 1, u16::MAX) {
        Err(ValueError::Empty | ValueError::NotANumber) => Err(ValueError::NotAPortRange),
        other => other,
    };
    let range = PortRange { lower: port(lower)?, upper: port(upper)? };
    if range.lower > range.upper { Err(ValueError::PortOrder) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_from_its_lower_to_its_upper_port() {
        let range = PortRange { lower: 40_000, upper: 40_100 };
        assert_eq!(parse_port_range("40000-40100"), Ok(range));
        assert_eq!(parse_port_range("7-7"), Ok(PortRange { lower: 7, upper: 7 }));
        for (text, error) in [
            ("", ValueError::Empty),
            ("40000", ValueError::NotAPortRange),
            ("40000:40100", ValueError::NotAPortRange),
            ("a-b", ValueError::NotAPortRange),
            ("1-2-3", ValueError::NotAPortRange),
            ("2-1", ValueError::PortOrder),
            ("0-9", ValueError::OutOfRange { min: 1, max: 65535 }),
            ("1-65536", ValueError::OutOfRange { min: 1, max: 65535 }),
        ] {
            assert_eq!(parse_port_range(text), Err(error), "{text}");
        }
    }
}
