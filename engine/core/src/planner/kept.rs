//! What a round leaves for the next one, so that a round costs what changed and not what there is.
//!
//! A session is *at rest* in a round when nothing is done to it, nothing waits for it and nothing of it is starting.
//! What is decided of such a session depends on what is found of it by its id and on a few things of the whole site
//! ([`Common`]), and not on the time. So as long as those are the same, the next round leaves it at rest without a
//! look; everything else is decided anew. Kept is only what a round was made from, never what it decided, and a
//! round with nothing kept is an ordinary one: debug builds hold each plan against that one, and so do the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Input;
use super::found::{Found, Session, Walk};
use crate::desired::SessionSpec;
use crate::ids::{Incarnation, Moment, NodeId, SessionId};
use crate::known::Known;
use crate::observed::{EndRecord, IncarnationSeen, Placed, Records, Terms};
use crate::plan::{RouteSpec, Unchanged};
use crate::shared_map::SharedMap;

/// See the module. Cheap to copy; of another world than the last one it costs as much as nothing kept.
#[derive(Clone, Debug, Default)]
pub struct Kept(Option<Arc<Last>>);

/// The last round.
#[derive(Debug)]
struct Last {
    common: Common,
    by_session: BySession,
    /// Sessions that were not at rest.
    awake: BTreeSet<SessionId>,
    /// Sessions that are to be published.
    published: BTreeSet<SessionId>,
    /// What those at rest add to what stays as it is, where that is something.
    at_rest: SharedMap<SessionId, Unchanged>,
    /// The sum of it.
    sum: Unchanged,
}

/// What every session depends on.
#[derive(Debug, PartialEq)]
struct Common {
    inert: bool,
    node: NodeId,
    managed: bool,
    has_store: bool,
    told_to_stop: BTreeMap<SessionId, String>,
    silent_clusters: BTreeMap<String, (Moment, String)>,
    online: BTreeSet<NodeId>,
}

impl Common {
    fn of(input: &Input<'_>) -> Self {
        let (desired, observed) = (input.desired, input.observed);
        let online = observed.nodes.keys().filter(|node| observed.is_online(node));
        Self {
            inert: input.is_inert(),
            node: observed.node.clone(),
            managed: desired.sessions.managed,
            has_store: observed.records.present().is_some(),
            told_to_stop: desired.told_to_stop.clone(),
            silent_clusters: observed.silent_clusters.clone(),
            online: online.cloned().collect(),
        }
    }
}

/// What is found by a session's id.
#[derive(Clone, Debug, Default)]
struct BySession {
    wanted: SharedMap<SessionId, Known<Arc<SessionSpec>>>,
    incarnations: SharedMap<Incarnation, Known<IncarnationSeen>>,
    placements: SharedMap<SessionId, Placed>,
    terms: SharedMap<SessionId, Terms>,
    ends: SharedMap<SessionId, Vec<EndRecord>>,
    routes: SharedMap<SessionId, RouteSpec>,
}

impl BySession {
    fn of(input: &Input<'_>) -> Self {
        let none = Records::default();
        let records = input.observed.records.present().unwrap_or(&none);
        Self {
            wanted: input.desired.sessions.things.clone(),
            incarnations: input.observed.incarnations.clone(),
            placements: records.placements.clone(),
            terms: records.terms.clone(),
            ends: records.ends.clone(),
            routes: input.observed.routes.clone(),
        }
    }

    /// The sessions of which something else is found than before.
    fn changed_since(&self, before: &Self) -> BTreeSet<SessionId> {
        fn add<V: PartialEq>(
            ids: &mut BTreeSet<SessionId>,
            now: &SharedMap<SessionId, V>,
            before: &SharedMap<SessionId, V>,
        ) {
            ids.extend(now.changes_since(before).map(|change| change.key.clone()));
        }
        let mut ids = BTreeSet::new();
        let wanted = self.wanted.changes_by(&before.wanted, is_same_spec);
        ids.extend(wanted.map(|change| change.key.clone()));
        let incarnations = self.incarnations.changes_since(&before.incarnations);
        ids.extend(incarnations.map(|change| change.key.session.clone()));
        add(&mut ids, &self.placements, &before.placements);
        add(&mut ids, &self.terms, &before.terms);
        add(&mut ids, &self.ends, &before.ends);
        add(&mut ids, &self.routes, &before.routes);
        ids
    }
}

