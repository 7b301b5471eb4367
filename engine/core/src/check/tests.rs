//! Tests of the check of a site, and sites in memory for others.

use grammar::source::FileKind;

use super::*;
use crate::ids::{NodeId, UserName};

pub(crate) fn ground() -> Ground {
    Ground {
        node: NodeId::new("n1").unwrap(),
        default_user: UserName::new("alice").unwrap(),
        digest_key: Vec::new(),
        self_contained: false,
    }
}

/// A site of these Workbench files.
pub(crate) fn site(texts: &[(FileKind, &str)]) -> SiteFiles {
    let mut files = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
    for (kind, text) in texts {
        let file = format!("/etc/rstudio/{}", kind.file_name());
        files.workbench.insert(*kind, Known::Present(Source::new(file, *text)));
    }
    files
}

const LOCAL: &str = "[server]\naddress=localhost\n\n[cluster]\nname=Local\ntype=Local\n";
const BOTH: &str = "[server]\naddress=localhost\n\n[cluster]\nname=Local\ntype=Local\n\n\
                    [cluster]\nname=Slurm\ntype=Slurm\n";

/// Codes and severities of a staged `rserver.conf` beside a live set.
fn staged(live_rserver: &str, launcher: &str, new_rserver: &str, as_set: bool) -> Vec<(u16, bool)> {
    let with = |rserver| {
        let files = site(&[(FileKind::RserverConf, rserver), (FileKind::LauncherConf, launcher)]);
        check(&files, &ground(), false)
    };
    let live = with(live_rserver);
    let mut checked = with(new_rserver);
    let staged = BTreeSet::from([Arc::from("/etc/rstudio/rserver.conf")]);
    hold_against_live(&mut checked, &live.problems, &staged, as_set);
    checked.problems.iter().map(|problem| (problem.code.0, problem.is_error())).collect()
}

#[test]
fn a_problem_inside_the_staged_file_counts_whatever_the_live_set_has() {
    assert_eq!(staged("", LOCAL, "www-prot=1\n", false), [(107, true)]);
    assert_eq!(staged("www-prot=1\n", LOCAL, "\nwww-prot=1\n", false), [(107, true)]);
    assert_eq!(staged("www-prot=1\n", LOCAL, "www-port=1\n", false), []);
}

#[test]
fn what_is_new_between_files_warns_unless_the_staged_files_are_the_whole_change() {
    let new = "launcher-default-cluster=Slurm\n";
    assert_eq!(staged("", LOCAL, new, false), [(302, false)]);
    assert_eq!(staged("", LOCAL, new, true), [(302, true)]);
    assert_eq!(staged("", BOTH, new, true), []);
}

#[test]
fn what_the_live_set_has_already_never_fails_a_write() {
    let broken = "launcher-default-cluster=Slurm\n";
    let moved = "www-port=8787\nlauncher-default-cluster=Slurm\n";
    assert_eq!(staged(broken, LOCAL, moved, true), []);
    // Of two where there was one, one is new.
    let live = "[cluster]\nname=Local\ntype=Local\nnmae=a\n";
    assert_eq!(staged("", live, "www-port=1\n", true), []);
}

#[test]
fn options_that_do_nothing_are_named_with_their_reasons() {
    let text = "www-port=8787\nserver-pid-file=/run/x.pid\nwww-thread-pool-size=2\n";
    let checked = check(&site(&[(FileKind::RserverConf, text)]), &ground(), false);
    let lines: Vec<_> = checked.idle.iter().map(|idle| (idle.line, idle.why)).collect();
    assert!(
        matches!(lines[..], [(2, Idle::Meaningless(_)), (3, Idle::Meaningless(_))]),
        "{lines:?}"
    );
    assert_eq!((checked.files, checked.options), (1, 3));
}

/// A problem of the live set: its text, and the files it shows.
fn problem(message: &str, files: &[&str]) -> Problem {
    let problem = Problem::new(Code(302), Severity::Error, message);
    files.iter().fold(problem, |problem, file| problem.label(&Arc::from(*file), None, "here"))
}

