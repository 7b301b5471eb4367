//! Real files, the real watcher and the real reading, on a clock of the test's own: it moves on
//! only where the test waits.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use engine_core::known::Known;
use engine_core::site::{FileProblemKind, Managed};
use grammar::source::FileKind;

use super::*;
use crate::load::{Loaded, Own, SiteDirs, Workbench, load, open_to_read};
use crate::watch::{ArmReport, Wake, Watcher};

mod bursts;
mod narrow;
mod slow;

/// How long the test waits for something before it fails.
const LIMIT: Duration = Duration::from_secs(30);

struct Site {
    _keep: tempfile::TempDir,
    root: PathBuf,
    intake: Intake,
    wakes: Receiver<Wake>,
    now: Moment,
    accepted: u32,
    /// How often everything was read.
    reads: Arc<AtomicU32>,
}

impl Site {
    /// `conf` below a new directory, self-contained, prepared and accepted.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("conf/sessions.d")).unwrap();
        std::fs::write(root.join("conf/wharf.toml"), "format = 1\n").unwrap();
        prepare(&root);
        let dirs = SiteDirs {
            workbench: Workbench::Explicit(root.join("conf")),
            own: Own::SelfContained,
            root: PathBuf::new(),
        };
        let (tx, wakes) = channel();
        let tx = Mutex::new(tx);
        let watcher = Watcher::new(move |wake| {
            let _ = tx.lock().unwrap().send(wake);
        });
        let reads = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reads);
        let read = move |now| {
            counted.fetch_add(1, Ordering::Relaxed);
            load(&dirs, &[], &open_to_read, now)
        };
        let now = Moment(0);
        // Nothing here may be found by polling: only events count.
        let never = Millis(u64::MAX);
        let look = AtOnce::new(Box::new(watcher), Box::new(read));
        let intake = Intake::start(Box::new(look), Settle::default(), never, None, now);
        let mut site = Self { _keep: keep, root, intake, wakes, now, accepted: 0, reads };
        site.accepts(|_| true);
        site
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A set is valid unless a text in it says `broken`.
    fn step(&mut self, span: i64) -> IntakeEvent {
        self.now = Moment(self.now.0 + span);
        if self.wakes.recv_timeout(Duration::from_millis(2)).is_ok() {
            while self.wakes.try_recv().is_ok() {}
            self.intake.wake(self.now);
        }
        let event = self.intake.poll(self.now, &mut |files, _| {
            let workbench = files.workbench.values().chain([&files.wharf]);
            let own = files.sessions.files().map(|(_, file)| file);
            let mut present = workbench.chain(own).filter_map(Known::present);
            let broken = present.any(|source| source.text.contains("broken"));
            if broken { Looks::Broken } else { Looks::Whole }
        });
        if let IntakeEvent::Accepted(..) = event {
            self.accepted += 1;
        }
        event
    }

    #[track_caller]
    fn until<T>(&mut self, what: &str, mut found: impl FnMut(IntakeEvent) -> Option<T>) -> T {
        let begin = Instant::now();
        while begin.elapsed() < LIMIT {
            let event = self.step(20);
            if let Some(found) = found(event) {
                return found;
            }
        }
        panic!("not {what} within {LIMIT:?}; last read: {:?}", self.intake.latest());
    }

    #[track_caller]
    fn accepts(&mut self, wanted: impl Fn(&SiteFiles) -> bool) -> Arc<SiteFiles> {
        self.until("accepted", |event| match event {
            IntakeEvent::Accepted(files, _) if wanted(&files) => Some(files),
            IntakeEvent::Refused(files, ..) if wanted(&files) => panic!("refused: {files:?}"),
            _ => None,
        })
    }

    #[track_caller]
    fn refuses(&mut self, wanted: impl Fn(&SiteFiles) -> bool) -> Arc<SiteFiles> {
        self.until("refused", |event| match event {
            IntakeEvent::Refused(files, ..) if wanted(&files) => Some(files),
            IntakeEvent::Accepted(files, _) if wanted(&files) => panic!("accepted: {files:?}"),
            _ => None,
        })
    }

    #[track_caller]
    fn returns_to_what_is_in_force(&mut self) {
        self.until("unchanged", |event| match event {
            IntakeEvent::Unchanged(_) => Some(()),
            IntakeEvent::Accepted(files, _) => panic!("accepted: {files:?}"),
            IntakeEvent::Refused(..) | IntakeEvent::Unknown(_) | IntakeEvent::Nothing { .. } => {
                None
            }
        });
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).unwrap();
    }
}

