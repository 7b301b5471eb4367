//! Reads one of our drop-in directories, and keeps what it came to: the next look changes what differs in a copy of
//! that, so that files that are what they were cost neither a text nor a name.
//!
//! A *narrow* look looks at the names that something was heard of and at those that are not firmly remembered, and
//! does not list the directory. Whether it may is decided by [`engine_core::heard`]; a directory that is another one
//! than the last time is always listed. Knows no meaning of any file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine_core::known::Known;
use engine_core::shared_map::SharedMap;
use engine_core::site::{Managed, Stray, StrayKind};
use grammar::source::Source;
use rustix::fs::{Mode, OFlags};

use super::remembered::{Stamp, stamp_at};
use super::{Dir, Pass, directory_problem, is_temporary, list, own_stem, shown};

/// What a directory held when it was looked at last.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Where it really is.
    pub(super) real: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
    /// Its files by name without `.toml`.
    files: SharedMap<String, Known<Source>>,
    /// Those that are not opened as long as they are what they were.
    firm: BTreeMap<String, Stamp>,
    /// All others: links, problems, and what had changed a moment before it was read.
    loose: BTreeSet<String>,
    /// Names that look like one of ours and are none.
    odd: BTreeSet<String>,
}

impl Kept {
    /// Every file is opened by the next look.
    pub(super) fn forget(&mut self) {
        self.loose.extend(std::mem::take(&mut self.firm).into_keys());
    }

    /// Notes what a file is now. What says the same as before stays the one that it was.
    fn put(&mut self, stem: &str, found: Known<Source>, stamp: Option<Stamp>) {
        if matches!(found, Known::Absent) {
            self.remove(stem);
            return;
        }
        if let Some(stamp) = stamp {
            self.loose.remove(stem);
            self.firm.insert(stem.to_owned(), stamp);
        } else {
            self.firm.remove(stem);
            self.loose.insert(stem.to_owned());
        }
        if !self.files.get(stem).is_some_and(|before| says_the_same(before, &found)) {
            self.files.insert(stem.to_owned(), found);
        }
    }

    fn remove(&mut self, stem: &str) {
        self.firm.remove(stem);
        self.loose.remove(stem);
        self.files.remove(stem);
    }

    /// The files that are there no more, where these are all that are; they are in order.
    fn gone(&self, stems: &[&str]) -> Vec<String> {
        let mut there = stems.iter().peekable();
        let mut is_gone = |stem: &str| {
            while there.next_if(|other| **other < stem).is_some() {}
            there.peek().is_none_or(|other| **other != stem)
        };
        self.files.keys().filter(|stem| is_gone(stem)).cloned().collect()
    }
}

/// Whether a file is what it was: the same text, or not to be read for the same reason, since whenever.
fn says_the_same(before: &Known<Source>, now: &Known<Source>) -> bool {
    match (before, now) {
        (Known::Present(before), Known::Present(now)) => before.is(now),
        (before, now) => {
            before.unknown_reason().is_some() && before.unknown_reason() == now.unknown_reason()
        }
    }
}

/// Whether a name is meant for us and is none that we read.
fn is_odd(name: &str) -> bool {
    own_stem(name).is_none() && name.ends_with(".toml") && !is_temporary(name)
}

/// Whether there is anything of that name.
fn is_there(dir: &Path, name: &str) -> bool {
    dir.join(name).symlink_metadata().is_ok()
}

impl Pass<'_> {
    pub(super) fn read_drop_in(&mut self, dir: &Path) -> Managed {
        let kept = self.remembered.drop_ins.remove(dir);
        let problem = match self.enter(dir) {
            Dir::Missing => return Managed::NotManaged,
            Dir::Unreadable(kind) => kind,
            Dir::There => match self.look_into(dir, kept.unwrap_or_default()) {
                Ok(kept) => {
                    for name in &kept.odd {
                        let file = shown(&dir.join(name));
                        self.files.stray.push(Stray { file, kind: StrayKind::OddName });
                    }
                    let files = kept.files.clone();
                    self.remembered.drop_ins.insert(dir.to_owned(), kept);
                    return Managed::Managed(files);
                }
                Err(error) => directory_problem(&error),
            },
        };
        self.problem(dir, &problem);
        Managed::Unknown { since: self.now, reason: problem.reason() }
    }

    /// Looks at a directory that is there: at all of it, or at what the look is narrowed to.
    fn look_into(&mut self, dir: &Path, mut kept: Kept) -> std::io::Result<Kept> {
        let entered = self.entered.last();
        let (real, identity) = entered.map(|it| (it.real.clone(), it.identity)).unwrap_or_default();
        let same = identity.is_some() && kept.identity == identity && kept.real == real;
        if let Some(named) = same.then(|| self.narrowed_to(dir, &real)).flatten() {
            self.look_at_named(dir, &mut kept, &named);
            return Ok(kept);
        }
        let names = list(dir)?;
        (kept.real, kept.identity) = (real, identity);
        kept.odd = names.iter().filter(|name| is_odd(name)).cloned().collect();
        let mut stems: Vec<&str> = names.iter().filter_map(|name| own_stem(name)).collect();
        // Names are in order, and what they stand for need not be: `a-b.toml` comes before `a.toml`.
        stems.sort_unstable();
        for stem in kept.gone(&stems) {
            kept.remove(&stem);
        }
        self.look_at(dir, &mut kept, stems.into_iter());
        Ok(kept)
    }

    /// The names in a directory that the look is narrowed to; none = it is listed. Of a rename the old name is heard
    /// first, and the new one perhaps after this look: so it is listed where one of ours is gone.
    fn narrowed_to(&self, dir: &Path, real: &Path) -> Option<BTreeSet<String>> {
        let named = self.narrow.as_ref()?.get(real.to_str()?).cloned().unwrap_or_default();
        let mut ours = named.iter().filter(|name| own_stem(name).is_some());
        ours.all(|name| is_there(dir, name)).then_some(named)
    }

    /// Looks at files of which something was heard, and at those that are not firmly remembered.
    fn look_at_named(&mut self, dir: &Path, kept: &mut Kept, named: &BTreeSet<String>) {
        for name in named.iter().filter(|name| is_odd(name)) {
            if is_there(dir, name) {
                kept.odd.insert(name.clone());
            } else {
                kept.odd.remove(name);
            }
        }
        let mut stems = kept.loose.clone();
        stems.extend(named.iter().filter_map(|name| own_stem(name)).map(str::to_owned));
        self.look_at(dir, kept, stems.iter().map(String::as_str));
    }

    /// Looks at some files, and reads those that are not firmly remembered as what they are.
    fn look_at<'s>(&mut self, dir: &Path, kept: &mut Kept, stems: impl Iterator<Item = &'s str>) {
        // Held open, a look at a file costs one name.
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let held = rustix::fs::open(dir, flags, Mode::empty()).ok();
        for stem in stems {
            let name = format!("{stem}.toml");
            if let (Some(stamp), Some(held)) = (kept.firm.get(stem), &held)
                && stamp_at(held, &name).as_ref() == Some(stamp)
            {
                continue;
            }
            let path = dir.join(name);
            let looked = self.look_up(&path);
            let (found, stamp) = self.open(&path, &looked);
            kept.put(stem, found, stamp);
        }
    }
}

#[cfg(test)]
mod tests;
