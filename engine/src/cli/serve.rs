//! `wharf serve [DIR]`: puts the engine together and runs it in the foreground.
//!
//! Wires adapters to ports and nothing else; what happens is decided elsewhere. SIGTERM and Ctrl-C stop
//! the engine and leave sessions running.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use arc_swap::ArcSwap;
use clap::Args;
use engine_core::accept::{POLL, Settle};
use engine_core::ids::{Moment, UserName};

use super::{FAILED, Global, OK, complain};
use crate::admin::server::Server;
use crate::control::requests::Services;
use crate::control::{Control, Event, Told, narrate};
use crate::identity::{Identity, Key, Person, SystemGroups};
use crate::incumbent::IncumbentWatch;
use crate::intake::{Aside, AtOnce, Intake};
use crate::launcher::accounts::{SystemAccounts, fallback_user};
use crate::launcher::local::LocalLauncher;
use crate::launcher::workbench::LocalWorkbenches;
use crate::launcher::workbench::discovery::Account;
use crate::ledger::{Ledger, Seal};
use crate::load::Reader;
use crate::node::OneNode;
use crate::ports::{Clock, Launcher, Warden};
use crate::proxy::Limits;
use crate::proxy::{Proxy, Surroundings};
use crate::reconcile::{Adapters, Reconciler};
use crate::served::Served;
use crate::status::StatusView;
use crate::store::late::LateStore;
use crate::store::snapshot::{self, Image};
use crate::store::snapshots::{Due, Snapshots};
use crate::warden::protocol::Call;
use crate::warden::{self, Bounds, InProcess};
use crate::watch::Watcher;

mod start;

use start::Start;
pub(super) use start::{dirs_on_record, find, on_record};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf serve samples/quickstart     # a self-contained directory, loopback only\n  \
    wharf serve                        # /etc/rstudio with /etc/wharf/wharf.toml, as the unit does"
)]
pub(super) struct ServeArgs {
    /// The configuration directory [default: as --config]
    dir: Option<PathBuf>,
    /// Save the inputs of each round that does something into this directory, for `replan`
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Debug builds: write each boundary that is reached into this file
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "FILE")]
    boundaries: Option<PathBuf>,
    /// Debug builds: die at the boundary with this number
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "N", requires = "boundaries")]
    die_at: Option<u64>,
}

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        super::now()
    }
}

pub(super) fn run(global: &Global, args: &ServeArgs) -> u8 {
    match serve(global, args) {
        Ok(()) => OK,
        Err(message) => {
            complain(&message);
            FAILED
        }
    }
}

