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
use crate::ids::{Digest, Moment, SiteDigest};
use crate::known::Known;

mod cluster_files;
mod doubt;
mod problem;
mod wanted;

pub use self::cluster_files::{
    ClusterFile, MAX_CLUSTER_FILES, NamedClusterFile, kinds_of_type, named_by,
};
pub use self::problem::{FileProblem, FileProblemKind, Stray, StrayKind};
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
    Managed(BTreeMap<String, Known<Source>>),
    /// The directory could not be read: what is in it, and whether, nobody knows.
    Unknown {
        /// Since when.
        since: Moment,
        /// Why, in words for a person.
        reason: String,
    },
}

impl Managed {
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

    /// Hash of what the files say: names, presence and bytes, whatever directory they were found in.
    ///
    /// An unreadable file counts as such, with the reason, never as empty or absent. So do files
    /// whose mere presence is an error; other files that nobody reads do not count. So do facts of the
    /// machine that refuse the set ([`Facts::refusing`]), and no others.
    #[must_use]
    pub fn digest(&self) -> SiteDigest {
        let mut frames = Frames::default();
        // An absent file is no frame, so that a new kind of file changes no digest.
        for (kind, file) in self.workbench.iter().filter(|(_, file)| !matches!(file, Known::Absent))
        {
            frames.file(kind.file_name(), file);
        }
        for (file, known) in &self.cluster_files {
            frames.frame(b'c', file.kind.file_name().as_bytes());
            frames.file(&file.path, known);
        }
        frames.file(WHARF_TOML, &self.wharf);
        for drop_in in DropIn::ALL {
            frames.directory(drop_in.dir_name(), self.managed(drop_in));
        }
        for stray in self.stray.iter().filter(|stray| stray.kind == StrayKind::OwnInWorkbench) {
            frames.frame(b'!', self.short_name(&stray.file).as_bytes());
        }
        for fact in self.facts.refusing() {
            frames.frame(b'f', fact.as_bytes());
        }
        SiteDigest(Digest::of(&frames.0))
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

    /// Takes over what did not change since an earlier reading: the same text in the same
    /// allocation, and the moment since when an unreadable file has been so.
    pub fn take_over(&mut self, earlier: &SiteFiles) {
        for (kind, file) in &mut self.workbench {
            take_over_file(file, earlier.workbench.get(kind));
        }
        for (named, file) in &mut self.cluster_files {
            take_over_file(file, earlier.cluster_files.get(named));
        }
        take_over_file(&mut self.wharf, Some(&earlier.wharf));
        for drop_in in DropIn::ALL {
            match (self.managed_mut(drop_in), earlier.managed(drop_in)) {
                (Managed::Managed(files), Managed::Managed(before)) => {
                    for (stem, file) in files {
                        take_over_file(file, before.get(stem));
                    }
                }
                (Managed::Unknown { since, .. }, Managed::Unknown { since: before, .. }) => {
                    *since = *before.min(since);
                }
                _ => {}
            }
        }
    }
}

/// See [`SiteFiles::take_over`].
fn take_over_file(file: &mut Known<Source>, before: Option<&Known<Source>>) {
    match (file, before) {
        (Known::Present(source), Some(Known::Present(before))) if source.is(before) => {
            *source = before.clone();
        }
        (Known::Unknown { since, .. }, Some(Known::Unknown { since: before, .. })) => {
            *since = *before.min(since);
        }
        _ => {}
    }
}

/// What is hashed: tag, length, bytes, again and again, so that no two sets read the same.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn frame(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend((bytes.len() as u64).to_le_bytes());
        self.0.extend(bytes);
    }

    fn file(&mut self, name: &str, file: &Known<Source>) {
        self.frame(b'n', name.as_bytes());
        match file {
            Known::Present(source) => {
                self.frame(b'p', Digest::of_source(source).to_string().as_bytes());
            }
            Known::Absent => self.frame(b'a', b""),
            Known::Unknown { reason, .. } => self.frame(b'u', reason.as_bytes()),
        }
    }

    fn directory(&mut self, name: &str, managed: &Managed) {
        self.frame(b'd', name.as_bytes());
        match managed {
            Managed::NotManaged => self.frame(b'a', b""),
            Managed::Unknown { reason, .. } => self.frame(b'u', reason.as_bytes()),
            Managed::Managed(files) => {
                self.frame(b'p', &(files.len() as u64).to_le_bytes());
                for (stem, file) in files {
                    self.file(stem, file);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
