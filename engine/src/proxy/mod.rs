//! The data path: every request, every WebSocket, from listeners through the table to sessions.
//!
//! ```text
//! listener -> connection -> target -> who -> access -> forward -> pool -> the session's socket
//!                  |                                      `-> tunnel (after a 101)
//!                  `-> web (pages, health, metrics)
//! ```
//! Nothing on this way takes a lock, reads a file or asks the store: data threads read the [`table`],
//! which [`Proxy`] swaps. Knows no plan: it does what its port [`Routes`] says, and tells what is in
//! force. Read next: [`connection`], [`forward`], [`tunnel`].

mod access;
mod body;
mod connection;
mod cookies;
mod counts;
mod forward;
mod headers;
mod limits;
mod listener;
mod pool;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod thread;
mod tunnel;
mod upstream;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;
use engine_core::desired::{BalancerMethod, ListenAddress, ListenerId};
use engine_core::ids::{GatewayId, Moment, NodeId, SessionId};
use engine_core::observed::{BalancerSeen, PortRefusal};
use engine_core::plan::RouteSpec;

use crate::identity::Identity;
use crate::ports::{Clock, Routes, RoutesSeen, Warden, WardenError};
use crate::status::StatusView;
use crate::warden::protocol::{Answer, Call};
use crate::web::Pages;
use crate::web::metrics::Counters;

pub use limits::Limits;

use thread::{Order, Shared, Thread};

/// How long a listener's last socket is waited for when its port is wanted again at once.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the proxy works with.
pub struct Surroundings {
    /// Binds ports.
    pub warden: Arc<dyn Warden>,
    /// What pages show.
    pub status: Arc<ArcSwap<StatusView>>,
    /// Who people are.
    pub identity: Arc<Identity>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// The proxy. Dropping it ends its threads and their connections.
pub struct Proxy {
    shared: Arc<Shared>,
    warden: Arc<dyn Warden>,
    threads: Vec<Thread>,
    open: BTreeMap<ListenerId, OpenListener>,
    retiring: Vec<Retiring>,
    next_key: u64,
    refused: BTreeMap<ListenAddress, PortRefusal>,
    leads: BTreeMap<(GatewayId, u16), SessionId>,
    balancer: Option<BalancerSeen>,
}

struct OpenListener {
    address: ListenAddress,
    key: u64,
}

/// A socket that is about to close, and still holds its address.
struct Retiring {
    socket: OpenListener,
    /// Ends when the last thread has closed it; nothing is ever sent.
    closed: mpsc::Receiver<()>,
}

impl Retiring {
    fn is_closed(&self) -> bool {
        matches!(self.closed.try_recv(), Err(mpsc::TryRecvError::Disconnected))
    }
}

impl Proxy {
    /// Starts `threads` data threads (none = as many as there are cores), without a listener yet.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start(
        surroundings: Surroundings,
        limits: Limits,
        threads: Option<usize>,
    ) -> io::Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.unwrap_or_else(cores).max(1);
        let Surroundings { warden, status, identity, clock } = surroundings;
        let pages = Pages::new(status, Arc::clone(&identity));
        let shared = Arc::new(Shared::new(pages, identity, clock, limits, threads));
        let threads =
            (0..threads).map(|n| Thread::start(&shared, n)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            shared,
            warden,
            threads,
            open: BTreeMap::new(),
            retiring: Vec::new(),
            next_key: 0,
            refused: BTreeMap::new(),
            leads: BTreeMap::new(),
            balancer: None,
        })
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    fn tell_all(&self, order: impl Fn() -> Order) {
        self.threads.iter().for_each(|thread| thread.tell(order()));
    }

    fn bind(&self, address: &ListenAddress) -> Result<std::net::TcpListener, String> {
        let call = Call::Bind { address: address.clone() };
        let (_, descriptors) = self.warden.call(&call).map_err(|error| match error {
            // It says itself what was tried, and so does whoever shows the reason.
            WardenError::Refused { reason, .. } => reason,
            error => in_words(&error),
        })?;
        let [descriptor]: [OwnedFd; 1] =
            descriptors.try_into().map_err(|_| "the warden gave no listening socket".to_owned())?;
        let socket = std::net::TcpListener::from(descriptor);
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        Ok(socket)
    }

    /// Has every thread accept on `socket`; each has a descriptor of its own for the one socket.
    fn accept(&mut self, listener: &ListenerId, socket: &std::net::TcpListener) -> io::Result<u64> {
        let sockets =
            self.threads.iter().map(|_| socket.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let (key, listener) = (self.next_key, Arc::new(listener.clone()));
        self.next_key += 1;
        for (thread, socket) in self.threads.iter().zip(sockets) {
            thread.tell(Order::Accept { key, listener: Arc::clone(&listener), socket });
        }
        Ok(key)
    }

    /// Ends a socket after `linger`.
    fn retire(&mut self, socket: OpenListener, linger: Duration) {
        self.retiring.retain(|retiring| !retiring.is_closed());
        let (done, closed) = mpsc::channel();
        self.tell_all(|| Order::Retire { key: socket.key, linger, done: done.clone() });
        self.retiring.push(Retiring { socket, closed });
    }

    /// Has sockets that are about to close anyway, and hold `address`, close now. Answers whether any did.
    fn hasten(&mut self, address: &ListenAddress) -> bool {
        let in_the_way = |retiring: &mut Retiring| excludes(&retiring.socket.address, address);
        let hastened: Vec<Retiring> = self.retiring.extract_if(.., in_the_way).collect();
        for Retiring { socket, .. } in &hastened {
            let (done, closed) = mpsc::channel();
            let linger = Duration::ZERO;
            self.tell_all(|| Order::Retire { key: socket.key, linger, done: done.clone() });
            drop(done);
            let _ = closed.recv_timeout(CLOSE_TIMEOUT);
        }
        !hastened.is_empty()
    }

    fn try_listen(&mut self, listener: &ListenerId, address: &ListenAddress) -> Result<(), String> {
        if self.open.get(listener).is_some_and(|open| open.address == *address) {
            return Ok(());
        }
        let mut bound = self.bind(address);
        if bound.is_err() && self.hasten(address) {
            bound = self.bind(address);
        }
        let socket = match bound {
            Ok(socket) => socket,
            Err(reason) => self.bind_over_own(listener, address, reason)?,
        };
        let key = self.accept(listener, &socket).map_err(|error| error.to_string())?;
        let opened = OpenListener { address: address.clone(), key };
        if let Some(before) = self.open.insert(listener.clone(), opened) {
            self.retire(before, self.shared.limits.linger);
        }
        Ok(())
    }

    /// The same port at another address may be held by the socket that this one replaces (0.0.0.0 and
    /// 127.0.0.1 exclude each other): then the old one has to go first, and comes back if that was in vain.
    fn bind_over_own(
        &mut self,
        listener: &ListenerId,
        address: &ListenAddress,
        reason: String,
    ) -> Result<std::net::TcpListener, String> {
        let before = self.open.get(listener).map(|open| open.address.clone());
        let Some(old) = before.filter(|old| excludes(old, address)) else { return Err(reason) };
        if let Some(open) = self.open.remove(listener) {
            self.retire(open, Duration::ZERO);
        }
        self.hasten(&old);
        let bound = self.bind(address);
        if bound.is_err() {
            let back = self.bind(&old).ok().and_then(|socket| self.accept(listener, &socket).ok());
            if let Some(key) = back {
                self.open.insert(listener.clone(), OpenListener { address: old, key });
            }
        }
        bound
    }
}

