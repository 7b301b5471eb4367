//! `wharf doctor`: what this machine lacks to serve the site; with `--cutover`, what would be lost if wharf took the
//! product's place.
//!
//! Reads, and runs nothing. What is found means what [`engine_core::doctor`] says; the collecting is in
//! [`collect`].

mod collect;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use engine_core::desired::lower;
use engine_core::doctor::{Finding, Verdict, cutover, examine, exit_code};
use engine_core::report::incumbent::as_serving;
use grammar::report::escaped;
use serde_json::json;

use super::{FAILED, Global, complain, print, print_json};
use crate::load::{load, open_to_read};

/// The version of the JSON object's form.
const FORMAT_VERSION: &str = "1.0";

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 healthy; 1 something does not work; 2 something is degraded, not known, or would\n\
    be lost; 64 usage.\n\n\
    Examples:\n  wharf doctor\n  wharf doctor --cutover              # before wharf takes Workbench's place\n  \
    wharf doctor --cutover --json | jq '.cutover[] | select(.verdict == \"lost\")'"
)]
pub(super) struct DoctorArgs {
    /// The configuration directory
    dir: Option<PathBuf>,
    /// Also what would be lost if wharf took the product's place
    #[arg(long)]
    cutover: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// All that was looked at.
struct Looked {
    site: String,
    mode: String,
    /// This node; none for a copy of another machine.
    node: Option<String>,
    findings: Vec<Finding>,
    cutover: Option<Vec<Finding>>,
}

pub(super) fn run(global: &Global, args: &DoctorArgs) -> u8 {
    let given = args.dir.as_deref().or(global.config.as_deref());
    if let Some(dir) = given.filter(|dir| !dir.is_dir()) {
        complain(&format!("{}: there is no such directory", dir.display()));
        return FAILED;
    }
    let looked = look(global, args);
    if args.json {
        print_json(format!("{:#}\n", object(&looked)));
    } else {
        print(&text(&looked));
    }
    exit_code(looked.findings.iter().chain(looked.cutover.iter().flatten()))
}

fn look(global: &Global, args: &DoctorArgs) -> Looked {
    let given = args.dir.as_deref().or(global.config.as_deref());
    let files = load(&global.site_dirs(given), &[], &open_to_read, super::now()).files;
    let ground = super::ground_for_check(&files);
    let lowered = lower(&files, &ground);
    let machine = collect::machine(global.root.as_deref(), &lowered, &ground, args.cutover);
    let lost = || {
        let serving = lower(&as_serving(&files), &ground);
        cutover(&files, &serving, &machine)
    };
    Looked {
        site: files.workbench_dir.to_string(),
        mode: lowered.desired.mode.to_string(),
        node: global.root.is_none().then(|| ground.node.to_string()),
        findings: examine(&files, &lowered, &machine),
        cutover: args.cutover.then(lost),
    }
}

fn object(looked: &Looked) -> serde_json::Value {
    let all = || looked.findings.iter().chain(looked.cutover.iter().flatten());
    json!({
        "format_version": FORMAT_VERSION,
        "site": looked.site,
        "mode": looked.mode,
        "node": looked.node,
        "findings": looked.findings,
        "cutover": looked.cutover,
        "exit_code": exit_code(all()),
    })
}

fn text(looked: &Looked) -> String {
    let mut out = String::new();
    let Looked { site, mode, node, .. } = looked;
    let node = node.as_ref().map(|node| format!("   node {node}")).unwrap_or_default();
    let _ = writeln!(out, "wharf doctor   site {site}   mode {mode}{node}\n");
    section(&mut out, &looked.findings);
    if let Some(lost) = &looked.cutover {
        out.push_str("\nAt cut-over, if wharf took the product's place now\n");
        section(&mut out, lost);
    }
    out.push('\n');
    let all: Vec<&Finding> =
        looked.findings.iter().chain(looked.cutover.iter().flatten()).collect();
    let verdicts = [
        (Verdict::Failed, "failed"),
        (Verdict::Lost, "lost"),
        (Verdict::Degraded, "degraded"),
        (Verdict::Unknown, "not known"),
        (Verdict::Note, "to note"),
        (Verdict::Ok, "ok"),
    ];
    let counts = verdicts.iter().filter_map(|(verdict, word)| {
        let count = all.iter().filter(|finding| finding.verdict == *verdict).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let _ = writeln!(out, "{}", counts.collect::<Vec<_>>().join(", "));
    out
}

/// A line a finding, with what to do below it.
pub(super) fn section(out: &mut String, findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.area.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let Finding { area, verdict, text, .. } = finding;
        let text = escaped(text);
        let _ = writeln!(out, "{:<5} {area:<width$}   {text}", verdict.word());
        let indent = " ".repeat(6 + width + 3);
        if !finding.places.is_empty() {
            let _ = writeln!(out, "{indent}because {}", finding.places.join(", "));
        }
        if let Some(help) = &finding.help {
            let _ = writeln!(out, "{indent}help: {help}");
        }
    }
}
