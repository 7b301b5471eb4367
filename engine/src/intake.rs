//! From "something happened" to "this set of files is accepted": watcher, reading and acceptance in one.
//!
//! Owns the order in which nothing is lost: watches are armed before reading, and what was read is
//! read again if new watches had to be placed. Waits for no reading: one that was begun is asked for at each
//! poll. Has no clock and opens nothing itself: times and the reading are given. Decides nothing that
//! `engine_core::accept` does not decide; whether a set is valid is the caller's question. Read next: [`mod@look`],
//! `watch`, `load`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine_core::accept::{Acceptance, Looks, Next, Refusal, Settle};
use engine_core::ids::{Moment, SiteDigest};
use engine_core::site::SiteFiles;
use grammar::value::Millis;

use crate::observe::Newer;
use crate::watch::WatchSet;

mod aside;
mod look;

pub use aside::Aside;
pub use look::{Arm, AtOnce, Found, Look, Order, Read, Seen};

/// What came of a poll.
#[derive(Clone, Debug)]
pub enum IntakeEvent {
    /// Nothing was decided. Poll again at `next`, or after a wake-up.
    Nothing {
        /// When something is due.
        next: Option<Moment>,
    },
    /// This set is accepted: store it, then let it come into force.
    Accepted(Arc<SiteFiles>, SiteDigest),
    /// This set is refused; what is in force stays.
    Refused(Arc<SiteFiles>, SiteDigest, Refusal),
    /// The files are those accepted last; an earlier refusal is over.
    Unchanged(SiteDigest),
    /// What the files say is not known, for a reason that they have as their problem; what is in force stays.
    Unknown(Arc<SiteFiles>),
}

/// What is said of files whose file system is slow, or does not answer at all.
const SILENT: &str = "its file system does not answer";

/// Where every directory is watched, all is still read this many `poll`s apart, because some
/// changes raise no event (see [`crate::watch`]).
const SAFETY_FACTOR: u64 = 10;

/// Passes of one poll.
const PASSES: u32 = 3;

/// Takes files in.
pub struct Intake {
    look: Box<dyn Look>,
    acceptance: Acceptance,
    poll: Millis,
    watch: WatchSet,
    polled: BTreeMap<PathBuf, String>,
    last_read: Option<Moment>,
    latest: Option<Arc<SiteFiles>>,
    /// The files while nobody knows them, with why.
    unknown: Option<(Arc<SiteFiles>, String)>,
    /// The set accepted last, if its files are known: what readings are held against.
    in_force: Option<Arc<SiteFiles>>,
    /// How the set last checked looks: asked once a set, not once a pass.
    checked: Option<(SiteDigest, Looks)>,
    /// The next look opens every file.
    forget: bool,
    /// A look is wanted, whatever acceptance waits for: up to this one.
    wanted: u64,
    /// How many looks were begun.
    begun: u64,
    counts: Counts,
}

/// Looks by number, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The one that answers whoever asked last; the first answers the start.
    pub asked: u64,
    /// The last one that came back.
    pub seen: u64,
    /// The last one upon which was decided.
    pub decided: u64,
}

impl Intake {
    /// Begins, with everything to be read. `in_force` is the set in force, if one is stored: it need not be accepted
    /// again, and what was there then is missed now. `poll` is how often directories are read that cannot be
    /// watched (`[site] poll`).
    pub fn start(
        look: Box<dyn Look>,
        settle: Settle,
        poll: Millis,
        in_force: Option<(SiteDigest, Arc<SiteFiles>)>,
        now: Moment,
    ) -> Self {
        let (accepted, in_force) = in_force.unzip();
        let mut acceptance = Acceptance::new(settle, accepted);
        acceptance.wake(now);
        Self {
            look,
            acceptance,
            poll,
            watch: WatchSet::default(),
            polled: BTreeMap::new(),
            last_read: None,
            latest: None,
            unknown: None,
            in_force,
            checked: None,
            forget: false,
            wanted: 0,
            begun: 0,
            counts: Counts { asked: 1, ..Counts::default() },
        }
    }

    /// Another patience than [`engine_core::accept::PATIENCE`].
    pub fn set_patience(&mut self, patience: Millis) {
        self.acceptance.set_patience(patience);
    }

