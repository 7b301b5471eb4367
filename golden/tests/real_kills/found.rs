//! What is found of sessions on the machine itself: processes and directories, whatever any engine says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use golden::real::process::all_of;

/// A start of a session: its id and number.
pub(crate) type Start = (String, u32);

/// What is found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Keepers that live, by what they keep.
    pub(crate) keepers: BTreeMap<Start, Vec<u32>>,
    /// Processes that live in a session and were not started by another one in it, by the session's id.
    pub(crate) leaders: BTreeMap<String, Vec<u32>>,
    /// Directories of starts.
    pub(crate) directories: BTreeSet<Start>,
    /// What lies among them and is none.
    pub(crate) strays: BTreeSet<String>,
}

/// The directory below which each start of the engine of a site has its own.
pub(crate) fn sessions_dir(around: &Path) -> PathBuf {
    around.join("run/t/s")
}

/// Looks at the machine.
pub(crate) fn look(around: &Path) -> Found {
    let mut found = Found::default();
    directories(around, &mut found);
    let mut sessions: BTreeMap<u32, String> = BTreeMap::new();
    let dir = sessions_dir(around);
    for process in all_of(around) {
        let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", process.pid));
        let words = |name: &str| -> Vec<String> {
            let bytes = read(name).unwrap_or_default();
            String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect()
        };
        let args = words("cmdline");
        if let [_, role, kept, ..] = &args[..]
            && role.starts_with("__keep")
            && let Some(start) = Path::new(kept).strip_prefix(&dir).ok().and_then(start_of)
        {
            found.keepers.entry(start).or_default().push(process.pid);
        }
        let of = |word: &String| word.strip_prefix("WHARF_SESSION=").map(str::to_owned);
        if let Some(id) = words("environ").iter().find_map(of) {
            sessions.insert(process.pid, id);
        }
    }
    for (pid, id) in &sessions {
        let parent = parent_of(*pid).and_then(|parent| sessions.get(&parent));
        if parent != Some(id) {
            found.leaders.entry(id.clone()).or_default().push(*pid);
        }
    }
    found
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// `id/n` as a start.
fn start_of(path: &Path) -> Option<Start> {
    let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

/// Every directory of a start, and what else lies beside them.
fn directories(around: &Path, found: &mut Found) {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    for session in entries(&sessions_dir(around)) {
        let id = session.file_name().to_string_lossy().into_owned();
        let starts: Vec<_> = entries(&session.path()).collect();
        if starts.is_empty() {
            found.strays.insert(id.clone());
        }
        for start in starts {
            let name = start.file_name().to_string_lossy().into_owned();
            match name.parse() {
                Ok(n) => found.directories.insert((id.clone(), n)),
                Err(_) => found.strays.insert(format!("{id}/{name}")),
            };
        }
    }
}
