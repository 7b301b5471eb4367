//! Files of clusters that values name: `config-file` of `launcher.conf`, `profile-config` and
//! `resource-profile-config` of a cluster's own file (files.md §3, §10).
//!
//! A cluster without `config-file` has the file of its type's default name, which is one of
//! [`FileKind::ALL`] and not listed here. Opens nothing: says which files are named and where they would
//! be; `load` reads them, in as many rounds as new names turn up (two).

use std::sync::Arc;

use grammar::document::{Document, Section};
use grammar::source::{FileKind, Source};
use grammar::span::Span;

use super::SiteFiles;
use crate::known::Known;

/// More files than this are not read: no honest site has as many clusters.
pub const MAX_CLUSTER_FILES: usize = 256;

/// A file of a cluster, as a value names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterFile {
    /// By which kind's rules it is read.
    pub kind: FileKind,
    /// The path, as written.
    pub path: Arc<str>,
}

/// A value that names a file of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedClusterFile {
    /// The file that is named.
    pub file: ClusterFile,
    /// The option that names it.
    pub option: &'static str,
    /// The file, as shown, in which that stands.
    pub by: Arc<str>,
    /// The value's place there.
    pub span: Span,
}

/// The kinds of a type of cluster.
#[derive(Debug)]
pub struct OfType {
    word: &'static str,
    /// Its own file.
    pub own: FileKind,
    /// Limits by level.
    pub profiles: FileKind,
    /// Named sizes.
    pub resources: FileKind,
}

/// The kinds of files of a type of cluster, named in any letter case; none for one that is not the product's.
#[must_use]
pub fn kinds_of_type(word: &str) -> Option<&'static OfType> {
    TYPES.iter().find(|of| of.word.eq_ignore_ascii_case(word))
}

const TYPES: [OfType; 3] = [
    OfType {
        word: "Local",
        own: FileKind::LauncherLocalConf,
        profiles: FileKind::LauncherLocalProfiles,
        resources: FileKind::LauncherLocalResources,
    },
    OfType {
        word: "Slurm",
        own: FileKind::LauncherSlurmConf,
        profiles: FileKind::LauncherSlurmProfiles,
        resources: FileKind::LauncherSlurmResources,
    },
    OfType {
        word: "Kubernetes",
        own: FileKind::LauncherKubernetesConf,
        profiles: FileKind::LauncherKubernetesProfiles,
        resources: FileKind::LauncherKubernetesResources,
    },
];

/// The files that documents name, in their order; at most [`MAX_CLUSTER_FILES`].
///
/// `documents` are `launcher.conf` and the clusters' own files, in any order; others name none.
pub fn named_by<'a>(
    documents: impl IntoIterator<Item = (&'a Source, &'a Document)>,
) -> Vec<NamedClusterFile> {
    let mut named = Vec::new();
    for (source, document) in documents {
        if document.kind == FileKind::LauncherConf {
            let clusters = document.sections.iter();
            let clusters = clusters.filter(|section| section.name.as_deref() == Some("cluster"));
            named.extend(clusters.filter_map(|cluster| config_file(source, cluster)));
        } else if let Some(of) = TYPES.iter().find(|of| of.own == document.kind) {
            let options =
                [("profile-config", of.profiles), ("resource-profile-config", of.resources)];
            for section in &document.sections {
                let files = options
                    .iter()
                    .filter_map(|(option, kind)| name(source, section, option, *kind));
                named.extend(files);
            }
        }
        if named.len() >= MAX_CLUSTER_FILES {
            named.truncate(MAX_CLUSTER_FILES);
            break;
        }
    }
    named
}

/// A cluster's `config-file`. Of a type that is not the product's nobody knows how it would be read.
fn config_file(source: &Source, cluster: &Section) -> Option<NamedClusterFile> {
    let word = &cluster.get("type")?.value;
    let of = kinds_of_type(word)?;
    name(source, cluster, "config-file", of.own)
}

fn name(
    source: &Source,
    section: &Section,
    option: &'static str,
    kind: FileKind,
) -> Option<NamedClusterFile> {
    let entry = section.get(option).filter(|entry| !entry.value.is_empty())?;
    Some(NamedClusterFile {
        file: ClusterFile { kind, path: Arc::from(&*entry.value) },
        option,
        by: Arc::clone(&source.file),
        span: entry.value_span,
    })
}

impl SiteFiles {
    /// The files of clusters that the files read so far name.
    #[must_use]
    pub fn named_cluster_files(&self) -> Vec<NamedClusterFile> {
        let sources = self.naming();
        let documents: Vec<Document> = sources
            .iter()
            .map(|(kind, source)| grammar::read::read_file(*kind, source).document)
            .collect();
        named_by(sources.into_iter().map(|(_, source)| source).zip(&documents))
    }

    /// The files that may name others, and are there.
    fn naming(&self) -> Vec<(FileKind, &Source)> {
        let kinds = TYPES.iter().map(|of| of.own).chain([FileKind::LauncherConf]);
        let by_name = kinds.filter_map(|kind| Some((kind, self.workbench.get(&kind)?.present()?)));
        let named = self.cluster_files.iter();
        let named = named.filter(|(file, _)| TYPES.iter().any(|of| of.own == file.kind));
        by_name
            .chain(named.filter_map(|(file, known)| Some((file.kind, known.present()?))))
            .collect()
    }

