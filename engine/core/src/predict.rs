//! What the world would be if a plan were carried out and everything went well.
//!
//! Pure; used by the forecast, by golden cases, and as the shadow that the simulated world is
//! compared with.

use crate::desired::{ListenAddress, ListenerId};
use crate::ids::{Incarnation, Moment, SessionId};
use crate::known::Known;
use crate::observed::{
    BalancerSeen, ENDS_KEPT, EndRecord, Exit, IncarnationSeen, InstallationSeen, Observed, Phase,
    Placed, Records, Terms, WorkbenchSeen,
};
use crate::plan::{Action, Because, Mark, Plan, Resource, RouteSpec, StartOrder, Step};

/// The world after `plan` went well at `now`.
#[must_use]
pub fn predict(mut world: Observed, plan: &Plan, now: Moment) -> Observed {
    carry_out(&mut world, plan, now);
    world
}

/// The same in place.
pub fn carry_out(world: &mut Observed, plan: &Plan, now: Moment) {
    for step in &plan.steps {
        apply(world, step, now);
    }
    remember(world, plan, now);
}

/// The session that a step hurts because files changed, unless a person has let it go: what counts
/// for the brake, and is written down before the step is taken.
#[must_use]
pub fn counted_harm<'a>(world: &Observed, step: &'a Step) -> Option<&'a SessionId> {
    let asked = step.because.iter().any(|cause| matches!(cause, Because::Person { .. }));
    let incarnation = step.hurts()?;
    (!asked && !world.approves(incarnation, step.impact)).then_some(&incarnation.session)
}

/// What the loop remembers after a plan was carried out.
pub fn remember(world: &mut Observed, plan: &Plan, now: Moment) {
    for step in &plan.steps {
        let counted = counted_harm(world, step).cloned();
        let memory = &mut world.memory;
        if let Some(session) = counted {
            memory.harmed.push((now, session));
        } else if let Some(Incarnation { session, .. }) = step.hurts() {
            let done = Mark::of(step.impact);
            memory.approved.use_up(&Resource::Session(session.clone()), done);
        }
    }
    let memory = &mut world.memory;
    let window = grammar::value::Millis(crate::planner::BRAKE_WINDOW_MS);
    memory.harmed.retain(|(at, _)| now.since(*at) <= window);
    memory.harm_since.clone_from(&plan.harm_since);
}

fn apply(world: &mut Observed, step: &Step, now: Moment) {
    match &step.action {
        Action::Place { incarnation, node } => records(world, |records| {
            records.numbers.insert(incarnation.session.clone(), incarnation.n);
            let placed = Placed { n: incarnation.n, node: node.clone(), at: now };
            records.placements.insert(incarnation.session.clone(), placed);
        }),
        Action::Start(order) => {
            let seen = started(order, now);
            world.incarnations.insert(order.incarnation.clone(), Known::Present(seen));
        }
        Action::End { incarnation, .. } => end(world, incarnation, now),
        Action::RecordEnd { session, end } => records(world, |records| {
            push_end(records.ends.get_or_insert_with(session, Vec::new), end.clone());
        }),
        Action::Forget { incarnation, end } => {
            world.incarnations.remove(incarnation);
            records(world, |records| {
                let ends = records.ends.get_or_insert_with(&incarnation.session, Vec::new);
                push_end(ends, end.clone());
                // A number that the world knows and the store does not (it was lost) is taken for good.
                let number = records.numbers.get_or_insert_with(&incarnation.session, u32::default);
                *number = incarnation.n.max(*number);
                let placed = records.placements.get(&incarnation.session);
                if placed.is_some_and(|placed| placed.n == incarnation.n) {
                    records.placements.remove(&incarnation.session);
                }
            });
        }
        Action::Retire { session } => records(world, |records| {
            records.placements.remove(session);
            records.ends.remove(session);
            records.terms.remove(session);
        }),
        Action::Remember { session, terms } => records(world, |records| {
            records.terms.insert(session.clone(), terms.clone());
        }),
        Action::Provide { workbench } => {
            if let Some(Known::Present(seen)) = world.workbenches.get_mut(workbench) {
                seen.ours = Some(InstallationSeen::Installing { done: 0, total: 0 });
            }
        }
        Action::SetRoute(route) => {
            world.routes.insert(route.incarnation.session.clone(), RouteSpec::clone(route));
        }
        Action::DropRoute { session } => {
            world.routes.remove(session);
            world.connections.remove(session);
        }
        Action::Listen { listener, address } => {
            world.refused.remove(address);
            world.listeners.insert(listener.clone(), Known::Present(address.clone()));
            note_www(world, step);
        }
        Action::Unlisten { listener } => {
            world.listeners.remove(listener);
            note_www(world, step);
        }
        Action::Lease { gateway, port, session } => records(world, |records| {
            records.leases.insert((gateway.clone(), *port), session.clone());
        }),
        Action::Release { gateway, port } => records(world, |records| {
            records.leases.remove(&(gateway.clone(), *port));
        }),
        Action::Lead { gateway, port, session } => {
            let key = (gateway.clone(), *port);
            match session {
                Some(session) => drop(world.leads.insert(key, session.clone())),
                None => drop(world.leads.remove(&key)),
            }
        }
        Action::Balance { method, weights } => {
            world.balancer = Some(BalancerSeen { method: *method, weights: weights.clone() });
        }
    }
}

