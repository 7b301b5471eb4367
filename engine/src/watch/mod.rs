//! Says that something may have happened to the files: a source of wake-ups, and nothing more.
//!
//! The only module that names `notify`. A wake-up never says what changed. Beside it is noted *where* something
//! happened, of more events than wake ([`Watcher::heard`]): by that a look may be narrowed, which
//! [`engine_core::heard`] decides. The order that loses nothing is: arm the previous set, load, arm the new set, and
//! load again if that placed another watch ([`ArmReport::changed`]). Each wake-up has to be followed
//! by an `arm`, because a directory that was renamed or removed loses its watch with it; what
//! happens between the loss and the next `arm` is seen by the load that follows.
//!
//! Watched are directories, never files: a file written anew by rename is another file. Opening and
//! reading wake nobody (our own reading would), neither does a write before the file is closed. File
//! systems that are mounted or unmounted wake by another way (`mounts`). What raises no event at all, as
//! a file never closed by its writer, one written through a mapping or by another of its names, or
//! `truncate(2)`, is found by the slow full reading that `intake` does in any case.

mod mounts;
mod network;
mod set;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use engine_core::heard::Heard;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, EventKind, RecursiveMode};

use self::mounts::MountWatch;
pub(crate) use self::network::network_file_system;
pub use self::set::WatchSet;

/// What wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something happened to a watched directory.
    Files,
    /// Events were lost: anything may have happened.
    Rescan,
}

/// What came of placing watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArmReport {
    /// Whether a directory is watched that was not before: what happened in it until now went unseen.
    pub changed: bool,
    /// Directories that have to be polled, each with why.
    pub polled: BTreeMap<PathBuf, String>,
}

/// Places watches; what `notify` does, so that a test can refuse.
trait Place: Send {
    fn watch(&mut self, dir: &Path) -> Result<(), PlaceError>;
    fn unwatch(&mut self, dir: &Path);
}

/// Why a watch could not be placed.
#[derive(Debug)]
enum PlaceError {
    /// It is gone meanwhile: the events that took it away wake.
    Gone,
    /// Not to be had.
    Refused(String),
}

/// Device and inode of a directory.
type DirId = (u64, u64);

/// A directory to be watched.
struct Wanted {
    dir: PathBuf,
    /// Whether it must be polled where it cannot be watched.
    needed: bool,
}

/// Makes a `Place` anew where it could not be made before.
type MakePlace = Box<dyn Fn() -> Result<Box<dyn Place>, String> + Send>;

/// Watches directories and wakes.
pub struct Watcher {
    make: MakePlace,
    place: Option<Box<dyn Place>>,
    /// Which directory is watched under which path, by device and inode: the system knows one watch
    /// a directory, whatever paths lead to it, and taking it from one path takes it from all.
    armed: BTreeMap<DirId, PathBuf>,
    interest: Arc<Mutex<WatchSet>>,
    heard: Arc<Mutex<Heard>>,
    /// Ends with the watcher.
    _mounts: Option<MountWatch>,
    hears_of_mounts: bool,
}

impl Watcher {
    /// Watches nothing yet. `sink` is called on threads of the watcher; it must neither block nor
    /// call the watcher.
    pub fn new(sink: impl Fn(Wake) + Send + Sync + 'static) -> Self {
        let (interest, heard) = <(Arc<Mutex<WatchSet>>, Arc<Mutex<Heard>>)>::default();
        let sink = Arc::new(sink);
        let (wake, lost) = (Arc::clone(&sink), Arc::clone(&heard));
        let mounted = move || {
            lock(&lost).lost();
            wake(Wake::Files);
        };
        let mounts = MountWatch::start(Arc::clone(&interest), mounted).ok();
        let ear = Ear { interest: Arc::clone(&interest), heard: Arc::clone(&heard) };
        let make = move || Notify::make(Arc::clone(&sink), ear.clone());
        let hears_of_mounts = mounts.is_some();
        Self { _mounts: mounts, hears_of_mounts, heard, ..Self::with(Box::new(make), interest) }
    }

