//! Processes and listening sockets, from a tree that looks like `/proc` (proc(5)).
//!
//! The tree's root is given, so that a recorded one can be read, too. Everything is bounded; a process
//! that ends in between is none. What the texts mean is [`engine_core::incumbent::process`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use engine_core::incumbent::process::{Detail, Stat, parse_stat};
use engine_core::sockets::parse_line;

/// So much of a command line is read.
const ARGS_BYTES: u64 = 4 << 10;
/// So much of any other file of a process is read.
const FILE_BYTES: u64 = 64 << 10;
/// So much of a table of sockets is read.
const TABLE_BYTES: u64 = 16 << 20;
/// More processes than this are not looked at one by one.
const MOST: usize = 200_000;
/// More candidates than this have no details read.
const MOST_DETAILS: usize = 20_000;

/// A tree like `/proc`.
#[derive(Clone, Debug)]
pub(super) struct Procfs {
    root: PathBuf,
}

impl Procfs {
    /// The tree at `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Every process that the tree shows.
    ///
    /// # Errors
    /// The tree cannot be read at all, or has too many processes.
    pub(super) fn processes(&self) -> io::Result<BTreeMap<u32, Stat>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.root)? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if found.len() >= MOST {
                return Err(io::Error::other(format!("more than {MOST} processes")));
            }
            if let Some(stat) = self.text(pid, "stat", FILE_BYTES).and_then(|t| parse_stat(&t)) {
                found.insert(pid, stat);
            }
        }
        Ok(found)
    }

    /// What else is known of some of them; one that has ended, or may not be looked at, is left out.
    pub(super) fn details(&self, pids: &BTreeSet<u32>) -> BTreeMap<u32, Detail> {
        let detail = |pid: u32| {
            let status = self.text(pid, "status", FILE_BYTES)?;
            let args = self.text(pid, "cmdline", ARGS_BYTES).unwrap_or_default();
            Some(Detail {
                uid: uid(&status)?,
                args: args.split('\0').filter(|arg| !arg.is_empty()).map(str::to_owned).collect(),
                cgroup: self.text(pid, "cgroup", FILE_BYTES).unwrap_or_default(),
            })
        };
        let pids = pids.iter().take(MOST_DETAILS);
        pids.filter_map(|pid| Some((*pid, detail(*pid)?))).collect()
    }

    /// When the machine was booted, in milliseconds since 1970.
    pub(super) fn booted_ms(&self) -> Option<i64> {
        let text = read(&self.root.join("stat"), FILE_BYTES).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        line.trim().parse::<i64>().ok()?.checked_mul(1000)
    }

    /// The program of a process.
    ///
    /// # Errors
    /// It may not be looked at, or is over.
    pub(super) fn exe(&self, pid: u32) -> io::Result<PathBuf> {
        std::fs::read_link(self.root.join(pid.to_string()).join("exe"))
    }

    /// A path of the machine whose tree this is: beside `/proc` itself, or below the root of a copy.
    pub(super) fn below_root(&self, path: &Path) -> PathBuf {
        let root = self.root.parent().unwrap_or(Path::new("/"));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The sockets that listen: their numbers, with their ports.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub(super) fn listening(&self) -> io::Result<BTreeMap<u64, u16>> {
        let mut found = BTreeMap::new();
        for table in ["net/tcp", "net/tcp6"] {
            let text = match read(&self.root.join(table), TABLE_BYTES) {
                Ok(text) => text,
                // A machine without IPv6 has no table of it.
                Err(error) if table == "net/tcp6" && error.kind() == io::ErrorKind::NotFound => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let lines = text.lines().filter_map(parse_line);
            found.extend(lines.map(|line| (line.inode, line.port)));
        }
        Ok(found)
    }

    /// Which of the sockets a process holds; none where its descriptors may not be looked at.
    pub(super) fn held(&self, pid: u32, sockets: &BTreeMap<u64, u16>) -> BTreeSet<u16> {
        let dir = self.root.join(pid.to_string()).join("fd");
        let Ok(entries) = std::fs::read_dir(dir) else { return BTreeSet::new() };
        let number = |link: PathBuf| {
            let text = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            text.parse::<u64>().ok()
        };
        let links =
            entries.flatten().take(MOST).filter_map(|fd| std::fs::read_link(fd.path()).ok());
        links.filter_map(number).filter_map(|inode| sockets.get(&inode).copied()).collect()
    }

    fn text(&self, pid: u32, file: &str, most: u64) -> Option<String> {
        read(&self.root.join(pid.to_string()).join(file), most).ok()
    }
}

/// The beginning of a file as text.
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The real uid: the first number of the line `Uid:`.
fn uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}
