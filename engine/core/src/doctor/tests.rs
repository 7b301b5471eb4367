//! What is found of each part, and what would be lost, one part at a time.

use std::sync::Arc;

use grammar::source::{FileKind, Source};

use super::*;
use crate::check::tests::{ground, site};
use crate::desired::lower;
use crate::ids::Moment;
use crate::incumbent::pages::Health;
use crate::incumbent::{FoundService, FoundSession, HeldPort, Kind};
use crate::observed::InstallationSeen;
use crate::site::{DropIn, FileProblem, FileProblemKind, Managed};

fn unknown<T>(reason: &str) -> Known<T> {
    Known::Unknown { since: Moment(1), reason: reason.to_owned() }
}

/// A machine on which all is well and nothing of the product runs.
fn machine() -> Machine {
    Machine {
        root: Known::Present(true),
        clock: Known::Present(true),
        ports: BTreeMap::new(),
        users: BTreeMap::new(),
        workbenches: BTreeMap::new(),
        incumbent: Known::Absent,
        suspended: Known::Absent,
    }
}

/// The product with a server on port 8787 and R sessions of these people.
fn product(people: &[&str]) -> Found {
    let session = |(at, user): (usize, &&str)| FoundSession {
        kind: Kind::Rstudio,
        pid: 900 + u32::try_from(at).expect("few"),
        since: Moment(0),
        user: (*user).to_owned(),
        held_by: Some(Service::Server),
    };
    let service = |program: &str, pid, trusted| FoundService {
        program: program.to_owned(),
        service: Service::Server,
        pid,
        since: Moment(0),
        user: "root".to_owned(),
        trusted,
    };
    Found {
        looked_at: Moment(1),
        version: Known::Absent,
        services: vec![service("rserver-http", 700, true), service("rserver", 812, true)],
        sessions: Known::Present(people.iter().enumerate().map(session).collect()),
        nodes: Known::Absent,
        health: Known::Absent,
        metrics: Known::Absent,
        jobs: BTreeMap::new(),
        ports: vec![HeldPort { port: 8787, pid: 812, program: "rserver".to_owned() }],
        of_this_site: true,
    }
}

/// Each finding as `area: verdict: text (places)`; `!` where it says what to do.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let places = match finding.places.join(", ") {
            none if none.is_empty() => none,
            some => format!(" ({some})"),
        };
        let help = if finding.help.is_some() { " !" } else { "" };
        format!("{}: {}: {}{places}{help}", finding.area, finding.verdict.word(), finding.text)
    };
    findings.iter().map(line).collect()
}

/// A site of these Workbench files and `sessions.d`.
fn with_sessions(texts: &[(FileKind, &str)], sessions: &[(&str, &str)]) -> SiteFiles {
    let mut files = site(texts);
    let file = |(id, text): &(&str, &str)| {
        let path = format!("/etc/wharf/sessions.d/{id}.toml");
        ((*id).to_owned(), Known::Present(Source::new(path, *text)))
    };
    files.sessions = Managed::Managed(sessions.iter().map(file).collect());
    files
}

fn serving() -> crate::desired::Ground {
    crate::desired::Ground { self_contained: true, ..ground() }
}

fn examined(files: &SiteFiles, machine: &Machine) -> Vec<String> {
    lines(&examine(files, &lower(files, &serving()), machine))
}

fn lost(files: &SiteFiles, machine: &Machine) -> Vec<String> {
    lines(&cutover(files, &lower(files, &serving()), machine))
}

/// The one line that is about `area`.
fn about(lines: Vec<String>, area: &str) -> String {
    let mut of = lines.into_iter().filter(|line| line.starts_with(&format!("{area}: ")));
    let line = of.next().unwrap_or_default();
    assert_eq!(of.next(), None);
    line
}

#[test]
fn the_exit_code_is_of_the_worst_finding() {
    for (verdict, code) in [
        (Verdict::Ok, 0),
        (Verdict::Note, 0),
        (Verdict::Unknown, 2),
        (Verdict::Degraded, 2),
        (Verdict::Lost, 2),
        (Verdict::Failed, 1),
    ] {
        let found = [Finding::new("a", Verdict::Ok, ""), Finding::new("b", verdict, "")];
        assert_eq!(exit_code(found.iter()), code, "{verdict:?}");
    }
    assert_eq!(exit_code([].iter()), 0);
}

