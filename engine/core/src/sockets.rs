//! The kernel's tables of TCP sockets (`/proc/net/tcp`, proc_net(5)), as text: who listens where.
//!
//! Reads a line at a time; opens nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A listening socket.
#[derive(Debug, PartialEq, Eq)]
pub struct Listening {
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
    /// The account that opened it.
    pub uid: u32,
    /// The socket's number, as the descriptors of processes name it.
    pub inode: u64,
}

impl Listening {
    /// Whether nobody else can listen at an address because of it.
    #[must_use]
    pub fn stands_in_the_way_of(&self, ip: IpAddr, port: u16) -> bool {
        let same_family = self.ip.is_ipv4() == ip.is_ipv4();
        // `::` takes IPv4, too, on most systems.
        let wildcard = |any: IpAddr| any.is_unspecified() && (same_family || any.is_ipv6());
        self.port == port && (self.ip == ip || wildcard(self.ip) || wildcard(ip))
    }
}

/// One line of the table; none if it is the heading or no listening socket.
#[must_use]
pub fn parse_line(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (ip, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    Some(Listening {
        ip: parse_ip(ip)?,
        port: u16::from_str_radix(port, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Groups of four bytes, each printed as one number of the machine.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(|b| IpAddr::V4(Ipv4Addr::from(b)));
    let v6 = <[u8; 16]>::try_from(bytes.as_slice()).map(|b| IpAddr::V6(Ipv6Addr::from(b)));
    v4.or(v6).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_tables_are_read() {
        let line = "   0: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1 0 100";
        let found = parse_line(line).unwrap();
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(found, Listening { ip, port: 8787, uid: 33, inode: 4711 });
        assert!(parse_line(&line.replace(" 0A ", " 01 ")).is_none());
        assert!(parse_line("  sl  local_address rem_address   st tx_queue").is_none());
        assert_eq!(parse_ip(&"0".repeat(32)), Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        assert_eq!(parse_ip("é"), None);
    }

    #[test]
    fn a_wildcard_stands_in_the_way_of_every_address_of_its_family() {
        let held = |ip: &str| Listening { ip: ip.parse().unwrap(), port: 80, uid: 0, inode: 1 };
        let hit = |held: &Listening, ip: &str| held.stands_in_the_way_of(ip.parse().unwrap(), 80);
        assert!(hit(&held("0.0.0.0"), "127.0.0.1"));
        assert!(hit(&held("127.0.0.1"), "0.0.0.0"));
        assert!(hit(&held("::"), "127.0.0.1"));
        assert!(!hit(&held("127.0.0.1"), "127.0.0.2"));
        assert!(!hit(&held("0.0.0.0"), "::1"));
    }
}
