//! Where a workbench's executable is, and what it calls itself.
//!
//! A path in a file is the answer; else `PATH`, then the places in which the product's own files
//! expect things. A licensed program is never guessed at. Installs nothing.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Definition, Search};

/// How long a program may take to say its version; JupyterLab takes seconds on a loaded machine.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Where Python versions are expected (components.md).
const PYTHONS: &str = "/opt/python";
/// Where the product's server is installed.
const RSTUDIO: &str = "/usr/lib/rstudio-server/bin";

/// The account that programs of others run as when the engine is root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its uid; not 0.
    pub uid: u32,
    /// Its primary gid.
    pub gid: u32,
    /// Its home.
    pub home: PathBuf,
}

impl Account {
    /// Makes `command` run as this account, without any other group.
    pub(super) fn apply(&self, command: &mut Command) {
        // With a uid given, the standard library drops all supplementary groups when we are root.
        command.gid(self.gid).uid(self.uid).env("HOME", &self.home);
    }
}

/// Whether an executable was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Here.
    At(String),
    /// Not; `{NAME}` stands for the workbench's name.
    Not {
        /// What to do about it.
        help: String,
    },
}

/// Looks for a workbench's executable.
#[must_use]
pub fn find(definition: &Definition) -> Found {
    if let Some(exe) = &definition.exe {
        return if is_executable(Path::new(exe)) {
            Found::At(exe.clone())
        } else {
            Found::Not { help: format!("{exe} is no executable file") }
        };
    }
    match definition.search {
        // Also after an upgrade has replaced the file, and from where its user could not reach it.
        Search::Own => Found::At("/proc/self/exe".to_owned()),
        Search::Named => Found::Not { help: "set [workbenches.{NAME}] exe".to_owned() },
        Search::Programs(names) => find_program(names),
    }
}

fn find_program(names: &[&str]) -> Found {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    places.extend(pythons());
    places.push(PathBuf::from(RSTUDIO));
    let candidates = places.iter().flat_map(|place| names.iter().map(|name| place.join(name)));
    let mut licensed = None;
    for exe in candidates {
        if !is_executable(&exe) {
            continue;
        }
        if is_licensed(&exe) {
            licensed.get_or_insert(exe);
        } else if let Some(exe) = exe.to_str() {
            return Found::At(exe.to_owned());
        }
    }
    let help = match licensed {
        Some(exe) => format!(
            "found {}, which needs Workbench's licence; set [workbenches.{{NAME}}] exe",
            exe.display()
        ),
        None => format!(
            "no {} in PATH, {PYTHONS}/*/bin or {RSTUDIO}; set [workbenches.{{NAME}}] exe",
            names.join(" or ")
        ),
    };
    Found::Not { help }
}

/// The `bin` directories of installed Pythons, the newest first.
fn pythons() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(PYTHONS) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>()
    });
    found.iter().rev().map(|path| path.join("bin")).collect()
}

/// The professional server comes with its licence manager, the free one does not.
fn is_licensed(exe: &Path) -> bool {
    exe.file_name().is_some_and(|name| name == "rserver")
        && exe.canonicalize().is_ok_and(|exe| exe.with_file_name("license-manager").exists())
}

fn is_executable(path: &Path) -> bool {
    path.is_absolute()
        && path
            .metadata()
            .is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}

/// The arguments with which a workbench says its version.
#[must_use]
pub fn version_args(definition: &Definition) -> Vec<String> {
    // `jupyter --version` lists every part; the one that is meant is its first argument.
    definition.verb.into_iter().chain(["--version"]).map(str::to_owned).collect()
}

/// What a program calls itself: the first line it prints; empty where it does not say.
#[must_use]
pub fn ask_version(exe: &str, args: &[String], account: Option<&Account>) -> String {
    let mut command = Command::new(exe);
    command.args(args).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    let Ok(mut child) = command.spawn() else { return String::new() };
    let limit = Instant::now() + VERSION_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < limit => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return String::new();
            }
        }
    }
    let mut text = String::new();
    if let Some(stdout) = child.stdout {
        // What it left running may hold the pipe open: only what is there is read.
        let _ = rustix::io::ioctl_fionbio(&stdout, true);
        let mut bytes = Vec::new();
        let _ = stdout.take(4096).read_to_end(&mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(80).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::desired::WorkbenchSpec;
    use engine_core::ids::WorkbenchName;

    use crate::launcher::workbench::definition;

    #[test]
    fn a_program_says_its_version_and_one_that_does_not_is_asked_in_vain() {
        let ask =
            |script: &str| ask_version("/bin/sh", &["-c".to_owned(), script.to_owned()], None);
        assert_eq!(ask("echo 4.6.6; echo more"), "4.6.6");
        assert_eq!(ask("printf '4\\0337.6'"), "47.6");
        assert_eq!(ask("exit 3"), "");
        assert_eq!(ask_version("/no/such/program", &[], None), "");
        let args = |name: &str| {
            let name = WorkbenchName::new(name).unwrap();
            version_args(&definition(&name, &WorkbenchSpec::default()))
        };
        assert_eq!(args("jupyterlab"), ["lab", "--version"]);
        assert_eq!(args("vs-code"), ["--version"]);
    }

    #[test]
    fn a_licensed_server_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("rserver");
        std::fs::write(&exe, "").unwrap();
        assert!(!is_licensed(&exe));
        std::fs::write(dir.path().join("license-manager"), "").unwrap();
        assert!(is_licensed(&exe));
    }
}
