//! Phase: routes. Every live session has one, whoever asks for it; nothing unknown loses one.

use super::found::{Found, Session};
use super::sessions::on_here;
use super::{Draft, Input, seen};
use crate::desired::{Access, SessionSpec};
use crate::ids::{Incarnation, SessionId};
use crate::known::Known;
use crate::observed::{IncarnationSeen, Phase};
use crate::plan::{Action, Impact, RouteSpec, Step};

/// What becomes of routes: the steps come after those of sessions and gateways.
#[derive(Default)]
pub(super) struct Routes {
    set: Vec<Step>,
    dropped: Vec<Step>,
    pub(super) unchanged: usize,
}

impl Routes {
    /// What becomes of a session's route.
    pub(super) fn plan(&mut self, input: &Input<'_>, session: &Session<'_>) {
        let Session { id, wanted, found } = session;
        let spec = wanted.and_then(Known::present).map(|spec| &**spec);
        match (route_of(input, found), found.route) {
            (Wanted::AsItIs, Some(_)) => self.unchanged += 1,
            (Wanted::AsItIs | Wanted::None, None) => {}
            (Wanted::None, Some(_)) => self.dropped.push(drop_route(input, id, found)),
            (Wanted::To(incarnation, seen), Some(route))
                if route.incarnation == *incarnation && leads_to(route, seen, spec) =>
            {
                debug_assert_eq!(
                    route_to(incarnation, seen, spec, Some(route)),
                    *route,
                    "`leads_to` compares all that `route_to` makes"
                );
                self.unchanged += 1;
            }
            (Wanted::To(incarnation, seen), before) => {
                let route = route_to(incarnation, seen, spec, before);
                debug_assert_ne!(Some(&route), before, "`leads_to` sees no less than `route_to`");
                self.set.push(set_route(input, route));
            }
        }
    }

    /// How many steps there are.
    pub(super) fn len(&self) -> usize {
        self.set.len() + self.dropped.len()
    }

    /// Adds them to a plan: first those that lead somewhere.
    pub(super) fn add_to(self, draft: &mut Draft) {
        draft.plan.unchanged.routes += self.unchanged;
        draft.plan.steps.extend(self.set.into_iter().chain(self.dropped));
    }
}

fn set_route(input: &Input<'_>, route: RouteSpec) -> Step {
    let incarnation = &route.incarnation;
    Step {
        id: format!("route/{incarnation}"),
        on: on_here(input),
        after: Vec::new(),
        because: seen(format!(
            "{incarnation} {}",
            if route.ready { "answers" } else { "is starting" }
        )),
        impact: Impact::None,
        action: Action::SetRoute(Box::new(route)),
    }
}

fn drop_route(input: &Input<'_>, id: &SessionId, found: &Found<'_>) -> Step {
    Step {
        id: format!("unroute/{id}"),
        on: on_here(input),
        after: Vec::new(),
        because: seen(why_none(id, found)),
        impact: Impact::None,
        action: Action::DropRoute { session: id.clone() },
    }
}

fn why_none(id: &SessionId, found: &Found<'_>) -> String {
    match found.live.last() {
        Some((incarnation, seen)) => format!("{incarnation} runs on {}", seen.node),
        None => format!("{id} does not run"),
    }
}

/// Where a session's route should lead.
enum Wanted<'a> {
    /// Nowhere: there should be none.
    None,
    /// Where it leads, if there is one.
    AsItIs,
    /// To this incarnation.
    To(&'a Incarnation, &'a IncarnationSeen),
}

fn route_of<'a>(input: &Input<'_>, found: &Found<'a>) -> Wanted<'a> {
    if found.unknown.is_some() {
        // Absence of an answer is not absence of the thing: its route stays as it is.
        return Wanted::AsItIs;
    }
    let Some((incarnation, seen)) = found.live.last() else {
        // It may be one of those that a silent launcher does not tell of.
        let keep = found.over.is_empty() && input.observed.is_anything_silent();
        return if keep { Wanted::AsItIs } else { Wanted::None };
    };
    match seen.phase {
        Phase::Ending { .. } => {
            let same = found.route.is_some_and(|route| &route.incarnation == *incarnation);
            if same { Wanted::AsItIs } else { Wanted::None }
        }
        // A session of another node has its route there; node-to-node relays come with nodes.
        _ if seen.node != input.observed.node => Wanted::None,
        _ => Wanted::To(incarnation, seen),
    }
}

/// Whether a route to the same incarnation is what [`route_to`] would make, without making it.
fn leads_to(route: &RouteSpec, found: &IncarnationSeen, spec: Option<&SessionSpec>) -> bool {
    let access = spec.is_none_or(|spec| {
        let (is, asked) = (&route.access, &spec.access);
        is.owner.as_ref() == asked.owner.as_ref().map(|_| &found.launch.user)
            && is.users == asked.users
            && is.groups == asked.groups
            && is.admins == asked.admins
    });
    access
        && spec.is_none_or(|spec| route.display_name == spec.display_name)
        && route.socket_dir == found.socket_dir
        && route.socket == found.socket
        && route.uid == found.uid
        && route.base == found.launch.base
        && route.ready == matches!(found.phase, Phase::Ready)
        && route.workbench == found.launch.workbench
}

