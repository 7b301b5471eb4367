//! Plans of an uninstallation, command by command.

use super::*;

fn living(session: &str, pid: u32) -> Living {
    Living { session: session.to_owned(), pid }
}

fn serving() -> Installed {
    Installed {
        instance: "main".to_owned(),
        mode: Some(Mode::Serve),
        engine: Some(812),
        sessions: BTreeMap::from([
            ("alice".to_owned(), vec![living("lab", 900), living("r", 901)]),
            ("bob".to_owned(), vec![living("b", 902)]),
        ]),
        units: vec!["/etc/systemd/system/wharf.service".to_owned()],
        programs: vec!["/usr/bin/wharf".to_owned()],
        listens: vec!["0.0.0.0:8787".to_owned()],
        state: Some("/var/lib/wharf".to_owned()),
        runtime: Some("/run/wharf".to_owned()),
        configuration: vec!["/etc/rstudio".to_owned()],
        unit: Some("wharf.service".to_owned()),
        ..Installed::default()
    }
}

fn beside(instance: &str, dirs: &[&str]) -> Other {
    let dirs = dirs.iter().map(ToString::to_string).collect();
    Other { instance: instance.to_owned(), dirs }
}

fn typed(found: &Installed) -> Vec<String> {
    plan(found).commands.into_iter().map(|of| of.command).collect()
}

#[test]
fn sessions_end_before_the_engine_and_the_engine_before_its_files() {
    let commands = typed(&serving());
    assert_eq!(
        commands,
        [
            "wharf state export --instance main --out wharf-main.jsonl",
            "wharf session stop --all --wait --instance main",
            "systemctl disable --now wharf",
            "rm -r /etc/systemd/system/wharf.service /usr/bin/wharf",
            "systemctl daemon-reload",
            "rm -r /var/lib/wharf",
            "rm -r /run/wharf",
        ]
    );
    let stop = plan(&serving()).commands.remove(2);
    assert!(stop.note.contains("0.0.0.0:8787 is free again: start what served before"));
}

#[test]
fn what_an_archive_brought_goes_by_its_list() {
    let mut found = Installed { prefixes: vec!["/usr".to_owned()], ..serving() };
    found.programs.push("/opt/wharf".to_owned());
    let commands = typed(&found);
    assert_eq!(commands[3], r"(cd /usr && xargs -d '\n' rm -f <share/wharf/files)");
    assert_eq!(commands[4], "rm -r /etc/systemd/system/wharf.service /opt/wharf");
}

#[test]
fn without_an_engine_sessions_are_named_by_their_processes() {
    let found = Installed { engine: None, ..serving() };
    let commands = typed(&found);
    assert_eq!(commands[1], "kill 900 901 902");
    assert!(commands[2].starts_with("for pid in 900 901 902; do while kill -0 $pid"));
}

#[test]
fn nothing_that_another_instance_needs_is_removed() {
    let others = vec![
        beside("lab", &["/var/lib/wharf/lab", "/run/wharf/lab"]),
        beside("t", &["/run/wharf/t"]),
    ];
    let found = Installed { others, sessions: BTreeMap::new(), ..serving() };
    assert_eq!(
        typed(&found),
        [
            "wharf state export --instance main --out wharf-main.jsonl",
            "systemctl disable --now wharf",
        ]
    );
    let stays = plan(&found).stays;
    let note = |what: &str| stays.iter().find(|of| of.what == what).unwrap().note.clone();
    assert_eq!(note("instance lab"), "another one on this machine: it needs the program");
    assert!(note("/run/wharf").ends_with("below it is also instance lab, t"), "{stays:?}");
    // Its own directories may go, whoever lies beside them.
    let found = Installed {
        instance: "lab".to_owned(),
        state: Some("/var/lib/wharf/lab".to_owned()),
        runtime: None,
        others: vec![beside("lab2", &["/var/lib/wharf/lab2"])],
        engine: None,
        unit: None,
        ..found
    };
    assert_eq!(typed(&found)[1..], ["rm -r /var/lib/wharf/lab"]);
}

#[test]
fn a_unit_whose_engine_is_another_one_is_not_stopped() {
    let main = beside("main", &["/var/lib/wharf", "/run/wharf"]);
    let lab = Installed {
        instance: "lab".to_owned(),
        unit: None,
        sessions: BTreeMap::new(),
        state: None,
        runtime: None,
        others: vec![main],
        ..serving()
    };
    let commands = typed(&lab);
    assert_eq!(commands[0], "kill 812");
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands[1].starts_with("for pid in 812;"), "{commands:?}");
    // Alone, the unit is not started again, and what runs in it is not stopped either.
    let alone = Installed { others: Vec::new(), ..lab };
    assert_eq!(typed(&alone)[2], "systemctl disable wharf");
}

