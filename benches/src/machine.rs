//! What the system says of the machine and of processes, from `/proc`.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

/// What the kernel counts processor time in towards programs (`USER_HZ` is 100 wherever we build).
const TICK_US: f64 = 10_000.0;

/// One line about the machine, for the head of results: cores, kernel, load average.
#[must_use]
pub fn describe() -> String {
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cores
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(':').nth(1));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let uname = rustix::system::uname();
    format!(
        "{count} cores ({}), {} {}, load average {}",
        model.unwrap_or("unknown").trim(),
        uname.sysname().to_string_lossy(),
        uname.release().to_string_lossy(),
        load_average()
    )
}

/// The one-minute load average as text.
#[must_use]
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// Processor time that a process has used, user and system, in microseconds. Its children do not count.
/// The kernel counts in steps of 10 ms.
///
/// # Errors
/// There is no such process.
pub fn cpu_us(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, but ends with the last bracket.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
    let ticks: f64 =
        [11, 12].into_iter().filter_map(|at| fields.get(at)?.parse::<f64>().ok()).sum();
    Ok(ticks * TICK_US)
}

/// Processor time that this thread has used, in seconds: unlike wall time hardly changed by what else runs.
#[must_use]
pub fn thread_cpu_s() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident.
    pub rss_kib: u64,
    /// Resident, with shared pages divided by their users.
    pub pss_kib: u64,
    /// Its own alone.
    pub private_kib: u64,
}

/// Memory of a process, from `smaps_rollup`.
///
/// # Errors
/// There is no such process, or it is another account's.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or(0u64)
    };
    Ok(Memory {
        rss_kib: field("Rss:"),
        pss_kib: field("Pss:"),
        private_kib: field("Private_Clean:") + field("Private_Dirty:"),
    })
}

/// Processes whose command line contains `text`, with that line.
#[must_use]
pub fn processes_with(text: &str) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<(u32, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (pid != std::process::id() && line.contains(text)).then_some((pid, line))
        })
        .collect();
    found.sort();
    found
}

/// Runs `start` while this thread, and so what it starts, is allowed one core only: a program that sizes
/// itself by its cores then takes one. [`on_all_cores`] gives the others back.
///
/// # Errors
/// What `start` says, or the system refuses.
pub fn on_one_core<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = rustix::thread::sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).unwrap_or(0);
    one.set(first);
    rustix::thread::sched_setaffinity(None, &one)?;
    let started = start();
    rustix::thread::sched_setaffinity(None, &before)?;
    started
}

/// Lets every thread of a process run on the cores of this thread.
///
/// # Errors
/// It has ended, or it is another account's.
pub fn on_all_cores(pid: u32) -> io::Result<()> {
    let all = rustix::thread::sched_getaffinity(None)?;
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let id = task.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id.and_then(rustix::process::Pid::from_raw) else { continue };
        rustix::thread::sched_setaffinity(Some(id), &all)?;
    }
    Ok(())
}

/// Takes as many open files as the system lets this process have; what it starts inherits them.
///
/// # Errors
/// The system refuses.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    Ok(rustix::process::setrlimit(Resource::Nofile, raised)?)
}

/// How many threads of a process have a name that begins with `prefix`.
#[must_use]
pub fn threads_named(pid: u32, prefix: &str) -> usize {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.starts_with(prefix))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_time_and_memory() {
        let own = std::process::id();
        assert!(cpu_us(own).unwrap() >= 0.0);
        let memory = memory(own).unwrap();
        assert!(memory.pss_kib > 0 && memory.pss_kib <= memory.rss_kib, "{memory:?}");
    }
}
