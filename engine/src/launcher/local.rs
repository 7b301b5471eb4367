//! Sessions on this machine: each held by a keeper, seen through its directory.
//!
//! Nothing is remembered that the directories do not say, but for caches; so an engine that starts
//! anew finds every session as it is. Acts only through the warden. Decides nothing. Read next:
//! [`phase`] (what a directory means), [`environment`] (what a session finds), [`prober`].

mod directory;
pub mod environment;
pub mod phase;
pub mod prober;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_core::desired::{BasePath, Launch, LaunchSpec, Program, Resources, StopSpec};
use engine_core::ids::{
    ClusterName, Incarnation, Moment, NodeId, SessionId, UserName, WorkbenchName,
};
use engine_core::known::Known;
use engine_core::observed::{IncarnationSeen, Phase, Terms};
use engine_core::plan::StartOrder;

use crate::keeper::child::Environment;
use crate::keeper::process;
use crate::layout::{Layout, SOCKET_NAME};
use crate::ports::{LaunchError, Launcher, Secrets, Warden, WardenError};
use crate::warden::protocol::Call;
use directory::Directory;
use environment::Tokens;
use phase::Records;
use prober::{Prober, Target};

/// How long a start may take to leave its next trace before it counts as abandoned.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts and ends sessions of this machine.
pub struct LocalLauncher {
    warden: Arc<dyn Warden>,
    layout: Layout,
    node: NodeId,
    patience: Duration,
    boot_id: String,
    entries: BTreeMap<Incarnation, Entry>,
    prober: Prober,
}

/// What is remembered of one incarnation.
struct Entry {
    directory: Directory,
    unknown_since: Option<Moment>,
    /// When an end that nobody recorded was noticed.
    noticed_at: Option<Moment>,
    has_answered: bool,
    is_asked: bool,
}

impl LocalLauncher {
    /// A launcher for the sessions below `layout`, acting through `warden`. `wake` is called from
    /// another thread when a session has become ready.
    ///
    /// # Errors
    /// `/proc` is not there, or no thread could be started.
    pub fn new(
        warden: Arc<dyn Warden>,
        layout: Layout,
        node: NodeId,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        Ok(Self {
            warden,
            layout,
            node,
            patience: PATIENCE,
            boot_id: process::boot_id()?,
            entries: BTreeMap::new(),
            prober: Prober::start(Box::new(wake))?,
        })
    }

    /// With another patience than ten seconds.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn observe_one(&mut self, incarnation: &Incarnation, now: Moment) -> Known<IncarnationSeen> {
        let path = self.layout.incarnation(incarnation);
        let entry = self.entries.entry(incarnation.clone()).or_insert_with(Entry::new);
        match entry.directory.look(&path, &self.boot_id, self.patience) {
            Ok((records, mut found)) => {
                entry.unknown_since = None;
                found.ready |= entry.has_answered;
                let (phase, kept) = phase::judge(&records, found, entry.noticed_at.unwrap_or(now));
                if matches!(phase, Phase::Exited(_) | Phase::Ending { .. }) {
                    entry.noticed_at.get_or_insert(now);
                }
                let seen = self.describe(incarnation, &records, phase, kept);
                self.keep_asking(incarnation, &path, &seen, &records);
                Known::Present(seen)
            }
            Err(reason) => {
                let since = *entry.unknown_since.get_or_insert(now);
                Known::Unknown { since, reason }
            }
        }
    }

    fn describe(
        &self,
        incarnation: &Incarnation,
        records: &Records,
        phase: Phase,
        kept: bool,
    ) -> IncarnationSeen {
        let order = records.spec.as_ref().map(|spec| &spec.order);
        let launch = order.map_or_else(nothing_known, |order| order.launch.clone());
        let identity = records.identity.as_ref();
        IncarnationSeen {
            node: order.map_or_else(|| self.node.clone(), |order| order.node.clone()),
            uid: order.map_or(u32::MAX, |order| order.user.uid),
            pid: identity.filter(|_| phase.is_live()).map(|identity| identity.child.pid),
            started_at: identity.map_or(records.changed_at, |identity| identity.started_at),
            socket_dir: self.layout.user_dir(incarnation).to_string_lossy().into_owned(),
            socket: SOCKET_NAME.to_owned(),
            ours: true,
            last_used: None,
            terms: order.map_or_else(Terms::default, |order| Terms {
                on_removal: order.on_removal,
                stop: order.stop.clone(),
            }),
            generation: order.map(|order| order.generation),
            phase,
            launch,
            kept,
        }
    }

    /// Has a session asked as long as it starts.
    fn keep_asking(
        &mut self,
        incarnation: &Incarnation,
        path: &Path,
        seen: &IncarnationSeen,
        records: &Records,
    ) {
        let Some(entry) = self.entries.get_mut(incarnation) else { return };
        // From the beginning: who waits to ask until the process is seen to run asks a look later.
        let starts = matches!(seen.phase, Phase::Preparing | Phase::Starting);
        if let Some(spec) = records.spec.as_ref().filter(|_| starts && !entry.is_asked) {
            let health = &spec.order.health.path;
            let prefix = match seen.launch.base {
                BasePath::Keep => environment::base(&incarnation.session),
                BasePath::Strip => String::new(),
            };
            self.prober.watch(Target {
                incarnation: incarnation.clone(),
                socket_dir: PathBuf::from(&seen.socket_dir),
                socket: seen.socket.clone(),
                uid: seen.uid,
                path: format!("{prefix}{health}"),
                keeper_dir: path.to_owned(),
            });
        } else if !starts && entry.is_asked {
            self.prober.forget(incarnation);
        }
        entry.is_asked = starts;
    }

    fn list(&self) -> io::Result<Vec<Incarnation>> {
        let mut found = Vec::new();
        for session in names(&self.layout.sessions())? {
            let Ok(id) = SessionId::new(&session) else { continue };
            for n in names(&self.layout.sessions().join(&session))? {
                // `007` is no directory of ours; neither is one that is being removed.
                let number = n.parse::<u32>().ok().filter(|number| number.to_string() == n);
                found.extend(number.map(|number| Incarnation::new(id.clone(), number)));
            }
        }
        Ok(found)
    }

    fn call(&self, what: &'static str, of: &Incarnation, call: &Call) -> Result<(), LaunchError> {
        let failed = format!("{what} {of}");
        self.warden.call(call).map(|_| ()).map_err(|error| match error {
            WardenError::Exists { .. } => LaunchError::Exists { incarnation: of.clone() },
            WardenError::Refused { reason, .. } => {
                LaunchError::Refused { what, incarnation: of.clone(), reason }
            }
            // It may have done it before it went.
            WardenError::Gone { source } => {
                LaunchError::Unknown { what: failed, reason: source.to_string() }
            }
            error @ WardenError::System { .. } => {
                LaunchError::Failed { what: failed, source: Box::new(error) }
            }
        })
    }
}

