//! `wharf check`: are the files right? Needs no root, no network and no engine.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine_core::desired;
use engine_core::site::SiteFiles;
use grammar::error::{Problem, Severity};
use grammar::report::{self, Format, Style};

use super::{FAILED, Global, OK, USAGE, complain, print};
use crate::load::{load, open_to_read, overlay};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 valid; 1 problems (with --deny warnings also warnings, with --strict also\n\
    files that could not be read); 64 usage.\n\n\
    Examples:\n  wharf check /etc/rstudio\n  \
    wharf check --as /etc/rstudio/rserver.conf=%s       # `validate:` of Ansible\n  \
    wharf check --message-format short"
)]
pub(super) struct CheckArgs {
    /// The configuration directory
    dir: Option<PathBuf>,
    /// Check as if STAGED stood at PATH (may be given several times)
    #[arg(long = "as", value_name = "PATH=STAGED")]
    staged: Vec<String>,
    /// Files that could not be read are an error
    #[arg(long)]
    strict: bool,
    /// Warnings are errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
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

pub(super) fn run(global: &Global, args: &CheckArgs) -> u8 {
    let overlays = match super::plan::parse_overlays(&args.staged) {
        Ok(overlays) => overlays,
        Err(message) => {
            complain(&message);
            return USAGE;
        }
    };
    let given = args.dir.as_deref().or(global.config.as_deref());
    let given = match given.map(Path::to_owned).or_else(|| dir_of(&overlays)) {
        Some(dir) if !dir.is_dir() => {
            complain(&format!("{}: there is no such directory", dir.display()));
            return FAILED;
        }
        given => given,
    };
    let dirs = global.site_dirs(given.as_deref());
    let now = super::now();
    let mut files = load(&dirs, &[], &open_to_read, now).files;
    let staged: Vec<PathBuf> = overlays.iter().map(|(path, _)| path.clone()).collect();
    let before = (!overlays.is_empty()).then(|| problems(&files, args.strict));
    for (path, file) in &overlays {
        if let Err(error) = overlay(&mut files, path, file, &open_to_read, now) {
            complain(&crate::chain(&error));
            return FAILED;
        }
    }
    let (mut found, options) = problems(&files, args.strict);
    if let Some((before, _)) = before {
        only_what_is_new(&mut found, &before, &staged);
    }
    show(global, args, &files, &found, options);
    let denied = |problem: &Problem| {
        problem.is_error()
            || (args.deny == Some(Deny::Warnings) && problem.severity == Severity::Warning)
    };
    if found.iter().any(denied) { FAILED } else { OK }
}

/// `--as PATH=STAGED` alone checks the directory that PATH is in.
fn dir_of(overlays: &[(PathBuf, PathBuf)]) -> Option<PathBuf> {
    let (path, _) = overlays.first()?;
    let dir = path.parent()?;
    let drop_in = dir.extension().is_some_and(|extension| extension == "d");
    let dir = if drop_in { dir.parent()? } else { dir };
    (!dir.as_os_str().is_empty()).then(|| dir.to_owned())
}

/// All problems of a set, and how many options it sets. Not read is not wrong, unless `strict`.
fn problems(files: &SiteFiles, strict: bool) -> (Vec<Problem>, usize) {
    let denied = if strict { Severity::Error } else { Severity::Note };
    let lowered = desired::lower(files, &super::ground_for_check(files));
    let mut problems = files.problems(denied);
    problems.extend(files.notes());
    problems.extend(lowered.problems);
    grammar::error::sort_problems(&mut problems);
    (problems, lowered.settings.len())
}

/// The rule of product.md §6: problems inside a staged file count; problems elsewhere that the live set
/// already has never fail the write, and new ones elsewhere are warnings.
fn only_what_is_new(found: &mut Vec<Problem>, before: &[Problem], staged: &[PathBuf]) {
    let inside = |problem: &Problem| {
        let file = problem.labels.first().map(|label| Path::new(&*label.file));
        file.is_some_and(|file| staged.iter().any(|path| file.ends_with(path) || path == file))
    };
    found.retain(|problem| inside(problem) || !before.contains(problem));
    for problem in found.iter_mut().filter(|problem| !inside(problem)) {
        problem.severity = problem.severity.max(Severity::Warning);
    }
}

fn show(global: &Global, args: &CheckArgs, files: &SiteFiles, found: &[Problem], options: usize) {
    let sources = crate::control::sources(files);
    let style = Style { color: global.color_for(&std::io::stdout()), width: Some(100) };
    let format = match args.message_format {
        MessageFormat::Human => Format::Human,
        MessageFormat::Short => Format::Short,
        MessageFormat::Json => Format::Json,
        MessageFormat::Github => Format::Github,
    };
    print(&report::render(found, &sources, format, style));
    if format == Format::Human && !global.quiet {
        let summary = grammar::check::render_summary(found, sources.len(), options);
        print(&format!("{summary}\n"));
    }
}
