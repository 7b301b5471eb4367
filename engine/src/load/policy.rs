//! Reads `wharf.toml` alone, for whoever has to know which instance a site is of before anything else of it.

use engine_core::ids::Moment;
use engine_core::site::SiteFiles;

use super::{Open, Pass, Policied, Remembered, SiteDirs, TRIES, nobody_knows};
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

/// The directories of a site and its `wharf.toml`, of one reading of that file: where it names other directories than it
/// was found in, both are looked for again. None = it names others each time.
pub fn dirs_and_policy(
    find: &dyn Fn(&Policied<'_>) -> SiteDirs,
    load: &dyn Fn(&SiteDirs) -> SiteFiles,
) -> Option<(SiteDirs, SiteFiles)> {
    let mut dirs = find(&|_| None);
    for _ in 0..TRIES {
        let files = load(&dirs);
        let again = find(&|_| files.wharf.present().cloned());
        if again == dirs {
            return Some((dirs, files));
        }
        dirs = again;
    }
    None
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

    #[test]
    fn directories_are_those_that_the_policy_names_which_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("wharf.toml");
        let put = |wb: &str| {
            let text = format!("[site]\nconfig-dir = \"{wb}\"\n");
            std::fs::write(&file, text).unwrap();
        };
        let own = || Own::Required(dir.path().to_owned());
        let find = |policy: &Policied<'_>| {
            SiteDirs::find_by(Path::new(""), None, own(), &|_| None, policy)
        };
        let load = |dirs: &SiteDirs| load_policy(dirs, &open_to_read, Moment(1));
        put("/srv/a");
        let (dirs, files) = dirs_and_policy(&find, &load).unwrap();
        assert_eq!(dirs.workbench_dir(), Path::new("/srv/a"));
        assert_eq!(files.workbench_dir.as_ref(), "/srv/a");
        // Replaced after the first reading; and each time.
        let readings = std::cell::Cell::new(0);
        let replaced = |dirs: &SiteDirs| {
            readings.set(readings.get() + 1);
            let files = load(dirs);
            put("/srv/b");
            files
        };
        let (dirs, files) = dirs_and_policy(&find, &replaced).unwrap();
        assert_eq!(dirs.workbench_dir(), Path::new("/srv/b"));
        assert!(files.wharf.present().unwrap().text.contains("/srv/b"));
        readings.set(0);
        let restless = |dirs: &SiteDirs| {
            readings.set(readings.get() + 1);
            put(&format!("/srv/{}", readings.get()));
            load(dirs)
        };
        assert!(dirs_and_policy(&find, &restless).is_none());
    }
}
