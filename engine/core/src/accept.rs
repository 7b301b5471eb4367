//! When a set of files counts as finished: the automaton between "something happened" and "this is in force".
//!
//! Pure: it is told of wake-ups and of readings with their times, and says when to read next and
//! what is decided. It knows neither files nor problems, only a set's digest and how it [`Looks`]; that is
//! said by [`SiteFiles::looks`](crate::site::SiteFiles::looks). Rules of design.md §6. Read next: `intake`
//! in the engine, which drives it.
//!
//! A pass takes as long as the file system takes: it is *under way* from [`Acceptance::read_began`] to
//! [`Acceptance::read_done`], nothing is decided meanwhile, and what it finds counts however late it comes. It
//! counts no more where a change window has ended since it began.
//!
//! | state | input | then |
//! |---|---|---|
//! | asleep | wake | reading, first pass due now |
//! | reading | pass: the set accepted last | `Unchanged`, asleep |
//! | reading | pass: the set refused last | `Refuse` again, asleep |
//! | reading | pass: another set than the pass before | `quiet` and `invalid` begin anew |
//! | reading | pass: the same set, whole, for `quiet` | `Accept`, asleep |
//! | reading | pass: the same set, partial, for `invalid` | `Accept`, asleep |
//! | reading | pass: the same set, with errors, for `invalid` | `Refuse`, asleep |
//! | reading | pass at `max` or later: with errors | `Refuse`, asleep |
//! | reading | pass at `max` or later: without errors for `quiet` | `Accept`, asleep |
//! | reading | pass at `max` or later: without errors, but not yet for `quiet` | `Refuse` as unsettled, reading, `max` begins anew |
//! | asleep | pass that somebody asked for: another set than was decided upon last | reading |
//! | reading | wake after a pass began | another pass, `quiet` later; past `max` decided all the same, then reading anew |
//! | any | hold until T | asleep until T, then reading from the beginning |
//! | pass under way | not back in time | `Silent`, once: what the files say is unknown until it is back |
//! | pass under way | it fails | another pass, later each time |
//!
//! Quiet is judged by contents, not by events: touching a file delays nothing, and a set that
//! changes without an event is still seen by the second pass. So only the first pass may be narrow
//! ([`crate::heard`]), and nothing is decided before a complete one. Where `quiet` is 0 there is nothing to judge by:
//! events are believed, every pass may be narrow, and what raises none is found by the slow full reading. It counts from the end of one pass to the
//! beginning of another, so that between any two looks at one file lies at least as much. What the first two
//! passes take is not taken from `max`: a file system may need longer for one.

use grammar::value::Millis;
use serde::{Deserialize, Serialize};

use crate::ids::{Moment, SiteDigest};

mod narrow;

/// How long files must hold still (`[site] settle` of `wharf.toml`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// A whole set is accepted after this long without a change of content.
    pub quiet: Millis,
    /// A set with errors is refused after this long without a change of content, and a partial one
    /// accepted: its other half may still be on its way.
    pub invalid: Millis,
    /// It is decided this long after the first event at the latest.
    pub max: Millis,
}

/// How long a pass may be under way before the files count as unknown. Ten thousand files of a slow server
/// have to fit.
pub const PATIENCE: Millis = Millis(10_000);

/// With a file system of which a pass is known to take longer there is more patience: twice as long as
/// the last one took, up to this.
const MOST_PATIENCE: Millis = Millis(120_000);

/// A pass that failed is followed by another after this, and after twice as long each time.
const FIRST_RETRY: Millis = Millis(1_000);

/// At the most after this.
const LAST_RETRY: Millis = Millis(300_000);

/// How often files are read where no events come, unless `[site] poll` says otherwise (product.md §4).
pub const POLL: Millis = Millis(30_000);

impl Default for Settle {
    fn default() -> Self {
        Self { quiet: Millis(100), invalid: Millis(2_000), max: Millis(5_000) }
    }
}

impl Settle {
    /// The same with `quiet <= invalid <= max`; otherwise no set could ever be accepted.
    #[must_use]
    pub fn in_order(self) -> Self {
        let invalid = self.invalid.max(self.quiet);
        Self { quiet: self.quiet, invalid, max: self.max.max(invalid) }
    }
}

/// How finished a set looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nothing speaks against it.
    Whole,
    /// It could come into force, and something in it looks half written or half removed.
    Partial,
    /// It has errors: it never comes into force.
    Broken,
}

