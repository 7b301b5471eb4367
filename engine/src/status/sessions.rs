//! What is shown of sessions. There may be very many, so a view is made again only where what it shows changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use engine_core::desired::{Desired, SessionSpec, WantedState};
use engine_core::ids::{Incarnation, SessionId, WorkbenchName};
use engine_core::known::Known;
use engine_core::observed::{
    EndRecord, IncarnationSeen, InstallationSeen, Observed, Phase, Records, WorkbenchSeen,
};
use engine_core::plan::{Hold, Plan, Resource, WaitingOn};
use engine_core::report;
use engine_core::shared_map::SharedMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{SessionView, incumbent};

/// Sessions as shown, in the order of their ids. As JSON a list. Cheap to copy.
#[derive(Clone, Default, PartialEq)]
pub struct SessionViews(SharedMap<String, Arc<SessionView>>);

impl SessionViews {
    /// One of them, by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&SessionView> {
        self.0.get(id).map(|view| &**view)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SessionView> {
        self.0.values().map(|view| &**view)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps those that `keep` says.
    pub fn retain(&mut self, keep: impl Fn(&SessionView) -> bool) {
        self.0.retain(|_, view| keep(view));
    }

    /// Those that are shown otherwise than in `before`, or were not shown.
    pub fn news_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a SessionView> {
        self.0.changes_since(&before.0).filter_map(|change| change.now.map(|view| &**view))
    }
}

impl FromIterator<SessionView> for SessionViews {
    fn from_iter<I: IntoIterator<Item = SessionView>>(views: I) -> Self {
        let named = views.into_iter().map(|view| (view.id.clone(), Arc::new(view)));
        Self(named.collect())
    }
}

impl From<Vec<SessionView>> for SessionViews {
    fn from(views: Vec<SessionView>) -> Self {
        views.into_iter().collect()
    }
}

impl fmt::Debug for SessionViews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for SessionViews {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for SessionViews {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<SessionView>::deserialize(deserializer).map(Self::from)
    }
}

/// What was shown last, and what it was made from.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    made_from: Option<MadeFrom>,
    views: SessionViews,
}

/// What views are made from.
#[derive(Clone, Debug)]
struct MadeFrom {
    wanted: SharedMap<SessionId, Known<Arc<SessionSpec>>>,
    incarnations: SharedMap<Incarnation, Known<IncarnationSeen>>,
    connections: SharedMap<SessionId, u32>,
    ends: SharedMap<SessionId, Vec<EndRecord>>,
    workbenches: BTreeMap<WorkbenchName, Known<WorkbenchSeen>>,
    held: BTreeSet<SessionId>,
    foreign: Vec<String>,
}

impl MadeFrom {
    /// The sessions that may be shown otherwise than before; none = any.
    fn changed_since(&self, before: &Self) -> Option<BTreeSet<SessionId>> {
        if self.workbenches != before.workbenches {
            return None;
        }
        let mut ids: BTreeSet<SessionId> = self.held.union(&before.held).cloned().collect();
        let wanted = self.wanted.changes_since(&before.wanted);
        ids.extend(wanted.map(|change| change.key.clone()));
        let incarnations = self.incarnations.changes_since(&before.incarnations);
        ids.extend(incarnations.map(|change| change.key.session.clone()));
        let connections = self.connections.changes_since(&before.connections);
        ids.extend(connections.map(|change| change.key.clone()));
        ids.extend(self.ends.changes_since(&before.ends).map(|change| change.key.clone()));
        Some(ids)
    }
}

