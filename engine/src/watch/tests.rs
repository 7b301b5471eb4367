//! Real directories and the real watcher, waited for with a limit; a refusing one for the limits.

use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

/// How long an event may take before a test fails.
const LIMIT: Duration = Duration::from_secs(20);

/// A watcher over a set, with its wake-ups.
struct Watched {
    watcher: Watcher,
    wakes: Receiver<Wake>,
}

impl Watched {
    fn over(set: &WatchSet) -> Self {
        let (tx, wakes) = channel();
        let tx = Mutex::new(tx);
        let watcher = Watcher::new(move |wake| {
            let _ = tx.lock().unwrap().send(wake);
        });
        let mut watched = Self { watcher, wakes };
        let report = watched.watcher.arm(set);
        assert!(report.changed);
        watched
    }

    #[track_caller]
    fn wakes(&self) {
        let woken = self.wakes.recv_timeout(LIMIT);
        assert!(woken.is_ok(), "no event within {LIMIT:?}");
    }

    /// A directory made after `act` must be the first that wakes.
    #[track_caller]
    fn stays_asleep_while(&self, sentinel: &Path, act: impl FnOnce()) {
        while self.wakes.try_recv().is_ok() {}
        act();
        std::fs::create_dir(sentinel).unwrap();
        self.wakes();
        // One directory made is one event, and events keep their order: a second one, soon after
        // the first, means that `act` woke.
        assert!(self.wakes.recv_timeout(Duration::from_millis(200)).is_err());
    }
}

fn real_dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap();
    (dir, real)
}

fn set_of(dir: &Path) -> WatchSet {
    let mut set = WatchSet::default();
    set.watch_dir(dir);
    set
}

#[test]
fn an_edit_in_place_wakes() {
    let (_keep, dir) = real_dir();
    std::fs::write(dir.join("a"), "1").unwrap();
    let watched = Watched::over(&set_of(&dir));
    std::fs::write(dir.join("a"), "2").unwrap();
    watched.wakes();
}

#[test]
fn a_rename_over_a_file_wakes() {
    let (keep, dir) = real_dir();
    std::fs::create_dir(dir.join("conf")).unwrap();
    std::fs::write(dir.join("conf/a"), "1").unwrap();
    std::fs::write(dir.join("a.new"), "2").unwrap();
    let watched = Watched::over(&set_of(&dir.join("conf")));
    std::fs::rename(dir.join("a.new"), dir.join("conf/a")).unwrap();
    watched.wakes();
    drop(keep);
}

#[test]
fn removing_and_a_changed_mode_wake() {
    use std::os::unix::fs::PermissionsExt;
    let (_keep, dir) = real_dir();
    std::fs::write(dir.join("a"), "1").unwrap();
    let watched = Watched::over(&set_of(&dir));
    std::fs::set_permissions(dir.join("a"), std::fs::Permissions::from_mode(0o600)).unwrap();
    watched.wakes();
    std::fs::remove_file(dir.join("a")).unwrap();
    watched.wakes();
}

#[test]
fn reading_wakes_nobody() {
    let (_keep, dir) = real_dir();
    std::fs::write(dir.join("a"), "1").unwrap();
    let watched = Watched::over(&set_of(&dir));
    watched.stays_asleep_while(&dir.join("sentinel"), || {
        std::fs::read(dir.join("a")).unwrap();
        std::fs::read_dir(&dir).unwrap().for_each(drop);
    });
}

#[test]
fn what_else_happens_in_the_parent_wakes_nobody() {
    let (_keep, dir) = real_dir();
    std::fs::create_dir(dir.join("conf")).unwrap();
    let watched = Watched::over(&set_of(&dir.join("conf")));
    watched.stays_asleep_while(&dir.join("conf/sentinel"), || {
        std::fs::write(dir.join("unrelated"), "x").unwrap();
        std::fs::rename(dir.join("unrelated"), dir.join("moved")).unwrap();
    });
}