/// Why a set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It has errors.
    Invalid,
    /// It kept changing until `max`; it is looked at further without a new event.
    Unsettled,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the whole set at this time (now, if it is over) and report it by [`Acceptance::read_done`].
    ReadAgainAt(Moment),
    /// This set is accepted. Said once.
    Accept(SiteDigest),
    /// This set is refused; what was in force stays. Said once a wake-up.
    Refuse(SiteDigest, Refusal),
    /// The files are those accepted last: nothing to do, and an earlier refusal is over. Said once.
    Unchanged(SiteDigest),
    /// The pass that began then has not come back in time: what the files say is unknown until it has. Said once
    /// a pass.
    Silent(Moment),
    /// Nothing to do until a wake-up, until a pass that is under way is back, or until this time.
    Sleep(Option<Moment>),
}

/// The automaton. Times must come from one clock; one that jumps back does no harm.
#[derive(Clone, Debug)]
pub struct Acceptance {
    settle: Settle,
    accepted: Option<SiteDigest>,
    refused: Option<SiteDigest>,
    held_until: Option<Moment>,
    episode: Option<Episode>,
    under_way: Option<UnderWay>,
    patience: Millis,
    /// What the last pass took.
    took: Millis,
    retry: Option<Retry>,
    latest: Option<Moment>,
}

/// A pass that is not back.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    began: Moment,
    /// Nothing has happened since that makes it worthless.
    counts: bool,
    /// It was said that it takes too long.
    silent: bool,
}

/// After passes that failed.
#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Moment,
    pause: Millis,
}

/// From the first wake-up to the decision.
#[derive(Clone, Copy, Debug)]
struct Episode {
    /// The first event, or the first pass that did not fail; and later by what the first passes took, and all narrow
    /// ones.
    first: Moment,
    /// Something happened after the last pass began.
    due: bool,
    passes: u32,
    reading: Option<Reading>,
}

/// So many complete passes of an episode may take as long as they take.
const FREE_PASSES: u32 = 2;

impl Episode {
    fn begin(now: Moment, reading: Option<Reading>) -> Self {
        Self { first: now, due: true, passes: 0, reading }
    }
}

/// The set that the last passes agreed upon.
#[derive(Clone, Copy, Debug)]
struct Reading {
    digest: SiteDigest,
    looks: Looks,
    /// When the first of them was back.
    since: Moment,
    /// When the last of them began.
    last: Moment,
    /// When it was back.
    back: Moment,
    /// It looked at everything.
    complete: bool,
    passes: u32,
}

impl Reading {
    /// Whether at least two passes agree with this much time between first and last.
    fn held_still(self, span: Millis) -> bool {
        self.passes >= 2 && self.last.since(self.since) >= span
    }

    /// When the next pass is due that was to be at `at`: at the deadline at the latest, and where that is
    /// over not before the files could rest for `quiet`.
    fn next(self, at: Moment, quiet: Millis, deadline: Moment) -> Moment {
        if self.back < deadline { at.min(deadline) } else { at.min(self.back.plus(quiet)) }
    }
}

impl Acceptance {
    /// Asleep. `accepted` is the set in force, if there is one.
    #[must_use]
    pub fn new(settle: Settle, accepted: Option<SiteDigest>) -> Self {
        Self {
            settle: settle.in_order(),
            accepted,
            refused: None,
            held_until: None,
            episode: None,
            under_way: None,
            patience: PATIENCE,
            took: Millis(0),
            retry: None,
            latest: None,
        }
    }

    /// Another patience than [`PATIENCE`].
    pub fn set_patience(&mut self, patience: Millis) {
        self.patience = patience;
    }

    /// Takes new times up, from the next answer on.
    pub fn set_settle(&mut self, settle: Settle) {
        self.settle = settle.in_order();
    }

    /// The times that are kept to.
    #[must_use]
    pub fn settle(&self) -> Settle {
        self.settle
    }

    /// Corrects which set counts as accepted: one accepted here that could not be stored is not.
    pub fn set_accepted(&mut self, accepted: Option<SiteDigest>) {
        self.accepted = accepted;
    }

    /// Which set was accepted last.
    #[must_use]
    pub fn accepted(&self) -> Option<SiteDigest> {
        self.accepted
    }

    /// Whether something is being decided.
    #[must_use]
    pub fn is_deciding(&self) -> bool {
        self.episode.is_some()
    }

