//! From "something happened" to "this set of files is accepted": watcher, reading and acceptance in one.
//!
//! Owns the order in which nothing is lost: watches are armed before reading, and what was read is
//! read again if new watches had to be placed. Has no clock and opens nothing itself: times and the
//! reading are given. Decides nothing that `engine_core::accept` does not decide; whether a set is
//! valid is the caller's question. Read next: `watch`, `load`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use engine_core::accept::{Acceptance, Looks, Next, Refusal, Settle};
use engine_core::ids::{Moment, SiteDigest};
use engine_core::site::SiteFiles;
use grammar::value::Millis;

use crate::load::{Loaded, Reader};
use crate::watch::{ArmReport, WatchSet, Watcher};

mod patient;

pub use patient::{PATIENCE, Patient, PatientRead};

/// Places watches: the [`Watcher`], or what stands for it in a simulation.
pub trait Arm: Send {
    /// Watches exactly the directories of `set`.
    fn arm(&mut self, set: &WatchSet) -> ArmReport;
}

impl Arm for Watcher {
    fn arm(&mut self, set: &WatchSet) -> ArmReport {
        Watcher::arm(self, set)
    }
}

/// Reads the whole site: a [`Reader`], or a simulated one.
pub trait Read: Send {
    /// One reading.
    fn read(&mut self, now: Moment) -> Loaded;

    /// The next reading believes nothing but what it reads itself: something may have changed without a trace.
    fn forget(&mut self) {}
}

impl<F: FnMut(Moment) -> Loaded + Send> Read for F {
    fn read(&mut self, now: Moment) -> Loaded {
        self(now)
    }
}

impl Read for Reader {
    fn read(&mut self, now: Moment) -> Loaded {
        Reader::read(self, now)
    }

    fn forget(&mut self) {
        Reader::forget(self);
    }
}

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
}

/// Where every directory is watched, all is still read this many `poll`s apart, because some
/// changes raise no event (see [`crate::watch`]).
const SAFETY_FACTOR: u64 = 10;

/// How often a reading is followed by another because watches had to be placed.
const READS: u32 = 3;

/// Takes files in.
pub struct Intake {
    watcher: Box<dyn Arm>,
    read: Box<dyn Read>,
    acceptance: Acceptance,
    poll: Millis,
    watch: WatchSet,
    polled: BTreeMap<PathBuf, String>,
    last_read: Option<Moment>,
    latest: Option<Arc<SiteFiles>>,
    /// The set accepted last, if its files are known: what readings are held against.
    in_force: Option<Arc<SiteFiles>>,
    /// How the set last checked looks: asked once a set, not once a pass.
    checked: Option<(SiteDigest, Looks)>,
}

impl Intake {
    /// Begins, with everything to be read. `in_force` is the set in force, if one is stored: it need not be accepted
    /// again, and what was there then is missed now. `poll` is how often directories are read that cannot be
    /// watched (`[site] poll`).
    pub fn start(
        watcher: Box<dyn Arm>,
        read: Box<dyn Read>,
        settle: Settle,
        poll: Millis,
        in_force: Option<(SiteDigest, Arc<SiteFiles>)>,
        now: Moment,
    ) -> Self {
        let (accepted, in_force) = in_force.unzip();
        let mut acceptance = Acceptance::new(settle, accepted);
        acceptance.wake(now);
        Self {
            watcher,
            read,
            acceptance,
            poll,
            watch: WatchSet::default(),
            polled: BTreeMap::new(),
            last_read: None,
            latest: None,
            in_force,
            checked: None,
        }
    }

    /// Something may have happened: call it for every [`crate::watch::Wake`].
    pub fn wake(&mut self, now: Moment) {
        self.acceptance.wake(now);
    }