/// Whether `launcher-env` reads thus.
fn env_is(text: &str) -> impl Fn(&SiteFiles) -> bool {
    move |files| {
        files.workbench[&FileKind::LauncherEnv].present().is_some_and(|env| &*env.text == text)
    }
}

fn has_problem(kind: impl Fn(&FileProblemKind) -> bool) -> impl Fn(&SiteFiles) -> bool {
    move |files| files.unreadable.iter().any(|problem| kind(&problem.kind))
}

#[test]
fn an_edit_in_place_is_accepted() {
    let mut site = Site::new(|_| {});
    site.write("conf/launcher-env", "A=1\n");
    site.accepts(env_is("A=1\n"));
    site.write("conf/launcher-env", "A=2\n");
    site.accepts(env_is("A=2\n"));
}

#[test]
fn a_file_renamed_over_another_is_accepted() {
    let mut site = Site::new(|root| std::fs::write(root.join("conf/launcher-env"), "A=1").unwrap());
    site.write("new", "A=2");
    std::fs::rename(site.at("new"), site.at("conf/launcher-env")).unwrap();
    site.accepts(env_is("A=2"));
}

#[test]
fn a_plain_link_swapped_outside_of_the_directory_is_accepted() {
    let mut site = Site::new(|root| {
        for (version, text) in [("data/v1", "A=1"), ("data/v2", "A=2")] {
            std::fs::create_dir_all(root.join(version)).unwrap();
            std::fs::write(root.join(version).join("launcher-env"), text).unwrap();
        }
        symlink("v1", root.join("data/current")).unwrap();
        symlink("../data/current/launcher-env", root.join("conf/launcher-env")).unwrap();
    });
    for version in ["v2", "v1"] {
        symlink(version, site.at("data/next")).unwrap();
        std::fs::rename(site.at("data/next"), site.at("data/current")).unwrap();
        site.accepts(env_is(if version == "v2" { "A=2" } else { "A=1" }));
    }
}

#[test]
fn a_config_map_swapped_as_kubernetes_does_is_accepted() {
    let mut site = Site::new(|root| {
        std::fs::create_dir(root.join("conf/..1")).unwrap();
        std::fs::write(root.join("conf/..1/launcher-env"), "A=1").unwrap();
        symlink("..1", root.join("conf/..data")).unwrap();
        symlink("..data/launcher-env", root.join("conf/launcher-env")).unwrap();
    });
    for n in 2..5 {
        let version = format!("..{n}");
        std::fs::create_dir(site.at("conf").join(&version)).unwrap();
        site.write(&format!("conf/{version}/launcher-env"), &format!("A={n}"));
        symlink(&version, site.at("conf/..data_tmp")).unwrap();
        std::fs::rename(site.at("conf/..data_tmp"), site.at("conf/..data")).unwrap();
        std::fs::remove_dir_all(site.at(&format!("conf/..{}", n - 1))).unwrap();
        site.accepts(env_is(&format!("A={n}")));
    }
}

#[test]
fn a_directory_that_is_itself_a_link_may_be_swapped() {
    let mut site = Site::new(|root| {
        std::fs::rename(root.join("conf"), root.join("v1")).unwrap();
        std::fs::create_dir(root.join("v2")).unwrap();
        std::fs::write(root.join("v2/wharf.toml"), "format = 1\n").unwrap();
        std::fs::write(root.join("v2/launcher-env"), "A=2").unwrap();
        symlink("v1", root.join("conf")).unwrap();
    });
    symlink("v2", site.at("next")).unwrap();
    std::fs::rename(site.at("next"), site.at("conf")).unwrap();
    site.accepts(env_is("A=2"));
    site.write("v2/launcher-env", "A=3");
    site.accepts(env_is("A=3"));
}