#[test]
fn each_problem_of_the_live_set_stands_for_one() {
    let held = |live: &[Problem], found: &[Problem]| {
        let mut checked = Checked { problems: found.to_vec(), ..Checked::default() };
        hold_against_live(&mut checked, live, &BTreeSet::new(), true);
        let kept = checked.problems.iter().map(|problem| problem.message.clone()).collect();
        (kept, checked.standing)
    };
    let (a, b) = (|| problem("a", &["x"]), || problem("b", &["x"]));
    let of = |kept: &[&str], standing: usize| {
        (kept.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), standing)
    };
    assert_eq!(held(&[a(), b()], &[a(), b()]), of(&[], 2));
    assert_eq!(held(&[a()], &[a(), a(), b()]), of(&["a", "b"], 1));
    assert_eq!(held(&[a(), a()], &[a(), a(), a()]), of(&["a"], 2));
    let elsewhere = problem("a", &["y"]);
    assert_eq!(held(&[elsewhere], &[a()]), of(&["a"], 0), "the same words of another file");
}

#[test]
fn what_shows_several_files_is_between_them() {
    let between = |code, files: &[&str]| {
        let problem = Problem { code: Code(code), ..problem("a", files) };
        is_between_files(&problem)
    };
    assert!(!between(107, &["x"]) && !between(107, &["x", "x"]), "one line, twice shown");
    assert!(between(107, &["x", "y"]));
    assert!(between(302, &["x"]), "lowering looked at others");
    assert!(between(524, &["x"]), "so did a rule");
    assert!(!between(341, &["x"]) && !between(401, &["x"]));
}

#[test]
fn what_may_not_be_read_is_a_problem_only_where_that_is_asked() {
    let mut files = site(&[(FileKind::RserverConf, "www-prot=1\n")]);
    let denied = crate::site::FileProblem {
        file: "/etc/rstudio/database.conf".into(),
        kind: FileProblemKind::Denied,
    };
    files.unreadable.push(denied);
    let found = |strict| {
        let checked = check(&files, &ground(), strict);
        let codes: Vec<_> = checked.problems.iter().map(|problem| problem.code.0).collect();
        (codes, checked.unread.len(), checked.count(Severity::Error))
    };
    assert_eq!(found(false), (vec![107], 1, 1));
    assert_eq!(found(true), (vec![604, 107], 0, 2));
}

#[test]
fn problems_are_counted_by_severity() {
    let of = |severity| Problem { severity, ..problem("a", &[]) };
    let problems = vec![of(Severity::Error), of(Severity::Warning), of(Severity::Warning)];
    let checked = Checked { problems, ..Checked::default() };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|s| checked.count(s));
    assert_eq!(counts, [1, 2, 0]);
}

#[test]
fn one_file_is_checked_by_itself() {
    let text = "www-prot=1\nwww-port=8787\nserver-pid-file=/run/x.pid\n";
    let source = Source::new("/etc/rstudio/rserver.conf", text);
    let checked = check_alone(AnyKind::Workbench(FileKind::RserverConf), &source);
    let codes: Vec<_> = checked.problems.iter().map(|problem| problem.code.0).collect();
    assert_eq!((codes, checked.files, checked.options), (vec![107], 1, 3));
    let [idle] = &checked.idle[..] else { panic!("{:?}", checked.idle) };
    assert_eq!((&*idle.file, idle.line), ("/etc/rstudio/rserver.conf", 3));
    assert_eq!((&*idle.option, idle.why.state()), ("server-pid-file", "accepted"));
}

#[test]
fn an_idle_option_says_in_the_catalogues_words_why() {
    for (why, state, words) in [
        (Idle::Later(None), "arrives", None),
        (Idle::Later(Some("roadmap-5")), "arrives", Some("roadmap-5")),
        (Idle::Meaningless("one process"), "accepted", Some("one process")),
        (Idle::Unsupported("no licence"), "unsupported", Some("no licence")),
    ] {
        assert_eq!((why.state(), why.words()), (state, words));
    }
}

#[test]
fn our_own_fields_that_are_to_come_are_idle_and_those_that_act_are_not() {
    let mut files = site(&[]);
    let text = "[limits]\nsessions-per-user = 2\n\n[policy]\nmax-harmed = 2\n";
    files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
    let checked = check(&files, &ground(), false);
    let idle: Vec<_> = checked.idle.iter().map(|idle| (idle.line, idle.why.state())).collect();
    assert_eq!(idle, [(2, "arrives")], "{:?}", checked.idle);
}
