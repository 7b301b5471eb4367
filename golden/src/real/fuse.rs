//! A file system that takes its time: what is in a directory, read only, by FUSE (linux/fuse.h, protocol 7.31).
//!
//! It answers everything at once, or each reading of a file after a while, or nothing at all, as it is told; so a
//! server of NFS does that is slow, or gone and comes back. Nothing is kept by the kernel: each look asks again. Only
//! what an engine asks for is understood. Needs mounts of one's own ([`super::within`]).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::io::FdFlags;

use super::LIMIT;

/// No answer at all.
const NEVER: u64 = u64::MAX;

/// How often somebody who waits looks whether it is over.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest request: the kernel does not take less than this.
const LONGEST: usize = 1 << 20;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// Nothing of what was read is kept.
const FOPEN_DIRECT_IO: u32 = 1;

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;

/// Tells a mounted file system how to answer. What is mounted goes with its namespace.
#[derive(Debug)]
pub struct SlowFs {
    /// Milliseconds before a reading is answered.
    delay: Arc<AtomicU64>,
}

impl SlowFs {
    /// Mounts the directory `source` at `at`, quick at first; none where this machine has no FUSE.
    ///
    /// # Panics
    /// It has, and does not mount.
    #[must_use]
    pub fn mount(source: &Path, at: &Path) -> Option<Self> {
        let device = match OpenOptions::new().read(true).write(true).open("/dev/fuse") {
            Ok(device) => device,
            Err(error) => {
                println!("NOT RUN: /dev/fuse: {error}");
                return None;
            }
        };
        let account = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let options = format!(
            "fd={},rootmode=40000,user_id={},group_id={}",
            device.as_raw_fd(),
            account.0,
            account.1
        );
        rustix::io::fcntl_setfd(&device, FdFlags::empty()).expect("it is ours");
        let mut mount = Command::new("mount");
        mount.args(["-i", "-t", "fuse", "-o", &options, "none"]).arg(at);
        let mounted = mount.status().is_ok_and(|status| status.success());
        rustix::io::fcntl_setfd(&device, FdFlags::CLOEXEC).expect("it is ours");
        assert!(mounted, "mount at {}", at.display());
        let delay = Arc::new(AtomicU64::new(0));
        let files = Files {
            nodes: vec![PathBuf::new()],
            source: source.to_owned(),
            delay: Arc::clone(&delay),
        };
        std::thread::spawn(move || files.serve(device));
        Some(Self { delay })
    }

    /// From now on each part of a file is read only after `delay`.
    pub fn takes(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).expect("no test waits that long");
        self.delay.store(ms, Ordering::SeqCst);
    }

    /// From now on nothing is answered, whatever is asked, until it is told otherwise; for [`LIMIT`] at the most,
    /// since nothing can end whoever waits.
    pub fn hangs(&self) {
        self.delay.store(NEVER, Ordering::SeqCst);
    }
}

/// What is served.
struct Files {
    source: PathBuf,
    /// The paths below the source of the nodes that the kernel knows; the root is 1.
    nodes: Vec<PathBuf>,
    delay: Arc<AtomicU64>,
}

/// One request.
struct Asked<'a> {
    opcode: u32,
    unique: u64,
    node: u64,
    body: &'a [u8],
}

impl Asked<'_> {
    fn u64_at(&self, at: usize) -> u64 {
        let bytes = self.body.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_ne_bytes)
    }

    fn u32_at(&self, at: usize) -> u32 {
        let bytes = self.body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }
}

