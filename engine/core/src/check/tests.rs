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
