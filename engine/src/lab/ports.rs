//! Simulated adapters: each is a handle on the [`World`](super::world::World), with its faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::desired::{BalancerMethod, ListenAddress, ListenerId, StopSpec, WorkbenchSpec};
use engine_core::ids::{
    Epoch, GatewayId, Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName,
};
use engine_core::incumbent::{Found, Questions};
use engine_core::known::Known;
use engine_core::observed::{
    BalancerSeen, IncarnationSeen, NodeSeen, PortRefusal, UserSeen, WorkbenchSeen,
};
use engine_core::plan::{RouteSpec, StartOrder};

use grammar::value::Millis;

use super::world::{Shared, lock};
use crate::ports::{
    Accounts, Batch, Incumbent, LaunchError, Launcher, Nodes, Routes, RoutesSeen, Secrets, Store,
    StoreError, Version, Versioned, Workbenches,
};

/// A launcher of one node.
pub struct SimLauncher {
    /// The world.
    pub world: Shared,
    /// The node whose engine asks.
    pub node: NodeId,
}

/// What a fault makes of an act.
enum Fate {
    Done,
    DoneButReportedFailed,
    Refused,
    Dead,
}

fn fate(world: &Shared) -> Fate {
    let mut world = lock(world);
    if !world.alive() {
        return Fate::Dead;
    }
    let faults = world.faults;
    if world.random.chance(faults.refuse) {
        Fate::Refused
    } else if world.random.chance(faults.lie) {
        Fate::DoneButReportedFailed
    } else {
        Fate::Done
    }
}

fn unknown(what: &str) -> LaunchError {
    LaunchError::Unknown { what: what.to_owned(), reason: "no answer".to_owned() }
}

fn failed(what: &str) -> LaunchError {
    let source = Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    LaunchError::Failed { what: what.to_owned(), source }
}

impl SimLauncher {
    fn act(
        &self,
        what: &str,
        act: impl FnOnce() -> Result<(), LaunchError>,
    ) -> Result<(), LaunchError> {
        match fate(&self.world) {
            Fate::Done => act(),
            Fate::DoneButReportedFailed => act().and_then(|()| Err(unknown(what))),
            Fate::Refused => Err(failed(what)),
            Fate::Dead => Err(unknown(what)),
        }
    }
}

impl Launcher for SimLauncher {
    fn observe(
        &mut self,
        _now: Moment,
    ) -> Result<BTreeMap<Incarnation, Known<IncarnationSeen>>, LaunchError> {
        let mut world = lock(&self.world);
        let faults = world.faults;
        if world.random.chance(faults.silent) {
            // A silent launcher has told nothing: acting on what it manages would be acting blindly.
            let ids: Vec<_> = world.sessions.keys().cloned().collect();
            let node = self.node.clone();
            world.told_unknown.extend(ids.into_iter().map(|id| (node.clone(), id)));
            return Err(failed("ask the launcher"));
        }
        Ok(world.observe(&self.node))
    }

    fn start(
        &mut self,
        order: &StartOrder,
        _secrets: &Secrets,
        _now: Moment,
    ) -> Result<(), LaunchError> {
        self.act("start", || {
            if lock(&self.world).start(order) {
                Ok(())
            } else {
                Err(LaunchError::Exists { incarnation: order.incarnation.clone() })
            }
        })
    }

    fn end(
        &mut self,
        incarnation: &Incarnation,
        stop: &StopSpec,
        _now: Moment,
    ) -> Result<(), LaunchError> {
        self.act("end", || {
            lock(&self.world).end(&self.node, incarnation, stop);
            Ok(())
        })
    }

    fn forget(&mut self, incarnation: &Incarnation) -> Result<(), LaunchError> {
        self.act("forget", || {
            if lock(&self.world).forget(incarnation) { Ok(()) } else { Err(failed("forget")) }
        })
    }
}

/// A proxy of one node: lost with its engine, as the real one's table is.
pub struct SimRoutes {
    /// The world.
    pub world: Shared,
    /// What is in force.
    pub seen: RoutesSeen,
}

impl Routes for SimRoutes {
    fn observe(&mut self, _now: Moment) -> RoutesSeen {
        self.seen.clone()
    }

    fn set_route(&mut self, route: &RouteSpec) {
        self.seen.routes.insert(route.incarnation.session.clone(), route.clone());
    }

    fn drop_route(&mut self, session: &SessionId) {
        self.seen.routes.remove(session);
    }

