//! What is known of an instance before its engine is put together: from its files, or, where those do not answer, from
//! what its last start has put on record.
//!
//! The record says where things are and nothing of what the files ask for: that is in the store.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};

use engine_core::desired::Ground;
use engine_core::ids::Digest;
use engine_core::incumbent::Questions;
use grammar::value::Millis;
use serde::{Deserialize, Serialize};

use crate::cli::{Global, Place, complain, place};
use crate::layout::Layout;
use crate::load::{Own, SearchDir, SiteDirs, Workbench, load, open_to_read};

/// The format of the record.
const FORMAT: u32 = 1;

/// What is known of an instance before its engine is put together.
pub(in crate::cli) struct Start {
    pub(super) dirs: SiteDirs,
    pub(super) ground: Ground,
    pub(in crate::cli) instance: String,
    pub(in crate::cli) layout: Layout,
    /// What to ask of the product; none = the files have not said so yet.
    pub(super) questions: Option<Questions>,
    store: Option<PathBuf>,
}

impl Start {
    /// Where its store is.
    pub(in crate::cli) fn store(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(|| self.layout.store())
    }
}

/// Reads the files for it, however long that takes.
pub(in crate::cli) fn prepare(global: &Global, dir: Option<&Path>) -> Result<Start, String> {
    let given = dir.or(global.config.as_deref());
    if let Some(dir) = given
        && !dir.is_dir()
    {
        return Err(format!("{}: there is no such directory", dir.display()));
    }
    let dirs = global.site_dirs(given);
    let files = load(&dirs, &[], &open_to_read, crate::cli::now()).files;
    let self_contained = files.own_dir == files.workbench_dir;
    let ground = crate::cli::ground(self_contained, Vec::new())?;
    let first = engine_core::desired::lower(&files, &ground);
    let instance = match (&first.engine.instance, given) {
        (Some(name), _) => name.clone(),
        (None, Some(dir)) => place::instance_of_path(dir),
        (None, None) => place::MAIN.to_owned(),
    };
    let questions = crate::reconcile::questions(&first, &ground);
    let store = first.engine.store_path.as_ref().map(PathBuf::from);
    Ok(begin(instance, dirs, ground, questions, store))
}

fn begin(
    instance: String,
    dirs: SiteDirs,
    mut ground: Ground,
    questions: Option<Questions>,
    store: Option<PathBuf>,
) -> Start {
    ground.digest_key = Digest::of(instance.as_bytes()).to_string().into_bytes();
    let layout = Place::here().layout(&instance);
    Start { dirs, ground, instance, layout, questions, store }
}

/// The same, where the files answer within `patience`; else from the record of an earlier start of this site. Where
/// there is none the files are waited for: nothing of it can run yet.
pub(super) fn prepare_in_time(
    global: &Global,
    dir: Option<&Path>,
    patience: Millis,
) -> Result<Start, String> {
    let (tell, told) = channel();
    let (of_thread, given) = (global.clone(), dir.map(Path::to_owned));
    let read = move || drop(tell.send(prepare(&of_thread, given.as_deref())));
    std::thread::Builder::new()
        .name("start".to_owned())
        .spawn(read)
        .map_err(|error| format!("cannot look at the files: {error}"))?;
    match told.recv_timeout(std::time::Duration::from_millis(patience.0)) {
        Ok(start) => return start,
        Err(RecvTimeoutError::Disconnected) => return Err("cannot look at the files".to_owned()),
        Err(RecvTimeoutError::Timeout) => {}
    }
    let key = Key::of(global, dir);
    let silent = format!("the files of {} have not answered for {patience}", key.site());
    match Record::find(&key) {
        Some(record) => {
            let instance = &record.instance;
            complain(&format!(
                "{silent}: instance {instance} begins with what its store has; the files are taken when they answer"
            ));
            let ground = crate::cli::ground(record.self_contained, Vec::new())?;
            let dirs = record.site_dirs();
            Ok(begin(record.instance, dirs, ground, None, record.store))
        }
        None => {
            complain(&format!(
                "{silent}, and no start of this site is on record: nothing of it can run, the files are waited for"
            ));
            told.recv().map_err(|_| "cannot look at the files".to_owned())?
        }
    }
}

/// By what a start is found again: what it was told, without looking at any file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Key {
    /// The directory that was given.
    given: Option<PathBuf>,
    /// What goes before absolute paths.
    root: Option<PathBuf>,
}

impl Key {
    fn of(global: &Global, dir: Option<&Path>) -> Self {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            given: dir.or(global.config.as_deref()).map(whole),
            root: global.root.as_deref().map(whole),
        }
    }

    fn site(&self) -> String {
        self.given.as_ref().map_or("this machine".to_owned(), |dir| dir.display().to_string())
    }
}

/// Where things of an instance were at its last start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    format: u32,
    #[serde(flatten)]
    key: Key,
    instance: String,
    self_contained: bool,
    store: Option<PathBuf>,
    workbench: WorkbenchRecord,
    own: OwnRecord,
    dirs_root: PathBuf,
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

/// Puts a start on record, in the directory of its instance's state.
///
/// # Errors
/// It cannot be written.
pub(super) fn put_on_record(
    global: &Global,
    dir: Option<&Path>,
    start: &Start,
) -> Result<(), io::Error> {
    let record = Record::of(Key::of(global, dir), start);
    let path = Record::path(&start.layout);
    if Record::read(&path).as_ref() == Some(&record) {
        return Ok(());
    }
    let fresh = path.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(&record).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, &path)
}

impl Record {
    fn of(key: Key, start: &Start) -> Self {
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
        Self {
            format: FORMAT,
            key,
            instance: start.instance.clone(),
            self_contained: start.ground.self_contained,
            store: start.store.clone(),
            workbench,
            own,
            dirs_root: start.dirs.root.clone(),
        }
    }

    fn path(layout: &Layout) -> PathBuf {
        layout.state.join("start.json")
    }

    /// One that was written by another version says nothing.
    fn read(path: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (record.format == FORMAT).then_some(record)
    }

    /// The last start that was told the same.
    fn find(key: &Key) -> Option<Self> {
        let here = Place::here();
        let paths = here.instances().into_keys().map(|name| Self::path(&here.layout(&name)));
        let found = paths.filter_map(|path| {
            let at = path.metadata().and_then(|meta| meta.modified()).ok()?;
            Some((at, Self::read(&path).filter(|record| record.key == *key)?))
        });
        found.max_by_key(|(at, _)| *at).map(|(_, record)| record)
    }

    fn site_dirs(&self) -> SiteDirs {
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
