//! The rules of files.md D, §6, §7 and §8, one by one.

use super::*;
use crate::print::print;
use crate::value::Value;

fn read_text(kind: FileKind, text: &str) -> Read {
    assert_eq!(print(&parse(kind, text).tree), text);
    read(kind, &Source::new(kind.file_name(), text))
}

fn codes_of(kind: FileKind, text: &str) -> Vec<u16> {
    read_text(kind, text).problems.iter().map(|problem| problem.code.0).collect()
}

fn env(text: &str) -> Read {
    read_text(FileKind::LauncherEnv, text)
}

fn env_codes(text: &str) -> Vec<u16> {
    codes_of(FileKind::LauncherEnv, text)
}

fn mount_codes(text: &str) -> Vec<u16> {
    codes_of(FileKind::LauncherMounts, text)
}

fn parts(section: &Section, name: &str) -> Vec<String> {
    let parts = section.get(name).map(|entry| entry.parts.as_slice()).unwrap_or_default();
    parts.iter().map(|part| part.text.to_string()).collect()
}

#[test]
fn records_are_separated_by_blank_lines_of_any_kind() {
    let read = env("JobType: session\nEnvironment: A=1\n\nJobType: any\n \t\nJobType: adhoc\n");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let lines: Vec<_> = read.document.sections.iter().map(|s| (s.line, s.last_line)).collect();
    assert_eq!(lines, [(1, 2), (4, 4), (6, 6)]);
}

#[test]
fn the_values_further_lines_are_indented() {
    let read = env("Environment: A=1\n B=2\n\t  C=x y  \n");
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["A=1", "B=2", "C=x y"]);
    assert_eq!(read.document.sections[0].last_line, 3);
    let read = env("Environment:\n    A=1\n");
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["A=1"]);
}

#[test]
fn a_comment_stands_in_column_0_and_leaves_the_field_open() {
    let read = env("# head\nEnvironment: A=1\n# between\n B=2\n");
    assert!(read.problems.is_empty());
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["A=1", "B=2"]);
    assert_eq!(env_codes("Environment: A=1\n # B=2\n"), [118]);
    assert_eq!(parts(&env("Environment: A=1#2\n").document.sections[0], "Environment"), ["A=1#2"]);
}

#[test]
fn a_record_of_comments_is_none() {
    let read = env("# only\n\n# this\n\nEnvironment: A=1\n");
    assert_eq!(read.document.sections.len(), 1);
    assert!(env("# only\n").document.sections.is_empty());
    assert!(env("").problems.is_empty());
}

#[test]
fn field_names_are_matched_in_any_letter_case() {
    let read = env("jobtype: ADHOC\nENVIRONMENT: A=1\n");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let typed = read.document.sections[0].get("JobType").and_then(|entry| entry.typed.clone());
    assert_eq!(typed, Some(Value::Word("adhoc".into())));
}

#[test]
fn workbenches_are_matched_loosely() {
    for (written, word) in [
        ("JupyterLab", "jupyterlab"),
        ("jupyter notebook", "jupyter-notebook"),
        ("VS Code", "vs-code"),
    ] {
        let read = env(&format!("Workbench: {written}\nEnvironment: A=1\n"));
        let typed = read.document.sections[0].get("Workbench").and_then(|e| e.typed.clone());
        assert_eq!(typed, Some(Value::Word(word.into())), "{written}");
    }
    assert_eq!(env_codes("Workbench: rstuido\n"), [111]);
}

#[test]
fn the_first_of_two_fields_wins() {
    let read = env("JobType: any\nCluster: a\nCluster: b\n");
    assert_eq!(read.problems[0].code.0, 201);
    assert_eq!(&*read.document.sections[0].get("Cluster").expect("it is there").value, "a");
}

#[test]
fn records_without_a_blank_line_between_are_one_and_said_once() {
    let text = "JobType: session\nEnvironment: A=1\n  B=2\nJobType: any\nEnvironment: C=3\n";
    let read = env(text);
    let found: Vec<_> = read.problems.iter().map(|p| (p.code.0, p.is_error())).collect();
    assert_eq!(found, [(204, false)]);
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["A=1", "B=2"]);
}

#[test]
fn a_line_that_is_nothing_is_refused_with_its_line() {
    let read = env("JobType: any\nwhat is this\n more\nCluster: x\n");
    assert_eq!(read.problems.len(), 1);
    assert_eq!(read.problems[0].code.0, 101);
    assert!(read.document.sections[0].get("Cluster").is_some());
}

#[test]
fn an_indented_line_needs_a_field_above_and_is_never_one() {
    assert_eq!(env_codes(" JobType: any\n"), [117]);
    assert_eq!(env_codes("Environment: A=1\n\n B=2\n C=3\n"), [117]);
    assert_eq!(env_codes("Environment: A=1\n JobType: any\n"), [206]);
    assert_eq!(mount_codes("MountType: Host\nMountPath: /a\nPath: /b\n ReadOnly: true\n"), [206]);
    assert_eq!(mount_codes("MountType: Host\nMountPath: /a\nPath: /b\n c\n"), [111]);
}

