//! Processes as `/proc` shows them. A pid alone is nobody: with its start time it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// One process, for good: another one with the same pid is not equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// When it began, in clock ticks since boot.
    pub began: u64,
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: u32,
    zombie: bool,
    began: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also blanks and parentheses: the fields begin after the last one.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        began: fields.get(19)?.parse().ok()?,
    })
}

impl Process {
    /// The one that has this pid now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = stat(pid)?;
        (!stat.zombie).then_some(Self { pid, began: stat.began })
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends it a signal if it is still there.
    pub fn signal(self, signal: Signal) {
        if let (true, Some(pid)) =
            (self.is_alive(), i32::try_from(self.pid).ok().and_then(Pid::from_raw))
        {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The processes whose arguments name something below `dir`, with all that they have started.
///
/// `dir` is a temporary directory with a random name, so these are nobody else's.
#[must_use]
pub fn all_of(dir: &Path) -> BTreeSet<Process> {
    let needle = dir.as_os_str().as_encoded_bytes();
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut found: Vec<u32> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Some(stat) = stat(pid) else { continue };
        children.entry(stat.parent).or_default().push(pid);
        let args = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if pid != std::process::id() && args.windows(needle.len()).any(|part| part == needle) {
            found.push(pid);
        }
    }
    let mut all = BTreeSet::new();
    while let Some(pid) = found.pop() {
        if let Some(process) = Process::of(pid)
            && all.insert(process)
        {
            found.extend(children.get(&pid).into_iter().flatten());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_pid_and_start() {
        let own = Process::of(std::process::id()).expect("we run");
        assert!(own.is_alive());
        assert!(!Process { began: own.began + 1, ..own }.is_alive());
    }
}