fn route_to(
    incarnation: &Incarnation,
    found: &IncarnationSeen,
    spec: Option<&SessionSpec>,
    before: Option<&RouteSpec>,
) -> RouteSpec {
    let access = match (spec, before) {
        // What runs is the account's that it runs as, whatever files ask for by now.
        (Some(spec), _) => Access {
            owner: spec.access.owner.as_ref().map(|_| found.launch.user.clone()),
            ..spec.access.clone()
        },
        (None, Some(before)) => before.access.clone(),
        (None, None) => Access { owner: Some(found.launch.user.clone()), ..Access::default() },
    };
    let display_name = match (spec, before) {
        (Some(spec), _) => spec.display_name.clone(),
        (None, Some(before)) => before.display_name.clone(),
        (None, None) => incarnation.session.to_string(),
    };
    RouteSpec {
        incarnation: incarnation.clone(),
        socket_dir: found.socket_dir.clone(),
        socket: found.socket.clone(),
        uid: found.uid,
        base: found.launch.base,
        access,
        ready: matches!(found.phase, Phase::Ready),
        display_name,
        workbench: found.launch.workbench.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{BasePath, Launch, LaunchSpec};
    use crate::ids::Moment;
    use crate::planner::tests::{session_spec, started};

    type OfLaunch = fn(&mut LaunchSpec);

    /// A session that runs as asked for, with the route that leads to it.
    fn routed() -> (RouteSpec, IncarnationSeen, SessionSpec) {
        let mut spec = session_spec("a", "alice");
        spec.access.owner = Some(spec.launch.user.clone());
        let found = IncarnationSeen { socket: "s".to_owned(), ..started(&spec, Moment(10)) };
        let route = route_to(&Incarnation::new(spec.id.clone(), 1), &found, Some(&spec), None);
        (route, found, spec)
    }

    #[test]
    fn a_route_leads_to_a_session_while_all_that_makes_it_is_the_same() {
        let (route, found, spec) = routed();
        assert!(leads_to(&route, &found, Some(&spec)));
        // Nobody asks for it any more: it leads where it did.
        assert!(leads_to(&route, &found, None));
    }

    #[test]
    fn another_process_than_the_one_that_a_route_leads_to_needs_another_route() {
        type Change = fn(&mut IncarnationSeen);
        let launch = |found: &mut IncarnationSeen, change: OfLaunch| {
            found.launch = Launch::with(&found.launch, change);
        };
        let changes: [(&str, Change); 6] = [
            ("socket-dir", |found| found.socket_dir.push('x')),
            ("socket", |found| found.socket.push('x')),
            ("uid", |found| found.uid += 1),
            ("ready", |found| found.phase = Phase::Starting),
            ("pid", |found| found.pid = Some(7)),
            ("terms", |found| found.kept = false),
        ];
        for (what, change) in changes {
            let (route, mut found, spec) = routed();
            change(&mut found);
            let same = matches!(what, "pid" | "terms");
            assert_eq!(leads_to(&route, &found, Some(&spec)), same, "{what}");
            assert_eq!(leads_to(&route, &found, None), same, "{what}");
        }
        let changes: [(&str, OfLaunch); 2] = [
            ("base", |launch| launch.base = BasePath::Strip),
            ("workbench", |launch| launch.workbench = "other".parse().expect("a workbench")),
        ];
        for (what, change) in changes {
            let (route, mut found, spec) = routed();
            launch(&mut found, change);
            assert!(!leads_to(&route, &found, Some(&spec)), "{what}");
        }
    }

    #[test]
    fn who_may_use_a_session_and_what_it_is_called_are_its_files_to_say() {
        type Change<'a> = &'a dyn Fn(&mut SessionSpec);
        let user = || "bob".parse().expect("an account");
        let changes: [(&str, Change<'_>); 5] = [
            ("owner", &|spec| spec.access.owner = None),
            ("users", &|spec| spec.access.users.extend([user()])),
            ("groups", &|spec| spec.access.groups.extend(["staff".to_owned()])),
            ("admins", &|spec| spec.access.admins.extend([user()])),
            ("name", &|spec| spec.display_name.push('x')),
        ];
        for (what, change) in changes {
            let (route, found, mut spec) = routed();
            change(&mut spec);
            assert!(!leads_to(&route, &found, Some(&spec)), "{what}");
        }
        // What runs is the account's that it runs as, whatever files ask for by now.
        let (route, found, mut spec) = routed();
        spec.access.owner = Some(user());
        assert!(leads_to(&route, &found, Some(&spec)));
    }
}
