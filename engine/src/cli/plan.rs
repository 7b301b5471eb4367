//! `wharf plan`: what would the files do, to whom, because of which line?
//!
//! Reads the files with its own rights and asks the engine, which plans with the one function there is.
//! Without an engine it plans from what can be read without writing, and says so. Writes nothing.

mod offline;

use std::path::{Path, PathBuf};

use clap::Args;
use engine_core::site::SiteFiles;

use super::{
    CHANGES, FAILED, Global, HARM, OK, Place, UNAVAILABLE, USAGE, complain, print, print_json,
};
use crate::admin::client::{self, ClientError};
use crate::admin::protocol::{Answer, PlanForm, Request};
use crate::control::planning::Wish;
use crate::load::{load, open_to_read, overlay};
use crate::saved::SavedSite;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 the files are refused, or an error; with --detailed-exitcode\n\
    2 = the files change something, 3 = and somebody would be hurt; what waits already counts as no change;\n\
    64 usage; 69 the engine does not answer.\n\n\
    Examples:\n  wharf plan                                  # the files on disk against those in force\n  \
    wharf plan /root/stage                      # a staged copy of the whole directory\n  \
    wharf plan --as /etc/rstudio/launcher-env=/tmp/new --detailed-exitcode\n  \
    wharf plan /root/stage --out change.plan    # keep it, for `wharf apply change.plan`\n  \
    wharf plan /root/stage --offline            # of the files alone, whatever runs here: in a merge request's check\n  \
    wharf plan --pending -v                     # what waits, drifts and is outdated now, by name\n  \
    wharf plan /root/stage --markdown           # for a merge request: counts, no names of people"
)]
pub(super) struct PlanArgs {
    /// A staged copy of the configuration directory
    dir: Option<PathBuf>,
    /// Plan as if STAGED stood at PATH (may be given several times)
    #[arg(long = "as", value_name = "PATH=STAGED")]
    staged: Vec<String>,
    /// What waits, drifts and is outdated of the set in force; the files on disk are not looked at
    #[arg(long, conflicts_with_all = ["dir", "staged", "out"])]
    pending: bool,
    /// Ask no engine: plan from the files alone, as if nothing of theirs ran
    #[arg(long, conflicts_with = "pending")]
    offline: bool,
    /// Keep the plan in FILE (0600), for `wharf apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// As one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// For a merge request: sessions counted by kind, nobody named
    #[arg(long)]
    markdown: bool,
    /// Name people and their sessions in Markdown, too
    #[arg(long, requires = "markdown")]
    people: bool,
    /// 0 = no new changes, 2 = changes, 3 = changes that hurt somebody
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(global: &Global, args: &PlanArgs) -> u8 {
    let overlays = match parse_overlays(&args.staged) {
        Ok(overlays) => overlays,
        Err(message) => {
            complain(&message);
            return USAGE;
        }
    };
    let engine = Place::here().find_engine(global, args.dir.as_deref());
    let answer = match engine {
        _ if args.offline => without_engine(global, args, &overlays),
        Ok(socket) => ask_engine(global, args, &overlays, &socket),
        Err(message) if args.pending => {
            // What waits is known to an engine only.
            complain(&message);
            return UNAVAILABLE;
        }
        Err(_) => without_engine(global, args, &overlays),
    };
    match answer {
        Ok(answer) => show(args, answer),
        Err(code) => code,
    }
}

pub(super) fn parse_overlays(given: &[String]) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    given
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((path, staged)) if !path.is_empty() && !staged.is_empty() => {
                Ok((PathBuf::from(path), PathBuf::from(staged)))
            }
            _ => Err(format!("--as {pair}: write PATH=STAGED")),
        })
        .collect()
}

/// What the header says of the files that are planned for.
fn against(args: &PlanArgs, overlays: &[(PathBuf, PathBuf)]) -> String {
    match (&args.dir, overlays.len()) {
        (Some(dir), 0) => format!("staged: {}", dir.display()),
        (Some(dir), n) => format!("staged: {} and {n} more", dir.display()),
        (None, 0) => "on disk".to_owned(),
        (None, 1) => "staged: 1 file".to_owned(),
        (None, n) => format!("staged: {n} files"),
    }
}

fn wish(global: &Global, args: &PlanArgs) -> Wish {
    let form =
        if args.markdown { PlanForm::Markdown { people: args.people } } else { PlanForm::Text };
    Wish { verbose: global.verbose > 0, form, keep: args.out.is_some() }
}

