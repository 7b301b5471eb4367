//! What an engine was last given to serve, kept beside its key: so that commands find its files and its store when none
//! runs, and nobody says where they are.
//!
//! Only paths, and none that anything is done to: whoever reads it looks at what is there. Read next: `cli/state`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::whole_file;

/// The format that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Where an instance's things are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    format: u32,
    /// The configuration directory that `serve` was given, absolute; none = this machine's.
    pub dir: Option<PathBuf>,
    /// The directory of the store.
    pub store: PathBuf,
}

impl Served {
    /// What `serve` was given.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, store: PathBuf) -> Self {
        Self { format: FORMAT, dir, store }
    }

    /// What was written down last; none = nothing was, or it cannot be read.
    #[must_use]
    pub fn read(layout: &Layout) -> Option<Self> {
        let text = std::fs::read(file(layout)).ok()?;
        serde_json::from_slice(&text).ok().filter(|served: &Self| served.format <= FORMAT)
    }

    /// Writes it down, whole or not at all.
    ///
    /// # Errors
    /// The system refused; what was there is there still.
    pub fn write(&self, layout: &Layout) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        whole_file::put(&file(layout), &text)
    }
}

fn file(layout: &Layout) -> PathBuf {
    Path::new(&layout.state).join("served.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_what_is_none_of_ours_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout { state: dir.path().into(), runtime: dir.path().into() };
        assert_eq!(Served::read(&layout), None);
        let served = Served::new(Some("/srv/site".into()), "/srv/store".into());
        served.write(&layout).unwrap();
        assert_eq!(Served::read(&layout), Some(served));
        for text in ["{", r#"{"format":2,"store":"/x"}"#, r#"{"format":1}"#] {
            std::fs::write(file(&layout), text).unwrap();
            assert_eq!(Served::read(&layout), None, "{text}");
        }
    }
}
