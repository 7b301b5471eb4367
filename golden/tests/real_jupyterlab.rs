//! A real JupyterLab: installed from the pinned requirements by our installer, started by the launcher,
//! asked over its socket. Needs PyPI the first time; the environment is kept in `golden/.cache`.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod instance;

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use engine::launcher::local::LocalLauncher;
use engine::launcher::workbench::LocalWorkbenches;
use engine::launcher::workbench::discovery::Account;
use engine::ports::{Launcher, Secrets, Warden, Workbenches};
use engine::session_socket::open_session_socket;
use engine_core::desired::{HealthSpec, StopSpec, WorkbenchSpec, builtins};
use engine_core::ids::{Incarnation, Moment, NodeId, WorkbenchName};
use engine_core::known::Known;
use engine_core::observed::{IncarnationSeen, InstallationSeen, Phase, ProgramSeen};

use instance::{Instance, wharf};

/// JupyterLab on a loaded machine, and its installation over a slow line.
const PATIENCE: Duration = Duration::from_secs(600);

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < limit, "{what}: it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn install(instance: &Instance) -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let requirements = manifest.join("../samples/quickstart/requirements-jupyterlab.txt");
    let name = WorkbenchName::new("jupyterlab").unwrap();
    let requirements = requirements.canonicalize().unwrap();
    let spec = WorkbenchSpec {
        install_from: Some(requirements.display().to_string()),
        ..WorkbenchSpec::default()
    };
    let (_, user) = instance.user();
    let account = Account { uid: user.uid, gid: user.gid, home: user.home.into() };
    let mut workbenches = LocalWorkbenches::new(&golden::real::jupyter::cache(), Some(account));
    let mut counts = Vec::new();
    wait_for("installation", || {
        let Known::Present(seen) = workbenches.observe(&name, &spec, Moment(1)) else {
            return None;
        };
        match (seen.found, seen.ours) {
            (ProgramSeen::Works { exe, version }, _) => {
                println!("{exe}: {version}, found");
                Some(exe)
            }
            (ProgramSeen::Asked { .. }, _) => None,
            (_, Some(InstallationSeen::NotInstalled)) => {
                workbenches.provide(&name, &spec).unwrap();
                None
            }
            (_, Some(InstallationSeen::Installing { done, total })) => {
                assert!(done <= total, "{done} of {total}");
                counts.push(done);
                None
            }
            (_, Some(InstallationSeen::Installed { version, .. })) if version.is_empty() => None,
            (_, Some(InstallationSeen::Installed { exe, version })) => {
                println!("{exe}: {version}; counted {:?}", counts.last());
                assert!(version.starts_with("4.6."), "{version}");
                Some(exe)
            }
            other => panic!("{other:?}"),
        }
    })
}

fn ask(seen: &IncarnationSeen, request: &str) -> String {
    let dir = Path::new(&seen.socket_dir);
    let mut stream = open_session_socket(dir, &seen.socket, seen.uid).unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "{request}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(seen: &IncarnationSeen, path: &str) -> String {
    let host = "Host: lab.example.org\r\nConnection: close";
    ask(seen, &format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n"))
}

/// Every TCP port on which a process of the machine's `uid` listens.
fn listening(uid: u32) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let lines: Vec<String> = tables
        .into_iter()
        .flatten()
        .flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines
        .into_iter()
        .filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(3) == Some(&"0A") && fields.get(7) == Some(&uid.to_string().as_str())
        })
        .collect()
}

#[test]
fn it_starts_serves_a_kernel_without_tcp_and_ends_with_all_its_processes() {
    let instance = Instance::new(&wharf());
    let exe = install(&instance);
    let name = WorkbenchName::new("jupyterlab").unwrap();
    let lab = builtins().remove(&name).unwrap();
    let mut order = instance.order("lab", 1, &exe, lab.program);
    order.health =
        HealthSpec { path: lab.health_path.to_owned(), start_timeout_ms: lab.start_timeout.0 };
    let warden: std::sync::Arc<dyn Warden> = instance.warden.clone();
    let layout = instance.warden.layout().clone();
    let node = NodeId::new("here").unwrap();
    let mut launcher = LocalLauncher::new(warden, layout, node, || {}).unwrap();
    let before = listening(order.user.uid);
    launcher.start(&order, &Secrets::default(), Moment(1)).unwrap();
    let lab = order.incarnation.clone();
    let seen = wait_for("ready", || match observe(&mut launcher, &lab) {
        seen if seen.phase == Phase::Ready => Some(seen),
        seen if seen.phase.is_live() => None,
        seen => panic!("{seen:?}: {}", log(&instance, &lab)),
    });
    println!("ready with pid {:?}", seen.pid);
    assert!(get(&seen, "/s/lab/api").contains("\"version\""), "{}", log(&instance, &lab));
    let page = get(&seen, "/s/lab/lab");
    assert!(page.starts_with("HTTP/1.1 200"), "no second sign-in: {page}");
    let kernel = start_kernel(&seen, &page);
    assert!(kernel.starts_with("HTTP/1.1 201"), "{kernel}{}", log(&instance, &lab));
    assert_eq!(listening(order.user.uid), before, "nothing of it listens on TCP");
    let tree = engine::keeper::process::descendants(seen.pid.unwrap()).unwrap();
    assert!(!tree.is_empty(), "the kernel is a process of its own");
    launcher.end(&lab, &StopSpec::default(), Moment(2)).unwrap();
    let over =
        wait_for("end", || Some(observe(&mut launcher, &lab)).filter(|s| !s.phase.is_live()));
    println!("ended: {:?}", over.phase);
    assert!(tree.iter().all(|process| !process.is_running().unwrap()));
}

/// The page's cookie is sent back in the header, as JupyterLab's own script does.
fn start_kernel(seen: &IncarnationSeen, page: &str) -> String {
    let cookie = page.split("_xsrf=").nth(1).and_then(|rest| rest.split(';').next());
    let cookie = cookie.expect("the page sets its cookie");
    let body = "{\"name\":\"python3\"}";
    ask(
        seen,
        &format!(
            "POST /s/lab/api/kernels HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n\
             Cookie: _xsrf={cookie}\r\nX-XSRFToken: {cookie}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn observe(launcher: &mut LocalLauncher, incarnation: &Incarnation) -> IncarnationSeen {
    let mut all = launcher.observe(Moment(3)).unwrap();
    match all.remove(incarnation) {
        Some(Known::Present(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

fn log(instance: &Instance, incarnation: &Incarnation) -> String {
    std::fs::read_to_string(instance.file(incarnation, "log")).unwrap_or_default()
}
