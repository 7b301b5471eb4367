//! `wharf uninstall --plan`: what taking wharf off this machine would end, what stays, and the commands for it.
//!
//! Looks, and does nothing: the order and the words are [`engine_core::uninstall`]'s.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use engine_core::desired::Mode;
use engine_core::doctor::state::DirectorySeen;
use engine_core::uninstall::{Do, FILES, Installed, Living, Other, Uninstall, plan, unit_in};
use serde_json::json;

use super::state::Kept;
use super::state::directories::{account, directories};
use super::{Global, OK, Place, UNAVAILABLE, USAGE, complain, in_time, print, print_json, serve};
use crate::admin::client::{self, ClientError};
use crate::admin::protocol::{Answer, Request};
use crate::load::SiteDirs;
use crate::status::StatusView;

/// The version of the JSON object's form.
const FORMAT_VERSION: &str = "1.0";

#[derive(Debug, Args)]
#[command(
    after_help = "Does nothing but look. Sessions outlive the engine, so taking the program away ends none of them: the\n\
    commands do, in the order in which they are shown. What people wrote in /etc is in none of them.\n\n\
    The program, and directories below which another instance lies, are in none of them either.\n\n\
    Exit codes: 0 done; 1 an error; 64 usage, also without --plan; 69 an engine is there and does not answer, or\n\
    this account cannot tell: no commands are given then.\n\n\
    Examples:\n  wharf uninstall --plan\n  wharf uninstall --plan --json | jq -r '.plan.commands[].command'"
)]
pub(super) struct UninstallArgs {
    /// The configuration directory, as `serve` is given it
    dir: Option<PathBuf>,
    /// Say what would be done
    #[arg(long)]
    plan: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &UninstallArgs) -> u8 {
    if !args.plan {
        complain(
            "nothing is uninstalled by this command: with --plan it says what would end, what stays, and which \
             commands do it",
        );
        return USAGE;
    }
    let kept = match Kept::find(global, args.dir.as_deref()) {
        Ok(kept) => kept,
        Err(code) => return code,
    };
    let found = match look(global, args.dir.as_deref(), &kept) {
        Ok(found) => found,
        Err(why) => {
            complain(&format!("{why}; no commands are given while that is so"));
            return UNAVAILABLE;
        }
    };
    let planned = plan(&found);
    if args.json {
        let object = json!({
            "format_version": FORMAT_VERSION,
            "instance": found.instance,
            "engine": found.engine,
            "plan": planned,
        });
        print_json(format!("{object:#}\n"));
    } else {
        print(&text(&found, &planned));
    }
    OK
}