#[test]
fn the_first_line_decides_for_the_bare_form() {
    let read = env("# x\n\nPATH=/a:/b\nB=2\n");
    assert!(read.document.bare && read.problems.is_empty());
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["PATH=/a:/b", "B=2"]);
    assert_eq!(&*read.document.sections[0].entries[0].value, "PATH=/a:/b\nB=2");
    assert!(!env("Environment: A=1\n").document.bare);
    assert_eq!(env_codes("A=1\nJobType: any\n"), [121]);
    assert_eq!(env_codes("JobType: any\nEnvironment: A=1\nB=/a:/b\n"), [120]);
    let read = read_text(FileKind::LauncherPorts, "5873\n5874\n");
    assert!(read.document.bare && read.problems.is_empty());
    assert_eq!(codes_of(FileKind::LauncherPorts, "Ports: 1\n2\n"), [120]);
}

#[test]
fn pairs_have_a_name_that_can_be_a_variables() {
    assert!(env_codes("A=\n_b1=x=y\n").is_empty());
    assert_eq!(env_codes("A=1\nword\n"), [118]);
    assert_eq!(env_codes("1A=1\n"), [118]);
    assert_eq!(env_codes("export A=1\n"), [118]);
    assert_eq!(env_codes("=1\n"), [118]);
}

#[test]
fn ports_are_numbers_of_ports() {
    let codes = |text: &str| codes_of(FileKind::LauncherPorts, text);
    assert!(codes("JobType: adhoc\nPorts: 6210\n 6143\n 65535\n").is_empty());
    assert_eq!(codes("Ports: 0\n 65536\n x\n"), [119, 119, 119]);
    assert_eq!(codes("Ports: 1,2\n"), [119]);
    assert_eq!(codes("5873\n70000\n"), [119]);
}

#[test]
fn a_mount_has_a_type_a_path_and_its_types_own_fields() {
    let ok = "MountType: NFS\nHost: nfs01\nPath: /home/{USER}\nMountPath: /home/{USER}\nReadOnly: false\n";
    assert!(mount_codes(ok).is_empty());
    assert_eq!(mount_codes("MountType: Host\nMountPath: /a\n"), [113]);
    assert_eq!(mount_codes("MountType: GlusterFs\nMountPath: /a\n"), [113, 113]);
    assert_eq!(mount_codes("Host: h\nPath: /a\nMountPath: /a\n"), [113]);
    assert_eq!(mount_codes("MountType: host\nMountPath: /a\nPath: /b\nClaimName: c\n"), [212]);
    assert_eq!(mount_codes("MountType: Hots\nMountPath: /a\nPath: /b\n"), [111]);
    let read = read_text(FileKind::LauncherMounts, "Host: h\nPath: /a\nMountPath: /a\n");
    assert_eq!(read.problems[0].notes.len(), 1);
}

#[test]
fn the_guides_own_sample_lacks_a_mount_path() {
    let text = "Cluster: Kubernetes\nWorkbench: JupyterLab\nMountType: CephFs\n\
                Monitors: 127.0.0.1:8080,127.0.0.1:8081\nSecretFile: /etc/secrets/ceph\nReadOnly: true\n";
    let read = read_text(FileKind::LauncherMounts, text);
    assert_eq!(read.problems.len(), 1);
    assert_eq!(read.problems[0].message, "this mount has no `MountPath`");
    assert_eq!(read.problems[0].labels[0].span, Some(Span::new(0, 7)));
}

#[test]
fn read_only_is_true_or_false() {
    let with = |word| format!("MountType: Host\nMountPath: /a\nPath: /b\nReadOnly: {word}\n");
    assert!(mount_codes(&with("true")).is_empty());
    assert!(mount_codes(&with("False")).is_empty());
    assert_eq!(mount_codes(&with("1")), [211]);
    assert_eq!(mount_codes(&with("sometimes")), [111]);
}

#[test]
fn unknown_fields_are_told_apart() {
    assert_eq!(env_codes("JobTpye: any\n"), [107]);
    assert_eq!(env_codes("Flux: any\n"), [109]);
    assert_eq!(env_codes("MountPath: /a\n"), [108]);
}

#[test]
fn line_ends_of_windows_and_none_at_all_do_no_harm() {
    let read = env("JobType: any\r\nEnvironment: A=1\r\n B=2\r\n\r\nJobType: adhoc");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    assert_eq!(read.document.sections.len(), 2);
    assert_eq!(parts(&read.document.sections[0], "Environment"), ["A=1", "B=2"]);
}