    fn with(make: MakePlace, interest: Arc<Mutex<WatchSet>>) -> Self {
        let heard = Arc::default();
        let armed = BTreeMap::new();
        Self { make, place: None, armed, interest, heard, _mounts: None, hears_of_mounts: false }
    }

    /// What was heard since this was asked last. Ask before the look that goes by it: what happens later is then heard
    /// by the one after.
    pub fn heard(&mut self) -> Heard {
        let heard = std::mem::take(&mut *lock(&self.heard));
        // Of mounts no other event tells.
        if self.hears_of_mounts { heard } else { Heard::anywhere() }
    }

    /// Watches exactly the directories of `set`; those that it has already stay watched throughout.
    pub fn arm(&mut self, set: &WatchSet) -> ArmReport {
        set.clone_into(&mut lock(&self.interest));
        let mut report = ArmReport::default();
        if self.place.is_none() {
            match (self.make)() {
                Ok(place) => self.place = Some(place),
                Err(reason) => {
                    let needed = set.dirs().filter(|(_, needed)| *needed);
                    report.polled =
                        needed.map(|(dir, _)| (dir.to_owned(), reason.clone())).collect();
                    return report;
                }
            }
        }
        let wanted = wanted(set, &mut report);
        self.drop_conflicts(&wanted);
        let armed = self.place_all(wanted, &mut report);
        for (id, dir) in std::mem::replace(&mut self.armed, armed) {
            if let Some(place) = self.place.as_mut().filter(|_| !self.armed.contains_key(&id)) {
                place.unwatch(&dir);
            }
        }
        report
    }

    /// Takes back the watches that stand in the way of wanted ones: of a directory that is now under
    /// another path, and of a path at which another directory now is. First of all, because the
    /// system would take a later watch of the same path or directory for the one to be taken back.
    fn drop_conflicts(&mut self, wanted: &BTreeMap<DirId, Wanted>) {
        let Some(place) = &mut self.place else { return };
        let taken: BTreeMap<&Path, &DirId> =
            wanted.iter().map(|(id, wanted)| (wanted.dir.as_path(), id)).collect();
        self.armed.retain(|id, dir| {
            let moved = wanted.get(id).is_some_and(|wanted| wanted.dir != *dir);
            let replaced = taken.get(dir.as_path()).is_some_and(|other| *other != id);
            if moved || replaced {
                place.unwatch(dir);
            }
            !moved && !replaced
        });
    }

    /// Watches all that is wanted, again if it is watched: a watch may have gone with a rename.
    fn place_all(
        &mut self,
        wanted: BTreeMap<DirId, Wanted>,
        report: &mut ArmReport,
    ) -> BTreeMap<DirId, PathBuf> {
        let mut armed = BTreeMap::new();
        let Some(place) = &mut self.place else { return armed };
        for (id, Wanted { dir, needed }) in wanted {
            match place.watch(&dir) {
                Ok(()) => {
                    report.changed |= !self.armed.contains_key(&id);
                    if let Some(name) = network_file_system(&dir).filter(|_| needed) {
                        let reason = format!("on {name}: other machines' changes raise no event");
                        report.polled.insert(dir.clone(), reason);
                    }
                    armed.insert(id, dir);
                }
                Err(PlaceError::Gone) => report.changed = true,
                Err(PlaceError::Refused(reason)) if needed => {
                    report.polled.insert(dir, reason);
                }
                Err(PlaceError::Refused(_)) => {}
            }
        }
        armed
    }
}