#[test]
fn a_directory_renamed_away_and_made_anew_is_heard_again() {
    let mut site = Site::new(|_| {});
    std::fs::rename(site.at("conf"), site.at("old")).unwrap();
    site.refuses(has_problem(|kind| *kind == FileProblemKind::DirectoryMissing));
    std::fs::create_dir(site.at("conf")).unwrap();
    site.write("conf/wharf.toml", "format = 1\n");
    site.write("conf/launcher-env", "A=1");
    site.accepts(env_is("A=1"));
    site.write("conf/launcher-env", "A=2");
    site.accepts(env_is("A=2"));
}

#[test]
fn a_directory_that_vanishes_is_never_read_as_no_files_and_returns_unchanged() {
    let mut site = Site::new(|root| {
        std::fs::write(root.join("conf/sessions.d/lab.toml"), "x").unwrap();
    });
    std::fs::rename(site.at("conf"), site.at("away")).unwrap();
    let refused = site.refuses(has_problem(|kind| *kind == FileProblemKind::DirectoryMissing));
    assert!(refused.workbench.values().all(Known::is_unknown));
    assert!(matches!(refused.sessions, Managed::Unknown { .. }));
    std::fs::rename(site.at("away"), site.at("conf")).unwrap();
    site.returns_to_what_is_in_force();
    site.write("conf/launcher-env", "A=1");
    site.accepts(env_is("A=1"));
}

#[test]
fn a_file_that_becomes_unreadable_is_refused_and_what_is_in_force_returns_with_it() {
    let mut site = Site::new(|root| std::fs::write(root.join("conf/rserver.conf"), "a=1").unwrap());
    std::fs::rename(site.at("conf/rserver.conf"), site.at("kept")).unwrap();
    symlink("rserver.conf", site.at("conf/rserver.conf")).unwrap();
    let refused = site.refuses(has_problem(|kind| matches!(kind, FileProblemKind::Unreadable(_))));
    assert!(refused.workbench[&FileKind::RserverConf].is_unknown());
    std::fs::remove_file(site.at("conf/rserver.conf")).unwrap();
    std::fs::rename(site.at("kept"), site.at("conf/rserver.conf")).unwrap();
    site.returns_to_what_is_in_force();
}

#[test]
fn a_fifo_in_place_of_a_file_blocks_nothing() {
    let mut site = Site::new(|_| {});
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&site.at("conf/rserver.conf"), mode).unwrap();
    site.refuses(has_problem(|kind| *kind == FileProblemKind::NotRegular("FIFO")));
    std::fs::remove_file(site.at("conf/rserver.conf")).unwrap();
    site.returns_to_what_is_in_force();
}

#[test]
fn a_broken_set_is_refused_and_accepted_once_it_is_mended() {
    let mut site = Site::new(|_| {});
    site.write("conf/launcher-env", "broken");
    site.refuses(env_is("broken"));
    site.write("conf/launcher-env", "A=1");
    site.accepts(env_is("A=1"));
}

#[test]
fn temporary_files_of_editors_change_nothing() {
    let mut site = Site::new(|_| {});
    for name in
        [".lab.toml.swp", "lab.toml~", "#lab.toml#", ".#lab.toml", "4913", "lab.toml.rpmsave"]
    {
        site.write(&format!("conf/sessions.d/{name}"), "broken");
    }
    site.returns_to_what_is_in_force();
}

#[test]
fn a_change_window_holds_acceptance_until_it_ends() {
    let mut site = Site::new(|_| {});
    site.intake.hold(site.now, Some(Moment(site.now.0 + 60_000)));
    site.write("conf/launcher-env", "A=1");
    let until = site.until("held", |event| match event {
        IntakeEvent::Nothing { next } => next.filter(|next| next.0 < 1_000_000),
        _ => None,
    });
    site.intake.hold(site.now, None);
    let held = site.now < until;
    site.accepts(env_is("A=1"));
    assert!(held && site.now < until);
}

