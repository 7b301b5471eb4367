//! Looks at the files on a thread of its own and waits for it as long as there is patience: a file system that does not
//! answer at all, as NFS whose server is gone, stops the reading and nothing else.
//!
//! A look that has not come back is waited for no longer, and no other begins before it has; until then the
//! files are unknown, and the set in force stays. When it comes back, who waits is woken, and everything is read anew.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine_core::ids::Moment;

use super::{Arm, Read};
use crate::load::{Loaded, SiteDirs, nobody_knows};
use crate::watch::{ArmReport, WatchSet};

/// How long a look at the files may take. Ten thousand files of a slow server have to fit.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What is said of files that nobody could look at.
const SILENT: &str = "its file system does not answer";

/// What the thread is to do.
enum Job {
    Arm(WatchSet),
    Read { now: Moment, forget: bool },
}

/// What it found.
enum Found {
    Armed(ArmReport),
    Loaded(Box<Loaded>),
}

/// The thread, as seen from outside.
struct Looker {
    jobs: Sender<Job>,
    found: Receiver<Found>,
    /// How many looks have not come back.
    behind: u32,
    /// Somebody has lost patience: wake when the look comes back.
    late: Arc<AtomicBool>,
    patience: Duration,
    dirs: SiteDirs,
    watch: WatchSet,
}

/// Places watches and reads, with patience; two handles of one.
#[derive(Clone)]
pub struct Patient(Arc<Mutex<Looker>>);

/// The reading half: remembers whether the next reading has to trust nothing.
pub struct PatientRead {
    patient: Patient,
    forget: bool,
}

impl Patient {
    /// Starts the thread; `wake` is called when a look comes back that nobody waited for any more.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        mut watcher: Box<dyn Arm>,
        mut reader: Box<dyn Read>,
        dirs: SiteDirs,
        patience: Duration,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<(Self, PatientRead)> {
        let (jobs, todo) = channel::<Job>();
        let (tell, found) = channel();
        let late = Arc::new(AtomicBool::new(false));
        let was_late = Arc::clone(&late);
        std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            for job in todo {
                let done = match job {
                    Job::Arm(set) => Found::Armed(watcher.arm(&set)),
                    Job::Read { now, forget } => {
                        if forget {
                            reader.forget();
                        }
                        Found::Loaded(Box::new(reader.read(now)))
                    }
                };
                if tell.send(done).is_err() {
                    return;
                }
                if was_late.swap(false, Ordering::SeqCst) {
                    wake();
                }
            }
        })?;
        let watch = WatchSet::default();
        let looker = Looker { jobs, found, behind: 0, late, patience, dirs, watch };
        let patient = Self(Arc::new(Mutex::new(looker)));
        Ok((patient.clone(), PatientRead { patient, forget: false }))
    }

    /// What the thread finds, if it does in time.
    fn ask(&self, job: Job) -> Option<Found> {
        let looker = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while looker.behind > 0 && looker.found.try_recv().is_ok() {
            looker.behind -= 1;
        }
        if looker.behind > 0 || looker.jobs.send(job).is_err() {
            return None;
        }
        if let Ok(found) = looker.found.recv_timeout(looker.patience) {
            return Some(found);
        }
        looker.late.store(true, Ordering::SeqCst);
        // It may have come back just before anybody said so.
        let found = looker.found.try_recv().ok();
        if found.is_none() {
            looker.behind += 1;
        }
        found
    }
}

impl Arm for Patient {
    fn arm(&mut self, set: &WatchSet) -> ArmReport {
        match self.ask(Job::Arm(set.clone())) {
            Some(Found::Armed(report)) => report,
            Some(Found::Loaded(_)) | None => {
                let looker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let dir = looker.dirs.workbench_dir().to_owned();
                let polled: BTreeMap<PathBuf, String> = [(dir, SILENT.to_owned())].into();
                ArmReport { changed: false, polled }
            }
        }
    }
}

impl Read for PatientRead {
    fn read(&mut self, now: Moment) -> Loaded {
        let found = self.patient.ask(Job::Read { now, forget: self.forget });
        let looker = &mut *self.patient.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(Found::Loaded(loaded)) => {
                self.forget = false;
                looker.watch.clone_from(&loaded.watch);
                *loaded
            }
            Some(Found::Armed(_)) | None => {
                nobody_knows(&looker.dirs, SILENT, looker.watch.clone(), now)
            }
        }
    }

    fn forget(&mut self) {
        self.forget = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use engine_core::site::Managed;

    use super::*;
    use crate::load::{Own, Workbench, load, open_to_read};

    struct NoWatches;

    impl Arm for NoWatches {
        fn arm(&mut self, _: &WatchSet) -> ArmReport {
            ArmReport::default()
        }
    }

    #[test]
    fn a_look_that_does_not_come_back_stops_nobody_and_wakes_when_it_does() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("wharf.toml"), "").unwrap();
        let dirs = SiteDirs {
            workbench: Workbench::Explicit(dir.path().to_owned()),
            own: Own::SelfContained,
            root: PathBuf::new(),
        };
        let (go_on, gate) = sync_channel::<()>(0);
        let (woken, wakes) = channel();
        let read = {
            let dirs = dirs.clone();
            move |now| {
                gate.recv().unwrap();
                load(&dirs, &[], &open_to_read, now)
            }
        };
        let patience = Duration::from_millis(20);
        let wake = move || woken.send(()).unwrap();
        let started = Patient::start(Box::new(NoWatches), Box::new(read), dirs, patience, wake);
        let (mut arm, mut read) = started.unwrap();
        assert!(arm.arm(&WatchSet::default()).polled.is_empty());
        // It hangs: unknown, and not empty. Nobody begins another look.
        for _ in 0..3 {
            let files = read.read(Moment(1)).files;
            assert!(!files.is_readable() && matches!(files.sessions, Managed::Unknown { .. }));
            assert_eq!(arm.arm(&WatchSet::default()).polled.len(), 1);
        }
        assert!(wakes.try_recv().is_err());
        go_on.send(()).unwrap();
        wakes.recv_timeout(Duration::from_secs(20)).unwrap();
        // From now on it answers in time.
        let answers = std::thread::spawn(move || go_on.send(()));
        let mut patient = read;
        patient.patient.0.lock().unwrap().patience = Duration::from_secs(20);
        assert!(patient.read(Moment(2)).files.is_readable());
        answers.join().unwrap().unwrap();
        assert!(wakes.try_recv().is_err());
    }
}
