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

use engine_core::desired::WorkbenchSpec;
use engine_core::ids::{Moment, WorkbenchName};
use engine_core::known::Known;
use engine_core::observed::{InstallationSeen, ProgramSeen, WorkbenchSeen};

use crate::ports::Workbenches;
use discovery::{Account, Found};
use install::Installation;

/// How long a look at the file system is trusted.
const KEPT: Duration = Duration::from_secs(10);

/// How a workbench's executable is found. What is run with it is in `engine_core::desired`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its path, where a file names it.
    pub exe: Option<String>,
    /// The word that it is asked for its version with, before `--version`.
    pub verb: Option<&'static str>,
    /// How it is found where no file names it.
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

/// How a workbench is found, as the files have it.
#[must_use]
pub fn definition(name: &WorkbenchName, spec: &WorkbenchSpec) -> Definition {
    let (search, verb) = match name.as_str() {
        "demo" => (Search::Own, None),
        "vs-code" => (Search::Programs(&["code-server"]), None),
        "rstudio" => (Search::Programs(&["rserver"]), None),
        "jupyterlab" => (Search::Programs(&["jupyter"]), Some("lab")),
        "jupyter-notebook" => (Search::Programs(&["jupyter"]), Some("notebook")),
        _ => (Search::Named, None),
    };
    let install = spec.install_from.as_ref().map(PathBuf::from);
    Definition { exe: spec.exe.clone(), verb, search, install }
}

/// Whether workbenches can be started here, and installing those that a file asks for.
pub struct LocalWorkbenches {
    state: PathBuf,
    account: Option<Account>,
    found: BTreeMap<WorkbenchName, (Instant, Definition, Found)>,
    versions: BTreeMap<String, Version>,
    installations: BTreeMap<WorkbenchName, Installation>,
    /// Whether a program may be run to ask for its version.
    may_run: bool,
}

enum Version {
    Asked(Receiver<String>),
    Known(String),
}

impl LocalWorkbenches {
    /// What is installed lies below `state`. As root, `account` is who installs and who is asked for
    /// versions: neither runs a program of somebody else as root.
    #[must_use]
    pub fn new(state: &Path, account: Option<Account>) -> Self {
        Self {
            state: state.join("workbenches"),
            account,
            found: BTreeMap::new(),
            versions: BTreeMap::new(),
            installations: BTreeMap::new(),
            may_run: true,
        }
    }

    fn find(&mut self, name: &WorkbenchName, definition: &Definition) -> Found {
        if let Some((at, of, found)) = self.found.get(name)
            && at.elapsed() < KEPT
            && of == definition
        {
            return found.clone();
        }
        let found = discovery::find(definition);
        self.found.insert(name.clone(), (Instant::now(), definition.clone(), found.clone()));
        found
    }

    /// What an executable calls itself: asked once, by a thread, so that no round waits for it. None
    /// while it has not answered; empty where it does not answer as it should.
    fn version(&mut self, definition: &Definition, exe: &str) -> Option<String> {
        if definition.search == Search::Own {
            return Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        if !self.may_run && !self.versions.contains_key(exe) {
            return None;
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
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => *version = Version::Known(String::new()),
            }
        }
        match version {
            Version::Known(text) => Some(text.clone()),
            Version::Asked(_) => None,
        }
    }

    /// What is installed below the state directory, or would be.
    fn installed(
        &mut self,
        workbench: &WorkbenchName,
        definition: &Definition,
        requirements: &Path,
    ) -> InstallationSeen {
        let dir = self.state.join(workbench.as_str());
        let running = self.installations.get(workbench).map(Installation::seen);
        match running.unwrap_or_else(|| install::look(&dir, requirements)) {
            install::Seen::Done { exe } => {
                let version = self.version(definition, &exe).unwrap_or_default();
                InstallationSeen::Installed { exe, version }
            }
            install::Seen::Not => InstallationSeen::NotInstalled,
            install::Seen::Running { done, total } => InstallationSeen::Installing { done, total },
            install::Seen::Failed { reason } => InstallationSeen::Failed { reason },
        }
    }
}

impl Workbenches for LocalWorkbenches {
    fn observe(
        &mut self,
        workbench: &WorkbenchName,
        spec: &WorkbenchSpec,
        _now: Moment,
    ) -> Known<WorkbenchSeen> {
        let definition = definition(workbench, spec);
        let found = match self.find(workbench, &definition) {
            Found::Not { help } => {
                ProgramSeen::Missing { help: help.replace("{NAME}", workbench.as_str()) }
            }
            Found::At(exe) => match self.version(&definition, &exe) {
                None => ProgramSeen::Asked { exe },
                Some(version) if version.is_empty() => ProgramSeen::Silent { exe },
                Some(version) => ProgramSeen::Works { exe, version },
            },
        };
        let ours = definition
            .install
            .as_deref()
            .map(|requirements| self.installed(workbench, &definition, requirements));
        Known::Present(WorkbenchSeen { found, ours })
    }

    fn may_run(&mut self, may: bool) {
        self.may_run = may;
    }

    fn provide(&mut self, workbench: &WorkbenchName, spec: &WorkbenchSpec) -> Result<(), String> {
        let definition = definition(workbench, spec);
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
    fn what_is_not_there_says_what_to_do_and_is_not_installed_unasked() {
        let lab: WorkbenchName = "jupyterlab".parse().unwrap();
        let spec =
            WorkbenchSpec { exe: Some("/no/such/jupyter".to_owned()), ..WorkbenchSpec::default() };
        let state = tempfile::tempdir().unwrap();
        let mut workbenches = LocalWorkbenches::new(state.path(), None);
        let seen = workbenches.observe(&lab, &spec, Moment(1));
        assert!(
            matches!(
                &seen,
                Known::Present(WorkbenchSeen { found: ProgramSeen::Missing { help }, ours: None })
                    if help.contains("/no/such/jupyter")
            ),
            "{seen:?}"
        );
        assert!(workbenches.provide(&lab, &spec).unwrap_err().contains("no file asks"));
    }

    #[test]
    fn the_demo_is_this_program() {
        let demo: WorkbenchName = "demo".parse().unwrap();
        let state = tempfile::tempdir().unwrap();
        let mut workbenches = LocalWorkbenches::new(state.path(), None);
        let seen = workbenches.observe(&demo, &WorkbenchSpec::default(), Moment(1));
        let Known::Present(seen) = seen else { panic!("{seen:?}") };
        assert!(matches!(seen.found, ProgramSeen::Works { .. }), "{seen:?}");
    }
}
