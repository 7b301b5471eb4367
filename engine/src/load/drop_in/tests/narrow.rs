//! Looks that are narrowed to what was heard: after any edits they find what a complete look finds.

use std::io::Write;

use engine_core::heard::{Heard, Standing};
use proptest::prelude::*;

use super::*;
use crate::load::Loaded;

const SURE: Standing = Standing { may_be_narrow: true, watched: true };

/// A site, what reads it, and what is heard of it.
struct Edited {
    root: Root,
    reader: Reader,
    heard: Heard,
    now: i64,
    written: usize,
}

impl Edited {
    /// With three sessions, read once. Times are trusted at once, so no two texts may be equally long.
    fn new() -> Self {
        let root = Root::new();
        for (n, stem) in ["a", "b", "c"].into_iter().enumerate() {
            root.write(&format!("wharf/sessions.d/{stem}.toml"), text_of(n + 1));
        }
        root.write("outside/target", text_of(4));
        let mut reader = Reader::new(root.dirs());
        reader.trust_times();
        let mut it = Self { root, reader, heard: Heard::default(), now: 0, written: 4 };
        assert!(it.look().complete);
        it
    }

    /// Where something really is: events have such paths.
    fn real(&self, path: &str) -> PathBuf {
        self.root.at("").canonicalize().unwrap().join(path)
    }

    fn hear(&mut self, path: &str) {
        let real = self.real(path);
        self.heard.at(real.to_str());
    }

    fn session(name: &str) -> String {
        format!("wharf/sessions.d/{name}")
    }

    fn new_text(&mut self) -> String {
        self.written += 1;
        text_of(self.written)
    }

    /// A look at what was heard.
    fn look(&mut self) -> Loaded {
        self.now += 1;
        let heard = std::mem::take(&mut self.heard);
        self.reader.read_heard(Moment(self.now), &heard, SURE)
    }

    /// A look that finds what one finds that remembers nothing; whether it was complete.
    fn looks_as_anew(&mut self, after: &str) -> bool {
        let (found, anew) = (self.look(), load_from(&self.root.dirs()));
        let files = found.files;
        let says = |files: &SiteFiles| {
            let file = |(stem, file): (&String, &Known<Source>)| {
                (stem.clone(), text(file).map(str::len), file.unknown_reason().map(str::to_owned))
            };
            sessions(files).iter().map(file).collect::<Vec<_>>()
        };
        assert_eq!(says(&files), says(&anew), "after {after}");
        assert_eq!(files.digest(), anew.digest(), "after {after}");
        assert_eq!(files.unreadable, anew.unreadable, "after {after}");
        assert_eq!((files.stray, files.empty), (anew.stray, anew.empty), "after {after}");
        found.complete
    }
}

fn text_of(len: usize) -> String {
    "#".repeat(len)
}

