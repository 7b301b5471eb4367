//! Looks at the files on a thread of its own: a file system that is slow, or that does not answer at all as NFS whose
//! server is gone, keeps nobody but that thread.
//!
//! A thread that panics takes what it knew with it: the next look has a new one, with new watches. How soon that is,
//! and what is said of files meanwhile, is not decided here (`engine_core::accept`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use engine_core::ids::Moment;
use engine_core::site::SiteFiles;

use super::{AtOnce, Found, Look, Order};
use crate::load::{SiteDirs, nobody_knows};
use crate::watch::WatchSet;

/// Makes what watches and reads; on the thread itself, since that may take as long as a look.
type Make = Arc<dyn Fn() -> AtOnce + Send + Sync>;

/// What is said of a reading whose thread has died. Its own words may be those of a file.
const FAILED: &str = "wharf itself failed while it read the files; its log says where";

/// Looks aside.
pub struct Aside {
    make: Make,
    wake: Arc<dyn Fn() + Send + Sync>,
    dirs: SiteDirs,
    looker: Option<Looker>,
    /// Why no thread could be had for the look that was begun.
    failed: Option<String>,
}

/// The thread.
struct Looker {
    orders: Sender<Order>,
    found: Receiver<Found>,
    thread: JoinHandle<()>,
}

/// Calls when it goes, however it goes.
struct Last(Arc<dyn Fn() + Send + Sync>);

impl Drop for Last {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Aside {
    /// Nothing is begun yet. `make` makes what watches and reads; `wake` is called when a look is over.
    pub fn new(
        make: impl Fn() -> AtOnce + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
        dirs: SiteDirs,
    ) -> Self {
        let (make, wake) = (Arc::new(make) as Make, Arc::new(wake) as Arc<_>);
        Self { make, wake, dirs, looker: None, failed: None }
    }

    fn start(&self) -> std::io::Result<Looker> {
        let (orders, todo) = channel::<Order>();
        let (tell, found) = channel();
        let (make, wake) = (Arc::clone(&self.make), Arc::clone(&self.wake));
        let look = move || {
            // Dropped after `tell`: whoever is woken hears that nobody tells any more.
            let last = Last(wake);
            let tell = tell;
            let mut looker = make();
            for order in todo {
                let seen = looker.look(&order);
                if tell.send(Found::Seen(Box::new(seen))).is_err() {
                    return;
                }
                (last.0)();
            }
        };
        let thread = std::thread::Builder::new().name("files".to_owned()).spawn(look)?;
        Ok(Looker { orders, found, thread })
    }
}

impl Look for Aside {
    fn begin(&mut self, order: Order) {
        if self.looker.is_none() {
            match self.start() {
                Ok(looker) => self.looker = Some(looker),
                Err(error) => self.failed = Some(format!("no thread can be had: {error}")),
            }
        }
        if let Some(looker) = &self.looker {
            // One that is over is noticed by who asks what was found.
            let _ = looker.orders.send(order);
        }
    }

    fn found(&mut self) -> Option<Found> {
        if let Some(why) = self.failed.take() {
            return Some(Found::Failed(why));
        }
        match self.looker.as_ref()?.found.try_recv() {
            Ok(found) => Some(found),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let looker = self.looker.take()?;
                let panicked = looker.thread.join().is_err();
                tracing::error!(panicked, "the thread that reads the files has died");
                Some(Found::Failed(FAILED.to_owned()))
            }
        }
    }

    fn nobody_knows(&self, why: &str, now: Moment) -> SiteFiles {
        nobody_knows(&self.dirs, why, WatchSet::default(), now).files
    }
}
