//! The files of a simulated site, as readings find them: whole, torn, gone for a moment, unreadable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::shared_map::SharedMap;
use engine_core::site::{FileProblem, FileProblemKind, Managed, SiteFiles};
use grammar::source::Source;
use grammar::value::Millis;

use super::random::Random;
use super::world::{Shared, lock};
use crate::intake::{Found, Look, Order, Seen};
use crate::load::Loaded;
use crate::watch::WatchSet;

/// Where they are.
const DIR: &str = "/site";

/// What a reading finds instead of what is there, until it is over.
#[derive(Clone, Debug)]
enum Fault {
    /// A session's file, as far as it was written.
    Torn { id: String, bytes: usize },
    /// A session's file is not there: it is being replaced, or a copy is under way.
    Missing { id: String },
    /// All of them: a mount that went away leaves an empty directory.
    Empty,
    /// `sessions.d` cannot be read.
    Unreadable,
    /// `wharf.toml` cannot be read.
    NoPolicy,
}

/// The files of a site.
#[derive(Debug, Default)]
pub struct Disk {
    /// `wharf.toml`.
    pub policy: String,
    /// Sessions' files by id.
    pub sessions: BTreeMap<String, String>,
    fault: Option<(Fault, Moment)>,
}

/// A handle on the files.
pub type SharedDisk = Arc<Mutex<Disk>>;

/// Locks the files; a panic elsewhere does not hide them.
pub fn lock_disk(disk: &SharedDisk) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// Something goes wrong with readings from now on, for at most four seconds. In words.
    pub fn go_wrong(&mut self, random: &mut Random, now: Moment) -> Option<String> {
        if self.fault.is_some() {
            return None;
        }
        let which = usize::try_from(random.below(self.sessions.len().max(1) as u64)).unwrap_or(0);
        let id = self.sessions.keys().nth(which)?.clone();
        let fault = match random.below(5) {
            0 => {
                let bytes = random.below(self.sessions[&id].len() as u64 + 1);
                Fault::Torn { id, bytes: usize::try_from(bytes).unwrap_or(0) }
            }
            1 => Fault::Missing { id },
            2 => Fault::Empty,
            3 => Fault::Unreadable,
            _ => Fault::NoPolicy,
        };
        let until = now.plus(Millis(100 + random.below(3_900)));
        let words = format!("files: {fault:?}");
        self.fault = Some((fault, until));
        Some(words)
    }

    /// Ends what went wrong, if its time is over; true if it did.
    pub fn heal(&mut self, now: Moment) -> bool {
        let over = self.fault.as_ref().is_some_and(|(_, until)| *until <= now);
        if over {
            self.fault = None;
        }
        over
    }

    /// Ends whatever goes wrong.
    pub fn calm(&mut self) {
        self.fault = None;
    }

    /// What a reading finds.
    #[must_use]
    pub fn read(&self, now: Moment) -> SiteFiles {
        let mut files = SiteFiles::nothing(DIR, DIR);
        let fault = self.fault.as_ref().map(|(fault, _)| fault);
        files.wharf = Known::Present(Source::new(format!("{DIR}/wharf.toml"), &*self.policy));
        let sessions = match fault {
            Some(Fault::Empty) => SharedMap::new(),
            _ => self.sessions.iter().filter_map(|(id, text)| found(fault, id, text)).collect(),
        };
        files.sessions = Managed::Managed(sessions);
        let reason = "input/output error".to_owned();
        let problem = |file: &str| FileProblem {
            file: Arc::from(format!("{DIR}/{file}")),
            kind: FileProblemKind::Unreadable(reason.clone()),
        };
        match fault {
            Some(Fault::Unreadable) => {
                files.unreadable.push(problem("sessions.d"));
                files.sessions = Managed::Unknown { since: now, reason };
            }
            Some(Fault::NoPolicy) => {
                files.unreadable.push(problem("wharf.toml"));
                files.wharf = Known::Unknown { since: now, reason };
            }
            _ => {}
        }
        files
    }
}

/// Most milliseconds that a look may take: longer than anybody waits for one.
const LATEST: u64 = 25_000;

/// Looks at the files of a simulated site. Some looks come late, of what was there when they began or when they
/// ended.
pub struct SimLook {
    disk: SharedDisk,
    world: Shared,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    until: Moment,
    /// What was there when it began; none = it finds what is there at its end.
    files: Option<SiteFiles>,
}

impl SimLook {
    /// Looks at `disk`; `world` says when looks come late.
    #[must_use]
    pub fn new(disk: SharedDisk, world: Shared) -> Self {
        Self { disk, world, under_way: None }
    }
}

impl Look for SimLook {
    fn begin(&mut self, order: Order) {
        let mut world = lock(&self.world);
        let late = world.faults.late;
        let takes = if world.random.chance(late) { world.random.below(LATEST) } else { 0 };
        let files = (world.random.below(2) == 0).then(|| lock_disk(&self.disk).read(order.now));
        if takes > 0 {
            world.note(&format!("a look at the files takes {takes} ms"));
        }
        self.under_way = Some(UnderWay { until: order.now.plus(Millis(takes)), files });
    }

    fn found(&mut self) -> Option<Found> {
        let now = lock(&self.world).now;
        let over = self.under_way.take_if(|look| look.until <= now)?;
        let files = over.files.unwrap_or_else(|| lock_disk(&self.disk).read(now));
        let loaded = Loaded { files, watch: WatchSet::default(), complete: true };
        let seen = Seen { loaded, polled: BTreeMap::new(), unseen: false };
        Some(Found::Seen(Box::new(seen)))
    }

    fn nobody_knows(&self, why: &str, now: Moment) -> SiteFiles {
        let mut files = SiteFiles::nothing(DIR, DIR);
        let kind = FileProblemKind::DirectoryUnreadable(why.to_owned());
        files.wharf = Known::Unknown { since: now, reason: kind.reason() };
        files.sessions = Managed::Unknown { since: now, reason: kind.reason() };
        files.unreadable.push(FileProblem { file: Arc::from(DIR), kind });
        files
    }
}

fn found(fault: Option<&Fault>, id: &str, text: &str) -> Option<(String, Known<Source>)> {
    let text = match fault {
        Some(Fault::Missing { id: missing }) if missing == id => return None,
        Some(Fault::Torn { id: torn, bytes }) if torn == id => text.get(..*bytes).unwrap_or(""),
        _ => text,
    };
    let source = Source::new(format!("{DIR}/sessions.d/{id}.toml"), text);
    Some((id.to_owned(), Known::Present(source)))
}
