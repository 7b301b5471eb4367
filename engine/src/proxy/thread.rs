//! Data threads: each runs its connections alone, on a runtime of its own, and shares only what is swapped
//! atomically.
//!
//! They take orders about sockets and pools; routes they read from the table without being told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine_core::desired::ListenerId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::identity::Identity;
use crate::ports::Clock;
use crate::web::Pages;
use crate::web::metrics::Counters;

use super::counts::Counts;
use super::limits::Limits;
use super::listener::{self, Retire};
use super::pool::Pool;
use super::table::Table;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// What all data threads read.
pub(super) struct Shared {
    pub(super) table: Table,
    pub(super) pages: Pages,
    pub(super) identity: Arc<Identity>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) counts: Vec<Arc<Counts>>,
    open: AtomicUsize,
}

impl Shared {
    /// What `threads` data threads will read.
    pub(super) fn new(
        pages: Pages,
        identity: Arc<Identity>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        threads: usize,
    ) -> Self {
        let counts = (0..threads).map(|_| Arc::default()).collect();
        let open = AtomicUsize::new(0);
        Self { table: Table::default(), pages, identity, clock, limits, counts, open }
    }

    /// The counters of all threads.
    pub(super) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        self.counts.iter().for_each(|counts| counts.add_to(&mut sum));
        sum
    }
}

/// A place among the connections that may be open.
pub(super) struct Admission(Arc<Shared>);

impl Admission {
    /// A place for a new connection; none if as many are open as may be.
    pub(super) fn new(shared: &Arc<Shared>) -> Option<Self> {
        let admission = Self::kept(shared);
        (shared.open.load(Ordering::Relaxed) <= shared.limits.connections).then_some(admission)
    }

    /// A place for what goes on with a connection that had one.
    pub(super) fn kept(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one data thread has.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) counts: Arc<Counts>,
    pub(super) pool: RefCell<Pool>,
}

/// What a data thread is told.
pub(super) enum Order {
    /// Accept on this socket too.
    Accept {
        /// What the socket is known by.
        key: u64,
        /// What it is for.
        listener: Arc<ListenerId>,
        /// The socket, shared with the other threads.
        socket: std::net::TcpListener,
    },
    /// Stop accepting there once nobody waits in its queue; told again, the new time counts.
    Retire {
        /// Which socket.
        key: u64,
        /// How long to go on before that.
        linger: Duration,
        /// Dropped when the socket is closed.
        done: mpsc::Sender<()>,
    },
    /// Close idle connections to an incarnation.
    Forget {
        /// The upstream's key.
        upstream: u64,
    },
}

/// A running data thread; it ends when its handle goes.
pub(super) struct Thread {
    orders: Option<UnboundedSender<Order>>,
    joined: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts the `n`-th thread.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub(super) fn start(shared: &Arc<Shared>, n: usize) -> io::Result<Self> {
        let (orders, taken) = unbounded_channel();
        let (shared, counts) = (Arc::clone(shared), Arc::clone(&shared.counts[n]));
        // Built here, so that a failure is the caller's; moved once, before it runs.
        let (failed, started) = mpsc::sync_channel(1);
        let joined = std::thread::Builder::new().name(format!("data-{n}")).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(8)
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => {
                    let _ = failed.send(None);
                    runtime.block_on(run(shared, counts, taken));
                    // A name service that hangs must not keep the engine from ending.
                    runtime.shutdown_background();
                }
                Err(error) => drop(failed.send(Some(error))),
            }
        })?;
        match started.recv() {
            Ok(None) => Ok(Self { orders: Some(orders), joined: Some(joined) }),
            Ok(Some(error)) => Err(error),
            Err(_) => Err(io::Error::other("the data thread ended before it began")),
        }
    }

    /// Gives an order; a thread that has ended takes none.
    pub(super) fn tell(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(joined) = self.joined.take() {
            let _ = joined.join();
        }
    }
}

async fn run(shared: Arc<Shared>, counts: Arc<Counts>, mut orders: UnboundedReceiver<Order>) {
    let pool = Pool::new(shared.limits.idle_upstreams, shared.limits.idle_timeout);
    let worker = Rc::new(Worker { shared, counts, pool: RefCell::new(pool) });
    let mut accepting = HashMap::<u64, UnboundedSender<Retire>>::new();
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = sweep.tick() => {
                worker.pool.borrow_mut().sweep();
                continue;
            }
        };
        match order {
            None => return,
            Some(Order::Forget { upstream }) => worker.pool.borrow_mut().forget(upstream),
            Some(Order::Accept { key, listener, socket }) => {
                let (retire, retired) = unbounded_channel();
                accepting.insert(key, retire);
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(listener::accept(worker, socket, listener, retired));
            }
            Some(Order::Retire { key, linger, done }) => {
                if let Some(retire) = accepting.get(&key) {
                    let _ = retire.send(Retire { linger, done });
                }
                accepting.retain(|_, retire| !retire.is_closed());
            }
        }
    }
}
