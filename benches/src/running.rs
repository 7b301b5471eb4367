//! An engine that runs for a benchmark: the command `wharf`, on a site of its own, loopback only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::admin::client;
use engine::admin::protocol::{Answer, Request};
use engine::load::{Own, SiteDirs, load, open_to_read};
use engine::status::StatusView;
use engine_core::desired::Ground;
use engine_core::ids::{Moment, NodeId, UserName};
use engine_core::site::SiteFiles;

use crate::http::Client;
use crate::site::Site;
use crate::{Outcome, machine};

/// How long something may take before a benchmark gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How many data threads the engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataThreads {
    /// As it decides: one a core.
    AsShipped,
    /// One. There is no option for it; the engine is started on one core and given the others afterwards.
    One,
}

/// An engine that runs.
pub struct Running {
    child: Child,
    /// Its site.
    pub site: Site,
    admin: PathBuf,
}

/// The program `wharf` beside this one.
///
/// # Errors
/// It was not built.
pub fn wharf() -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("wharf");
    if path.is_file() {
        Ok(path)
    } else {
        Err("there is no `wharf` beside this program: cargo build --release -p engine".into())
    }
}

impl Running {
    /// Starts an engine on a site, and waits until it serves.
    ///
    /// # Errors
    /// It does not start, or it refuses the site.
    pub fn start(site: Site, threads: DataThreads) -> Outcome<Self> {
        let scratch = site.scratch().to_owned();
        let log = fs::File::create(scratch.join("engine.log"))?;
        let mut command = Command::new(wharf()?);
        command
            .args(["--quiet", "serve"])
            .arg(site.dir())
            .env("WHARF_STATE_DIR", scratch.join("state"))
            .env("WHARF_RUNTIME_DIR", site.runtime())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = match threads {
            DataThreads::AsShipped => command.spawn()?,
            DataThreads::One => machine::on_one_core(|| command.spawn())?,
        };
        let admin = site.runtime().join("bench/admin.sock");
        let mut running = Self { child, site, admin };
        let log = scratch.join("engine.log");
        wait_for("an engine that serves", || {
            if let Some(ended) = running.child.try_wait()? {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("the engine ended with {ended}: {said}").into());
            }
            Ok(running.status().is_ok_and(|status| {
                status.generation.0 > 0 && !status.listeners.is_empty() && status.rounds > 1
            }))
        })?;
        if threads == DataThreads::One {
            machine::on_all_cores(running.pid())?;
        }
        Ok(running)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its runtime directories are.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.site.runtime().join("bench")
    }

    /// Asks over the admin socket.
    ///
    /// # Errors
    /// There is no answer.
    pub fn ask(&self, request: Request) -> Outcome<Answer> {
        match client::ask(&self.admin, request)? {
            Answer::Error { message, .. } => Err(message.into()),
            answer => Ok(answer),
        }
    }

    /// Its status.
    ///
    /// # Errors
    /// There is no answer.
    pub fn status(&self) -> Outcome<StatusView> {
        match self.ask(Request::Status)? {
            Answer::Status { status } => Ok(*status),
            other => Err(format!("not a status: {other:?}").into()),
        }
    }

    /// Signs in with a one-time link: the cookie as `name=value`.
    ///
    /// # Errors
    /// It gives no link or no cookie.
    pub fn sign_in(&self) -> Outcome<String> {
        let Answer::Text { text } = self.ask(Request::Open)? else {
            return Err("no sign-in link".into());
        };
        let answer = Client::connect(self.site.port, "")?.get(&text)?;
        let cookie = answer.header("set-cookie").and_then(|value| value.split(';').next());
        Ok(cookie.ok_or("the link gave no cookie")?.to_owned())
    }

    /// Declares a session by one rename, and waits until it answers 200 at `path` below its prefix.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn declare(&self, session: &str, text: &str, path: &str, cookie: &str) -> Outcome<()> {
        self.site.stage(session, text)?.rename()?;
        let mut client = Client::connect(self.site.port, cookie)?;
        let path = format!("/s/{session}{path}");
        wait_for(&format!("200 at {path}"), || Ok(client.get(&path)?.status == 200))
    }

    /// The keepers that run for this engine, with the session of each.
    #[must_use]
    pub fn keepers(&self) -> Vec<(u32, String)> {
        let sessions = format!("{}/s/", self.runtime().display());
        let found = machine::processes_with(&sessions);
        found
            .into_iter()
            .filter(|(_, line)| line.starts_with("wharf-keeper"))
            .map(|(pid, line)| {
                let id = line.split(&sessions).nth(1).and_then(|rest| rest.split('/').next());
                (pid, id.unwrap_or_default().to_owned())
            })
            .collect()
    }

    /// Stops all sessions, then the engine.
    ///
    /// # Errors
    /// Something does not end; what is left is named.
    pub fn stop(mut self) -> Outcome<()> {
        if !self.keepers().is_empty() {
            self.ask(Request::SessionStop {
                session: String::new(),
                reason: "the benchmark is over".to_owned(),
                for_ms: 600_000,
            })?;
            wait_for("the end of all sessions", || Ok(self.keepers().is_empty()))?;
        }
        terminate(&mut self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A benchmark that breaks off leaves nothing behind: these are processes that it has started.
        for (pid, _) in self.keepers() {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        let _ = terminate(&mut self.child);
    }
}

/// Ends a process of ours: asked first, then forced.
///
/// # Errors
/// The system refuses.
pub fn terminate(child: &mut Child) -> Outcome<()> {
    if child.try_wait()?.is_some() {
        return Ok(());
    }
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    let ended = wait_for("the end of a process", || Ok(child.try_wait()?.is_some()));
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    ended
}

/// Waits until `done`, for [`PATIENCE`] at the most.
///
/// # Errors
/// It did not come, or `done` fails.
pub fn wait_for(what: &str, mut done: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if done()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Err(format!("waited {} s for {what}", PATIENCE.as_secs()).into())
}

/// Reads a site as the engine does.
#[must_use]
pub fn read(dir: &Path) -> SiteFiles {
    let dirs = SiteDirs::find(Some(dir), Own::SelfContained, &|_| None);
    load(&dirs, &[], &open_to_read, Moment(0)).files
}

/// What lowering is told of a machine.
///
/// # Panics
/// Never: the names are words of this file.
#[must_use]
pub fn ground() -> Ground {
    Ground {
        node: NodeId::new("bench").expect("a name"),
        default_user: UserName::new("nobody").expect("a name"),
        digest_key: vec![7; 32],
        self_contained: true,
    }
}

/// Starts a program of the benchmark that listens on a Unix socket, and waits until it does.
///
/// # Errors
/// It does not start.
pub fn start_on_socket(mut command: Command, socket: &Path) -> Outcome<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    wait_for("a socket", || Ok(std::os::unix::net::UnixStream::connect(socket).is_ok()))?;
    Ok(child)
}
