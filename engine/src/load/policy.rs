//! Reads `wharf.toml` alone, for whoever has to know which instance a site is of before anything else of it.

use engine_core::ids::Moment;
use engine_core::site::SiteFiles;

use super::{Open, Pass, Remembered, SiteDirs, TRIES, nobody_knows};
use crate::watch::WatchSet;

/// A site of which only `wharf.toml` was looked for: no other file was, whatever it says of them. As in
/// [`super::load`], a directory that is replaced meanwhile is read anew.
#[must_use]
pub fn load_policy(dirs: &SiteDirs, open: &Open<'_>, now: Moment) -> SiteFiles {
    for _ in 0..TRIES {
        let mut remembered = Remembered::default();
        let mut pass = Pass::new(dirs, open, now, (&mut remembered, None));
        pass.read_policy(dirs);
        if pass.is_steady() {
            return pass.files;
        }
    }
    nobody_knows(dirs, "it is replaced while it is read", WatchSet::default(), now).files
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use engine_core::known::Known;

    use super::*;
    use crate::load::{Own, open_to_read};

    #[test]
    fn the_policy_is_read_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(dir.path().join(name), "# here\n").unwrap();
        let read = |given: &Path, own: &Path| {
            let own = Own::Optional(own.to_owned());
            let dirs = SiteDirs::find(Some(given), own, &|_| None);
            load_policy(&dirs, &open_to_read, Moment(1))
        };
        let nowhere = dir.path().join("nowhere");
        write("rserver.conf");
        // No directory of ours, and one without the file.
        assert!(matches!(read(dir.path(), &nowhere).wharf, Known::Absent));
        assert!(matches!(read(&nowhere, dir.path()).wharf, Known::Absent));
        write("wharf.toml");
        for (given, own) in [(dir.path(), &*nowhere), (&*nowhere, dir.path())] {
            let files = read(given, own);
            assert!(files.wharf.present().is_some());
            let absent = |file: &Known<_>| matches!(file, Known::Absent);
            assert!(files.workbench.values().all(absent), "{files:?}");
        }
        std::fs::remove_file(dir.path().join("wharf.toml")).unwrap();
        std::os::unix::fs::symlink("gone", dir.path().join("wharf.toml")).unwrap();
        let files = read(dir.path(), &nowhere);
        assert!(files.wharf.is_unknown() && files.unreadable.len() == 1, "{files:?}");
    }
}