fn serve(global: &Global, args: &ServeArgs) -> Result<(), String> {
    crate::logging::start(global.verbose);
    crate::panics::log();
    #[cfg(debug_assertions)]
    if let Some(log) = &args.boundaries {
        crate::boundary::tell(log, args.die_at).map_err(|error| crate::chain(&error))?;
    }
    crate::instance::raise_descriptor_limit();
    let mut start = start::prepare(global, args.dir.as_deref())?;
    let plain = |error: &dyn std::error::Error| crate::chain(error);
    let warden = warden(&start)?;
    start.layout = warden.layout().clone();
    let _lock = crate::instance::lock(&start.layout).map_err(|error| plain(&error))?;
    if let Err(error) = start::put_on_record(global, args.dir.as_deref(), &start) {
        tracing::warn!(%error, "where this instance's files are is not on record: it can only start where they answer");
    }
    let warden: Arc<dyn Warden> = Arc::new(warden);
    if let Err(error) = warden.call(&Call::FinishRemovals) {
        tracing::warn!(error = crate::chain(&error), "directories of ended sessions stay behind");
    }
    let (account, home) = make_home(&*warden, &start)?;
    let key = Key::load_or_create(&start.layout.state.join("key")).map_err(|e| plain(&e))?;
    remember_where(global, args, &start);
    start.ground.digest_key = key.bytes_for("secret digests").to_vec();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(&start, Arc::clone(&clock))?;
    let seal = Seal::new(&key.bytes_for("stored files"));
    let ledger =
        Ledger::open(Arc::clone(&store) as Arc<dyn crate::ports::Store>, seal, super::now());

    let (events, inbox) = mpsc::channel::<Event>();
    let status = Arc::new(ArcSwap::from_pointee(StatusView::default()));
    let identity = Arc::new(Identity::new(&start.instance, &key, Box::new(SystemGroups)));
    let surroundings = Surroundings {
        warden: Arc::clone(&warden),
        status: Arc::clone(&status),
        identity: Arc::clone(&identity),
        clock: Arc::clone(&clock),
    };
    let proxy = Proxy::start(surroundings, Limits::default(), None)
        .map_err(|error| format!("cannot start the proxy: {error}"))?;
    let wake = events.clone();
    let launcher = LocalLauncher::new(
        Arc::clone(&warden),
        start.layout.clone(),
        start.ground.node.clone(),
        move || {
            let _ = wake.send(Event::World("ready"));
        },
    )
    .map_err(|error| format!("cannot start the launcher: {error}"))?;
    let wake = events.clone();
    let incumbent = IncumbentWatch::start(Arc::clone(&clock), move || {
        let _ = wake.send(Event::World("incumbent"));
    })
    .map_err(|error| format!("cannot look for the product: {error}"))?;
    let workbenches = LocalWorkbenches::new(&start.layout.state, account);
    let mut accounts = SystemAccounts::new();
    if let Some(home) = home {
        accounts.set_home(start.ground.default_user.clone(), home.display().to_string());
    }
    let adapters = Adapters {
        launchers: BTreeMap::from([("local".to_owned(), Box::new(launcher) as Box<dyn Launcher>)]),
        routes: Box::new(proxy),
        nodes: Box::new(OneNode {
            node: start.ground.node.clone(),
            cores: u32::try_from(cores()).unwrap_or(1),
        }),
        accounts: Box::new(accounts),
        workbenches: Box::new(workbenches),
        incumbent: Box::new(incumbent),
    };
    let cores = u32::try_from(cores()).unwrap_or(1);
    let mut reconciler =
        Reconciler::new(adapters, ledger, start.ground.clone(), cores, super::week_minute);
    if let Some(dir) = &args.record {
        reconciler.record_into(dir.clone());
    }
    let mut intake = intake(&start, &reconciler, events.clone());
    intake.set_patience(global.patience());
    let mint_identity = Arc::clone(&identity);
    let services = Services {
        status: Arc::clone(&status),
        layout: start.layout.clone(),
        mint: Box::new(move |user, admin| mint(&mint_identity, user, admin)),
        when: super::when,
        site_dir: start.dirs.workbench_dir().to_owned(),
        began: start.named.clone().unwrap_or_default(),
        export: export(Arc::clone(&store), start.instance.clone(), key.fingerprint()),
    };
    let view = StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: start.instance.clone(),
        site: start.dirs.workbench_dir().display().to_string(),
        site_dir: std::path::absolute(start.dirs.workbench_dir())
            .map_or_else(|_| String::new(), |dir| dir.display().to_string()),
        pid: std::process::id(),
        ..StatusView::default()
    };
    let instance = start.instance.clone();
    let snapshots = Snapshots::start(Arc::clone(&store), instance, Arc::clone(&clock))
        .map_err(|error| format!("cannot start a thread for snapshots: {error}"))?;
    let mut control = Control::new(reconciler, intake, inbox, clock, services, view);
    control.tell(Box::new(crate::logging::listener()));
    if !global.quiet {
        let user = start.ground.default_user.to_string();
        let link = Arc::clone(&identity);
        control.tell(super::terminal::teller(move || mint(&link, &user, true)));
    }
    control.tell(ask_for_snapshots(snapshots.due()));
    let asked = events.clone();
    let _admin = Server::start(&start.layout.admin_socket(), move |request| {
        asked.send(Event::Asked(request)).is_ok()
    })
    .map_err(|error| format!("cannot open {}: {error}", start.layout.admin_socket().display()))?;
    crate::instance::write_pid(&start.layout).map_err(|error| error.to_string())?;
    crate::instance::on_signals(events)?;
    control.when_ready(Box::new(|| crate::instance::notify("READY=1")));
    let last = control.run();
    crate::instance::notify("STOPPING=1");
    if let Err(error) = snapshots.finish() {
        complain(&format!("the store's snapshot was not written: {}", crate::chain(&error)));
    }
    if !global.quiet {
        super::print(&format!("{}\n", narrate::farewell(&last)));
    }
    Ok(())
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn warden(start: &Start) -> Result<InProcess, String> {
    let workbench_dirs = start.dirs.workbench_dirs().map(|(dir, _)| dir.to_owned());
    let own = start.dirs.own_dir().to_owned();
    InProcess::new(Bounds {
        layout: start.layout.clone(),
        readable: workbench_dirs.chain([own]).collect(),
        engine_uid: rustix::process::geteuid().as_raw(),
        engine_gid: rustix::process::getegid().as_raw(),
        allow_root: false,
        exe: PathBuf::new(),
    })
    .map_err(|error| crate::chain(&error))
}

/// For commands while no engine runs; without it they ask for the directory.
fn remember_where(global: &Global, args: &ServeArgs, start: &Start) {
    let given = args.dir.as_ref().or(global.config.as_ref());
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let served = Served::new(given.map(absolute), absolute(&start.store()));
    if let Err(error) = served.write(&start.layout) {
        tracing::warn!(%error, "where the files and the store are is not written down");
    }
}

