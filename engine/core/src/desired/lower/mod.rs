//! Files to values: what a site asks for, with the origin of each part, every option it sets, and all
//! of its problems.
//!
//! Total: whatever the files say, something is lowered; whether the set may come into force is told by
//! [`Lowered::is_acceptable`]. Knows no file system: [`Ground`] holds what lowering must know of the machine.

mod beside;
mod container;
mod env;
mod fields;
mod kinds;
mod limits;
mod own;
mod pieces;
mod rendered;
mod sessions;
mod site_wide;
mod spec;
mod takes;
mod template;
mod whole;
mod workbench;

pub use container::{Mount, OpenPort, runs_containers};
pub use limits::{Limit, Size};
pub use own::HISTORY_KEEP;
pub use pieces::Pieces;
pub use rendered::{Asked, Rendered, render};
pub use takes::{OwnField, own_field, own_fields, own_takes};
pub use workbench::{Builtin, builtins};

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::document::{Document, Entry};
use grammar::error::{Problem, sort_problems};
use grammar::own::wharf::Mode;
use grammar::source::FileKind;
use grammar::value::Millis;

use super::{Desired, Origin, Origins, Secrets};
use crate::accept::Settle;
use crate::ids::{ClusterName, Digest, NodeId, UserName, WorkbenchName};
use crate::known::Known;
use crate::lint;
use crate::read_site::{ReadSite, SecretPlaces};
use crate::settings::{Setting, SettingKey, Settings, Takes};
use crate::site::SiteFiles;

/// What lowering must know of the machine and of how the engine was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// This node.
    pub node: NodeId,
    /// The account of sessions whose file names none.
    pub default_user: UserName,
    /// Key of the digests by which secrets are compared and shown.
    pub digest_key: Vec<u8>,
    /// Whether the directory is self-contained: then the mode is `serve` unless its file says otherwise.
    pub self_contained: bool,
}

/// What a site asks for, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lowered {
    /// What it asks for.
    pub desired: Desired,
    /// Where that stands.
    pub origins: Origins,
    /// Every option it sets.
    pub settings: Settings,
    /// Texts of secrets; read at the moment of use.
    pub secrets: Secrets,
    /// Everything that is wrong with it, by place.
    pub problems: Vec<Problem>,
    /// Rules across files that could not be applied, and why: not read is not wrong.
    pub skipped: Vec<lint::Skipped>,
    /// How many of the problems are errors of the site and not of one thing's own file.
    pub site_errors: usize,
    /// What it says of the engine itself.
    pub engine: EngineSettings,
    /// Templates that people may start, by name.
    pub templates: BTreeMap<String, TemplateSpec>,
    /// What the next lowering need not make again.
    pub pieces: Pieces,
}

impl Lowered {
    /// Whether it may come into force: none of its errors is the site's. The error of one thing's own file
    /// concerns that thing only, which stays as it is (design.md §6).
    #[must_use]
    pub fn is_acceptable(&self) -> bool {
        self.site_errors == 0
    }
}

/// What a site says of the engine itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineSettings {
    /// The instance's name, if a file gives one.
    pub instance: Option<String>,
    /// When files are accepted.
    pub settle: Settle,
    /// How often files are read where no events come.
    pub poll: Option<Millis>,
    /// Where the embedded store is, if a file says so.
    pub store_path: Option<String>,
    /// How many generations are kept.
    pub history_keep: u32,
}

/// A template as lowered: the session it would become, but for its person and id.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSpec {
    /// What pages call it.
    pub display_name: String,
    /// Its version.
    pub version: String,
    /// What the file says, choices resolved to their defaults.
    pub fields: grammar::own::fields::SessionFields<grammar::own::form::Plain>,
}

/// Lowers a site.
#[must_use]
pub fn lower(files: &SiteFiles, ground: &Ground) -> Lowered {
    lower_after(files, ground, &Pieces::default())
}

