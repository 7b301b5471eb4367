//! A file of `templates.d`: what people may start, and what they may choose (product.md 4).

use std::collections::BTreeMap;

use super::check::{account, any, at_least_one, label, one_line};
use super::fields::{self, SessionFields};
use super::form::Offered;
use super::leaf::{Count, words};
use super::table::{Keys, Table};

/// A template file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// What it is for.
    pub description: Option<String>,
    /// Shown; a session remembers which version it came from.
    pub version: Option<String>,
    /// When a session of it is started.
    pub start: Option<TemplateStart>,
    /// What else a person chooses, by name.
    pub choices: Option<BTreeMap<String, Choice>>,
    /// Who may start it, where, and how often.
    pub allow: Option<Allow>,
    /// What it shares with a session.
    pub fields: SessionFields<Offered>,
}

words! {
    /// When a session of a template is started.
    TemplateStart {
        /// When a person asks for it.
        OnDemand = "on-demand",
        /// When a person signs in.
        AtSignIn = "at-sign-in",
    }
}

words! {
    /// A list of the site from which a person chooses.
    ChoiceSource {
        /// The versions of R: the file `r-versions` and what is found.
        RVersions = "r-versions",
    }
}

/// A line of `[choices]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where the options come from.
    pub from: ChoiceSource,
    /// What is chosen when nobody does.
    pub default: Option<String>,
    /// How the page calls it.
    pub label: Option<String>,
}

/// `[allow]`: who may start it, where, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Members of these groups.
    pub groups: Option<Vec<String>>,
    /// In these clusters.
    pub clusters: Option<Vec<String>>,
    /// So many a person.
    pub max_per_user: Option<u32>,
    /// So many at all.
    pub max_total: Option<u32>,
}

static ROOT: Keys = Keys {
    at: "",
    names: &[
        "display-name",
        "description",
        "version",
        "workbench",
        "start",
        "cluster",
        "restart",
        "on-removal",
        "working-dir",
        "args",
        "access",
        "resources",
        "choices",
        "env",
        "allow",
        "health",
        "idle",
        "stop",
        "update",
        "publish",
        "placement",
    ],
};

static CHOICE: Keys = Keys { at: "choices.*", names: &["from", "default", "label"] };

static ALLOW: Keys =
    Keys { at: "allow", names: &["groups", "clusters", "max-per-user", "max-total"] };

pub(crate) static TABLES: &[&Keys] = &[
    &ROOT,
    &CHOICE,
    &ALLOW,
    &fields::ACCESS,
    &fields::RESOURCES,
    &fields::REQUEST,
    &fields::HEALTH,
    &fields::IDLE,
    &fields::STOP,
    &fields::UPDATE,
    &fields::PUBLISH,
    &fields::PLACEMENT,
];

/// Reads a template file's top level.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<TemplateFile> {
    let description = table.take("description", one_line());
    let version = table.take("version", one_line());
    let start = table.take("start", any());
    let choices = table.tables("choices", &CHOICE, |_, table| {
        let from = table.need("from", any());
        let default = table.take("default", one_line());
        let label = table.take("label", one_line());
        Some(Choice { from: from?, default, label })
    });
    let allow = table.sub("allow", &ALLOW, read_allow);
    let fields = fields::read_fields::<Offered>(table);
    check_port(table, allow.as_ref(), fields.as_ref());
    Some(TemplateFile { description, version, start, choices, allow, fields: fields? })
}

fn read_allow(table: &mut Table<'_, '_>) -> Option<Allow> {
    let allow = Allow {
        groups: table.list("groups", account()),
        clusters: table.list("clusters", label()),
        max_per_user: table.take("max-per-user", at_least_one()).map(|Count(most)| most),
        max_total: table.take("max-total", at_least_one()).map(|Count(most)| most),
    };
    if let (Some(each), Some(all)) = (allow.max_per_user, allow.max_total)
        && each > all
    {
        table.contradiction(
            "one person may start more than all people together",
            &["max-per-user", "max-total"],
            "lower `max-per-user`, or raise `max-total`",
        );
    }
    Some(allow)
}

/// A fixed port is one address: the second session of a template could not have it.
fn check_port(
    table: &mut Table<'_, '_>,
    allow: Option<&Allow>,
    fields: Option<&SessionFields<Offered>>,
) {
    let port = fields.and_then(|fields| fields.publish.as_ref()).and_then(|publish| publish.port);
    if port.is_some() && allow.and_then(|allow| allow.max_total) != Some(1) {
        table.contradiction(
            "a fixed port can be held by one session only, but a template has many",
            &["publish.port", "allow.max-total"],
            "leave `port` out: each session gets the first that is free, and keeps it",
        );
    }
}
