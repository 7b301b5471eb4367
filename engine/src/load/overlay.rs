//! Puts one staged file over a site that was read: `check --as PATH=STAGED`, `plan --as PATH=STAGED`.
//!
//! Problems then name PATH, the place that the text is meant for, and not the temporary file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::site::{ClusterFile, DropIn, FileProblem, Managed, SiteFiles, WHARF_TOML};
use grammar::source::{FileKind, Source};

use super::read::{Found, Open, read_file};
use super::{identity, own_stem, shown, unknown};

/// Why a staged file cannot be put over a site.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// Nobody would read it there.
    #[error("{} is no file of this site", .path.display())]
    NotOfThisSite {
        /// The place that was named.
        path: PathBuf,
    },
    /// A directory that is searched before has the file already.
    #[error("{} would not be read: {by} comes first", .path.display())]
    Hidden {
        /// The place that was named.
        path: PathBuf,
        /// The file that is read instead.
        by: String,
    },
    /// There is no such staged file.
    #[error("the staged file {} does not exist", .staged.display())]
    StagedMissing {
        /// The file that was named.
        staged: PathBuf,
    },
    /// The directory that it is meant for cannot be read, so nobody knows beside what it would stand.
    #[error("{dir} is not known: {reason}")]
    DirectoryUnknown {
        /// Which directory.
        dir: String,
        /// Why not.
        reason: String,
    },
}

/// What a path means in a site.
enum Place {
    Workbench(FileKind),
    Cluster(ClusterFile),
    Wharf,
    DropIn(DropIn, String),
}

/// Reads `staged` as if it stood at `path`: a whole path, or the short name that plans use. Gives the
/// path of that place as shown.
///
/// # Errors
/// [`OverlayError`]; the site is unchanged then. A staged file that is no text is no error but
/// unknown in its place, with the problem that it would be there.
pub fn overlay(
    files: &mut SiteFiles,
    path: &Path,
    staged: &Path,
    open: &Open<'_>,
    now: Moment,
) -> Result<Arc<str>, OverlayError> {
    let not_here = || OverlayError::NotOfThisSite { path: path.to_owned() };
    let (place, file) = place_of(files, path).ok_or_else(not_here)?;
    if let Some(by) = hidden_by(files, &place, &file) {
        return Err(OverlayError::Hidden { path: path.to_owned(), by });
    }
    let (known, problem) = match read_file(staged, open) {
        Found::Absent => return Err(OverlayError::StagedMissing { staged: staged.to_owned() }),
        Found::Text(text) => (Known::Present(Source::new(Arc::clone(&file), text)), None),
        Found::Problem(kind) => (unknown(&kind, now), Some(kind)),
    };
    put(files, place, known)?;
    files.unreadable.retain(|problem| problem.file != file);
    files.unreadable.extend(problem.map(|kind| FileProblem { file: Arc::clone(&file), kind }));
    name_cluster_files_anew(files, open, now);
    files.unreadable.sort();
    super::facts::collect(files, now);
    Ok(file)
}

/// The files of clusters that a site names and of which nothing is known yet.
pub(super) fn new_cluster_files(files: &SiteFiles) -> BTreeSet<ClusterFile> {
    let named = files.named_cluster_files().into_iter().map(|named| named.file);
    named.filter(|file| !files.cluster_files.contains_key(file)).collect()
}

/// A staged file may name other files of clusters than the one in its place.
fn name_cluster_files_anew(files: &mut SiteFiles, open: &Open<'_>, now: Moment) {
    loop {
        let new = new_cluster_files(files);
        if new.is_empty() {
            break;
        }
        for named in new {
            let path = files.locate(&named.path);
            let known = match read_file(Path::new(&path), open) {
                Found::Text(text) => Known::Present(Source::new(path, text)),
                Found::Absent => Known::Absent,
                Found::Problem(kind) => {
                    let known = unknown(&kind, now);
                    files.unreadable.push(FileProblem { file: Arc::from(path), kind });
                    known
                }
            };
            files.cluster_files.insert(named, known);
        }
    }
    let named: BTreeSet<ClusterFile> =
        files.named_cluster_files().into_iter().map(|named| named.file).collect();
    files.cluster_files.retain(|file, _| named.contains(file));
}