/// Lowers a site of which an earlier state was lowered: the outcome is that of [`lower`], and only sessions
/// of which something changed cost more than a look.
#[must_use]
pub fn lower_after(files: &SiteFiles, ground: &Ground, earlier: &Pieces) -> Lowered {
    let read = ReadSite::after(files, &earlier.read);
    let mut lowering = Lowering::new(&read, ground);
    lowering.out.pieces = Pieces::of(files, ground);
    lowering.out.pieces.read = read.sessions.clone();
    if lowering.out.pieces.rest_on_the_same(earlier) {
        lowering.earlier = earlier.clone();
        lowering.kinds = earlier.kinds.clone();
    }
    lowering.take_workbench();
    lowering.record_texts();
    lowering.record_directories();
    lowering.lower_wharf();
    lowering.lower_clusters();
    lowering.leave_clusters_alone();
    lowering.lower_listen();
    lowering.lower_balancer();
    lowering.lower_nodes();
    lowering.lower_gateways();
    lowering.lower_templates();
    lowering.lower_sessions();
    lowering.out.pieces.kinds = lowering.kinds.clone();
    lowering.lint();
    lowering.finish()
}

/// Lowers the session that a person asks for from a template of a site.
///
/// # Errors
/// There is no such template, or it asks for what the site does not have.
pub fn lower_request(
    files: &SiteFiles,
    ground: &Ground,
    template: &str,
    id: crate::ids::SessionId,
    user: UserName,
    asked_by: super::AskedBy,
) -> Result<(super::SessionSpec, TemplateSpec), String> {
    let read = ReadSite::without_sessions(files);
    let mut lowering = Lowering::new(&read, ground);
    lowering.take_workbench();
    lowering.lower_wharf();
    lowering.lower_clusters();
    lowering.lower_gateways();
    lowering.lower_templates();
    let found = lowering.out.templates.get(template).cloned();
    let found = found.ok_or_else(|| format!("there is no template `{template}`"))?;
    let made = lowering.lower_request(&found, id, user, asked_by)?;
    Ok((made.spec, found))
}

/// Lowering under way.
struct Lowering<'a> {
    read: &'a ReadSite<'a>,
    files: &'a SiteFiles,
    ground: &'a Ground,
    builtins: BTreeMap<WorkbenchName, Builtin>,
    workbench_tables: BTreeMap<WorkbenchName, grammar::own::workbench::WorkbenchTable>,
    /// `[listen] www-port`, for the mode `beside`.
    own_www_port: Option<(u16, Origin)>,
    /// `launcher-env`, prepared for the sessions that ask.
    env_records: Vec<env::EnvRecord<'a>>,
    kinds: kinds::Kinds,
    /// What was made of sessions that rest on the same files of the site.
    earlier: Pieces,
    /// What records are told that a session is: `session`, but for a job that is only rendered.
    job_type: String,
    out: Lowered,
}

impl<'a> Lowering<'a> {
    fn new(read: &'a ReadSite<'a>, ground: &'a Ground) -> Self {
        Self {
            read,
            files: read.files,
            ground,
            builtins: builtins(),
            workbench_tables: BTreeMap::new(),
            own_www_port: None,
            env_records: read
                .documents
                .get(&FileKind::LauncherEnv)
                .map(|env| env::records_of(env, read.secret_places(FileKind::LauncherEnv)))
                .unwrap_or_default(),
            kinds: BTreeMap::new(),
            earlier: Pieces::default(),
            job_type: "session".to_owned(),
            out: Lowered { secrets: Secrets::new(&ground.digest_key), ..Lowered::default() },
        }
    }

    /// Takes what was read of Workbench's files: their settings, their problems.
    fn take_workbench(&mut self) {
        self.out.problems.extend(self.read.problems.iter().cloned());
        for (kind, document) in &self.read.documents {
            let places = self.read.secret_places(*kind);
            self.record_settings(*kind, &self.read.shown(*kind), document, places);
        }
        for (file, document) in &self.read.cluster_documents {
            let Some(source) = self.read.files.cluster_files.get(*file).and_then(Known::present)
            else {
                continue;
            };
            let places = SecretPlaces::of(file.kind, document);
            self.record_settings(file.kind, &source.file, document, &places);
        }
    }

    /// The rules across files.
    fn lint(&mut self) {
        let site = lint::Site {
            read: self.read,
            mode: match self.out.desired.mode {
                super::Mode::Observe => Mode::Observe,
                super::Mode::Beside => Mode::Beside,
                super::Mode::Serve => Mode::Serve,
            },
            clusters: self.out.desired.clusters.iter().map(kind_of).collect(),
        };
        let outcome = lint::run(&site);
        self.out.problems.extend(outcome.problems);
        self.out.skipped = outcome.skipped;
    }

