//! What the last start of an instance has put on record, and how it is found again without looking at any file of the
//! site: by what it was told.
//!
//! It says where things are and nothing of what the files ask for: that is in the store.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use engine_core::whereabouts::{Earlier, Named};
use serde::{Deserialize, Serialize};

use super::Start;
use crate::cli::{Global, Place};
use crate::layout::Layout;
use crate::load::{Own, SearchDir, SiteDirs, Workbench};
use crate::whole_file;

/// The format of the record.
const FORMAT: u32 = 1;

/// By what a start is found again: what it was told, without looking at any file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Key {
    /// The directory that was given.
    given: Option<PathBuf>,
    /// What goes before absolute paths.
    root: Option<PathBuf>,
    /// Variables that name directories, as far as they say anything beside that.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl Key {
    pub(super) fn of(global: &Global, dir: Option<&Path>) -> Self {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let given = dir.or(global.config.as_deref()).map(whole);
        let search: &[&str] =
            if given.is_some() { &[] } else { &["RSTUDIO_CONFIG_DIR", "XDG_CONFIG_DIRS"] };
        let names = search.iter().chain(&["WHARF_OWN_DIR"]);
        let set = |name: &&str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            Some(((*name).to_owned(), value.to_string_lossy().into_owned()))
        };
        Self {
            given,
            root: global.root.as_deref().map(whole),
            env: names.filter_map(set).collect(),
        }
    }

    /// Whose files they are, in words.
    pub(super) fn site(&self) -> String {
        self.given.as_ref().map_or("this machine".to_owned(), |dir| dir.display().to_string())
    }
}

/// Where things of an instance were at its last start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Record {
    format: u32,
    #[serde(flatten)]
    key: Key,
    pub(super) instance: String,
    pub(super) self_contained: bool,
    pub(super) store: Option<PathBuf>,
    /// What `wharf.toml` named; none = there was none.
    #[serde(default)]
    policy: Option<PolicyRecord>,
    workbench: WorkbenchRecord,
    own: OwnRecord,
    dirs_root: PathBuf,
}

/// What `wharf.toml` named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyRecord {
    instance: Option<String>,
    store: Option<String>,
    config_dir: Option<String>,
}

/// Where Workbench's files were looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WorkbenchRecord {
    Explicit(PathBuf),
    /// Each with whether it was there.
    Search(Vec<(PathBuf, bool)>),
}

/// Where ours were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OwnRecord {
    SelfContained,
    Required(PathBuf),
    Optional(PathBuf),
}

impl Record {
    pub(super) fn of(key: Key, start: &Start) -> Self {
        let workbench = match &start.dirs.workbench {
            Workbench::Explicit(dir) => WorkbenchRecord::Explicit(dir.clone()),
            Workbench::Search(dirs) => WorkbenchRecord::Search(
                dirs.iter().map(|dir| (dir.path.clone(), dir.required)).collect(),
            ),
        };
        let own = match &start.dirs.own {
            Own::SelfContained => OwnRecord::SelfContained,
            Own::Required(dir) => OwnRecord::Required(dir.clone()),
            Own::Optional(dir) => OwnRecord::Optional(dir.clone()),
        };
        let policy = start.named.clone().map(|named| PolicyRecord {
            instance: named.instance,
            store: named.store,
            config_dir: named.config_dir,
        });
        Self {
            format: FORMAT,
            key,
            instance: start.instance.clone(),
            self_contained: start.ground.self_contained,
            store: start.store.clone(),
            policy,
            workbench,
            own,
            dirs_root: start.dirs.root.clone(),
        }
    }

    /// Where that of an instance is.
    pub(super) fn path(layout: &Layout) -> PathBuf {
        layout.state.join("start.json")
    }

    /// One that was written by another version says nothing.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (record.format == FORMAT).then_some(record)
    }

    /// Writes it in its instance's state, so that it is the last one of those that were told the same, and the only one:
    /// an instance whose files were given another name has another state.
    ///
    /// # Errors
    /// It cannot be written, or an earlier one of another instance stays.
    pub(super) fn put(&self, layout: &Layout) -> io::Result<()> {
        let path = Self::path(layout);
        whole_file::put(&path, &serde_json::to_vec(self).map_err(io::Error::other)?)?;
        // By their instance: the same file may have two names.
        let others = Self::all_of(&self.key)
            .into_iter()
            .filter(|(_, other)| other.instance != self.instance);
        others.into_iter().try_for_each(|(other, _)| std::fs::remove_file(other))
    }

    /// The last start that was told the same.
    pub(super) fn find(key: &Key) -> Option<Self> {
        let written = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
        let all = Self::all_of(key);
        all.into_iter().max_by_key(|(path, _)| written(path)).map(|(_, record)| record)
    }

    /// Of every instance that was told this.
    fn all_of(key: &Key) -> Vec<(PathBuf, Self)> {
        let here = Place::here();
        let paths = here.instances().into_keys().map(|name| Self::path(&here.layout(&name)));
        let found = paths.filter_map(|path| {
            let record = Self::read(&path).filter(|record| record.key == *key)?;
            Some((path, record))
        });
        found.collect()
    }

    /// What it says of the policy, for deciding whether the files are believed.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier { policy: self.policy.is_some(), self_contained: self.self_contained }
    }

    /// What `wharf.toml` named.
    pub(super) fn named(&self) -> Option<Named> {
        self.policy.clone().map(|policy| Named {
            instance: policy.instance,
            store: policy.store,
            config_dir: policy.config_dir,
        })
    }

    pub(super) fn site_dirs(&self) -> SiteDirs {
        let workbench = match &self.workbench {
            WorkbenchRecord::Explicit(dir) => Workbench::Explicit(dir.clone()),
            WorkbenchRecord::Search(dirs) => Workbench::Search(
                dirs.iter()
                    .map(|(path, required)| SearchDir { path: path.clone(), required: *required })
                    .collect(),
            ),
        };
        let own = match &self.own {
            OwnRecord::SelfContained => Own::SelfContained,
            OwnRecord::Required(dir) => Own::Required(dir.clone()),
            OwnRecord::Optional(dir) => Own::Optional(dir.clone()),
        };
        SiteDirs { workbench, own, root: self.dirs_root.clone() }
    }
}
