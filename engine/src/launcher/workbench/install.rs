//! Installing a workbench that a file asks for: a Python environment of its own, from pinned requirements.
//!
//! Every package is pinned and hashed, so that what is installed is what was reviewed. The marker is
//! written last: a directory without it was cut short, and is begun anew. It lies beside the directory,
//! which belongs to the account that installs, who may put there what it likes. Done by a thread; a
//! round only looks. Only when asked (`install = "pinned"`).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use engine_core::ids::Digest;

use super::discovery::Account;

/// Added to the directory's name: written last, holds the digest of the requirements.
const MARKER: &str = "installed";
/// Added to the directory's name: the requirements, where the account can read them.
const REQUIREMENTS: &str = "requirements.txt";
/// Lines of a failed program that are shown.
const LAST_LINES: usize = 5;
/// What a person's or a site's settings for pip are called.
const PASSED_ON: [&str; 3] = ["PIP_", "SSL_CERT_", "REQUESTS_CA_"];
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// How far an installation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There is none.
    Not,
    /// Under way.
    Running {
        /// Packages done.
        done: u32,
        /// Packages in all.
        total: u32,
    },
    /// It is there.
    Done {
        /// Its executable.
        exe: String,
    },
    /// It failed.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// What lies in `dir`, as far as no installation of ours is under way.
#[must_use]
pub fn look(dir: &Path, requirements: &Path) -> Seen {
    let Ok(text) = std::fs::read(requirements) else {
        return Seen::Failed { reason: format!("{} cannot be read", requirements.display()) };
    };
    let exe = dir.join("bin/jupyter");
    match (std::fs::read_to_string(dir.with_extension(MARKER)), exe.to_str()) {
        (Ok(digest), Some(exe)) if digest == Digest::of(&text).to_string() => {
            Seen::Done { exe: exe.to_owned() }
        }
        _ => Seen::Not,
    }
}

/// One under way, or its result.
pub struct Installation {
    // Written by its thread, read by rounds; a value, not a state that anybody waits for.
    seen: Arc<Mutex<Seen>>,
}

impl Installation {
    /// Begins anew in `dir`; as root, everything is done by `account`.
    ///
    /// # Errors
    /// It could not even begin: why, and what to do.
    pub fn begin(
        dir: &Path,
        requirements: &Path,
        account: Option<Account>,
    ) -> Result<Self, String> {
        let text = std::fs::read_to_string(requirements)
            .map_err(|error| format!("{}: {error}", requirements.display()))?;
        let account = match (nix::unistd::geteuid().is_root(), account) {
            (false, _) => None,
            (true, Some(account)) if account.uid != 0 => Some(account),
            (true, _) => return Err("nothing is installed as root: no account for it".to_owned()),
        };
        let total = u32::try_from(text.lines().filter(|line| is_pin(line)).count()).unwrap_or(0);
        let seen = Arc::new(Mutex::new(Seen::Running { done: 0, total }));
        let job = Job {
            dir: dir.to_owned(),
            requirements: text,
            account,
            total,
            seen: Arc::clone(&seen),
        };
        std::thread::Builder::new()
            .name("wharf-install".to_owned())
            .spawn(move || job.run())
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { seen })
    }

    /// How far it is.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a line of the requirements names a package.
fn is_pin(line: &str) -> bool {
    line.contains("==") && !line.starts_with(['#', ' ', '-'])
}

struct Job {
    dir: PathBuf,
    requirements: String,
    account: Option<Account>,
    total: u32,
    seen: Arc<Mutex<Seen>>,
}

impl Job {
    fn run(&self) {
        let seen = match self.install() {
            Ok(exe) => Seen::Done { exe },
            Err(reason) => Seen::Failed { reason },
        };
        self.tell(seen);
    }

