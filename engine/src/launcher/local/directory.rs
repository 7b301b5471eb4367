//! One incarnation's directory, read again only when something was put into it.
//!
//! A thousand sessions are looked at every round; of each that is one `stat` of the directory and a
//! look at two processes. Judges nothing. Read next: [`super::phase`].

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use engine_core::ids::Moment;

use super::phase::{Found, Records};
use crate::keeper;
use crate::keeper::record::{self, ENDING, EXIT, IDENTITY, READY, Ready, RecordError, SPEC, Spec};

/// A change younger than this may share its time stamp with a later one.
const GRAIN: Duration = Duration::from_millis(50);

/// What is remembered of one directory.
pub(super) struct Directory {
    /// What it was like when its records were read; none = read them again.
    stamp: Option<Stamp>,
    records: Result<Arc<Records>, String>,
    first_seen: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: SystemTime,
}

impl Directory {
    pub(super) fn new() -> Self {
        let records = Err("it was not read yet".to_owned());
        Self { stamp: None, records, first_seen: Instant::now() }
    }

    /// Its records and who of it is alive.
    ///
    /// # Errors
    /// Why nothing is known, in words.
    pub(super) fn look(
        &mut self,
        path: &Path,
        boot_id: &str,
        patience: Duration,
    ) -> Result<(Arc<Records>, Found), String> {
        let mut records = self.read(path)?;
        let mut found = self.find(&records, path, boot_id, patience)?;
        if records.exit.is_none() && !found.child && !found.keeper {
            // Both gone and no exit record: it may have been written after it was looked for.
            self.stamp = None;
            records = self.read(path)?;
            found = self.find(&records, path, boot_id, patience)?;
        }
        Ok((records, found))
    }

    fn find(
        &self,
        records: &Records,
        path: &Path,
        boot_id: &str,
        patience: Duration,
    ) -> Result<Found, String> {
        let this_boot = records.boot_id().is_none_or(|recorded| recorded == boot_id);
        let overdue = self.first_seen.elapsed() >= patience;
        let mut found = Found { this_boot, overdue, ready: records.ready, ..Found::default() };
        if records.exit.is_some() || !this_boot {
            return Ok(found);
        }
        if let Some(identity) = &records.identity {
            let proc = |error: io::Error| format!("its processes cannot be seen: {error}");
            found.child = identity.child.is_running().map_err(proc)?;
            found.keeper = identity.keeper.is_running().map_err(proc)?;
        } else if overdue {
            // No shorter proof that there is no keeper: one listens before it does anything else.
            found.keeper = keeper::connect(path).is_ok();
        }
        Ok(found)
    }

    fn read(&mut self, path: &Path) -> Result<Arc<Records>, String> {
        let stamp = Stamp::of(path).map_err(|error| format!("its directory: {error}"))?;
        if self.stamp != Some(stamp) {
            self.records = read_records(path, stamp).map(Arc::new);
            let age = SystemTime::now().duration_since(stamp.modified).unwrap_or_default();
            self.stamp = (age > GRAIN).then_some(stamp);
        }
        self.records.clone()
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let stat = path.symlink_metadata()?;
        Ok(Self { inode: stat.ino(), modified: stat.modified()? })
    }

    fn moment(&self) -> Moment {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

fn read_records(path: &Path, stamp: Stamp) -> Result<Records, String> {
    let dir = record::open_dir(path).map_err(|error| format!("its directory: {error}"))?;
    let dir = dir.as_fd();
    let words = |error: RecordError| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Ok(Records {
        spec: record::read::<Spec>(dir, SPEC).map_err(words)?.map(Arc::new),
        identity: record::read(dir, IDENTITY).map_err(words)?,
        ready: record::read::<Ready>(dir, READY).map_err(words)?.is_some(),
        ending: record::read(dir, ENDING).map_err(words)?,
        exit: record::read(dir, EXIT).map_err(words)?,
        changed_at: stamp.moment(),
    })
}
