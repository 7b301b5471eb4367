//! An engine of the simulation: reconciliation with the way in which it takes files, as the control thread
//! puts them together, without its thread. Read next: `tests/simulation.rs`.

pub mod people;
pub mod run;

use std::sync::Arc;

use engine::control::{judge, lower_for_serving};
use engine::intake::{Intake, IntakeEvent};
use engine::reconcile::Reconciler;
use engine_core::desired::{Ground, Lowered, Pieces, WantedState};
use engine_core::ids::{Moment, SessionId, SiteDigest};
use engine_core::site::SiteFiles;

/// An engine and how it takes files in.
pub struct Engine {
    /// What decides and acts.
    pub reconciler: Reconciler,
    /// What reads.
    pub intake: Intake,
    /// What the set last checked asks for.
    pub latest: Option<(SiteDigest, Arc<Lowered>)>,
}

impl Engine {
    /// What the control thread does with files, at one moment.
    pub fn take_in(&mut self, ground: &Ground, now: Moment) {
        let held_until = self.reconciler.ledger().windows().held_until(now);
        self.intake.hold(now, held_until);
        for _ in 0..8 {
            let earlier = self.latest.as_ref().map(|(_, lowered)| lowered.pieces.clone());
            let earlier = earlier.unwrap_or_default();
            let in_force = self.reconciler.in_force().map(|site| Arc::clone(&site.files));
            let mut lowered = None;
            let mut check = |files: &SiteFiles, digest: SiteDigest| {
                let (site, looks) = judge(files, ground, &earlier, in_force.as_deref());
                lowered = Some((digest, Arc::new(site)));
                looks
            };
            let event = self.intake.poll(now, &mut check);
            self.latest = lowered.or(self.latest.take());
            match event {
                IntakeEvent::Nothing { .. } => return,
                IntakeEvent::Unchanged(_) => {}
                IntakeEvent::Unknown(_) => self.reconciler.files_unknown(Vec::new(), now),
                IntakeEvent::Refused(files, digest, _) => {
                    let lowered = self.lowered(&files, digest, ground, &earlier);
                    self.reconciler.refuse(Vec::new(), lowered, now);
                }
                IntakeEvent::Accepted(files, digest) => {
                    assert_eq!(
                        held_until, None,
                        "files are accepted while a change window is open"
                    );
                    let lowered = self.lowered(&files, digest, ground, &earlier);
                    self.reconciler.accept(files, digest, lowered, Vec::new(), now);
                }
            }
        }
    }

    /// What a set asks for; lowered once a set.
    fn lowered(
        &mut self,
        files: &SiteFiles,
        digest: SiteDigest,
        ground: &Ground,
        earlier: &Pieces,
    ) -> Arc<Lowered> {
        let kept = self.latest.take().filter(|(of, _)| *of == digest);
        let made = || Arc::new(lower_for_serving(files, ground, earlier).0);
        let lowered = kept.map_or_else(made, |(_, lowered)| lowered);
        self.latest = Some((digest, Arc::clone(&lowered)));
        lowered
    }

    /// Whether the files in force, and those that act until somebody approves, ask for a session to run.
    #[must_use]
    pub fn wants(&self, id: &SessionId) -> bool {
        let running = |lowered: &Lowered| {
            let spec = lowered.desired.sessions.get(id);
            spec.is_some_and(|spec| spec.state == WantedState::Running)
        };
        let newest = self.reconciler.in_force().map(|site| &site.lowered);
        newest.is_some_and(|lowered| running(lowered)) && running(&self.reconciler.lowered())
    }
}