/// One thing that people and tools do to files, chosen by a number.
fn act(root: &Path, what: u64, n: u64) {
    let (conf, away) = (root.join("conf"), root.join("away"));
    let text = format!("A={n}");
    // What does not apply (a directory that is away just now) is not done.
    let _ = match what % 8 {
        0 => std::fs::write(conf.join("launcher-env"), text),
        1 => std::fs::write(root.join("new"), text)
            .and_then(|()| std::fs::rename(root.join("new"), conf.join("launcher-env"))),
        2 => std::fs::remove_file(conf.join("launcher-env")),
        3 => std::fs::rename(&conf, &away),
        4 => std::fs::rename(&away, &conf),
        5 => std::fs::create_dir_all(conf.join("nodes.d"))
            .and_then(|()| std::fs::write(conf.join("nodes.d/a.toml"), text)),
        6 => std::fs::remove_dir_all(conf.join("nodes.d")),
        _ => {
            let version = root.join(format!("v{n}"));
            std::fs::create_dir(&version)
                .and_then(|()| std::fs::write(version.join("load-balancer"), text))
                .and_then(|()| symlink(&version, root.join("next")))
                .and_then(|()| std::fs::rename(root.join("next"), root.join("current")))
                .and_then(|()| {
                    symlink("../current/load-balancer", root.join("link"))?;
                    std::fs::rename(root.join("link"), conf.join("load-balancer"))
                })
        }
    };
}

#[test]
fn after_any_sequence_of_changes_the_last_word_is_what_is_on_disk() {
    for seed in 1..=12u64 {
        let mut site = Site::new(|_| {});
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 0..40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            act(&site.root, random >> 33, n);
            site.step(i64::try_from(random >> 60).unwrap() * 20);
        }
        // Whatever directory it is by now, it ends as a site.
        std::fs::create_dir_all(site.at("conf")).unwrap();
        site.write("conf/wharf.toml", "format = 1\n");
        let begin = Instant::now();
        let digest = || {
            let conf = Workbench::Explicit(site.root.join("conf"));
            let dirs = SiteDirs { workbench: conf, own: Own::SelfContained, root: PathBuf::new() };
            load(&dirs, &[], &open_to_read, Moment(0)).files.digest()
        };
        let on_disk = digest();
        while site.intake.acceptance.accepted() != Some(on_disk) {
            assert!(begin.elapsed() < LIMIT, "seed {seed}: {:?}", site.intake.latest());
            site.step(20);
        }
    }
}

