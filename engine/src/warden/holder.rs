//! Who holds a TCP port: a name and a pid for the administrator, instead of "address in use".
//!
//! Read from `/proc/net/tcp{,6}` (proc_net(5)) and the descriptors of processes. What cannot be read
//! is not guessed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `nginx, pid 812`; `uid 33` where the process is not to be seen; none if nobody listens there.
#[must_use]
pub fn of_port(ip: IpAddr, port: u16) -> Option<String> {
    let listening = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().filter_map(parse_line).find(|line| line.stands_in_the_way_of(ip, port))
    })?;
    Some(
        process_of(listening.inode)
            .unwrap_or_else(|| format!("a process of uid {}", listening.uid)),
    )
}

/// A listening socket.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    ip: IpAddr,
    port: u16,
    uid: u32,
    inode: u64,
}

impl Listening {
    fn stands_in_the_way_of(&self, ip: IpAddr, port: u16) -> bool {
        let same_family = self.ip.is_ipv4() == ip.is_ipv4();
        // `::` takes IPv4, too, on most systems.
        let wildcard = |any: IpAddr| any.is_unspecified() && (same_family || any.is_ipv6());
        self.port == port && (self.ip == ip || wildcard(self.ip) || wildcard(ip))
    }
}

/// One line of the table; none if it is the heading or no listening socket.
fn parse_line(line: &str) -> Option<Listening> {
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

fn process_of(inode: u64) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = fds.flatten().any(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str())
        });
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            // A process names itself what it likes; this goes to a terminal.
            let name: String = name.trim_end().chars().filter(|c| !c.is_control()).collect();
            return Some(format!("{name}, pid {pid}"));
        }
    }
    None
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
