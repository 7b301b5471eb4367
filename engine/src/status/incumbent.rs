//! What status says of the product that runs on the same files: it is shown, and never touched.

use std::collections::BTreeMap;

use engine_core::desired::{Desired, Mode};
use engine_core::ids::Moment;
use engine_core::incumbent::{FoundService, Service};
use engine_core::known::Known;
use engine_core::observed::Observed;
use serde::{Deserialize, Serialize};

use super::SessionView;

/// The product that runs on the same files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct IncumbentView {
    /// What it is, with its version where that is known: `Workbench 2026.07.0`.
    pub name: String,
    /// When it was looked at.
    pub looked_at: Moment,
    /// Its services: `rserver (pid 812)`, since when.
    pub services: BTreeMap<String, Moment>,
    /// Its sessions here; none where nobody could look.
    pub sessions: Option<u32>,
    /// Its nodes, as it lists them.
    pub nodes: Vec<String>,
    /// What could not be read of it, and why, in one line each.
    pub unknown: Vec<String>,
    /// What changed after it began and needs its restart: service, line and option.
    pub not_taken_up: Vec<String>,
}

/// The product as found. That nobody could look is said where it is what the engine is for.
pub(super) fn view(observed: &Observed, desired: &Desired, at: Moment) -> Option<IncumbentView> {
    match &observed.incumbent {
        Known::Present(found) => {
            let service = |s: &FoundService| (format!("{} (pid {})", s.program, s.pid), s.since);
            let mains = [Service::Server, Service::Launcher].into_iter();
            Some(IncumbentView {
                name: found.name(),
                looked_at: found.looked_at,
                services: mains.filter_map(|s| found.main(s)).map(service).collect(),
                sessions: found
                    .sessions
                    .present()
                    .map(|s| u32::try_from(s.len()).unwrap_or(u32::MAX)),
                nodes: found
                    .nodes
                    .present()
                    .into_iter()
                    .flatten()
                    .map(|n| n.host.clone())
                    .collect(),
                unknown: found.unknowns(),
                not_taken_up: Vec::new(),
            })
        }
        Known::Unknown { reason, .. } if desired.mode != Mode::Serve => Some(IncumbentView {
            looked_at: at,
            unknown: vec![reason.clone()],
            ..IncumbentView::default()
        }),
        Known::Unknown { .. } | Known::Absent => None,
    }
}

/// Sessions of the product on this machine. Their ids have a slash, so that they are nobody's of ours.
pub(super) fn sessions(observed: &Observed) -> impl Iterator<Item = SessionView> {
    let found = observed.incumbent.present();
    let sessions = found
        .into_iter()
        .flat_map(|found| found.local().iter().map(move |session| (session, found.product())));
    sessions.map(|(session, product)| SessionView {
        id: format!("{}/{}", session.kind.name(), session.pid),
        display_name: format!("{} of {}", session.kind.name(), session.user),
        workbench: session.kind.name().to_owned(),
        user: session.user.clone(),
        state: "foreign".to_owned(),
        reason: format!("belongs to {product}"),
        pid: Some(session.pid),
        node: observed.node.to_string(),
        since: Some(session.since),
        ..SessionView::default()
    })
}
