//! A file of `nodes.d`: a machine's share of new sessions, its labels, its drain (product.md 4).

use std::collections::BTreeMap;

use super::check::{any, name, one_line, some_bytes, some_time};
use super::leaf::{Count, MilliCpus, words};
use super::table::{Keys, Table};
use crate::value::{Bytes, Millis};

/// A node file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFile {
    /// Share of new sessions, relative to the others'; 0 = none.
    pub weight: Option<u32>,
    /// Whether new sessions are placed here.
    pub schedulable: Option<bool>,
    /// At most so many sessions.
    pub max_sessions: Option<u32>,
    /// What `[placement] require` asks for.
    pub labels: Option<BTreeMap<String, String>>,
    /// What placement leaves alone.
    pub reserve: Option<Reserve>,
    /// Present = it shall be emptied.
    pub drain: Option<Drain>,
}

/// `reserve`: what placement leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Processors.
    pub cpus: Option<MilliCpus>,
    /// Memory.
    pub memory: Option<Bytes>,
}

/// `[drain]`: the node shall be emptied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Why, for people.
    pub reason: Option<String>,
    /// How long it may take, from the first round that sees it.
    pub deadline: Option<Millis>,
    /// What happens then to the sessions that are left.
    pub at_deadline: Option<AtDeadline>,
    /// How long before the deadline people are told.
    pub notify: Option<Vec<Millis>>,
    /// What happens to jobs.
    pub jobs: Option<DrainJobs>,
}

words! {
    /// What happens at the deadline of a drain to the sessions that are left.
    AtDeadline {
        /// Nothing: the drain waits on.
        Wait = "wait",
        /// They stop.
        Stop = "stop",
        /// They are suspended.
        Suspend = "suspend",
    }
}

words! {
    /// What a drain does about jobs.
    DrainJobs {
        /// Waits until they end.
        Wait = "wait",
        /// Leaves them running and is done without them.
        Ignore = "ignore",
        /// Stops them.
        Stop = "stop",
    }
}

static ROOT: Keys = Keys {
    at: "",
    names: &["weight", "schedulable", "max-sessions", "labels", "reserve", "drain"],
};

static RESERVE: Keys = Keys { at: "reserve", names: &["cpus", "memory"] };

static DRAIN: Keys =
    Keys { at: "drain", names: &["reason", "deadline", "at-deadline", "notify", "jobs"] };

pub(crate) static TABLES: &[&Keys] = &[&ROOT, &RESERVE, &DRAIN];

/// Reads a node file's top level.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<NodeFile> {
    let node = NodeFile {
        weight: table.take("weight", any()).map(|Count(share)| share),
        schedulable: table.take("schedulable", any()),
        max_sessions: table.take("max-sessions", any()).map(|Count(most)| most),
        labels: table.entries("labels", name(), one_line()),
        reserve: table.sub("reserve", &RESERVE, |table| {
            Some(Reserve {
                cpus: table.take("cpus", any()),
                memory: table.take("memory", some_bytes()),
            })
        }),
        drain: table.sub("drain", &DRAIN, read_drain),
    };
    if node.schedulable == Some(true) && table.has("drain") {
        table.contradiction(
            "schedulable = true, but a node with [drain] takes no new sessions",
            &["schedulable", "drain"],
            "remove [drain] to end the drain, or leave `schedulable` out",
        );
    }
    Some(node)
}

fn read_drain(table: &mut Table<'_, '_>) -> Option<Drain> {
    let drain = Drain {
        reason: table.take("reason", one_line()),
        deadline: table.take("deadline", some_time()),
        at_deadline: table.take("at-deadline", any()),
        notify: table.list("notify", some_time()),
        jobs: table.take("jobs", any()),
    };
    if !table.has("deadline") {
        for name in ["at-deadline", "notify"] {
            if table.has(name) {
                table.idle_field(
                    &format!("`{name}` has no effect: the drain has no deadline"),
                    &[name],
                    "write deadline = \"2h\", or leave it out",
                );
            }
        }
    }
    let latest = drain.notify.iter().flatten().max();
    if let (Some(latest), Some(deadline)) = (latest, drain.deadline)
        && *latest >= deadline
    {
        table.idle_field(
            &format!("the notice of {latest} comes too late: the deadline is {deadline}"),
            &["notify", "deadline"],
            "notices are counted back from the deadline, so they must be shorter",
        );
    }
    Some(drain)
}
