//! Each proof refuses the forecast that breaks it.

use super::*;
use crate::desired::{BalancerMethod, Restart};
use crate::ids::Incarnation;
use crate::observed::{BalancerSeen, EndRecord, Records};
use crate::plan::{Because, Hold, Impact};
use crate::proof::tests::Site;

fn way(site: &Site) -> Forecast {
    forecast(&site.desired, &site.origins, &site.observed, site.input().now)
}

fn session(id: &str) -> SessionId {
    id.parse().expect("a session id")
}

fn first(id: &str) -> Incarnation {
    Incarnation::new(session(id), 1)
}

fn seen<'a>(site: &'a mut Site, id: &str) -> &'a mut IncarnationSeen {
    let known = site.observed.incarnations.get_mut(&first(id));
    let Some(Known::Present(seen)) = known else { panic!("{id} is not there") };
    seen
}

/// Changes what a session's file asks for.
fn ask(site: &mut Site, id: &str, edit: impl FnOnce(&mut SessionSpec)) {
    let known = site.desired.sessions.things.get_mut(&session(id));
    let Some(Known::Present(spec)) = known else { panic!("{id} is not asked for") };
    edit(Arc::make_mut(spec));
}

/// Whether a session has arrived, by the site's own world.
fn arrived(site: &Site, id: &str) -> Result<(), String> {
    let wanted = &site.desired.sessions.things[&session(id)];
    session_has_arrived(&site.observed, &session(id), wanted)
}

/// The way from nothing to both sessions.
fn from_nothing() -> (Site, Forecast) {
    let mut site = Site::at_rest();
    site.observed.incarnations.clear();
    site.observed.routes.clear();
    site.observed.balancer = None;
    site.observed.listeners.clear();
    let way = way(&site);
    (site, way)
}

#[test]
fn the_first_round_is_what_happens_now_and_the_last_is_rest() {
    let (_, way) = from_nothing();
    assert!(!way.first().steps.is_empty() && way.last().steps.is_empty());
    assert_eq!(way.first(), &way.rounds[0].plan);
    assert!(way.arrived && way.rounds.len() > 2);
}

#[test]
fn a_true_way_passes_and_one_without_rest_does_not() {
    let (site, way) = from_nothing();
    assert_eq!(prove(&site.desired, &site.origins, &way), Ok(()));
    let endless = Forecast { arrived: false, ..way.clone() };
    let wrong = format!("no rest after {} rounds", way.rounds.len());
    assert_eq!(prove(&site.desired, &site.origins, &endless), Err(wrong));
    let nothing = Forecast { rounds: Vec::new(), ..way };
    assert_eq!(prove(&site.desired, &site.origins, &nothing), Err("no rounds".to_owned()));
}

fn held(resource: Resource) -> Hold {
    Hold {
        resource,
        waiting_on: WaitingOn::HarmDelay,
        because: vec![Because::Seen { what: "it waits".to_owned() }],
        until: None,
        impact: Impact::None,
        wanted: "rest".to_owned(),
    }
}

#[test]
fn rest_is_where_planning_again_says_the_same() {
    let (site, way) = from_nothing();
    let other = Err("planning again at rest gives something else".to_owned());
    // Something is left to do.
    let mut early = way.clone();
    early.world.routes.clear();
    for round in &mut early.rounds {
        round.plan.holds.push(held(Resource::Session(session("a"))));
        round.plan.holds.push(held(Resource::Session(session("b"))));
    }
    assert_eq!(prove(&site.desired, &site.origins, &early), other);
    // Nothing is, and the holds are others.
    let mut more = way;
    more.rounds.last_mut().expect("rounds").plan.holds.push(held(Resource::Site));
    assert_eq!(prove(&site.desired, &site.origins, &more), other);
}

#[test]
fn no_step_is_taken_twice_on_the_way() {
    let (site, mut way) = from_nothing();
    assert_eq!(prove_progress(&way), Ok(()));
    let again = way.rounds[0].clone();
    let id = again.plan.steps[0].id.clone();
    way.rounds.insert(1, again);
    let wrong = Err(format!("round 1 takes {id} again"));
    assert_eq!(prove_progress(&way), wrong);
    assert_eq!(prove(&site.desired, &site.origins, &way), wrong);
}

