//! Keeps a store's snapshot young: one thread writes it, one at a time, and rests in between.
//!
//! A snapshot is everything in the store, so how long it takes grows with the site: the thread rests nineteen
//! times as long as it wrote, and a site in which one thing after another changes spends a twentieth of one core
//! on it. What was asked for meanwhile is in the next one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::late::LateStore;
use super::snapshot::SnapshotError;
use crate::ports::Clock;

/// Rest for each unit of time that the last one took.
const REST: u32 = 19;

enum Ask {
    Due,
    Stop,
}

/// The thread that writes snapshots.
pub struct Snapshots {
    asks: SyncSender<Ask>,
    thread: JoinHandle<()>,
    write: Arc<dyn Fn() -> Result<(), SnapshotError> + Send + Sync>,
}

/// Says that a snapshot is due.
pub struct Due(SyncSender<Ask>);

impl Due {
    /// One is due; it is written soon. Costs nothing where one is waited for already.
    pub fn now(&self) {
        let _ = self.0.try_send(Ask::Due);
    }
}

impl Snapshots {
    /// For the store of an instance.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn start(
        store: Arc<LateStore>,
        instance: String,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Self::writing(move || store.write_snapshot(&instance, clock.now()).map(drop))
    }

    fn writing(
        write: impl Fn() -> Result<(), SnapshotError> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let write: Arc<dyn Fn() -> Result<(), SnapshotError> + Send + Sync> = Arc::new(write);
        let (asks, asked) = sync_channel(1);
        let theirs = Arc::clone(&write);
        let run = move || serve(&asked, &*theirs);
        let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(run)?;
        Ok(Self { asks, thread, write })
    }

    /// To say that one is due.
    #[must_use]
    pub fn due(&self) -> Due {
        Due(self.asks.clone())
    }

    /// Ends the thread and writes the last one.
    ///
    /// # Errors
    /// It could not be written; an older one is still there.
    pub fn finish(self) -> Result<(), SnapshotError> {
        // Whoever is gone has nothing to be told, and a panic there is in its log.
        let _ = self.asks.send(Ask::Stop);
        let _ = self.thread.join();
        (self.write)()
    }
}

fn serve(asks: &Receiver<Ask>, write: &dyn Fn() -> Result<(), SnapshotError>) {
    let mut rested = Instant::now();
    while matches!(asks.recv(), Ok(Ask::Due)) {
        if !rest(asks, rested) {
            return;
        }
        let begun = Instant::now();
        if let Err(error) = write() {
            tracing::warn!(error = crate::chain(&error), "the store's snapshot was not written");
        }
        rested = Instant::now() + begun.elapsed() * REST;
    }
}

/// Waits until a moment; false if there is to be no further snapshot.
fn rest(asks: &Receiver<Ask>, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return true;
        }
        match asks.recv_timeout(left) {
            Ok(Ask::Due) => {}
            Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn there_is_one_at_a_time_and_one_after_the_last_change() {
        let (written, under_way) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (begun, begin) = sync_channel(1_000);
        let (count, inside) = (Arc::clone(&written), Arc::clone(&under_way));
        let snapshots = Snapshots::writing(move || {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
            count.fetch_add(1, Ordering::SeqCst);
            let _ = begun.send(());
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
        let due = snapshots.due();
        (0..1_000).for_each(|_| due.now());
        begin.recv().unwrap();
        let before = written.load(Ordering::SeqCst);
        due.now();
        snapshots.finish().unwrap();
        assert!(written.load(Ordering::SeqCst) > before, "the last one holds the last change");
        // Whoever says so afterwards disturbs nobody.
        due.now();
    }
}
