//! The pages and the metrics as people and scrapers get them: `golden/cases/web`.
//!
//! `UPDATE_GOLDEN=1` rewrites the cases (not where `CI` is set). The style is left out: it has no meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use engine::identity::Person;
use engine::status::{
    GatewayView, HoldView, NodeView, OverrideView, Refusal, SessionView, StatusView,
};
use engine::web::metrics::{Counters, render_metrics};
use engine::web::sign_in_words;
use engine::web::startup::{Startup, render_startup};
use engine::web::status_page::render_status;
use engine_core::ids::{Generation, Moment};
use engine_core::window::ChangeWindow;

/// 2026-11-21 12:00:00 UTC.
const NOON: i64 = 1_795_262_400_000;

fn at(seconds: i64) -> Moment {
    Moment(NOON + seconds * 1_000)
}

fn session(id: &str, state: &str) -> SessionView {
    SessionView {
        id: id.to_owned(),
        display_name: id.to_owned(),
        workbench: "jupyterlab".to_owned(),
        user: "alice".to_owned(),
        state: state.to_owned(),
        path: format!("/s/{id}/"),
        incarnation: 1,
        node: "node1".to_owned(),
        since: Some(at(-7_260)),
        ..SessionView::default()
    }
}

fn sessions() -> Vec<SessionView> {
    vec![
        SessionView {
            display_name: "Genomics shared lab".to_owned(),
            user: "genomics-svc".to_owned(),
            connections: 7,
            outdated: vec!["LC_ALL".to_owned(), "MODEL_KEY".to_owned()],
            ..session("genomics-lab", "running")
        },
        SessionView {
            display_name: "Notebook".to_owned(),
            reason: "installing JupyterLab 4.6".to_owned(),
            progress: Some((41, 63)),
            since: None,
            ..session("notebook", "waiting")
        },
        SessionView {
            workbench: "rstudio".to_owned(),
            reason: "exit code 3 after 2 s, five times within 10 min".to_owned(),
            ..session("alice-5kq2x7ma", "failed")
        },
        SessionView {
            display_name: "<script>alert(\"x\")</script>".to_owned(),
            workbench: "vs-code".to_owned(),
            user: "bob".to_owned(),
            reason: "the node has not answered since 11:58".to_owned(),
            node: "node3".to_owned(),
            ..session("bob-q7h2m5ze", "unknown")
        },
        SessionView {
            workbench: "rstudio".to_owned(),
            user: "carol".to_owned(),
            reason: "run by Workbench (pid 4711)".to_owned(),
            path: String::new(),
            ..session("carol-rsession", "foreign")
        },
    ]
}

fn hold(resource: &str, wanted: &str, waiting: &str, standing: bool) -> HoldView {
    HoldView {
        resource: resource.to_owned(),
        wanted: wanted.to_owned(),
        waiting: waiting.to_owned(),
        until: (!standing).then(|| at(60)),
        because: vec!["launcher-env:3".to_owned(), "sessions.d/notebook.toml:1".to_owned()],
        standing,
        approval: waiting.contains("wharf apply"),
        outdated: false,
    }
}

fn refusal() -> Refusal {
    let problems = [
        "rserver.conf:9:1: error[WH0107]: unknown option `www-prot`, did you mean `www-port`?",
        "launcher-mounts:6:10: error[WH0302]: no cluster is called `Kubernets`",
    ];
    Refusal { at: at(-5), problems: problems.map(str::to_owned).to_vec() }
}

fn quiet_status() -> StatusView {
    let node =
        |weight, state: &str, sessions| NodeView { weight, state: state.to_owned(), sessions };
    let gateway = GatewayView {
        range: "0.0.0.0:10000-10100".to_owned(),
        problem: None,
        ports: BTreeMap::from([(10_001, "genomics-lab".to_owned())]),
    };
    StatusView {
        version: "0.1.0".to_owned(),
        instance: "main".to_owned(),
        mode: "serve".to_owned(),
        site: "/etc/rstudio".to_owned(),
        node: "node1".to_owned(),
        pid: 812,
        generation: Generation(41),
        since: at(-36_000),
        decided_at: at(-5),
        settled: true,
        round_at: at(0),
        rounds: 1_234,
        round_us: 4_321,
        sessions: vec![session("demo", "running")].into(),
        listeners: BTreeMap::from([("listener".to_owned(), "0.0.0.0:8787".to_owned())]),
        nodes: BTreeMap::from([
            ("node1".to_owned(), node(3, "online", 4)),
            ("node3".to_owned(), node(0, "unknown", 1)),
        ]),
        gateways: BTreeMap::from([("lab".to_owned(), gateway)]),
        balancer: "sessions".to_owned(),
        ..StatusView::default()
    }
}

