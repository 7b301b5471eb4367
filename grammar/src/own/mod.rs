//! Our own files: `wharf.toml`, and one thing a file in `sessions.d/`, `templates.d/`, `gateways.d/` and
//! `nodes.d/`.
//!
//! TOML comes in, typed values and *all* problems go out, each with its place. Nothing is defaulted here: what
//! a file does not say is `None`, and lowering fills it. Does not know whether a name it reads (a cluster, a
//! gateway, a user) exists: that is for the cross-file rules of `engine-core`.
//!
//! Read next: `table`, which takes fields out of a table and collects; then [`node`], a short kind of file.

mod check;
pub mod fields;
pub mod file_name;
pub mod form;
pub mod gateway;
pub mod leaf;
pub mod lines;
pub mod node;
pub mod placeholder;
pub mod policy;
pub mod range;
mod reader;
mod schema;
pub mod session;
mod syntax;
mod table;
pub mod template;
mod unknown;
pub mod wharf;
pub mod window;
pub mod workbench;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::error::{Code, Problem};
use crate::source::Source;

pub use check::is_instance_name;
pub use file_name::{FileName, file_name_problem};
pub use gateway::GatewayFile;
pub use lines::Lines;
pub use node::NodeFile;
pub use schema::{schema, schema_name};
pub use session::SessionFile;
pub use template::TemplateFile;
pub use wharf::WharfFile;

use reader::Reader;
use table::{Keys, Table};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code($number);)+

        /// Every code of our own files with what it means.
        pub const CODES: &[(Code, &str)] = &[$(($name, concat!($($doc),+)),)+];
    };
}

codes! {
    /// The text is no TOML.
    SYNTAX = 501;
    /// A key that its table does not have.
    UNKNOWN_KEY = 502;
    /// A value of another type than its key takes.
    WRONG_TYPE = 503;
    /// A value of the right type that its key cannot have.
    BAD_VALUE = 504;
    /// A key that must be there and is not.
    MISSING = 505;
    /// Fields that contradict each other, or one that has no effect beside the others.
    CONTRADICTION = 506;
    /// A file whose name cannot name the thing in it.
    FILE_NAME = 507;
}

/// The kinds of files that are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnKind {
    /// `wharf.toml`: policy.
    Wharf,
    /// A file of `sessions.d`: one declared session.
    Session,
    /// A file of `templates.d`: what people may start.
    Template,
    /// A file of `gateways.d`: a range of ports, each a fixed address.
    Gateway,
    /// A file of `nodes.d`: a machine's share, labels and drain.
    Node,
}

impl OwnKind {
    /// Every kind, in the order in which they are read and shown.
    pub const ALL: [OwnKind; 5] =
        [OwnKind::Wharf, OwnKind::Session, OwnKind::Template, OwnKind::Gateway, OwnKind::Node];

    /// The directory that holds files of this kind; `wharf.toml` has none.
    #[must_use]
    pub fn directory(self) -> Option<&'static str> {
        match self {
            OwnKind::Wharf => None,
            OwnKind::Session => Some("sessions.d"),
            OwnKind::Template => Some("templates.d"),
            OwnKind::Gateway => Some("gateways.d"),
            OwnKind::Node => Some("nodes.d"),
        }
    }

    /// How a person calls files of this kind: `wharf.toml`, or their directory.
    #[must_use]
    pub fn shown(self) -> &'static str {
        self.directory().unwrap_or("wharf.toml")
    }

    /// The kind of a file by its short name: `sessions.d/lab.toml`, `wharf.toml`.
    #[must_use]
    pub fn of_short_name(name: &str) -> Option<OwnKind> {
        let place = name.split_once('/').map_or(name, |(directory, _)| directory);
        OwnKind::ALL.into_iter().find(|kind| kind.shown() == place)
    }

    /// Every field that such a file may have, as a dotted path, in the order in which the manual shows them; `*`
    /// stands for a name that the administrator gives. Tables of fixed keys are not among them, their fields are.
    #[must_use]
    pub fn fields(self) -> Vec<String> {
        let tables = self.tables();
        let path = |at: &str, name: &str| {
            if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
        };
        let is_table = |path: &str| {
            tables.iter().any(|table| table.at == path || table.at.strip_suffix(".*") == Some(path))
        };
        let all =
            tables.iter().flat_map(|table| table.names.iter().map(|name| path(table.at, name)));
        all.filter(|path| !is_table(path)).collect()
    }

    /// The tables of such a file with their keys, the top level first.
    pub(crate) fn tables(self) -> &'static [&'static Keys] {
        match self {
            OwnKind::Wharf => wharf::TABLES,
            OwnKind::Session => session::TABLES,
            OwnKind::Template => template::TABLES,
            OwnKind::Gateway => gateway::TABLES,
            OwnKind::Node => node::TABLES,
        }
    }
}

