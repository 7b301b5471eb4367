//! Kinds of sessions, as data: what is run, where it is found, how it is known to be ready.
//!
//! Everything listens on a Unix socket in its session's own directory, which only its owner and the
//! engine reach; TCP on the loopback would be open to every account of the machine. Knows no session.
//! Read next: [`discovery`] (which executable), [`install`] (making one), [`LocalWorkbenches`].

pub mod discovery;
pub mod install;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use engine_core::desired::{BasePath, HealthSpec, Program, StopSpec};
use engine_core::ids::{Moment, WorkbenchName};
use engine_core::known::Known;
use engine_core::observed::WorkbenchSeen;

use crate::ports::Workbenches;
use discovery::{Account, Found};
use install::Installation;

/// How long a look at the file system is trusted.
const KEPT: Duration = Duration::from_secs(10);

/// A kind of session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What is run; its `exe` is none where it is looked for.
    pub program: Program,
    /// Whether its server sees the prefix.
    pub base: BasePath,
    /// How it is known to be ready.
    pub health: HealthSpec,
    /// How it is told to end.
    pub stop: StopSpec,
    /// How its executable is found.
    pub search: Search,
    /// Requirements that a file asks to be installed from (`install = "pinned"`); none = it does not ask.
    pub install: Option<PathBuf>,
}

/// How an executable is found where no file names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// It is this very program.
    Own,
    /// A program of one of these names: `PATH`, then the places where the product's files expect it.
    Programs(&'static [&'static str]),
    /// Only where the files name it.
    Named,
}

/// The definition of a built-in workbench.
#[must_use]
pub fn built_in(name: &str) -> Option<Definition> {
    let args: &[&[&str]] = match name {
        "demo" => &[&["__demo", "--socket", "{SOCKET}"]],
        // The token is empty on purpose: the socket is reached by its owner and the engine only, and
        // who comes through the engine has signed in there; a token would be a second sign-in, and in
        // the arguments it would be no secret. Kernels talk over files, since their TCP ports would be
        // open to every account of the machine (design.md §15).
        "jupyterlab" => &[&["lab"], &JUPYTER],
        "jupyter-notebook" => &[&["notebook"], &JUPYTER],
        // `none` for the same reason as the empty token. It knows no prefix: it takes addresses as
        // they come, so the prefix is taken off for it.
        "vs-code" => &[&[
            "--socket={SOCKET}",
            "--socket-mode=660",
            "--auth=none",
            "--disable-telemetry",
            "--disable-update-check",
            "--abs-proxy-base-path={BASE}",
            "{HOME}",
        ]],
        "rstudio" => &[&[
            "--server-daemonize=0",
            "--www-socket={SOCKET}",
            "--www-root-path={BASE}",
            "--auth-none=1",
            "--server-user={USER}",
            "--server-data-dir={HOME}/.local/share/wharf/rstudio-{ID}",
        ]],
        _ => return None,
    };
    let (path, start_timeout_ms) = match name {
        "demo" => ("/status", 10_000),
        "jupyterlab" | "jupyter-notebook" => ("/api", 90_000),
        "vs-code" => ("/healthz", 60_000),
        _ => ("/", 60_000),
    };
    Some(Definition {
        program: Program {
            exe: None,
            args: args.concat().into_iter().map(str::to_owned).collect(),
            env: environment_of(name),
        },
        base: if name == "vs-code" { BasePath::Strip } else { BasePath::Keep },
        health: HealthSpec { path: path.to_owned(), start_timeout_ms },
        stop: StopSpec::default(),
        search: match name {
            "demo" => Search::Own,
            "vs-code" => Search::Programs(&["code-server"]),
            "rstudio" => Search::Programs(&["rserver"]),
            _ => Search::Programs(&["jupyter"]),
        },
        install: None,
    })
}

/// The names of all of them.
pub const BUILT_IN: [&str; 5] = ["demo", "jupyterlab", "jupyter-notebook", "vs-code", "rstudio"];

/// What every Jupyter server is told.
const JUPYTER: [&str; 8] = [
    "--no-browser",
    "--ServerApp.sock={SOCKET}",
    "--ServerApp.sock_mode=0660",
    "--ServerApp.base_url={BASE}/",
    "--ServerApp.allow_remote_access=True",
    "--KernelManager.transport=ipc",
    "--IdentityProvider.token=",
    "--ServerApp.root_dir={HOME}",
];

fn environment_of(name: &str) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match name {
        // Kernels' sockets and the files with their keys lie beside the session's socket: below a home
        // their paths can be longer than the 107 bytes that a socket's may have (every kernel then
        // fails to start), and homes are on network file systems without sockets.
        "jupyterlab" | "jupyter-notebook" => &[("JUPYTER_RUNTIME_DIR", "{RUNTIME}")],
        _ => &[],
    };
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether workbenches can be started here, and installing those that a file asks for.
pub struct LocalWorkbenches {
    definitions: BTreeMap<WorkbenchName, Definition>,
    state: PathBuf,
    account: Option<Account>,
    found: BTreeMap<WorkbenchName, (Instant, Found)>,
    versions: BTreeMap<String, Version>,
    installations: BTreeMap<WorkbenchName, Installation>,
}

enum Version {
    Asked(Receiver<String>),
    Known(String),
}