/// One edit; what is heard of it is what the system tells.
#[derive(Clone, Debug)]
enum Edit {
    Write(&'static str),
    /// Opens the file, writes a bit and closes it.
    Append(&'static str),
    RenameOver(&'static str),
    Swap(&'static str, &'static str),
    Remove(&'static str),
    MakeDirectory(&'static str),
    /// To a file elsewhere.
    Link(&'static str),
    /// What links lead to.
    WriteTarget,
    RemoveTarget,
    /// The whole directory becomes one with `a.toml` in it.
    Replace,
    RemoveAll,
}

impl Edit {
    fn make(&self, it: &mut Edited) {
        let at = |it: &Edited, name: &str| it.root.at(&Edited::session(name));
        match self {
            Edit::Write(name) => {
                let new = it.new_text();
                // A link would be followed, which is heard elsewhere.
                let _ = std::fs::remove_file(at(it, name));
                let _ = std::fs::write(at(it, name), new);
                it.hear(&Edited::session(name));
            }
            Edit::Append(name) => {
                let is_plain = at(it, name).symlink_metadata().is_ok_and(|meta| meta.is_file());
                if let (true, Ok(mut file)) =
                    (is_plain, std::fs::OpenOptions::new().append(true).open(at(it, name)))
                {
                    // Longer than whatever was there before.
                    let new = it.new_text();
                    file.write_all(new.as_bytes()).unwrap();
                    it.written += usize::try_from(file.metadata().unwrap().len()).unwrap();
                    it.hear(&Edited::session(name));
                }
            }
            Edit::RenameOver(name) => {
                let new = it.new_text();
                it.root.write("outside/new", new);
                let _ = std::fs::rename(it.root.at("outside/new"), at(it, name));
                it.hear(&Edited::session(name));
            }
            Edit::Swap(one, other) => {
                let _ = std::fs::rename(at(it, one), at(it, ".swap"));
                let _ = std::fs::rename(at(it, other), at(it, one));
                let _ = std::fs::rename(at(it, ".swap"), at(it, other));
                for name in [".swap", one, other] {
                    it.hear(&Edited::session(name));
                }
            }
            Edit::Remove(name) => {
                let _ = std::fs::remove_file(at(it, name));
                let _ = std::fs::remove_dir(at(it, name));
                it.hear(&Edited::session(name));
            }
            Edit::MakeDirectory(name) => {
                let _ = std::fs::remove_file(at(it, name));
                let _ = std::fs::create_dir(at(it, name));
                it.hear(&Edited::session(name));
            }
            Edit::Link(name) => {
                let _ = std::fs::remove_file(at(it, name));
                let _ = symlink(it.root.at("outside/target"), at(it, name));
                it.hear(&Edited::session(name));
            }
            Edit::WriteTarget => {
                let new = it.new_text();
                it.root.write("outside/target", new);
                it.hear("outside/target");
            }
            Edit::RemoveTarget => {
                let _ = std::fs::remove_file(it.root.at("outside/target"));
                it.hear("outside/target");
            }
            Edit::Replace => {
                let new = it.new_text();
                it.root.write("next/a.toml", new);
                let kept = tempfile::tempdir_in(it.root.at("")).unwrap().keep();
                let _ = std::fs::rename(it.root.at("wharf/sessions.d"), kept.join("old"));
                std::fs::rename(it.root.at("next"), it.root.at("wharf/sessions.d")).unwrap();
                it.hear("wharf/sessions.d");
            }
            Edit::RemoveAll => {
                let _ = std::fs::remove_dir_all(it.root.at("wharf/sessions.d"));
                for name in ["a.toml", "b.toml"] {
                    it.hear(&Edited::session(name));
                }
                it.hear("wharf/sessions.d");
            }
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<(Edit, bool)>> {
    const NAMES: [&str; 6] = ["a.toml", "b.toml", "a-b.toml", "Odd.toml", ".tmp.toml", "c"];
    let name = || prop::sample::select(NAMES.to_vec());
    let edit = prop_oneof![
        4 => name().prop_map(Edit::Write),
        2 => name().prop_map(Edit::Append),
        4 => name().prop_map(Edit::RenameOver),
        2 => (name(), name()).prop_map(|(one, other)| Edit::Swap(one, other)),
        3 => name().prop_map(Edit::Remove),
        1 => name().prop_map(Edit::MakeDirectory),
        2 => name().prop_map(Edit::Link),
        1 => Just(Edit::WriteTarget),
        1 => Just(Edit::RemoveTarget),
        1 => Just(Edit::Replace),
        1 => Just(Edit::RemoveAll),
    ];
    prop::collection::vec((edit, any::<bool>()), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn after_any_edits_narrow_looks_find_what_a_complete_one_finds(edits in edits()) {
        let mut it = Edited::new();
        for (edit, looks) in &edits {
            edit.make(&mut it);
            if *looks {
                it.looks_as_anew(&format!("{edit:?}"));
            }
        }
        it.looks_as_anew("all of them");
    }
}

#[test]
fn what_was_heard_of_is_looked_at_and_nothing_else() {
    let mut it = Edited::new();
    Edit::Write("a.toml").make(&mut it);
    assert!(!it.looks_as_anew("an edit"));
    // Of this one nothing is heard: a narrow look does not find it, and a complete one does.
    it.root.write("wharf/sessions.d/b.toml", text_of(100));
    Edit::Write("a.toml").make(&mut it);
    let found = it.look();
    assert_eq!(text(&sessions(&found.files)["b"]).map(str::len), Some(2));
    it.heard.lost();
    assert!(it.looks_as_anew("events that were lost"));
}

#[test]
fn a_rename_of_which_only_the_old_name_was_heard_is_found_whole() {
    let mut it = Edited::new();
    std::fs::rename(it.root.at(&Edited::session("a.toml")), it.root.at(&Edited::session("z.toml")))
        .unwrap();
    it.hear(&Edited::session("a.toml"));
    it.looks_as_anew("half of what there is to hear");
    it.hear(&Edited::session("z.toml"));
    assert!(!it.looks_as_anew("the other half"));
}

#[test]
fn whatever_is_no_entry_of_such_a_directory_makes_a_look_complete() {
    for edit in [Edit::WriteTarget, Edit::Replace, Edit::RemoveAll] {
        let mut it = Edited::new();
        edit.make(&mut it);
        assert!(it.looks_as_anew(&format!("{edit:?}")), "{edit:?}");
        assert!(!it.looks_as_anew("nothing"));
    }
}

#[test]
fn a_file_that_comes_back_is_read_and_so_is_one_that_was_forgotten() {
    let mut it = Edited::new();
    for edit in [Edit::Remove("a.toml"), Edit::RenameOver("a.toml"), Edit::Write("Odd.toml")] {
        edit.make(&mut it);
        assert!(!it.looks_as_anew(&format!("{edit:?}")));
    }
    it.reader.forget();
    assert!(it.looks_as_anew("somebody asked"));
    it.now += 400_000;
    assert!(it.looks_as_anew("all is read now and then"));
}

#[test]
fn a_link_and_what_was_written_a_moment_ago_are_looked_at_in_each_look() {
    let mut it = Edited::new();
    Edit::Link("b.toml").make(&mut it);
    it.looks_as_anew("a link");
    // Nothing is heard of what it leads to.
    it.root.write("outside/target", text_of(50));
    assert!(!it.looks_as_anew("another text there"));

    let root = Root::new();
    root.write("wharf/sessions.d/a.toml", "1");
    let mut reader = Reader::new(root.dirs());
    reader.read(Moment(1));
    // Equally long, within one tick of the clock: only its text tells.
    for now in 2..9 {
        root.write("wharf/sessions.d/a.toml", now.to_string());
        let found = reader.read_heard(Moment(now), &Heard::default(), SURE);
        assert!(!found.complete);
        assert_eq!(text(&sessions(&found.files)["a"]), Some(&*now.to_string()));
    }
}
