//! Facts of the machine that a bug report needs: kernel, distribution, room, limits, file systems. Read, nothing is run.

use std::fmt::Write as _;
use std::path::Path;

/// Writes them down; what cannot be read is said.
pub(super) fn describe(state: Option<&Path>) -> String {
    let mut out = String::new();
    let system = rustix::system::uname();
    let words = [system.sysname(), system.release(), system.version(), system.machine()];
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let _ = writeln!(out, "kernel   {}", words.join(" "));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let _ = writeln!(out, "cores    {cores}");
    let uid = rustix::process::geteuid().as_raw();
    let _ = writeln!(out, "uid      {uid}");
    let _ = writeln!(out, "time     {}", jiff::Zoned::now());
    file(&mut out, "/etc/os-release", |line| line.starts_with("PRETTY_NAME="));
    file(&mut out, "/proc/meminfo", |line| {
        ["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"]
            .iter()
            .any(|key| line.starts_with(key))
    });
    file(&mut out, "/proc/loadavg", |_| true);
    file(&mut out, "/proc/self/cgroup", |_| true);
    file(&mut out, "/proc/self/limits", |line| line.starts_with("Max open files"));
    file(&mut out, "/etc/nsswitch.conf", |line| {
        ["passwd:", "group:", "initgroups:"].iter().any(|key| line.starts_with(key))
    });
    file(&mut out, "/proc/mounts", |line| {
        ["cgroup", "nfs", "fuse", "overlay"].iter().any(|kind| line.contains(kind))
            || line.split(' ').nth(1).is_some_and(|at| ["/", "/run", "/var", "/tmp"].contains(&at))
    });
    if let Some(state) = state {
        room(&mut out, state);
    }
    out
}

/// The lines of a file that are wanted.
fn file(out: &mut String, path: &str, wanted: impl Fn(&str) -> bool) {
    let _ = writeln!(out, "\n{path}");
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            for line in text.lines().filter(|line| wanted(line)).take(200) {
                let _ = writeln!(out, "  {line}");
            }
        }
        Err(error) => {
            let _ = writeln!(out, "  cannot be read: {error}");
        }
    }
}

fn room(out: &mut String, state: &Path) {
    match rustix::fs::statvfs(state) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize) >> 20;
            let (inodes, path) = (fs.f_favail, state.display());
            let _ = writeln!(out, "\n{path}\n  {free} MiB and {inodes} inodes free");
        }
        Err(error) => {
            let _ = writeln!(out, "\n{}\n  cannot be looked at: {error}", state.display());
        }
    }
}