fn ask_engine(
    global: &Global,
    args: &PlanArgs,
    overlays: &[(PathBuf, PathBuf)],
    socket: &Path,
) -> Result<Answer, u8> {
    let site = if args.dir.is_none() && overlays.is_empty() {
        None
    } else {
        let dir = match &args.dir {
            Some(dir) => dir.clone(),
            None => served_dir(socket)?,
        };
        let files = read(global, Some(&dir), overlays)?;
        Some(Box::new(SavedSite::from(&files)))
    };
    let wish = wish(global, args);
    let request = Request::Plan {
        site,
        against: against(args, overlays),
        warnings: Vec::new(),
        verbose: wish.verbose,
        form: wish.form,
        pending: args.pending,
        keep: wish.keep,
    };
    answer_of(client::ask(socket, request))
}

fn answer_of(answer: Result<Answer, ClientError>) -> Result<Answer, u8> {
    match answer {
        Ok(Answer::Error { message, .. }) => {
            complain(&message);
            Err(FAILED)
        }
        Ok(answer) => Ok(answer),
        Err(error) => {
            complain(&crate::chain(&error));
            Err(UNAVAILABLE)
        }
    }
}

/// The directory that the engine serves: what `--as` alone lays the staged file over.
fn served_dir(socket: &Path) -> Result<PathBuf, u8> {
    match answer_of(client::ask(socket, Request::Status))? {
        Answer::Status { status } if status.site_dir.is_empty() => Ok(PathBuf::from(status.site)),
        Answer::Status { status } => Ok(PathBuf::from(status.site_dir)),
        _ => Err(FAILED),
    }
}

/// Reads the files with this account's rights.
fn read(
    global: &Global,
    dir: Option<&Path>,
    overlays: &[(PathBuf, PathBuf)],
) -> Result<SiteFiles, u8> {
    staged(global, dir, overlays).map_err(|message| {
        complain(&message);
        FAILED
    })
}

/// The files with staged ones in their places.
fn staged(
    global: &Global,
    dir: Option<&Path>,
    overlays: &[(PathBuf, PathBuf)],
) -> Result<SiteFiles, String> {
    let given = dir.or(global.config.as_deref());
    let dirs = global.site_dirs(given);
    let now = super::now();
    let mut files = load(&dirs, &[], &open_to_read, now).files;
    for (path, staged) in overlays {
        overlay(&mut files, path, staged, &open_to_read, now)
            .map_err(|error| crate::chain(&error))?;
    }
    Ok(files)
}

/// Plans without an engine: everything that is asked for is to start; a staged file is held against those in place.
fn without_engine(
    global: &Global,
    args: &PlanArgs,
    overlays: &[(PathBuf, PathBuf)],
) -> Result<Answer, u8> {
    let given = args.dir.as_deref().or(global.config.as_deref()).map(Path::to_owned);
    // Where nobody says which site, it is that of the machine, or else the one that the path lies in.
    let of_path = || super::check::dir_of(overlays).filter(|dir| dir.is_dir());
    let elsewhere = if given.is_none() { of_path() } else { None };
    let dir = elsewhere.filter(|_| staged(global, None, overlays).is_err()).or(given);
    let files = read(global, dir.as_deref(), overlays)?;
    let in_place = match overlays {
        [] => None,
        _ => Some(read(global, dir.as_deref(), &[])?),
    };
    let around = offline::Around {
        in_place: in_place.as_ref(),
        root: global.root.as_deref(),
        asked: !args.offline,
    };
    Ok(offline::plan(&files, &against(args, overlays), wish(global, args), &around))
}

fn show(args: &PlanArgs, answer: Answer) -> u8 {
    match answer {
        Answer::Plan { text, json, new, harmful, plan } => {
            if args.json {
                print_json(json + "\n");
            } else {
                print(&text);
            }
            if let (Some(path), Some(plan)) = (&args.out, plan)
                && let Err(error) = plan.write(path)
            {
                complain(&crate::chain(&error));
                return FAILED;
            }
            match (args.detailed_exitcode, new, harmful) {
                (true, true, true) => HARM,
                (true, true, false) => CHANGES,
                _ => OK,
            }
        }
        Answer::Refused { rendered, problems } => {
            if args.json {
                let object = serde_json::json!({
                    "format_version": engine_core::report::json::FORMAT_VERSION,
                    "refused": problems,
                });
                print_json(format!("{object}\n"));
            } else {
                print(&rendered);
            }
            FAILED
        }
        _ => {
            complain("the engine answered something else than was asked");
            FAILED
        }
    }
}