    /// By when what is being decided is decided at the latest, as far as that is known: after `now` in any case, as
    /// long as it is not. None = nothing is.
    #[must_use]
    pub fn decides_by(&self, now: Moment) -> Option<Moment> {
        let settled = self.episode?.first.plus(self.settle.max);
        let back = self.under_way.map(|pass| pass.began.plus(self.patience()));
        let soon = now.plus(self.settle.quiet.max(Millis(1)));
        self.held_until.into_iter().chain(back).chain([settled, soon]).max()
    }

    /// Something may have happened to the files.
    pub fn wake(&mut self, now: Moment) {
        self.follow_clock(now);
        match &mut self.episode {
            Some(episode) => episode.due = true,
            None => self.episode = Some(Episode::begin(now, None)),
        }
    }

    /// Somebody asks for a look at the files: that passes failed puts it off no longer.
    pub fn ask(&mut self, now: Moment) {
        self.retry.iter_mut().for_each(|retry| retry.at = now);
        self.wake(now);
    }

    /// A change window holds acceptance until `until`; none = no window is open.
    pub fn hold(&mut self, now: Moment, until: Option<Moment>) {
        self.follow_clock(now);
        if until.is_none() && self.held_until.is_some() {
            self.begin_again(now);
        }
        self.held_until = until;
    }

    /// A pass over the whole set begins; until it is back no other may.
    pub fn read_began(&mut self, now: Moment) {
        self.follow_clock(now);
        self.under_way = Some(UnderWay { began: now, counts: true, silent: false });
        if let Some(episode) = &mut self.episode {
            episode.due = false;
        }
    }

    /// The pass that was under way is back; it has looked at everything, and found this.
    pub fn read_done(&mut self, now: Moment, digest: SiteDigest, looks: Looks) {
        self.pass_done(now, digest, looks, true);
    }

    /// The same of a pass that was narrow.
    pub fn narrow_read_done(&mut self, now: Moment, digest: SiteDigest, looks: Looks) {
        self.pass_done(now, digest, looks, false);
    }

    fn pass_done(&mut self, now: Moment, digest: SiteDigest, looks: Looks, complete: bool) {
        self.follow_clock(now);
        let Some(UnderWay { began, counts, .. }) = self.under_way.take() else { return };
        let took = now.since(began);
        if complete {
            // What a narrow one takes says nothing of how slow the file system is.
            self.took = took;
        }
        let failed_before = self.retry.take().is_some();
        if self.episode.is_none() && self.refused.or(self.accepted) != Some(digest) {
            // Read for who asked, and another set than the one that was decided upon last.
            self.wake(now);
        }
        let Some(episode) = self.episode.as_mut().filter(|_| counts) else { return };
        if failed_before {
            episode.first = now;
        } else if !complete || episode.passes < FREE_PASSES {
            episode.first = episode.first.plus(took);
        }
        episode.passes = episode.passes.saturating_add(u32::from(complete));
        match &mut episode.reading {
            Some(reading) if reading.digest == digest => {
                (reading.looks, reading.last, reading.back) = (looks, began, now);
                reading.complete = complete;
                reading.passes = reading.passes.saturating_add(1);
            }
            reading => {
                let (since, last, back) = (now, began, now);
                *reading = Some(Reading { digest, looks, since, last, back, complete, passes: 1 });
            }
        }
    }

    /// The pass that was under way ended without finding anything: whoever reads has failed.
    pub fn read_failed(&mut self, now: Moment) {
        self.follow_clock(now);
        self.under_way = None;
        let pause = self.retry.map_or(FIRST_RETRY, |retry| Millis(retry.pause.0 * 2));
        let pause = pause.min(LAST_RETRY);
        self.retry = Some(Retry { at: now.plus(pause), pause });
        if let Some(episode) = &mut self.episode {
            episode.due = true;
        }
    }

