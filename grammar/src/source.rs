//! One file's text as it was read, and which kind of file it is.
//!
//! Opens nothing: whoever reads files hands the bytes in.

use std::sync::Arc;

use crate::span::LineIndex;

/// The kinds of files that are understood; each has its own reader and its own table of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `rserver.conf`: options, one a line (reading rules A of the product).
    RserverConf,
    /// `launcher.conf`: `[server]` and one `[cluster]` a cluster, the header repeated.
    LauncherConf,
    /// `database.conf`: settings without comments (reading rules C).
    DatabaseConf,
    /// `load-balancer`: flat, or under `[config]`.
    LoadBalancer,
    /// `launcher-mounts`: records (reading rules D).
    LauncherMounts,
    /// `launcher-env`: records, or bare `NAME=VALUE` lines.
    LauncherEnv,
    /// `launcher-ports`: records, or bare port lines.
    LauncherPorts,
}

impl FileKind {
    /// Every kind, in the order in which they are read and shown.
    pub const ALL: [FileKind; 7] = [
        FileKind::RserverConf,
        FileKind::LauncherConf,
        FileKind::DatabaseConf,
        FileKind::LoadBalancer,
        FileKind::LauncherMounts,
        FileKind::LauncherEnv,
        FileKind::LauncherPorts,
    ];

    /// The file's name in a configuration directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            FileKind::RserverConf => "rserver.conf",
            FileKind::LauncherConf => "launcher.conf",
            FileKind::DatabaseConf => "database.conf",
            FileKind::LoadBalancer => "load-balancer",
            FileKind::LauncherMounts => "launcher-mounts",
            FileKind::LauncherEnv => "launcher-env",
            FileKind::LauncherPorts => "launcher-ports",
        }
    }

    /// The kind of a file name, if it is one we read.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_name() == name)
    }
}

/// A text with its shown name and its line starts.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as shown to a person.
    pub file: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Where its lines start.
    pub lines: LineIndex,
}

impl Source {
    /// Takes a text in.
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { file: file.into(), lines: LineIndex::new(&text), text }
    }
}
