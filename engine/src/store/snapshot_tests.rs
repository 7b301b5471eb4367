//! Snapshots: what is written comes back, and nothing else does.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn record(version: u64, bytes: &[u8]) -> Versioned {
    Versioned { version: Version(version), bytes: bytes.to_vec() }
}

fn image() -> Image {
    Image {
        instance: "main".to_owned(),
        made_at: Moment(1_760_000_000_000),
        version: 12,
        by: "wharf 0.1.0".to_owned(),
        key: "0123456789abcdef".to_owned(),
        records: vec![
            ("binary".to_owned(), record(3, b"\xff\0{")),
            ("empty".to_owned(), record(4, b"")),
            ("null".to_owned(), record(4, b"null")),
            ("number/demo".to_owned(), record(7, br#"{"format":1, "n":3}"#)),
            ("two lines".to_owned(), record(8, b"{\n}")),
            ("ÿ \"quoted\"\n".to_owned(), record(9, b" 1")),
        ],
        leases: vec![(
            "site".to_owned(),
            record(12, br#"{"format":1,"holder":"n1","epoch":4,"expires":5}"#),
        )],
    }
}

#[test]
fn what_is_written_comes_back_byte_for_byte() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.jsonl");
    write(&path, &image()).unwrap();
    assert_eq!(load(&path).unwrap(), image());
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains(r#"{"key":"number/demo","version":7,"value":{"format":1, "n":3}}"#),
        "{text}"
    );
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_snapshot_cut_at_any_byte_or_with_any_bit_changed_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.jsonl");
    write(&path, &image()).unwrap();
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        assert!(parse(&whole[..len]).is_err(), "cut at {len}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(parse(&changed).is_err(), "changed at {at}");
    }
    let mut longer = whole.clone();
    longer.extend_from_slice(b"{}\n");
    assert!(parse(&longer).is_err());
}

#[test]
fn the_one_before_is_used_when_the_newest_is_torn() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.jsonl");
    assert!(!exists(&path));
    let older = Image { version: 11, ..image() };
    write(&path, &older).unwrap();
    write(&path, &image()).unwrap();
    let (newest, refused) = load_newest(&path);
    assert_eq!((newest, refused.len()), (Some((path.clone(), image())), 0));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (newest, refused) = load_newest(&path);
    assert_eq!(newest, Some((previous(&path), older)));
    assert_eq!(refused.len(), 1);
    fs::remove_file(&path).unwrap();
    assert!(exists(&path));
}

#[test]
fn a_newer_format_is_said_to_be_newer() {
    let newer = br#"{"what":"wharf store snapshot","format":9,"unknown":[]}"#.to_vec();
    let newer = [newer, b"\n".to_vec()].concat();
    assert!(matches!(parse(&newer), Err(Problem::Newer(9))));
}

#[test]
fn a_symlink_or_a_pipe_is_no_snapshot() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.jsonl");
    write(&path, &image()).unwrap();
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(load(&link), Err(SnapshotError::Damaged { .. })));
    let pipe = scratch.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(load(&pipe), Err(SnapshotError::Damaged { .. })));
}

#[test]
fn epochs_of_a_loaded_snapshot_are_above_any_given_since() {
    let table = image().table(20);
    let lease = table.entries().find(|(space, ..)| *space == Space::Lease).unwrap().2;
    let row: LeaseRow = serde_json::from_slice(&lease.bytes).unwrap();
    assert_eq!((row.holder, row.epoch), (None, 4 + 8));
    assert_eq!(table.tally().version, 20);
}

#[test]
fn a_copy_is_written_over_what_somebody_who_was_killed_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.jsonl");
    write_copy(&path, &Image::default(), false).unwrap();
    fs::write(dir.path().join("copy.jsonl.new"), "half").unwrap();
    let image = Image { instance: "t".to_owned(), ..Image::default() };
    write_copy(&path, &image, true).unwrap();
    assert_eq!(load(&path).unwrap(), image);
    assert!(!dir.path().join("copy.jsonl.new").exists());
}

#[test]
fn a_version_that_no_store_reaches_is_refused() {
    let image = Image { version: u64::MAX, ..Image::default() };
    let refused = of_bytes(&bytes(&image), Path::new("x")).unwrap_err().to_string();
    assert!(refused.contains("line 1 has version 18446744073709551615"), "{refused}");
}

#[test]
fn what_a_foreign_file_says_moves_no_cursor() {
    let line = "{\"what\":\"wharf store snapshot\",\"format\":1,\"\\u001b[2J\":1}\n";
    let text = format!("{line}{{\"end\":0,\"digest\":\"{}\"}}\n", Digest::of(line.as_bytes()));
    let refused = of_bytes(text.as_bytes(), Path::new("x")).unwrap_err().to_string();
    assert!(refused.contains("unknown field") && !refused.contains('\u{1b}'), "{refused}");
}
