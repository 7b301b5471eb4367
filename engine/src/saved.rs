//! A site's files as a record: what is stored before the first step, and what a command sends to the engine.
//!
//! Wire format of [`SiteFiles`], with a `format` of its own; core's types are not stored. A set with many
//! things is stored in parts ([`SavedSite::without_things`], [`SavedThings`]), sent as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_core::known::Known;
use engine_core::site::{ClusterFile, DropIn, Managed, SiteFiles};
use grammar::source::{FileKind, Source};
use serde::{Deserialize, Serialize};

/// The format written.
pub const FORMAT: u32 = 1;

/// A site's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavedSite {
    /// [`FORMAT`].
    pub format: u32,
    /// Directory of Workbench's files as shown.
    pub workbench_dir: String,
    /// Directory of our files as shown.
    pub own_dir: String,
    /// Workbench's files by name.
    pub workbench: BTreeMap<String, Known<SavedText>>,
    /// What went before absolute paths that values name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root: String,
    /// Files of clusters that values name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_files: Vec<SavedClusterFile>,
    /// `wharf.toml`.
    pub wharf: Known<SavedText>,
    /// Directories that a file system was mounted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
    /// Our directories by name; one that is missing here is not managed.
    pub drop_ins: BTreeMap<String, Known<BTreeMap<String, Known<SavedText>>>>,
}

/// Files of our directories, by the directory's name and the file's name without `.toml`.
pub type SavedThings = BTreeMap<String, BTreeMap<String, Known<SavedText>>>;

/// A file's text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedText {
    /// The path as shown.
    pub file: String,
    /// The text.
    pub text: String,
}

/// A file of a cluster that a value names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavedClusterFile {
    /// The default name of files of its kind.
    pub kind: String,
    /// The path, as written.
    pub path: String,
    /// The file.
    pub file: Known<SavedText>,
}

/// Why a record is no site.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It was written by a newer program.
    #[error("the stored files have format {found}; this program knows {FORMAT}")]
    Newer {
        /// What was found.
        found: u32,
    },
}

impl From<&SiteFiles> for SavedSite {
    fn from(files: &SiteFiles) -> Self {
        let mut saved = Self::without_things(files);
        for drop_in in DropIn::ALL {
            let things = files.managed(drop_in).files();
            let things = things.map(|(stem, file)| (stem.to_owned(), text_of(file))).collect();
            saved.add(SavedThings::from([(drop_in.dir_name().to_owned(), things)]));
        }
        saved
    }
}

fn saved_cluster_file((file, known): (&ClusterFile, &Known<Source>)) -> SavedClusterFile {
    SavedClusterFile {
        kind: file.kind.file_name().to_owned(),
        path: file.path.to_string(),
        file: text_of(known),
    }
}

/// A file as it is stored.
pub fn text_of(file: &Known<Source>) -> Known<SavedText> {
    file.as_ref()
        .map(|source| SavedText { file: source.file.to_string(), text: source.text.to_string() })
}

fn source_of(text: Known<SavedText>) -> Known<Source> {
    text.map(|saved| Source::new(saved.file, saved.text))
}

impl SavedSite {
    /// Everything but the files of our directories; of those only which of them are managed.
    #[must_use]
    pub fn without_things(files: &SiteFiles) -> Self {
        let drop_ins = DropIn::ALL.into_iter().filter_map(|drop_in| {
            let saved = match files.managed(drop_in) {
                Managed::NotManaged => return None,
                Managed::Managed(_) => Known::Present(BTreeMap::new()),
                Managed::Unknown { since, reason } => {
                    Known::Unknown { since: *since, reason: reason.clone() }
                }
            };
            Some((drop_in.dir_name().to_owned(), saved))
        });
        let workbench = files.workbench.iter();
        Self {
            format: FORMAT,
            workbench_dir: files.workbench_dir.to_string(),
            own_dir: files.own_dir.to_string(),
            workbench: workbench
                .map(|(kind, file)| (kind.file_name().to_owned(), text_of(file)))
                .collect(),
            root: files.root.to_string(),
            cluster_files: files.cluster_files.iter().map(saved_cluster_file).collect(),
            wharf: text_of(&files.wharf),
            mounts: files.mounts.iter().map(ToString::to_string).collect(),
            drop_ins: drop_ins.collect(),
        }
    }