fn records(world: &mut Observed, change: impl FnOnce(&mut Records)) {
    if let Known::Present(records) = &mut world.records {
        change(records);
    }
}

fn note_www(world: &mut Observed, step: &Step) {
    if let Some(www) = www_of(step) {
        records(world, |records| records.www = www.cloned());
    }
}

/// Where a step lets people in; none = it has nothing to do with that.
fn www_of(step: &Step) -> Option<Option<&ListenAddress>> {
    match &step.action {
        Action::Listen { listener: ListenerId::Www, address } => Some(Some(address)),
        Action::Unlisten { listener: ListenerId::Www } => Some(None),
        _ => None,
    }
}

/// Where people are let in once the steps that were done of a plan are, for the record: what is found open counts more than what
/// is on record, and what is on record stays as long as nobody has closed it.
#[must_use]
pub fn www_after<'a>(world: &'a Observed, done: &'a Plan) -> Option<&'a ListenAddress> {
    let open = world.listeners.get(&ListenerId::Www).and_then(Known::present);
    let before = || world.records.present().and_then(|records| records.www.as_ref());
    let last = done.steps.iter().rev().find_map(www_of);
    last.unwrap_or_else(|| open.or_else(before))
}

/// Adds an end to what is remembered of a session; the oldest go.
pub fn push_end(ends: &mut Vec<EndRecord>, end: EndRecord) {
    // The same end told twice (a crash between writing it down and removing its traces) is one end.
    if !ends.contains(&end) {
        ends.push(end);
    }
    let surplus = ends.len().saturating_sub(ENDS_KEPT);
    ends.drain(..surplus);
}

fn started(order: &StartOrder, now: Moment) -> IncarnationSeen {
    IncarnationSeen {
        phase: Phase::Starting,
        launch: order.launch.clone(),
        node: order.node.clone(),
        uid: order.user.uid,
        pid: None,
        started_at: now,
        socket_dir: String::new(),
        socket: String::new(),
        ours: true,
        kept: true,
        last_used: None,
        terms: Terms { on_removal: order.on_removal, stop: order.stop.clone() },
        generation: Some(order.generation),
    }
}

fn end(world: &mut Observed, incarnation: &Incarnation, now: Moment) {
    if let Some(Known::Present(seen)) = world.incarnations.get_mut(incarnation) {
        seen.phase = Phase::Ending { since: now };
    }
}

/// The world once everything under way is done: starts are ready, ends are over, installations finished.
#[must_use]
pub fn in_flight_done(mut world: Observed, now: Moment) -> Observed {
    finish(&mut world, now);
    world
}

