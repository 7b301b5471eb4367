//! The built `wharf serve`, with a site, state and runtime directory of its own.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::status::{SessionView, StatusView};
use rustix::process::Signal;

use super::process::all_of;
use super::{Browser, LIMIT, Process, Site, wait_for, wharf};

/// How long its sessions may take to end when the test is over, before they are killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// What a command said.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Checks how a command ended, and what it said, on either stream.
///
/// # Panics
/// It ended otherwise, or said something else.
#[track_caller]
pub fn is(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{said} in {ran:?}");
}

/// An engine that runs, or has been killed and may be started again. All that it started ends with this value.
#[derive(Debug)]
pub struct Engine {
    /// Its site.
    pub site: Site,
    serves: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
}

impl Engine {
    /// Starts one for `site` and waits until it answers commands.
    ///
    /// # Panics
    /// It does not: with all that it said.
    #[must_use]
    #[track_caller]
    pub fn start(site: Site) -> Self {
        let serves = site.dir();
        Self::start_in(site, serves)
    }

    /// The same, told of its directory by the path `serves`.
    ///
    /// # Panics
    /// As [`Engine::start`].
    #[must_use]
    #[track_caller]
    pub fn start_in(site: Site, serves: PathBuf) -> Self {
        Self::start_told(site, serves, &[])
    }

    /// The same, `serve` told more: `&["--record", dir]`.
    ///
    /// # Panics
    /// As [`Engine::start`].
    #[must_use]
    #[track_caller]
    pub fn start_told(site: Site, serves: PathBuf, args: &[&str]) -> Self {
        let args = args.iter().map(ToString::to_string).collect();
        let mut engine = Self { site, serves, args, child: None };
        engine.restart();
        engine
    }

    /// Tells `serve` this from its next start on, and nothing that it was told before.
    pub fn told(&mut self, args: &[&str]) {
        self.args = args.iter().map(ToString::to_string).collect();
    }

    /// Whether it has ended by itself, or was never started; if it has, it may be started again.
    ///
    /// # Panics
    /// The system does not know its own child.
    pub fn is_over(&mut self) -> bool {
        let Some(child) = &mut self.child else { return true };
        let over = child.try_wait().expect("it is ours").is_some();
        if over {
            self.child = None;
        }
        over
    }

    /// Starts it again.
    ///
    /// # Panics
    /// As [`Engine::start`].
    #[track_caller]
    pub fn restart(&mut self) {
        self.launch();
        let pid = self.pid();
        wait_for("the engine answers", || {
            self.check_alive();
            let status = self.status()?;
            // Of this process, not of one before it; and not before the files were looked at.
            let decided = status.generation.0 > 0 || status.refused.is_some();
            if status.pid == pid && decided && status.rounds > 0 {
                Ok(())
            } else {
                Err(format!("{status:?}"))
            }
        });
    }

