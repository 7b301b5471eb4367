//! What a person has approved of a plan, and whether what is wanted now stays within it.
//!
//! An approval is of one set of files, named by its digest, since each node numbers its generations itself: it
//! holds on nodes whose files are the same, and on none on which a line differs, be it `www-address`. It
//! names what happens to which thing, and nothing else: loads, times, nodes and who is active are no facts
//! (product.md §6). What it does not name is not approved, however small; what it names may come out milder. Ends
//! it lets go are those of starts that there were when it was given: a session that was started since is hurt by
//! nobody's word. It is over once another set takes the place of its own, also where the same comes back later.
//! Knows no file and no person. Read next: [`crate::planner`], whose harm asks it, and
//! [`crate::report::Report::matters`], which a saved plan keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Generation, Incarnation, SessionId, SiteDigest};
use crate::plan::{Hold, Impact, Mark, Plan, Resource, WaitingOn};

/// What happens to a thing, as far as an approval speaks of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Matter {
    /// To what.
    pub resource: Resource,
    /// What.
    pub mark: Mark,
    /// What it does to people.
    pub impact: Impact,
}

impl From<&Hold> for Matter {
    fn from(hold: &Hold) -> Self {
        Self { resource: hold.resource.clone(), mark: hold.mark(), impact: hold.impact }
    }
}

impl Matter {
    /// The harm of this impact to a thing.
    #[must_use]
    pub fn harm(resource: Resource, impact: Impact) -> Self {
        Self { resource, mark: Mark::of(impact), impact }
    }

    /// Whether nobody notices it before a session's own next start: which sessions those are depends on who
    /// has started one, and that is no fact.
    fn is_for_next_start(&self) -> bool {
        matches!(self.resource, Resource::Session(_)) && self.mark == Mark::Change
    }
}

/// What was approved of one set of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Which set, the same on every node with the same files; none = nothing was approved.
    #[serde(default)]
    pub site: Option<SiteDigest>,
    /// Its number where it was approved, for people: another node may have given it another one.
    pub generation: Generation,
    /// Each thing with what may happen to it, and how bad that may be.
    matters: BTreeMap<Resource, BTreeMap<Mark, Impact>>,
    /// The newest start of each session that it names, by number; none for one = any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    starts: BTreeMap<SessionId, u32>,
}

impl Approval {
    /// An approval of these matters; of two for the same thing the graver holds.
    #[must_use]
    pub fn new(
        site: Option<SiteDigest>,
        generation: Generation,
        matters: impl IntoIterator<Item = Matter>,
    ) -> Self {
        let mut approval = Self { site, generation, ..Self::default() };
        for Matter { resource, mark, impact } in matters {
            let worst = approval.matters.entry(resource).or_default().entry(mark).or_default();
            *worst = impact.max(*worst);
        }
        approval
    }

    /// The same, of no later starts than `newest` says of each session.
    #[must_use]
    pub fn of_starts(mut self, newest: impl Fn(&SessionId) -> u32) -> Self {
        let sessions = self.matters.keys().filter_map(|resource| match resource {
            Resource::Session(id) => Some((id.clone(), newest(id))),
            _ => None,
        });
        self.starts = sessions.collect();
        self
    }

    /// Whether it is of this set of files.
    #[must_use]
    pub fn is_of(&self, site: Option<SiteDigest>) -> bool {
        self.site.is_some() && self.site == site
    }

    /// Whether it is over when another set takes the place of `replaced`: who has turned away from an approved
    /// set is asked again should it come back.
    #[must_use]
    pub fn ends_with(&self, replaced: Option<SiteDigest>) -> bool {
        self.is_of(replaced)
    }

    /// The newest starts that it speaks of, by session.
    #[must_use]
    pub fn starts(&self) -> &BTreeMap<SessionId, u32> {
        &self.starts
    }

