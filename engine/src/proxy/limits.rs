//! How much one peer may take: sizes, times, numbers.

use std::time::Duration;

/// Limits of the data path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most client connections at once, over all threads.
    pub connections: usize,
    /// Longest head of a request, in bytes; its headers are at most 100.
    pub head_bytes: usize,
    /// How long a head may take, and how long a connection may stay idle between requests.
    pub head_timeout: Duration,
    /// How long a session may take until its answer begins.
    pub response_timeout: Duration,
    /// How long connecting to a session is tried while its backlog is full.
    pub connect_timeout: Duration,
    /// Most idle connections that a thread keeps to one session.
    pub idle_upstreams: usize,
    /// How long it keeps them.
    pub idle_timeout: Duration,
    /// How long the socket of a listener that has moved goes on accepting.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: connections_for(soft_descriptor_limit()),
            head_bytes: 32 * 1_024,
            head_timeout: Duration::from_secs(60),
            response_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(3),
            // As many as one busy session's browser tabs and tools keep open; with fewer, every second
            // request of a burst opens a connection anew (benches/RESULTS.md).
            idle_upstreams: 256,
            idle_timeout: Duration::from_secs(30),
            linger: Duration::from_millis(500),
        }
    }
}

/// A fifth of the descriptors stays free; a connection may need a second one to its session.
fn connections_for(descriptors: u64) -> usize {
    usize::try_from(descriptors / 5 * 4 / 2).unwrap_or(usize::MAX).clamp(16, 1_000_000)
}

fn soft_descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_descriptors_stays_free() {
        assert_eq!(connections_for(1_000), 400);
        assert_eq!(connections_for(0), 16);
        assert_eq!(connections_for(u64::MAX), 1_000_000);
    }
}
