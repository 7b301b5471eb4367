//! `wharf diff [A] [B]`: which options and lines differ between two sets of files.
//!
//! What the difference does to whom is told by `plan`; this is about text. Secrets are covered.

use std::path::Path;

use clap::Args;

use super::{Global, OK, Place, complain, print_as};
use crate::admin::client;
use crate::admin::protocol::{Answer, DiffSide, Request};
use crate::load::{load, open_to_read};
use crate::saved::SavedSite;

/// They differ.
const DIFFERS: u8 = 1;
/// They could not be compared.
const ERROR: u8 = 2;

#[derive(Debug, Args)]
#[command(
    after_help = "A and B are directories, generations (`41`), `in-force` or `disk`. Without both: in force against\n\
    disk; with a directory: in force against it; with a generation: that one against what is in force.\n\
    Two directories need no engine.\n\n\
    Exit codes: 0 the same, 1 they differ, 2 they could not be compared, 64 usage.\n\n\
    Examples:\n  wharf diff                      # what is on disk and not in force\n  \
    wharf diff 40 41                # two generations\n  \
    wharf diff /srv/stage           # a staged copy\n  \
    wharf diff stage-a stage-b --json | jq '.options[]'"
)]
pub(super) struct DiffArgs {
    /// The first set
    a: Option<String>,
    /// The second set
    b: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// A set as it is named on the command line.
enum Named {
    InForce,
    Disk,
    Generation(u64),
    Directory(String),
}

impl Named {
    fn of(text: &str) -> Self {
        match text {
            "in-force" => Self::InForce,
            "disk" => Self::Disk,
            text => {
                let number = text.parse().ok().filter(|_| !Path::new(text).exists());
                number.map_or_else(|| Self::Directory(text.to_owned()), Self::Generation)
            }
        }
    }
}

pub(super) fn run(global: &Global, args: &DiffArgs) -> u8 {
    let named = (args.a.as_deref().map(Named::of), args.b.as_deref().map(Named::of));
    let sides = match named {
        (None, _) => (Named::InForce, Named::Disk),
        (Some(generation @ Named::Generation(_)), None) => (generation, Named::InForce),
        (Some(one), None) => (Named::InForce, one),
        (Some(a), Some(b)) => (a, b),
    };
    let answer = match sides {
        (Named::Directory(a), Named::Directory(b)) => of_directories(global, &a, &b),
        (a, b) => ask(global, a, b),
    };
    match answer {
        Ok(Answer::Diff { same, text, json }) => {
            print_as(args.json, if args.json { json + "\n" } else { text });
            if same { OK } else { DIFFERS }
        }
        Ok(Answer::Error { message, .. }) => {
            complain(&message);
            ERROR
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            ERROR
        }
        Err(message) => {
            complain(&message);
            ERROR
        }
    }
}

fn of_directories(global: &Global, a: &str, b: &str) -> Result<Answer, String> {
    let (from, to) = (read(global, a)?, read(global, b)?);
    let ground = super::ground_for_check(&to);
    let verbose = global.verbose > 0;
    Ok(crate::control::differences::of_directories((a, from), (b, to), &ground, verbose))
}

fn ask(global: &Global, a: Named, b: Named) -> Result<Answer, String> {
    let dir = [&a, &b].into_iter().find_map(|side| match side {
        Named::Directory(dir) => Some(Path::new(dir)),
        _ => None,
    });
    let socket = Place::here().find_engine(global, dir)?;
    let side = |named| {
        Ok::<_, String>(match named {
            Named::InForce => DiffSide::InForce,
            Named::Disk => DiffSide::Disk,
            Named::Generation(n) => DiffSide::Generation(n),
            Named::Directory(dir) => {
                let site = Box::new(SavedSite::from(&read(global, &dir)?));
                DiffSide::Files { name: dir, site }
            }
        })
    };
    let request = Request::Diff { from: side(a)?, to: side(b)?, verbose: global.verbose > 0 };
    client::ask(&socket, request).map_err(|error| crate::chain(&error))
}

/// Reads a directory with this account's rights.
fn read(global: &Global, dir: &str) -> Result<engine_core::site::SiteFiles, String> {
    if !Path::new(dir).is_dir() {
        return Err(format!("{dir}: there is no such directory, and it is no generation's number"));
    }
    let dirs = global.site_dirs(Some(Path::new(dir)));
    Ok(load(&dirs, &[], &open_to_read, super::now()).files)
}
