//! A simulated Workbench, for machines on which nothing of the product runs: processes that are called as its
//! own are, a port that its server holds, and pages that answer as its public documentation says.
//!
//! Nothing of it is the product's: `rserver`, `rstudio-launcher` and `rsandbox` are copies of a shell, sessions
//! are copies of `sleep`. What the pages say is made from behaviour.md §1.3 and §7.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::all_of;
use super::{Process, wait_for};

/// The version that its file names.
pub const VERSION: &str = "2026.07.0+139.pro3";

/// Starts R sessions as its own account, and one as `nobody` where it may.
const SERVER: &str = r#"
"$1" 100000 & "$1" 100001 &
if [ "$(id -u)" = 0 ]; then
    setpriv --reuid nobody --regid nogroup --clear-groups "$1" 100002 &
fi
wait"#;

/// Starts JupyterLab by way of the sandbox.
const LAUNCHER: &str = r#""$1" -c '"$0" 100003 & wait' "$2" & wait"#;

/// A simulated Workbench. It ends with this value, with all that it started.
#[derive(Debug)]
pub struct SimulatedWorkbench {
    dir: TempDir,
    port: u16,
    children: Vec<Child>,
    over: Arc<AtomicBool>,
    pages: Option<JoinHandle<()>>,
}

impl SimulatedWorkbench {
    /// Starts it at a port of its own.
    ///
    /// # Panics
    /// Its programs cannot be copied or started.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let temp = tempfile::Builder::new().prefix("wb-").tempdir_in("/tmp");
        let dir = temp.expect("a temporary directory");
        // A session of another account is started from it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("it is ours");
        let bin = dir.path().join("rstudio-server/bin");
        std::fs::create_dir_all(&bin).expect("it is ours");
        std::fs::write(dir.path().join("rstudio-server/VERSION"), VERSION).expect("it is ours");
        for shell in ["rserver", "rstudio-launcher", "rsandbox"] {
            std::fs::copy("/bin/sh", bin.join(shell)).expect("there is a shell");
        }
        for sleeper in ["rsession", "jupyter-lab"] {
            std::fs::copy("/bin/sleep", bin.join(sleeper)).expect("there is a sleep");
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        // Its server holds the port: the descriptor is inherited by the one process that is started now.
        fcntl_setfd(&listener, FdFlags::empty()).expect("it is ours");
        let server = start(&bin, "rserver", SERVER, &["rsession"]);
        fcntl_setfd(&listener, FdFlags::CLOEXEC).expect("it is ours");
        let launcher = start(&bin, "rstudio-launcher", LAUNCHER, &["rsandbox", "jupyter-lab"]);
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let children = vec![server, launcher];
        let mut workbench = Self { dir, port, children, over, pages: None };
        let sessions = wait_for("its sessions run", || {
            let sessions = workbench.sessions();
            if sessions.len() == Self::count() {
                Ok(sessions)
            } else {
                Err(format!("{sessions:?}"))
            }
        });
        let status = status_page(port, &sessions);
        let pages = move || {
            for stream in listener.incoming().flatten() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let _ = answer(stream, &status);
            }
        };
        workbench.pages = Some(std::thread::spawn(pages));
        workbench
    }

    /// How many sessions it has on this machine.
    #[must_use]
    pub fn count() -> usize {
        if rustix::process::geteuid().is_root() { 4 } else { 3 }
    }

    /// The port of its pages.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The pid of its server.
    #[must_use]
    pub fn server(&self) -> u32 {
        self.children[0].id()
    }

    /// Its sessions.
    #[must_use]
    pub fn sessions(&self) -> Vec<Process> {
        let is_session = |process: &Process| {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", process.pid));
            name.is_ok_and(|name| ["rsession", "jupyter-lab"].contains(&name.trim()))
        };
        self.all().into_iter().filter(is_session).collect()
    }

    /// All of its processes.
    #[must_use]
    pub fn all(&self) -> Vec<Process> {
        all_of(self.dir.path()).into_iter().collect()
    }

    /// Ends it, as if it were stopped for good.
    pub fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Whoever waits for a connection gets one.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(pages) = self.pages.take() {
            let _ = pages.join();
        }
        for process in self.all() {
            process.signal(Signal::KILL);
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

impl Drop for SimulatedWorkbench {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(bin: &Path, program: &str, script: &str, args: &[&str]) -> Child {
    Command::new(bin.join(program))
        .args(["-c", script, program])
        .args(args.iter().map(|arg| bin.join(arg)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// `GET /load-balancer/status`: this node with its sessions, and another one.
fn status_page(port: u16, sessions: &[Process]) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut text = format!("{host}:{port} - 127.0.0.1  Load: 0.0063, 0.019, 0\n");
    for session in sessions {
        text.push_str(&format!("   {} - somebody\n", session.pid));
    }
    text.push_str(&format!("\nother-node:{port} - 10.0.0.2  Load: 1, 0.5, 0.25\n   77 - dan\n"));
    text
}

fn answer(mut stream: TcpStream, status: &str) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let read = stream.read(&mut request)?;
    let head = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (code, body) = match path {
        "/load-balancer/status" => ("200 OK", status.to_owned()),
        "/health-check" => (
            "200 OK",
            "active-sessions: 4\nidle-seconds: 0\nlicense-status: Activated\nlicense-days-left: 153\n"
                .to_owned(),
        ),
        _ => ("302 Found\r\nLocation: /auth-sign-in", String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
