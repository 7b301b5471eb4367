//! Sessions for the tests of the planner's phases.

use grammar::source::Source;

use crate::check::tests::{ground, site};
use crate::desired::{SessionSpec, lower};
use crate::ids::{Moment, SessionId};
use crate::known::Known;
use crate::observed::{IncarnationSeen, Phase, Terms};
use crate::site::Managed;

/// What a file asks for that names a workbench and an account.
pub(crate) fn session_spec(id: &str, user: &str) -> SessionSpec {
    let text = format!("workbench = \"demo\"\nuser = \"{user}\"\n");
    let source = Source::new(format!("/etc/wharf/sessions.d/{id}.toml"), text);
    let mut files = site(&[]);
    files.sessions = Managed::Managed([(id.to_owned(), Known::Present(source))].into());
    let id: SessionId = id.parse().expect("a session id");
    let lowered = lower(&files, &ground());
    let spec = lowered.desired.sessions.get(&id).expect("its file asks for it");
    SessionSpec::clone(spec)
}

/// A start of it that answers.
pub(crate) fn started(spec: &SessionSpec, at: Moment) -> IncarnationSeen {
    IncarnationSeen {
        phase: Phase::Ready,
        launch: spec.launch.clone(),
        node: "n1".parse().expect("a node"),
        uid: 1001,
        pid: None,
        started_at: at,
        socket_dir: "/run/wharf/a".to_owned(),
        socket: String::new(),
        ours: true,
        kept: true,
        last_used: None,
        terms: Terms::default(),
        generation: None,
    }
}
