//! The files of a site as read: texts, absences, and what could not be read, as plain values.
//!
//! Opens nothing (`load` in the engine does) and understands no text (lowering does). Every file is
//! [`Known`]: unreadable is not absent, a missing directory is "not managed", an empty one "none
//! wanted" (design.md §4). Read next: [`crate::accept`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grammar::codes::UNKNOWN_OPTION;
use grammar::error::{Problem, Severity};
use grammar::kind::Names;
use grammar::source::{FileKind, Source};

use crate::facts::Facts;
use crate::ids::Moment;
use crate::known::Known;
use crate::shared_map::SharedMap;

mod cluster_files;
mod digest;
mod doubt;
mod problem;
mod taken_over;
mod wanted;

pub use self::cluster_files::{
    ClusterFile, MAX_CLUSTER_FILES, NamedClusterFile, kinds_of_type, named_by,
};
pub use self::problem::{FileProblem, FileProblemKind, Stray, StrayKind};
pub(crate) use self::taken_over::{is_same_directory, is_same_file};
pub use self::wanted::Wanted;

/// Files up to this many bytes are read; greater ones are a problem.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Our policy file's name.
pub const WHARF_TOML: &str = "wharf.toml";

/// One of our drop-in directories: one thing is one file, and the file's name is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropIn {
    /// `sessions.d`.
    Sessions,
    /// `templates.d`.
    Templates,
    /// `gateways.d`.
    Gateways,
    /// `nodes.d`.
    Nodes,
}

impl DropIn {
    /// Every one, in the order in which they are read and shown.
    pub const ALL: [DropIn; 4] =
        [DropIn::Sessions, DropIn::Templates, DropIn::Gateways, DropIn::Nodes];

    /// The directory's name.
    #[must_use]
    pub fn dir_name(self) -> &'static str {
        match self {
            DropIn::Sessions => "sessions.d",
            DropIn::Templates => "templates.d",
            DropIn::Gateways => "gateways.d",
            DropIn::Nodes => "nodes.d",
        }
    }
}

/// The files of one of our directories.
#[derive(Clone, Debug)]
pub enum Managed {
    /// The directory does not exist: nothing of this kind is managed by files, nothing ends.
    NotManaged,
    /// The directory exists; what is not in it is not wanted. By file name without `.toml`.
    Managed(SharedMap<String, Known<Source>>),
    /// The directory could not be read: what is in it, and whether, nobody knows.
    Unknown {
        /// Since when.
        since: Moment,
        /// Why, in words for a person.
        reason: String,
    },
}

impl Managed {
    /// The files as a map, an empty one where the directory is missing or unknown. Cheap.
    #[must_use]
    pub fn shared(&self) -> SharedMap<String, Known<Source>> {
        match self {
            Managed::Managed(files) => files.clone(),
            Managed::NotManaged | Managed::Unknown { .. } => SharedMap::new(),
        }
    }

    /// The files, none where the directory is missing or unknown.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Known<Source>)> {
        let files = match self {
            Managed::Managed(files) => Some(files),
            Managed::NotManaged | Managed::Unknown { .. } => None,
        };
        files.into_iter().flatten().map(|(stem, file)| (stem.as_str(), file))
    }
}

/// A site's files, as one reading found them.
#[derive(Clone, Debug)]
pub struct SiteFiles {
    /// The directory of Workbench's files as shown: the one given, or the first of those searched
    /// that exists.
    pub workbench_dir: Arc<str>,
    /// Further directories in which Workbench files are looked for, in the order of precedence.
    pub searched: Vec<Arc<str>>,
    /// What goes before absolute paths that values name (`--root`); mostly empty.
    pub root: Arc<str>,
    /// Workbench's files by their default names; every kind has an entry.
    pub workbench: BTreeMap<FileKind, Known<Source>>,
    /// Files of clusters that values of those name, whatever their names.
    pub cluster_files: BTreeMap<ClusterFile, Known<Source>>,
    /// The directory of our own files as shown; the same as `workbench_dir` where self-contained.
    pub own_dir: Arc<str>,
    /// `wharf.toml`.
    pub wharf: Known<Source>,
    /// `sessions.d`.
    pub sessions: Managed,
    /// `templates.d`.
    pub templates: Managed,
    /// `gateways.d`.
    pub gateways: Managed,
    /// `nodes.d`.
    pub nodes: Managed,
    /// Files that were found and that nobody reads, ordered by path.
    pub stray: Vec<Stray>,
    /// What could not be read, ordered by path.
    pub unreadable: Vec<FileProblem>,
    /// The directories of the site, as shown, that a file system is mounted on.
    pub mounts: BTreeSet<Arc<str>>,
    /// Those that none is mounted on and that nothing is in, not even a file that nobody reads.
    pub empty: BTreeSet<Arc<str>>,
    /// What is known of the machine around them.
    pub facts: Facts,
}

