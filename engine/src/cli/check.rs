//! `wharf check`: are the files right? Needs no root, no network and no engine.
//!
//! Reads and prints; what is a problem, and what of a staged file counts, is decided in
//! [`engine_core::check`]. Read next: `show` (what is printed), `live` (`--live`).

mod live;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine_core::check::{self, Checked};
use engine_core::site::SiteFiles;
use grammar::check::AnyKind;
use grammar::error::{Problem, Severity, sort_problems};
use grammar::source::Source;

use super::{FAILED, Global, OK, USAGE, complain};
use crate::load::{load, open_to_read, overlay, read_one};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 valid; 1 problems (with --deny warnings also warnings, with --strict also\n\
    files that could not be read); 64 usage.\n\n\
    With --as, problems inside a staged file fail. What it breaks together with other files is a warning,\n\
    because those may be written next; with --set it counts. What the live files have already never fails.\n\n\
    Examples:\n  wharf check /etc/rstudio\n  wharf check /etc/rstudio/rserver.conf\n  \
    wharf check --as /etc/rstudio/rserver.conf=%s       # `validate:` of Ansible\n  \
    wharf check --message-format short"
)]
pub(super) struct CheckArgs {
    /// The configuration directory, or one file of it, which is then checked by itself
    #[arg(value_name = "DIR|FILE")]
    path: Option<PathBuf>,
    /// Check as if STAGED stood at PATH (may be given several times)
    #[arg(long = "as", value_name = "PATH=STAGED")]
    staged: Vec<String>,
    /// The staged files are the whole change: what they break between files is no mere warning
    #[arg(long, requires = "staged")]
    set: bool,
    /// What FILE is, where its name does not say it: rserver.conf, sessions.d ...
    #[arg(long, value_name = "NAME", requires = "path")]
    kind: Option<String>,
    /// Files that could not be read are an error
    #[arg(long)]
    strict: bool,
    /// Warnings are errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Also try what the files name: database, launcher, callback address, names
    #[arg(long)]
    live: bool,
    /// For whom
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    message_format: MessageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MessageFormat {
    Human,
    Short,
    Json,
    Github,
}

/// What was checked, with the texts that its problems point into.
struct Found {
    checked: Checked,
    sources: Vec<Source>,
}

pub(super) fn run(global: &Global, args: &CheckArgs) -> u8 {
    let began = std::time::Instant::now();
    let found = match &args.path {
        Some(path) if args.staged.is_empty() && (args.kind.is_some() || path.is_file()) => {
            one_file(args, path)
        }
        path => site(global, args, path.as_deref()),
    };
    let found = match found {
        Ok(found) => found,
        Err(code) => return code,
    };
    show::show(global, args, &found, began.elapsed());
    let deny_warnings = args.deny == Some(Deny::Warnings);
    let fails = |problem: &Problem| {
        problem.is_error() || (deny_warnings && problem.severity == Severity::Warning)
    };
    if found.checked.problems.iter().any(fails) { FAILED } else { OK }
}

/// One file, by itself.
fn one_file(args: &CheckArgs, path: &Path) -> Result<Found, u8> {
    let usage = |message: String| {
        complain(&message);
        USAGE
    };
    let shown = path.to_string_lossy();
    if path.symlink_metadata().is_err() {
        complain(&format!("{shown}: there is no such file"));
        return Err(FAILED);
    }
    let kind = match &args.kind {
        Some(name) => AnyKind::of_name(name)
            .ok_or_else(|| usage(format!("--kind {name}: there is no such kind of file")))?,
        None => AnyKind::of_path(&shown).ok_or_else(|| {
            usage(format!("{shown}: its name does not say what it is; say --kind NAME"))
        })?,
    };
    let source = match read_one(path, &open_to_read) {
        Ok(source) => source,
        Err(problem) => {
            let problems = vec![problem.problem(Severity::Error)];
            let checked = Checked { problems, ..Checked::default() };
            return Ok(Found { checked, sources: Vec::new() });
        }
    };
    Ok(Found { checked: check::check_alone(kind, &source), sources: vec![source] })
}

/// The whole family of files, with staged files in place where there are any.
fn site(global: &Global, args: &CheckArgs, path: Option<&Path>) -> Result<Found, u8> {
    let failed = |message: &str| {
        complain(message);
        FAILED
    };
    let overlays = super::plan::parse_overlays(&args.staged).map_err(|message| {
        complain(&message);
        USAGE
    })?;
    let given = path.or(global.config.as_deref()).map(Path::to_owned);
    let given = given.or_else(|| dir_of(&overlays));
    if let Some(dir) = given.as_deref().filter(|dir| !dir.is_dir()) {
        return Err(failed(&format!("{}: there is no such directory or file", dir.display())));
    }
    let dirs = global.site_dirs(given.as_deref());
    let now = super::now();
    let mut files = load(&dirs, &[], &open_to_read, now).files;
    let live = (!overlays.is_empty()).then(|| checked(&files, args));
    let mut staged = BTreeSet::new();
    for (path, file) in &overlays {
        let place = overlay(&mut files, path, file, &open_to_read, now);
        staged.insert(place.map_err(|error| failed(&crate::chain(&error)))?);
    }
    let mut checked = checked(&files, args);
    if let Some(live) = live {
        check::hold_against_live(&mut checked, &live.problems, &staged, args.set);
    }
    if args.live {
        checked.problems.extend(live::problems(&files));
        sort_problems(&mut checked.problems);
    }
    let sources = check::sources(&files).cloned().collect();
    Ok(Found { checked, sources })
}

fn checked(files: &SiteFiles, args: &CheckArgs) -> Checked {
    check::check(files, &super::ground_for_check(files), args.strict)
}

/// `--as PATH=STAGED` alone checks the directory that PATH is in.
pub(super) fn dir_of(overlays: &[(PathBuf, PathBuf)]) -> Option<PathBuf> {
    let (path, _) = overlays.first()?;
    let dir = path.parent()?;
    let drop_in = dir.extension().is_some_and(|extension| extension == "d");
    let dir = if drop_in { dir.parent()? } else { dir };
    (!dir.as_os_str().is_empty()).then(|| dir.to_owned())
}