#[test]
fn a_machine_without_a_fault_is_told_line_by_line() {
    let files = site(&[(FileKind::RserverConf, "www-port=8787\n")]);
    let all = examined(&files, &machine());
    let wanted = [
        "files: ok: 1 option set",
        "product: ok: no Workbench or RStudio Server runs here",
        "clock: ok: synchronised",
    ];
    assert_eq!(all, wanted);
}

#[test]
fn files_fail_where_they_cannot_come_into_force_and_are_unknown_where_not_read() {
    let of = |files: &SiteFiles| about(examined(files, &machine()), "files");
    let two = "www-port=8787\nserver-user=a\n";
    assert_eq!(of(&site(&[(FileKind::RserverConf, two)])), "files: ok: 2 options set");
    let slip = [(FileKind::DatabaseConf, "provder=sqlite\n")];
    assert_eq!(of(&site(&slip)), "files: note: 1 option set, 1 finding !");
    let mut broken = site(&[]);
    let text = "[policy]\nmax-harmed = \"many\"\n";
    broken.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
    assert_eq!(of(&broken), "files: FAIL: 1 error: they cannot come into force !");
    // What may not be read may well be right.
    let denied =
        FileProblem { file: "/etc/rstudio/database.conf".into(), kind: FileProblemKind::Denied };
    for mut files in [site(&[]), broken] {
        files.unreadable.push(denied.clone());
        assert_eq!(of(&files), "files: ?: 1 not read (permission denied) !");
    }
}

#[test]
fn the_product_is_named_with_its_sessions_and_what_is_not_known_of_it() {
    let of = |found: Found| {
        let machine = Machine { incumbent: Known::Present(Arc::new(found)), ..machine() };
        let all = examined(&site(&[]), &machine);
        all.into_iter().filter(|line| line.starts_with("product")).collect::<Vec<_>>()
    };
    let runs = "product: note: RStudio Server (rserver, pid 812) runs, 1 session here";
    assert_eq!(of(product(&["bob"])), [runs]);
    let two = of(product(&["bob", "eve"]));
    assert_eq!(two, [runs.replace("1 session", "2 sessions")]);
    let hidden = Found { sessions: unknown("hidepid"), ..product(&[]) };
    let wanted = [
        runs.replace("1 session here", "sessions not known"),
        "product: note: not known: its sessions here: hidepid".to_owned(),
    ];
    assert_eq!(of(hidden), wanted);
    let unseen = Machine { incumbent: unknown("no /proc"), ..machine() };
    assert_eq!(about(examined(&site(&[]), &unseen), "product"), "product: ?: no /proc");
}

#[test]
fn a_port_is_free_ours_the_products_or_anothers() {
    let here = |mode: &str, holder: Known<Option<String>>, found: Known<Arc<Found>>| {
        let mut files = site(&[]);
        files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", mode));
        let seen = PortSeen { what: "pages".to_owned(), holder };
        let machine = Machine { ports: [(8787, seen)].into(), incumbent: found, ..machine() };
        about(examined(&files, &machine), "port 8787")
    };
    let by = |who: &str| Known::Present(Some(who.to_owned()));
    let runs = || Known::Present(Arc::new(product(&[])));
    let (serve, observe) = ("mode = \"serve\"\n", "mode = \"observe\"\n");
    for (found, wanted) in [
        (here(serve, Known::Present(None), Known::Absent), "ok: free, for pages"),
        (here(serve, unknown("denied"), Known::Absent), "?: denied"),
        (here(serve, by("wharf, pid 9"), Known::Absent), "ok: held by wharf, pid 9, for pages"),
        (
            here(serve, by("nginx, pid 8"), Known::Absent),
            "FAIL: held by nginx, pid 8, wanted for pages !",
        ),
        (
            here(serve, by("rserver, pid 812"), runs()),
            "FAIL: held by rserver, pid 812, wanted for pages: it is the product's !",
        ),
        (
            here(observe, by("rserver, pid 812"), runs()),
            "ok: held by rserver, pid 812, the product",
        ),
    ] {
        assert_eq!(found, format!("port 8787: {wanted}"));
    }
}

