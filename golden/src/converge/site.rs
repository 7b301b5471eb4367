//! The files of a script's site, as a reading of the disk would find them.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::facts::Facts;
use engine_core::ids::Moment;
use engine_core::known::Known;
use engine_core::site::{DropIn, Managed, SiteFiles, WHARF_TOML};
use grammar::source::{FileKind, Source};

/// Where Workbench's files are.
const WORKBENCH: &str = "/etc/rstudio";
/// Where our own are.
const OWN: &str = "/etc/wharf";

/// Files by their short names, and which of our directories exist.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<String, Result<String, String>>,
    dirs: BTreeSet<String>,
    /// What is known of the machine.
    pub facts: Facts,
    /// Whether our own files are beside Workbench's.
    pub self_contained: bool,
    since: Moment,
}

impl Disk {
    /// Writes a file; its directory comes with it.
    ///
    /// # Errors
    /// No such file is read.
    pub fn write(&mut self, path: &str, text: String) -> Result<(), String> {
        self.put(path, Ok(text))
    }

    /// Makes a file unreadable.
    ///
    /// # Errors
    /// No such file is read.
    pub fn make_unreadable(&mut self, path: &str, why: &str, now: Moment) -> Result<(), String> {
        self.since = now;
        self.put(path, Err(why.to_owned()))
    }

    fn put(&mut self, path: &str, file: Result<String, String>) -> Result<(), String> {
        match path.split_once('/') {
            Some((dir, name)) if DropIn::ALL.iter().any(|d| d.dir_name() == dir) => {
                if !name.ends_with(".toml") {
                    return Err(format!("nobody reads {path}"));
                }
                self.dirs.insert(dir.to_owned());
            }
            None if path == WHARF_TOML || FileKind::of_file_name(path).is_some() => {}
            // A file of a cluster may have any such name.
            None if path.starts_with("launcher.") && path.ends_with(".conf") => {}
            _ => return Err(format!("nobody reads {path}")),
        }
        self.files.insert(path.to_owned(), file);
        Ok(())
    }

    /// Puts `new` in the place of `old`, which must be there exactly once.
    ///
    /// # Errors
    /// It is not.
    pub fn edit(&mut self, path: &str, old: &str, new: &str) -> Result<(), String> {
        let Some(Ok(text)) = self.files.get_mut(path) else {
            return Err(format!("there is no {path}"));
        };
        if text.matches(old).count() != 1 {
            return Err(format!("`{old}` is not in {path} exactly once"));
        }
        *text = text.replacen(old, new, 1);
        Ok(())
    }

    /// Removes a file; its directory stays.
    ///
    /// # Errors
    /// There is none.
    pub fn remove(&mut self, path: &str) -> Result<(), String> {
        self.files.remove(path).map(drop).ok_or_else(|| format!("there is no {path}"))
    }

    /// Makes one of our directories, empty.
    pub fn make_dir(&mut self, dir: &str) {
        self.dirs.insert(dir.to_owned());
    }

    /// Removes a directory with all that is in it.
    ///
    /// # Errors
    /// There is none.
    pub fn remove_dir(&mut self, dir: &str) -> Result<(), String> {
        if !self.dirs.remove(dir) {
            return Err(format!("there is no {dir}"));
        }
        self.files.retain(|path, _| path.split_once('/').is_none_or(|(first, _)| first != dir));
        Ok(())
    }

    fn own(&self) -> &'static str {
        if self.self_contained { WORKBENCH } else { OWN }
    }

    /// What one reading finds.
    #[must_use]
    pub fn read(&self) -> SiteFiles {
        let mut files = SiteFiles::nothing(WORKBENCH, self.own());
        for (kind, known) in &mut files.workbench {
            *known = self.known(WORKBENCH, kind.file_name());
        }
        files.wharf = self.known(self.own(), WHARF_TOML);
        for drop_in in DropIn::ALL {
            *files.managed_mut(drop_in) = self.managed(drop_in);
        }
        files.facts = self.facts.clone();
        self.read_cluster_files(&mut files);
        files
    }

    /// Files of clusters that the others name, in as many rounds as new names turn up.
    fn read_cluster_files(&self, files: &mut SiteFiles) {
        loop {
            let named = files.named_cluster_files().into_iter().map(|named| named.file);
            let new = named.filter(|file| !files.cluster_files.contains_key(file));
            let new: Vec<_> = new.collect();
            if new.is_empty() {
                return;
            }
            for file in new {
                let place = files.locate(&file.path);
                let known = match place.strip_prefix(WORKBENCH).and_then(|p| p.strip_prefix('/')) {
                    Some(name) => self.known(WORKBENCH, name),
                    None => Known::Absent,
                };
                files.cluster_files.insert(file, known);
            }
        }
    }

    fn known(&self, dir: &str, path: &str) -> Known<Source> {
        match self.files.get(path) {
            Some(Ok(text)) => Known::Present(Source::new(format!("{dir}/{path}"), text.as_str())),
            Some(Err(reason)) => Known::Unknown { since: self.since, reason: reason.clone() },
            None => Known::Absent,
        }
    }

    fn managed(&self, drop_in: DropIn) -> Managed {
        let dir = drop_in.dir_name();
        if !self.dirs.contains(dir) {
            return Managed::NotManaged;
        }
        let of = self.files.keys().filter_map(|path| {
            let name = path.strip_prefix(dir)?.strip_prefix('/')?;
            Some((name.strip_suffix(".toml")?.to_owned(), self.known(self.own(), path)))
        });
        Managed::Managed(of.collect())
    }
}

/// The texts of a set, for showing lines of them.
#[must_use]
pub fn sources(files: &SiteFiles) -> Vec<Source> {
    let own = DropIn::ALL.into_iter().flat_map(|dir| files.managed(dir).files().map(|(_, f)| f));
    files.of_the_set().chain(own).filter_map(|file| file.present().cloned()).collect()
}