#[test]
fn a_link_swapped_outside_of_the_directory_wakes() {
    let (_keep, dir) = real_dir();
    for name in ["conf", "data/v1", "data/v2"] {
        std::fs::create_dir_all(dir.join(name)).unwrap();
    }
    std::fs::write(dir.join("data/v1/a"), "1").unwrap();
    std::fs::write(dir.join("data/v2/a"), "2").unwrap();
    symlink("v1", dir.join("data/current")).unwrap();
    symlink("../data/current/a", dir.join("conf/a")).unwrap();
    let mut set = set_of(&dir.join("conf"));
    set.follow(&dir.join("conf/a"));
    let watched = Watched::over(&set);
    symlink("v2", dir.join("data/next")).unwrap();
    std::fs::rename(dir.join("data/next"), dir.join("data/current")).unwrap();
    watched.wakes();
}

#[test]
fn a_directory_renamed_away_and_made_anew_is_heard_again() {
    let (_keep, dir) = real_dir();
    let conf = dir.join("conf");
    std::fs::create_dir(&conf).unwrap();
    let mut watched = Watched::over(&set_of(&conf));
    std::fs::rename(&conf, dir.join("old")).unwrap();
    watched.wakes();
    let _ = watched.watcher.arm(&set_of(&conf));
    while watched.wakes.try_recv().is_ok() {}
    std::fs::create_dir(&conf).unwrap();
    watched.wakes();
    assert!(watched.watcher.arm(&set_of(&conf)).changed);
    while watched.wakes.try_recv().is_ok() {}
    std::fs::write(conf.join("a"), "1").unwrap();
    watched.wakes();
}

#[test]
fn a_directory_renamed_away_and_back_is_heard_again() {
    let (_keep, dir) = real_dir();
    let conf = dir.join("conf");
    std::fs::create_dir(&conf).unwrap();
    let mut watched = Watched::over(&set_of(&conf));
    for _ in 0..5 {
        std::fs::rename(&conf, dir.join("away")).unwrap();
        std::fs::rename(dir.join("away"), &conf).unwrap();
        watched.wakes();
        // Each wake-up is followed by an arm: after the last one the watch is there.
        while watched.wakes.recv_timeout(Duration::from_millis(50)).is_ok() {
            let _ = watched.watcher.arm(&set_of(&conf));
        }
        let _ = watched.watcher.arm(&set_of(&conf));
        std::fs::write(conf.join("a"), "1").unwrap();
        watched.wakes();
    }
}

#[test]
fn a_rename_of_a_far_ancestor_wakes() {
    let (_keep, dir) = real_dir();
    std::fs::create_dir_all(dir.join("site/etc/rstudio")).unwrap();
    let watched = Watched::over(&set_of(&dir.join("site/etc/rstudio")));
    std::fs::rename(dir.join("site"), dir.join("site.old")).unwrap();
    watched.wakes();
}

#[test]
fn two_paths_to_one_directory_are_one_watch_that_stays_until_both_are_gone() {
    let (_keep, dir) = real_dir();
    std::fs::create_dir_all(dir.join("conf")).unwrap();
    symlink("conf", dir.join("alias")).unwrap();
    let mut both = set_of(&dir.join("conf"));
    both.watch_dir(&dir.join("alias"));
    let mut watched = Watched::over(&both);
    assert!(!watched.watcher.arm(&set_of(&dir.join("conf"))).changed);
    std::fs::write(dir.join("conf/a"), "1").unwrap();
    watched.wakes();
}

#[test]
fn arming_the_same_set_again_changes_nothing() {
    let (_keep, dir) = real_dir();
    let mut watched = Watched::over(&set_of(&dir));
    assert_eq!(watched.watcher.arm(&set_of(&dir)), ArmReport::default());
}

#[test]
fn two_directories_that_change_places_are_both_heard() {
    let (_keep, dir) = real_dir();
    for name in ["a", "b"] {
        std::fs::create_dir(dir.join(name)).unwrap();
    }
    let mut both = set_of(&dir.join("a"));
    both.watch_dir(&dir.join("b"));
    let mut watched = Watched::over(&both);
    std::fs::rename(dir.join("a"), dir.join("c")).unwrap();
    std::fs::rename(dir.join("b"), dir.join("a")).unwrap();
    std::fs::rename(dir.join("c"), dir.join("b")).unwrap();
    watched.wakes();
    while watched.wakes.recv_timeout(Duration::from_millis(50)).is_ok() {}
    assert!(watched.watcher.arm(&both).changed);
    for name in ["a", "b"] {
        while watched.wakes.recv_timeout(Duration::from_millis(50)).is_ok() {}
        std::fs::write(dir.join(name).join("file"), "x").unwrap();
        watched.wakes();
    }
}