    fn listen(
        &mut self,
        listener: &ListenerId,
        address: &ListenAddress,
        now: Moment,
    ) -> Result<(), PortRefusal> {
        match fate(&self.world) {
            Fate::Done | Fate::DoneButReportedFailed => {
                self.seen.refused.remove(address);
                self.seen.listeners.insert(listener.clone(), address.clone());
                Ok(())
            }
            Fate::Refused | Fate::Dead => {
                let refusal = PortRefusal { reason: "nginx, pid 812".to_owned(), at: now };
                self.seen.refused.insert(address.clone(), refusal.clone());
                Err(refusal)
            }
        }
    }

    fn who_holds(&mut self, _: &ListenAddress) -> Option<String> {
        None
    }

    fn unlisten(&mut self, listener: &ListenerId) {
        self.seen.listeners.remove(listener);
    }

    fn lead(&mut self, gateway: &GatewayId, port: u16, session: Option<&SessionId>) {
        let key = (gateway.clone(), port);
        match session {
            Some(session) => drop(self.seen.leads.insert(key, session.clone())),
            None => drop(self.seen.leads.remove(&key)),
        }
    }

    fn balance(&mut self, method: BalancerMethod, weights: &BTreeMap<NodeId, u32>) {
        self.seen.balancer = Some(BalancerSeen { method, weights: weights.clone() });
    }
}

/// Accounts that all exist.
pub struct SimAccounts {
    /// The world.
    pub world: Shared,
}

impl Accounts for SimAccounts {
    fn look_up(&mut self, user: &UserName, now: Moment) -> Known<UserSeen> {
        let mut world = lock(&self.world);
        let faults = world.faults;
        if world.random.chance(faults.stale / 4) {
            return Known::Unknown { since: now, reason: "the directory is slow".to_owned() };
        }
        Known::Present(UserSeen {
            uid: 1000,
            gid: 1000,
            home: format!("/home/{user}"),
            shell: "/bin/bash".to_owned(),
            reachable: true,
        })
    }
}

/// Workbenches that are all here.
pub struct SimWorkbenches;

impl Workbenches for SimWorkbenches {
    fn observe(
        &mut self,
        workbench: &WorkbenchName,
        _spec: &WorkbenchSpec,
        _now: Moment,
    ) -> Known<WorkbenchSeen> {
        Known::Present(WorkbenchSeen::works(format!("/opt/{workbench}"), "1".to_owned()))
    }

    fn provide(&mut self, _workbench: &WorkbenchName, _spec: &WorkbenchSpec) -> Result<(), String> {
        Ok(())
    }
}

/// Nodes of which this one sees all.
pub struct SimNodes {
    /// Every node.
    pub nodes: Vec<NodeId>,
}

impl Nodes for SimNodes {
    fn observe(&mut self, _now: Moment) -> BTreeMap<NodeId, Known<NodeSeen>> {
        let seen = |node: &NodeId| (node.clone(), Known::Present(NodeSeen::default()));
        self.nodes.iter().map(seen).collect()
    }
}

/// A product that runs on the same files, as whoever made it found it.
pub struct SimIncumbent(pub Known<Arc<Found>>);

impl Incumbent for SimIncumbent {
    fn observe(&mut self, _: Option<&Questions>, _: Moment) -> Known<Arc<Found>> {
        self.0.clone()
    }
}

/// A store that its node cannot always reach.
pub struct CutOff {
    /// The store.
    pub inner: Arc<dyn Store>,
    /// The node.
    pub node: NodeId,
    /// What happens to it.
    pub world: Shared,
}

impl CutOff {
    fn reach(&self) -> Result<&dyn Store, StoreError> {
        let world = lock(&self.world);
        match world.cut.get(&self.node) {
            Some(until) if world.now < *until => Err(StoreError::Failed {
                what: "reach the store".to_owned(),
                source: "no route to host".into(),
            }),
            _ => Ok(&*self.inner),
        }
    }
}

impl Store for CutOff {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.reach()?.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.reach()?.scan(prefix)
    }

    fn commit(&self, batch: &Batch) -> Result<Version, StoreError> {
        self.reach()?.commit(batch)
    }

    fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Moment,
        ttl: Millis,
    ) -> Result<Epoch, StoreError> {
        self.reach()?.lease(name, holder, now, ttl)
    }

    fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.reach()?.release(name, holder)
    }
}
