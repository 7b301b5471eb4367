//! The directories of sessions, as `state check` and `uninstall` see them: read only, and nobody is spoken to.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use engine_core::doctor::state::DirectorySeen;
use engine_core::ids::{Incarnation, SessionId};

use crate::keeper::record::{self, EXIT, ExitRecord, IDENTITY, Identity, RecordError, SPEC, Spec};
use crate::keeper::{log, process};
use crate::layout::Layout;

/// The account that an incarnation was started for; none where its directory does not say.
pub(in crate::cli) fn account(layout: &Layout, incarnation: &Incarnation) -> Option<String> {
    let dir = record::open_dir(&layout.incarnation(incarnation)).ok()?;
    let spec = record::read::<Spec>(dir.as_fd(), SPEC).ok().flatten()?;
    Some(spec.order.launch.user.to_string())
}

/// What each incarnation's directory tells; names that are none of ours are left out.
///
/// # Errors
/// The directory of all of them cannot be read; one that is not there has none.
pub(in crate::cli) fn directories(
    layout: &Layout,
) -> io::Result<BTreeMap<Incarnation, DirectorySeen>> {
    let boot = process::boot_id()?;
    let mut all = BTreeMap::new();
    for session in names(&layout.sessions())? {
        let Ok(id) = SessionId::new(&session) else { continue };
        for start in names(&layout.sessions().join(&session))? {
            let Ok(n) = start.parse() else { continue };
            let incarnation = Incarnation::new(id.clone(), n);
            let seen = seen(&layout.incarnation(&incarnation), &boot);
            let seen = seen.unwrap_or_else(|reason| DirectorySeen::Unreadable { reason });
            all.insert(incarnation, seen);
        }
    }
    Ok(all)
}

/// The end of the log of a session's newest start that has a directory here: at most so many bytes.
///
/// # Errors
/// In words: there is none, or it cannot be read.
pub(in crate::cli) fn newest_log(
    layout: &Layout,
    session: &str,
    most: u64,
) -> Result<(Incarnation, String), String> {
    let id = SessionId::new(session).map_err(|error| error.to_string())?;
    let starts = names(&layout.sessions().join(id.as_str())).map_err(|error| error.to_string())?;
    let newest = starts.iter().filter_map(|start| start.parse().ok()).max();
    let incarnation = Incarnation::new(id, newest.ok_or("no start of it has a directory here")?);
    let dir = record::open_dir(&layout.incarnation(&incarnation)).map_err(|e| e.to_string())?;
    let text = log::tail(dir.as_fd(), most).map_err(|error| error.to_string())?;
    Ok((incarnation, text))
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn seen(path: &Path, boot: &str) -> Result<DirectorySeen, String> {
    let words = |error: RecordError| crate::chain(&error);
    let dir = record::open_dir(path).map_err(|error| error.to_string())?;
    let dir = dir.as_fd();
    if record::read::<ExitRecord>(dir, EXIT).map_err(words)?.is_some() {
        return Ok(DirectorySeen::Over);
    }
    let Some(identity) = record::read::<Identity>(dir, IDENTITY).map_err(words)? else {
        return Ok(DirectorySeen::Begun);
    };
    if identity.boot_id != boot {
        return Ok(DirectorySeen::Lost);
    }
    let lives = |of: process::ProcessId| of.is_running().map_err(|error| error.to_string());
    Ok(match lives(identity.child)? || lives(identity.keeper)? {
        true => DirectorySeen::Lives { pid: identity.child.pid },
        false => DirectorySeen::Lost,
    })
}
