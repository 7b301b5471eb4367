//! Tests of what was found of the product, and of what to ask of it.

use grammar::source::FileKind;

use super::*;
use crate::check::tests::{ground, site};
use crate::desired::{Mode, lower};

fn service(program: &str, service: Service, pid: u32) -> FoundService {
    FoundService {
        program: program.to_owned(),
        service,
        pid,
        since: Moment(7),
        user: "root".to_owned(),
        trusted: true,
    }
}

pub(super) fn found() -> Found {
    Found {
        looked_at: Moment(7),
        version: Known::Absent,
        services: vec![service("rserver", Service::Server, 812)],
        sessions: Known::Present(Vec::new()),
        nodes: Known::Absent,
        health: Known::Absent,
        metrics: Known::Absent,
        jobs: BTreeMap::new(),
        ports: Vec::new(),
        of_this_site: true,
    }
}

#[test]
fn two_looks_that_find_the_same_are_the_same_whenever_they_were() {
    assert!(found().same_as(&Found { looked_at: Moment(8), ..found() }));
    let other = Found { version: Known::Present("2026.07.0".to_owned()), ..found() };
    assert!(!found().same_as(&other));
}

#[test]
fn it_is_workbench_where_any_sign_of_it_is_there_and_else_rstudio_server() {
    let licence = |status: Option<&str>| {
        let license_status = status.map(str::to_owned);
        Known::Present(Health { license_status, ..Health::default() })
    };
    let version = |text: &str| Known::Present(text.to_owned());
    let launcher = service("rstudio-launcher", Service::Launcher, 900);
    for (found, name) in [
        (found(), "RStudio Server"),
        (Found { version: version("2026.07.0+139"), ..found() }, "RStudio Server 2026.07.0+139"),
        (Found { health: licence(None), ..found() }, "RStudio Server"),
        (Found { version: version("2026.07.0+1.pro3"), ..found() }, "Workbench 2026.07.0+1.pro3"),
        (Found { health: licence(Some("Activated")), ..found() }, "Workbench"),
        (Found { services: vec![launcher], ..found() }, "Workbench"),
    ] {
        assert_eq!(found.name(), name, "{found:?}");
    }
}

#[test]
fn a_services_main_process_is_the_lowest_of_its_programs_and_not_the_oldest() {
    let services = vec![
        service("rserver-http", Service::Server, 10),
        service("rserver", Service::Server, 812),
        service("rserver", Service::Server, 813),
        service("rsandbox", Service::Launcher, 20),
        service("rstudio-launcher", Service::Launcher, 900),
    ];
    let found = Found { services, ..found() };
    assert_eq!(found.main(Service::Server).map(|main| main.pid), Some(812));
    assert_eq!(found.main(Service::Launcher).map(|main| main.pid), Some(900));
    // A program that is none of those known comes behind them all.
    assert!(process::rank("rsandbox") < process::rank("rsession"));
}

/// What is asked where `rserver.conf` says this.
fn asked(rserver: &str, of_this_site: bool, mode: Mode) -> Option<Questions> {
    let lowered = lower(&site(&[(FileKind::RserverConf, rserver)]), &ground());
    let clusters = [("Here", "local"), ("Batch", "slurm"), ("Pods", "kubernetes"), ("X", "other")];
    Questions::of(&lowered.settings, clusters.into_iter(), of_this_site, mode)
}

#[test]
fn where_an_engine_serves_files_of_its_own_nothing_is_asked() {
    for (of_this_site, mode, asks) in [
        (false, Mode::Serve, false),
        (true, Mode::Serve, true),
        (false, Mode::Observe, true),
        (true, Mode::Observe, true),
        (false, Mode::Beside, true),
        (true, Mode::Beside, true),
    ] {
        assert_eq!(asked("", of_this_site, mode).is_some(), asks, "{of_this_site} {mode}");
    }
}

#[test]
fn what_is_asked_is_what_the_files_turn_on() {
    let quiet = asked("", true, Mode::Observe).expect("it is asked");
    assert_eq!((quiet.www_port, quiet.www_tls, quiet.health), (8787, false, false));
    assert_eq!((quiet.metrics_port, &*quiet.server_user), (None, "rstudio-server"));
    assert_eq!((quiet.every_ms, quiet.absent_every_ms), (5_000, 5_000));
    let text = "www-port=8443\nssl-enabled=1\nserver-health-check-enabled=1\nmetrics-enabled=1\n\
                metrics-port=9000\nserver-user=rs\n";
    let all = asked(text, true, Mode::Observe).expect("it is asked");
    assert_eq!((all.www_port, all.www_tls, all.health), (8443, true, true));
    assert_eq!((all.metrics_port, &*all.server_user), (Some(9_000), "rs"));
}

#[test]
fn who_serves_looks_seldom_for_a_product_that_does_not_run() {
    let every = |mode| asked("", true, mode).map(|asked| (asked.every_ms, asked.absent_every_ms));
    assert_eq!(every(Mode::Serve), Some((5_000, 60_000)));
    assert_eq!(every(Mode::Beside), Some((5_000, 5_000)));
}

#[test]
fn only_clusters_with_a_scheduler_are_asked_for_jobs() {
    let of = |cluster: &str, kind| Scheduler { cluster: cluster.to_owned(), kind };
    assert_eq!(
        asked("", true, Mode::Serve).map(|asked| asked.schedulers),
        Some(vec![of("Batch", SchedulerKind::Slurm), of("Pods", SchedulerKind::Kubernetes)])
    );
}