fn put(files: &mut SiteFiles, place: Place, known: Known<Source>) -> Result<(), OverlayError> {
    match place {
        Place::Workbench(kind) => {
            files.workbench.insert(kind, known);
        }
        Place::Cluster(file) => {
            files.cluster_files.insert(file, known);
        }
        Place::Wharf => files.wharf = known,
        Place::DropIn(drop_in, stem) => match files.managed_mut(drop_in) {
            Managed::Managed(things) => {
                things.insert(stem, known);
            }
            // The first file of its kind makes the directory.
            managed @ Managed::NotManaged => {
                *managed = Managed::Managed([(stem, known)].into());
            }
            Managed::Unknown { reason, .. } => {
                let dir = drop_in.dir_name().to_owned();
                return Err(OverlayError::DirectoryUnknown { dir, reason: reason.clone() });
            }
        },
    }
    Ok(())
}

/// Which file of the site is meant, and its path as shown.
fn place_of(files: &SiteFiles, path: &Path) -> Option<(Place, Arc<str>)> {
    let name = path.file_name()?.to_str()?;
    let dir = path.parent().unwrap_or(Path::new(""));
    if let Some(kind) = FileKind::of_file_name(name) {
        let found = files.workbench.get(&kind).and_then(Known::present);
        if let Some(source) = found.filter(|_| dir.as_os_str().is_empty()) {
            return Some((Place::Workbench(kind), Arc::clone(&source.file)));
        }
        let known = workbench_dirs(files).find(|known| is_same_dir(dir, known))?;
        return Some((Place::Workbench(kind), shown(&Path::new(&**known).join(name))));
    }
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let mut clusters = files.cluster_files.keys();
    if let Some(named) =
        clusters.find(|named| absolute(Path::new(&files.locate(&named.path))) == absolute(path))
    {
        let file = Arc::from(files.locate(&named.path));
        return Some((Place::Cluster(named.clone()), file));
    }
    let own = Path::new(&*files.own_dir);
    if name == WHARF_TOML {
        return is_same_dir(dir, &files.own_dir).then(|| (Place::Wharf, shown(&own.join(name))));
    }
    let stem = own_stem(name)?;
    let drop_in = DropIn::ALL.into_iter().find(|drop_in| dir.ends_with(drop_in.dir_name()))?;
    let above = dir.parent().unwrap_or(Path::new(""));
    let file = shown(&own.join(drop_in.dir_name()).join(name));
    is_same_dir(above, &files.own_dir).then(|| (Place::DropIn(drop_in, stem.to_owned()), file))
}

fn workbench_dirs(files: &SiteFiles) -> impl Iterator<Item = &Arc<str>> {
    [&files.workbench_dir].into_iter().chain(&files.searched)
}

/// The file of an earlier directory that would be read instead of `file`.
fn hidden_by(files: &SiteFiles, place: &Place, file: &str) -> Option<String> {
    let Place::Workbench(kind) = place else { return None };
    let found = files.workbench.get(kind)?.present()?;
    let rank = |file: &str| {
        let above = Path::new(file).parent();
        workbench_dirs(files).position(|dir| above == Some(Path::new(&**dir)))
    };
    (rank(&found.file)? < rank(file)?).then(|| found.file.to_string())
}

/// Whether `dir` is the site's directory `known`, by name or by what it leads to; an empty one
/// comes of a short name.
fn is_same_dir(dir: &Path, known: &str) -> bool {
    if dir.as_os_str().is_empty() {
        return true;
    }
    let known = Path::new(known);
    let absolute = |dir: &Path| std::path::absolute(dir).ok();
    absolute(dir) == absolute(known)
        || (identity(dir).is_some() && identity(dir) == identity(known))
}