#[test]
fn who_keeps_the_clock_and_who_this_account_is() {
    let clock = |clock| about(examined(&site(&[]), &Machine { clock, ..machine() }), "clock");
    assert_eq!(clock(Known::Present(false)), "clock: warn: nobody keeps it !");
    assert_eq!(clock(Known::Absent), "clock: warn: nobody keeps it !");
    assert_eq!(clock(unknown("no bus")), "clock: ?: no bus !");
    let root = |root| about(examined(&site(&[]), &Machine { root, ..machine() }), "accounts");
    let own = "accounts: warn: this account can start its own sessions only !";
    assert_eq!(root(Known::Present(false)), own);
    assert_eq!(root(Known::Absent), "");
    assert_eq!(root(unknown("a copy")), "accounts: ?: a copy");
}

#[test]
fn accounts_and_workbenches_of_declared_sessions_are_looked_at() {
    let files = with_sessions(
        &[],
        &[
            ("a", "workbench = \"jupyterlab\"\nuser = \"gone\"\n"),
            ("b", "workbench = \"jupyterlab\"\nuser = \"gone\"\n"),
            ("c", "workbench = \"vs-code\"\nuser = \"bob\"\n"),
        ],
    );
    let bob =
        UserSeen { uid: 1, gid: 1, home: String::new(), shell: String::new(), reachable: true };
    let name = |name: &str| name.parse().expect("a workbench");
    let user = |name: &str| name.parse().expect("a user");
    let missing = || ProgramSeen::Missing { help: "install it".to_owned() };
    let mut machine = machine();
    machine.users = [
        (user("bob"), Known::Present(bob.clone())),
        (user("eve"), Known::Present(bob)),
        (user("gone"), Known::Absent),
        (user("who"), unknown("LDAP is silent")),
    ]
    .into();
    let works = WorkbenchSeen::works("/opt/lab".to_owned(), "4.2".to_owned());
    machine.workbenches = [
        (name("jupyterlab"), Known::Present(works)),
        (name("rstudio"), Known::Present(WorkbenchSeen { found: missing(), ours: None })),
        (name("vs-code"), Known::Present(WorkbenchSeen { found: missing(), ours: None })),
    ]
    .into();
    let all = examined(&files, &machine);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let wanted = [
        "account gone: FAIL: there is none, for 2 sessions !",
        "account who: ?: LDAP is silent",
        "accounts: ok: 2 of declared sessions found",
        "workbench jupyterlab: ok: /opt/lab 4.2",
        "workbench vs-code: FAIL: not found !",
    ];
    assert_eq!(all[3..], wanted, "rstudio, which no session asks for, is not spoken of");
}

#[test]
fn a_workbench_is_found_to_be_installed_or_missing() {
    let of = |known| {
        let name = "jupyterlab".parse().expect("a workbench");
        lines(&[of_workbench(&name, &known)]).remove(0)
    };
    let exe = || "/opt/lab".to_owned();
    let seen = |found, ours| Known::Present(WorkbenchSeen { found, ours });
    let missing = || ProgramSeen::Missing { help: "install it".to_owned() };
    for (known, wanted) in [
        (seen(ProgramSeen::Asked { exe: exe() }, None), "ok: /opt/lab"),
        (seen(ProgramSeen::Silent { exe: exe() }, None), "ok: /opt/lab"),
        (
            seen(missing(), Some(InstallationSeen::NotInstalled)),
            "ok: installed once it is needed, as a file asks",
        ),
        (Known::Absent, "FAIL: there is no such workbench"),
        (unknown("not looked at"), "?: not looked at"),
    ] {
        assert_eq!(of(known), format!("workbench jupyterlab: {wanted}"));
    }
}

