//! What is found around a site's files, for [`engine_core::doctor`]: ports, clock, accounts, workbenches, the
//! product, suspended sessions.
//!
//! Reads only. Below a root everything is read from there, as of a copy of a machine: nothing of this machine
//! is then taken for the copy's, and what only a living machine has is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use engine_core::desired::{Desired, Ground, Lowered, Mode};
use engine_core::doctor::{Machine, PortSeen, Suspended};
use engine_core::ids::WorkbenchName;
use engine_core::incumbent::Questions;
use engine_core::known::Known;

use crate::incumbent;
use crate::launcher::accounts::SystemAccounts;
use crate::launcher::workbench::LocalWorkbenches;
use crate::ports::{Accounts, Workbenches};
use crate::warden::holder;

/// More ports of a gateway than this are not looked at one by one.
const PORTS: u16 = 1_000;
/// More homes than this are not looked into.
const HOMES: usize = 20_000;
/// Accounts of people have uids from here on (login.defs(5)).
const FIRST_PERSON: u32 = 1_000;
/// And below `nobody`.
const LAST_PERSON: u32 = 60_000;

/// Looks around.
pub(super) fn machine(
    root: Option<&Path>,
    lowered: &Lowered,
    ground: &Ground,
    cutover: bool,
) -> Machine {
    let now = super::super::now();
    let below = |path: &str| match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let procfs = below("/proc");
    let desired = &lowered.desired;
    let questions = crate::reconcile::questions(lowered, ground);
    let found = match &questions {
        Some(questions) => incumbent::look(&procfs, questions, root.is_none(), now),
        None => Known::Absent,
    };
    let mut machine = Machine {
        root: Known::Absent,
        clock: clock(&below("/run/systemd/timesync/synchronized"), &procfs, now),
        ports: ports(&procfs, desired, questions.as_ref()),
        users: BTreeMap::new(),
        workbenches: BTreeMap::new(),
        incumbent: found,
        suspended: if cutover { suspended(&below) } else { Known::Absent },
    };
    if root.is_none() {
        living(&mut machine, desired, now);
    }
    machine
}

/// What only a living machine has.
fn living(machine: &mut Machine, desired: &Desired, now: engine_core::ids::Moment) {
    machine.root = Known::Present(rustix::process::geteuid().is_root());
    let mut accounts = SystemAccounts::new();
    let mut workbenches = LocalWorkbenches::new(Path::new("/nonexistent"), None);
    workbenches.may_run(false);
    let mut names: BTreeSet<WorkbenchName> = WorkbenchName::new("rstudio").into_iter().collect();
    for (_, spec) in desired.sessions.known() {
        let user = &spec.launch.user;
        machine.users.insert(user.clone(), accounts.look_up(user, now));
        names.insert(spec.launch.workbench.clone());
    }
    for name in names {
        let spec = desired.workbenches.get(&name).cloned().unwrap_or_default();
        let seen = workbenches.observe(&name, &spec, now);
        machine.workbenches.insert(name, seen);
    }
}

/// Whether systemd-timesyncd says that the clock is right, or another keeper of it runs.
fn clock(said: &Path, procfs: &Path, now: engine_core::ids::Moment) -> Known<bool> {
    const KEEPERS: [&str; 3] = ["chronyd", "ntpd", "ptp4l"];
    if said.exists() {
        return Known::Present(true);
    }
    match incumbent::names(procfs) {
        Ok(names) if names.iter().any(|name| KEEPERS.contains(&name.as_str())) => {
            Known::Present(true)
        }
        Ok(_) => {
            let reason = "neither systemd-timesyncd, chronyd nor ntpd is seen; in a container the host keeps it";
            Known::Unknown { since: now, reason: reason.to_owned() }
        }
        Err(error) => Known::Unknown { since: now, reason: format!("processes: {error}") },
    }
}

fn ports(
    procfs: &Path,
    desired: &Desired,
    questions: Option<&Questions>,
) -> BTreeMap<u16, PortSeen> {
    let mut ports = BTreeMap::new();
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut add = |ip: IpAddr, port: u16, what: String| {
        let holder = match std::fs::metadata(procfs.join("net/tcp")) {
            Ok(_) => Known::Present(holder::below(procfs, ip, port)),
            Err(error) => Known::Unknown {
                since: super::super::now(),
                reason: format!("who listens cannot be seen: {error}"),
            },
        };
        ports.insert(port, PortSeen { what, holder });
    };
    match (&desired.listen, questions, desired.mode) {
        (Some(listen), ..) => add(listen.ip, listen.port, "pages".to_owned()),
        (None, Some(questions), Mode::Observe) => {
            add(any, questions.www_port, "the product's pages".to_owned());
        }
        (None, ..) => {}
    }
    for (name, gateway) in desired.gateways.known() {
        let last = gateway.last_port.min(gateway.first_port.saturating_add(PORTS));
        let all = gateway.first_port..=last;
        let held = all.filter(|port| holder::below(procfs, gateway.ip, *port).is_some());
        let held: Vec<u16> = held.collect();
        let shown = if held.is_empty() { vec![gateway.first_port] } else { held };
        for port in shown {
            let range = format!("gateway {name} {}-{}", gateway.first_port, gateway.last_port);
            add(gateway.ip, port, range);
        }
    }
    ports
}

/// Counts suspended R sessions in the homes of this machine's own accounts: each is a directory of its own
/// (rstudio/rstudio `SessionModuleContext`: `suspended-session-data` in the session's directory).
fn suspended(below: &dyn Fn(&str) -> PathBuf) -> Known<Suspended> {
    let path = below("/etc/passwd");
    let passwd = match std::fs::read_to_string(&path) {
        Ok(passwd) => passwd,
        Err(error) => {
            let reason = format!("{}: {error}", path.display());
            return Known::Unknown { since: super::super::now(), reason };
        }
    };
    let mut seen = Suspended::default();
    let homes: BTreeSet<&str> = passwd.lines().filter_map(home).collect();
    for home in homes.into_iter().take(HOMES) {
        let dir = below(home).join(".local/share/rstudio/sessions/active");
        match count_suspended(&dir) {
            Ok(0) => {}
            Ok(sessions) => {
                seen.sessions += sessions;
                seen.homes += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => seen.unreadable += 1,
        }
    }
    Known::Present(seen)
}

/// The home of a person's account, by a line of passwd(5).
fn home(line: &str) -> Option<&str> {
    let fields: Vec<&str> = line.split(':').collect();
    let uid: u32 = fields.get(2)?.parse().ok()?;
    let home = *fields.get(5)?;
    ((FIRST_PERSON..LAST_PERSON).contains(&uid) && home.starts_with('/')).then_some(home)
}

fn count_suspended(dir: &Path) -> io::Result<usize> {
    let sessions = std::fs::read_dir(dir)?.flatten();
    Ok(sessions.filter(|entry| entry.path().join("suspended-session-data").is_dir()).count())
}