/// What a file says, with the places where it says it.
///
/// The places lie beside the value, so that two files that mean the same compare equal.
#[derive(Clone, Debug)]
pub struct Own<T> {
    /// What it says.
    pub value: T,
    /// Where, by dotted path of the field.
    pub lines: Arc<Lines>,
}

/// The outcome of reading one of our files.
#[derive(Clone, Debug)]
pub struct OwnRead<T> {
    /// The file's content; there exactly when no problem is an error.
    pub own: Option<Own<T>>,
    /// All problems, sorted by place.
    pub problems: Vec<Problem>,
}

/// Reads `wharf.toml`.
#[must_use]
pub fn read_wharf(source: &Source) -> OwnRead<WharfFile> {
    read(source, OwnKind::Wharf, wharf::read)
}

/// Reads a file of `sessions.d`.
#[must_use]
pub fn read_session(source: &Source) -> OwnRead<SessionFile> {
    read(source, OwnKind::Session, session::read)
}

/// Reads a file of `templates.d`.
#[must_use]
pub fn read_template(source: &Source) -> OwnRead<TemplateFile> {
    read(source, OwnKind::Template, template::read)
}

/// Reads a file of `gateways.d`.
#[must_use]
pub fn read_gateway(source: &Source) -> OwnRead<GatewayFile> {
    read(source, OwnKind::Gateway, gateway::read)
}

/// Reads a file of `nodes.d`.
#[must_use]
pub fn read_node(source: &Source) -> OwnRead<NodeFile> {
    read(source, OwnKind::Node, node::read)
}

/// The problems of a file of any kind, and how many fields and tables it has (none where it is refused):
/// what `check FILE` shows.
#[must_use]
pub fn check_any(kind: OwnKind, source: &Source) -> (Vec<Problem>, usize) {
    fn counted<T>(read: OwnRead<T>) -> (Vec<Problem>, usize) {
        let fields = read.own.map_or(0, |own| own.lines.iter().count());
        (read.problems, fields)
    }
    match kind {
        OwnKind::Wharf => counted(read_wharf(source)),
        OwnKind::Session => counted(read_session(source)),
        OwnKind::Template => counted(read_template(source)),
        OwnKind::Gateway => counted(read_gateway(source)),
        OwnKind::Node => counted(read_node(source)),
    }
}

/// The problems of a file of any kind.
#[must_use]
pub fn problems_of(kind: OwnKind, source: &Source) -> Vec<Problem> {
    check_any(kind, source).0
}

fn read<T>(
    source: &Source,
    kind: OwnKind,
    read_root: fn(&mut Table<'_, '_>) -> Option<T>,
) -> OwnRead<T> {
    let parsed = syntax::parse(source);
    let mut reader = Reader::new(source, kind);
    let value = reader.root(&parsed.table, read_root);
    let (lines, found) = reader.finish();
    let problems = parsed.merge_problems(source, found);
    debug_assert!(
        value.is_some() || problems.iter().any(Problem::is_error),
        "a file was refused without a word"
    );
    let own = match value {
        Some(value) if !problems.iter().any(Problem::is_error) => {
            Some(Own { value, lines: Arc::new(lines) })
        }
        _ => None,
    };
    OwnRead { own, problems }
}
