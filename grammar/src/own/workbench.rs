//! `[workbenches.NAME]` of `wharf.toml`: how a workbench is started.
//!
//! A workbench of the product (`rstudio`, `jupyterlab`, ...) may be changed here, another one is added.

use std::collections::BTreeMap;

use super::check;
use super::check::{any, one_line, relative_path, url_path, variable};
use super::leaf::words;
use super::table::{Keys, Table};

/// The workbenches that are there without a table of their own.
pub const BUILT_IN: &[&str] = &["rstudio", "jupyterlab", "jupyter-notebook", "vs-code"];

/// `[workbenches.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkbenchTable {
    /// The program; always there for a workbench that is not built in.
    pub exe: Option<String>,
    /// Its arguments, with the placeholders of [`super::placeholder::WORKBENCH`].
    pub args: Option<Vec<String>>,
    /// Its variables, with the same placeholders.
    pub env: Option<BTreeMap<String, String>>,
    /// The path that answers once it is ready.
    pub ready_path: Option<String>,
    /// Whether it sees the path before its pages.
    pub base: Option<Base>,
    /// Whether it is installed when it is not there.
    pub install: Option<Install>,
    /// The pinned requirements, below the directory of `wharf.toml`; there exactly when `install` is pinned.
    pub requirements: Option<String>,
    /// How people call it.
    pub display_name: Option<String>,
}

words! {
    /// Whether a session sees the path before its pages, `/s/<id>`.
    Base {
        /// It does.
        Keep = "keep",
        /// It is taken off.
        Strip = "strip",
    }
}

words! {
    /// Whether a workbench is installed when it is not there.
    Install {
        /// No.
        Never = "never",
        /// From a file of requirements with exact versions.
        Pinned = "pinned",
    }
}

pub(crate) static WORKBENCH: Keys = Keys {
    at: "workbenches.*",
    names: &["exe", "args", "env", "ready-path", "base", "install", "requirements", "display-name"],
};

/// Reads a `[workbenches.NAME]`.
pub(crate) fn read(given: &str, table: &mut Table<'_, '_>) -> Option<WorkbenchTable> {
    if !BUILT_IN.contains(&given) && !table.has("exe") {
        table.missing("exe", &format!("name the program; only {} have one", BUILT_IN.join(", ")));
    }
    let workbench = WorkbenchTable {
        exe: table.take("exe", one_line()),
        args: table.list("args", check::of_workbench()),
        env: table.entries("env", variable(), check::of_workbench()),
        ready_path: table.take("ready-path", url_path()),
        base: table.take("base", any()),
        install: table.take("install", any()),
        requirements: table.take("requirements", relative_path()),
        display_name: table.take("display-name", one_line()),
    };
    let pinned = workbench.install == Some(Install::Pinned);
    if pinned && !table.has("requirements") {
        table.missing("requirements", "install = \"pinned\" needs a file with exact versions");
    }
    // An `install` that could not be read contradicts nothing.
    let known = workbench.install.is_some() || !table.has("install");
    if known && !pinned && workbench.requirements.is_some() {
        table.contradiction(
            "`requirements` acts with install = \"pinned\" only",
            &["requirements", "install"],
            "write install = \"pinned\", or leave `requirements` out",
        );
    }
    Some(workbench)
}
