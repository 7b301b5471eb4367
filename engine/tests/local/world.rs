//! An instance of its own for one test: directories, warden, launcher, an account to run as.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::launcher::accounts::SystemAccounts;
use engine::launcher::local::LocalLauncher;
use engine::layout::Layout;
use engine::ports::{Accounts, Launcher, Secrets, Warden};
use engine::warden::{Bounds, InProcess};
use engine_core::desired::{
    BasePath, Environment, HealthSpec, Launch, LaunchSpec, OnRemoval, Program, Resources, StopSpec,
};
use engine_core::ids::{
    ClusterName, Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName,
};
use engine_core::known::Known;
use engine_core::observed::{Exit, IncarnationSeen, Phase, UserSeen};
use engine_core::plan::StartOrder;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) warden: Arc<InProcess>,
    pub(crate) launcher: LocalLauncher,
    pub(crate) user: (UserName, UserSeen),
    pub(crate) dir: tempfile::TempDir,
}

/// As root sessions run as `nobody`, else as ourselves; which of both is said, not chosen silently.
pub(crate) fn session_user() -> (UserName, UserSeen) {
    let own = nix::unistd::geteuid();
    let name = if own.is_root() {
        println!("branch: root; sessions run as nobody");
        "nobody".to_owned()
    } else {
        println!("branch: ordinary user; sessions run as uid {own}");
        nix::unistd::User::from_uid(own).unwrap().expect("the tests' uid has an account").name
    };
    let name = UserName::new(&name).unwrap();
    let seen = SystemAccounts::new().look_up(&name, Moment(0)).present().unwrap().clone();
    (name, UserSeen { home: "/".to_owned(), ..seen })
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("wh").tempdir().unwrap();
        // Sessions of another account pass through it.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let layout = Layout { state: dir.path().join("state"), runtime: dir.path().join("run") };
        Self::with(dir, layout)
    }

    /// The same instance in another process.
    pub(crate) fn at(path: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout { state: path.join("state"), runtime: path.join("run") };
        Self::with(dir, layout)
    }

    fn with(dir: tempfile::TempDir, layout: Layout) -> Self {
        let warden = InProcess::new(Bounds {
            layout,
            readable: vec![dir.path().join("etc")],
            engine_uid: nix::unistd::geteuid().as_raw(),
            engine_gid: nix::unistd::getegid().as_raw(),
            allow_root: false,
            exe: PathBuf::from(env!("CARGO_BIN_EXE_wharf")),
        });
        let warden = Arc::new(warden.unwrap());
        let layout = warden.layout().clone();
        let launcher = launcher(&warden, &layout);
        Self { layout, warden, launcher, user: session_user(), dir }
    }

    /// An engine that starts anew: nothing of what the old one remembered.
    pub(crate) fn restart_engine(&mut self) {
        self.launcher = launcher(&self.warden, &self.layout);
    }

    /// The same; what is overdue counts at once.
    pub(crate) fn restart_engine_without_patience(&mut self) {
        self.launcher = launcher(&self.warden, &self.layout).with_patience(Duration::ZERO);
    }

    pub(crate) fn order(&self, id: &str, n: u32, exe: &str, args: &[&str]) -> StartOrder {
        let (name, seen) = self.user.clone();
        let launch = Launch::new(LaunchSpec {
            workbench: WorkbenchName::new("test").unwrap(),
            user: name,
            cluster: ClusterName::new("Local").unwrap(),
            program: Program {
                exe: None,
                args: args.iter().map(|&arg| arg.to_owned()).collect(),
                env: BTreeMap::new(),
            },
            env: Environment::default(),
            working_dir: None,
            resources: Resources::default(),
            base: BasePath::Keep,
        });
        StartOrder {
            incarnation: Incarnation::new(SessionId::new(id).unwrap(), n),
            node: NodeId::new("here").unwrap(),
            digest: launch.digest(),
            launch,
            user: seen,
            exe: exe.to_owned(),
            stop: StopSpec::default(),
            on_removal: OnRemoval::default(),
            health: HealthSpec { path: "/".to_owned(), start_timeout_ms: 1000 },
            generation: engine_core::ids::Generation(1),
        }
    }

    pub(crate) fn start(&mut self, order: &StartOrder) {
        self.launcher.start(order, &Secrets::default(), Moment(1)).unwrap();
    }

    pub(crate) fn shell(&mut self, id: &str, script: &str) -> Incarnation {
        let order = self.order(id, 1, "/bin/sh", &["-c", script]);
        self.start(&order);
        order.incarnation
    }

    pub(crate) fn end(&mut self, incarnation: &Incarnation, grace_ms: u64) {
        let stop = StopSpec { signal: 15, grace_ms };
        self.launcher.end(incarnation, &stop, Moment(2)).unwrap();
    }

    pub(crate) fn observe(&mut self, incarnation: &Incarnation) -> Known<IncarnationSeen> {
        let mut all = self.launcher.observe(Moment(3)).unwrap();
        all.remove(incarnation).unwrap_or(Known::Absent)
    }

    pub(crate) fn wait_for(
        &mut self,
        incarnation: &Incarnation,
        wanted: impl Fn(&Phase) -> bool,
    ) -> IncarnationSeen {
        let mut last = None;
        wait_until(|| {
            last = Some(self.observe(incarnation));
            match &last {
                Some(Known::Present(seen)) if wanted(&seen.phase) => Some(seen.clone()),
                _ => None,
            }
        })
        .unwrap_or_else(|| {
            panic!("{incarnation} never got there: {last:?}; log: {}", self.log(incarnation))
        })
    }

    pub(crate) fn wait_for_exit(&mut self, incarnation: &Incarnation) -> Exit {
        let seen = self.wait_for(incarnation, |phase| matches!(phase, Phase::Exited(_)));
        match seen.phase {
            Phase::Exited(exit) => exit,
            phase => unreachable!("{phase:?}"),
        }
    }

    pub(crate) fn wait_until_running(&mut self, incarnation: &Incarnation) -> IncarnationSeen {
        self.wait_for(incarnation, |phase| matches!(phase, Phase::Starting | Phase::Ready))
    }

    pub(crate) fn file(&self, incarnation: &Incarnation, name: &str) -> PathBuf {
        self.layout.incarnation(incarnation).join(name)
    }

    pub(crate) fn log(&self, incarnation: &Incarnation) -> String {
        std::fs::read_to_string(self.file(incarnation, "log")).unwrap_or_default()
    }

    pub(crate) fn wait_for_log(&self, incarnation: &Incarnation, wanted: &str) -> String {
        wait_until(|| Some(self.log(incarnation)).filter(|log| log.contains(wanted)))
            .unwrap_or_else(|| panic!("no {wanted:?} in: {}", self.log(incarnation)))
    }
}

fn launcher(warden: &Arc<InProcess>, layout: &Layout) -> LocalLauncher {
    let warden: Arc<dyn Warden> = warden.clone();
    let node = NodeId::new("here").unwrap();
    LocalLauncher::new(warden, layout.clone(), node, || {}).unwrap()
}

impl Drop for World {
    /// Nothing of a test outlives it, also when it failed.
    fn drop(&mut self) {
        let Ok(all) = self.launcher.observe(Moment(9)) else { return };
        for (incarnation, known) in all {
            if known.present().is_none_or(|seen| seen.phase.is_live()) {
                let stop = StopSpec { signal: 9, grace_ms: 0 };
                let _ = self.launcher.end(&incarnation, &stop, Moment(9));
                let exit = self.file(&incarnation, "exit.json");
                wait_until(|| exit.exists().then_some(()));
            }
        }
    }
}

/// Waits for something, at most [`LIMIT`].
pub(crate) fn wait_until<T>(mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        if Instant::now() > limit {
            return None;
        }
        std::thread::yield_now();
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn is_running(pid: u32) -> bool {
    engine::keeper::process::stat(pid).unwrap().is_some_and(|stat| stat.is_running())
}
