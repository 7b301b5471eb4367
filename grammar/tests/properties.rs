//! What holds for arbitrary files, tried with many.

use grammar::catalogue;
use grammar::document::Document;
use grammar::error::{Problem, Problems};
use grammar::exercise::{exercise, exercise_own};
use grammar::kind::Reader;
use grammar::own::{OwnKind, problems_of};
use grammar::read::{parse_tree, read_file};
use grammar::source::{FileKind, Source};
use proptest::prelude::*;

fn kinds() -> impl Strategy<Value = FileKind> {
    proptest::sample::select(FileKind::ALL.to_vec())
}

/// Texts that are made of what the readers look for, in any order.
fn texts() -> impl Strategy<Value = String> {
    let fragments = proptest::sample::select(vec![
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "=",
        "=",
        ":",
        "#",
        ";",
        "[",
        "]",
        "\"",
        "\\",
        "\0",
        "\u{feff}",
        "\u{1b}",
        "ä",
        "日",
        "\u{202e}",
        "www-port",
        "www-address",
        "8787",
        "www-prot",
        "server",
        "cluster",
        "config",
        "nodes",
        "name",
        "type",
        "Local",
        "provider",
        "host",
        "password",
        "JobType",
        "session",
        "Environment",
        "A=1",
        "Ports",
        "MountType",
        "Host",
        "MountPath",
        "/a",
        "Workbench",
        "balancer",
        "x",
        "*",
        "@a",
        "log-level",
        "cpus",
        "CRAN",
        "https://a",
        "allow ",
        "deny all",
        "10.0.0.0/8",
        "#cpu-percent#",
        "Path",
        "Message",
        "a.b@1",
        "\x0b",
        "\x0c",
    ]);
    let made = proptest::collection::vec(fragments, 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof![3 => made, 1 => any::<String>()]
}

/// What a file says, without places.
fn said(document: &Document) -> Vec<Vec<(String, String, Vec<String>)>> {
    let sections = document.sections.iter().map(|section| {
        let entries = section.entries.iter().map(|entry| {
            let parts = entry.parts.iter().map(|part| part.text.to_string()).collect();
            (entry.name.to_string(), entry.value.to_string(), parts)
        });
        entries.collect()
    });
    sections.collect()
}

fn read_text(kind: FileKind, text: &str) -> Document {
    read_file(kind, &Source::new(kind.file_name(), text)).document
}

/// A well-formed file of a kind.
fn well_formed(kind: FileKind) -> &'static str {
    match kind {
        FileKind::RserverConf => "www-port=8787\nwww-address=10.0.0.1\nserver-user=a b\n",
        FileKind::LauncherConf => {
            "[server]\nport=5559\n[cluster]\nname=Local\ntype=Local\n[cluster]\nname=S\ntype=Slurm\n"
        }
        FileKind::DatabaseConf => "provider=postgresql\nhost=\"db\"\nport=5432\n",
        FileKind::LoadBalancer => "balancer=user-hash\ntimeout=5\n",
        FileKind::LauncherMounts => "MountType: Host\nMountPath: /a\nPath: /b\n",
        FileKind::LauncherEnv => "JobType: any\nEnvironment: A=1\n B=2\n C=3\nCluster: Local\n",
        FileKind::LauncherPorts => "Ports: 1\n 2\n 3\n",
        FileKind::RVersions => "Path: /opt/R/4.4.1\nLabel: R\nModule: r\n",
        FileKind::NotificationsConf => "EndTime: 2026-12-24\nMessage: a\n b\n",
        _ => well_formed_for(kind.reader()),
    }
}