    /// Something may have happened: call it for every [`crate::watch::Wake`].
    pub fn wake(&mut self, now: Moment) {
        self.acceptance.wake(now);
    }

    /// Somebody asks for a look at the files (`wharf reload`, SIGHUP): every file is read, whatever it was. One that
    /// is under way does not do.
    pub fn look_again(&mut self, now: Moment) {
        self.forget = true;
        self.counts.asked = self.begun + 1;
        self.acceptance.ask(now);
    }

    /// Wants a look whatever acceptance waits for, for showing; nothing is decided by it while acceptance is held. Its
    /// number: it is back once that many were [`seen`](Counts::seen).
    pub fn want_look(&mut self) -> u64 {
        self.wanted = self.begun + 1;
        self.wanted
    }

    /// Which looks were asked for, came back and were decided upon.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Since when a look is under way; none = none is.
    #[must_use]
    pub fn reading_since(&self) -> Option<Moment> {
        self.acceptance.reading_since()
    }

    /// Whether a look is under way that has not come back in time.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.acceptance.is_silent()
    }

    /// Holds acceptance until `until`; none = no change window is open.
    pub fn hold(&mut self, now: Moment, until: Option<Moment>) {
        self.acceptance.hold(now, until);
    }

    /// Takes new times up.
    pub fn set_times(&mut self, settle: Settle, poll: Millis) {
        self.acceptance.set_settle(settle);
        self.poll = poll;
    }

    /// How long files must hold still.
    #[must_use]
    pub fn settle(&self) -> Settle {
        self.acceptance.settle()
    }

    /// Corrects which set counts as accepted, where one could not be stored, say; wake it to have
    /// the set offered again.
    pub fn set_accepted(&mut self, accepted: Option<SiteDigest>) {
        self.acceptance.set_accepted(accepted);
    }

    /// Whether something is being decided.
    #[must_use]
    pub fn is_deciding(&self) -> bool {
        self.acceptance.is_deciding()
    }

    /// What is known of files that are newer than those in force.
    #[must_use]
    pub fn newer(&self, now: Moment) -> Newer {
        Newer {
            decided_by: self.acceptance.decides_by(now),
            unknown: self.unknown().map(str::to_owned),
        }
    }

    /// Why nobody knows what the files say; none = as far as a look has said, they are known.
    #[must_use]
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_ref().map(|(_, why)| why.as_str())
    }

    /// Directories that cannot be watched, each with why; they are read every `poll`.
    #[must_use]
    pub fn polled(&self) -> &BTreeMap<PathBuf, String> {
        &self.polled
    }

    /// The files as last read, in force or not; unknown as long as nobody can say what they are.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<SiteFiles>> {
        self.unknown.as_ref().map(|(files, _)| files).or(self.latest.as_ref())
    }

    /// A reading beside what was read before and what is in force.
    fn held_against(&self, mut files: SiteFiles, now: Moment) -> SiteFiles {
        if let Some(in_force) = &self.in_force {
            files.doubt(in_force, now);
        }
        if let Some(latest) = &self.latest {
            files.take_over(latest);
        }
        files
    }

    /// Takes up what a reading has found, begins one if it is due, and says what is decided. `check` tells how a
    /// set looks; it is asked once for each set, and never for one that is not readable, which is broken.
    ///
    /// After anything but [`IntakeEvent::Nothing`] poll again at once: more may be due. Poll also when a reading is
    /// over.
    pub fn poll(
        &mut self,
        now: Moment,
        check: &mut dyn FnMut(&SiteFiles, SiteDigest) -> Looks,
    ) -> IntakeEvent {
        if let Some(failed) = self.take_up(now, check) {
            return failed;
        }
        if self.next_full_read(now).is_some_and(|due| due <= now) {
            if self.polled.is_empty() {
                // The slow reading is for what leaves no event; it may leave no other trace either.
                self.forget = true;
            }
            self.acceptance.wake(now);
        }
        for _ in 0..PASSES {
            let is_wanted = self.wanted > self.begun && self.reading_since().is_none();
            let decided = match self.acceptance.next(now) {
                _ if is_wanted => Next::ReadAgainAt(now),
                next => next,
            };
            match decided {
                Next::ReadAgainAt(at) if at <= now => {
                    self.begin_look(now, is_wanted);
                    if let Some(failed) = self.take_up(now, check) {
                        return failed;
                    }
                }
                Next::ReadAgainAt(at) => return IntakeEvent::Nothing { next: Some(at) },
                // Until then nothing is read, however long ago that was.
                Next::Sleep(Some(until)) => return IntakeEvent::Nothing { next: Some(until) },
                Next::Sleep(None) => {
                    return IntakeEvent::Nothing { next: self.next_full_read(now) };
                }
                Next::Silent(_) => return self.unknown_because(SILENT.to_owned(), now),
                decided => return self.event(decided, now),
            }
        }
        IntakeEvent::Nothing { next: Some(now) }
    }

    fn event(&mut self, decided: Next, now: Moment) -> IntakeEvent {
        self.counts.decided = self.counts.seen;
        if let Next::Accept(_) | Next::Unchanged(_) = decided {
            self.in_force.clone_from(&self.latest);
        }
        match (decided, &self.latest) {
            (Next::Accept(digest), Some(files)) => IntakeEvent::Accepted(Arc::clone(files), digest),
            (Next::Refuse(digest, why), Some(files)) => {
                IntakeEvent::Refused(Arc::clone(files), digest, why)
            }
            (Next::Unchanged(digest), _) => IntakeEvent::Unchanged(digest),
            // Nothing is decided before something was read.
            _ => IntakeEvent::Nothing { next: Some(now) },
        }
    }

    fn begin_look(&mut self, now: Moment, is_wanted: bool) {
        self.begun += 1;
        let forget = std::mem::take(&mut self.forget);
        let may_be_narrow = self.acceptance.may_be_narrow(forget || is_wanted);
        self.acceptance.read_began(now);
        self.look.begin(Order { now, watch: self.watch.clone(), forget, may_be_narrow });
    }

    /// Takes up what the look that was under way has found; an event where it has failed.
    fn take_up(
        &mut self,
        now: Moment,
        check: &mut dyn FnMut(&SiteFiles, SiteDigest) -> Looks,
    ) -> Option<IntakeEvent> {
        self.reading_since()?;
        let seen = match self.look.found()? {
            Found::Seen(seen) => *seen,
            Found::Failed(why) => {
                self.counts.seen = self.begun;
                self.acceptance.read_failed(now);
                return Some(self.unknown_because(why, now));
            }
        };
        let complete = seen.loaded.complete;
        self.watch = seen.loaded.watch;
        self.polled = seen.polled;
        let files = self.held_against(seen.loaded.files, now);
        let digest = files.digest();
        let looks = match self.checked {
            Some((checked, looks)) if checked == digest => looks,
            _ if !files.is_readable() => Looks::Broken,
            _ => check(&files, digest),
        };
        self.checked = Some((digest, looks));
        self.latest = Some(Arc::new(files));
        self.unknown = None;
        if complete {
            self.last_read = Some(now);
        }
        self.counts.seen = self.begun;
        if complete {
            self.acceptance.read_done(now, digest, looks);
        } else {
            self.acceptance.narrow_read_done(now, digest, looks);
        }
        if seen.unseen {
            self.acceptance.wake(now);
        }
        None
    }

    /// Nobody knows what the files are.
    fn unknown_because(&mut self, why: String, now: Moment) -> IntakeEvent {
        let files = Arc::new(self.look.nobody_knows(&why, now));
        self.unknown = Some((Arc::clone(&files), why));
        IntakeEvent::Unknown(files)
    }

    /// When everything is read though nothing happened.
    fn next_full_read(&mut self, now: Moment) -> Option<Moment> {
        if self.reading_since().is_some() {
            return None;
        }
        let last = self.last_read?.min(now);
        // A clock that was set back must not put the next reading off.
        self.last_read = Some(last);
        let factor = if self.polled.is_empty() { SAFETY_FACTOR } else { 1 };
        Some(last.plus(Millis(self.poll.0.max(1).saturating_mul(factor))))
    }
}

#[cfg(test)]
mod tests;
