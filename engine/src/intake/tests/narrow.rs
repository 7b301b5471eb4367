//! Looks with the real watcher and the real reading: what is heard of an edit is enough to find it.

use std::io::Write;

use super::*;
use crate::load::Reader;
use crate::watch::WatchSet;

/// A site of our own directory, looked at again and again.
struct Looked {
    _keep: tempfile::TempDir,
    root: PathBuf,
    look: AtOnce,
    wakes: Receiver<Wake>,
    watch: WatchSet,
    now: i64,
}

impl Looked {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        for dir in ["conf", "wharf/sessions.d", "outside"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        for stem in ["a", "b"] {
            std::fs::write(root.join(format!("wharf/sessions.d/{stem}.toml")), stem).unwrap();
        }
        let dirs = SiteDirs {
            workbench: Workbench::Explicit(root.join("conf")),
            own: Own::Required(root.join("wharf")),
            root: PathBuf::new(),
        };
        let (tx, wakes) = channel();
        let tx = Mutex::new(tx);
        let watcher = Watcher::new(move |wake| {
            let _ = tx.lock().unwrap().send(wake);
        });
        let look = AtOnce::new(Box::new(watcher), Box::new(Reader::new(dirs)));
        let mut it = Self { _keep: keep, root, look, wakes, watch: WatchSet::default(), now: 0 };
        assert!(it.look().loaded.complete, "the first look");
        it
    }

    fn look(&mut self) -> Seen {
        self.now += 1;
        let (now, watch) = (Moment(self.now), self.watch.clone());
        let seen = self.look.look(&Order { now, watch, forget: false, may_be_narrow: true });
        self.watch.clone_from(&seen.loaded.watch);
        seen
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join("wharf/sessions.d").join(name)
    }

    /// Looks until `says` is what the sessions' files say, after a wake-up; whether each look was narrow.
    #[track_caller]
    fn finds(&mut self, says: &[(&str, &str)]) -> bool {
        self.wakes.recv_timeout(LIMIT).expect("a wake-up");
        let (begin, mut all_narrow) = (Instant::now(), true);
        loop {
            let seen = self.look();
            all_narrow &= !seen.loaded.complete;
            let files = seen.loaded.files.sessions.shared();
            let found = files.iter().map(|(stem, file)| {
                (stem.as_str(), file.present().map_or("?", |source| &source.text))
            });
            let found: Vec<(&str, &str)> = found.collect();
            if found == says {
                // What else the edit raised is over.
                while self.wakes.recv_timeout(Duration::from_millis(50)).is_ok() {}
                let _ = self.look();
                return all_narrow;
            }
            assert!(begin.elapsed() < LIMIT, "{found:?}");
            let _ = self.wakes.recv_timeout(Duration::from_millis(50));
        }
    }
}

#[test]
fn each_way_of_writing_a_file_is_found_by_a_narrow_look() {
    let mut it = Looked::new();
    std::fs::write(it.at("a.toml"), "in place").unwrap();
    assert!(it.finds(&[("a", "in place"), ("b", "b")]));
    std::fs::write(it.root.join("outside/new"), "renamed").unwrap();
    std::fs::rename(it.root.join("outside/new"), it.at("a.toml")).unwrap();
    assert!(it.finds(&[("a", "renamed"), ("b", "b")]));
    // As an editor does it.
    std::fs::write(it.at(".a.toml.swp"), "edited").unwrap();
    std::fs::rename(it.at("a.toml"), it.at("a.toml~")).unwrap();
    std::fs::rename(it.at(".a.toml.swp"), it.at("a.toml")).unwrap();
    assert!(it.finds(&[("a", "edited"), ("b", "b")]));
    std::fs::remove_file(it.at("b.toml")).unwrap();
    assert!(it.finds(&[("a", "edited")]));
    std::fs::write(it.at("b.toml"), "back").unwrap();
    assert!(it.finds(&[("a", "edited"), ("b", "back")]));
}

#[test]
fn what_a_writer_adds_who_keeps_the_file_open_is_found_by_the_next_look() {
    let mut it = Looked::new();
    let mut file = std::fs::File::create(it.at("c.toml")).unwrap();
    file.write_all(b"1").unwrap();
    assert!(it.finds(&[("a", "a"), ("b", "b"), ("c", "1")]));
    // Well past the time within which times are not trusted, so that only what is heard tells.
    std::thread::sleep(Duration::from_millis(1_200));
    let _ = it.look();
    file.write_all(b"2").unwrap();
    // It wakes nobody; another edit does.
    std::fs::write(it.at("a.toml"), "A").unwrap();
    assert!(it.finds(&[("a", "A"), ("b", "b"), ("c", "12")]));
}

#[test]
fn where_more_than_names_is_heard_the_look_is_complete() {
    let mut it = Looked::new();
    symlink(it.root.join("outside/target"), it.at("b.toml.new")).unwrap();
    std::fs::write(it.root.join("outside/target"), "there").unwrap();
    std::fs::rename(it.at("b.toml.new"), it.at("b.toml")).unwrap();
    assert!(!it.finds(&[("a", "a"), ("b", "there")]), "what it leads to was not watched before");
    std::fs::write(it.root.join("outside/target"), "elsewhere").unwrap();
    assert!(!it.finds(&[("a", "a"), ("b", "elsewhere")]));
    // A directory in the place of the one that was there.
    std::fs::create_dir(it.root.join("next")).unwrap();
    std::fs::write(it.root.join("next/z.toml"), "z").unwrap();
    std::fs::rename(it.root.join("wharf/sessions.d"), it.root.join("previous")).unwrap();
    std::fs::rename(it.root.join("next"), it.root.join("wharf/sessions.d")).unwrap();
    assert!(!it.finds(&[("z", "z")]));
    std::fs::write(it.at("z.toml"), "Z").unwrap();
    assert!(it.finds(&[("z", "Z")]), "it is watched as the one before was");
}
