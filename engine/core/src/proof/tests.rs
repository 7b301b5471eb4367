//! Each rule refuses the plan that breaks it: a proof that lets everything pass proves nothing.

use std::sync::Arc;

use grammar::source::Source;
use grammar::value::Millis;

use super::*;
use crate::approval::{Approval, Matter};
use crate::check::tests::ground;
use crate::desired::{Desired, Origins, StopSpec, lower};
use crate::forecast::forecast;
use crate::ids::{Digest, Generation, Moment, SiteDigest};
use crate::observed::{HarmWanted, Observed, Phase, UserSeen, WorkbenchSeen};
use crate::plan::{Hold, On, WaitingOn};
use crate::site::{Managed, SiteFiles};

const NOW: Moment = Moment(1_000_000);

/// A site in which sessions `a` and `b` run, as found by its engine.
pub(crate) struct Site {
    pub(crate) desired: Desired,
    pub(crate) origins: Origins,
    pub(crate) observed: Observed,
}

impl Site {
    /// Two files of `sessions.d`, carried out to the end.
    pub(crate) fn at_rest() -> Self {
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        let file = |id: &str| {
            let path = format!("/etc/wharf/sessions.d/{id}.toml");
            (id.to_owned(), Known::Present(Source::new(path, "workbench = \"demo\"\n")))
        };
        files.sessions = Managed::Managed([file("a"), file("b")].into());
        files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", "mode = \"serve\"\n"));
        let lowered = lower(&files, &ground());
        let mut observed = Observed::empty("n1".parse().expect("a node"));
        observed.cores = 4;
        observed.incumbent = Known::Absent;
        observed.in_force.generation = Generation(1);
        observed.in_force.digest = Some(files.digest());
        let user = UserSeen {
            uid: 1001,
            gid: 1001,
            home: "/home/alice".to_owned(),
            shell: "/bin/sh".to_owned(),
            reachable: true,
        };
        observed.users.insert("alice".parse().expect("a user"), Known::Present(user));
        let demo = WorkbenchSeen::works("/usr/bin/demo".to_owned(), "1".to_owned());
        observed.workbenches.insert("demo".parse().expect("a workbench"), Known::Present(demo));
        let way = forecast(&lowered.desired, &lowered.origins, &observed, NOW);
        assert!(way.arrived && way.world.incarnations.len() == 2, "{way:#?}");
        Self { desired: lowered.desired, origins: lowered.origins, observed: way.world }
    }

    pub(crate) fn input(&self) -> Input<'_> {
        let Self { desired, origins, observed } = self;
        Input { desired, origins, observed, now: NOW }
    }

    fn seen(&mut self, id: &str) -> &mut crate::observed::IncarnationSeen {
        let known = self.observed.incarnations.get_mut(&first(id));
        let Some(Known::Present(seen)) = known else { panic!("{id} is not there") };
        seen
    }

    fn forget_file(&mut self, id: &str) {
        self.desired.sessions.things.remove(&session(id));
    }
}

fn session(id: &str) -> SessionId {
    id.parse().expect("a session id")
}

fn first(id: &str) -> Incarnation {
    Incarnation::new(session(id), 1)
}

fn step(id: &str, action: Action, impact: Impact) -> Step {
    let because = vec![Because::FileRemoved { file: "sessions.d/a.toml".into() }];
    Step { id: id.to_owned(), on: On::Site, action, after: Vec::new(), because, impact }
}

fn end(id: &str, purpose: EndPurpose, impact: Impact) -> Step {
    let action = Action::End { incarnation: first(id), stop: StopSpec::default(), purpose };
    step(&format!("end/{id}#1"), action, impact)
}

fn told(mut step: Step) -> Step {
    step.because = vec![Because::Person { what: "root says so".to_owned() }];
    step
}

