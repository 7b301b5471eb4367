//! `wharf state check`: whether the store is whole, each record can be read, and sessions' directories agree with it.
//!
//! Reads, and decides nothing: what is found means what [`engine_core::doctor::state`] and [`crate::ledger::audit`] say.

use std::path::PathBuf;

use clap::Args;
use engine_core::doctor::state::{self, compare, exit_code};
use engine_core::doctor::{Finding, Verdict};
use engine_core::ids::NodeId;
use serde_json::json;

use super::{FORMAT_VERSION, From, Read, directories, read};
use crate::cli::{Global, doctor, print, print_json, when};
use crate::ledger::audit::{Audit, PARTS, audit};

#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing. While an engine runs, what it has in memory is looked at; that its files are whole it\n\
    proves itself whenever it opens them.\n\n\
    Exit codes: 0 whole; 1 something is damaged or disagrees; 64 usage; 69 an engine has the store and does not\n\
    answer.\n\n\
    Examples:\n  wharf state check\n  wharf state check --json | jq '.findings[] | select(.verdict != \"ok\")'"
)]
pub(in crate::cli) struct CheckArgs {
    /// The configuration directory, as `serve` is given it
    dir: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &CheckArgs) -> Result<u8, u8> {
    let read = read(global, args.dir.as_deref())?;
    let records = read.image.as_ref().map_or(&[][..], |image| &image.records);
    let audit = audit(records, read.kept.seal().as_ref());
    let mut findings = of_store(&read);
    findings.extend(of_key(&read, &audit));
    findings.extend(audit.findings.iter().cloned());
    findings.extend(of_directories(&read, &audit));
    let code = exit_code(&findings);
    if args.json {
        let object = json!({
            "format_version": FORMAT_VERSION,
            "instance": read.kept.instance,
            "from": read.from.word(),
            "store": read.kept.store,
            "generation": audit.generation,
            "records": audit.counts,
            "findings": findings,
            "exit_code": code,
        });
        print_json(format!("{object:#}\n"));
    } else {
        print(&text(&read, &audit, &findings));
    }
    Ok(code)
}

/// That the key cannot be had, where something is sealed with it.
fn of_key(read: &Read, audit: &Audit) -> Option<Finding> {
    let lacks = read.kept.load_key().err().map(|error| crate::chain(&error));
    state::of_key(audit.counts.contains_key(PARTS), lacks)
}

/// The store itself: whether its files are whole, as far as this can be seen.
fn of_store(read: &Read) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    let damaged = |reason: &String| {
        let help = "the engine moves it aside when it starts, and loads the newest snapshot";
        Finding::new("store", Verdict::Failed, format!("damaged: {reason}")).help(help)
    };
    out.extend(read.damage.iter().map(damaged));
    if let (Some(unknown), false) = (read.kept.unknown_store(), matches!(read.from, From::Engine)) {
        out.push(Finding::new("store", Verdict::Unknown, unknown));
    }
    let whole = match (&read.from, &read.image) {
        (From::Engine, _) => "open in the running engine: what it has in memory was looked at",
        (From::Store(_), Some(_)) => "whole: every record has its digest, and none is missing",
        (From::Nothing(_), _) if out.is_empty() => "not there: nothing was stored yet",
        (From::Snapshot(_), Some(_)) if out.is_empty() => {
            "not there; what follows is of its snapshot"
        }
        (From::Store(_) | From::Snapshot(_) | From::Nothing(_), _) => return out,
    };
    let verdict = if matches!(read.from, From::Snapshot(_)) { Verdict::Note } else { Verdict::Ok };
    out.push(Finding::new("store", verdict, whole));
    out
}

fn of_directories(read: &Read, audit: &Audit) -> Vec<Finding> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let node = NodeId::new(&host).or_else(|_| NodeId::new("localhost"));
    let dir = read.kept.layout.sessions();
    let seen = directories::directories(&read.kept.layout);
    match (seen, node) {
        (Ok(seen), Ok(node)) => {
            compare(&audit.records, &seen, &node, matches!(read.from, From::Engine))
        }
        (Err(error), _) => {
            let text = format!("{} cannot be read: {error}", dir.display());
            let help = "run it as root, or as the engine's own account";
            vec![Finding::new("directories", Verdict::Unknown, text).help(help)]
        }
        (Ok(_), Err(_)) => Vec::new(),
    }
}

fn text(read: &Read, audit: &Audit, findings: &[Finding]) -> String {
    let mut out = format!(
        "wharf state check   instance {}   from {}\n",
        read.kept.instance,
        read.from.in_words()
    );
    if let Some(image) = &read.image {
        let generation = audit.generation.map(|generation| format!("   generation {generation}"));
        out.push_str(&format!("as of {}{}\n", when(image.made_at), generation.unwrap_or_default()));
    }
    out.push('\n');
    doctor::section(&mut out, findings);
    if !audit.counts.is_empty() {
        let counts = audit.counts.iter().map(|(kind, count)| format!("{kind} {count}"));
        out.push_str(&format!("\nrecords: {}\n", counts.collect::<Vec<_>>().join(", ")));
    }
    out
}