    /// Whether a pass is under way that has not come back in time.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.under_way.is_some_and(|pass| pass.silent)
    }

    /// Since when a pass is under way; none = none is.
    #[must_use]
    pub fn reading_since(&self) -> Option<Moment> {
        self.under_way.map(|pass| pass.began)
    }

    /// What to do now.
    pub fn next(&mut self, now: Moment) -> Next {
        self.follow_clock(now);
        if let Some(waits) = self.wait_for_pass(now) {
            return waits;
        }
        if let Some(until) = self.held_until {
            if now < until {
                return Next::Sleep(self.episode.map(|_| until));
            }
            self.held_until = None;
            self.begin_again(now);
        }
        let Some(episode) = self.episode else { return Next::Sleep(None) };
        if let Some(Retry { at, .. }) = self.retry.filter(|retry| now < retry.at) {
            return Next::Sleep(Some(at));
        }
        let Some(reading) = episode.reading else { return Next::ReadAgainAt(episode.first) };
        let (quiet, deadline) = (self.settle.quiet, episode.first.plus(self.settle.max));
        if episode.due && reading.last < deadline {
            // Passes keep `quiet` apart however many events there are: reading is not free.
            return Next::ReadAgainAt(reading.next(reading.back.plus(quiet), quiet, deadline));
        }
        let next = self.decide(now, reading, deadline);
        if episode.due && self.episode.is_none() {
            // Decided at the latest moment although something happened since: that comes next.
            self.wake(now);
        }
        next
    }

    /// What to do while a pass is under way.
    fn wait_for_pass(&mut self, now: Moment) -> Option<Next> {
        let patience = self.patience();
        let pass = self.under_way.as_mut()?;
        let until = pass.began.plus(patience);
        if pass.silent {
            return Some(Next::Sleep(None));
        }
        if now < until {
            return Some(Next::Sleep(Some(until)));
        }
        pass.silent = true;
        Some(Next::Silent(pass.began))
    }

    fn patience(&self) -> Millis {
        self.patience.max(Millis(self.took.0.saturating_mul(2)).min(MOST_PATIENCE))
    }

    /// Decides upon the last pass, or says when the next one is due.
    fn decide(&mut self, now: Moment, reading: Reading, deadline: Moment) -> Next {
        let Settle { quiet, invalid, .. } = self.settle;
        let digest = reading.digest;
        if !reading.complete && !self.believes_events() {
            return Next::ReadAgainAt(reading.next(reading.since.plus(quiet), quiet, deadline));
        }
        if self.accepted == Some(digest) {
            self.episode = None;
            self.refused = None;
            return Next::Unchanged(digest);
        }
        let at_the_latest = reading.last >= deadline;
        let broken = reading.looks == Looks::Broken;
        let long_enough = match reading.looks {
            Looks::Whole => reading.held_still(quiet),
            Looks::Partial => {
                reading.held_still(invalid) || at_the_latest && reading.held_still(quiet)
            }
            Looks::Broken => false,
        };
        if long_enough {
            self.episode = None;
            self.refused = None;
            self.accepted = Some(digest);
            return Next::Accept(digest);
        }
        let refused_before = broken && self.refused == Some(digest);
        if refused_before || broken && (reading.held_still(invalid) || at_the_latest) {
            self.episode = None;
            self.refused = Some(digest);
            return Next::Refuse(digest, Refusal::Invalid);
        }
        if at_the_latest {
            // Its last change may have been the last event of all: go on without waiting for another.
            self.episode = Some(Episode::begin(now, Some(reading)));
            return Next::Refuse(digest, Refusal::Unsettled);
        }
        let still_enough = reading.held_still(quiet);
        let at = reading.since.plus(if still_enough { invalid } else { quiet });
        Next::ReadAgainAt(reading.next(at, quiet, deadline))
    }

    /// After a change window nothing read before or during it counts.
    fn begin_again(&mut self, now: Moment) {
        if let Some(episode) = &mut self.episode {
            *episode = Episode::begin(now, None);
        }
        if let Some(pass) = &mut self.under_way {
            pass.counts = false;
        }
    }

    /// A clock that jumps back takes all stored times with it, so that no span grows.
    fn follow_clock(&mut self, now: Moment) {
        let behind = self.latest.map_or(0, |latest| latest.0.saturating_sub(now.0));
        self.latest = Some(now);
        if behind <= 0 {
            return;
        }
        let shift = |at: &mut Moment| at.0 = at.0.saturating_sub(behind);
        self.held_until.iter_mut().for_each(shift);
        self.under_way.iter_mut().for_each(|pass| shift(&mut pass.began));
        self.retry.iter_mut().for_each(|retry| shift(&mut retry.at));
        if let Some(episode) = &mut self.episode {
            shift(&mut episode.first);
            if let Some(reading) = &mut episode.reading {
                shift(&mut reading.since);
                shift(&mut reading.last);
                shift(&mut reading.back);
            }
        }
    }
}

#[cfg(test)]
mod tests;
