//! Counting without contention: each data thread counts for itself, and who asks adds up.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;

use crate::web::metrics::{Counters, Dropped, Kind};

/// What one data thread has counted.
#[derive(Default)]
pub(super) struct Counts {
    requests: [[AtomicU64; 5]; Kind::ALL.len()],
    dropped: [AtomicU64; Dropped::ALL.len()],
    connections: AtomicU64,
    tunnels: AtomicU64,
}

impl Counts {
    /// Counts an answered request.
    pub(super) fn request(&self, kind: Kind, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[kind as usize][class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something dropped.
    pub(super) fn drop_one(&self, reason: Dropped) {
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an open connection until the guard goes.
    pub(super) fn connection(&self) -> Open<'_> {
        Open::new(&self.connections)
    }

    /// Counts an open tunnel, which is an open connection too, until the guards go.
    pub(super) fn tunnel(&self) -> (Open<'_>, Open<'_>) {
        (Open::new(&self.connections), Open::new(&self.tunnels))
    }

    /// Adds what was counted here.
    pub(super) fn add_to(&self, sum: &mut Counters) {
        let add = |sum: &mut u64, one: &AtomicU64| *sum += one.load(Ordering::Relaxed);
        for (sums, ones) in sum.requests.iter_mut().zip(&self.requests) {
            sums.iter_mut().zip(ones).for_each(|(sum, one)| add(sum, one));
        }
        sum.dropped.iter_mut().zip(&self.dropped).for_each(|(sum, one)| add(sum, one));
        add(&mut sum.open_connections, &self.connections);
        add(&mut sum.open_tunnels, &self.tunnels);
    }
}

/// Something that is open.
pub(super) struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
