//! Who holds a TCP port: a name and a pid for the administrator, instead of "address in use".
//!
//! Read from `/proc/net/tcp{,6}` (proc_net(5)) and the descriptors of processes. What cannot be read
//! is not guessed.

use std::net::IpAddr;
use std::path::Path;

use engine_core::sockets::parse_line;

/// `nginx, pid 812`; `uid 33` where the process is not to be seen; none if nobody listens there.
#[must_use]
pub fn of_port(ip: IpAddr, port: u16) -> Option<String> {
    below(Path::new("/proc"), ip, port)
}

/// The same by another tree that looks like `/proc`.
#[must_use]
pub fn below(procfs: &Path, ip: IpAddr, port: u16) -> Option<String> {
    let listening = ["net/tcp", "net/tcp6"].iter().find_map(|table| {
        let text = std::fs::read_to_string(procfs.join(table)).ok()?;
        text.lines().filter_map(parse_line).find(|line| line.stands_in_the_way_of(ip, port))
    })?;
    Some(
        process_of(procfs, listening.inode)
            .unwrap_or_else(|| format!("a process of uid {}", listening.uid)),
    )
}

fn process_of(procfs: &Path, inode: u64) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    for process in std::fs::read_dir(procfs).ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = fds.flatten().any(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str())
        });
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            // A process names itself what it likes; this goes to a terminal.
            let name: String = name.trim_end().chars().filter(|c| !c.is_control()).collect();
            return Some(format!("{name}, pid {pid}"));
        }
    }
    None
}