/// What the engine says; none = surely none runs.
///
/// # Errors
/// One is there and does not answer, or it cannot be told.
fn ask_engine(socket: &Path, kept: &Kept) -> Result<Option<Box<StatusView>>, String> {
    match client::ask(socket, Request::Status) {
        Ok(Answer::Status { status }) => return Ok(Some(status)),
        Ok(_) => return Err("the engine answered something else than was asked".to_owned()),
        Err(ClientError::NoEngine { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
        Err(error) => return Err(crate::chain(&error)),
    }
    // One that has just begun, or lost its socket, has the lock all the same.
    crate::instance::probe(&kept.layout).map_err(|error| crate::chain(&error))?;
    Ok(None)
}

/// Whatever there is of the instance and of an installation.
fn look(global: &Global, dir: Option<&Path>, kept: &Kept) -> Result<Installed, String> {
    let status = ask_engine(&kept.socket(global, dir), kept)?;
    let running = status.as_ref().map(|status| Kept::of_instance(&status.instance));
    let kept = match &running {
        Some(running) if running.instance != kept.instance => running,
        _ => kept,
    };
    let root = global.root.as_deref();
    let dir = dir.or(kept.dir.as_deref());
    // A path that files or an earlier engine named: only what is a store is spoken of.
    let is_apart = !kept.store.starts_with(&kept.layout.state)
        && crate::store::restore::found(&kept.store).is_some();
    Ok(Installed {
        instance: kept.instance.clone(),
        mode: status.as_ref().and_then(|status| mode(status)),
        engine: status.as_ref().map(|status| status.pid),
        sessions: match &status {
            Some(status) => told(status),
            None => left(kept),
        },
        foreign: status.as_ref().map_or(0, |status| foreign(status)),
        units: files(root, UNITS),
        programs: programs(root),
        prefixes: prefixes(root),
        listens: status
            .as_ref()
            .map_or_else(Vec::new, |status| status.listeners.values().cloned().collect()),
        state: there(&kept.layout.state),
        store: there(&kept.store).filter(|_| is_apart),
        homes: homes(&kept.layout.state.join("homes")),
        runtime: there(&kept.layout.runtime),
        configuration: configuration(global, dir, kept),
        dir: dir.or(global.config.as_deref()).map(|dir| dir.display().to_string()),
        unit: status.as_ref().and_then(|status| unit(status.pid)),
        others: others(&kept.instance),
    })
}

fn there(path: &Path) -> Option<String> {
    path.symlink_metadata().is_ok().then(|| path.display().to_string())
}

/// The directories of its files that are there; where they do not answer, those that it had at its last start.
fn configuration(global: &Global, dir: Option<&Path>, kept: &Kept) -> Vec<String> {
    let all = |dirs: &SiteDirs| {
        let workbench = dirs.workbench_dirs().map(|(dir, _)| dir.to_owned());
        workbench.chain([dirs.own_dir().to_owned()]).collect::<Vec<PathBuf>>()
    };
    let (asked, given) = (global.clone(), dir.map(Path::to_owned));
    let look = move || -> Vec<String> {
        let dirs = asked.site_dirs(given.as_deref());
        all(&dirs).iter().filter_map(|dir| there(dir)).collect()
    };
    let answer = in_time::ask(look).ok().and_then(|asked| asked.within(global.patience()).ok());
    let mut found = answer.unwrap_or_else(|| {
        let dirs = serve::dirs_on_record(&kept.layout).map_or_else(Vec::new, |dirs| all(&dirs));
        let dirs = if dirs.is_empty() { dir.map(Path::to_owned).into_iter().collect() } else { dirs };
        let shown: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        complain(&format!(
            "the files have not answered for {}: which of their directories are there was not looked at ({})",
            global.patience(),
            shown.join(", ")
        ));
        shown
    });
    found.dedup();
    found
}

/// The unit of ours that a process runs in.
fn unit(pid: u32) -> Option<String> {
    unit_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

fn others(instance: &str) -> Vec<Other> {
    let all = Place::here().instances().into_iter().filter(|(name, _)| name != instance);
    let shown = |dirs: Vec<PathBuf>| dirs.iter().map(|dir| dir.display().to_string()).collect();
    all.map(|(instance, dirs)| Other { instance, dirs: shown(dirs) }).collect()
}

/// Our live sessions, as the engine tells of them.
fn told(status: &StatusView) -> BTreeMap<String, Vec<Living>> {
    let mut by_account: BTreeMap<String, Vec<Living>> = BTreeMap::new();
    for session in status.sessions.iter().filter(|session| super::session::lives(session)) {
        if let Some(pid) = session.pid {
            let living = Living { session: session.id.clone(), pid };
            by_account.entry(session.user.clone()).or_default().push(living);
        }
    }
    by_account
}

/// The same, as their directories do.
fn left(kept: &Kept) -> BTreeMap<String, Vec<Living>> {
    let mut by_account: BTreeMap<String, Vec<Living>> = BTreeMap::new();
    let seen = directories(&kept.layout).unwrap_or_else(|error| {
        complain(&format!("{}: {error}", kept.layout.sessions().display()));
        BTreeMap::new()
    });
    for (incarnation, seen) in &seen {
        if let DirectorySeen::Lives { pid } = seen {
            let of = account(&kept.layout, incarnation).unwrap_or_else(|| "?".to_owned());
            let living = Living { session: incarnation.session.to_string(), pid: *pid };
            by_account.entry(of).or_default().push(living);
        }
    }
    by_account
}

fn mode(status: &StatusView) -> Option<Mode> {
    [Mode::Observe, Mode::Beside, Mode::Serve]
        .into_iter()
        .find(|mode| mode.to_string() == status.mode)
}

fn foreign(status: &StatusView) -> usize {
    status.sessions.iter().filter(|session| session.state == "foreign").count()
}

/// Where unit files lie, and what an enabled one leaves.
const UNITS: &[&str] = &[
    "/etc/systemd/system/wharf.service",
    "/usr/lib/systemd/system/wharf.service",
    "/usr/lib/systemd/system-preset/90-wharf.preset",
    "/etc/systemd/system-preset/90-wharf.preset",
];

/// Where an installation puts the rest.
const PROGRAMS: &[&str] = &[
    "/usr/bin/wharf",
    "/usr/local/bin/wharf",
    "/usr/share/bash-completion/completions/wharf",
    "/usr/share/zsh/site-functions/_wharf",
    "/usr/share/fish/vendor_completions.d/wharf.fish",
    "/usr/lib/wharf",
    "/usr/share/wharf",
    "/usr/share/doc/wharf",
];

/// Directories of manual pages.
const PAGES: &[&str] = &["/usr/share/man/man1", "/usr/local/share/man/man1"];

/// Where an archive may have been unpacked.
fn prefixes(root: Option<&Path>) -> Vec<String> {
    let all = ["/usr", "/usr/local"].iter().map(|prefix| below(root, prefix));
    all.filter(|prefix| prefix.join(FILES).is_file())
        .map(|prefix| prefix.display().to_string())
        .collect()
}

fn below(root: Option<&Path>, path: &str) -> PathBuf {
    match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    }
}

/// Those of `paths` that are there.
fn files(root: Option<&Path>, paths: &[&str]) -> Vec<String> {
    let all = paths.iter().map(|path| below(root, path));
    all.filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect()
}

fn programs(root: Option<&Path>) -> Vec<String> {
    let mut found = files(root, PROGRAMS);
    for dir in PAGES.iter().map(|dir| below(root, dir)) {
        let names = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        let ours = |name: &str| name.starts_with("wharf.") || name.starts_with("wharf-");
        if names.into_iter().any(|entry| ours(&entry.file_name().to_string_lossy())) {
            found.push(format!("{}/wharf*", dir.display()));
        }
    }
    // The very program that says this, where it lies elsewhere.
    if let (None, Ok(own)) = (root, std::env::current_exe()) {
        let own = own.display().to_string();
        if !found.contains(&own) {
            found.push(own);
        }
    }
    found
}

fn homes(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut homes: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
    homes.sort();
    homes
}

fn text(found: &Installed, planned: &Uninstall) -> String {
    let runs = match found.engine {
        Some(pid) => format!("engine runs (pid {pid})"),
        None => "no engine runs".to_owned(),
    };
    let mut out = format!("wharf uninstall --plan   instance {}   {runs}\n", found.instance);
    let living: usize = planned.ends.values().map(Vec::len).sum();
    match living {
        0 => out.push_str("\nNo session of ours lives.\n"),
        _ => out.push_str("\nWould end\n"),
    }
    for (account, sessions) in &planned.ends {
        for Living { session, pid } in sessions {
            out.push_str(&format!("  - {session}   {account}   pid {pid}\n"));
        }
    }
    if !planned.stays.is_empty() {
        out.push_str("\nStays until somebody removes it\n");
    }
    let width = planned.stays.iter().map(|of| of.what.chars().count()).max().unwrap_or(0).min(50);
    for stays in &planned.stays {
        out.push_str(&format!("  = {:<width$}   {}\n", stays.what, stays.note));
    }
    if !planned.commands.is_empty() {
        out.push_str("\nCommands, in this order\n");
    }
    for Do { command, note } in &planned.commands {
        if !note.is_empty() {
            out.push_str(&format!("  # {note}\n"));
        }
        out.push_str(&format!("  {command}\n"));
    }
    out.push_str("\nNothing was done.\n");
    out
}
