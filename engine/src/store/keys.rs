//! Where each record lies in the store: the one place that knows.
//!
//! ```text
//! identity                              who this store is
//! site/current                          the generation in force
//! site/history/<generation, 20 digits>  accepted sets; digits so that a scan is in order
//! site/part/<keyed digest>              files that accepted sets are made of
//! number/<session>                      the highest start number ever given
//! placement/<session>                   the intent of its newest start
//! ends/<session>                        its recent ends
//! terms/<session>                       what its file says of its end
//! lease/port/<gateway>/<port, 5 digits> a gateway port and the session that has it
//! request/<session>                     what a person asked for
//! override/<id>                         a command that hides a line of a file
//! harmed/<moment, 20 digits>/<session>  a session hurt by a change of files
//! approval                              what a person has approved, of which generation
//! change/<id>                           an open change window
//! www/<node>                            where a node lets people in
//! ```
//!
//! No part of a key can hold a `/`: ids and digests have none, and paths stand as hashes.

use engine_core::ids::{Digest, GatewayId, Generation, Moment, NodeId, SessionId};

/// Who this store is.
pub const IDENTITY: &str = "identity";
/// The generation in force.
pub const SITE_CURRENT: &str = "site/current";
/// Accepted sets.
pub const SITE_HISTORY: &str = "site/history/";
/// Files that accepted sets are made of.
pub const SITE_PARTS: &str = "site/part/";
/// Start numbers.
pub const NUMBERS: &str = "number/";
/// Intents of starts.
pub const PLACEMENTS: &str = "placement/";
/// Ends.
pub const ENDS: &str = "ends/";
/// What a session's file says of its end.
pub const TERMS: &str = "terms/";
/// Gateway ports.
pub const PORT_LEASES: &str = "lease/port/";
/// Requests of people.
pub const REQUESTS: &str = "request/";
/// Overrides.
pub const OVERRIDES: &str = "override/";
/// Sessions hurt by changes of files.
pub const HARMED: &str = "harmed/";

/// What a person has approved.
pub const APPROVAL: &str = "approval";

/// Change windows.
pub const WINDOWS: &str = "change/";

/// Where nodes let people in.
pub const WWW: &str = "www/";

/// Where a node lets people in.
#[must_use]
pub fn www(node: &NodeId) -> String {
    format!("{WWW}{node}")
}

/// One accepted set.
#[must_use]
pub fn site_history(generation: Generation) -> String {
    format!("{SITE_HISTORY}{:020}", generation.0)
}

/// The generation of a key of [`site_history`].
#[must_use]
pub fn parse_site_history(key: &str) -> Option<Generation> {
    let generation = key.strip_prefix(SITE_HISTORY)?.parse().map(Generation).ok()?;
    (site_history(generation) == key).then_some(generation)
}

/// One part of accepted sets, by its name.
#[must_use]
pub fn site_part(name: Digest) -> String {
    format!("{SITE_PARTS}{name}")
}

/// A session's start number.
#[must_use]
pub fn number(session: &SessionId) -> String {
    format!("{NUMBERS}{session}")
}

/// A session's newest intent.
#[must_use]
pub fn placement(session: &SessionId) -> String {
    format!("{PLACEMENTS}{session}")
}

/// A session's recent ends.
#[must_use]
pub fn ends(session: &SessionId) -> String {
    format!("{ENDS}{session}")
}

/// What a session's file says of its end.
#[must_use]
pub fn terms(session: &SessionId) -> String {
    format!("{TERMS}{session}")
}

/// A gateway port.
#[must_use]
pub fn port_lease(gateway: &GatewayId, port: u16) -> String {
    format!("{PORT_LEASES}{gateway}/{port:05}")
}

/// The gateway and port of a key made by [`port_lease`].
#[must_use]
pub fn parse_port_lease(key: &str) -> Option<(GatewayId, u16)> {
    let (gateway, port) = key.strip_prefix(PORT_LEASES)?.split_once('/')?;
    Some((GatewayId::new(gateway).ok()?, port.parse().ok()?))
}

/// The session of a key below `prefix`.
#[must_use]
pub fn parse_session(prefix: &str, key: &str) -> Option<SessionId> {
    SessionId::new(key.strip_prefix(prefix)?).ok()
}

/// What a person asked for.
#[must_use]
pub fn request(session: &SessionId) -> String {
    format!("{REQUESTS}{session}")
}

/// An override, by its id; a `/` in the id, which ids do not have, becomes `_`.
#[must_use]
pub fn override_of(id: &str) -> String {
    format!("{OVERRIDES}{}", id.replace('/', "_"))
}

/// A change window, by its id.
#[must_use]
pub fn window(id: &str) -> String {
    format!("{WINDOWS}{id}")
}

/// One harm.
#[must_use]
pub fn harmed(at: Moment, session: &SessionId) -> String {
    format!("{HARMED}{:020}/{session}", at.0.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_and_harm_sort_by_number_and_time() {
        let session = SessionId::new("a").unwrap();
        assert!(site_history(Generation(9)) < site_history(Generation(10)));
        assert!(site_history(Generation(10)) < site_history(Generation(u64::MAX)));
        assert!(harmed(Moment(999), &session) < harmed(Moment(1_000), &session));
    }

    #[test]
    fn a_port_lease_reads_back() {
        let gateway = GatewayId::new("lab_1").unwrap();
        for port in [1, 8787, u16::MAX] {
            let key = port_lease(&gateway, port);
            assert_eq!(parse_port_lease(&key), Some((gateway.clone(), port)));
        }
        for bad in ["lease/port/lab", "lease/port/lab/x", "lease/port/../1", "lease/port/lab/70000"]
        {
            assert_eq!(parse_port_lease(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_prefix_finds_its_own_only() {
        let session = SessionId::new("demo").unwrap();
        assert_eq!(parse_session(NUMBERS, &number(&session)), Some(session.clone()));
        assert_eq!(parse_session(NUMBERS, &placement(&session)), None);
        assert_eq!(parse_session(NUMBERS, "number/a/b"), None);
    }
}