impl Files {
    /// Answers until nothing is mounted any more.
    fn serve(mut self, mut device: File) {
        let mut buffer = vec![0; LONGEST];
        loop {
            let length = match device.read(&mut buffer) {
                Ok(length) if length >= 40 => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Whoever asked has given up.
                Err(error) if error.raw_os_error() == Some(ENOENT) => continue,
                _ => return,
            };
            let word = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().expect("4"));
            let long = |at: usize| u64::from_ne_bytes(buffer[at..at + 8].try_into().expect("8"));
            let asked = Asked {
                opcode: word(4),
                unique: long(8),
                node: long(16),
                body: &buffer[40..length],
            };
            self.wait(asked.opcode);
            if [FORGET, BATCH_FORGET, INTERRUPT].contains(&asked.opcode) {
                continue;
            }
            let (error, body) = match self.answer(&asked) {
                Ok(body) => (0, body),
                Err(error) => (-error, Vec::new()),
            };
            let mut reply = Vec::with_capacity(16 + body.len());
            reply.extend(u32::try_from(16 + body.len()).expect("it is short").to_ne_bytes());
            reply.extend(error.to_ne_bytes());
            reply.extend(asked.unique.to_ne_bytes());
            reply.extend(body);
            // Whoever asked may have gone away.
            let _ = device.write(&reply);
        }
    }

    fn wait(&self, opcode: u32) {
        let began = Instant::now();
        loop {
            let delay = self.delay.load(Ordering::SeqCst);
            let over =
                delay != NEVER && (opcode != READ || began.elapsed().as_millis() >= delay.into());
            if over || opcode == INIT {
                return;
            }
            if began.elapsed() > LIMIT {
                // The test has failed, and ends whom this keeps.
                self.delay.store(0, Ordering::SeqCst);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn answer(&mut self, asked: &Asked<'_>) -> Result<Vec<u8>, i32> {
        match asked.opcode {
            INIT => Ok(init()),
            LOOKUP => {
                let end = asked.body.iter().position(|byte| *byte == 0).unwrap_or(asked.body.len());
                let name = std::str::from_utf8(&asked.body[..end]).map_err(|_| ENOENT)?;
                self.look_up(asked.node, name)
            }
            GETATTR => {
                let meta = self.meta(asked.node)?;
                Ok([vec![0; 16], attributes(asked.node, &meta)].concat())
            }
            OPEN | OPENDIR => {
                self.meta(asked.node)?;
                let mut opened = vec![0; 16];
                if asked.opcode == OPEN {
                    opened[8..12].copy_from_slice(&FOPEN_DIRECT_IO.to_ne_bytes());
                }
                Ok(opened)
            }
            READ => {
                let file = File::open(self.path(asked.node)?).map_err(|_| ENOENT)?;
                let mut text = vec![0; asked.u32_at(16) as usize];
                let read = file.read_at(&mut text, asked.u64_at(8)).map_err(|_| ENOENT)?;
                text.truncate(read);
                Ok(text)
            }
            READDIR => self.entries(asked.node, asked.u64_at(8), asked.u32_at(16) as usize),
            RELEASE | RELEASEDIR | FLUSH => Ok(Vec::new()),
            _ => Err(ENOSYS),
        }
    }

    fn path(&self, node: u64) -> Result<PathBuf, i32> {
        let at = usize::try_from(node).ok().and_then(|node| node.checked_sub(1));
        let path = at.and_then(|at| self.nodes.get(at)).ok_or(ENOENT)?;
        Ok(self.source.join(path))
    }

    fn meta(&self, node: u64) -> Result<Metadata, i32> {
        std::fs::metadata(self.path(node)?).map_err(|_| ENOENT)
    }

    fn look_up(&mut self, parent: u64, name: &str) -> Result<Vec<u8>, i32> {
        let path = self.path(parent)?.join(name);
        let meta = std::fs::metadata(&path).map_err(|_| ENOENT)?;
        let path = path.strip_prefix(&self.source).map_err(|_| ENOENT)?.to_owned();
        let known = self.nodes.iter().position(|known| *known == path);
        let at = known.unwrap_or_else(|| {
            self.nodes.push(path);
            self.nodes.len() - 1
        });
        let node = at as u64 + 1;
        Ok([node.to_ne_bytes().to_vec(), vec![0; 32], attributes(node, &meta)].concat())
    }

    /// The entries from `offset` on, as many as fit into `size`.
    fn entries(&self, node: u64, offset: u64, size: usize) -> Result<Vec<u8>, i32> {
        let dir = std::fs::read_dir(self.path(node)?).map_err(|_| ENOENT)?;
        let mut names: Vec<_> =
            dir.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        let mut listed = Vec::new();
        for (at, name) in (1u64..).zip(&names).skip(usize::try_from(offset).unwrap_or(0)) {
            let mut entry = [u64::MAX.to_ne_bytes(), at.to_ne_bytes()].concat();
            entry.extend(u32::try_from(name.len()).expect("it is short").to_ne_bytes());
            entry.extend(0u32.to_ne_bytes());
            entry.extend(name.as_bytes());
            entry.resize(entry.len().next_multiple_of(8), 0);
            if listed.len() + entry.len() > size {
                break;
            }
            listed.extend(entry);
        }
        Ok(listed)
    }
}

/// Version 7.31, and nothing that need not be.
fn init() -> Vec<u8> {
    let mut out = vec![0; 64];
    out[..4].copy_from_slice(&7u32.to_ne_bytes());
    out[4..8].copy_from_slice(&31u32.to_ne_bytes());
    // The longest write.
    out[20..24].copy_from_slice(&4_096u32.to_ne_bytes());
    out
}

/// `struct fuse_attr`.
fn attributes(node: u64, meta: &Metadata) -> Vec<u8> {
    let seconds = [meta.atime(), meta.mtime(), meta.ctime()].map(i64::cast_unsigned);
    let long = [node, meta.size(), meta.blocks()].into_iter().chain(seconds);
    let nanoseconds = [meta.atime_nsec(), meta.mtime_nsec(), meta.ctime_nsec()];
    let nanoseconds = nanoseconds.map(|ns| u32::try_from(ns).unwrap_or(0));
    let rest = [meta.mode(), 1, meta.uid(), meta.gid(), 0, 4_096, 0];
    let words = nanoseconds.into_iter().chain(rest);
    long.flat_map(u64::to_ne_bytes).chain(words.flat_map(u32::to_ne_bytes)).collect()
}