/// The start of `id` once more, from what the planner gave for its first.
fn start(site: &Site, id: &str, n: u32) -> Step {
    let mut empty = site.observed.clone();
    empty.incarnations.clear();
    empty.routes.clear();
    let way = forecast(&site.desired, &site.origins, &empty, NOW);
    let steps = way.rounds.iter().flat_map(|round| &round.plan.steps);
    let mut orders = steps.filter_map(|step| match &step.action {
        Action::Start(order) if order.incarnation.session.as_str() == id => Some(order),
        _ => None,
    });
    let mut order =
        crate::plan::StartOrder::clone(orders.next_back().expect("it would be started"));
    order.incarnation = Incarnation::new(session(id), n);
    step(&format!("start/{id}#{n}"), Action::Start(Arc::new(order)), Impact::None)
}

/// The words of a broken rule; panics where it is kept.
fn broken(result: Result<(), String>) -> String {
    result.expect_err("the rule is broken")
}

#[test]
fn the_planners_own_plan_passes_and_any_other_does_not() {
    let site = Site::at_rest();
    let plan = planner::plan(&site.input());
    assert_eq!(prove_plan(&site.input(), &plan), Ok(()));
    let mut other = plan;
    other.steps.push(end("a", EndPurpose::Removed, Impact::Ended));
    assert_eq!(broken(prove_plan(&site.input(), &other)), "the same input gave another plan");
}

#[test]
fn what_is_foreign_or_unknown_is_not_acted_upon() {
    let mut site = Site::at_rest();
    let steps = [
        end("a", EndPurpose::Removed, Impact::Ended),
        start(&site, "a", 1),
        step("route/a", route(&site, "a"), Impact::None),
    ];
    for step in &steps[..1] {
        assert_eq!(touches_only_ours(&site.input(), step), Ok(()));
    }
    site.seen("a").ours = false;
    for step in &steps {
        let wrong = broken(touches_only_ours(&site.input(), step));
        assert_eq!(wrong, format!("{} acts on what is foreign", step.id));
    }
    let unknown = Known::Unknown { since: NOW, reason: "its node is silent".to_owned() };
    site.observed.incarnations.insert(first("a"), unknown);
    for step in &steps {
        let wrong = broken(touches_only_ours(&site.input(), step));
        assert_eq!(wrong, format!("{} acts on what is unknown", step.id));
    }
}

fn route(site: &Site, id: &str) -> Action {
    Action::SetRoute(Box::new(site.observed.routes[&session(id)].clone()))
}

#[test]
fn nothing_is_started_beside_what_lives_or_may_live() {
    let mut site = Site::at_rest();
    let again = start(&site, "a", 2);
    let wrong = "start/a#2 starts beside a#1";
    assert_eq!(broken(touches_only_ours(&site.input(), &again)), wrong);
    site.seen("a").ours = false;
    assert_eq!(touches_only_ours(&site.input(), &again), Ok(()), "what is foreign is beside us");
    site.observed.incarnations.insert(first("a"), Known::Absent);
    assert_eq!(touches_only_ours(&site.input(), &again), Ok(()));
    let unknown = Known::Unknown { since: NOW, reason: String::new() };
    site.observed.incarnations.insert(first("a"), unknown);
    assert_eq!(broken(touches_only_ours(&site.input(), &again)), wrong);
}

#[test]
fn what_is_over_is_no_obstacle_to_a_start() {
    let mut site = Site::at_rest();
    let again = start(&site, "a", 2);
    let exit = crate::observed::Exit { at: NOW, code: Some(0), ..Default::default() };
    site.seen("a").phase = Phase::Exited(exit);
    assert_eq!(touches_only_ours(&site.input(), &again), Ok(()));
}

#[test]
fn what_cannot_be_read_and_what_nobody_manages_does_not_end() {
    let mut site = Site::at_rest();
    let removed = end("a", EndPurpose::Removed, Impact::Ended);
    site.forget_file("a");
    assert_eq!(ends_only_what_may_end(&site.input(), &removed), Ok(()));
    site.desired.sessions.managed = false;
    let wrong = broken(ends_only_what_may_end(&site.input(), &removed));
    assert_eq!(wrong, "end/a#1 ends what nobody manages");
    let unreadable = Known::Unknown { since: NOW, reason: "permission denied".to_owned() };
    site.desired.sessions.things.insert(session("a"), unreadable);
    for managed in [true, false] {
        site.desired.sessions.managed = managed;
        let wrong = broken(ends_only_what_may_end(&site.input(), &removed));
        assert_eq!(wrong, "end/a#1 ends what cannot be read");
    }
}

