//! Holding the processes of a session together, so that all of them can be ended.
//!
//! A cgroup of version 2 where one can be made (a fork bomb cannot outrun `cgroup.kill`), else the
//! process tree below the keeper. Found out by trying, never assumed. Sets no limits.

use std::path::{Path, PathBuf};

use engine_core::ids::Incarnation;

use super::record::Containment;

/// Makes a cgroup for an incarnation below our own, if this system lets us.
pub(super) fn make(incarnation: &Incarnation) -> Containment {
    let Some(own) = own_cgroup() else { return Containment::ProcessTree };
    // With our pid, so that two instances' sessions of one name never share a group.
    let (session, n, pid) = (&incarnation.session, incarnation.n, std::process::id());
    let path = own.join(format!("wharf-{session}-{n}-{pid}"));
    if std::fs::create_dir(&path).is_err() {
        return Containment::ProcessTree;
    }
    let usable = writable(&path.join("cgroup.kill")) && writable(&path.join("cgroup.procs"));
    match (usable, path.to_str()) {
        (true, Some(text)) => Containment::Cgroup2 { path: text.to_owned() },
        _ => {
            let _ = std::fs::remove_dir(&path);
            Containment::ProcessTree
        }
    }
}

/// Kills everything in the cgroup, if there is one.
pub(crate) fn kill(containment: &Containment) {
    if let Containment::Cgroup2 { path } = containment {
        // If it fails the tree is still walked.
        let _ = std::fs::write(Path::new(path).join("cgroup.kill"), "1");
    }
}

/// Whether the cgroup still has a process in it.
pub(crate) fn is_populated(containment: &Containment) -> bool {
    let Containment::Cgroup2 { path } = containment else { return false };
    std::fs::read_to_string(Path::new(path).join("cgroup.events"))
        .is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
}

/// Who is in the cgroup.
pub(super) fn members(containment: &Containment) -> Vec<u32> {
    let Containment::Cgroup2 { path } = containment else { return Vec::new() };
    let procs = std::fs::read_to_string(Path::new(path).join("cgroup.procs")).unwrap_or_default();
    procs.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Removes the empty cgroup.
pub(crate) fn remove(containment: &Containment) {
    if let Containment::Cgroup2 { path } = containment {
        let _ = std::fs::remove_dir(path);
    }
}

fn writable(path: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).open(path).is_ok()
}

/// The directory of our cgroup in the version 2 hierarchy.
fn own_cgroup() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    find_cgroup(&mounts, &groups)
}

/// From the texts of `mountinfo` and `cgroup`; only a hierarchy that is mounted from its root is used.
fn find_cgroup(mounts: &str, groups: &str) -> Option<PathBuf> {
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (after.starts_with("cgroup2 ") && root == "/").then_some(point)
    })?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    if own.split('/').any(|part| part == "..") {
        return None;
    }
    Some(Path::new(mount).join(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_2_hierarchy_is_found_also_beside_version_1() {
        let mounts = "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      31 30 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      32 30 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        let found = find_cgroup(mounts, "8:pids:/\n0::/system.slice/wharf.service\n");
        let path = "/sys/fs/cgroup/unified/system.slice/wharf.service";
        assert_eq!(found, Some(PathBuf::from(path)));
        assert_eq!(find_cgroup(mounts, "0::/../outside\n"), None);
        assert_eq!(find_cgroup(mounts, "8:pids:/\n"), None);
        assert_eq!(find_cgroup("", "0::/\n"), None);
    }
}