    /// Puts files into the directories that are managed; those of any other are left out.
    pub fn add(&mut self, things: SavedThings) {
        for (dir, files) in things {
            if let Some(Known::Present(into)) = self.drop_ins.get_mut(&dir) {
                into.extend(files);
            }
        }
    }

    /// The files again.
    ///
    /// # Errors
    /// The record is of a newer format.
    pub fn into_files(mut self) -> Result<SiteFiles, SavedError> {
        if self.format > FORMAT {
            return Err(SavedError::Newer { found: self.format });
        }
        let mut files = SiteFiles::nothing(self.workbench_dir, self.own_dir);
        files.root = Arc::from(self.root);
        files.wharf = source_of(self.wharf);
        files.mounts = self.mounts.into_iter().map(Arc::from).collect();
        for saved in self.cluster_files {
            // A kind that this program does not know is one that it would not read.
            let Some(kind) = FileKind::of_file_name(&saved.kind) else { continue };
            let file = ClusterFile { kind, path: Arc::from(saved.path) };
            files.cluster_files.insert(file, source_of(saved.file));
        }
        for kind in FileKind::ALL {
            let file = self.workbench.remove(kind.file_name()).unwrap_or(Known::Absent);
            files.workbench.insert(kind, source_of(file));
        }
        for drop_in in DropIn::ALL {
            let managed = match self.drop_ins.remove(drop_in.dir_name()) {
                None | Some(Known::Absent) => Managed::NotManaged,
                Some(Known::Present(saved)) => Managed::Managed(
                    saved.into_iter().map(|(stem, file)| (stem, source_of(file))).collect(),
                ),
                Some(Known::Unknown { since, reason }) => Managed::Unknown { since, reason },
            };
            *files.managed_mut(drop_in) = managed;
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_site_is_the_same_site() {
        let text = |file: &str| Known::Present(Source::new(file, "x = 1\n"));
        let unknown = Known::Unknown {
            since: engine_core::ids::Moment(5),
            reason: "permission denied".to_owned(),
        };
        let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        let named = |kind, path: &str| ClusterFile { kind, path: Arc::from(path) };
        let slurm = named(FileKind::LauncherSlurmConf, "/etc/rstudio/batch.conf");
        files.cluster_files.insert(slurm, text("/etc/rstudio/batch.conf"));
        let profiles = named(FileKind::LauncherSlurmProfiles, "batch.profiles.conf");
        files.cluster_files.insert(profiles, Known::Absent);
        files.root = Arc::from("/image");
        files.wharf = text("/etc/wharf/wharf.toml");
        files.workbench.insert(FileKind::LauncherEnv, unknown);
        files.sessions =
            Managed::Managed([("a".to_owned(), text("/etc/wharf/sessions.d/a.toml"))].into());
        let json = serde_json::to_string(&SavedSite::from(&files)).unwrap();
        let again: SavedSite = serde_json::from_str(&json).unwrap();
        let again = again.into_files().unwrap();
        assert_eq!(again.digest(), files.digest());
        assert_eq!(again.root, files.root);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let mut saved = SavedSite {
            format: FORMAT + 1,
            workbench_dir: String::new(),
            own_dir: String::new(),
            workbench: BTreeMap::new(),
            root: String::new(),
            cluster_files: Vec::new(),
            mounts: Vec::new(),
            wharf: Known::Absent,
            drop_ins: BTreeMap::new(),
        };
        assert!(saved.clone().into_files().is_err());
        saved.format = FORMAT;
        assert!(saved.into_files().is_ok());
    }
}