    /// Somebody asks for a look at the files (`wharf reload`, SIGHUP): every file is read, whatever it was.
    pub fn look_again(&mut self, now: Moment) {
        self.read.forget();
        self.acceptance.wake(now);
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

    /// By when what is being decided is decided at the latest; none = nothing is.
    #[must_use]
    pub fn decides_by(&self) -> Option<Moment> {
        self.acceptance.decides_by()
    }

    /// Directories that cannot be watched, each with why; they are read every `poll`.
    #[must_use]
    pub fn polled(&self) -> &BTreeMap<PathBuf, String> {
        &self.polled
    }

    /// The files as last read, in force or not.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<SiteFiles>> {
        self.latest.as_ref()
    }

    /// The files as they are on disk now, for showing: while acceptance is held nothing else reads them.
    /// Nothing is decided by it.
    pub fn look(&mut self, now: Moment) -> SiteFiles {
        let files = self.read.read(now).files;
        self.held_against(files, now)
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

    /// Reads if a reading is due, and says what is decided. `check` tells how a set looks; it
    /// is asked once for each set, and never for one that is not readable, which is broken.
    ///
    /// After anything but [`IntakeEvent::Nothing`] poll again at once: more may be due.
    pub fn poll(
        &mut self,
        now: Moment,
        check: &mut dyn FnMut(&SiteFiles, SiteDigest) -> Looks,
    ) -> IntakeEvent {
        if self.next_full_read(now).is_some_and(|due| due <= now) {
            if self.polled.is_empty() {
                // The slow reading is for what leaves no event; it may leave no other trace either.
                self.read.forget();
            }
            self.acceptance.wake(now);
        }
        for _ in 0..READS {
            let decided = match self.acceptance.next(now) {
                Next::ReadAgainAt(at) if at <= now => {
                    self.read_site(now, check);
                    continue;
                }
                Next::ReadAgainAt(at) => return IntakeEvent::Nothing { next: Some(at) },
                Next::Sleep(until) => {
                    let next = until.into_iter().chain(self.next_full_read(now)).min();
                    return IntakeEvent::Nothing { next };
                }
                decided => decided,
            };
            return self.event(decided, now);
        }
        IntakeEvent::Nothing { next: Some(now) }
    }

    fn event(&mut self, decided: Next, now: Moment) -> IntakeEvent {
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

    /// One pass over the whole site, with watches armed before it and for what it found.
    fn read_site(&mut self, now: Moment, check: &mut dyn FnMut(&SiteFiles, SiteDigest) -> Looks) {
        self.watcher.arm(&self.watch);
        let mut loaded = self.read.read(now);
        let mut unseen = self.arm_for(&loaded);
        for _ in 1..READS {
            if !unseen {
                break;
            }
            loaded = self.read.read(now);
            unseen = self.arm_for(&loaded);
        }
        let files = self.held_against(loaded.files, now);
        let digest = files.digest();
        let looks = match self.checked {
            Some((checked, looks)) if checked == digest => looks,
            _ if !files.is_readable() => Looks::Broken,
            _ => check(&files, digest),
        };
        self.checked = Some((digest, looks));
        self.latest = Some(Arc::new(files));
        self.last_read = Some(now);
        self.acceptance.read_done(now, digest, looks);
        if unseen {
            self.acceptance.wake(now);
        }
    }

    /// Watches what a reading asks for; true if something may have happened there unseen.
    fn arm_for(&mut self, loaded: &Loaded) -> bool {
        let report = self.watcher.arm(&loaded.watch);
        self.watch.clone_from(&loaded.watch);
        self.polled = report.polled;
        report.changed
    }

    /// When everything is read though nothing happened.
    fn next_full_read(&mut self, now: Moment) -> Option<Moment> {
        let last = self.last_read?.min(now);
        // A clock that was set back must not put the next reading off.
        self.last_read = Some(last);
        let factor = if self.polled.is_empty() { SAFETY_FACTOR } else { 1 };
        Some(last.plus(Millis(self.poll.0.max(1).saturating_mul(factor))))
    }
}

#[cfg(test)]
mod tests;
