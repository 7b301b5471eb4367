//! What the product has not taken up yet: options that it reads when it starts, changed after its start.
//!
//! An engine that observes takes an edit into force within a moment, and the product does with its next restart
//! only: until then the files say one thing and what runs does another.

use grammar::catalogue::Incumbent;

use super::consequence::{must, services};
use super::{FoundService, Service};
use crate::ids::{Generation, Moment};
use crate::settings::{OptionChange, Settings};

/// What a service has not taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Which service.
    pub service: Service,
    /// Since when it runs.
    pub since: Moment,
    /// What changed later and needs its restart.
    pub options: Vec<OptionChange>,
}

/// The generation that a service began with, of those that are known, oldest first, each with the moment of
/// its acceptance: the newest that was there when it began; where all are later, the oldest, so that what
/// changed since then is surely not taken up. None where nothing was accepted since it began.
#[must_use]
pub fn began_with(started: Moment, generations: &[(Generation, Moment)]) -> Option<Generation> {
    let (newest, since) = generations.last()?;
    if *since <= started {
        return None;
    }
    let before = generations.iter().rev().find(|(_, since)| *since <= started);
    let (generation, _) = before.or(generations.first())?;
    (generation != newest).then_some(*generation)
}

/// What a service has not taken up of `now` that began with `then`.
#[must_use]
pub fn behind(service: &FoundService, then: &Settings, now: &Settings) -> Option<Behind> {
    let waits = |change: &OptionChange| {
        let restart =
            matches!(must(change, then, now), Some(Incumbent::Restart | Incumbent::Unknown));
        restart && services(&change.file).any(|reads| reads == service.service)
    };
    let options: Vec<_> = then.changes(now).into_iter().filter(waits).collect();
    let (since, service) = (service.since, service.service);
    (!options.is_empty()).then_some(Behind { service, since, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_began_with_the_newest_generation_of_its_time() {
        let all =
            [(Generation(3), Moment(30)), (Generation(4), Moment(40)), (Generation(5), Moment(50))];
        let began = |started| began_with(Moment(started), &all).map(|generation| generation.0);
        assert_eq!(began(60), None);
        assert_eq!(began(50), None);
        assert_eq!(began(49), Some(4));
        assert_eq!(began(31), Some(3));
        // Older than all that is known: surely not taken up is what changed since the oldest.
        assert_eq!(began(1), Some(3));
        assert_eq!(began_with(Moment(1), &all[..1]), None);
        assert_eq!(began_with(Moment(1), &[]), None);
    }
}