    /// What a file says, if it is there.
    fn document(&self, kind: FileKind) -> Option<&'a Document> {
        self.read.documents.get(&kind)
    }

    /// The entry of an option of a flat file, or none.
    fn flat(&self, kind: FileKind, option: &str) -> Option<&'a Entry> {
        self.read.entry(kind, option)
    }

    /// An origin in one of Workbench's files.
    fn origin(&self, kind: FileKind, line: u32, option: &str) -> Origin {
        Origin { file: Arc::from(kind.file_name()), line, option: option.to_owned() }
    }

    fn text(&self, kind: FileKind, option: &str) -> Option<(String, u32)> {
        let entry = self.flat(kind, option)?;
        Some((entry.value.to_string(), entry.line))
    }

    fn port(&self, kind: FileKind, option: &str) -> Option<(u16, u32)> {
        let port = self.read.port(kind, option)?;
        Some((port, self.flat(kind, option)?.line))
    }

    /// Every option of a Workbench file, for comparing and listing.
    fn record_settings(
        &mut self,
        kind: FileKind,
        file: &Arc<str>,
        document: &Document,
        places: &SecretPlaces,
    ) {
        let short: Arc<str> = Arc::from(self.files.short_name(file));
        if kind == FileKind::LauncherEnv {
            env::record_env(self, &short);
            return;
        }
        for section in &document.sections {
            let scope = section_scope(section);
            for entry in &section.entries {
                let secret = places.contain(entry.name_span.start);
                let digest =
                    secret.then(|| Digest::keyed(&self.ground.digest_key, entry.value.as_bytes()));
                let value =
                    if secret { "(secret)".to_owned() } else { entry.joined().into_owned() };
                let key = SettingKey {
                    file: Arc::clone(&short),
                    scope: Arc::clone(&scope),
                    option: entry.name.to_string(),
                };
                let effect = entry.row.map_or(Takes::No, Takes::from);
                let (line, row) = (entry.line, entry.row);
                let setting = Setting { line, value, secret: digest, effect, row };
                self.out.settings.add(key, setting);
            }
        }
    }

    /// Which of our directories are there: an empty one asks for none, a missing one for nothing.
    fn record_directories(&mut self) {
        for drop_in in crate::site::DropIn::ALL {
            if own::is_managed(self.files.managed(drop_in)) {
                let key = SettingKey {
                    file: Arc::from(drop_in.dir_name()),
                    scope: Arc::default(),
                    option: "directory".to_owned(),
                };
                let value = "managed".to_owned();
                let effect = Takes::Live;
                let setting = Setting { line: 0, value, secret: None, effect, row: None };
                self.out.settings.add(key, setting);
            }
        }
    }

    fn finish(self) -> Lowered {
        let mut out = self.out;
        sort_problems(&mut out.problems);
        let of_site = |problem: &&Problem| {
            let apart = self.files.is_of_one_thing(problem) || self.files.is_ignored_slip(problem);
            problem.is_error() && !apart
        };
        out.site_errors = out.problems.iter().filter(of_site).count();
        if !self.files.is_readable() {
            // What cannot be read asks for nothing, and that is not what it asks for.
            out.site_errors += 1;
        }
        out
    }
}

/// A cluster's type.
fn kind_of<'a>((name, spec): (&ClusterName, &'a super::ClusterSpec)) -> (ClusterName, &'a str) {
    (name.clone(), &spec.kind)
}

/// What a section applies to, in the file's words.
fn section_scope(section: &grammar::document::Section) -> Arc<str> {
    let mut scope = Vec::new();
    if let Some(name) = &section.name {
        let of = section.get("name").map(|entry| format!(" {}", entry.value));
        scope.push(format!("{name}{}", of.unwrap_or_default()));
    }
    for selector in ["MountPath", "JobType", "Workbench", "Cluster"] {
        if let Some(entry) = section.get(selector) {
            scope.push(format!("{selector} {}", entry.value));
        }
    }
    scope.join(" ").into()
}
