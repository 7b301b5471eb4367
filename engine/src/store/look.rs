//! Looks into a store that no engine has open, and changes nothing of it: what an export and a check without an engine
//! are made of.
//!
//! sled has no reading without writing (opening it cuts off what it cannot read), so a copy is opened, in a directory
//! of this account's own that goes away again. Nobody can open the store meanwhile. Read next: [`super::restore`].

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use engine_core::ids::Moment;

use super::directory::{Directory, OpenError, failed};
use super::disk::{DiskError, Found};
use super::recovery::{open_limited, refused};
use super::snapshot::{self, Image};

/// What a store holds, and where that was read.
#[derive(Debug)]
pub struct Looked {
    /// Everything in it; none = there is nothing that could be read.
    pub image: Option<Image>,
    /// The file or directory that it was read from.
    pub from: PathBuf,
    /// What is damaged of the store itself, where a snapshot had to do.
    pub damage: Option<String>,
    /// Snapshots that could not be used, each with its reason.
    pub refused: Vec<String>,
}

/// Looks into the store at `dir`; `instance` and `now` name what was found.
///
/// # Errors
/// An engine has it open, a newer program wrote it, or the system says no. A damaged store is none.
pub fn look(dir: &Path, instance: &str, now: Moment) -> Result<Looked, OpenError> {
    let directory = Directory::existing(dir);
    let _held = directory.hold()?;
    let was_complete = directory.read_format()?;
    let damage = if directory.has_data() {
        match read_copy(&directory) {
            Ok(Some(found)) => {
                let image = Image::of(&found, instance, now);
                let from = directory.data();
                return Ok(Looked { image: Some(image), from, damage: None, refused: Vec::new() });
            }
            Ok(None) => was_complete.then(|| "its records are gone".to_owned()),
            Err(Unread::Damaged(reason)) => Some(reason),
            Err(Unread::Refused(error)) => return Err(error),
        }
    } else {
        was_complete.then(|| "its data are gone".to_owned())
    };
    let (newest, refused) = snapshot::load_newest(&directory.snapshot());
    let refused = refused.iter().map(|error| crate::chain(error)).collect();
    let (from, image) = newest.map_or((dir.to_path_buf(), None), |(path, of)| (path, Some(of)));
    Ok(Looked { image, from, damage, refused })
}

enum Unread {
    Damaged(String),
    Refused(OpenError),
}

fn read_copy(directory: &Directory) -> Result<Option<super::table::Table>, Unread> {
    let copy = Scratch::new().map_err(|error| Unread::Refused(scratch_failed(error)))?;
    let data = copy.0.join("data");
    copy_files(&directory.data(), &data)
        .map_err(|error| Unread::Refused(failed("copy", &directory.data())(error)))?;
    match open_limited(&data) {
        Ok((_disk, Found { table, .. })) => Ok(table),
        Err(DiskError::Damaged(reason)) => Err(Unread::Damaged(reason)),
        Err(error) => Err(Unread::Refused(refused(directory, error))),
    }
}

fn scratch_failed(error: io::Error) -> OpenError {
    failed("make a directory in", &std::env::temp_dir())(error)
}

/// A directory that nobody else can enter; it goes with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for n in 0..100 {
            let path = base.join(format!("wharf-look-{}-{n}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it holds nothing that the store does not, and nobody else can enter it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies plain files and directories; nothing else is part of a store.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
