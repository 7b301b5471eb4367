//! Idle connections to sessions: one pool a thread, keyed by incarnation, bounded in number and time.
//!
//! A connection belongs to the thread that opened it, so taking and giving back needs no lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::body::ToSession;
use super::table::Upstream;

/// A connection that carries one request.
pub(super) struct Lease {
    /// Its sender.
    pub(super) sender: SendRequest<ToSession>,
    /// To which session it leads.
    pub(super) upstream: Arc<Upstream>,
    /// Whether it carried a request before: only then can it turn out to be stale.
    pub(super) used: bool,
}

/// The idle connections of one thread.
pub(super) struct Pool {
    idle: HashMap<u64, Vec<Idle>>,
    most_idle: usize,
    idle_timeout: Duration,
}

struct Idle {
    lease: Lease,
    since: Instant,
}

impl Pool {
    /// Keeps at most `most_idle` to one session, for at most `idle_timeout`.
    pub(super) fn new(most_idle: usize, idle_timeout: Duration) -> Self {
        Self { idle: HashMap::new(), most_idle, idle_timeout }
    }

    /// Takes the connection that was used last, if one can carry a request now.
    pub(super) fn take(&mut self, upstream: &Upstream) -> Option<Lease> {
        let idle = self.idle.get_mut(&upstream.key)?;
        idle.retain(|idle| !idle.lease.sender.is_closed());
        let at = idle.iter().rposition(|idle| idle.lease.sender.is_ready())?;
        Some(idle.remove(at).lease)
    }

    /// Gives a connection back whose answer has ended.
    pub(super) fn give_back(&mut self, mut lease: Lease) {
        if lease.sender.is_closed() {
            return;
        }
        lease.used = true;
        let idle = self.idle.entry(lease.upstream.key).or_default();
        if idle.len() < self.most_idle {
            idle.push(Idle { lease, since: Instant::now() });
        }
    }

    /// Closes what leads to an incarnation that has no route any more.
    pub(super) fn forget(&mut self, upstream: u64) {
        self.idle.remove(&upstream);
    }

    /// Closes what was idle for too long.
    pub(super) fn sweep(&mut self) {
        let timeout = self.idle_timeout;
        self.idle.retain(|_, idle| {
            idle.retain(|idle| idle.since.elapsed() < timeout && !idle.lease.sender.is_closed());
            !idle.is_empty()
        });
    }
}
