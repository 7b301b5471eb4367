//! `wharf.toml`: policy, and what the product's files cannot say (product.md 4).

use std::collections::BTreeMap;
use std::fmt;

use super::check::{
    Check, Says, absolute_path, account, any, at_least_one, code, instance, label, name, one_line,
    socket_path,
};
use super::leaf::{Count, Leaf, Port, Wrong, words};
use super::policy::{self, PolicyTable};
use super::schema::{self, Schema};
use super::table::{Keys, Table};
use super::workbench::{self, WorkbenchTable};
use crate::value::Millis;

/// The format of `wharf.toml` that is understood.
pub const FORMAT: u32 = 1;

/// A `wharf.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WharfFile {
    /// The file's format; at most [`FORMAT`].
    pub format: Option<u32>,
    /// What the engine may do at all.
    pub mode: Option<Mode>,
    /// Names cookies and directories.
    pub instance: Option<String>,
    /// The site whose files these are.
    pub site: Option<SiteTable>,
    /// What it listens on.
    pub listen: Option<ListenTable>,
    /// Where its state is.
    pub store: Option<StoreTable>,
    /// How it acts.
    pub policy: Option<PolicyTable>,
    /// How many sessions.
    pub limits: Option<LimitsTable>,
    /// How many generations it remembers.
    pub history: Option<HistoryTable>,
    /// Findings that a person has looked at.
    pub accept: Option<AcceptTable>,
    /// Mode `beside`.
    pub beside: Option<BesideTable>,
    /// Clusters of our own, by name.
    pub clusters: Option<BTreeMap<String, ClusterTable>>,
    /// Workbenches of our own or changed ones, by name.
    pub workbenches: Option<BTreeMap<String, WorkbenchTable>>,
}

words! {
    /// What the engine may do at all (product.md 2).
    Mode {
        /// Read and plan.
        Observe = "observe",
        /// Serve on its own port, next to the incumbent.
        Beside = "beside",
        /// Serve.
        Serve = "serve",
    }
}

/// `[site]`: the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteTable {
    /// Their directory; a relative one is below the directory of this file.
    pub config_dir: Option<String>,
    /// When a change of them is taken as complete.
    pub settle: Option<SettleTable>,
    /// How often they are read where no file events come.
    pub poll: Option<Millis>,
}

/// `site.settle`: when a change of files is taken as complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleTable {
    /// Accepted after so long without a change.
    pub quiet: Option<Millis>,
    /// Refused after so long with errors.
    pub invalid: Option<Millis>,
    /// Decided so long after the first event at the latest.
    pub max: Option<Millis>,
}

/// `[listen]`: only what the files cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTable {
    /// The socket that commands talk to.
    pub admin_socket: Option<String>,
    /// Mode `beside` only: the port for people.
    pub www_port: Option<Port>,
}

/// `[store]`: where its state is; at most one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreTable {
    /// The embedded store's directory.
    pub path: Option<String>,
    /// A database.
    pub url: Option<StoreUrl>,
}

/// The URL of a database; may hold a password, so it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// The text, to open the store with; never to be printed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreUrl(secret)")
    }
}

impl Leaf for StoreUrl {
    const TAKES: &'static str = "a URL in quotes";

    fn schema() -> Schema {
        schema::text_like(r"^postgres(ql)?://\S*$")
    }

    fn parse(value: &toml::de::DeValue<'_>) -> Result<Self, Wrong> {
        let url = super::leaf::text(value)?;
        let known = ["postgresql://", "postgres://"].iter().any(|scheme| url.starts_with(scheme));
        if !known || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Wrong::value("no URL of a database that is understood")
                .or_write("it begins with postgresql://"));
        }
        Ok(StoreUrl(url.to_owned()))
    }
}

/// `[limits]`: how many sessions at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsTable {
    /// A person.
    pub sessions_per_user: Option<u32>,
    /// Each member of a group.
    pub sessions_per_group: Option<BTreeMap<String, u32>>,
}

