//! What the data threads read: which session is behind which path, swapped atomically entry by entry.
//!
//! A lookup takes the second segment of the path, hashes it once, and takes no lock. Changing one route
//! replaces one entry; a new or gone session copies one shard of 256, so that ten thousand sessions
//! can come and go without copying ten thousand entries each time.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use engine_core::ids::{GatewayId, Incarnation, Moment, SessionId};
use engine_core::plan::RouteSpec;
use tokio::sync::Notify;

const SHARDS: usize = 256;

type Shard = HashMap<Box<str>, Arc<Slot>>;

/// The table.
pub(super) struct Table {
    shards: Box<[ArcSwap<Shard>]>,
    hasher: RandomState,
    next_key: AtomicU64,
    /// Ports of gateways, each with the session that has it.
    gateways: ArcSwap<HashMap<(GatewayId, u16), SessionId>>,
}

/// The place of one session in the table. It stays while its route changes.
pub(super) struct Slot {
    /// Whose it is.
    pub(super) id: SessionId,
    route: ArcSwapOption<Route>,
    /// Wakes the tunnels of this session, and only those, to look whether they may stay.
    pub(super) changed: Notify,
    open: AtomicU32,
    last_used: AtomicI64,
}

/// A route in force.
pub(super) struct Route {
    /// As it was asked for.
    pub(super) spec: RouteSpec,
    /// Where it leads; the same value as long as that is the same.
    pub(super) upstream: Arc<Upstream>,
}

/// The socket of one incarnation.
#[derive(Debug)]
pub(super) struct Upstream {
    /// What pools know it by: never given twice.
    pub(super) key: u64,
    /// Which start of which session.
    pub(super) incarnation: Incarnation,
    /// The directory of its socket.
    pub(super) dir: PathBuf,
    /// Its socket's name.
    pub(super) socket: String,
    /// Who must listen there.
    pub(super) uid: u32,
}

impl Upstream {
    fn leads_where(&self, spec: &RouteSpec) -> bool {
        self.incarnation == spec.incarnation
            && self.dir.as_os_str() == spec.socket_dir.as_str()
            && self.socket == spec.socket
            && self.uid == spec.uid
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            hasher: RandomState::new(),
            next_key: AtomicU64::new(0),
            gateways: ArcSwap::default(),
        }
    }
}

impl Table {
    fn shard(&self, id: &str) -> &ArcSwap<Shard> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id.as_bytes());
        let at = hasher.finish() % SHARDS as u64;
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    /// The place of a session.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Slot>> {
        self.shard(id).load().get(id).map(Arc::clone)
    }

    /// Puts a route in, or another in its place. Answers the key of what it no longer leads to.
    pub(super) fn set(&self, spec: &RouteSpec) -> Option<u64> {
        let id = &spec.incarnation.session;
        let slot = self.get(id.as_str());
        let before = slot.as_ref().and_then(|slot| slot.route());
        if before.as_ref().is_some_and(|route| route.spec == *spec) {
            return None;
        }
        let kept = before.as_ref().map(|route| &route.upstream).filter(|old| old.leads_where(spec));
        let upstream = kept.map_or_else(|| Arc::new(self.upstream(spec)), Arc::clone);
        let gone = before.filter(|old| old.upstream.key != upstream.key);
        let route = Arc::new(Route { spec: spec.clone(), upstream });
        match slot {
            Some(slot) => slot.swap(Some(route)),
            None => self.insert(id, route),
        }
        gone.map(|route| route.upstream.key)
    }

    fn upstream(&self, spec: &RouteSpec) -> Upstream {
        Upstream {
            key: self.next_key.fetch_add(1, Ordering::Relaxed),
            incarnation: spec.incarnation.clone(),
            dir: PathBuf::from(&spec.socket_dir),
            socket: spec.socket.clone(),
            uid: spec.uid,
        }
    }

    fn insert(&self, id: &SessionId, route: Arc<Route>) {
        let slot = Arc::new(Slot {
            id: id.clone(),
            route: ArcSwapOption::new(Some(route)),
            changed: Notify::new(),
            open: AtomicU32::new(0),
            last_used: AtomicI64::new(i64::MIN),
        });
        self.shard(id.as_str()).rcu(|shard| {
            let mut shard = Shard::clone(shard);
            shard.insert(id.as_str().into(), Arc::clone(&slot));
            shard
        });
    }

    /// Takes a route out. Answers the key of what it led to.
    pub(super) fn remove(&self, id: &SessionId) -> Option<u64> {
        let slot = self.get(id.as_str())?;
        self.shard(id.as_str()).rcu(|shard| {
            let mut shard = Shard::clone(shard);
            shard.remove(id.as_str());
            shard
        });
        let gone = slot.route().map(|route| route.upstream.key);
        slot.swap(None);
        gone
    }

    /// All places, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = Arc<Slot>> {
        self.shards.iter().flat_map(|shard| shard.load().values().cloned().collect::<Vec<_>>())
    }

    /// Gives a gateway's port to a session, or takes it back.
    pub(super) fn lease(&self, gateway: &GatewayId, port: u16, session: Option<&SessionId>) {
        self.gateways.rcu(|leases| {
            let mut leases = HashMap::clone(leases);
            match session {
                Some(session) => leases.insert((gateway.clone(), port), session.clone()),
                None => leases.remove(&(gateway.clone(), port)),
            };
            leases
        });
    }

    /// The session that has a gateway's port.
    pub(super) fn leased(&self, gateway: &(GatewayId, u16)) -> Option<SessionId> {
        self.gateways.load().get(gateway).cloned()
    }
}

