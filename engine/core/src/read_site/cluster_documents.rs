//! The files of one cluster: its settings, the levels of its profiles, its named sizes.
//!
//! A cluster with a `config-file` has those that this file names and no others; without one the names go by
//! its type (files.md §10).

use grammar::document::{Document, Section};
use grammar::source::FileKind;

use super::ReadSite;
use crate::known::Known;
use crate::site::{ClusterFile, kinds_of_type};

/// A file of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ClusterDocument<'a> {
    /// Its short name.
    pub file: &'a str,
    /// What it says.
    pub document: &'a Document,
}

/// The files of a cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterDocuments<'a> {
    /// Its settings.
    pub own: Option<ClusterDocument<'a>>,
    /// What people may have, by level.
    pub profiles: Option<ClusterDocument<'a>>,
    /// Named sizes.
    pub resources: Option<ClusterDocument<'a>>,
    /// Whether one of them is named, or may be there, and cannot be read.
    pub incomplete: bool,
}

impl ReadSite<'_> {
    /// The files of a cluster of a type; none for a type that has none.
    #[must_use]
    pub fn files_of_cluster(&self, cluster: &str, kind: &str) -> ClusterDocuments<'_> {
        let Some(of) = kinds_of_type(kind) else { return ClusterDocuments::default() };
        let clusters = self.documents.get(&FileKind::LauncherConf).map(|file| &file.sections);
        let is_it =
            |section: &&Section| section.get("name").is_some_and(|name| &*name.value == cluster);
        let declared = clusters.and_then(|clusters| clusters.iter().find(is_it));
        let config = declared.and_then(|section| text(section, "config-file"));
        let mut files = ClusterDocuments::default();
        files.own = self.cluster_file(of.own, config, true, &mut files.incomplete);
        for (option, kind, slot) in [
            ("profile-config", of.profiles, &mut files.profiles),
            ("resource-profile-config", of.resources, &mut files.resources),
        ] {
            let own = files.own.map(|own| &own.document.sections);
            let named = own.and_then(|own| own.iter().find_map(|section| text(section, option)));
            *slot = self.cluster_file(kind, named, config.is_none(), &mut files.incomplete);
        }
        files
    }

    /// A file of a cluster: the one that is named, or, where it `may` be, the one of the usual name.
    fn cluster_file(
        &self,
        kind: FileKind,
        named: Option<&str>,
        may: bool,
        incomplete: &mut bool,
    ) -> Option<ClusterDocument<'_>> {
        let file = named.map(|path| ClusterFile { kind, path: path.into() });
        let Some(file) = file.filter(|file| !self.files.is_read_by_name(file)) else {
            if named.is_none() && !may {
                return None;
            }
            *incomplete |= self.files.workbench.get(&kind).is_some_and(Known::is_unknown);
            let document = self.documents.get(&kind)?;
            return Some(ClusterDocument { file: kind.file_name(), document });
        };
        let source = self.files.cluster_files.get(&file).and_then(Known::present);
        *incomplete |= source.is_none();
        let file = (self.files.short_name(&source?.file), self.cluster_documents.get(&file)?);
        Some(ClusterDocument { file: file.0, document: file.1 })
    }
}

fn text<'a>(section: &'a Section, option: &str) -> Option<&'a str> {
    section.get(option).map(|entry| &*entry.value).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::site;
    use crate::ids::Moment;

    #[test]
    fn a_cluster_of_which_a_file_cannot_be_read_is_incomplete() {
        let launcher = "[cluster]\nname=K8s\ntype=Kubernetes\n";
        let mut files = site(&[
            (FileKind::LauncherConf, launcher),
            (FileKind::LauncherKubernetesProfiles, "[*]\nmax-cpus=2\n"),
        ]);
        let whole = ReadSite::new(&files);
        let of = whole.files_of_cluster("K8s", "kubernetes");
        assert!(!of.incomplete && of.own.is_none() && of.resources.is_none());
        assert_eq!(of.profiles.map(|of| of.file), Some("launcher.kubernetes.profiles.conf"));
        for kind in [
            FileKind::LauncherKubernetesConf,
            FileKind::LauncherKubernetesProfiles,
            FileKind::LauncherKubernetesResources,
        ] {
            let reason = "permission denied".to_owned();
            let before = files.workbench.insert(kind, Known::Unknown { since: Moment(0), reason });
            let read = ReadSite::new(&files);
            assert!(read.files_of_cluster("K8s", "kubernetes").incomplete, "{kind:?}");
            files.workbench.insert(kind, before.unwrap_or(Known::Absent));
        }
    }
}
