//! Which process is meant: boot id, pid and start time; acted upon through a pidfd.
//!
//! A pid alone names nothing: it is given again after its process ends. Knows no session. Read next:
//! [`super::monitor`].

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// One process, for as long as the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its pid.
    pub pid: u32,
    /// When it was started: clock ticks after boot (proc_pid_stat(5), field 22).
    pub start_ticks: u64,
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// State letter; `Z` and `X` are dead.
    pub state: char,
    /// Parent.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// Session (that of setsid, not ours).
    pub session: u32,
    /// See [`ProcessId::start_ticks`].
    pub start_ticks: u64,
}

impl Stat {
    /// Whether it still runs: a zombie is over.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// The id of this boot; a process of another one is gone.
///
/// # Errors
/// `/proc` is not mounted.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Reads the text of `/proc/<pid>/stat`; the name in it may hold blanks and parentheses.
#[must_use]
pub fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        // A process of another pid namespace shows as 0 or -1; it is none of ours then.
        group: fields.get(2)?.parse().unwrap_or(0),
        session: fields.get(3)?.parse().unwrap_or(0),
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// What is known of `pid` now; none = there is no such process.
///
/// # Errors
/// `/proc` could not be read: nothing is known then.
pub fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => parse_stat(&String::from_utf8_lossy(&bytes))
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not understood"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // ESRCH: it ended between open and read.
        Err(error) if error.raw_os_error() == Some(3) => Ok(None),
        Err(error) => Err(error),
    }
}

impl ProcessId {
    /// The process that has `pid` now.
    ///
    /// # Errors
    /// There is none, or `/proc` could not be read.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = stat(pid)?.ok_or_else(|| io::Error::other(format!("no process {pid}")))?;
        Ok(Self { pid, start_ticks: stat.start_ticks })
    }

    /// This process.
    ///
    /// # Errors
    /// `/proc` could not be read.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// Whether this very process still runs.
    ///
    /// # Errors
    /// `/proc` could not be read: nobody knows.
    pub fn is_running(self) -> io::Result<bool> {
        Ok(stat(self.pid)?
            .is_some_and(|stat| stat.start_ticks == self.start_ticks && stat.is_running()))
    }

    /// A descriptor of this very process; none = it is over.
    ///
    /// # Errors
    /// The system refused a descriptor.
    pub fn open(self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = self.raw() else { return Ok(None) };
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Looked at again with the descriptor held: from here on the pid cannot become another's.
        Ok(self.is_running()?.then_some(fd))
    }

    /// Sends a signal to this very process; false = it is over.
    ///
    /// # Errors
    /// The system refused.
    pub fn signal(self, signal: Signal) -> io::Result<bool> {
        let Some(fd) = self.open()? else { return Ok(false) };
        match rustix::process::pidfd_send_signal(&fd, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn raw(self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

/// Every process of the machine that `/proc` shows.
///
/// # Errors
/// `/proc` could not be read.
pub fn all() -> io::Result<BTreeMap<u32, Stat>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid)? {
            found.insert(pid, stat);
        }
    }
    Ok(found)
}

/// All living descendants of `root`, without itself.
///
/// # Errors
/// `/proc` could not be read.
pub fn descendants(root: u32) -> io::Result<Vec<ProcessId>> {
    Ok(descendants_in(&all()?, root))
}

/// The living descendants of `root` in a picture of the machine.
#[must_use]
pub fn descendants_in(all: &BTreeMap<u32, Stat>, root: u32) -> Vec<ProcessId> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, stat) in all {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        // Taken out, so that a picture torn by reused pids cannot lead in circles.
        for pid in children.remove(&parent).unwrap_or_default() {
            open.push(pid);
            if let Some(stat) = all.get(&pid).filter(|stat| stat.is_running()) {
                found.push(ProcessId { pid, start_ticks: stat.start_ticks });
            }
        }
    }
    found
}

/// What runs of the session whose leader is or was `leader`, itself included: its descendants, and
/// who is still in the session that it made. Who has left both is not found.
#[must_use]
pub fn of_session(all: &BTreeMap<u32, Stat>, leader: ProcessId) -> Vec<ProcessId> {
    let is_leader = |pid, stat: &Stat| pid == leader.pid && stat.start_ticks == leader.start_ticks;
    let lives = all.get(&leader.pid).is_some_and(|stat| is_leader(leader.pid, stat));
    let mut found = if lives { descendants_in(all, leader.pid) } else { Vec::new() };
    found.extend(all.iter().filter_map(|(pid, stat)| {
        // As long as one process is in it, a session's number is given to no new process.
        let in_session = stat.session == leader.pid && stat.start_ticks >= leader.start_ticks;
        (in_session && stat.is_running() && (lives || *pid != leader.pid))
            .then_some(ProcessId { pid: *pid, start_ticks: stat.start_ticks })
    }));
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_no_trap() {
        let text = "812 (a) S 9 (b c) S 1 812 800 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2";
        assert_eq!(
            parse_stat(text),
            Some(Stat { state: 'S', parent: 1, group: 812, session: 800, start_ticks: 98765 })
        );
        for torn in ["", "812", "812 (x)", "812 (x) S 1 2 3", "812 (x) S a b c d"] {
            assert_eq!(parse_stat(torn), None, "{torn}");
        }
    }

    #[test]
    fn this_process_runs_and_one_with_its_pid_and_another_start_does_not() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_running().unwrap());
        assert!(own.open().unwrap().is_some());
        let other = ProcessId { start_ticks: own.start_ticks + 1, ..own };
        assert!(!other.is_running().unwrap());
        assert!(!other.signal(Signal::KILL).unwrap(), "a reused pid is never signalled");
    }

    #[test]
    fn descendants_are_found_over_generations_and_circles_end() {
        let stat = |parent, state| Stat {
            state,
            parent,
            group: 0,
            session: 0,
            start_ticks: u64::from(parent),
        };
        let all = BTreeMap::from([
            (10, stat(1, 'S')),
            (11, stat(10, 'S')),
            (12, stat(11, 'Z')),
            (13, stat(12, 'S')),
            (20, stat(21, 'S')),
            (21, stat(20, 'S')),
        ]);
        let pids = |root| descendants_in(&all, root).iter().map(|id| id.pid).collect::<Vec<_>>();
        assert_eq!(pids(10), [11, 13]);
        assert_eq!(pids(20), [21, 20]);
    }

    #[test]
    fn what_a_leader_left_is_found_by_its_session_and_a_reused_number_is_not() {
        let stat = |parent, session, start_ticks| Stat {
            state: 'S',
            parent,
            group: 0,
            session,
            start_ticks,
        };
        let leader = ProcessId { pid: 50, start_ticks: 100 };
        let mut all = BTreeMap::from([
            (50, stat(1, 50, 100)),
            (51, stat(50, 51, 101)),
            (52, stat(1, 50, 102)),
            (60, stat(1, 60, 90)),
        ]);
        let pids = |all: &BTreeMap<u32, Stat>| {
            of_session(all, leader).iter().map(|id| id.pid).collect::<Vec<_>>()
        };
        assert_eq!(pids(&all), [50, 51, 52]);
        all.remove(&50);
        assert_eq!(pids(&all), [52]);
        all.insert(50, stat(1, 50, 7));
        assert_eq!(pids(&all), [52], "an older process of the same number is another");
    }
}
