//! A site's files once their readers have read them: documents, our own files, and what is wrong inside
//! each file.
//!
//! Read once; lowering takes values from it, the rules of [`crate::lint`] look across it. Knows what files
//! say and not what that asks for. Read next: [`mod@crate::desired`].

mod cluster_documents;
mod secret_places;
mod sessions;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use grammar::document::{Document, Entry};
use grammar::error::Problem;
use grammar::own::{
    GatewayFile, NodeFile, Own, OwnRead, TemplateFile, WharfFile, read_gateway, read_node,
    read_template, read_wharf,
};
use grammar::source::{FileKind, Source};
use grammar::value::Value;

use crate::known::Known;
use crate::site::{ClusterFile, DropIn, Managed, NamedClusterFile, SiteFiles, named_by};

pub use self::cluster_documents::{ClusterDocument, ClusterDocuments};
pub use self::secret_places::{SecretPlaces, is_secret};
pub use self::sessions::{ReadSession, ReadSessions};

/// One of our own files as read.
#[derive(Clone, Debug)]
pub struct ReadOwn<'a, T> {
    /// Its text.
    pub source: &'a Source,
    /// What it says, none where it has errors; and all that is wrong inside it.
    pub read: Arc<OwnRead<T>>,
}

impl<T> Deref for ReadOwn<'_, T> {
    type Target = OwnRead<T>;

    fn deref(&self) -> &OwnRead<T> {
        &self.read
    }
}

/// Files of one of our directories, by name without `.toml`; those that could not be read are not in it.
pub type Things<'a, T> = BTreeMap<&'a str, ReadOwn<'a, T>>;

/// A site's files as their readers read them.
#[derive(Clone, Debug)]
pub struct ReadSite<'a> {
    /// The texts.
    pub files: &'a SiteFiles,
    /// Workbench's files that are there.
    pub documents: BTreeMap<FileKind, Document>,
    /// Where their secrets stand.
    pub secrets: BTreeMap<FileKind, SecretPlaces>,
    /// Files of clusters that values name and that are there; those of default names are above.
    pub cluster_documents: BTreeMap<&'a ClusterFile, Document>,
    /// All that is wrong inside of Workbench's files.
    pub problems: Vec<Problem>,
    /// `wharf.toml`, if it is there.
    pub wharf: Option<ReadOwn<'a, WharfFile>>,
    /// `sessions.d`.
    pub sessions: ReadSessions,
    /// `templates.d`.
    pub templates: Things<'a, TemplateFile>,
    /// `gateways.d`.
    pub gateways: Things<'a, GatewayFile>,
    /// `nodes.d`.
    pub nodes: Things<'a, NodeFile>,
}

impl<'a> ReadSite<'a> {
    /// Reads every file that is there.
    #[must_use]
    pub fn new(files: &'a SiteFiles) -> Self {
        Self::after(files, &ReadSessions::default())
    }

    /// Reads every file that is there but those of `sessions.d`, as if there were none: for what depends on none.
    #[must_use]
    pub fn without_sessions(files: &'a SiteFiles) -> Self {
        Self::with(files, ReadSessions::default())
    }

    /// Reads every file that is there, but for the sessions' files that `earlier` has as read.
    #[must_use]
    pub fn after(files: &'a SiteFiles, earlier: &ReadSessions) -> Self {
        Self::with(files, ReadSessions::after(&files.sessions, earlier))
    }

    fn with(files: &'a SiteFiles, sessions: ReadSessions) -> Self {
        let mut documents = BTreeMap::new();
        let (mut problems, mut secrets) = (Vec::new(), BTreeMap::new());
        for (kind, file) in &files.workbench {
            let Known::Present(source) = file else { continue };
            let read = grammar::read::read_file(*kind, source);
            problems.extend(read.problems);
            secrets.insert(*kind, SecretPlaces::of(*kind, &read.document));
            documents.insert(*kind, read.document);
        }
        let mut cluster_documents = BTreeMap::new();
        for (file, known) in &files.cluster_files {
            let Known::Present(source) = known else { continue };
            if files.is_read_by_name(file) {
                continue;
            }
            let read = grammar::read::read_file(file.kind, source);
            problems.extend(read.problems);
            cluster_documents.insert(file, read.document);
        }
        let wharf = files.wharf.present();
        let wharf = wharf.map(|source| ReadOwn { source, read: Arc::new(read_wharf(source)) });
        Self {
            files,
            documents,
            secrets,
            cluster_documents,
            problems,
            wharf,
            sessions,
            templates: things(files.managed(DropIn::Templates), read_template),
            gateways: things(files.managed(DropIn::Gateways), read_gateway),
            nodes: things(files.managed(DropIn::Nodes), read_node),
        }
    }

    /// What `wharf.toml` says; none where it is not there or has errors.
    #[must_use]
    pub fn wharf(&self) -> Option<&Own<WharfFile>> {
        self.wharf.as_ref()?.own.as_ref()
    }

    /// The files of clusters that values name, whether they are there or not.
    #[must_use]
    pub fn named_cluster_files(&self) -> Vec<NamedClusterFile> {
        let by_name = self.documents.iter().filter_map(|(kind, document)| {
            Some((self.files.workbench.get(kind)?.present()?, document))
        });
        let named = self.cluster_documents.iter().filter_map(|(file, document)| {
            Some((self.files.cluster_files.get(file)?.present()?, document))
        });
        named_by(by_name.chain(named))
    }

    /// Where the secrets of a Workbench file stand; nowhere for one that is not there.
    #[must_use]
    pub fn secret_places(&self, kind: FileKind) -> &SecretPlaces {
        static NONE: SecretPlaces = SecretPlaces::none();
        self.secrets.get(&kind).unwrap_or(&NONE)
    }

    /// The entry of an option in a file: in a flat one the only there can be.
    #[must_use]
    pub fn entry(&self, kind: FileKind, option: &str) -> Option<&Entry> {
        let document = self.documents.get(&kind)?;
        document.sections.iter().find_map(|section| section.get(option))
    }

    /// The text of an option of a flat file; none where it is empty or not set.
    #[must_use]
    pub fn text(&self, kind: FileKind, option: &str) -> Option<&str> {
        self.entry(kind, option).map(|entry| &*entry.value).filter(|text| !text.is_empty())
    }

    /// A switch of a flat file; none where it is not set, or no switch.
    #[must_use]
    pub fn switch(&self, kind: FileKind, option: &str) -> Option<bool> {
        match self.entry(kind, option)?.typed {
            Some(Value::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// A port of a flat file; none where it is not set, or no port.
    #[must_use]
    pub fn port(&self, kind: FileKind, option: &str) -> Option<u16> {
        match self.entry(kind, option)?.typed {
            Some(Value::Port(port)) => Some(port),
            _ => None,
        }
    }

    /// The path of a Workbench file as shown; its name where it is not there.
    #[must_use]
    pub fn shown(&self, kind: FileKind) -> Arc<str> {
        match self.files.workbench.get(&kind) {
            Some(Known::Present(source)) => Arc::clone(&source.file),
            _ => Arc::from(kind.file_name()),
        }
    }
}

fn things<T>(managed: &Managed, read: impl Fn(&Source) -> OwnRead<T>) -> Things<'_, T> {
    let present = managed.files().filter_map(|(stem, file)| Some((stem, file.present()?)));
    present.map(|(stem, source)| (stem, ReadOwn { source, read: Arc::new(read(source)) })).collect()
}