/// Where this account is at home although the system's entry for it names a directory that is not
/// there, as service accounts' do: `HOME`. None where the entry is right.
fn own_home(user: &str) -> Option<PathBuf> {
    let entry = nix::unistd::User::from_name(user).ok().flatten()?;
    if entry.uid.as_raw() != rustix::process::geteuid().as_raw() || entry.dir.is_dir() {
        return None;
    }
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_dir())
}

/// Makes the home of the unprivileged fallback account, where it needs one; who installs as root.
fn make_home(
    warden: &dyn Warden,
    start: &Start,
) -> Result<(Option<Account>, Option<PathBuf>), String> {
    let user = start.ground.default_user.as_str();
    let needs_home = fallback_user().is_ok_and(|fallback| fallback.needs_home);
    let home = if needs_home {
        let call = Call::MakeHome { user: user.to_owned() };
        match warden.call(&call).map_err(|error| crate::chain(&error))? {
            (warden::protocol::Answer::Path { path }, _) => Some(path),
            _ => None,
        }
    } else {
        own_home(user)
    };
    if !rustix::process::geteuid().is_root() {
        return Ok((None, home));
    }
    let found = nix::unistd::User::from_name(user).map_err(|error| error.to_string())?;
    let found = found.ok_or_else(|| format!("there is no account `{user}`"))?;
    let account = Account {
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
        home: home.clone().unwrap_or(found.dir),
    };
    Ok((Some(account), home))
}

fn open_store(start: &Start, clock: Arc<dyn Clock>) -> Result<Arc<LateStore>, String> {
    let path = start.store();
    let store = LateStore::open(&path, clock)
        .map_err(|error| format!("{}: {}", path.display(), crate::chain(&error)))?;
    if let Some(recovery) = store.recovered() {
        complain(&recovery.to_string());
        tracing::error!(%recovery, "store recovered");
    }
    if let Some(problem) = store.problem() {
        complain(&format!("the store cannot be opened yet, starts are held: {problem}"));
    }
    Ok(Arc::new(store))
}

fn intake(start: &Start, reconciler: &Reconciler, events: mpsc::Sender<Event>) -> Intake {
    let (dirs, changed) = (start.dirs.clone(), events.clone());
    let make = move || {
        let changed = changed.clone();
        let watcher = Watcher::new(move |_| {
            let _ = changed.send(Event::Files);
        });
        AtOnce::new(Box::new(watcher), Box::new(Reader::new(dirs.clone())))
    };
    let over = move || {
        let _ = events.send(Event::Looked);
    };
    let look = Box::new(Aside::new(make, over, start.dirs.clone()));
    let in_force = reconciler.in_force();
    let stored = in_force.and_then(|site| site.mark.digest.zip(Some(Arc::clone(&site.files))));
    let settle = in_force.map_or_else(Settle::default, |site| site.lowered.engine.settle);
    let poll = in_force.and_then(|site| site.lowered.engine.poll).unwrap_or(POLL);
    Intake::start(look, settle, poll, stored, super::now())
}

/// Asks for a snapshot of the store after each generation, and every five minutes in which something changed.
fn ask_for_snapshots(due: Due) -> crate::control::Listener {
    const EVERY: std::time::Duration = std::time::Duration::from_mins(5);
    let mut asked = std::time::Instant::now();
    let mut changed = false;
    Box::new(move |told| {
        let is_due = match told {
            Told::Accepted { .. } => true,
            Told::Refused { .. } => false,
            Told::Round { round, .. } => {
                changed |= round.goes_on();
                changed && asked.elapsed() >= EVERY
            }
        };
        if is_due {
            (changed, asked) = (false, std::time::Instant::now());
            due.now();
        }
    })
}

/// Gives everything in the store, with what tells the key that sealed its texts.
fn export(
    store: Arc<LateStore>,
    instance: String,
    key: String,
) -> crate::control::requests::Export {
    Arc::new(move |now| {
        let image = store.image(&instance, now).ok_or_else(|| {
            let why = store.problem().unwrap_or_default();
            format!("the store is not open: {why}")
        })?;
        let by = format!("wharf {}", env!("CARGO_PKG_VERSION"));
        let bytes = snapshot::bytes(&Image { by, key: key.clone(), ..image });
        String::from_utf8(bytes).map_err(|error| error.to_string())
    })
}

/// A one-time sign-in link's path; empty if none can be made.
fn mint(identity: &Identity, user: &str, admin: bool) -> String {
    let Ok(user) = UserName::new(user) else { return String::new() };
    let minted = identity.links.mint(&Person { user, admin }, super::now());
    minted.unwrap_or_default()
}
