//! Opening a store, whatever state it is in: as it is, new, or from a snapshot when damaged.
//!
//! Deletes nothing: what cannot be trusted is moved aside. Says what happened as a value, so that
//! the engine can tell people and hold starts until somebody has looked (design.md §7).
//!
//! | DIR/format | DIR/data | snapshot | what happens |
//! |---|---|---|---|
//! | any | whole | any | opened |
//! | any | newer | any | refused: [`OpenError::Newer`] |
//! | any | the system says no | any | refused: [`OpenError::Failed`]; nothing is moved |
//! | any | damaged | any | moved aside; new one from the snapshot |
//! | yes | gone or empty | any | lost; new one from the snapshot |
//! | no | gone or empty | yes | lost; new one from the snapshot |
//! | no | gone or empty | no | a new store |

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use engine_core::ids::Moment;

use super::directory::{Directory, Mark, OpenError, STORE_FORMAT, failed};
use super::disk::{Disk, DiskError, Found};
use super::snapshot::{self, Image};
use super::table::{Changes, Table};

/// How long sled may take to open its files. It hands work to threads of its own, and one that
/// panics there leaves the opener waiting for ever.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// What opening had to repair. Starts are to be held until a person has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What was wrong, naming the records where they are known.
    pub reason: String,
    /// Where the damaged data are now; none = there were none left.
    pub aside: Option<PathBuf>,
    /// The snapshot that was loaded; none = the store is empty.
    pub snapshot: Option<SnapshotUsed>,
    /// Snapshots that could not be used, each with its reason.
    pub refused: Vec<String>,
}

/// A snapshot that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotUsed {
    /// Which file.
    pub path: PathBuf,
    /// When it was made; everything younger is lost.
    pub made_at: Moment,
    /// The newest commit in it.
    pub version: u64,
    /// How many records it held.
    pub records: usize,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store was damaged: {}", self.reason)?;
        if let Some(aside) = &self.aside {
            write!(f, "; moved to {}", aside.display())?;
        }
        match &self.snapshot {
            Some(used) => {
                write!(f, "; loaded {} records from {}", used.records, used.path.display())?;
            }
            None => f.write_str("; no snapshot could be loaded, it begins empty")?,
        }
        self.refused.iter().try_for_each(|refused| write!(f, "; {refused}"))
    }
}

/// A store that can be served.
pub(super) struct Ready {
    /// Where it is written.
    pub(super) disk: Disk,
    /// What it holds.
    pub(super) table: Table,
    /// What had to be repaired.
    pub(super) recovered: Option<Recovery>,
}

/// Opens the store in `directory`, which is locked.
pub(super) fn open(directory: &Directory, now: Moment) -> Result<Ready, OpenError> {
    let was_complete = directory.read_format()?;
    let has_data = directory.has_data();
    let known = was_complete || snapshot::exists(&directory.snapshot());
    let reason = match has_data.then(|| open_limited(&directory.data())) {
        None if !known => return begin(directory, Table::default(), None),
        None => "its data are gone".to_owned(),
        Some(Ok((disk, Found { table: Some(table), .. }))) => {
            if !was_complete {
                directory.write_format()?;
            }
            return Ok(Ready { disk, table, recovered: None });
        }
        Some(Ok((disk, Found { table: None, .. }))) => {
            drop(disk);
            // Without a format this is a first start that was cut short: nothing was acknowledged.
            if !known {
                return begin(directory, Table::default(), None);
            }
            "its records are gone".to_owned()
        }
        Some(Err(DiskError::Damaged(reason))) => reason,
        Some(Err(error)) => return Err(refused(directory, error)),
    };
    rebuild(directory, reason, now)
}

/// Moves the data aside and begins anew from the newest snapshot that can be loaded.
fn rebuild(directory: &Directory, reason: String, now: Moment) -> Result<Ready, OpenError> {
    tracing::warn!(store = %directory.path().display(), reason, "the store is damaged");
    let (aside, acknowledged) = if directory.has_data() {
        let mark = Mark::open(&directory.data()).ok().and_then(|mark| mark.read());
        (Some(directory.move_aside("damaged", now)?), mark.unwrap_or(0))
    } else {
        (None, 0)
    };
    let (newest, refused) = snapshot::load_newest(&directory.snapshot());
    let refused = refused.iter().map(ToString::to_string).collect();
    let (table, used) = match newest {
        Some((path, image)) => {
            let used = SnapshotUsed {
                path,
                made_at: image.made_at,
                version: image.version,
                records: image.records.len(),
            };
            (table_of(&image, acknowledged), Some(used))
        }
        None => (Table::of(std::collections::BTreeMap::new(), acknowledged + 1), None),
    };
    let recovery = Recovery { reason, aside, snapshot: used, refused };
    begin(directory, table, Some(recovery))
}

/// The table of a snapshot, its version above all that were ever acknowledged.
fn table_of(image: &Image, acknowledged: u64) -> Table {
    let version = image.version.max(acknowledged) + 1;
    image.table(version)
}

/// A new store that holds `table`, in one group: whole or not there.
pub(super) fn begin(
    directory: &Directory,
    table: Table,
    recovered: Option<Recovery>,
) -> Result<Ready, OpenError> {
    let data = directory.data();
    let (disk, _) = open_limited(&data).map_err(|error| refused(directory, error))?;
    let entries = table
        .entries()
        .map(|(space, name, entry)| ((space, name.to_owned()), Some(entry.clone())))
        .collect();
    disk.write(&Table::default(), &Changes { entries, tally: table.tally() })
        .map_err(|error| refused(directory, error))?;
    crate::whole_file::sync_directory(&data).map_err(failed("sync", &data))?;
    directory.write_format()?;
    Ok(Ready { disk, table, recovered })
}

pub(super) fn refused(directory: &Directory, error: DiskError) -> OpenError {
    match error {
        DiskError::Newer(found) => {
            let path = directory.path().to_path_buf();
            OpenError::Newer { path, found, known: STORE_FORMAT }
        }
        other => OpenError::Failed {
            what: format!("open the store at {}", directory.path().display()),
            source: other.into(),
        },
    }
}

/// [`Disk::open`] with a limit; a call that never returns is damage.
pub(super) fn open_limited(data: &Path) -> Result<(Disk, Found), DiskError> {
    let (done, opened) = sync_channel(1);
    let path = data.to_path_buf();
    let spawned = std::thread::Builder::new().name("store-open".to_owned()).spawn(move || {
        // Who waited may have gone.
        let _ = done.send(Disk::open(&path));
    });
    if let Err(source) = spawned {
        return Err(DiskError::Io { what: "start a thread", source: source.into() });
    }
    opened.recv_timeout(OPEN_LIMIT).unwrap_or_else(|gone| {
        Err(DiskError::Damaged(match gone {
            RecvTimeoutError::Timeout => {
                format!("sled did not open it within {} s", OPEN_LIMIT.as_secs())
            }
            RecvTimeoutError::Disconnected => "sled gave up opening it".to_owned(),
        }))
    })
}