#[test]
fn a_persons_word_ends_it_and_no_other_end_comes_with_that_word() {
    let mut site = Site::at_rest();
    site.forget_file("a");
    site.desired.sessions.managed = false;
    let wrong = "end/a#1 ends what nobody manages";
    let stopped = end("a", EndPurpose::Stopped, Impact::Ended);
    assert_eq!(broken(ends_only_what_may_end(&site.input(), &stopped)), wrong, "nobody said it");
    site.desired.told_to_stop.insert(session("a"), "root said so".to_owned());
    assert_eq!(ends_only_what_may_end(&site.input(), &stopped), Ok(()));
    for other in
        [end("a", EndPurpose::Removed, Impact::Ended), end("a", EndPurpose::Stopped, Impact::None)]
    {
        assert_eq!(broken(ends_only_what_may_end(&site.input(), &other)), wrong);
    }
}

#[test]
fn an_end_without_impact_is_of_what_nobody_uses() {
    let site = Site::at_rest();
    for (purpose, may) in [
        (EndPurpose::NeverReady, true),
        (EndPurpose::Superseded, true),
        (EndPurpose::Removed, false),
        (EndPurpose::Restart, false),
        (EndPurpose::Stopped, false),
    ] {
        let found = ends_only_what_may_end(&site.input(), &end("a", purpose, Impact::None));
        let wrong = Err("end/a#1 ends a session without impact".to_owned());
        assert_eq!(found, if may { Ok(()) } else { wrong }, "{purpose:?}");
    }
}

#[test]
fn nothing_ends_while_the_store_cannot_be_used() {
    let mut site = Site::at_rest();
    site.observed.records = Known::Unknown { since: NOW, reason: "locked".to_owned() };
    let removed = end("a", EndPurpose::Removed, Impact::Ended);
    let wrong = broken(ends_only_what_may_end(&site.input(), &removed));
    assert_eq!(wrong, "end/a#1 ends a session though the store cannot be used");
}

#[test]
fn harm_waits_for_harm_delay_unless_a_person_asks_or_approves() {
    let mut site = Site::at_rest();
    site.desired.policy.harm_delay = Millis(60_000);
    let removed = end("a", EndPurpose::Removed, Impact::Ended);
    let early = "end/a#1 does not wait for harm-delay";
    assert_eq!(broken(waits_its_time(&site.input(), &removed)), early, "it was never wanted");
    let wanted = |ago: i64| HarmWanted { since: Moment(NOW.0 - ago), impact: Impact::Ended };
    let resource = Resource::Session(session("a"));
    site.observed.memory.harm_since.insert(resource.clone(), wanted(59_999));
    assert_eq!(broken(waits_its_time(&site.input(), &removed)), early);
    site.observed.memory.harm_since.insert(resource.clone(), wanted(60_000));
    assert_eq!(waits_its_time(&site.input(), &removed), Ok(()));
    site.observed.memory.harm_since.clear();
    assert_eq!(waits_its_time(&site.input(), &told(removed.clone())), Ok(()));
    site.desired.policy.harm_delay = Millis(0);
    assert_eq!(waits_its_time(&site.input(), &removed), Ok(()), "no delay is none");
    site.desired.policy.harm_delay = Millis(60_000);
    approve(&mut site, "a");
    assert_eq!(waits_its_time(&site.input(), &removed), Ok(()));
    let mild = end("b", EndPurpose::Removed, Impact::RequestsHeld);
    assert_eq!(waits_its_time(&site.input(), &mild), Ok(()), "no harm");
}

fn approve(site: &mut Site, id: &str) {
    let set = Some(SiteDigest(Digest::of(b"approved")));
    site.observed.in_force.digest = set;
    let matter = Matter::harm(Resource::Session(session(id)), Impact::Ended);
    site.observed.memory.approved = Approval::new(set, Generation(1), [matter]).of_starts(|_| 9);
}

