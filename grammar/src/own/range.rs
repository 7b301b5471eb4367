//! Ranges: of ports (`10000-10100`) and of addresses (`10.0.0.0/8`).
//!
//! Knows no interface and no kernel setting; whether a range is free is for `check --live`.

use std::fmt;
use std::net::IpAddr;

use toml::de::DeValue;

use super::leaf::{Leaf, Port, Wrong, text};
use super::schema::{self, Schema};

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: Port,
    /// The highest, not below the first.
    pub last: Port,
}

impl PortRange {
    /// Whether a port is one of them.
    #[must_use]
    pub fn contains(&self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// How many ports it holds, at least one.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::from(self.last.0.saturating_sub(self.first.0)) + 1
    }

    /// Whether it holds no port, which no range does that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first > self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first.0, self.last.0)
    }
}

impl Leaf for PortRange {
    const TAKES: &'static str = "a range of ports in quotes";

    fn schema() -> Schema {
        schema::text_like(r"^\s*[0-9]+\s*(-\s*[0-9]+\s*)?$")
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let advice = "write it like \"10000-10100\"";
        let text = text(value).map_err(|wrong| wrong.or_write(advice))?;
        parse_port_range(text).map_err(|label| Wrong::value(label).or_write(advice))
    }
}

fn parse_port_range(text: &str) -> Result<PortRange, &'static str> {
    let port = |part: &str| {
        let part = part.trim();
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let port: Option<u16> = part.parse().ok().filter(|port| digits && *port > 0);
        port.map(Port).ok_or("ports are whole numbers from 1 to 65535")
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = PortRange { first: port(first)?, last: port(last)? };
    if range.is_empty() { Err("the first port is above the last") } else { Ok(range) }
}

/// The addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The first of them: no bit is set after the prefix.
    pub network: IpAddr,
    /// How many bits they share: up to 32 or 128.
    pub prefix_bits: u8,
}

impl Cidr {
    /// Whether an address is one of them; an IPv4 address mapped into IPv6 counts as itself.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same_kind = address.is_ipv4() == self.network.is_ipv4();
        same_kind && masked(address, self.prefix_bits) == self.network
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix_bits)
    }
}

impl Leaf for Cidr {
    const TAKES: &'static str = "a range of addresses in quotes";

    fn schema() -> Schema {
        schema::text_like(r"^\s*[0-9A-Fa-f:.]+(/[0-9]+)?\s*$")
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        parse_cidr(text(value)?)
    }
}

fn parse_cidr(text: &str) -> Result<Cidr, Wrong> {
    let example = "write it like \"10.0.0.0/8\" or \"2001:db8::/32\"";
    let (address, bits) =
        text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
    let address: IpAddr =
        address.parse().map_err(|_| Wrong::value("no IP address").or_write(example))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let digits = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let prefix_bits = match bits {
        None => most,
        Some(bits) => Some(bits)
            .filter(digits)
            .and_then(|bits| bits.parse().ok())
            .filter(|bits| *bits <= most)
            .ok_or_else(|| {
                Wrong::value(format!("a prefix is 0 to {most} bits")).or_write(example)
            })?,
    };
    let cidr = Cidr { network: masked(address, prefix_bits), prefix_bits };
    if cidr.network != address {
        // Which of the two was meant, the host or its network, decides who gets in: a person must say.
        return Err(Wrong::value("an address inside a range, not a range").or_write(format!(
            "write \"{cidr}\" for the range, or \"{address}\" for the one host"
        )));
    }
    Ok(cidr)
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_is_one_port_or_two() {
        let range = parse_port_range("10000-10100").unwrap();
        assert_eq!((range.first, range.last, range.len()), (Port(10000), Port(10100), 101));
        assert!(range.contains(Port(10100)) && !range.contains(Port(10101)));
        assert_eq!(parse_port_range("443").unwrap().to_string(), "443-443");
        for text in ["", "-", "10-", "0-5", "5-1", "1-65536", "a-b", "+1-2", "1-2-3", "1.5-2"] {
            assert!(parse_port_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_of_addresses_says_who_is_inside() {
        let v4 = parse_cidr("10.0.0.0/8").unwrap();
        assert!(v4.contains("10.1.2.3".parse().unwrap()));
        assert!(v4.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!v4.contains("11.0.0.1".parse().unwrap()));
        let all = parse_cidr("0.0.0.0/0").unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
        let v6 = parse_cidr("2001:db8::/32").unwrap();
        assert!(v6.contains("2001:db8:1::1".parse().unwrap()));
        assert_eq!(parse_cidr("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert!(parse_cidr("::/0").unwrap().contains("::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_of_addresses_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "host/8", "10.0.0.0/+8"]
        {
            assert!(parse_cidr(text).is_err(), "{text}");
        }
        let Err(Wrong::Value { help: Some(help), .. }) = parse_cidr("10.0.0.1/8") else {
            panic!("an address inside a range was taken");
        };
        assert_eq!(help, "write \"10.0.0.0/8\" for the range, or \"10.0.0.1\" for the one host");
    }
}