    /// Where on this machine a path is that a value of a Workbench file names.
    ///
    /// A relative one begins in the site's directory. One below the product's own directory is meant for
    /// the directory that stands for it: a staged copy is a site of its own. Any other absolute one
    /// begins at [`SiteFiles::root`].
    #[must_use]
    pub fn locate(&self, written: &str) -> String {
        let below = |rest: &str| format!("{}/{rest}", self.workbench_dir.trim_end_matches('/'));
        match written.strip_prefix("/etc/rstudio/") {
            Some(rest) if self.searched.is_empty() => below(rest),
            _ if written.starts_with('/') => self.below_root(written),
            _ => below(written),
        }
    }

    /// A path of the machine whose files these are, as it is on this one; a relative one stays.
    #[must_use]
    pub fn below_root(&self, path: &str) -> String {
        if path.starts_with('/') { format!("{}{path}", self.root) } else { path.to_owned() }
    }

    /// Whether a file of a cluster is one that is read by its default name already.
    #[must_use]
    pub fn is_read_by_name(&self, file: &ClusterFile) -> bool {
        let by_name = self.workbench.get(&file.kind).and_then(Known::present);
        let named = self.cluster_files.get(file).and_then(Known::present);
        by_name.zip(named).is_some_and(|(by_name, named)| by_name.file == named.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Moment;

    fn site(files: &[(FileKind, &str)]) -> SiteFiles {
        let mut site = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        for (kind, text) in files {
            let source = Source::new(format!("/etc/rstudio/{}", kind.file_name()), *text);
            site.workbench.insert(*kind, Known::Present(source));
        }
        site
    }

    fn names(site: &SiteFiles) -> Vec<(FileKind, String)> {
        let named = site.named_cluster_files().into_iter();
        named.map(|named| (named.file.kind, named.file.path.to_string())).collect()
    }

    const LAUNCHER: &str = "[server]\n[cluster]\nname=a\ntype=SLURM\nconfig-file=/etc/rstudio/a.conf\n\
        [cluster]\nname=b\ntype=Mine\nexe=/x\nconfig-file=/b\n[cluster]\nname=c\ntype=Local\n";

    #[test]
    fn clusters_name_their_files_and_those_their_profiles() {
        let mut site = site(&[(FileKind::LauncherConf, LAUNCHER)]);
        let own = (FileKind::LauncherSlurmConf, "/etc/rstudio/a.conf".to_owned());
        assert_eq!(names(&site), vec![own.clone()]);
        let text = "profile-config=a.profiles.conf\nresource-profile-config=\n";
        let file = ClusterFile { kind: own.0, path: Arc::from(&*own.1) };
        site.cluster_files.insert(file, Known::Present(Source::new("/etc/rstudio/a.conf", text)));
        let profiles = (FileKind::LauncherSlurmProfiles, "a.profiles.conf".to_owned());
        assert_eq!(names(&site), [own, profiles]);
    }

    #[test]
    fn a_file_that_could_not_be_read_names_nothing() {
        let mut site = site(&[(FileKind::LauncherConf, LAUNCHER)]);
        let unknown = Known::Unknown { since: Moment(0), reason: "denied".to_owned() };
        site.workbench.insert(FileKind::LauncherConf, unknown);
        assert!(names(&site).is_empty());
    }

    #[test]
    fn paths_of_the_products_directory_are_meant_for_the_one_that_stands_for_it() {
        let mut site = SiteFiles::nothing("/stage", "/etc/wharf");
        for (written, there) in [
            ("/etc/rstudio/a.conf", "/stage/a.conf"),
            ("a.conf", "/stage/a.conf"),
            ("/opt/a.conf", "/opt/a.conf"),
            ("/etc/rstudio-old/a.conf", "/etc/rstudio-old/a.conf"),
        ] {
            assert_eq!(site.locate(written), there);
        }
        site.root = Arc::from("/image");
        assert_eq!(site.locate("/opt/a.conf"), "/image/opt/a.conf");
        site.searched = vec![Arc::from("/mnt/b")];
        assert_eq!(site.locate("/etc/rstudio/a.conf"), "/image/etc/rstudio/a.conf");
    }

    #[test]
    fn names_are_bounded() {
        let cluster = |n: usize| format!("[cluster]\nname=c{n}\ntype=Slurm\nconfig-file=/c{n}\n");
        let text: String = (0..MAX_CLUSTER_FILES + 9).map(cluster).collect();
        assert_eq!(names(&site(&[(FileKind::LauncherConf, &text)])).len(), MAX_CLUSTER_FILES);
    }

    #[test]
    fn only_clusters_own_files_name_others_and_are_asked_for_them() {
        let mut site = site(&[(FileKind::LauncherConf, LAUNCHER)]);
        for kind in [FileKind::LauncherSlurmConf, FileKind::LauncherSlurmProfiles] {
            let file = ClusterFile { kind, path: Arc::from(kind.file_name()) };
            let source = Source::new(format!("/etc/rstudio/x/{}", kind.file_name()), "");
            site.cluster_files.insert(file, Known::Present(source));
        }
        let naming: Vec<_> = site.naming().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(naming, [FileKind::LauncherConf, FileKind::LauncherSlurmConf]);
    }

    #[test]
    fn a_file_that_a_value_names_by_its_default_name_is_read_once() {
        let kind = FileKind::LauncherSlurmConf;
        let mut site = site(&[(kind, "")]);
        let named = |path: &str| ClusterFile { kind, path: Arc::from(path) };
        let usual = format!("/etc/rstudio/{}", kind.file_name());
        for path in [usual.as_str(), "/etc/rstudio/a.conf"] {
            site.cluster_files.insert(named(path), Known::Present(Source::new(path, "")));
        }
        assert!(site.is_read_by_name(&named(&usual)));
        assert!(!site.is_read_by_name(&named("/etc/rstudio/a.conf")));
        assert!(!site.is_read_by_name(&named("/etc/rstudio/b.conf")));
    }
}
