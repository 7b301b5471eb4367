//! A store made of an exported image: only where there is none, or in the place of one that is moved aside whole.
//!
//! Deletes nothing. Who may open it meanwhile is held off by the store's own lock. Read next: [`super::look`].

use std::fs::File;
use std::path::{Path, PathBuf};

use engine_core::ids::Moment;

use super::directory::{Directory, OpenError, failed, sync_directory};
use super::recovery;
use super::snapshot::{self, Image};

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// Where the store that was there is now: its data and its snapshots.
    pub aside: Vec<PathBuf>,
}

/// Why no store was made.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is one already.
    #[error("there is a store at {} already ({found})", .path.display())]
    Occupied {
        /// Where.
        path: PathBuf,
        /// What of it was found.
        found: String,
    },
    /// It cannot be opened or written.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// What of a store is at `dir`, in words; none = nothing.
#[must_use]
pub fn found(dir: &Path) -> Option<String> {
    let directory = Directory::existing(dir);
    if directory.has_data() {
        return Some(format!("its data, {}", directory.data().display()));
    }
    let snapshot = directory.snapshot();
    snapshot::exists(&snapshot).then(|| format!("its snapshot, {}", snapshot.display()))
}

/// Makes a store of `image` at `dir`; with `replace` what is there goes aside first, named by `now`.
///
/// # Errors
/// There is one and it is not to be replaced, somebody has it open, or it cannot be written: what was moved aside
/// is then still there, beside it.
pub fn restore(
    dir: &Path,
    image: &Image,
    replace: bool,
    now: Moment,
) -> Result<Restored, RestoreError> {
    if let (Some(found), false) = (found(dir), replace) {
        return Err(RestoreError::Occupied { path: dir.to_path_buf(), found });
    }
    let directory = Directory::prepare(dir)?;
    let _lock: File = directory.lock()?;
    let mut aside = Vec::new();
    if directory.has_data() {
        aside.push(directory.move_aside("replaced", now)?);
    }
    aside.extend(snapshots_aside(&directory.snapshot(), now)?);
    // One commit more, so that nothing written before the export can be taken for newer.
    recovery::begin(&directory, image.table(image.version + 1), None)?;
    Ok(Restored { aside })
}

fn snapshots_aside(snapshot: &Path, now: Moment) -> Result<Vec<PathBuf>, OpenError> {
    let mut moved = Vec::new();
    for (path, end) in [(snapshot.to_path_buf(), ""), (snapshot::previous(snapshot), ".1")] {
        if std::fs::symlink_metadata(&path).is_ok() {
            let stem = snapshot.with_extension("");
            let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let aside = snapshot.with_file_name(format!("{name}.replaced-{}.jsonl{end}", now.0));
            std::fs::rename(&path, &aside).map_err(failed("move aside", &path))?;
            moved.push(aside);
        }
    }
    let dir = snapshot.parent().unwrap_or(snapshot);
    sync_directory(dir).map_err(failed("sync", dir))?;
    Ok(moved)
}
