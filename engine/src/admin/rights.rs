//! Who may ask what over the admin socket.
//!
//! | peer | may |
//! |---|---|
//! | root, or the engine's own account | everything |
//! | any other account | status of its own sessions; start, stop, logs and why of its own sessions |
//!
//! The peer is told by the kernel (`SO_PEERCRED`), never by the request.

use super::protocol::Request;
use crate::status::StatusView;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its uid.
    pub uid: u32,
    /// Its account's name; the number where it has none.
    pub name: String,
    /// Whether it may do everything.
    pub admin: bool,
}

/// Whether `peer` may ask this. `owner` tells whose a session is, if there is one of that id.
#[must_use]
pub fn may(peer: &Peer, request: &Request, owner: &dyn Fn(&str) -> Option<String>) -> bool {
    let own = |session: &str| owner(session).as_deref() == Some(peer.name.as_str());
    match request {
        _ if peer.admin => true,
        Request::Status => true,
        Request::SessionStart { session: Some(session), .. }
        | Request::SessionLogs { session, .. }
        | Request::Why { thing: session } => own(session),
        Request::SessionStop { session, .. } => !session.is_empty() && own(session),
        Request::SessionStart { session: None, user, .. } => {
            user.as_deref().is_none_or(|user| user == peer.name)
        }
        Request::Plan { .. }
        | Request::Apply { .. }
        | Request::Diff { .. }
        | Request::Rounds { .. }
        | Request::Reload
        | Request::Pause { .. }
        | Request::Resume
        | Request::NodeTell { .. }
        | Request::OverrideClear { .. }
        | Request::History
        | Request::Pin { .. }
        | Request::Unpin
        | Request::ChangeBegin { .. }
        | Request::ChangeEnd { .. }
        | Request::ChangeList
        | Request::Open
        | Request::Export
        | Request::Record => false,
    }
}

/// What of the status `peer` may see: an ordinary account sees its own sessions and no one else's.
#[must_use]
pub fn visible(peer: &Peer, mut status: StatusView) -> StatusView {
    if peer.admin {
        return status;
    }
    status.sessions.retain(|session| session.user == peer.name);
    let own: Vec<String> =
        status.sessions.iter().map(|session| format!("session/{}", session.id)).collect();
    status.holds.retain(|hold| own.contains(&hold.resource));
    status.hide_what_is_an_administrators();
    status.refused = None;
    for node in status.nodes.values_mut() {
        node.sessions = 0;
    }
    status
}

#[cfg(test)]
mod tests {
    use engine_core::ids::Generation;

    use super::*;
    use crate::admin::protocol::NodeCommand;
    use crate::status::{IncumbentView, Refusal, SessionView};

    fn peer(name: &str, admin: bool) -> Peer {
        Peer { uid: 1000, name: name.to_owned(), admin }
    }

    fn owner(session: &str) -> Option<String> {
        (session == "a").then(|| "alice".to_owned())
    }

    fn requests() -> Vec<(Request, bool, bool)> {
        let stop = |session: &str| Request::SessionStop {
            session: session.to_owned(),
            reason: String::new(),
            for_ms: 0,
        };
        let start = |session: Option<&str>, user: Option<&str>| Request::SessionStart {
            session: session.map(str::to_owned),
            template: None,
            user: user.map(str::to_owned),
        };
        // (request, alice may, bob may)
        vec![
            (Request::Status, true, true),
            (stop("a"), true, false),
            (stop(""), false, false),
            (stop("unknown"), false, false),
            (start(Some("a"), None), true, false),
            (start(None, None), true, true),
            (start(None, Some("alice")), true, false),
            (Request::SessionLogs { session: "a".into(), bytes: 1 }, true, false),
            (Request::Why { thing: "a".into() }, true, false),
            (Request::Apply { plan: None, dry_run: true }, false, false),
            (Request::Rounds { after: 0 }, false, false),
            (Request::Reload, false, false),
            (Request::Pause { reason: String::new(), for_ms: None }, false, false),
            (
                Request::NodeTell {
                    node: "n1".into(),
                    command: NodeCommand::Cordon,
                    reason: String::new(),
                    for_ms: None,
                },
                false,
                false,
            ),
            (Request::OverrideClear { id: "stop-a".into() }, false, false),
            (Request::History, false, false),
            (
                Request::Pin { generation: Generation(1), reason: String::new(), for_ms: None },
                false,
                false,
            ),
            (Request::Unpin, false, false),
            (Request::Resume, false, false),
            (Request::ChangeBegin { id: Some("a".into()), ttl_ms: None }, false, false),
            (Request::ChangeEnd { id: None }, false, false),
            (Request::ChangeList, false, false),
            (Request::Open, false, false),
            (Request::Record, false, false),
            (Request::Export, false, false),
        ]
    }

    #[test]
    fn an_ordinary_account_may_ask_about_its_own_sessions_only() {
        for (request, alice, bob) in requests() {
            assert_eq!(may(&peer("alice", false), &request, &owner), alice, "{request:?}");
            assert_eq!(may(&peer("bob", false), &request, &owner), bob, "{request:?}");
            assert!(may(&peer("root", true), &request, &owner), "{request:?}");
        }
    }

    #[test]
    fn an_ordinary_account_sees_its_own_sessions_only() {
        let session = |id: &str, user: &str| SessionView {
            id: id.into(),
            user: user.into(),
            ..SessionView::default()
        };
        let line = || vec!["sessions.d/b.toml:1:1: error[WH0505]: x".to_owned()];
        let status = StatusView {
            sessions: vec![session("a", "alice"), session("b", "bob")].into(),
            refused: Some(Refusal { problems: line(), ..Refusal::default() }),
            problems: line(),
            next_start: line(),
            polled: [("/etc/wharf/sessions.d".to_owned(), line().concat())].into(),
            store_problem: Some("/srv/sessions.d/store: no space".to_owned()),
            incumbent: Some(IncumbentView { not_taken_up: line(), ..IncumbentView::default() }),
            ..StatusView::default()
        };
        let seen = visible(&peer("alice", false), status.clone());
        assert_eq!(seen.sessions.len(), 1);
        assert!(!serde_json::to_string(&seen).expect("it is text").contains("sessions.d"));
        let mut other = status.clone();
        other.hide_what_is_an_administrators();
        assert!(other.refused.is_some(), "that they were refused is for everybody");
        assert!(!serde_json::to_string(&other).expect("it is text").contains("sessions.d"));
        assert_eq!(visible(&peer("root", true), status).sessions.len(), 2);
    }
}
