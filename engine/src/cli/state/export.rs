//! `wharf state export`: a copy of everything in the store, of one moment, that says what it is and proves that it is whole.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{FORMAT_VERSION, From, Read, failed, read};
use crate::cli::{FAILED, Global, OK, USAGE, complain, print_as, when};
use crate::store::snapshot::{self, Image, SnapshotError};

#[derive(Debug, Args)]
#[command(
    after_help = "Lines of JSON with a digest at the end. Texts of accepted files are in it sealed with this instance's key,\n\
    which is not: keep `key` of the state directory, too, and elsewhere.\n\n\
    Exit codes: 0 done; 1 there is no store, or it cannot be read or written; 64 usage; 69 an engine has the\n\
    store and does not answer.\n\n\
    Examples:\n  wharf state export --out /srv/backup/wharf-$(date +%F).jsonl\n  \
    wharf state export | ssh backup 'cat > wharf.jsonl'"
)]
pub(in crate::cli) struct ExportArgs {
    /// The configuration directory, as `serve` is given it
    dir: Option<PathBuf>,
    /// Write FILE (0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write over FILE
    #[arg(long, requires = "out")]
    force: bool,
    /// Say as JSON what was written
    #[arg(long, requires = "out")]
    json: bool,
}

pub(super) fn run(global: &Global, args: &ExportArgs) -> Result<u8, u8> {
    if args.out.is_none() && std::io::stdout().is_terminal() {
        complain("standard output is a terminal: say where to with --out FILE, or pipe it");
        return Err(USAGE);
    }
    let read = read(global, args.dir.as_deref())?;
    if let (Some(unknown), false) = (read.kept.unknown_store(), matches!(read.from, From::Engine)) {
        return Err(failed(&unknown));
    }
    for damage in &read.damage {
        complain(&format!("{}: {damage}", read.kept.store.display()));
    }
    let Some(image) = &read.image else {
        return Err(failed(&format!(
            "there is nothing to export: no store at {}, and no snapshot beside it",
            read.kept.store.display()
        )));
    };
    match &args.out {
        Some(path) => {
            snapshot::write_copy(path, image, args.force).map_err(|error| refused(&error))?;
            print_as(args.json, told(&read, image, path, args.json));
        }
        None => {
            let written = std::io::stdout().lock().write_all(&snapshot::bytes(image));
            written.map_err(|error| failed(&format!("standard output: {error}")))?;
            if !global.quiet {
                complain(&format!("exported from {}", read.from.in_words()));
            }
        }
    }
    Ok(if read.damage.is_empty() { OK } else { FAILED })
}

fn refused(error: &SnapshotError) -> u8 {
    match error {
        SnapshotError::Io { path, source, .. } if source.kind() == ErrorKind::AlreadyExists => {
            failed(&format!("{} is there already: --force writes over it", path.display()))
        }
        error => failed(&crate::chain(error)),
    }
}

fn told(read: &Read, image: &Image, path: &std::path::Path, json: bool) -> String {
    let records = image.records.len();
    if json {
        let object = json!({
            "format_version": FORMAT_VERSION,
            "instance": image.instance,
            "made_at": image.made_at,
            "from": read.from.word(),
            "records": records,
            "file": path,
            "damage": read.damage,
        });
        return format!("{object:#}\n");
    }
    let (from, made) = (read.from.in_words(), when(image.made_at));
    let noun = if records == 1 { "record" } else { "records" };
    format!(
        "{records} {noun} of instance {}, as of {made}, from {from}\n  written to {}\n  \
         not in it: the key that opens its accepted files, {}\n",
        image.instance,
        path.display(),
        read.kept.layout.state.join("key").display()
    )
}