impl LocalWorkbenches {
    /// Those of `definitions`; what is installed lies below `state`. As root, `account` is who
    /// installs and who is asked for versions: neither runs a program of somebody else as root.
    #[must_use]
    pub fn new(
        definitions: BTreeMap<WorkbenchName, Definition>,
        state: &Path,
        account: Option<Account>,
    ) -> Self {
        Self {
            definitions,
            state: state.join("workbenches"),
            account,
            found: BTreeMap::new(),
            versions: BTreeMap::new(),
            installations: BTreeMap::new(),
        }
    }

    /// Takes other definitions up, as the files have them now.
    pub fn define(&mut self, definitions: BTreeMap<WorkbenchName, Definition>) {
        if definitions != self.definitions {
            self.definitions = definitions;
            self.found.clear();
        }
    }

    fn find(&mut self, name: &WorkbenchName, definition: &Definition) -> Found {
        if let Some((at, found)) = self.found.get(name)
            && at.elapsed() < KEPT
        {
            return found.clone();
        }
        let found = discovery::find(definition);
        self.found.insert(name.clone(), (Instant::now(), found.clone()));
        found
    }

    /// What an executable calls itself: asked once, by a thread, so that no round waits for it.
    fn version(&mut self, definition: &Definition, exe: &str) -> String {
        if definition.search == Search::Own {
            return env!("CARGO_PKG_VERSION").to_owned();
        }
        let version = self.versions.entry(exe.to_owned()).or_insert_with(|| {
            let (tell, answer) = channel();
            let (exe, account) = (exe.to_owned(), self.account.clone());
            let args = discovery::version_args(definition);
            let asks = move || {
                let _ = tell.send(discovery::ask_version(&exe, &args, account.as_ref()));
            };
            // Without a thread the version stays empty, which is what it is for.
            let _ = std::thread::Builder::new().name("wharf-version".to_owned()).spawn(asks);
            Version::Asked(answer)
        });
        if let Version::Asked(answer) = version {
            match answer.try_recv() {
                Ok(text) => *version = Version::Known(text),
                Err(TryRecvError::Empty) => return String::new(),
                Err(TryRecvError::Disconnected) => *version = Version::Known(String::new()),
            }
        }
        match version {
            Version::Known(text) => text.clone(),
            Version::Asked(_) => String::new(),
        }
    }
}

impl Workbenches for LocalWorkbenches {
    fn observe(&mut self, workbench: &WorkbenchName, _now: Moment) -> Known<WorkbenchSeen> {
        let Some(definition) = self.definitions.get(workbench).cloned() else {
            return Known::Absent;
        };
        // What a file asks to be installed is what runs, whatever else is found.
        if definition.program.exe.is_none()
            && let Some(requirements) = &definition.install
        {
            let dir = self.state.join(workbench.as_str());
            let running = self.installations.get(workbench).map(Installation::seen);
            match running.unwrap_or_else(|| install::look(&dir, requirements)) {
                install::Seen::Done { exe } => {
                    let version = self.version(&definition, &exe);
                    return Known::Present(WorkbenchSeen::Available { exe, version });
                }
                install::Seen::Not => return Known::Present(WorkbenchSeen::NotInstalled),
                install::Seen::Running { done, total } => {
                    return Known::Present(WorkbenchSeen::Installing { done, total });
                }
                install::Seen::Failed { reason } => {
                    return Known::Present(WorkbenchSeen::Failed { reason });
                }
            }
        }
        Known::Present(match self.find(workbench, &definition) {
            Found::At(exe) => {
                let version = self.version(&definition, &exe);
                WorkbenchSeen::Available { exe, version }
            }
            Found::Not { help } => {
                WorkbenchSeen::Missing { help: help.replace("{NAME}", workbench.as_str()) }
            }
        })
    }

    fn provide(&mut self, workbench: &WorkbenchName) -> Result<(), String> {
        let definition = self.definitions.get(workbench).ok_or("no file defines it")?;
        let requirements =
            definition.install.as_ref().ok_or("no file asks for its installation")?;
        let running = self.installations.get(workbench).map(Installation::seen);
        if let Some(install::Seen::Running { .. } | install::Seen::Done { .. }) = running {
            return Ok(());
        }
        let dir = self.state.join(workbench.as_str());
        let installation = Installation::begin(&dir, requirements, self.account.clone())?;
        self.installations.insert(workbench.clone(), installation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_listens_on_its_socket_only() {
        for name in BUILT_IN {
            let definition = built_in(name).unwrap();
            let args = definition.program.args.join(" ");
            assert!(args.contains("{SOCKET}"), "{name}: {args}");
            assert!(!args.contains("-port") && !args.contains("127.0.0.1"), "{name}: {args}");
            assert!(definition.health.path.starts_with('/'));
        }
        assert_eq!(built_in("no-such"), None);
    }

    #[test]
    fn what_no_file_defines_is_absent_and_what_is_not_there_says_what_to_do() {
        let lab: WorkbenchName = "jupyterlab".parse().unwrap();
        let other: WorkbenchName = "other".parse().unwrap();
        let mut definition = built_in("jupyterlab").unwrap();
        definition.program.exe = Some("/no/such/jupyter".to_owned());
        let state = tempfile::tempdir().unwrap();
        let definitions = BTreeMap::from([(lab.clone(), definition)]);
        let mut workbenches = LocalWorkbenches::new(definitions, state.path(), None);
        assert_eq!(workbenches.observe(&other, Moment(1)), Known::Absent);
        let seen = workbenches.observe(&lab, Moment(1));
        assert!(
            matches!(&seen, Known::Present(WorkbenchSeen::Missing { help }) if help.contains("/no/such/jupyter")),
            "{seen:?}"
        );
        assert!(workbenches.provide(&lab).unwrap_err().contains("no file asks"));
    }
}