/// The directories of a set by what they are: of several paths to one the first.
fn wanted(set: &WatchSet, report: &mut ArmReport) -> BTreeMap<DirId, Wanted> {
    let mut wanted: BTreeMap<DirId, Wanted> = BTreeMap::new();
    for (dir, needed) in set.dirs() {
        match std::fs::metadata(dir) {
            Ok(meta) => {
                let fresh = || Wanted { dir: dir.to_owned(), needed };
                wanted.entry((meta.dev(), meta.ino())).or_insert_with(fresh).needed |= needed;
            }
            // It went after the reading that asked for it: read again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => report.changed = true,
            Err(error) if needed => {
                report.polled.insert(dir.to_owned(), format!("cannot be watched: {error}"));
            }
            Err(_) => {}
        }
    }
    wanted
}

fn lock<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what happens where somebody is interested.
#[derive(Clone, Default)]
struct Ear {
    interest: Arc<Mutex<WatchSet>>,
    heard: Arc<Mutex<Heard>>,
}

impl Ear {
    /// Notes an event; whether it wakes.
    fn hear(&self, event: &notify::Result<notify::Event>) -> Option<Wake> {
        if event.as_ref().is_ok_and(is_mere_reading) {
            // There may be very many: whoever reads the files raises them.
            return None;
        }
        let wake = wake_of(event, |path| lock(&self.interest).concerns(path));
        match event {
            Ok(event) if !event.need_rescan() && !event.paths.is_empty() => {
                let here = event.paths.iter().filter(|path| lock(&self.interest).concerns(path));
                here.for_each(|path| lock(&self.heard).at(path.to_str()));
            }
            _ => lock(&self.heard).lost(),
        }
        wake
    }
}

/// Whether nothing was changed: our own reading raises such events.
fn is_mere_reading(event: &notify::Event) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    !event.need_rescan() && event.kind.is_access() && event.kind != written
}

/// The real one.
struct Notify(notify::RecommendedWatcher);

impl Notify {
    fn make<S: Fn(Wake) + Send + Sync + 'static>(
        sink: Arc<S>,
        ear: Ear,
    ) -> Result<Box<dyn Place>, String> {
        let handle = move |event: notify::Result<notify::Event>| {
            if let Some(wake) = ear.hear(&event) {
                sink(wake);
            }
        };
        match notify::recommended_watcher(handle) {
            Ok(watcher) => Ok(Box::new(Notify(watcher))),
            Err(error) => Err(reason_of(&error)),
        }
    }
}

impl Place for Notify {
    fn watch(&mut self, dir: &Path) -> Result<(), PlaceError> {
        use notify::Watcher as _;
        self.0.watch(dir, RecursiveMode::NonRecursive).map_err(|error| match &error.kind {
            ErrorKind::PathNotFound => PlaceError::Gone,
            ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::NotFound => PlaceError::Gone,
            _ => PlaceError::Refused(reason_of(&error)),
        })
    }

    fn unwatch(&mut self, dir: &Path) {
        use notify::Watcher as _;
        // A watch that went with its directory is not there any more: that is what is wanted.
        let _ = self.0.unwatch(dir);
    }
}

/// Whether an event wakes.
fn wake_of(
    event: &notify::Result<notify::Event>,
    concerns: impl Fn(&PathBuf) -> bool,
) -> Option<Wake> {
    let Ok(event) = event else { return Some(Wake::Rescan) };
    if event.need_rescan() {
        return Some(Wake::Rescan);
    }
    let wakes = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)) => false,
        EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Modify(_)
        | EventKind::Any
        | EventKind::Other => true,
    };
    let here = event.paths.is_empty() || event.paths.iter().any(concerns);
    (wakes && here).then_some(Wake::Files)
}

/// Why a watch could not be placed, with what to do where that is known.
fn reason_of(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the limit of watches is reached; raise fs.inotify.max_user_watches".to_owned()
        }
        ErrorKind::Io(cause)
            if cause.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) =>
        {
            "the limit of watchers is reached; raise fs.inotify.max_user_instances".to_owned()
        }
        ErrorKind::Io(cause) => format!("cannot be watched: {cause}"),
        _ => format!("cannot be watched: {error}"),
    }
}

#[cfg(test)]
mod tests;