    /// Whether it lets a start of a session be hurt so.
    #[must_use]
    pub fn lets(&self, incarnation: &Incarnation, impact: Impact) -> bool {
        let Incarnation { session, n } = incarnation;
        self.starts.get(session).is_none_or(|newest| n <= newest)
            && self.covers(&Matter::harm(Resource::Session(session.clone()), impact))
    }

    /// Whether it names this: the same thing, the same mark, and no less an impact.
    #[must_use]
    pub fn covers(&self, matter: &Matter) -> bool {
        let named = self.matters.get(&matter.resource).and_then(|marks| marks.get(&matter.mark));
        named.is_some_and(|worst| matter.impact <= *worst)
    }

    /// Whether this may happen under it: it covers it, or nobody would notice it.
    #[must_use]
    pub fn allows(&self, matter: &Matter) -> bool {
        matter.is_for_next_start() || self.covers(matter)
    }

    /// Takes out what was done: an approval is for what was shown, not for the same again.
    pub fn use_up(&mut self, resource: &Resource, mark: Mark) {
        if let Some(marks) = self.matters.get_mut(resource) {
            marks.remove(&mark);
            if marks.is_empty() {
                self.matters.remove(resource);
                if let Resource::Session(session) = resource {
                    self.starts.remove(session);
                }
            }
        }
    }

    /// Everything it names, in order.
    pub fn matters(&self) -> impl Iterator<Item = Matter> + '_ {
        self.matters.iter().flat_map(|(resource, marks)| {
            let of = |(mark, impact): (&Mark, &Impact)| Matter {
                resource: resource.clone(),
                mark: *mark,
                impact: *impact,
            };
            marks.iter().map(of)
        })
    }
}

/// What of a round's plan goes on as soon as a person approves it.
pub fn awaiting(plan: &Plan) -> impl Iterator<Item = &Hold> {
    plan.holds
        .iter()
        .filter(|hold| matches!(hold.waiting_on, WaitingOn::HarmDelay | WaitingOn::Approval { .. }))
}

/// What a person who approves a round's plan has been shown: what goes on at once, and the harm that waits
/// for an idle time or a window.
pub fn shown(plan: &Plan) -> impl Iterator<Item = Matter> + '_ {
    let later = plan.holds.iter().filter(|hold| hold.impact.is_harm());
    awaiting(plan).chain(later).map(Matter::from)
}

