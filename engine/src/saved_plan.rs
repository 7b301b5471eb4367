//! A plan as a file: what `wharf plan --out` writes and `wharf apply FILE` holds to.
//!
//! Strict about the files (their digest), tolerant of the world: it keeps what happens to which thing and how
//! bad that is, and no incarnation, node, load or time. Holds nothing secret; it is written 0600 all the same,
//! since it says who runs what. Decides nothing: `engine_core::approval` does.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use engine_core::approval::Matter;
use engine_core::ids::{Generation, Moment, SiteDigest};
use engine_core::plan::{Impact, Mark, Resource};
use serde::{Deserialize, Serialize};

/// The format written.
pub const FORMAT: u32 = 1;

/// A plan that a person has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavedPlan {
    /// [`FORMAT`].
    pub format: u32,
    /// The directory that is served.
    pub site: String,
    /// What was planned for: `staged: 1 file`, `on disk`.
    pub against: String,
    /// The digest of the files that were planned for.
    pub digest: SiteDigest,
    /// The generation that was in force then; 0 = none.
    pub generation: Generation,
    /// When.
    pub made_at: Moment,
    /// The summary line.
    pub summary: String,
    /// Whether part of it takes effect with the engine's next start only.
    pub needs_engine_restart: bool,
    /// What happens to which thing.
    pub steps: Vec<SavedMatter>,
}

/// What happens to a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavedMatter {
    /// `session/demo`.
    pub resource: Resource,
    /// `end`, `restart`, `start`, `change`.
    pub action: Mark,
    /// How bad it is for people.
    pub impact: Impact,
}

impl From<Matter> for SavedMatter {
    fn from(Matter { resource, mark, impact }: Matter) -> Self {
        Self { resource, action: mark, impact }
    }
}

impl From<SavedMatter> for Matter {
    fn from(SavedMatter { resource, action, impact }: SavedMatter) -> Self {
        Self { resource, mark: action, impact }
    }
}

/// Why a file is no saved plan, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// The file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no saved plan: write one with `wharf plan --out`", path.display())]
    Garbled {
        /// Which.
        path: PathBuf,
        /// How so.
        #[source]
        source: serde_json::Error,
    },
    /// It was written by a newer program.
    #[error("{} has format {found}; this program knows {FORMAT}", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// What was found.
        found: u32,
    },
}

/// The part of a saved plan that every version has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl SavedPlan {
    /// Reads one.
    ///
    /// # Errors
    /// It cannot be read, or is none that this program knows.
    pub fn read(path: &Path) -> Result<Self, SavedPlanError> {
        let at = || path.to_owned();
        let text = std::fs::read_to_string(path)
            .map_err(|source| SavedPlanError::File { path: at(), source })?;
        let garbled = |source| SavedPlanError::Garbled { path: at(), source };
        let version: Version = serde_json::from_str(&text).map_err(garbled)?;
        if version.format > FORMAT {
            return Err(SavedPlanError::Newer { path: at(), found: version.format });
        }
        serde_json::from_str(&text).map_err(garbled)
    }

    /// Writes it, whole or not at all, readable by this account only from the first byte.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SavedPlanError> {
        let failed = |source| SavedPlanError::File { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|source| SavedPlanError::Garbled { path: path.to_owned(), source })?;
        text.push(b'\n');
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&beside, path));
        written.map_err(|source| {
            // What was begun is of no use to anybody.
            let _ = std::fs::remove_file(&beside);
            failed(source)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use engine_core::ids::Digest;

    use super::*;

    fn plan() -> SavedPlan {
        SavedPlan {
            format: FORMAT,
            site: "/etc/rstudio".to_owned(),
            against: "on disk".to_owned(),
            digest: SiteDigest(Digest::of(b"x")),
            generation: Generation(4),
            made_at: Moment(1),
            summary: "Plan: 1 end.".to_owned(),
            needs_engine_restart: false,
            steps: vec![SavedMatter {
                resource: Resource::Session("demo".parse().unwrap()),
                action: Mark::End,
                impact: Impact::Ended,
            }],
        }
    }

    #[test]
    fn it_reads_back_and_nobody_else_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan");
        std::fs::write(&path, "an older one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        plan().write(&path).unwrap();
        assert_eq!(SavedPlan::read(&path).unwrap(), plan());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_plan_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan");
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            SavedPlan::read(&path).unwrap_err().to_string()
        };
        assert!(said("{}").contains("is no saved plan"));
        assert!(said("hello").contains("is no saved plan"));
        assert!(said(r#"{"format":2,"new":true}"#).contains("has format 2"));
    }
}
