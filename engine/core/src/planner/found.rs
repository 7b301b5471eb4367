//! What is known of each session, found in one walk along everything that has sessions' ids in order: nothing
//! is looked up a session at a time, so a round costs no search for each of a hundred thousand.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::sync::{Arc, LazyLock};

use super::Input;
use crate::desired::SessionSpec;
use crate::ids::{Incarnation, SessionId};
use crate::known::Known;
use crate::observed::{EndRecord, Exit, IncarnationSeen, Phase, Placed, Records, Terms};
use crate::plan::RouteSpec;
use crate::shared_map::Iter;

/// What was found of one session.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// Incarnations that live, oldest first.
    pub(super) live: Vec<(&'a Incarnation, &'a IncarnationSeen)>,
    /// Incarnations that are over.
    pub(super) over: Vec<(&'a Incarnation, &'a IncarnationSeen, &'a Exit)>,
    /// Why nothing may be done, if something about it is unknown.
    pub(super) unknown: Option<String>,
    /// Where it was placed last, as the store has it.
    pub(super) placed: Option<&'a Placed>,
    /// What is remembered of how it is to end.
    pub(super) terms: Option<&'a Terms>,
    /// Its route in the table.
    pub(super) route: Option<&'a RouteSpec>,
}

impl<'a> Found<'a> {
    /// Whether something of it is on its way to be ready.
    pub(super) fn is_starting(&self) -> bool {
        self.live.iter().any(|(_, seen)| matches!(seen.phase, Phase::Preparing | Phase::Starting))
    }

    fn add(&mut self, incarnation: &'a Incarnation, known: &'a Known<IncarnationSeen>) {
        match known {
            Known::Present(seen) if !seen.ours => {}
            Known::Present(seen) => match &seen.phase {
                Phase::Exited(exit) => self.over.push((incarnation, seen, exit)),
                _ => self.live.push((incarnation, seen)),
            },
            Known::Absent => {}
            Known::Unknown { reason, .. } => {
                self.unknown = Some(format!("{incarnation}: {reason}"));
            }
        }
    }
}

/// A session of which something is known.
pub(super) struct Session<'a> {
    pub(super) id: &'a SessionId,
    /// What files and people say of it.
    pub(super) wanted: Option<&'a Known<Arc<SessionSpec>>>,
    pub(super) found: Found<'a>,
}

impl<'a> Session<'a> {
    /// What is known of one session, if anything is.
    pub(super) fn found(input: &Input<'a>, id: &SessionId) -> Option<Self> {
        let (desired, observed) = (input.desired, input.observed);
        let records = observed.records.present().unwrap_or(&NOTHING);
        let wanted = desired.sessions.things.get_key_value(id);
        let mut found = Found::default();
        let mut named = wanted.map(|(id, _)| id);
        for (incarnation, known) in observed.of_session(id) {
            named.get_or_insert(&incarnation.session);
            found.add(incarnation, known);
        }
        let placed = records.placements.get_key_value(id);
        let terms = records.terms.get_key_value(id);
        let route = observed.routes.get_key_value(id);
        let ends = records.ends.get_key_value(id).map(|(id, _)| id);
        let by_others = [placed.map(|(id, _)| id), terms.map(|(id, _)| id), ends];
        let id = by_others.into_iter().fold(named, Option::or).or(route.map(|(id, _)| id))?;
        found.placed = placed.map(|(_, placed)| placed);
        found.terms = terms.map(|(_, terms)| terms);
        found.route = route.map(|(_, route)| route);
        Some(Self { id, wanted: wanted.map(|(_, wanted)| wanted), found })
    }
}

/// Every session of which anything is known, in the order of ids.
pub(super) struct Walk<'a> {
    wanted: Peekable<Iter<'a, SessionId, Known<Arc<SessionSpec>>>>,
    incarnations: Peekable<Iter<'a, Incarnation, Known<IncarnationSeen>>>,
    placements: Peekable<Iter<'a, SessionId, Placed>>,
    terms: Peekable<Iter<'a, SessionId, Terms>>,
    ends: Peekable<Iter<'a, SessionId, Vec<EndRecord>>>,
    routes: Peekable<Iter<'a, SessionId, RouteSpec>>,
}

/// A store that could not be read.
static NOTHING: LazyLock<Records> = LazyLock::new(Records::default);

/// How many kinds of things there are to walk along.
const KINDS: usize = 6;

impl<'a> Walk<'a> {
    pub(super) fn new(input: &Input<'a>) -> Self {
        let (desired, observed) = (input.desired, input.observed);
        let records = observed.records.present().unwrap_or(&NOTHING);
        Self {
            wanted: desired.sessions.things.iter().peekable(),
            incarnations: observed.incarnations.iter().peekable(),
            placements: records.placements.iter().peekable(),
            terms: records.terms.iter().peekable(),
            ends: records.ends.iter().peekable(),
            routes: observed.routes.iter().peekable(),
        }
    }

    /// The lowest id ahead, and which kinds have it.
    fn next_id(&mut self) -> Option<(&'a SessionId, [bool; KINDS])> {
        let ahead: [Option<&'a SessionId>; KINDS] = [
            self.wanted.peek().map(|(id, _)| *id),
            self.incarnations.peek().map(|(incarnation, _)| &incarnation.session),
            self.placements.peek().map(|(id, _)| *id),
            self.terms.peek().map(|(id, _)| *id),
            self.ends.peek().map(|(id, _)| *id),
            self.routes.peek().map(|(id, _)| *id),
        ];
        let mut lowest: Option<&SessionId> = None;
        let mut has = [false; KINDS];
        for (kind, id) in ahead.into_iter().enumerate() {
            let Some(id) = id else { continue };
            match lowest.map_or(Ordering::Less, |lowest| in_order(id, lowest)) {
                Ordering::Less => {
                    lowest = Some(id);
                    has = [false; KINDS];
                    has[kind] = true;
                }
                Ordering::Equal => has[kind] = true,
                Ordering::Greater => {}
            }
        }
        lowest.map(|id| (id, has))
    }
}

/// The order of ids; what shares its text need not be compared.
fn in_order(a: &SessionId, b: &SessionId) -> Ordering {
    if std::ptr::eq(a.as_str(), b.as_str()) { Ordering::Equal } else { a.cmp(b) }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Session<'a>;

    fn next(&mut self) -> Option<Session<'a>> {
        let (id, [wanted, incarnations, placed, terms, ends, route]) = self.next_id()?;
        let mut found = Found::default();
        if incarnations {
            while let Some((incarnation, known)) =
                self.incarnations.next_if(|(incarnation, _)| incarnation.session == *id)
            {
                found.add(incarnation, known);
            }
        }
        found.placed = self.placements.next_if(|_| placed).map(|(_, placed)| placed);
        found.terms = self.terms.next_if(|_| terms).map(|(_, terms)| terms);
        found.route = self.routes.next_if(|_| route).map(|(_, route)| route);
        self.ends.next_if(|_| ends);
        let wanted = self.wanted.next_if(|_| wanted).map(|(_, wanted)| wanted);
        Some(Session { id, wanted, found })
    }
}
