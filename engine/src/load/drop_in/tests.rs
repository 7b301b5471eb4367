//! What a look keeps of the one before, in real directories.

use std::os::unix::fs::symlink;

use engine_core::ids::Moment;
use engine_core::site::{FileProblemKind, SiteFiles};

use super::*;
use crate::load::Reader;
use crate::load::tests::{Root, load_from, strays, text};

mod narrow;

fn sessions(files: &SiteFiles) -> SharedMap<String, Known<Source>> {
    files.sessions.shared()
}

/// The names of the sessions' files that are another thing than they were, whatever they say.
fn others(now: &SiteFiles, before: &SiteFiles) -> Vec<String> {
    let is_one = |a: &Known<Source>, b: &Known<Source>| match (a, b) {
        (Known::Present(a), Known::Present(b)) => std::sync::Arc::ptr_eq(&a.text, &b.text),
        (a, b) => a.unknown_reason() == b.unknown_reason(),
    };
    let (now, before) = (sessions(now), sessions(before));
    now.changes_by(&before, is_one).map(|change| change.key.clone()).collect()
}

/// A site of many sessions, and what reads it.
fn many() -> (Root, Reader) {
    let root = Root::new();
    for n in 0..300 {
        root.write(&format!("wharf/sessions.d/s{n}.toml"), format!("n = {n}\n"));
    }
    let reader = Reader::new(root.dirs());
    (root, reader)
}

#[test]
fn a_look_at_what_is_as_it_was_is_the_map_of_the_one_before() {
    let (_root, mut reader) = many();
    let first = reader.read(Moment(1)).files;
    assert!(sessions(&reader.read(Moment(2)).files).is(&sessions(&first)));
    // Also where every file is opened, because somebody asked for that or since it is time.
    reader.forget();
    assert!(sessions(&reader.read(Moment(3)).files).is(&sessions(&first)));
    assert!(sessions(&reader.read(Moment(900_000)).files).is(&sessions(&first)));
}

#[test]
fn a_look_takes_up_what_differs_and_nothing_else() {
    let (root, mut reader) = many();
    let first = reader.read(Moment(1)).files;
    root.write("wharf/sessions.d/s7.toml", "n = 8\n");
    std::fs::remove_file(root.at("wharf/sessions.d/s8.toml")).unwrap();
    root.write("wharf/sessions.d/s.toml", "new");
    root.write("wharf/sessions.d/S.toml", "odd");
    let second = reader.read(Moment(2)).files;
    assert_eq!(others(&second, &first), ["s", "s7", "s8"]);
    assert_eq!(second.digest(), load_from(&root.dirs()).digest());
    assert_eq!(strays(&second), [("sessions.d/S.toml", StrayKind::OddName)]);
    // And back.
    root.write("wharf/sessions.d/s7.toml", "n = 7\n");
    root.write("wharf/sessions.d/s8.toml", "n = 8\n");
    std::fs::remove_file(root.at("wharf/sessions.d/s.toml")).unwrap();
    std::fs::remove_file(root.at("wharf/sessions.d/S.toml")).unwrap();
    let third = reader.read(Moment(3)).files;
    assert_eq!((third.digest(), strays(&third)), (first.digest(), vec![]));
}

#[test]
fn names_are_told_apart_whatever_their_order_with_and_without_the_ending() {
    let root = Root::new();
    for stem in ["a", "a-b", "a.b", "a0"] {
        root.write(&format!("wharf/sessions.d/{stem}.toml"), stem);
    }
    let mut reader = Reader::new(root.dirs());
    let first = reader.read(Moment(1)).files;
    assert!(sessions(&reader.read(Moment(2)).files).is(&sessions(&first)));
    std::fs::remove_file(root.at("wharf/sessions.d/a-b.toml")).unwrap();
    let second = reader.read(Moment(3)).files;
    assert_eq!(others(&second, &first), ["a-b"]);
}

#[test]
fn what_cannot_be_read_is_said_in_each_look_and_is_so_since_the_first() {
    let (root, mut reader) = many();
    std::fs::create_dir(root.at("wharf/sessions.d/d.toml")).unwrap();
    symlink("nowhere", root.at("wharf/sessions.d/l.toml")).unwrap();
    let first = reader.read(Moment(1)).files;
    let second = reader.read(Moment(2)).files;
    assert!(sessions(&second).is(&sessions(&first)));
    assert_eq!(second.unreadable, first.unreadable);
    let kinds: Vec<_> = second.unreadable.iter().map(|problem| problem.kind.clone()).collect();
    assert!(matches!(&kinds[..], [_, FileProblemKind::Dangling]), "{kinds:?}");
    // The link leads somewhere, and later somewhere else.
    for (n, says) in ["1", "2", "3"].into_iter().enumerate() {
        root.write("elsewhere", says);
        let _ = std::fs::remove_file(root.at("wharf/sessions.d/l.toml"));
        symlink(root.at("elsewhere"), root.at("wharf/sessions.d/l.toml")).unwrap();
        let files = reader.read(Moment(3 + i64::try_from(n).unwrap())).files;
        assert_eq!(text(&sessions(&files)["l"]), Some(says));
    }
}

#[test]
fn a_directory_that_is_another_one_is_read_as_it_is() {
    let (root, mut reader) = many();
    let first = reader.read(Moment(1)).files;
    root.write("next/s3.toml", "n = 3\n");
    root.write("next/z.toml", "z");
    std::fs::rename(root.at("wharf/sessions.d"), root.at("previous")).unwrap();
    assert!(matches!(reader.read(Moment(2)).files.sessions, Managed::NotManaged));
    std::fs::rename(root.at("next"), root.at("wharf/sessions.d")).unwrap();
    let stems = |files: &SiteFiles| sessions(files).keys().cloned().collect::<Vec<_>>();
    assert_eq!(stems(&reader.read(Moment(3)).files), ["s3", "z"]);
    std::fs::rename(root.at("wharf/sessions.d"), root.at("next")).unwrap();
    std::fs::rename(root.at("previous"), root.at("wharf/sessions.d")).unwrap();
    assert_eq!(reader.read(Moment(4)).files.digest(), first.digest());
}
