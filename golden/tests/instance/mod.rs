//! An instance of its own for a test of real components: directories, warden, an account to run as.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::launcher::accounts::{SystemAccounts, fallback_user};
use engine::layout::Layout;
use engine::ports::{Accounts, Warden};
use engine::warden::protocol::{Answer, Call};
use engine::warden::{Bounds, InProcess};
use engine_core::desired::{
    BasePath, Environment, HealthSpec, Launch, LaunchSpec, OnRemoval, Program, Resources, StopSpec,
};
use engine_core::ids::{
    ClusterName, Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName,
};
use engine_core::observed::UserSeen;
use engine_core::plan::StartOrder;

/// How long anything may take that takes no time.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// An instance; its sessions end with it.
pub(crate) struct Instance {
    /// Everything of it is below.
    pub(crate) dir: tempfile::TempDir,
    /// Its warden.
    pub(crate) warden: Arc<InProcess>,
}

impl Instance {
    /// One with nothing in it.
    pub(crate) fn new(wharf: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("wh").tempdir().unwrap();
        // Sessions of another account pass through it.
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let own = std::fs::metadata(dir.path()).unwrap();
        let warden = InProcess::new(Bounds {
            layout: Layout { state: dir.path().join("state"), runtime: dir.path().join("run") },
            readable: Vec::new(),
            engine_uid: own.uid(),
            engine_gid: own.gid(),
            allow_root: false,
            exe: wharf.to_owned(),
        });
        Self { dir, warden: Arc::new(warden.unwrap()) }
    }

    /// The account of its sessions, with a home that is there; which one is said.
    pub(crate) fn user(&self) -> (UserName, UserSeen) {
        let name = fallback_user().unwrap().name;
        println!("sessions run as {name}, below {}", self.dir.path().display());
        let mut user = SystemAccounts::new().look_up(&name, Moment(0)).present().unwrap().clone();
        let home = self.warden.call(&Call::MakeHome { user: name.to_string() }).unwrap();
        let (Answer::Path { path }, _) = home else { panic!("{home:?}") };
        user.home = path.to_str().unwrap().to_owned();
        (name, user)
    }

    /// An order for a session.
    pub(crate) fn order(&self, id: &str, n: u32, exe: &str, program: Program) -> StartOrder {
        let (name, user) = self.user();
        let launch = Launch::new(LaunchSpec {
            workbench: WorkbenchName::new("test").unwrap(),
            user: name,
            cluster: ClusterName::new("Local").unwrap(),
            program,
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
            user,
            exe: exe.to_owned(),
            stop: StopSpec::default(),
            on_removal: OnRemoval::default(),
            health: HealthSpec { path: "/".to_owned(), start_timeout_ms: 1000 },
            generation: engine_core::ids::Generation(1),
        }
    }

    /// A file of an incarnation.
    pub(crate) fn file(&self, incarnation: &Incarnation, name: &str) -> PathBuf {
        self.warden.layout().incarnation(incarnation).join(name)
    }

    fn end_all(&self) {
        let sessions = self.warden.layout().sessions();
        for session in std::fs::read_dir(sessions).into_iter().flatten().flatten() {
            let Ok(id) = SessionId::new(&session.file_name().to_string_lossy()) else { continue };
            for start in std::fs::read_dir(session.path()).into_iter().flatten().flatten() {
                let Ok(n) = start.file_name().to_string_lossy().parse() else { continue };
                let incarnation = Incarnation::new(id.clone(), n);
                let exit = self.file(&incarnation, "exit.json");
                if self.warden.call(&Call::End { incarnation, signal: 9, grace_ms: 0 }).is_ok() {
                    wait(|| exit.exists().then_some(()));
                }
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// The binary whose keepers are asked: `WHARF_BIN`, else the one that cargo builds now.
pub(crate) fn wharf() -> PathBuf {
    if let Some(path) = std::env::var_os("WHARF_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let target = profile.parent().expect("target/PROFILE");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "engine", "--bin", "wharf", "--target-dir"]);
        build.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "wharf does not build");
    }
    profile.join("wharf")
}

/// Waits for something, at most [`LIMIT`].
pub(crate) fn wait<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < limit, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}