    /// Starts the process and waits for nothing.
    ///
    /// # Panics
    /// It runs already.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = self.log();
        let child = self
            .command()
            .arg("serve")
            .arg(&self.serves)
            .args(&self.args)
            .stdout(log.try_clone().expect("a descriptor more"))
            .stderr(log)
            .spawn()
            .expect("wharf can be started");
        self.child = Some(child);
    }

    /// `wharf` with this engine's directories, and without what a terminal or a test runner sets.
    #[must_use]
    pub fn command(&self) -> Command {
        command(self.site.around())
    }

    /// Runs `wharf` with these arguments.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn admin(&self, args: &[&str]) -> Ran {
        ran(self.command().args(args))
    }

    /// The pid of the engine.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the engine runs").id()
    }

    /// What `wharf status --json` says.
    ///
    /// # Errors
    /// It says nothing: what it complained about.
    pub fn status(&self) -> Result<StatusView, String> {
        let ran = self.admin(&["status", "--json"]);
        serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}: {}", ran.stderr))
    }

    /// Waits until the status is as `found` wants it.
    ///
    /// # Panics
    /// It never is: with the status and what the engine said.
    #[track_caller]
    pub fn wait_status<T>(
        &mut self,
        what: &str,
        mut found: impl FnMut(&StatusView) -> Option<T>,
    ) -> T {
        let said = self.site.around().join("log");
        wait_for(what, || {
            self.check_alive();
            let status = self.status()?;
            found(&status).ok_or_else(|| {
                let log = std::fs::read_to_string(&said).unwrap_or_default();
                format!("{status:#?}\nthe engine said:\n{log}")
            })
        })
    }

    /// Waits until a session runs and gives its leader.
    ///
    /// # Panics
    /// It never does.
    #[track_caller]
    pub fn running(&mut self, id: &str) -> Process {
        self.wait_status(&format!("{id} runs"), |status| {
            let session = session(status, id)?;
            (session.state == "running").then_some(())?;
            Process::of(session.pid?)
        })
    }

    /// Signs in by a one-time link.
    ///
    /// # Panics
    /// There is none, or it does not sign in.
    #[must_use]
    #[track_caller]
    pub fn sign_in(&mut self) -> Browser {
        let mut browser = Browser::default();
        let path = self.sign_in_path();
        let port = self.listening();
        let page = browser.get(port, &path).expect("the listener answers");
        assert_eq!(page.status, 303, "{page:?}");
        browser
    }

    /// The path of a new one-time link.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn sign_in_path(&self) -> String {
        let ran = self.admin(&["open"]);
        let at = ran.stdout.find("/in/").unwrap_or_else(|| panic!("no link: {ran:?}"));
        let token: String =
            ran.stdout[at + 4..].chars().take_while(char::is_ascii_hexdigit).collect();
        format!("/in/{token}")
    }

    /// Waits until the engine listens for people, and gives the port.
    ///
    /// # Panics
    /// It never does.
    #[track_caller]
    pub fn listening(&mut self) -> u16 {
        self.wait_status("a listener", |status| {
            status.listeners.values().find_map(|address| address.rsplit(':').next()?.parse().ok())
        })
    }

    /// All that it said since the first start.
    #[must_use]
    pub fn said(&self) -> String {
        let mut text = String::new();
        if let Ok(mut log) = File::open(self.site.around().join("log")) {
            let _ = log.read_to_string(&mut text);
        }
        text
    }

    /// Kills it as the kernel does: nothing of it runs afterwards, and it could prepare for nothing.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill_9(&mut self) {
        let mut child = self.child.take().expect("the engine runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    /// Ends it with a signal and waits for it: its exit code.
    ///
    /// # Panics
    /// It does not end within [`LIMIT`].
    #[track_caller]
    pub fn end(&mut self, signal: Signal) -> Option<i32> {
        let mut child = self.child.take().expect("the engine runs");
        Process::of(child.id()).expect("it runs").signal(signal);
        wait_for("the engine ends", || match child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            other => Err(format!("{other:?}")),
        })
    }

    fn log(&self) -> File {
        let path = self.site.around().join("log");
        OpenOptions::new().create(true).append(true).open(path).expect("the directory is ours")
    }

    #[track_caller]
    fn check_alive(&mut self) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            self.child = None;
            panic!("the engine ended with {status}:\n{}", self.said());
        }
    }
}

/// `wharf` with state and runtime directories below `around`.
#[must_use]
pub fn command(around: &Path) -> Command {
    let mut command = Command::new(wharf());
    command
        .env("WHARF_STATE_DIR", around.join("state"))
        .env("WHARF_RUNTIME_DIR", around.join("run"))
        .env("WHARF_OWN_DIR", around.join("wharf"))
        .env("NO_COLOR", "1")
        .current_dir("/")
        .stdin(Stdio::null());
    for name in ["WHARF_SOCKET", "WHARF_CONFIG_DIR", "SUDO_USER", "NOTIFY_SOCKET", "SSH_CONNECTION"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A session of a status.
#[must_use]
pub fn session<'a>(status: &'a StatusView, id: &str) -> Option<&'a SessionView> {
    status.sessions.iter().find(|session| session.id == id)
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the engine said:\n{}", self.said());
        }
        if self.child.is_some() {
            let _ = self.admin(&["session", "stop", "--all"]);
            let engine = self.pid();
            let limit = Instant::now() + FAREWELL.min(LIMIT);
            let alone = || all_of(self.site.around()).iter().all(|process| process.pid == engine);
            while !alone() && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // What a broken engine has left behind: keepers first seen, then what they held.
        let limit = Instant::now() + FAREWELL;
        loop {
            let left = all_of(self.site.around());
            if left.is_empty() || Instant::now() > limit {
                break;
            }
            for process in left {
                process.signal(Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}
