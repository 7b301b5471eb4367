//! `wharf state import`: makes the store of an export. Everything is checked before anything is written.

use std::path::{Path, PathBuf};

use clap::Args;
use engine_core::doctor::Verdict;
use serde_json::json;

use super::{FORMAT_VERSION, Kept, failed};
use crate::cli::{FAILED, Global, OK, UNAVAILABLE, complain, print_as, when};
use crate::instance::{self, LockError};
use crate::ledger::audit::audit;
use crate::store::restore::{self, RestoreError};
use crate::store::snapshot::{self, Image};

#[derive(Debug, Args)]
#[command(
    after_help = "Sessions that live are found again by the engine when it starts, whatever the export knows of them.\n\n\
    With --replace the store before it is moved aside first, as STORE.replaced-TIME, and back if the new one cannot\n\
    be written.\n\n\
    Exit codes: 0 done; 1 refused or failed, and what was there is as it was, or it is said where it is; 64 usage;\n\
    69 an engine runs: stop it first, its sessions run on.\n\n\
    Examples:\n  wharf state import /srv/backup/wharf-2026-11-26.jsonl --dry-run\n  \
    wharf state import /srv/backup/wharf-2026-11-26.jsonl --replace"
)]
pub(in crate::cli) struct ImportArgs {
    /// What `wharf state export` wrote
    file: PathBuf,
    /// The configuration directory, as `serve` is given it: its files say where the store is
    /// [default: this machine's files, if they are of the instance in FILE]
    dir: Option<PathBuf>,
    /// Take the place of a store that is there; it is moved aside, not deleted
    #[arg(long)]
    replace: bool,
    /// Take an export of another instance
    #[arg(long)]
    other_instance: bool,
    /// Take an export whose accepted files this instance's key does not open
    #[arg(long)]
    other_key: bool,
    /// Check everything and change nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &ImportArgs) -> Result<u8, u8> {
    let image = snapshot::load(&args.file).map_err(|error| failed(&crate::chain(&error)))?;
    // Foreign words, and a part of paths.
    if !grammar::own::is_instance_name(&image.instance) {
        let name: String = image.instance.chars().take(80).flat_map(char::escape_debug).collect();
        let file = args.file.display();
        return Err(failed(&format!("{file} is of \"{name}\", and no instance is called so")));
    }
    let dir = args.dir.as_deref();
    let kept = match &global.instance {
        None if dir.is_some() || global.config.is_some() => Kept::find(global, dir)?,
        instance => {
            Kept::of_sound_files(global, dir, instance.as_ref().unwrap_or(&image.instance))?
        }
    };
    examine(args, &image, &kept)?;
    if let Some(unknown) = kept.unknown_store() {
        instance::probe(&kept.layout).map_err(|error| locked(&error))?;
        return Err(failed(&unknown));
    }
    make_state_dir(&kept, args.dry_run)?;
    // Held to the end: no engine starts upon half a store.
    let _lock = match kept.layout.lock_file().parent().is_some_and(Path::is_dir) {
        true => Some(instance::lock(&kept.layout).map_err(|error| locked(&error))?),
        false => None,
    };
    let found = restore::found(&kept.store);
    if args.dry_run {
        if let (Some(found), false) = (&found, args.replace) {
            return Err(occupied(&kept, found));
        }
        print_as(args.json, told(args, &image, &kept, &[]));
        return Ok(OK);
    }
    let done = restore::restore(&kept.store, &image, args.replace, crate::cli::now());
    let done = done.map_err(|error| match &error {
        RestoreError::Occupied { found, .. } => occupied(&kept, found),
        error @ (RestoreError::Open(_) | RestoreError::NotBack { .. }) => {
            failed(&crate::chain(error))
        }
    })?;
    print_as(args.json, told(args, &image, &kept, &done.aside));
    Ok(OK)
}

fn make_state_dir(kept: &Kept, dry_run: bool) -> Result<(), u8> {
    use std::os::unix::fs::DirBuilderExt;
    if dry_run {
        return Ok(());
    }
    let dir = &kept.layout.state;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o711).create(dir);
    made.map_err(|error| failed(&format!("cannot make {}: {error}", dir.display())))
}

fn locked(error: &LockError) -> u8 {
    complain(&crate::chain(error));
    match error {
        LockError::Running { .. } => UNAVAILABLE,
        LockError::System { .. } => FAILED,
    }
}

fn occupied(kept: &Kept, found: &str) -> u8 {
    failed(&format!(
        "there is a store at {} already ({found}): nothing was changed.\n\
         --replace moves it aside and takes its place; `wharf state check` says whether it is whole",
        kept.store.display()
    ))
}

/// Whose it is, whether its texts can be opened, and whether each record can be read.
fn examine(args: &ImportArgs, image: &Image, kept: &Kept) -> Result<(), u8> {
    if image.instance != kept.instance && !args.other_instance {
        return Err(failed(&format!(
            "{} is of instance {}, and this one is {}: --other-instance takes it all the same",
            args.file.display(),
            image.instance,
            kept.instance
        )));
    }
    let key = kept.key().map(|key| key.fingerprint());
    let opens = image.key.is_empty() || key.as_deref() == Some(image.key.as_str());
    if !opens && !args.other_key {
        let path = kept.layout.state.join("key");
        let lacks = if key.is_some() { "is another one than" } else { "is not there; it was" };
        return Err(failed(&format!(
            "the key {} {lacks} the one that sealed the accepted files of {}.\n\
             Put that key there first, or take what needs none with --other-key: the files on disk then come into \
             force anew",
            path.display(),
            args.file.display()
        )));
    }
    let seal = if opens && !args.other_key { kept.seal() } else { None };
    let audit = audit(&image.records, seal.as_ref());
    let bad = audit.findings.iter().filter(|finding| finding.verdict == Verdict::Failed);
    let bad: Vec<String> = bad.map(|of| format!("{}: {}", of.area, of.text)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    bad.iter().for_each(|line| complain(line));
    Err(failed(&format!("{} is not imported: nothing was changed", args.file.display())))
}

fn told(args: &ImportArgs, image: &Image, kept: &Kept, aside: &[PathBuf]) -> String {
    let records = image.records.len();
    if args.json {
        let object = json!({
            "format_version": FORMAT_VERSION,
            "dry_run": args.dry_run,
            "instance": kept.instance,
            "made_at": image.made_at,
            "records": records,
            "store": kept.store,
            "aside": aside,
        });
        return format!("{object:#}\n");
    }
    let does = if args.dry_run { "would be put" } else { "put" };
    let mut out = format!(
        "{records} records of instance {}, as of {}, {does} into {}\n",
        image.instance,
        when(image.made_at),
        kept.store.display()
    );
    for path in aside {
        out.push_str(&format!("  the store before it is now {}\n", path.display()));
    }
    if !args.dry_run {
        out.push_str("  start the engine: sessions that live are found again\n");
    }
    out
}