fn is_same_spec(a: &Known<Arc<SessionSpec>>, b: &Known<Arc<SessionSpec>>) -> bool {
    matches!((a, b), (Known::Present(a), Known::Present(b)) if Arc::ptr_eq(a, b)) || a == b
}

/// What a round looks at.
pub(super) struct Look {
    common: Common,
    by_session: BySession,
    /// The last round, with those that have to be decided anew; none = all have to be.
    since: Option<(Arc<Last>, BTreeSet<SessionId>)>,
    noted: Noted,
}

/// What a round finds on its way.
#[derive(Default)]
struct Noted {
    awake: BTreeSet<SessionId>,
    at_rest: Vec<(SessionId, Unchanged)>,
}

impl Look {
    /// At everything that may not be as it was in the last round.
    pub(super) fn new(input: &Input<'_>, kept: &Kept) -> Self {
        let (common, by_session) = (Common::of(input), BySession::of(input));
        let last = kept.0.as_ref().filter(|last| last.common == common);
        let since = last.map(|last| {
            let mut anew = by_session.changed_since(&last.by_session);
            anew.extend(last.awake.iter().cloned());
            (Arc::clone(last), anew)
        });
        Self { common, by_session, since, noted: Noted::default() }
    }

    /// Whether the planner may only adopt, route and observe.
    pub(super) fn is_inert(&self) -> bool {
        self.common.inert
    }

