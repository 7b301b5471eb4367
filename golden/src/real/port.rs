//! TCP ports for tests that run beside each other.
//!
//! Port 0 is not enough: the engine reads its port from a file and opens it later, and two tests may have been
//! given the same one meanwhile. A lock on a file is what keeps the others away; the numbers lie below those that
//! the system gives to outgoing connections.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port on the loopback that no other test uses as long as this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// One that nobody listens on.
    ///
    /// # Panics
    /// None of ten thousand is free.
    #[must_use]
    pub fn free() -> Self {
        Self::run(1).remove(0)
    }

    /// So many in a row.
    ///
    /// # Panics
    /// There is no such row.
    #[must_use]
    pub fn run(length: u16) -> Vec<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Two test programs begin in different places, mostly: the lock decides, this only saves tries.
        let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
        let begin = u16::try_from(begin).expect("less than COUNT");
        for _ in 0..COUNT {
            let at = (begin + NEXT.fetch_add(length, Ordering::Relaxed) % COUNT) % COUNT;
            if at + length > COUNT {
                continue;
            }
            let ports: Vec<Self> = (at..at + length).map_while(|n| Self::take(FIRST + n)).collect();
            if ports.len() == usize::from(length) {
                return ports;
            }
        }
        panic!("no {length} free ports in a row from {FIRST} on");
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    fn take(number: u16) -> Option<Self> {
        let uid = outer_uid();
        let dir = std::env::temp_dir().join(format!("wharf-golden-ports-{uid}"));
        std::fs::create_dir_all(&dir).ok()?;
        let file = dir.join(number.to_string());
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(file).ok()?;
        lock.try_lock().ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _lock: lock })
    }
}

/// This account as it is called outside of any namespace of users: whose files it makes.
fn outer_uid() -> u32 {
    let uid = rustix::process::geteuid().as_raw();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let ranges = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (inside, outside, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some((inside.ok()?, outside.ok()?, count.ok()?))
    });
    let own = |(inside, outside, count): (u32, u32, u32)| {
        let at = uid.checked_sub(inside).filter(|at| *at < count)?;
        Some(outside + at)
    };
    ranges.filter_map(own).next().unwrap_or(uid)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_values_have_the_same_port() {
        let ports: Vec<Port> = (0..5).map(|_| Port::free()).chain(Port::run(4)).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 9);
    }
}