    fn tell(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn install(&self) -> Result<String, String> {
        let system = |what: &str| {
            let dir = self.dir.display().to_string();
            let what = what.to_owned();
            move |error: std::io::Error| format!("cannot {what} {dir}: {error}")
        };
        let gone = |removed: std::io::Result<()>| match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        // The marker first: an installation that is being replaced is none.
        gone(std::fs::remove_file(self.dir.with_extension(MARKER))).map_err(system("empty"))?;
        gone(std::fs::remove_dir_all(&self.dir)).map_err(system("empty"))?;
        std::fs::create_dir_all(&self.dir).map_err(system("make"))?;
        if let Some(account) = &self.account {
            std::os::unix::fs::chown(&self.dir, Some(account.uid), Some(account.gid))
                .map_err(system("give away"))?;
        }
        let dir = self.dir.to_str().ok_or("the state directory's path is no UTF-8")?;
        self.step("python3", &["-m", "venv", dir], |_| {}).map_err(explain_venv)?;
        // As the account, pip may not reach the site's own directory.
        let requirements = self.dir.with_extension(REQUIREMENTS);
        std::fs::write(&requirements, &self.requirements).map_err(system("write beside"))?;
        let python = format!("{dir}/bin/python3");
        let requirements = requirements.to_string_lossy().into_owned();
        let args = [
            "-m",
            "pip",
            "install",
            "--require-hashes",
            "--only-binary=:all:",
            "--no-input",
            "--no-color",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "-r",
            &requirements,
        ];
        let mut done = 0;
        let count = |line: &str| {
            if line.starts_with("Collecting ") {
                done = (done + 1).min(self.total);
            } else if line.starts_with("Installing collected packages") {
                done = self.total;
            }
            self.tell(Seen::Running { done, total: self.total });
        };
        self.step(&python, &args, count).map_err(|error| match error {
            StepError::Start(error) => format!("cannot run {python}: {error}"),
            StepError::Ended(lines) => format!("pip failed: {lines}"),
        })?;
        let exe = self.dir.join("bin/jupyter");
        if !exe.exists() {
            return Err("the requirements bring no `jupyter`".to_owned());
        }
        let digest = Digest::of(self.requirements.as_bytes()).to_string();
        std::fs::write(self.dir.with_extension(MARKER), digest).map_err(system("finish"))?;
        Ok(exe.to_string_lossy().into_owned())
    }

    /// Runs a program to its end and hands over each line that it prints.
    fn step(
        &self,
        program: &str,
        args: &[&str],
        mut on_line: impl FnMut(&str),
    ) -> Result<(), StepError> {
        let mut command = Command::new(program);
        let pass = |name: &str| {
            name == "PATH"
                || PROXIES.contains(&name)
                || PASSED_ON.iter().any(|prefix| name.starts_with(prefix))
        };
        let env = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(pass));
        command.args(args).current_dir(&self.dir).env_clear().envs(env).env("LC_ALL", "C.UTF-8");
        match &self.account {
            Some(account) => account.apply(&mut command),
            None => {
                command.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(StepError::Start)?;
        let (tell, lines) = channel();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(read_lines(stdout, tell.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(read_lines(stderr, tell.clone()));
        }
        drop(tell);
        let last = keep_last(&lines, &mut on_line);
        let status = child.wait().map_err(StepError::Start)?;
        if status.success() { Ok(()) } else { Err(StepError::Ended(last)) }
    }
}

enum StepError {
    Start(std::io::Error),
    /// Its last lines.
    Ended(String),
}

fn explain_venv(error: StepError) -> String {
    match error {
        StepError::Start(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "there is no python3 in PATH: install Python 3.11 or later".to_owned()
        }
        StepError::Start(error) => format!("cannot run python3: {error}"),
        StepError::Ended(lines) if lines.contains("ensurepip") || lines.contains("venv") => {
            "python3 cannot make environments: on Debian and Ubuntu `apt install python3-venv`"
                .to_owned()
        }
        StepError::Ended(lines) => format!("python3 -m venv failed: {lines}"),
    }
}

fn read_lines(
    from: impl std::io::Read + Send + 'static,
    tell: Sender<String>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            if tell.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    })
}

/// Reads all lines and keeps the last that say something, for people.
fn keep_last(lines: &Receiver<String>, on_line: &mut impl FnMut(&str)) -> String {
    let mut last = VecDeque::new();
    for line in lines {
        on_line(&line);
        let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
        if !line.trim().is_empty() {
            last.push_back(line.trim().to_owned());
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        }
    }
    Vec::from(last).join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_and_their_hashes_are_not() {
        let text =
            "# a==1\nanyio==4.16.0 \\\n    --hash=sha256:00 \\\n-r other==1\nattrs==26.1.0\n";
        assert_eq!(text.lines().filter(|line| is_pin(line)).count(), 2);
    }

    #[test]
    fn a_directory_without_its_marker_or_with_another_is_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let requirements = dir.path().join("requirements.txt");
        let lab = dir.path().join("lab");
        assert!(matches!(look(&lab, &requirements), Seen::Failed { .. }));
        std::fs::write(&requirements, "a==1\n").unwrap();
        assert_eq!(look(&lab, &requirements), Seen::Not);
        std::fs::write(lab.with_extension(MARKER), Digest::of(b"a==0\n").to_string()).unwrap();
        assert_eq!(look(&lab, &requirements), Seen::Not);
        std::fs::write(lab.with_extension(MARKER), Digest::of(b"a==1\n").to_string()).unwrap();
        assert!(matches!(look(&lab, &requirements), Seen::Done { .. }));
    }

    #[test]
    fn what_fails_says_what_to_do() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(explain_venv(StepError::Start(missing)).contains("no python3"));
        let debian =
            "The virtual environment was not created successfully because ensurepip is not";
        assert!(explain_venv(StepError::Ended(debian.to_owned())).contains("python3-venv"));
        assert!(explain_venv(StepError::Ended("disk full".to_owned())).contains("disk full"));
    }
}
