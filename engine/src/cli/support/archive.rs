//! A tar archive that nobody but this account may read, from its first byte on; half of one is removed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An archive that is being written.
pub(super) struct Archive {
    path: PathBuf,
    /// The directory that all of it lies in.
    top: String,
    to: tar::Builder<File>,
    done: bool,
}

impl Archive {
    /// Makes it; something that is there already is left alone.
    pub(super) fn create(path: &Path, top: &str) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let to = tar::Builder::new(file);
        Ok(Self { path: path.to_owned(), top: top.to_owned(), to, done: false })
    }

    /// Adds a file.
    pub(super) fn file(&mut self, name: &str, text: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(crate::cli::now().0 / 1000).unwrap_or(0));
        self.to.append_data(&mut header, format!("{}/{name}", self.top), text)
    }

    /// Ends it; how many bytes it has.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        self.to.finish()?;
        let file = self.to.get_mut();
        file.flush()?;
        file.sync_all()?;
        self.done = true;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