/// `[history]`: what is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryTable {
    /// So many generations, at least one.
    pub keep: Option<u32>,
}

/// `[accept]`: findings that a person has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptTable {
    /// Codes with the reason.
    pub codes: Option<BTreeMap<String, String>>,
    /// Files that may be there although they do not act.
    pub files: Option<Vec<String>>,
}

/// `[beside]`: mode `beside` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BesideTable {
    /// The clusters that may be used; none = none.
    pub clusters: Option<Vec<String>>,
}

/// `[clusters.NAME]`: a cluster of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTable {
    /// What it is.
    pub kind: ClusterType,
}

words! {
    /// What a cluster of our own is; the others stand in `launcher.conf`.
    ClusterType {
        /// Containers by podman on this machine.
        Podman = "podman",
    }
}

static ROOT: Keys = Keys {
    at: "",
    names: &[
        "format",
        "mode",
        "instance",
        "site",
        "listen",
        "store",
        "policy",
        "limits",
        "history",
        "accept",
        "beside",
        "clusters",
        "workbenches",
    ],
};
static SITE: Keys = Keys { at: "site", names: &["config-dir", "settle", "poll"] };
static SETTLE: Keys = Keys { at: "site.settle", names: &["quiet", "invalid", "max"] };
static LISTEN: Keys = Keys { at: "listen", names: &["admin-socket", "www-port"] };
static STORE: Keys = Keys { at: "store", names: &["path", "url"] };
static LIMITS: Keys = Keys { at: "limits", names: &["sessions-per-user", "sessions-per-group"] };
static HISTORY: Keys = Keys { at: "history", names: &["keep"] };
static ACCEPT: Keys = Keys { at: "accept", names: &["codes", "files"] };
static BESIDE: Keys = Keys { at: "beside", names: &["clusters"] };
static CLUSTER: Keys = Keys { at: "clusters.*", names: &["type"] };

pub(crate) static TABLES: &[&Keys] = &[
    &ROOT,
    &SITE,
    &SETTLE,
    &LISTEN,
    &STORE,
    &policy::POLICY,
    &policy::BACK_OFF,
    &LIMITS,
    &HISTORY,
    &ACCEPT,
    &BESIDE,
    &CLUSTER,
    &workbench::WORKBENCH,
];

/// Reads the top level of `wharf.toml`.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<WharfFile> {
    let file = WharfFile {
        format: table.take("format", KNOWN_FORMAT).map(|Count(format)| format),
        mode: table.take("mode", any()),
        instance: table.take("instance", instance()),
        site: table.sub("site", &SITE, read_site),
        listen: table.sub("listen", &LISTEN, |table| {
            Some(ListenTable {
                admin_socket: table.take("admin-socket", socket_path()),
                www_port: table.take("www-port", any()),
            })
        }),
        store: table.sub("store", &STORE, read_store),
        policy: table.sub("policy", &policy::POLICY, policy::read),
        limits: table.sub("limits", &LIMITS, read_limits),
        history: table.sub("history", &HISTORY, |table| {
            let keep = table.take("keep", at_least_one()).map(|Count(keep)| keep);
            Some(HistoryTable { keep })
        }),
        accept: table.sub("accept", &ACCEPT, |table| {
            Some(AcceptTable {
                codes: table.entries("codes", code(), one_line()),
                files: table.list("files", name()),
            })
        }),
        beside: table.sub("beside", &BESIDE, |table| {
            Some(BesideTable { clusters: table.list("clusters", label()) })
        }),
        clusters: table.tables("clusters", &CLUSTER, |_, table| {
            Some(ClusterTable { kind: table.need("type", any())? })
        }),
        workbenches: table.tables("workbenches", &workbench::WORKBENCH, workbench::read),
    };
    // A mode that could not be read contradicts nothing.
    if file.mode.is_some() || !table.has("mode") {
        check_mode(table, &file);
    }
    Some(file)
}