/// Whether two sockets cannot listen there at once.
fn excludes(a: &ListenAddress, b: &ListenAddress) -> bool {
    a.port == b.port && (a.ip == b.ip || a.ip.is_unspecified() || b.ip.is_unspecified())
}

/// An error with everything that caused it.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}

impl Routes for Proxy {
    fn observe(&mut self, _: Moment) -> RoutesSeen {
        let mut seen = RoutesSeen {
            leads: self.leads.clone(),
            listeners: self
                .open
                .iter()
                .map(|(listener, open)| (listener.clone(), open.address.clone()))
                .collect(),
            refused: self.refused.clone(),
            balancer: self.balancer.clone(),
            ..RoutesSeen::default()
        };
        for slot in self.shared.table.slots() {
            let Some(route) = slot.route() else { continue };
            seen.routes.insert(slot.id.clone(), route.spec.clone());
            seen.connections.insert(slot.id.clone(), slot.open());
            if let Some(at) = slot.last_used() {
                seen.last_used.insert(slot.id.clone(), at);
            }
        }
        seen
    }

    fn set_route(&mut self, route: &RouteSpec) {
        if let Some(upstream) = self.shared.table.set(route) {
            self.tell_all(|| Order::Forget { upstream });
        }
    }

    fn drop_route(&mut self, session: &SessionId) {
        if let Some(upstream) = self.shared.table.remove(session) {
            self.tell_all(|| Order::Forget { upstream });
        }
    }

    fn listen(
        &mut self,
        listener: &ListenerId,
        address: &ListenAddress,
        now: Moment,
    ) -> Result<(), PortRefusal> {
        match self.try_listen(listener, address) {
            Ok(()) => {
                self.refused.remove(address);
                Ok(())
            }
            Err(reason) => {
                let refusal = PortRefusal { reason, at: now };
                self.refused.insert(address.clone(), refusal.clone());
                Err(refusal)
            }
        }
    }

    fn who_holds(&mut self, address: &ListenAddress) -> Option<String> {
        let own = self.open.values().any(|open| excludes(&open.address, address));
        let call = Call::WhoHolds { address: address.clone() };
        match self.warden.call(&call).ok().filter(|_| !own)? {
            (Answer::Holder { name }, _) => name,
            _ => None,
        }
    }

    fn unlisten(&mut self, listener: &ListenerId) {
        if let Some(open) = self.open.remove(listener) {
            self.retire(open, Duration::ZERO);
        }
    }

    fn lead(&mut self, gateway: &GatewayId, port: u16, session: Option<&SessionId>) {
        self.shared.table.lease(gateway, port, session);
        let key = (gateway.clone(), port);
        match session {
            Some(session) => drop(self.leads.insert(key, session.clone())),
            None => drop(self.leads.remove(&key)),
        }
    }

    fn balance(&mut self, method: BalancerMethod, weights: &BTreeMap<NodeId, u32>) {
        self.balancer = Some(BalancerSeen { method, weights: weights.clone() });
    }
}