/// The same in place; whether anything was under way.
pub fn finish(world: &mut Observed, now: Moment) -> bool {
    let done = |known: &Known<IncarnationSeen>| match known.present()?.phase {
        Phase::Preparing | Phase::Starting => Some(Phase::Ready),
        Phase::Ending { .. } => Some(Phase::Exited(Exit {
            at: now,
            code: Some(0),
            signal: None,
            asked: true,
            failure: String::new(),
            never_ran: false,
        })),
        Phase::Ready | Phase::Exited(_) => None,
    };
    let all = world.incarnations.iter();
    let done: Vec<_> = all.filter_map(|(of, known)| Some((of.clone(), done(known)?))).collect();
    let mut any = !done.is_empty();
    for (incarnation, phase) in done {
        if let Some(Known::Present(seen)) = world.incarnations.get_mut(&incarnation) {
            seen.phase = phase;
        }
    }
    for known in world.workbenches.values_mut() {
        if let Known::Present(WorkbenchSeen { ours: Some(ours), .. }) = known
            && matches!(ours, InstallationSeen::Installing { .. })
        {
            *ours = InstallationSeen::Installed { exe: String::new(), version: String::new() };
            any = true;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{Approval, Matter};
    use crate::desired::StopSpec;
    use crate::ids::{Digest, Generation, SiteDigest};
    use crate::plan::{EndPurpose, Impact, On};

    fn end(because: Because) -> Step {
        Step {
            id: "end/a#1".to_owned(),
            on: On::Site,
            action: Action::End {
                incarnation: Incarnation { session: "a".parse().unwrap(), n: 1 },
                purpose: EndPurpose::Removed,
                stop: StopSpec::default(),
            },
            after: Vec::new(),
            because: vec![because],
            impact: Impact::Ended,
        }
    }

    #[test]
    fn harm_counts_unless_a_person_asked_for_it_or_let_it_go() {
        let by_file = end(Because::FileRemoved { file: "sessions.d/a.toml".into() });
        let by_person = end(Because::Person { what: "root says so".to_owned() });
        let mut world = Observed::empty("n1".parse().unwrap());
        let set = |text: &[u8]| Some(SiteDigest(Digest::of(text)));
        world.in_force.digest = set(b"approved");
        assert!(counted_harm(&world, &by_file).is_some());
        assert!(counted_harm(&world, &by_person).is_none());
        let matter = Matter::harm(Resource::Session("a".parse().unwrap()), Impact::Ended);
        world.memory.approved = Approval::new(set(b"approved"), Generation(1), [matter]);
        assert!(counted_harm(&world, &by_file).is_none());
        world.in_force.digest = set(b"another");
        assert!(counted_harm(&world, &by_file).is_some(), "what was approved is another set");
    }

    #[test]
    fn where_people_are_let_in_goes_by_the_last_step_then_by_what_is_open_then_by_the_record() {
        let at = |port| ListenAddress { ip: std::net::Ipv4Addr::LOCALHOST.into(), port };
        let step = |action| Step { action, ..end(Because::Seen { what: "now".to_owned() }) };
        let listen = |port| step(Action::Listen { listener: ListenerId::Www, address: at(port) });
        let unlisten = || step(Action::Unlisten { listener: ListenerId::Www });
        let plan = |steps| Plan { steps, ..Plan::default() };
        let mut world = Observed::empty("n1".parse().unwrap());
        let after = |world: &Observed, steps| www_after(world, &plan(steps)).cloned();
        assert_eq!(after(&world, vec![]), None);
        world.records = Known::Present(Records { www: Some(at(1)), ..Records::default() });
        assert_eq!(after(&world, vec![]), Some(at(1)));
        world.listeners.insert(ListenerId::Www, Known::Present(at(2)));
        assert_eq!(after(&world, vec![]), Some(at(2)));
        assert_eq!(after(&world, vec![listen(3)]), Some(at(3)));
        assert_eq!(after(&world, vec![unlisten()]), None);
        assert_eq!(after(&world, vec![unlisten(), listen(4)]), Some(at(4)));
        assert_eq!(after(&world, vec![listen(4), unlisten()]), None);
    }
}