impl Shown {
    /// What is to be shown now.
    pub fn follow(&mut self, desired: &Desired, observed: &Observed, plan: &Plan) -> SessionViews {
        let holds = holds_of_sessions(plan);
        let mut views = self.views.clone();
        let foreign: Vec<SessionView> = incumbent::sessions(observed).collect();
        let made_from = MadeFrom {
            wanted: desired.sessions.things.clone(),
            incarnations: observed.incarnations.clone(),
            connections: observed.connections.clone(),
            ends: observed.records.present().map(|r: &Records| r.ends.clone()).unwrap_or_default(),
            workbenches: observed.workbenches.clone(),
            held: holds.keys().map(|id| (*id).clone()).collect(),
            foreign: foreign.iter().map(|view| view.id.clone()).collect(),
        };
        let made = |id| session_view(id, desired, observed, &holds);
        let changed = self.made_from.as_ref().and_then(|before| made_from.changed_since(before));
        if let (Some(changed), Some(before)) = (changed, &self.made_from) {
            for id in &changed {
                let shown = desired.sessions.things.contains_key(id)
                    || observed.of_session(id).next().is_some();
                match shown {
                    true => drop(views.0.insert(id.to_string(), Arc::new(made(id)))),
                    false => drop(views.0.remove(id.as_str())),
                }
            }
            before.foreign.iter().for_each(|id| drop(views.0.remove(id)));
        } else {
            let mut ids: BTreeSet<&SessionId> = desired.sessions.things.keys().collect();
            ids.extend(observed.incarnations.keys().map(|incarnation| &incarnation.session));
            views = ids.into_iter().map(made).collect();
        }
        views.0.extend(foreign.into_iter().map(|view| (view.id.clone(), Arc::new(view))));
        (self.made_from, self.views) = (Some(made_from), views.clone());
        views
    }
}

type Holds<'a> = BTreeMap<&'a SessionId, Vec<&'a Hold>>;

fn holds_of_sessions(plan: &Plan) -> Holds<'_> {
    let mut holds = Holds::new();
    for hold in &plan.holds {
        if let Resource::Session(id) = &hold.resource {
            holds.entry(id).or_default().push(hold);
        }
    }
    holds
}

fn session_view(
    id: &SessionId,
    desired: &Desired,
    observed: &Observed,
    holds: &Holds<'_>,
) -> SessionView {
    let holds = holds.get(id).map_or(&[][..], Vec::as_slice);
    let spec = desired.sessions.get(id);
    let newest = observed.of_session(id).next_back();
    let mut view = SessionView {
        id: id.to_string(),
        display_name: spec.map_or_else(|| id.to_string(), |spec| spec.display_name.clone()),
        path: format!("/s/{id}/"),
        connections: observed.connections.get(id).copied().unwrap_or(0),
        ..SessionView::default()
    };
    if let Some(spec) = spec {
        view.workbench = spec.launch.workbench.to_string();
        view.user = spec.launch.user.to_string();
    }
    let hold = holds.iter().find(|hold| !matches!(hold.waiting_on, WaitingOn::NextStart { .. }));
    match newest {
        Some((incarnation, Known::Present(seen))) => {
            live_view(&mut view, incarnation.n, seen);
        }
        Some((incarnation, Known::Unknown { reason, .. })) => {
            view.incarnation = incarnation.n;
            "unknown".clone_into(&mut view.state);
            view.reason.clone_from(reason);
        }
        Some((_, Known::Absent)) | None => absent_view(&mut view, spec, observed, hold),
    }
    for hold in holds {
        if let WaitingOn::NextStart { differs } = &hold.waiting_on {
            view.outdated.clone_from(differs);
        }
    }
    if let (true, Some(hold)) = (view.reason.is_empty(), hold) {
        view.reason = format!("{}: {}", hold.wanted, report::text::waiting(&hold.waiting_on));
    }
    if let Some(Known::Present(seen)) =
        spec.and_then(|spec| observed.workbenches.get(&spec.launch.workbench))
        && let Some(InstallationSeen::Installing { done, total }) = &seen.ours
        && view.incarnation == 0
    {
        view.progress = Some((*done, *total));
    }
    view
}