impl Slot {
    /// The route in force; none once it was taken out.
    pub(super) fn route(&self) -> Option<Arc<Route>> {
        self.route.load_full()
    }

    fn swap(&self, route: Option<Arc<Route>>) {
        self.route.store(route);
        self.changed.notify_waiters();
    }

    /// Requests under way and tunnels.
    pub(super) fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// When it was last used; none = not since it came into the table.
    pub(super) fn last_used(&self) -> Option<Moment> {
        let at = self.last_used.load(Ordering::Relaxed);
        (at != i64::MIN).then_some(Moment(at))
    }

    /// Notes that it is used now.
    pub(super) fn touch(&self, now: Moment) {
        self.last_used.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Counts one more use, until the guard goes.
    pub(super) fn begin(self: &Arc<Self>, now: Moment) -> InUse {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.touch(now);
        InUse { slot: Arc::clone(self) }
    }
}

/// One request under way, or one tunnel.
pub(super) struct InUse {
    /// Of which session.
    pub(super) slot: Arc<Slot>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.slot.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use engine_core::desired::{Access, BasePath};

    use super::*;

    fn spec(id: &str, n: u32) -> RouteSpec {
        RouteSpec {
            incarnation: Incarnation::new(id.parse().unwrap(), n),
            socket_dir: "/run/x".to_owned(),
            socket: "app.sock".to_owned(),
            uid: 1,
            base: BasePath::Keep,
            access: Access::default(),
            ready: true,
            display_name: id.to_owned(),
            workbench: "demo".parse().unwrap(),
        }
    }

    #[test]
    fn an_unchanged_route_keeps_its_value_and_a_changed_one_its_upstream() {
        let table = Table::default();
        table.set(&spec("a", 1));
        let first = table.get("a").unwrap().route().unwrap();
        assert_eq!(table.set(&spec("a", 1)), None);
        assert!(Arc::ptr_eq(&first, &table.get("a").unwrap().route().unwrap()));

        let waiting = RouteSpec { ready: false, ..spec("a", 1) };
        assert_eq!(table.set(&waiting), None);
        let second = table.get("a").unwrap().route().unwrap();
        assert!(!second.spec.ready && Arc::ptr_eq(&first.upstream, &second.upstream));
    }

    #[test]
    fn a_new_incarnation_leads_elsewhere_and_names_what_was_left() {
        let table = Table::default();
        table.set(&spec("a", 1));
        let old = table.get("a").unwrap().route().unwrap().upstream.key;
        assert_eq!(table.set(&spec("a", 2)), Some(old));
        assert_ne!(table.get("a").unwrap().route().unwrap().upstream.key, old);
    }

    #[test]
    fn ten_thousand_routes_come_and_go() {
        let table = Table::default();
        for n in 0..10_000 {
            table.set(&spec(&format!("s{n}"), 1));
        }
        assert_eq!(table.slots().count(), 10_000);
        for n in 0..10_000 {
            assert!(table.remove(&format!("s{n}").parse().unwrap()).is_some());
        }
        assert_eq!(table.slots().count(), 0);
        assert!(table.get("s1").is_none());
    }

    #[test]
    fn uses_are_counted_until_they_end_and_the_last_one_is_remembered() {
        let table = Table::default();
        table.set(&spec("a", 1));
        let slot = table.get("a").unwrap();
        assert_eq!((slot.open(), slot.last_used()), (0, None));
        let one = slot.begin(Moment(5));
        let two = slot.begin(Moment(3));
        assert_eq!((slot.open(), slot.last_used()), (2, Some(Moment(5))));
        drop((one, two));
        assert_eq!(slot.open(), 0);
    }
}