#[test]
fn harm_is_done_to_somebody_in_particular() {
    let site = Site::at_rest();
    let action = Action::DropRoute { session: session("a") };
    let nobody = step("drop-route/a", action, Impact::Ended);
    let wrong = broken(waits_its_time(&site.input(), &nobody));
    assert_eq!(wrong, "drop-route/a does harm to nobody in particular");
}

fn plan_of(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::default() }
}

#[test]
fn no_more_starts_than_the_budget() {
    let mut site = Site::at_rest();
    let both = plan_of(vec![start(&site, "a", 2), start(&site, "b", 2)]);
    assert_eq!(within_budget(&site.input(), &both), Ok(()));
    site.observed.cores = 2;
    assert_eq!(within_budget(&site.input(), &both), Ok(()), "as many as there are cores");
    site.observed.cores = 1;
    assert_eq!(broken(within_budget(&site.input(), &both)), "2 starts at once, 1 may");
    site.desired.policy.concurrent_starts = Some(2);
    assert_eq!(within_budget(&site.input(), &both), Ok(()));
    let no_start = plan_of(vec![end("a", EndPurpose::Removed, Impact::None)]);
    site.desired.policy.concurrent_starts = Some(0);
    assert_eq!(within_budget(&site.input(), &no_start), Ok(()));
}

#[test]
fn no_more_harm_than_the_brake_lets_pass() {
    let mut site = Site::at_rest();
    site.desired.policy.max_harmed = 1;
    let both = || {
        vec![
            end("a", EndPurpose::Removed, Impact::Ended),
            end("b", EndPurpose::Removed, Impact::Ended),
        ]
    };
    let one = plan_of(both().drain(..1).collect());
    let two = plan_of(both());
    let wrong = "2 sessions hurt, max-harmed is 1";
    assert_eq!(within_budget(&site.input(), &one), Ok(()));
    assert_eq!(broken(within_budget(&site.input(), &two)), wrong);
    let asked = plan_of(both().into_iter().map(told).collect());
    assert_eq!(within_budget(&site.input(), &asked), Ok(()), "a person's word is no harm of files");
    // Who was hurt within ten minutes counts, once.
    let ago = |ms| Moment(NOW.0 - ms);
    site.observed.memory.harmed = vec![(ago(600_000), session("b"))];
    assert_eq!(broken(within_budget(&site.input(), &one)), wrong);
    site.observed.memory.harmed = vec![(ago(600_001), session("b"))];
    assert_eq!(within_budget(&site.input(), &one), Ok(()));
    site.observed.memory.harmed = vec![(ago(1), session("a"))];
    assert_eq!(within_budget(&site.input(), &one), Ok(()));
    // What is over the limit already forbids only more of it.
    site.observed.memory.harmed = vec![(ago(1), session("a")), (ago(1), session("b"))];
    assert_eq!(within_budget(&site.input(), &plan_of(Vec::new())), Ok(()));
    site.observed.memory.harmed.clear();
    approve(&mut site, "a");
    assert_eq!(within_budget(&site.input(), &two), Ok(()), "what is approved is not counted");
}

#[test]
fn a_hold_names_its_cause_and_a_step_comes_after_what_it_needs() {
    let site = Site::at_rest();
    let mut late = end("a", EndPurpose::Removed, Impact::Ended);
    late.after = vec!["end/b#1".to_owned()];
    let hold = Hold {
        resource: Resource::Site,
        waiting_on: WaitingOn::HarmDelay,
        because: Vec::new(),
        until: None,
        impact: Impact::None,
        wanted: "rest".to_owned(),
    };
    let mut causeless = end("a", EndPurpose::Removed, Impact::Ended);
    causeless.because.clear();
    let twice = end("a", EndPurpose::NeverReady, Impact::None);
    for (plan, wrong) in [
        (plan_of(vec![late]), "end/a#1 comes after end/b#1, which is not before it"),
        (plan_of(vec![causeless]), "end/a#1 has no cause"),
        (plan_of(vec![twice.clone(), twice]), "end/a#1 is there twice"),
        (Plan { holds: vec![hold], ..Plan::default() }, "site waits without a cause"),
    ] {
        assert_eq!(broken(keeps_the_rules(&site.input(), &plan)), wrong);
    }
}