/// A session with an incarnation.
fn live_view(view: &mut SessionView, n: u32, seen: &IncarnationSeen) {
    view.incarnation = n;
    view.workbench = seen.launch.workbench.to_string();
    view.user = seen.launch.user.to_string();
    view.pid = seen.pid;
    view.node = seen.node.to_string();
    view.since = Some(seen.started_at);
    let state = match &seen.phase {
        _ if !seen.ours => "foreign",
        Phase::Preparing | Phase::Starting => "starting",
        Phase::Ready => "running",
        Phase::Ending { .. } => "ending",
        Phase::Exited(_) => "stopped",
    };
    state.clone_into(&mut view.state);
    match &seen.phase {
        Phase::Exited(exit) => view.reason = format!("ended: {exit}"),
        Phase::Ready if !seen.kept => {
            "its keeper is gone: it runs on, but its end will not be recorded"
                .clone_into(&mut view.reason);
        }
        _ => {}
    }
}

/// A session of which nothing runs.
fn absent_view(
    view: &mut SessionView,
    spec: Option<&Arc<SessionSpec>>,
    observed: &Observed,
    hold: Option<&&Hold>,
) {
    let id = SessionId::new(&view.id).ok();
    let records = observed.records.present();
    let last = id.and_then(|id| records?.ends.get(&id)?.last());
    let wanted = spec.map_or(WantedState::Stopped, |spec| spec.state);
    let failed = hold.is_some_and(|hold| hold.waiting_on.is_failure());
    let state = match wanted {
        WantedState::Running if failed => "failed",
        WantedState::Running if hold.is_none() && last.is_some() => "stopped",
        WantedState::Running => "waiting",
        WantedState::Suspended | WantedState::Stopped => "stopped",
    };
    state.clone_into(&mut view.state);
    if hold.is_none()
        && let Some(end) = last
    {
        view.reason = format!("ended: {}", end.how);
    }
}

#[cfg(test)]
mod tests {
    use engine_core::desired::Desired;
    use engine_core::ids::{Moment, NodeId};
    use engine_core::plan::Impact;

    use super::*;

    fn id(n: u32) -> SessionId {
        format!("s{n:03}").parse().unwrap()
    }

    /// What changes between two rounds, in turns.
    fn change(n: u32, desired: &mut Desired, observed: &mut Observed, plan: &mut Plan) {
        let unknown = || Known::Unknown { since: Moment(0), reason: "x".to_owned() };
        match n % 6 {
            0 => drop(desired.sessions.things.insert(id(n), unknown())),
            1 => drop(observed.incarnations.insert(Incarnation::new(id(n / 2), 1), Known::Absent)),
            2 => drop(observed.connections.insert(id(n / 3), n)),
            3 => plan.holds = vec![hold(n / 2)],
            4 => drop(desired.sessions.things.remove(&id(n / 2))),
            _ => {
                let Known::Present(records) = &mut observed.records else { return };
                let end = EndRecord {
                    at: Moment(1),
                    failed: true,
                    asked: false,
                    how: format!("exit code {n}"),
                    start: None,
                    of: None,
                    never_ran: false,
                };
                records.ends.insert(id(n - 5), vec![end]);
            }
        }
    }

    fn hold(n: u32) -> Hold {
        Hold {
            resource: Resource::Session(id(n)),
            waiting_on: WaitingOn::Budget,
            because: Vec::new(),
            until: None,
            impact: Impact::None,
            wanted: "starts".to_owned(),
        }
    }

    #[test]
    fn what_is_shown_again_is_what_would_be_shown_anew() {
        let node: NodeId = "n1".parse().unwrap();
        let (mut desired, mut observed) = (Desired::default(), Observed::empty(node));
        let (mut plan, mut shown) = (Plan::default(), Shown::default());
        for n in 0..120 {
            change(n * 7 % 120, &mut desired, &mut observed, &mut plan);
            let views = shown.follow(&desired, &observed, &plan);
            assert_eq!(views, Shown::default().follow(&desired, &observed, &plan), "after {n}");
            assert!(views.iter().is_sorted_by(|a, b| a.id < b.id));
        }
    }
}
