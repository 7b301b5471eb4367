//! One look at the files: watches before it, the reading, watches for what it found. At once, or begun now and back
//! later ([`super::Aside`]); whoever takes files in does not tell the two apart.
//!
//! Knows nothing of when to look and what follows; that is [`super::Intake`]'s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine_core::heard::{Heard, Standing};
use engine_core::ids::Moment;
use engine_core::site::SiteFiles;

use crate::load::{Loaded, Reader};
use crate::watch::{ArmReport, WatchSet, Watcher};

/// How often a reading is followed by another because watches had to be placed.
const READS: u32 = 3;

/// Places watches: the [`Watcher`], or what stands for it in a simulation.
pub trait Arm: Send {
    /// Watches exactly the directories of `set`.
    fn arm(&mut self, set: &WatchSet) -> ArmReport;

    /// What was heard since this was asked last; anything, for whoever does not say what.
    fn heard(&mut self) -> Heard {
        Heard::anywhere()
    }
}

impl Arm for Watcher {
    fn arm(&mut self, set: &WatchSet) -> ArmReport {
        Watcher::arm(self, set)
    }

    fn heard(&mut self) -> Heard {
        Watcher::heard(self)
    }
}

/// Reads the whole site: a [`Reader`], or a simulated one.
pub trait Read: Send {
    /// One reading of everything.
    fn read(&mut self, now: Moment) -> Loaded;

    /// One reading, narrowed to what was heard since the last one where that will do.
    fn read_heard(&mut self, now: Moment, _heard: &Heard, _standing: Standing) -> Loaded {
        self.read(now)
    }

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

    fn read_heard(&mut self, now: Moment, heard: &Heard, standing: Standing) -> Loaded {
        Reader::read_heard(self, now, heard, standing)
    }

    fn forget(&mut self) {
        Reader::forget(self);
    }
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct Order {
    /// When it is asked for.
    pub now: Moment,
    /// What the last look found that is to be watched.
    pub watch: WatchSet,
    /// Every file is opened, whatever it was.
    pub forget: bool,
    /// It need not look at more than was heard of.
    pub may_be_narrow: bool,
}

/// What a look found.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The files, and what is to be watched for the next look to be in time.
    pub loaded: Loaded,
    /// Directories that cannot be watched, each with why.
    pub polled: BTreeMap<PathBuf, String>,
    /// Something may have happened where nothing was watched yet.
    pub unseen: bool,
}

/// How a look ended.
#[derive(Clone, Debug)]
pub enum Found {
    /// With this.
    Seen(Box<Seen>),
    /// With nothing: whoever looks has failed, for this reason.
    Failed(String),
}

/// Looks at the files.
pub trait Look: Send {
    /// Begins a look. The one before is back.
    fn begin(&mut self, order: Order);

    /// How the look that was begun ended, once; none as long as it is under way.
    fn found(&mut self) -> Option<Found>;

    /// The site as it is known while nobody can say anything of its files, for this reason.
    fn nobody_knows(&self, why: &str, now: Moment) -> SiteFiles;
}

/// Watches and reads while it is asked: a look is back as soon as it is begun.
pub struct AtOnce {
    watcher: Box<dyn Arm>,
    read: Box<dyn Read>,
    /// Whether the last look left every directory watched.
    watched: bool,
    found: Option<Found>,
}

impl AtOnce {
    /// From what watches and what reads.
    #[must_use]
    pub fn new(watcher: Box<dyn Arm>, read: Box<dyn Read>) -> Self {
        Self { watcher, read, watched: false, found: None }
    }

    /// One pass over the site, with watches armed before it and for what it found.
    pub fn look(&mut self, order: &Order) -> Seen {
        if order.forget {
            self.read.forget();
        }
        let heard = self.watcher.heard();
        let before = self.watcher.arm(&order.watch);
        let watched = self.watched && is_watched(&before);
        let standing = Standing { may_be_narrow: order.may_be_narrow, watched };
        let mut loaded = self.read.read_heard(order.now, &heard, standing);
        let mut report = self.watcher.arm(&loaded.watch);
        for _ in 1..READS {
            if !report.changed {
                break;
            }
            loaded = self.read.read(order.now);
            report = self.watcher.arm(&loaded.watch);
        }
        self.watched = is_watched(&report);
        Seen { loaded, polled: report.polled, unseen: report.changed }
    }
}

/// Whether every directory is watched, and was before.
fn is_watched(report: &ArmReport) -> bool {
    !report.changed && report.polled.is_empty()
}

impl Look for AtOnce {
    fn begin(&mut self, order: Order) {
        self.found = Some(Found::Seen(Box::new(self.look(&order))));
    }

    fn found(&mut self) -> Option<Found> {
        self.found.take()
    }

    fn nobody_knows(&self, _: &str, _: Moment) -> SiteFiles {
        // Never asked for: nothing is ever under way.
        SiteFiles::nothing("", "")
    }
}