/// A watcher and a reading that write down when they are called; every arm reports what is listed.
fn recorded(reports: &[bool]) -> (Intake, Arc<Mutex<Vec<&'static str>>>) {
    struct Recorder(Arc<Mutex<Vec<&'static str>>>, Vec<bool>);
    impl Arm for Recorder {
        fn arm(&mut self, _: &WatchSet) -> ArmReport {
            self.0.lock().unwrap().push("arm");
            let changed = self.1.pop().unwrap_or(true);
            ArmReport { changed, ..ArmReport::default() }
        }
    }
    let calls = Arc::new(Mutex::new(Vec::new()));
    let reports = reports.iter().rev().copied().collect();
    let watcher = Recorder(Arc::clone(&calls), reports);
    let noted = Arc::clone(&calls);
    let empty = empty_site();
    let read = move |_| {
        noted.lock().unwrap().push("read");
        empty.clone()
    };
    let (settle, never) = (Settle::default(), Millis(u64::MAX));
    let look = AtOnce::new(Box::new(watcher), Box::new(read));
    let intake = Intake::start(Box::new(look), settle, never, None, Moment(0));
    (intake, calls)
}

#[test]
fn watches_are_armed_before_reading_and_what_went_unseen_is_read_again() {
    let (mut intake, calls) = recorded(&[false, true, false]);
    let event = intake.poll(Moment(0), &mut |_, _| Looks::Whole);
    assert!(matches!(event, IntakeEvent::Nothing { next: Some(Moment(100)) }));
    assert_eq!(*calls.lock().unwrap(), ["arm", "read", "arm", "read", "arm"]);
}

#[test]
fn a_pass_that_may_have_missed_something_is_not_the_last() {
    let (mut intake, calls) =
        recorded(&[false, true, true, true, false, true, true, true, false, false, false, false]);
    let (now, event) = decided(&mut intake, Moment(0));
    assert!(matches!(event, IntakeEvent::Accepted(..)));
    assert_eq!(now, Moment(200), "{calls:?}");
}

#[test]
fn watches_that_never_come_to_rest_put_no_decision_off() {
    let (mut intake, _) = recorded(&[]);
    let (now, event) = decided(&mut intake, Moment(0));
    assert!(matches!(event, IntakeEvent::Accepted(..)));
    assert_eq!(now, Moment(5_000));
}

/// A site in which nothing is.
fn empty_site() -> Loaded {
    let dir = tempfile::tempdir().unwrap();
    let dirs = SiteDirs {
        workbench: Workbench::Explicit(dir.path().to_owned()),
        own: Own::Optional(dir.path().join("none")),
        root: PathBuf::new(),
    };
    load(&dirs, &[], &open_to_read, Moment(0))
}

/// A watcher that can watch nothing, and a reading that says what it is told.
fn blind(texts: &Arc<Mutex<&'static str>>, poll: Millis, polled: bool) -> Intake {
    struct Blind(bool);
    impl Arm for Blind {
        fn arm(&mut self, _: &WatchSet) -> ArmReport {
            let reason =
                self.0.then(|| (PathBuf::from("/conf"), "the limit is reached".to_owned()));
            ArmReport { changed: false, polled: reason.into_iter().collect() }
        }
    }
    let empty = empty_site();
    let texts = Arc::clone(texts);
    let read = move |_| {
        let mut loaded = empty.clone();
        let source = grammar::source::Source::new("wharf.toml", *texts.lock().unwrap());
        loaded.files.wharf = Known::Present(source);
        loaded
    };
    let look = AtOnce::new(Box::new(Blind(polled)), Box::new(read));
    Intake::start(Box::new(look), Settle::default(), poll, None, Moment(0))
}

/// Polls whenever the intake asks for it, until something is decided; says when.
fn decided(intake: &mut Intake, mut now: Moment) -> (Moment, IntakeEvent) {
    for _ in 0..100 {
        match intake.poll(now, &mut |_, _| Looks::Whole) {
            IntakeEvent::Nothing { next: Some(next) } => now = next,
            IntakeEvent::Nothing { next: None } => panic!("asleep for ever"),
            IntakeEvent::Unchanged(_) => {}
            event => return (now, event),
        }
    }
    panic!("never decided");
}

#[test]
fn where_nothing_can_be_watched_everything_is_read_every_poll() {
    let text = Arc::new(Mutex::new("1"));
    let mut intake = blind(&text, Millis(30_000), true);
    let (now, _) = decided(&mut intake, Moment(0));
    assert_eq!(now, Moment(100));
    assert_eq!(intake.polled().len(), 1);
    *text.lock().unwrap() = "2";
    let (now, event) = decided(&mut intake, now);
    assert!(matches!(event, IntakeEvent::Accepted(..)));
    assert_eq!(now, Moment(30_200));
}

#[test]
fn where_all_is_watched_everything_is_still_read_now_and_then() {
    let text = Arc::new(Mutex::new("1"));
    let mut intake = blind(&text, Millis(30_000), false);
    let (now, _) = decided(&mut intake, Moment(0));
    *text.lock().unwrap() = "2";
    let (now, event) = decided(&mut intake, now);
    assert!(matches!(event, IntakeEvent::Accepted(..)));
    assert_eq!(now, Moment(300_200));
}

#[test]
fn a_set_is_checked_once_however_often_it_is_read() {
    let text = Arc::new(Mutex::new("1"));
    let mut intake = blind(&text, Millis(30_000), true);
    let mut checks = 0;
    let mut now = Moment(0);
    for _ in 0..10 {
        let event = intake.poll(now, &mut |_, _| {
            checks += 1;
            Looks::Broken
        });
        if let IntakeEvent::Nothing { next: Some(next) } = event {
            now = next;
        }
    }
    assert_eq!(checks, 1);
}