    /// The sessions to be decided anew, in the order of ids.
    pub(super) fn sessions<'a>(&self, input: &Input<'a>) -> Vec<Session<'a>> {
        match &self.since {
            None => Walk::new(input).collect(),
            Some((_, anew)) => anew.iter().filter_map(|id| Session::found(input, id)).collect(),
        }
    }

    /// What those that are not looked at add to what stays as it is.
    pub(super) fn rest(&self) -> Unchanged {
        let Some((last, anew)) = &self.since else { return Unchanged::default() };
        let mut sum = last.sum;
        for unchanged in anew.iter().filter_map(|id| last.at_rest.get(id)) {
            sum.sessions -= unchanged.sessions;
            sum.routes -= unchanged.routes;
        }
        sum
    }

    /// Notes of a session whether it is at rest, and what it adds to what stays as it is.
    pub(super) fn note(&mut self, id: &SessionId, found: &Found<'_>, told: bool, adds: Unchanged) {
        if told || found.is_starting() {
            self.noted.awake.insert(id.clone());
        } else if adds != Unchanged::default() {
            self.noted.at_rest.push((id.clone(), adds));
        }
    }

    /// The sessions that are to be published, in the order of ids.
    pub(super) fn published(&self) -> BTreeSet<SessionId> {
        let wanted = &self.by_session.wanted;
        let is_published = |known: &Known<Arc<SessionSpec>>| {
            known.present().is_some_and(|spec| spec.publish.is_some())
        };
        let Some((last, anew)) = &self.since else {
            let all = wanted.iter().filter(|(_, known)| is_published(known));
            return all.map(|(id, _)| id.clone()).collect();
        };
        let mut published = last.published.clone();
        for id in anew {
            if wanted.get(id).is_some_and(is_published) {
                published.insert(id.clone());
            } else {
                published.remove(id);
            }
        }
        published
    }

    /// What this round leaves for the next one.
    pub(super) fn keep(self, published: BTreeSet<SessionId>) -> Kept {
        let mut sum = self.rest();
        for (_, adds) in &self.noted.at_rest {
            sum.sessions += adds.sessions;
            sum.routes += adds.routes;
        }
        let Noted { awake, at_rest: noted } = self.noted;
        let at_rest = match self.since {
            None => noted.into_iter().collect(),
            Some((last, anew)) => {
                let mut at_rest = last.at_rest.clone();
                let known = anew.iter().filter(|id| last.at_rest.contains_key(*id));
                for id in known {
                    at_rest.remove(id);
                }
                at_rest.extend(noted);
                at_rest
            }
        };
        let Self { common, by_session, .. } = self;
        Kept(Some(Arc::new(Last { common, by_session, awake, published, at_rest, sum })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{plan, plan_after};
    use crate::proof::tests::Site;

    /// Plans this world over and over, as when none of the steps comes to anything: each plan is that of a first round.
    fn again_and_again(site: &Site) {
        let mut kept = Kept::default();
        for round in 0..3 {
            let input = site.input();
            assert_eq!(plan_after(&input, &mut kept), plan(&input), "round {round}");
        }
    }

    #[test]
    fn what_is_left_undone_is_decided_again() {
        let at_rest = Site::at_rest();
        again_and_again(&at_rest);
        let a: SessionId = "a".parse().expect("an id");
        let first = Incarnation::new(a.clone(), 1);
        let mut site = Site::at_rest();
        site.observed.routes.remove(&a);
        again_and_again(&site);
        // Its start is gone, and its route leads nowhere.
        site.observed.routes = at_rest.observed.routes;
        site.observed.incarnations.remove(&first);
        again_and_again(&site);
    }

    #[test]
    fn a_start_under_way_counts_in_each_round() {
        let mut site = Site::at_rest();
        site.desired.policy.concurrent_starts = Some(1);
        let a: SessionId = "a".parse().expect("an id");
        let b = Incarnation::new("b".parse().expect("an id"), 1);
        let first = Incarnation::new(a.clone(), 1);
        site.observed.incarnations.remove(&b);
        site.observed.routes.remove(&b.session);
        if let Some(Known::Present(seen)) = site.observed.incarnations.get_mut(&first) {
            seen.phase = crate::observed::Phase::Starting;
        }
        again_and_again(&site);
        // Also where nothing is said of it, since nobody asks for it any more.
        site.desired.sessions.things.remove(&a);
        again_and_again(&site);
    }

    #[test]
    fn an_edit_and_its_way_back_are_seen() {
        let (mut site, mut kept) = (Site::at_rest(), Kept::default());
        let a: SessionId = "a".parse().expect("an id");
        let things = site.desired.sessions.things.clone();
        for edited in [false, true, true, false, false] {
            site.desired.sessions.things = things.clone();
            if edited {
                site.desired.sessions.things.remove(&a);
            }
            let input = site.input();
            assert_eq!(plan_after(&input, &mut kept), plan(&input), "{edited}");
        }
    }

    #[test]
    fn what_is_as_it_was_is_not_looked_at() {
        let site = Site::at_rest();
        let (input, mut kept) = (site.input(), Kept::default());
        assert_eq!(Look::new(&input, &kept).sessions(&input).len(), 2);
        let _ = plan_after(&input, &mut kept);
        assert_eq!(Look::new(&input, &kept).sessions(&input).len(), 0);
        let mut other = site.input().desired.clone();
        other.sessions.managed = false;
        let other = Input { desired: &other, ..input };
        assert_eq!(Look::new(&other, &kept).sessions(&other).len(), 2, "all depend on that");
    }
    #[test]
    fn a_launcher_that_goes_on_being_silent_makes_nobody_look_again() {
        let mut site = Site::at_rest();
        let mut kept = Kept::default();
        for (at, looked_at) in [(5, 2), (6, 0), (7, 0)] {
            let mut observed = site.observed.clone();
            let silence = (Moment(at), "it does not answer".to_owned());
            observed.silent_clusters = [("Slurm".to_owned(), silence)].into();
            observed.follow(&site.observed);
            site.observed = observed;
            let input = site.input();
            assert_eq!(Look::new(&input, &kept).sessions(&input).len(), looked_at, "{at}");
            let _ = plan_after(&input, &mut kept);
        }
        assert_eq!(site.observed.silent_clusters["Slurm"].0, Moment(5));
    }
}