fn full_status() -> StatusView {
    StatusView {
        refused: Some(refusal()),
        settled: false,
        paused: true,
        step_failures: BTreeMap::from([("start".to_owned(), 5)]),
        store_problem: Some("the disk is full".to_owned()),
        sessions: sessions().into(),
        holds: vec![
            hold("session/notebook", "ends", "harm-delay (60 s)", false),
            hold("session/genomics-lab", "restarts", "its next start", true),
        ],
        overrides: vec![OverrideView {
            id: "o-17".to_owned(),
            what: "node1 is cordoned".to_owned(),
            hides: "nodes.d/node1.toml:2".to_owned(),
            owner: "root".to_owned(),
            reason: "disk swap, CHG0012345".to_owned(),
            until: Some(at(28_800)),
        }],
        change_windows: vec![ChangeWindow {
            id: "ansible-4711".to_owned(),
            owner: "root".to_owned(),
            since: at(-60),
            until: at(540),
        }],
        ..quiet_status()
    }
}

/// What a person who does not administer the site is left with (the filter has its own tests).
fn persons_status() -> StatusView {
    StatusView {
        refused: Some(Refusal { at: at(-5), problems: Vec::new() }),
        sessions: sessions()[..2].to_vec().into(),
        site: String::new(),
        ..quiet_status()
    }
}

fn counters() -> Counters {
    Counters {
        requests: [[0, 90_210, 12, 34, 5], [1, 20, 3, 4, 0], [0, 6, 0, 1, 0], [0, 700, 0, 0, 2]],
        open_connections: 120,
        open_tunnels: 87,
        dropped: [1, 2, 3, 4, 5, 6],
    }
}

fn cases() -> Vec<(&'static str, String)> {
    let (status, shown) = (full_status(), sessions());
    let waiting =
        Startup { holds: status.holds[..1].iter().collect(), ..Startup::of(&shown[1], &status) };
    let silent = Startup {
        display_name: "Notebook",
        workbench: "jupyterlab",
        state: "silent",
        reason: "It runs, but it cannot be reached now.",
        ..Startup::default()
    };
    let page = |status: &StatusView, user: &str| {
        let admin = user == "root";
        let person = Person { user: user.parse().expect("a plain name"), admin };
        render_status(status, &person, "0123abcd")
    };
    vec![
        ("metrics.txt", render_metrics(&status, &counters())),
        ("status-administrator.html", page(&status, "root")),
        ("status-person.html", page(&persons_status(), "alice")),
        ("status-quiet.html", page(&quiet_status(), "root")),
        ("status-first.html", page(&StatusView::default(), "alice")),
        ("start-up-waiting.html", render_startup(&waiting)),
        ("start-up-failed.html", render_startup(&Startup::of(&shown[2], &status))),
        ("start-up-unknown.html", render_startup(&Startup::of(&shown[3], &status))),
        ("start-up-silent.html", render_startup(&silent)),
        ("sign-in.html", sign_in_words(&status)),
    ]
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/web")
}

fn without_style(page: &str) -> String {
    match (page.find("<style>"), page.find("</style>")) {
        (Some(begin), Some(end)) => format!("{}{}", &page[..begin + 7], &page[end..]),
        _ => page.to_owned(),
    }
}

#[test]
fn pages_and_metrics_are_those_of_the_cases() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    assert!(!(update && std::env::var_os("CI").is_some()), "cases are not rewritten in CI");
    let mut differing = Vec::new();
    for (name, rendered) in cases() {
        let (path, rendered) = (directory().join(name), without_style(&rendered));
        if update {
            std::fs::write(&path, &rendered).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        if wanted != rendered {
            let diff = similar::TextDiff::from_lines(wanted.as_str(), rendered.as_str());
            differing.push(format!("{name}\n{}", diff.unified_diff()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn no_case_is_left_without_its_page() {
    let known: BTreeSet<_> = cases().into_iter().map(|(name, _)| name.to_owned()).collect();
    let there: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, known);
}

#[test]
fn no_page_carries_a_script_or_lets_a_name_become_one() {
    for (name, page) in cases() {
        let lower = page.to_lowercase();
        assert!(!lower.contains("<script") && !lower.contains("javascript:"), "{name}");
    }
}

#[test]
fn no_name_of_a_person_is_a_label() {
    let (_, metrics) = cases().swap_remove(0);
    for user in ["alice", "bob", "carol", "genomics-svc"] {
        assert!(!metrics.contains(user), "{user}");
    }
}

#[test]
fn every_page_has_a_language_one_main_part_and_one_first_heading() {
    for (name, page) in cases().into_iter().filter(|(name, _)| name.ends_with(".html")) {
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert!(page.contains("<html lang=\"en\">") && page.contains("<main"), "{name}");
    }
}
