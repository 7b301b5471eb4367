//! What is in a directory and is no configuration: temporary files of editors and tools, things that are no regular
//! files, names that nobody can have meant. None of it is read as ours; what is a mistake is named, and its
//! thing stays as it is.

use std::os::unix::net::UnixListener;

use golden::real::engine::is;
use golden::real::{Own, Site, within};

use super::{Bench, Connected, NEVER, text, wharf_toml};

/// Done in `sessions.d`, `D`; the name there of a thing that exists is `demo.toml`. Each has a text that would be a
/// session if anybody read it.
const NOTHING: &[(&str, &str)] = &[
    (
        "vim's swap and backup files",
        r#"cp "$T" "$D/.demo.toml.swp"; cp "$T" "$D/.demo.toml.swx"; cp "$T" "$D/demo.toml~""#,
    ),
    ("vim's trial", r#"touch "$D/4913""#),
    (
        "emacs' lock, which leads nowhere, and autosave",
        r##"ln -s me@here.1:2 "$D/.#demo.toml"; cp "$T" "$D/#demo.toml#""##,
    ),
    (
        "Kate's and GNOME's",
        r#"cp "$T" "$D/.demo.toml.kate-swp"; cp "$T" "$D/.goutputstream-A1B2C3""#,
    ),
    (
        "rsync's and Ansible's, before the rename",
        r#"cp "$T" "$D/.demo.toml.aB3dEf"; cp "$T" "$D/.ansible_tmpk3xdemo.toml""#,
    ),
    ("Puppet's and sed's", r#"cp "$T" "$D/demo.toml20261126-7-1ab"; cp "$T" "$D/sedAb12Cd""#),
    (
        "what package managers keep",
        r#"for e in rpmsave rpmnew rpmorig dpkg-old dpkg-new dpkg-dist ucf-dist; do cp "$T" "$D/demo.toml.$e"; done"#,
    ),
    (
        "copies by hand",
        r#"cp "$T" "$D/demo.toml.bak"; cp "$T" "$D/demo.toml.orig"; cp "$T" "$D/demo.toml.2026-11-26@10:00~""#,
    ),
    (
        "a version control's directory, and others",
        r#"mkdir "$D/.git" "$D/old" "$D/..2026_11_26"; cp "$T" "$D/old/x.toml""#,
    ),
    ("an explanation", r#"cp "$T" "$D/README""#),
    (
        "the same content, once more",
        r#"cat "$D/demo.toml" >"$O/x"; cat "$O/x" >"$D/demo.toml"; touch "$D/demo.toml"; mv "$O/x" "$D/demo.toml""#,
    ),
    (
        "another mode and other times",
        r#"chmod 600 "$D/demo.toml"; touch -d 2020-01-01 "$D/demo.toml"; chmod 644 "$D/demo.toml""#,
    ),
];

#[test]
fn what_nobody_means_is_not_read_and_changes_nothing() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(NEVER, "60s"));
    let mut bench = Bench::new(site);
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    let before = bench.reload();
    let sessions = bench.engine.site.path("sessions.d");
    let other = bench.outside("other");
    std::fs::create_dir(&other).expect("it is ours");
    let meant = other.join("meant");
    std::fs::write(&meant, "workbench = \"demo\"\n").expect("it is ours");
    for (what, script) in NOTHING {
        super::sh(script, &[("D", &sessions), ("O", &other), ("T", &meant)]);
        let after = bench.reload();
        assert_eq!(after.generation, before.generation, "{what}");
        assert!(after.problems.is_empty() && after.refused.is_none(), "{what}: {after:?}");
        assert_eq!(after.sessions.len(), 1, "{what}: {:?}", after.sessions);
    }
    is(&bench.engine.admin(&["check", &bench.engine.site.dir().display().to_string()]), 0, "");
    demo.are_known_to(&mut bench.engine);
}

/// What is put in the place `F` of a session's file, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    (r#"rm "$F"; mkfifo "$F""#, "is a FIFO"),
    (r#"rm "$F"; mkdir "$F""#, "is a directory"),
    (r#"ln -sf /dev/zero "$F""#, "is a device"),
    (r#"ln -sf nowhere "$F""#, "is a symbolic link to a file that does not exist"),
    (r#"rm "$F"; ln -s "$F" "$F""#, "cannot be read"),
    (r#"head -c 9437184 /dev/zero | tr '\0' '#' >"$F""#, "has 9437184 bytes"),
    (r#"printf '\377' >"$F""#, "is not UTF-8 at 1:1"),
    (r#"printf 'workbench = "de' >"$F""#, ".toml:1"),
    (r#": >"$F""#, "workbench"),
];

/// Names that no session can have.
const NAMES: &[&str] = &["de.mo.toml", "de_mo.toml"];

#[test]
fn a_mistake_in_one_things_file_is_named_and_leaves_it_and_the_others_alone() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(NEVER, "0s"));
    let good = "workbench = \"demo\"\non-removal = \"stop\"\n";
    site.write("sessions.d/demo.toml", good);
    let file = |n: usize| format!("sessions.d/m{n}.toml");
    for n in 0..MISTAKES.len() {
        site.write(&file(n), &format!("{good}state = \"stopped\"\n"));
    }
    let mut bench = Bench::new(site);
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    for (n, (script, _)) in MISTAKES.iter().enumerate() {
        super::sh(script, &[("F", &bench.engine.site.path(&file(n)))]);
    }
    let socket = bench.engine.site.path("sessions.d/socket.toml");
    let _listener = UnixListener::bind(&socket).expect("a short path");
    for name in NAMES {
        bench.engine.site.write(&format!("sessions.d/{name}"), good);
    }
    // Others go on.
    std::fs::write(bench.file(), text(11)).expect("it is ours");
    let status = bench.in_force(11);
    let said = |name: &str, said: &str| {
        let named = status.problems.iter().any(|line| line.contains(name) && line.contains(said));
        assert!(named, "{name} {said}: {:#?}", status.problems);
    };
    for (n, (_, words)) in MISTAKES.iter().enumerate() {
        said(&file(n), words);
    }
    said("sessions.d/socket.toml", "is a socket");
    NAMES.iter().for_each(|name| said(name, "is no session id"));
    demo.are_known_to(&mut bench.engine);

    // The file of a session that runs.
    for (script, words) in [MISTAKES[0], MISTAKES[7]] {
        super::sh(script, &[("F", &bench.engine.site.path("sessions.d/demo.toml"))]);
        bench.engine.wait_status(words, |status| {
            let of = |line: &&String| line.contains("sessions.d/demo.toml") && line.contains(words);
            status.problems.iter().find(of).map(|_| ())
        });
        demo.are_known_to(&mut bench.engine);
        bench.engine.site.replace("sessions.d/demo.toml", good);
        bench.reload();
    }
    demo.are_known_to(&mut bench.engine);
}

/// As an ordinary account: root reads whatever it likes.
fn with_modes_that_bind() {
    let site = Site::demo();
    site.write("wharf.toml", &wharf_toml(NEVER, "0s"));
    site.write("launcher-env", "A=1\n");
    let mut bench = Bench::new(site);
    let mut demo = Connected::to(&mut bench.engine, &["demo"]);
    let generation = bench.reload().generation;
    let named = ["launcher-env", "nodes.d", "sessions.d"].map(|name| bench.engine.site.path(name));
    for path in named.into_iter().chain([bench.engine.site.dir()]) {
        super::sh(r#"chmod 000 "$F""#, &[("F", &path)]);
        bench.engine.wait_status("it is refused", |status| {
            let refused = status.refused.as_ref()?;
            refused.problems.iter().any(|line| line.contains("WH0604")).then_some(())
        });
        demo.are_untouched();
        super::sh(r#"chmod 755 "$F""#, &[("F", &path)]);
        bench.engine.wait_status("it is read again", |status| {
            (status.refused.is_none() && status.generation == generation).then_some(())
        });
    }
    demo.are_known_to(&mut bench.engine);
}

#[test]
fn permission_lost_and_regained() {
    within(Own::Account, permission_lost_and_regained, with_modes_that_bind);
}