#[test]
fn a_site_that_would_be_refused_says_so_first_and_counts_what_it_does_not_name() {
    let narrow = "auth-required-user-group=staff\n";
    let files = site(&[(FileKind::RserverConf, narrow)]);
    let refused = "files: FAIL: these files would be refused: WH0401 `auth-required-user-group` \
                   restricts who gets in, and does not act here !";
    assert_eq!(lost(&files, &machine())[0], refused);
    // A slip that the product passes over, and the file of one session, refuse nothing.
    let files = with_sessions(
        &[(FileKind::RserverConf, narrow), (FileKind::DatabaseConf, "provder=sqlite\n")],
        &[("a", "workbench = \"jupyterlab\"\nuser = 7\n")],
    );
    assert_eq!(lost(&files, &machine())[0], refused);
    let many: String = (0..8).map(|n| format!("max-harmd{n} = 1\n")).collect();
    let mut files = site(&[]);
    let text = format!("[policy]\n{many}");
    files.wharf = Known::Present(Source::new("/etc/wharf/wharf.toml", text));
    let first = lost(&files, &machine()).remove(0);
    assert_eq!(first.matches("WH0").count(), NAMED_OF_EACH, "{first}");
    assert!(first.ends_with("; and 2 more !"), "{first}");
    assert!(!lost(&site(&[]), &machine())[0].starts_with("files"), "nothing is refused");
}

/// So many of each are named.
const NAMED_OF_EACH: usize = 6;

#[test]
fn sessions_that_run_on_the_product_stay_there() {
    let of = |found: Found| {
        let machine = Machine { incumbent: Known::Present(Arc::new(found)), ..machine() };
        about(lost(&site(&[]), &machine), "running sessions")
    };
    assert_eq!(of(product(&[])), "running sessions: ok: none on RStudio Server");
    let mut found = product(&["bob", "eve", "ann"]);
    let Known::Present(sessions) = &mut found.sessions else { panic!("they are known") };
    sessions[1].kind = Kind::VsCode;
    let wanted = "running sessions: note: on RStudio Server: 2 rstudio, 1 vs-code; they stay there \
                  until they end !";
    assert_eq!(of(found), wanted);
    let hidden = Found { sessions: unknown("hidepid"), ..product(&[]) };
    assert_eq!(of(hidden), "running sessions: ?: hidepid");
    assert_eq!(of(Found { sessions: Known::Absent, ..product(&[]) }), "");
}

#[test]
fn r_sessions_go_on_where_there_is_a_program_for_them() {
    let of = |rstudio: Option<Known<WorkbenchSeen>>, found: Option<Found>| {
        let mut machine = machine();
        let name = "rstudio".parse().expect("a workbench");
        machine.workbenches = rstudio.map(|rstudio| (name, rstudio)).into_iter().collect();
        machine.incumbent = found.map_or(Known::Absent, |found| Known::Present(Arc::new(found)));
        about(lost(&site(&[]), &machine), "RStudio")
    };
    let works = || Some(Known::Present(WorkbenchSeen::works("/usr/bin/r".into(), "1".into())));
    let help = "no RStudio Server".to_owned();
    let missing = WorkbenchSeen { found: ProgramSeen::Missing { help }, ours: None };
    let missing = || Some(Known::Present(missing.clone()));
    let licensed = Known::Present(Health {
        active_sessions: None,
        license_status: Some("Activated".to_owned()),
        license_days_left: None,
    });
    let pro = || Found { health: licensed.clone(), ..product(&["bob"]) };
    let mut mixed = product(&["bob", "eve", "ann"]);
    if let Known::Present(sessions) = &mut mixed.sessions {
        sessions[0].kind = Kind::VsCode;
    }
    let licence = "Workbench's rsession is licensed, and is never run";
    for (found, wanted) in [
        (of(works(), None), "ok: there is a program for it".to_owned()),
        (of(works(), Some(product(&[]))), "ok: there is a program for it".to_owned()),
        (
            of(works(), Some(pro())),
            "lost: RStudio Pro's features: several R versions, shared projects, its own profiles"
                .to_owned(),
        ),
        (of(missing(), None), "lost: no RStudio Server !".to_owned()),
        (of(missing(), Some(mixed)), "lost: no RStudio Server; 2 sessions of it now !".to_owned()),
        (of(None, Some(pro())), format!("lost: {licence}; 1 session of it now !")),
        (of(None, None), "note: whether it can be started was not looked at".to_owned()),
        (of(Some(Known::Absent), None), "lost: no such workbench here".to_owned()),
        (of(Some(unknown("not asked")), None), "?: not asked".to_owned()),
    ] {
        assert_eq!(found, format!("RStudio: {wanted}"));
    }
}

