//! A store made of an exported image: only where there is none, or in the place of one that is moved aside whole.
//!
//! Deletes nothing. Who may open it meanwhile is held off by the store's own lock. Read next: [`super::look`].

use std::fs::File;
use std::path::{Path, PathBuf};

use engine_core::ids::Moment;

use super::directory::{Directory, OpenError, failed};
use super::recovery;
use super::snapshot::{self, Image};
use crate::whole_file::sync_directory;

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
    /// It cannot be opened or written; what was there is where it was.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be written, and what was there could not be put back.
    #[error("no store was made, and the one before it lies at {aside}: move it back by hand")]
    NotBack {
        /// Where, path by path.
        aside: String,
        /// Why it was not made.
        #[source]
        source: OpenError,
    },
}

/// What was renamed: from, to.
type Moved = Vec<(PathBuf, PathBuf)>;

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
/// is then back again, or the error says where it is.
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
    let mut moved = Moved::new();
    match exchange(&directory, image, now, &mut moved) {
        Ok(()) => Ok(Restored { aside: moved.into_iter().map(|(_, to)| to).collect() }),
        Err(error) => match put_back(&directory, &moved, now) {
            Ok(()) => Err(error.into()),
            Err(_) => {
                let aside: Vec<String> =
                    moved.iter().map(|(_, to)| to.display().to_string()).collect();
                Err(RestoreError::NotBack { aside: aside.join(", "), source: error })
            }
        },
    }
}

fn exchange(
    directory: &Directory,
    image: &Image,
    now: Moment,
    moved: &mut Moved,
) -> Result<(), OpenError> {
    if directory.has_data() {
        moved.push((directory.data(), directory.move_aside("replaced", now)?));
    }
    snapshots_aside(&directory.snapshot(), now, moved)?;
    // One commit more, so that nothing written before the export can be taken for newer.
    let version = image.version.saturating_add(1);
    recovery::begin(directory, image.table(version), None).map(drop)
}

/// Undoes the renames; half of new data goes aside, too.
fn put_back(directory: &Directory, moved: &Moved, now: Moment) -> Result<(), OpenError> {
    for (from, to) in moved.iter().rev() {
        if *from == directory.data() && std::fs::symlink_metadata(from).is_ok() {
            directory.move_aside("half", now)?;
        }
        std::fs::rename(to, from).map_err(failed("move back", to))?;
        let dir = from.parent().unwrap_or(from);
        sync_directory(dir).map_err(failed("sync", dir))?;
    }
    Ok(())
}

fn snapshots_aside(snapshot: &Path, now: Moment, moved: &mut Moved) -> Result<(), OpenError> {
    for (path, end) in [(snapshot.to_path_buf(), ""), (snapshot::previous(snapshot), ".1")] {
        if std::fs::symlink_metadata(&path).is_ok() {
            let stem = snapshot.with_extension("");
            let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let aside = snapshot.with_file_name(format!("{name}.replaced-{}.jsonl{end}", now.0));
            std::fs::rename(&path, &aside).map_err(failed("move aside", &path))?;
            moved.push((path, aside));
        }
    }
    let dir = snapshot.parent().unwrap_or(snapshot);
    sync_directory(dir).map_err(failed("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_be_made_leaves_the_one_before_it() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        restore(&dir, &Image::default(), false, Moment(5)).unwrap();
        let snapshot = scratch.path().join("store.jsonl");
        std::fs::write(&snapshot, "before").unwrap();
        let db = std::fs::read(dir.join("data/db")).unwrap();
        // The format of the new one has no place to be written.
        std::fs::create_dir(dir.join("format.new")).unwrap();
        let error = restore(&dir, &Image::default(), true, Moment(6)).unwrap_err();
        assert!(matches!(error, RestoreError::Open(_)), "{error}");
        assert_eq!(std::fs::read(dir.join("data/db")).unwrap(), db);
        assert_eq!(std::fs::read_to_string(&snapshot).unwrap(), "before");
        assert!(scratch.path().join("store.half-6").is_dir());
        assert!(!scratch.path().join("store.replaced-6").exists());
    }
}