#[test]
fn only_units_of_ours_are_named() {
    assert_eq!(unit_in("0::/system.slice/wharf.service\n").as_deref(), Some("wharf.service"));
    let lab = "12:pids:/system.slice/wharf-lab.service\n0::/\n";
    assert_eq!(unit_in(lab).as_deref(), Some("wharf-lab.service"));
    for none in ["", "0::/\n", "0::/system.slice/ci.service", "0::/wharf.service/x.scope"] {
        assert_eq!(unit_in(none), None, "{none}");
    }
}

#[test]
fn a_directory_is_one_word_to_a_shell() {
    let dir = Some("/srv/it's here".to_owned());
    let found = Installed { dir, state: Some("/var/lib/a b".to_owned()), ..serving() };
    let commands = typed(&found);
    let export = "wharf state export --instance main --out wharf-main.jsonl '/srv/it'\\''s here'";
    assert_eq!(commands[0], export);
    assert!(commands.contains(&"rm -r '/var/lib/a b'".to_owned()), "{commands:?}");
}

#[test]
fn no_command_touches_what_people_wrote_or_what_is_the_products() {
    let mut found = serving();
    found.configuration.push("/etc/wharf".to_owned());
    found.foreign = 14;
    let all = typed(&found).join("\n");
    assert!(!all.contains("/etc/rstudio") && !all.contains("/etc/wharf"), "{all}");
    let stays = plan(&found).stays;
    assert_eq!(stays[0].what, "14 sessions of the product");
    assert!(stays.iter().any(|of| of.what == "/etc/wharf"));
}

#[test]
fn what_stays_is_named_with_what_it_holds() {
    let found = Installed {
        foreign: 1,
        homes: vec!["/var/lib/wharf/homes/nobody".to_owned()],
        store: Some("/srv/wharf/store".to_owned()),
        ..serving()
    };
    let planned = plan(&found);
    let stays: Vec<String> =
        planned.stays.iter().map(|of| format!("{}: {}", of.what, of.note)).collect();
    assert_eq!(
        stays,
        [
            "1 session of the product: they were shown only",
            "/etc/rstudio: what people wrote; nothing of ours ever wrote there",
            "/var/lib/wharf/homes/nobody: a home that the engine made, with what people keep in it",
            "/var/lib/wharf: generations, requests, overrides; sealed files, and the key that opens them",
            "/srv/wharf/store: the store, kept apart from the state",
            "/run/wharf: sockets, and the directories of sessions with their logs; gone at the next boot",
            "/etc/systemd/system/wharf.service: installed",
            "/usr/bin/wharf: installed",
        ]
    );
    let notes: Vec<String> =
        planned.commands.iter().map(|of| format!("{}: {}", of.command, of.note)).collect();
    assert_eq!(
        notes[5..],
        [
            "rm -r /var/lib/wharf: for good: what is known of sessions, the key of sealed files, and the homes in it",
            "rm -r /srv/wharf/store: for good",
            "rm -r /run/wharf: once no session lives any more",
        ]
    );
    assert!(
        notes[1].ends_with(": ends 3 sessions: they outlive the engine; go on once it succeeded"),
        "{notes:?}"
    );
}

#[test]
fn an_engine_without_a_unit_is_killed_and_frees_its_port() {
    for mode in [None, Some(Mode::Observe), Some(Mode::Beside)] {
        let found = Installed {
            mode,
            unit: None,
            units: Vec::new(),
            sessions: BTreeMap::new(),
            ..serving()
        };
        let stop = plan(&found).commands.remove(1);
        assert_eq!(stop.command, "kill 812");
        assert_eq!(stop.note, "the engine stops; 0.0.0.0:8787 is free again");
    }
    let found = Installed { listens: Vec::new(), ..serving() };
    assert_eq!(plan(&found).commands[2].note, "the engine stops");
}

#[test]
fn where_nothing_is_nothing_is_to_be_done() {
    let none = plan(&Installed::default());
    assert!(none.commands.is_empty() && none.stays.is_empty() && none.ends.is_empty());
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_quoted() {
    let remove = |state: &str| {
        let found = Installed { state: Some(state.to_owned()), ..serving() };
        typed(&found).remove(5)
    };
    for (state, command) in [
        ("/srv/wharf-1.0_a@b", "rm -r /srv/wharf-1.0_a@b"),
        ("/srv/my state", "rm -r '/srv/my state'"),
        ("/srv/$(reboot)", "rm -r '/srv/$(reboot)'"),
        ("/srv/it's", "rm -r '/srv/it'\\''s'"),
        ("-rf", "rm -r '-rf'"),
        ("", "rm -r ''"),
    ] {
        assert_eq!(remove(state), command);
    }
}