impl SiteFiles {
    /// A site in which nothing was looked at yet: no file is there, nothing is managed.
    #[must_use]
    pub fn nothing(workbench_dir: impl Into<Arc<str>>, own_dir: impl Into<Arc<str>>) -> Self {
        Self {
            workbench_dir: workbench_dir.into(),
            searched: Vec::new(),
            root: Arc::from(""),
            workbench: FileKind::ALL.into_iter().map(|kind| (kind, Known::Absent)).collect(),
            cluster_files: BTreeMap::new(),
            own_dir: own_dir.into(),
            wharf: Known::Absent,
            sessions: Managed::NotManaged,
            templates: Managed::NotManaged,
            gateways: Managed::NotManaged,
            nodes: Managed::NotManaged,
            stray: Vec::new(),
            unreadable: Vec::new(),
            mounts: BTreeSet::new(),
            empty: BTreeSet::new(),
            facts: Facts::default(),
        }
    }

    /// Every file that is one of the set as a whole: Workbench's, those of clusters, `wharf.toml`.
    pub fn of_the_set(&self) -> impl Iterator<Item = &Known<Source>> {
        let named = self.cluster_files.iter().filter(|(file, _)| !self.is_read_by_name(file));
        self.workbench.values().chain(named.map(|(_, known)| known)).chain([&self.wharf])
    }

    /// One of our directories.
    #[must_use]
    pub fn managed(&self, drop_in: DropIn) -> &Managed {
        match drop_in {
            DropIn::Sessions => &self.sessions,
            DropIn::Templates => &self.templates,
            DropIn::Gateways => &self.gateways,
            DropIn::Nodes => &self.nodes,
        }
    }

    /// One of our directories, to put something into it.
    pub fn managed_mut(&mut self, drop_in: DropIn) -> &mut Managed {
        match drop_in {
            DropIn::Sessions => &mut self.sessions,
            DropIn::Templates => &mut self.templates,
            DropIn::Gateways => &mut self.gateways,
            DropIn::Nodes => &mut self.nodes,
        }
    }

    /// The name that plans use: `launcher-env`, `nodes.d/node3.toml`; the whole path for any other file.
    #[must_use]
    pub fn short_name<'a>(&self, file: &'a str) -> &'a str {
        let dirs = [&self.workbench_dir, &self.own_dir].into_iter().chain(&self.searched);
        let below = |dir: &Arc<str>| {
            let rest = file.strip_prefix(&**dir)?;
            if dir.ends_with('/') { Some(rest) } else { rest.strip_prefix('/') }
        };
        dirs.filter_map(below)
            .filter(|rest| !rest.is_empty())
            .min_by_key(|rest| rest.len())
            .unwrap_or(file)
    }

    /// Whether all of Workbench's files and `wharf.toml` are known to be there or not.
    ///
    /// A set of which this is false must never come into force: it says nothing about what is
    /// wanted. A drop-in file that is unknown concerns its own thing only.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.of_the_set().any(Known::is_unknown)
    }

    /// Whether a problem stands in the file of one thing, in one of our directories: it concerns that
    /// thing only, and the rest of the set can come into force (design.md §6).
    #[must_use]
    pub fn is_of_one_thing(&self, problem: &Problem) -> bool {
        let Some(label) = problem.labels.first() else { return false };
        let name = self.short_name(&label.file);
        let dir = name.split_once('/').map(|(dir, _)| dir);
        dir.is_some_and(|dir| DropIn::ALL.iter().any(|drop_in| drop_in.dir_name() == dir))
    }

    /// Whether a problem is a slip in a name that the product passes over: an error to whoever checks
    /// files, and no reason not to bring them into force.
    #[must_use]
    pub fn is_ignored_slip(&self, problem: &Problem) -> bool {
        let Some(label) = problem.labels.first() else { return false };
        let of_workbench = self
            .workbench
            .iter()
            .find(|(_, file)| file.present().is_some_and(|source| source.file == label.file));
        let ignores = |kind: &FileKind| kind.facts().names == Names::Ignored;
        problem.code == UNKNOWN_OPTION && of_workbench.is_some_and(|(kind, _)| ignores(kind))
    }

    /// Files that this account may not read, as shown.
    pub fn denied(&self) -> impl Iterator<Item = &Arc<str>> {
        let denied = |problem: &&FileProblem| problem.kind == FileProblemKind::Denied;
        self.unreadable.iter().filter(denied).map(|problem| &problem.file)
    }

    /// Everything that is wrong with the files as files; `denied` as in [`FileProblem::problem`].
    #[must_use]
    pub fn problems(&self, denied: Severity) -> Vec<Problem> {
        let unreadable = self.unreadable.iter().map(|problem| problem.problem(denied));
        unreadable.chain(self.stray.iter().filter_map(Stray::problem)).collect()
    }

    /// What stands beside the files and is not read, a note for each sort.
    #[must_use]
    pub fn notes(&self) -> Vec<Problem> {
        problem::notes(&self.stray)
    }
}

#[cfg(test)]
mod tests;