/// The same for kinds that differ in their names only.
fn well_formed_for(reader: Reader) -> &'static str {
    match reader {
        Reader::Options => "enabled=1\nexe=/a b\n",
        Reader::Settings => "client-id=\"a\"\nclient-secret=b\n",
        Reader::Levels => "[*]\nmax-cpus=2\n\n[@staff]\nmax-cpus=4\n[alice]\nnice=1\n",
        Reader::Things => "[small]\nname = \"S (1 cpu)\"\ncpus=1\n[large]\ncpus=8\n",
        Reader::Repositories => "RSPM=https://a/b\nCRAN=https://c\n",
        Reader::Variables => "A=1\n_B= x\n",
        Reader::Access => "allow 10.0.0.0/8\ndeny all\n",
        Reader::Items => "quarto.quarto\n",
        Reader::Text => "load #cpu-percent# of #memory-percent#\n",
        Reader::Launcher | Reader::LoadBalancer | Reader::Records => {
            unreachable!("each has its own")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn readers_keep_their_promises_for_any_text(kind in kinds(), text in texts()) {
        exercise(kind, text.as_bytes());
    }

    #[test]
    fn the_reader_of_our_own_files_keeps_its_promises_for_any_text(
        kind in proptest::sample::select(OwnKind::ALL.to_vec()),
        text in texts(),
    ) {
        exercise_own(kind, text.as_bytes());
    }

    #[test]
    fn readers_keep_their_promises_for_any_bytes(
        kind in kinds(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        exercise(kind, &bytes);
    }

    #[test]
    fn a_comment_line_changes_nothing_wherever_it_stands(
        kind in kinds(),
        at in any::<proptest::sample::Index>(),
        comment in "#[ a-z]{0,20}",
    ) {
        let text = well_formed(kind);
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let comment = format!("{comment}\n");
        lines.insert(at.index(lines.len() + 1), &comment);
        let changed = lines.concat();
        prop_assert_eq!(said(&read_text(kind, text)), said(&read_text(kind, &changed)));
    }

    #[test]
    fn a_blank_line_changes_nothing_where_it_separates_nothing(
        kind in kinds(),
        at in any::<proptest::sample::Index>(),
        blanks in "[ \t]{0,3}\r?",
    ) {
        let text = well_formed(kind);
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let blank = format!("{blanks}\n");
        let records = text.contains(": ");
        let at = at.index(lines.len() + 1);
        let at = if records && at > 0 { lines.len() } else { at };
        lines.insert(at, &blank);
        let changed = lines.concat();
        prop_assert_eq!(said(&read_text(kind, text)), said(&read_text(kind, &changed)));
    }

    #[test]
    fn a_changed_value_is_read_back_and_no_other_changes(
        kind in kinds(),
        at in any::<proptest::sample::Index>(),
        new in "[a-z]{1,8}",
    ) {
        let text = well_formed(kind);
        let mut tree = parse_tree(kind, text);
        let count = tree.entries().count();
        prop_assume!(count > 0);
        let at = at.index(count);
        let (id, _) = tree.entries().nth(at).expect("it is below the count");
        tree.set_value(id, &new).expect("it is one line");
        let changed = grammar::print::print(&tree);
        let (before, after) = (said(&read_text(kind, text)), said(&read_text(kind, &changed)));
        let differing: Vec<_> = before
            .concat()
            .into_iter()
            .zip(after.concat())
            .enumerate()
            .filter(|(_, (before, after))| before != after)
            .collect();
        prop_assert!(differing.len() <= 1);
        for (place, (_, after)) in differing {
            prop_assert_eq!(place, at);
            prop_assert_eq!(after.1, new.clone());
        }
    }
}

/// One kind for each reader: kinds of one reader differ in their names.
fn one_for_each_reader() -> Vec<FileKind> {
    let mut kinds = FileKind::ALL.to_vec();
    let mut seen = Vec::new();
    kinds.retain(|kind| {
        let new = !seen.contains(&kind.reader());
        seen.push(kind.reader());
        new || *kind == FileKind::RVersions
    });
    kinds
}

/// Eight mebibytes would be 140 times as much: this bounds the work, not the machine.
const LONG: usize = 60_000;

#[test]
fn hostile_texts_of_many_lines_are_read_in_one_pass() {
    let repeated = |line: &str| line.repeat(LONG / line.len());
    for kind in one_for_each_reader() {
        for line in
            ["\n", "x=1\n", "x: 1\n", "[s]\n", "[nodes]\nx\n", " x\n", "www-port=1\n", "a\n"]
        {
            exercise(kind, repeated(line).as_bytes());
        }
    }
}

#[test]
fn hostile_texts_of_one_line_are_read_in_one_pass() {
    for kind in one_for_each_reader() {
        for piece in ["=", ":", "#", "[", "]", " ", "\"", "x", "\t", "ä", "://", "password"] {
            exercise(kind, piece.repeat(LONG / piece.len()).as_bytes());
        }
    }
}

/// Looking for what was meant is the one thing that costs more than a pass over the text.
#[test]
fn what_was_meant_is_said_fifty_times_a_file_at_most() {
    let offers = |problems: &[Problem]| {
        let labels = problems.iter().flat_map(|problem| &problem.labels);
        labels.filter(|label| label.text.contains("did you mean")).count()
    };
    for kind in FileKind::ALL {
        for row in catalogue::rows(kind.file_name()) {
            let name = row.name;
            for line in [
                format!("{name}x=1\n"),
                format!("[{}]\n{name}x=1\n", row.section),
                format!("[servr]\n{name}x=1\n"),
                format!("{name}x: 1\n\n"),
                format!("#{name}x#\n"),
                format!("{name}x all\n"),
                format!("{name}={}x\n", row.values.first().unwrap_or(&"")),
            ] {
                let text = line.repeat(60);
                let read = read_file(kind, &Source::new(kind.file_name(), text));
                assert!(offers(&read.problems) <= Problems::SUGGESTED, "{kind:?} {line}");
            }
        }
    }
    for kind in OwnKind::ALL {
        let text: String = (0..60).map(|n| format!("[drai{n}]\nweigh{n} = 1\n")).collect();
        assert!(offers(&problems_of(kind, &Source::new("f", text))) <= Problems::SUGGESTED);
    }
}