#[test]
fn what_is_asked_for_is_there_or_has_a_hold() {
    let mut site = Site::at_rest();
    let rest = planner::plan(&site.input());
    assert_eq!(prove_arrival(&site.input(), &rest), Ok(()));
    site.observed.incarnations.remove(&first("a"));
    let missing = Err("a is not as asked for and not held".to_owned());
    assert_eq!(prove_arrival(&site.input(), &rest), missing);
    let mut holding = rest.clone();
    holding.holds.push(held(Resource::Session(session("a"))));
    assert_eq!(prove_arrival(&site.input(), &holding), Ok(()));
    site.observed.memory.paused = true;
    assert_eq!(prove_arrival(&site.input(), &rest), Ok(()), "a pause is no arrival");
}

#[test]
fn listener_and_balancer_are_as_asked_for() {
    let mut site = Site::at_rest();
    let rest = planner::plan(&site.input());
    site.observed.listeners.clear();
    let wrong = "the site does not listen where it should, and is not held";
    assert_eq!(prove_arrival(&site.input(), &rest), Err(wrong.to_owned()));
    let mut holding = rest.clone();
    holding.holds.push(held(Resource::Listener(ListenerId::Www)));
    assert_eq!(prove_arrival(&site.input(), &holding), Ok(()));
    let other = BalancerSeen { method: BalancerMethod::UserHash, weights: Default::default() };
    for balancer in [None, Some(other)] {
        site.observed.balancer = balancer;
        let wrong = "new sessions are not balanced as they should be";
        assert_eq!(prove_arrival(&site.input(), &holding), Err(wrong.to_owned()));
    }
}

#[test]
fn a_running_session_answers_from_what_is_asked_for_now_and_has_its_route() {
    let mut site = Site::at_rest();
    assert_eq!(arrived(&site, "a"), Ok(()));
    let missing = Err("a is not as asked for and not held".to_owned());
    seen(&mut site, "a").phase = Phase::Starting;
    assert_eq!(arrived(&site, "a"), missing);
    seen(&mut site, "a").phase = Phase::Ready;
    ask(&mut site, "a", |spec| {
        spec.launch = spec.launch.with(|launch| launch.working_dir = Some("/srv".to_owned()));
    });
    assert_eq!(arrived(&site, "a"), missing, "it runs with something else");
    site.observed.routes.remove(&session("b"));
    assert_eq!(arrived(&site, "b"), Err("b runs without a route".to_owned()));
    seen(&mut site, "b").node = "n2".parse().expect("a node");
    assert_eq!(arrived(&site, "b"), Ok(()), "another node routes to it");
    seen(&mut site, "b").ours = false;
    assert!(arrived(&site, "b").is_err(), "what is foreign is not it");
}

#[test]
fn a_session_that_may_stay_ended_has_arrived_once_nothing_of_it_lives() {
    let mut site = Site::at_rest();
    ask(&mut site, "a", |spec| spec.restart = Restart::No);
    let end = EndRecord {
        at: site.input().now,
        failed: false,
        asked: false,
        how: "exit code 0".to_owned(),
        start: None,
        of: None,
        never_ran: false,
    };
    let ends = [(session("a"), vec![end])].into();
    site.observed.records = Known::Present(Records { ends, ..Records::default() });
    seen(&mut site, "a").phase = Phase::Starting;
    assert!(arrived(&site, "a").is_err(), "something of it lives");
    site.observed.incarnations.remove(&first("a"));
    assert_eq!(arrived(&site, "a"), Ok(()));
    ask(&mut site, "a", |spec| spec.restart = Restart::Always);
    assert!(arrived(&site, "a").is_err(), "it starts again");
}

#[test]
fn a_stopped_session_has_arrived_when_nothing_of_it_lives() {
    let mut site = Site::at_rest();
    for state in [WantedState::Stopped, WantedState::Suspended] {
        ask(&mut site, "a", |spec| spec.state = state);
        assert!(arrived(&site, "a").is_err());
    }
    site.observed.incarnations.remove(&first("a"));
    assert_eq!(arrived(&site, "a"), Ok(()));
}

#[test]
fn what_cannot_be_read_has_not_arrived() {
    let mut site = Site::at_rest();
    let unknown = Known::Unknown { since: site.input().now, reason: "denied".to_owned() };
    site.desired.sessions.things.insert(session("a"), unknown);
    assert_eq!(arrived(&site, "a"), Err("a is unknown and not held".to_owned()));
}
