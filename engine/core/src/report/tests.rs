//! Tests of what a report counts and says, and reports for the tests of its forms.

use super::text::Style;
use super::*;
use crate::desired::ListenAddress;
use crate::desired::ListenerId;
use crate::forecast::Round;
use crate::known::Known;
use crate::plan::{Action, On, Plan, Step, WaitingOn};

pub(crate) const STYLE: Style<'static> = Style { when: &|at| at.0.to_string(), verbose: false };

pub(crate) fn world() -> Observed {
    Observed::empty("n1".parse().expect("a node"))
}

/// The report of a forecast in which this is done.
fn of(steps: Vec<Step>, observed: &Observed) -> Report {
    let plan = Plan { steps, ..Plan::default() };
    let rounds = vec![Round { at: Moment(0), plan }];
    let ahead = Forecast { rounds, world: observed.clone(), arrived: true };
    Report::new(About::default(), Vec::new(), &Desired::default(), observed, &ahead, Vec::new())
}

/// The report of a plan with nothing in it.
pub(crate) fn quiet() -> Report {
    of(Vec::new(), &world())
}

pub(crate) fn session(id: &str) -> Resource {
    Resource::Session(id.parse().expect("a session id"))
}

pub(crate) fn act(resource: Resource, mark: Mark) -> Act {
    Act {
        mark,
        resource,
        what: "happens".to_owned(),
        user: None,
        workbench: String::new(),
        because: Vec::new(),
        note: None,
        delayed_until: None,
        impact: Impact::None,
        steps: Vec::new(),
        pending: false,
    }
}

pub(crate) fn held(resource: Resource, because: Vec<Because>) -> Held {
    let hold = Hold {
        resource,
        waiting_on: WaitingOn::Idle,
        because,
        until: None,
        impact: Impact::Restarted,
        wanted: "restarts".to_owned(),
    };
    Held { hold, detail: "demo".to_owned(), user: None, note: None, pending: false }
}

pub(crate) fn outdated(id: &str, workbench: &str, differs: &[&str]) -> Outdated {
    Outdated {
        session: id.parse().expect("a session id"),
        workbench: workbench.to_owned(),
        differs: differs.iter().map(ToString::to_string).collect(),
        generation: None,
        because: Vec::new(),
        pending: false,
    }
}

pub(crate) fn option(effect: Takes) -> OptionChange {
    OptionChange {
        file: "rserver.conf".into(),
        line: 1,
        option: "www-port".to_owned(),
        scope: String::new(),
        from: Some("8787".to_owned()),
        to: Some("8443".to_owned()),
        effect,
    }
}

#[test]
fn what_is_new_is_what_happens_waits_or_drifts_without_having_done_so_before() {
    let pending = |change: fn(&mut Report)| {
        let mut report = quiet();
        change(&mut report);
        let new = report.is_new();
        report.acts.iter_mut().for_each(|act| act.pending = true);
        report.held.iter_mut().for_each(|held| held.pending = true);
        report.outdated.iter_mut().for_each(|outdated| outdated.pending = true);
        (new, report.is_new())
    };
    assert_eq!(pending(|_| {}), (false, false));
    assert_eq!(pending(|r| r.acts.push(act(session("a"), Mark::End))), (true, false));
    assert_eq!(pending(|r| r.held.push(held(session("a"), Vec::new()))), (true, false));
    assert_eq!(pending(|r| r.outdated.push(outdated("a", "demo", &["user"]))), (true, false));
    assert_eq!(pending(|r| r.options.push(option(Takes::No))), (true, true));
}

#[test]
fn the_engine_is_started_again_for_options_that_it_reads_at_its_start_only() {
    let needs = |effects: &[Takes]| {
        let options = effects.iter().copied().map(option).collect();
        Report { options, ..quiet() }.needs_engine_restart()
    };
    assert!(!needs(&[]));
    assert!(!needs(&[Takes::Live, Takes::NextStart]));
    assert!(needs(&[Takes::Live, Takes::DaemonRestart]));
}

#[test]
fn whoever_ends_restarts_moves_or_is_suspended_is_hurt_and_nobody_else() {
    let none = Summary::default;
    for (summary, hurt) in [
        (Summary { end: 2, ..none() }, 2),
        (Summary { restart: 2, ..none() }, 2),
        (Summary { moved: 2, ..none() }, 2),
        (Summary { suspend: 2, ..none() }, 2),
        (Summary { end: 1, restart: 1, moved: 1, suspend: 1, ..none() }, 4),
        (Summary { start: 2, change: 2, held: 2, outdated: 2, pending: 2, ..none() }, 0),
    ] {
        assert_eq!(summary.hurt(), hurt, "{summary:?}");
    }
}

