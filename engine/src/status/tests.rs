//! What the status says of single things.

use engine_core::desired::{Ground, lower};
use engine_core::ids::{NodeId, UserName};
use engine_core::plan::Impact;
use engine_core::site::{Managed, SiteFiles};
use grammar::source::Source;

use engine_core::ids::SessionId;
use engine_core::plan::Resource;

use super::*;
use crate::admin::protocol::Answer;

/// What a session and a gateway ask for, the gateway by this text.
fn desired(gateway: &str) -> Desired {
    let mut files = SiteFiles::nothing("/site", "/site");
    let managed = |name: &str, text: &str| {
        let source = Source::new(format!("/site/{name}.toml"), text);
        Managed::Managed([(name.to_owned(), Known::Present(source))].into())
    };
    files.sessions = managed("demo", "workbench = \"demo\"\n");
    files.gateways = managed("lab", gateway);
    let ground = Ground {
        node: NodeId::new("n1").unwrap(),
        default_user: UserName::new("alice").unwrap(),
        digest_key: Vec::new(),
        self_contained: true,
    };
    lower(&files, &ground).desired
}

fn seen(desired: &Desired, waiting_on: Option<WaitingOn>) -> StatusView {
    let holds = waiting_on.map(|waiting_on| Hold {
        resource: Resource::Session(SessionId::new("demo").unwrap()),
        waiting_on,
        because: Vec::new(),
        until: None,
        impact: Impact::None,
        wanted: "starts".to_owned(),
    });
    let plan = Plan { holds: holds.into_iter().collect(), ..Plan::default() };
    let observed = Observed::empty(NodeId::new("n1").unwrap());
    view(desired, &observed, &plan, Moment(0), &mut Shown::default())
}

#[test]
fn a_session_that_no_node_may_take_waits_and_has_not_failed() {
    let desired = desired("");
    let state = |waiting_on| seen(&desired, Some(waiting_on)).session("demo").unwrap().clone();
    let waits = state(WaitingOn::NoNode);
    assert_eq!(waits.state, "waiting");
    assert_eq!(waits.reason, "starts: no node that suits it takes new sessions");
    assert_eq!(state(WaitingOn::Problem { reason: "no such program".into() }).state, "failed");
    assert_eq!(state(WaitingOn::CrashLoop { failures: 5 }).state, "failed");
}

#[test]
fn a_gateway_whose_file_has_a_problem_is_shown_with_it() {
    let broken = seen(&desired("address = \"nowhere\"\n"), None);
    let lab = &broken.gateways["lab"];
    assert!(lab.range.is_empty() && lab.problem.is_some(), "{lab:?}");
    let text = "address = \"127.0.0.1\"\nport-range = \"10000-10100\"\n";
    let lab = &seen(&desired(text), None).gateways["lab"];
    assert_eq!((lab.range.as_str(), &lab.problem), ("127.0.0.1 10000-10100", &None));
}

#[test]
fn a_status_with_ports_in_use_is_understood_as_an_answer() {
    let mut status = StatusView::default();
    let ports = BTreeMap::from([(10_001, "demo".to_owned())]);
    status.gateways.insert("lab".into(), GatewayView { range: "lab".into(), problem: None, ports });
    let answer = Answer::Status { status: Box::new(status.clone()) };
    let text = serde_json::to_string(&answer).unwrap();
    let Answer::Status { status: again } = serde_json::from_str(&text).unwrap() else {
        panic!("{text}");
    };
    assert_eq!(*again, status);
}