/// The approval of a round's plan by a person who has seen all of it (`saved` is none), or who has seen
/// another plan for the same files.
///
/// # Errors
/// What goes on at once and was not in the plan that was seen.
pub fn approve(
    plan: &Plan,
    site: Option<SiteDigest>,
    generation: Generation,
    saved: Option<&[Matter]>,
) -> Result<Approval, Vec<Hold>> {
    let Some(saved) = saved else { return Ok(Approval::new(site, generation, shown(plan))) };
    let approval = Approval::new(site, generation, saved.iter().cloned());
    let is_covered = |hold: &&Hold| approval.allows(&Matter::from(*hold));
    let new: Vec<Hold> = awaiting(plan).filter(|hold| !is_covered(hold)).cloned().collect();
    if new.is_empty() { Ok(approval) } else { Err(new) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    fn session(id: &str) -> Resource {
        Resource::Session(id.parse().expect("a session id"))
    }

    fn matter(id: &str, mark: Mark, impact: Impact) -> Matter {
        Matter { resource: session(id), mark, impact }
    }

    fn restart(id: &str) -> Matter {
        matter(id, Mark::Restart, Impact::Restarted)
    }

    fn set(n: u8) -> SiteDigest {
        SiteDigest(Digest::of(&[n]))
    }

    fn of<const N: usize>(n: u8, matters: [Matter; N]) -> Approval {
        Approval::new(Some(set(n)), Generation(u64::from(n)), matters)
    }

    #[test]
    fn it_is_of_one_set_and_over_with_it() {
        let (approval, none) = (of(3, []), Approval::default());
        assert!(approval.is_of(Some(set(3))) && !approval.is_of(Some(set(4))));
        assert!(!approval.is_of(None) && !none.is_of(None), "nothing in force is no set");
        assert!(approval.ends_with(Some(set(3))), "its set is replaced");
        assert!(!approval.ends_with(Some(set(2))), "its set comes into force, here too");
        assert!(!approval.ends_with(None) && !none.ends_with(None));
    }

    #[test]
    fn the_same_thing_and_the_same_mark_with_no_greater_impact() {
        let approval = of(3, [restart("a")]);
        assert!(approval.covers(&restart("a")));
        assert!(approval.covers(&matter("a", Mark::Restart, Impact::RequestsHeld)));
        assert!(!approval.covers(&restart("b")), "another thing");
        assert!(!approval.covers(&matter("a", Mark::End, Impact::Ended)), "another mark");
        assert!(!approval.covers(&matter("a", Mark::Restart, Impact::Ended)), "worse");
        assert!(approval.allows(&restart("a")) && !approval.allows(&restart("b")));
    }

    #[test]
    fn a_start_of_later_than_the_approval_is_not_hurt_by_it() {
        let approval = of(3, [restart("a"), restart("new")]);
        let start = |id: &str, n| Incarnation { session: id.parse().expect("an id"), n };
        assert!(approval.lets(&start("a", 3), Impact::Restarted), "of whichever start");
        let approval = approval.of_starts(|id| if id.as_str() == "a" { 2 } else { 0 });
        assert!(approval.lets(&start("a", 2), Impact::Restarted));
        assert!(!approval.lets(&start("a", 2), Impact::Ended));
        assert!(!approval.lets(&start("a", 3), Impact::Restarted));
        assert!(!approval.lets(&start("new", 1), Impact::Restarted));
    }

    #[test]
    fn the_graver_of_two_holds_whatever_their_order() {
        let mild = matter("a", Mark::Restart, Impact::RequestsHeld);
        for both in [[mild.clone(), restart("a")], [restart("a"), mild.clone()]] {
            assert!(of(1, both).covers(&restart("a")));
        }
    }

    #[test]
    fn what_was_done_is_approved_no_longer() {
        let end = matter("a", Mark::End, Impact::Ended);
        let approval = of(1, [restart("a"), end.clone()]);
        let mut approval = approval.of_starts(|_| 1);
        approval.use_up(&session("a"), Mark::Restart);
        assert!(!approval.covers(&restart("a")) && approval.covers(&end));
        approval.use_up(&session("a"), Mark::End);
        assert_eq!(approval, of(1, []));
    }

    #[test]
    fn who_started_a_session_meanwhile_makes_no_plan_another_one() {
        let approval = Approval::default();
        let outdated = matter("new", Mark::Change, Impact::None);
        assert!(approval.allows(&outdated) && !approval.covers(&outdated));
        let balancer = Matter { resource: Resource::Balancer, ..outdated };
        assert!(!approval.allows(&balancer));
    }

    #[test]
    fn it_reads_back_from_json() {
        let approval = of(7, [restart("a")]);
        let text = serde_json::to_string(&approval).expect("string keys only");
        assert_eq!(serde_json::from_str::<Approval>(&text).ok(), Some(approval));
    }

    #[test]
    fn what_it_says_makes_it_again() {
        let matters = [restart("a"), matter("b", Mark::End, Impact::Ended)];
        let approval =
            of(7, matters.clone()).of_starts(|id| if id.as_str() == "a" { 2 } else { 5 });
        assert_eq!(approval.matters().collect::<Vec<_>>(), matters);
        let newest = |id: &SessionId| approval.starts().get(id).copied().unwrap_or(0);
        let again = Approval::new(approval.site, approval.generation, approval.matters());
        assert_eq!(again.of_starts(newest), approval);
    }
}