#[test]
fn who_is_connected_is_told_when_the_sites_port_moves() {
    let note = |open: u16| {
        let mut observed = world();
        let before = ListenAddress { ip: [0, 0, 0, 0].into(), port: 8787 };
        let after = ListenAddress { port: 443, ..before.clone() };
        observed.listeners.insert(ListenerId::Www, Known::Present(before));
        let id: SessionId = "a".parse().expect("a session id");
        observed.connections.insert(id, open.into());
        let step = Step {
            id: "listen/www".to_owned(),
            on: On::Node(observed.node.clone()),
            action: Action::Listen { listener: ListenerId::Www, address: after },
            after: Vec::new(),
            because: Vec::new(),
            impact: Impact::None,
        };
        of(vec![step], &observed).acts.remove(0).note
    };
    let one = "1 open connection to sessions stays until it closes; new ones on 8787 are refused";
    let two = "2 open connections to sessions stay until they close; new ones on 8787 are refused";
    assert_eq!(note(0), None);
    assert_eq!(note(1).as_deref(), Some(one));
    assert_eq!(note(2).as_deref(), Some(two));
}

/// The line that says what stays.
fn stays(report: &Report) -> String {
    let text = text::render(report, &STYLE);
    let stays = |line: &&str| line.starts_with("Nothing running") || line.starts_with("  =");
    text.lines().find(stays).unwrap_or_default().to_owned()
}

#[test]
fn what_stays_is_counted_and_named_only_where_there_is_some() {
    let staying = |untouched, routes, gateways, hurt: bool| {
        let acts = if hurt { vec![act(session("z"), Mark::Restart)] } else { Vec::new() };
        stays(&Report { only_pending: true, untouched, routes, gateways, acts, ..quiet() })
    };
    for (found, text) in [
        (staying(0, 0, 0, false), ""),
        (staying(1, 0, 0, false), "Nothing running is touched: 1 session stays as it is."),
        (staying(2, 0, 0, false), "Nothing running is touched: 2 sessions stay as they are."),
        (
            staying(1, 1, 0, false),
            "Nothing running is touched: 1 session, 1 route stay as they are.",
        ),
        (
            staying(1, 0, 1, false),
            "Nothing running is touched: 1 session, 1 gateway stay as they are.",
        ),
        (staying(1, 0, 0, true), "  = 1 session stays"),
        (staying(2, 0, 0, true), "  = 2 sessions stay"),
        (staying(3, 2, 1, true), "  = 3 sessions, 2 routes, 1 gateway stay"),
    ] {
        assert_eq!(found, text);
    }
}

#[test]
fn who_stays_is_named_where_everything_is_asked_for_and_somebody_does() {
    let named = |verbose, names: &[&str]| {
        let names = names.iter().map(|id| id.parse().expect("a session id")).collect();
        let report = Report { names, ..quiet() };
        let text = text::render(&report, &Style { verbose, ..STYLE });
        text.lines().any(|line| line.starts_with("  ="))
    };
    assert!(named(true, &["a", "b"]));
    assert!(!named(false, &["a", "b"]));
    assert!(!named(true, &[]));
}

#[test]
fn more_than_a_handful_that_wait_for_the_same_are_one_line() {
    let text = |n: usize| {
        let ids = (0..n).map(|n| format!("s{n}"));
        let held = ids.map(|id| held(session(&id), Vec::new())).collect();
        text::render(&Report { held, ..quiet() }, &STYLE)
    };
    assert!(text(4).contains("  | s3   restarts: once it is idle\n"), "{}", text(4));
    assert!(text(5).contains("  | 5 sessions   restarts: once it is idle\n"), "{}", text(5));
}

#[test]
fn of_many_causes_six_are_named_and_the_rest_counted() {
    let text = |n: u32| {
        let cause = |line| Because::Line { file: "f".into(), line, option: String::new() };
        let because = (1..=n).map(cause).collect();
        let report = Report { held: vec![held(session("a"), because)], ..quiet() };
        (text::render(&report, &STYLE), markdown::render(&report, false, &STYLE))
    };
    let (plain, marked) = text(6);
    assert!(plain.contains("because f:1, f:2, f:3, f:4, f:5, f:6\n"), "{plain}");
    assert!(marked.contains("because `f:1`, `f:2`, `f:3`, `f:4`, `f:5`, `f:6`\n"), "{marked}");
    let (plain, marked) = text(8);
    assert!(plain.contains("because f:1, f:2, f:3, f:4, f:5, f:6, +2\n"), "{plain}");
    assert!(marked.contains("`f:6`, ...\n"), "{marked}");
}