impl Launcher for LocalLauncher {
    fn observe(
        &mut self,
        now: Moment,
    ) -> Result<BTreeMap<Incarnation, Known<IncarnationSeen>>, LaunchError> {
        let found = self.list().map_err(|source| LaunchError::Failed {
            what: format!("read {}", self.layout.sessions().display()),
            source: Box::new(source),
        })?;
        for incarnation in self.prober.take_ready() {
            if let Some(entry) = self.entries.get_mut(&incarnation) {
                entry.has_answered = true;
            }
        }
        let mut seen = BTreeMap::new();
        for incarnation in found {
            let known = self.observe_one(&incarnation, now);
            seen.insert(incarnation, known);
        }
        let prober = &self.prober;
        self.entries.retain(|incarnation, entry| {
            let stays = seen.contains_key(incarnation);
            if !stays && entry.is_asked {
                prober.forget(incarnation);
            }
            stays
        });
        Ok(seen)
    }

    fn start(
        &mut self,
        order: &StartOrder,
        secrets: &Secrets,
        _now: Moment,
    ) -> Result<(), LaunchError> {
        let incarnation = &order.incarnation;
        let refuse = |reason| {
            let incarnation = incarnation.clone();
            LaunchError::Refused { what: "start", incarnation, reason }
        };
        if !prober::is_path(&order.health.path) {
            return Err(refuse(format!("`{}` is no path", order.health.path.escape_debug())));
        }
        let runtime = self.layout.user_dir(incarnation);
        let runtime = runtime.to_str().ok_or_else(|| refuse("its path is no UTF-8".to_owned()))?;
        let tokens = Tokens {
            socket: &format!("{runtime}/{SOCKET_NAME}"),
            runtime,
            base: &environment::base(&incarnation.session),
            user: order.launch.user.as_str(),
            home: &order.user.home,
            id: incarnation.session.as_str(),
        };
        let lang = std::env::var("LANG").ok();
        let env = environment::environment(order, &tokens, secrets, lang.as_deref());
        let call = Call::Start {
            order: Box::new(order.clone()),
            env: Environment(env.map_err(refuse)?),
            args: order.launch.program.args.iter().map(|arg| tokens.fill(arg)).collect(),
            working_dir: environment::working_dir(&order.launch, &tokens),
        };
        self.call("start", incarnation, &call)
    }

    fn end(
        &mut self,
        incarnation: &Incarnation,
        stop: &StopSpec,
        _now: Moment,
    ) -> Result<(), LaunchError> {
        let StopSpec { signal, grace_ms } = *stop;
        let call = Call::End { incarnation: incarnation.clone(), signal, grace_ms };
        self.call("end", incarnation, &call)
    }

    fn forget(&mut self, incarnation: &Incarnation) -> Result<(), LaunchError> {
        self.call("remove", incarnation, &Call::Remove { incarnation: incarnation.clone() })
    }
}

impl Entry {
    fn new() -> Self {
        Self {
            directory: Directory::new(),
            unknown_since: None,
            noticed_at: None,
            has_answered: false,
            is_asked: false,
        }
    }
}

/// The names in a directory; one that is not there has none.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// What stands for the launch of an incarnation whose spec was never written: it started nothing.
fn nothing_known() -> Launch {
    const VALID: &str = "a constant that keeps to the rule of its kind";
    Launch::new(LaunchSpec {
        workbench: WorkbenchName::new("unknown").expect(VALID),
        user: UserName::new("unknown").expect(VALID),
        cluster: ClusterName::new("Local").expect(VALID),
        program: Program { exe: None, args: Vec::new(), env: BTreeMap::new() },
        env: engine_core::desired::Environment::default(),
        working_dir: None,
        resources: Resources::default(),
        base: BasePath::Keep,
    })
}