/// Fields that act in some modes only.
fn check_mode(table: &mut Table<'_, '_>, file: &WharfFile) {
    let www_port = file.listen.as_ref().is_some_and(|listen| listen.www_port.is_some());
    let message = "`listen.www-port` acts with mode = \"beside\" only";
    let help = "in mode \"serve\" www-port of rserver.conf is taken; set mode = \"beside\", or leave it out";
    match file.mode {
        Some(Mode::Beside) => {}
        // On the way to the next mode it may stand here already: nothing listens yet.
        Some(Mode::Observe) if www_port => {
            table.idle_field(message, &["listen.www-port", "mode"], help);
        }
        _ if www_port => table.contradiction(message, &["listen.www-port", "mode"], help),
        _ => {}
    }
    if file.beside.is_some() && file.mode != Some(Mode::Beside) {
        table.idle_field(
            "[beside] acts with mode = \"beside\" only",
            &["beside", "mode"],
            "set mode = \"beside\", or leave it out",
        );
    }
    let url = file.store.as_ref().is_some_and(|store| store.url.is_some());
    if url && file.mode == Some(Mode::Serve) {
        table.contradiction(
            "`store.url` does not act with mode = \"serve\": there database.conf names the database",
            &["store.url", "mode"],
            "write it into database.conf, and leave it out here",
        );
    }
}

fn read_site(table: &mut Table<'_, '_>) -> Option<SiteTable> {
    Some(SiteTable {
        config_dir: table.take("config-dir", one_line()),
        settle: table.sub("settle", &SETTLE, read_settle),
        poll: table.take("poll", POLL),
    })
}

fn read_settle(table: &mut Table<'_, '_>) -> Option<SettleTable> {
    let settle = SettleTable {
        quiet: table.take("quiet", any()),
        invalid: table.take("invalid", any()),
        max: table.take("max", any()),
    };
    for (shorter, less, longer, more) in
        [("quiet", settle.quiet, "max", settle.max), ("invalid", settle.invalid, "max", settle.max)]
    {
        if let (Some(less), Some(more)) = (less, more)
            && less > more
        {
            table.contradiction(
                &format!("`{shorter}` is {less}, but `{longer}` decides after {more}"),
                &[shorter, longer],
                "`max` is the end of all waiting: it must be the longest",
            );
        }
    }
    Some(settle)
}

fn read_store(table: &mut Table<'_, '_>) -> Option<StoreTable> {
    let store =
        StoreTable { path: table.take("path", absolute_path()), url: table.take("url", any()) };
    if table.has("path") && table.has("url") {
        table.contradiction(
            "`path` and `url` name two stores",
            &["path", "url"],
            "keep `path` for one node, `url` for several",
        );
    }
    Some(store)
}

fn read_limits(table: &mut Table<'_, '_>) -> Option<LimitsTable> {
    let groups = table.entries::<Count>("sessions-per-group", account(), any());
    Some(LimitsTable {
        sessions_per_user: table.take("sessions-per-user", any()).map(|Count(most)| most),
        sessions_per_group: groups
            .map(|groups| groups.into_iter().map(|(group, Count(most))| (group, most)).collect()),
    })
}

const KNOWN_FORMAT: Check<Count> = Check { holds: known_format, says: Says::Only(FORMAT) };
const POLL: Check<Millis> = Check { holds: poll, says: Says::Nothing };

fn known_format(format: &Count) -> Result<(), Wrong> {
    match format.0 {
        FORMAT => Ok(()),
        0 => Err(Wrong::value("formats count from 1")),
        _ => Err(Wrong::value(format!("newer than this wharf reads ({FORMAT})"))
            .or_write("update wharf, or write the file in the older format")),
    }
}

fn poll(time: &Millis) -> Result<(), Wrong> {
    if time.0 < 1000 {
        return Err(Wrong::value("less than 1s would only read files all the time"));
    }
    Ok(())
}