#[test]
fn suspended_sessions_are_lost_unless_their_owners_save() {
    let of = |suspended| {
        about(lost(&site(&[]), &Machine { suspended, ..machine() }), "suspended sessions")
    };
    let seen =
        |sessions, homes, unreadable| of(Known::Present(Suspended { sessions, homes, unreadable }));
    let area = "suspended sessions";
    assert_eq!(of(Known::Absent), "");
    assert_eq!(of(unknown("no homes")), format!("{area}: ?: no homes"));
    assert_eq!(seen(0, 3, 0), format!("{area}: ok: 0 R sessions in 3 homes"));
    let unread = format!("{area}: ?: 0 R sessions in 3 homes; 1 home could not be read !");
    assert_eq!(seen(0, 3, 1), unread);
    assert_eq!(seen(1, 1, 0), format!("{area}: lost: 1 R session in 1 home !"));
    let both = format!("{area}: lost: 2 R sessions in 3 homes; 2 homes could not be read !");
    assert_eq!(seen(2, 3, 2), both);
}

#[test]
fn people_sign_in_by_links_whatever_the_files_say() {
    let of = |text| about(lost(&site(&[(FileKind::RserverConf, text)]), &machine()), "sign-in");
    let pam = "sign-in: lost: passwords (PAM), the default of these files: people sign in by \
               one-time links";
    assert_eq!(of("www-port=8787\n"), pam);
    assert_eq!(of("auth-timeout-minutes=60\n"), pam, "its default is no loss");
    let saml = "auth-saml=1\nserver-project-sharing=1\nauth-saml-metadata-url=https://i.org/m\n";
    let wanted = "sign-in: lost: auth-saml, auth-saml-metadata-url: people sign in by one-time \
                  links (rserver.conf:1, rserver.conf:3)";
    assert_eq!(of(saml), wanted);
}

#[test]
fn clusters_whole_files_and_options_without_effect_are_lost() {
    let launcher = "[server]\naddress=127.0.0.1\n\n[cluster]\nname=Local\ntype=Local\n\n\
                    [cluster]\nname=Slurm\ntype=Slurm\n";
    let mut files = site(&[
        (FileKind::LauncherConf, launcher),
        (FileKind::RserverConf, "auth-saml=1\nserver-project-sharing=1\nwww-port=8787\n"),
        (FileKind::NginxServerConf, "# nothing\n"),
    ]);
    let of = |files: &SiteFiles| {
        let all = lost(files, &machine()).into_iter();
        let parts = ["files", "RStudio", "sign-in"].map(|area| format!("{area}: "));
        all.filter(|line| !parts.iter().any(|part| line.starts_with(part))).collect::<Vec<_>>()
    };
    let wanted = [
        "cluster Slurm: lost: of type slurm: this version launches in local clusters only \
         (launcher.conf:9)",
        "launcher.conf: lost: without effect here: address (launcher.conf:2) !",
        "rserver.conf: lost: without effect here: server-project-sharing (rserver.conf:2) !",
    ];
    assert_eq!(of(&files), wanted);
    let deny = Source::new("/etc/rstudio/nginx.server.conf", "deny 10.9.0.0/16;\n");
    files.workbench.insert(FileKind::NginxServerConf, Known::Present(deny));
    let all = of(&files);
    assert_eq!(all.len(), 4);
    assert!(all[1].starts_with("nginx.server.conf: lost: ") && all[1].ends_with(" !"), "{all:?}");
}

#[test]
fn of_many_options_some_are_named_and_the_others_counted() {
    let names = |n: usize| {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h"];
        cutover::listed(&all[..n])
    };
    assert_eq!(names(6), "a, b, c, d, e, f");
    assert_eq!(names(7), "a, b, c, d, e, f, and 1 more");
    assert_eq!(names(8), "a, b, c, d, e, f, and 2 more");
}

#[test]
fn drop_ins_that_may_not_be_read_are_counted_too() {
    let mut files = site(&[]);
    *files.managed_mut(DropIn::Sessions) = Managed::Managed([].into());
    for file in ["/etc/wharf/sessions.d/a.toml", "/etc/wharf/sessions.d/b.toml"] {
        files.unreadable.push(FileProblem { file: file.into(), kind: FileProblemKind::Denied });
    }
    let line = about(examined(&files, &machine()), "files");
    assert_eq!(line, "files: ?: 2 not read (permission denied) !");
}