/// Refuses every watch.
struct Full;

impl Place for Full {
    fn watch(&mut self, _: &Path) -> Result<(), PlaceError> {
        Err(PlaceError::Refused("the limit of watches is reached".to_owned()))
    }
    fn unwatch(&mut self, _: &Path) {}
}

#[test]
fn directories_that_cannot_be_watched_are_polled_but_not_their_far_ancestors() {
    let (_keep, dir) = real_dir();
    std::fs::create_dir_all(dir.join("a/conf")).unwrap();
    let mut watcher = Watcher::with(Box::new(|| Ok(Box::new(Full))), Arc::default());
    let report = watcher.arm(&set_of(&dir.join("a/conf")));
    let polled: Vec<&PathBuf> = report.polled.keys().collect();
    assert_eq!(polled, [&dir.join("a"), &dir.join("a/conf")]);
    assert!(!report.changed);
}

#[test]
fn without_a_watcher_at_all_everything_is_polled_and_it_is_tried_again() {
    let (_keep, dir) = real_dir();
    let tries = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&tries);
    let make: MakePlace = Box::new(move || {
        *counted.lock().unwrap() += 1;
        Err("the limit of watchers is reached".to_owned())
    });
    let mut watcher = Watcher::with(make, Arc::default());
    for _ in 0..2 {
        assert!(watcher.arm(&set_of(&dir)).polled.contains_key(&dir));
    }
    assert_eq!(*tries.lock().unwrap(), 2);
}

#[test]
fn lost_events_and_errors_ask_for_a_full_reading() {
    use notify::event::Flag;
    let lost = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
    assert_eq!(wake_of(&Ok(lost), |_| false), Some(Wake::Rescan));
    assert_eq!(wake_of(&Err(notify::Error::generic("x")), |_| false), Some(Wake::Rescan));
}

#[test]
fn where_something_happened_is_heard_also_of_what_wakes_nobody_and_of_no_reading() {
    let (_keep, dir) = real_dir();
    std::fs::create_dir(dir.join("conf")).unwrap();
    for name in ["a", "b"] {
        std::fs::write(dir.join("conf").join(name), "1").unwrap();
    }
    let mut watched = Watched::over(&set_of(&dir.join("conf")));
    std::fs::read(dir.join("conf/b")).unwrap();
    std::fs::write(dir.join("unrelated"), "x").unwrap();
    let mut open = std::fs::File::options().append(true).open(dir.join("conf/a")).unwrap();
    io::Write::write_all(&mut open, b"2").unwrap();
    // Events keep their order: what is heard with this one was all.
    std::fs::create_dir(dir.join("conf/sentinel")).unwrap();
    watched.wakes();
    let at = |names: &[&str]| {
        let mut heard = Heard::default();
        names.iter().for_each(|name| heard.at(dir.join("conf").join(name).to_str()));
        heard
    };
    assert_eq!(watched.watcher.heard(), at(&["a", "sentinel"]));
    assert_eq!(watched.watcher.heard(), Heard::default());
    drop(open);
    watched.wakes();
    assert_eq!(watched.watcher.heard(), at(&["a"]));
}

#[test]
fn an_event_that_was_lost_or_has_no_path_may_be_anywhere() {
    use notify::event::{CreateKind, Flag};
    let heard = |event: notify::Result<notify::Event>| {
        let ear = Ear::default();
        ear.hear(&event);
        std::mem::take(&mut *lock(&ear.heard))
    };
    let created = || notify::Event::new(EventKind::Create(CreateKind::File));
    assert_eq!(heard(Ok(created())), Heard::anywhere());
    assert_eq!(heard(Err(notify::Error::generic("x"))), Heard::anywhere());
    let rescan = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
    assert_eq!(heard(Ok(rescan.add_path(PathBuf::from("/w/a")))), Heard::anywhere());
    let opened = notify::Event::new(EventKind::Access(AccessKind::Open(AccessMode::Any)));
    assert_eq!(heard(Ok(opened.add_path(PathBuf::from("/w/a")))), Heard::default());
    let mut one = Heard::default();
    one.at(Some("/w/a"));
    assert_eq!(heard(Ok(created().add_path(PathBuf::from("/w/a")))), one);
}
