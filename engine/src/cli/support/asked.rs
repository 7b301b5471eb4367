//! The commands whose answers an archive holds, each run by this very program as a process of its own, for a limited time.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::{Duration, Instant};

use crate::cli::Global;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Most bytes that are taken of what one command says.
pub(super) const MOST: u64 = 32 << 20;
/// So many lines of the journal.
const JOURNAL_LINES: &str = "5000";

/// What a command said.
pub(super) struct Said {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// None: a signal ended it.
    pub(super) code: Option<i32>,
    /// Whether there was more than [`MOST`].
    pub(super) is_cut: bool,
}

/// Why a command said nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSaid {
    /// It did not end in time.
    #[error("it did not end within {} s", LIMIT.as_secs())]
    Late,
    /// It was not run, or not to be waited for.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for NotSaid {
    fn from(error: io::Error) -> Self {
        NotSaid::Failed(error.to_string())
    }
}

/// A command that is asked.
pub(super) struct Command {
    /// The file that holds what it says.
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// Whether it reads the files of the site itself.
    pub(super) reads_files: bool,
}

/// How commands are run.
pub(super) struct Asked {
    /// What stands before each command.
    global: Vec<String>,
    engine: bool,
    dir: Option<String>,
}

impl Asked {
    /// `socket` is that of an engine that answers; `dir` the configuration.
    pub(super) fn new(global: &Global, socket: Option<&Path>, dir: Option<&Path>) -> Self {
        let mut before = Vec::new();
        let mut add = |flag: &str, value: Option<String>| {
            before.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        let shown = |path: &PathBuf| path.display().to_string();
        add("--config", global.config.as_ref().map(shown));
        add("--root", global.root.as_ref().map(shown));
        add("--instance", global.instance.clone());
        #[cfg(debug_assertions)]
        add("--patience", global.patience.map(|ms| ms.to_string()));
        add("--socket", socket.map(|socket| socket.display().to_string()));
        Self {
            global: before,
            engine: socket.is_some(),
            dir: dir.map(|dir| dir.display().to_string()),
        }
    }

    /// All that are asked.
    pub(super) fn all(&self, session_logs: &[String]) -> Vec<Command> {
        const READERS: [&str; 3] = ["check", "dump", "doctor"];
        let mut all = Vec::new();
        let mut add = |name: &str, args: &[&str]| {
            let reads_files = READERS.contains(&args[0]) || args.contains(&"--offline");
            let (name, args) = (name.to_owned(), args.iter().map(ToString::to_string).collect());
            all.push(Command { name, args, reads_files });
        };
        let dir: Vec<&str> = self.dir.iter().map(String::as_str).collect();
        let of_dir = |args: &[&'static str]| [args, dir.as_slice()].concat();
        add("version.json", &["version", "--json"]);
        add("check.txt", &of_dir(&["check"]));
        add("dump.json", &of_dir(&["dump", "--json"]));
        add("doctor.json", &of_dir(&["doctor", "--json"]));
        add("state-check.json", &of_dir(&["state", "check", "--json"]));
        if !self.engine {
            // Whatever other engine runs here, its plan would be that of another site.
            add("plan.txt", &of_dir(&["plan", "-v", "--offline"]));
            add("plan.json", &of_dir(&["plan", "--json", "--offline"]));
        }
        if self.engine {
            add("plan.txt", &["plan", "-v"]);
            add("plan.json", &["plan", "--json"]);
            add("status.txt", &["status"]);
            add("status.json", &["status", "--json"]);
            add("pending.json", &["plan", "--pending", "--json"]);
            add("history.json", &["history", "--json"]);
            add("history-newest.txt", &["history", "show"]);
            add("overrides.json", &["override", "list", "--json"]);
            add("windows.json", &["change", "list", "--json"]);
            for session in session_logs {
                let name = format!("session-{}.log", session.replace('/', "_"));
                add(&name, &["session", "logs", session]);
            }
        }
        all
    }

    /// Runs one.
    pub(super) fn run(&self, args: &[String]) -> Result<Said, NotSaid> {
        let mut command = process::Command::new(std::env::current_exe()?);
        command.args(&self.global).args(args).env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
        said(command)
    }
}

/// What the journal has of the unit.
pub(super) fn journal() -> Result<Vec<u8>, String> {
    let mut command = process::Command::new("journalctl");
    command.args(["--no-pager", "--output=short-iso", "--unit=wharf", "--lines", JOURNAL_LINES]);
    let said = said(command).map_err(|why| why.to_string())?;
    let text = String::from_utf8_lossy(&said.stdout);
    // Without entries it prints one line that says so, or none.
    if said.code != Some(0) || text.lines().all(|line| line.starts_with("-- ")) {
        let complaint = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        return Err(if complaint.is_empty() { "it has none".to_owned() } else { complaint });
    }
    Ok(said.stdout)
}

/// The last bytes of a file.
pub(super) fn tail(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    Ok(text)
}

fn said(mut command: process::Command) -> Result<Said, NotSaid> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = (reading(stdout), reading(stderr));
    let limit = Instant::now() + LIMIT;
    let ended = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < limit => std::thread::sleep(Duration::from_millis(10)),
            None => {
                // Not waited for: one that a file system keeps does not even end of this.
                let _ = child.kill();
                return Err(NotSaid::Late);
            }
        }
    };
    let read = |thread: std::thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let (stdout, stderr) = (read(stdout), read(stderr));
    let is_cut = [&stdout, &stderr].iter().any(|text| text.len() as u64 >= MOST);
    Ok(Said { stdout, stderr, code: ended.code(), is_cut })
}

/// Reads to the end on a thread of its own, so that neither stream holds up the other.
fn reading(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(from) = from {
            // What was read before an error is still worth having.
            let _ = from.take(MOST).read_to_end(&mut text);
        }
        text
    })
}
