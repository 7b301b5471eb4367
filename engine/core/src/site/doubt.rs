//! What a reading is held against: the set in force. A directory that is empty now may have lost its file system,
//! and a file that is empty or gone may be half of a change.
//!
//! Says what may not be believed and what looks unfinished; when that is decided upon is [`crate::accept`]'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use grammar::error::{Code, Problem, Severity};
use grammar::source::{FileKind, Source};

use super::{DropIn, FileProblem, FileProblemKind, Managed, SiteFiles, is_same_file};
use crate::accept::{Looks, Settle};
use crate::ids::Moment;
use crate::known::Known;

impl SiteFiles {
    /// Takes back what this reading cannot know beside the set in force:
    ///
    /// - a directory that a file system was mounted on then, that none is mounted on now and that is empty, is not
    ///   "none wanted" but unknown: an unmounted directory leaves an empty one;
    /// - a `wharf.toml` or `rserver.conf` that says something in the set in force and that is gone or empty is
    ///   missing: a full disk leaves such files. Without the one the engine would fall back to its first day and
    ///   close its listeners; without the other it would listen elsewhere, and let in whom those lines keep out.
    pub fn doubt(&mut self, in_force: &SiteFiles, now: Moment) {
        let unmounted: Vec<Arc<str>> = self.empty.intersection(&in_force.mounts).cloned().collect();
        for dir in unmounted {
            self.forget_directory(&dir, now);
            self.unreadable.push(FileProblem { file: dir, kind: FileProblemKind::Unmounted });
        }
        let wharf = missing(&mut self.wharf, Some(&in_force.wharf), now);
        let conf = FileKind::RserverConf;
        let rserver = self
            .workbench
            .get_mut(&conf)
            .and_then(|file| missing(file, in_force.workbench.get(&conf), now));
        self.unreadable.extend(wharf.into_iter().chain(rserver));
        self.unreadable.sort();
        self.unreadable.dedup();
    }

    /// Nothing is known of what is in a directory of the site.
    fn forget_directory(&mut self, dir: &str, now: Moment) {
        let kind = FileProblemKind::Unmounted;
        if *dir == *self.workbench_dir || self.searched.iter().any(|searched| **searched == *dir) {
            self.workbench.values_mut().for_each(|file| *file = unknown(&kind, now));
        }
        let own = *dir == *self.own_dir;
        if own {
            self.wharf = unknown(&kind, now);
        }
        for drop_in in DropIn::ALL {
            let below = dir.strip_prefix(&*self.own_dir).map(|rest| rest.trim_start_matches('/'));
            if own || below == Some(drop_in.dir_name()) {
                let reason = kind.reason();
                *self.managed_mut(drop_in) = Managed::Unknown { since: now, reason };
            }
        }
    }

    /// Why a set without errors is refused: it kept changing for `max`, and never held still for `quiet`.
    #[must_use]
    pub fn unsettled(&self, Settle { quiet, max, .. }: Settle) -> Problem {
        let message = format!("the files kept changing for {max}, without {quiet} of rest");
        Problem::new(Code(617), Severity::Error, message)
            .label(&self.workbench_dir, None, "")
            .help("they are looked at further; who writes many can say when it is done: wharf change begin, wharf change end")
    }

    /// How finished the set looks beside the one in force. `acceptable` is whether it could come into force;
    /// `problems` are all that are wrong with it.
    ///
    /// Partial is a set in which a file of the whole site is gone or empty that said something before, and one
    /// in which a thing's own file has changed and has errors: who writes a file slowly, or removes it and
    /// writes it anew, leaves exactly that for a while.
    #[must_use]
    pub fn looks(
        &self,
        in_force: Option<&SiteFiles>,
        acceptable: bool,
        problems: &[Problem],
    ) -> Looks {
        match in_force {
            _ if !acceptable => Looks::Broken,
            Some(before) if self.lacks_a_file_of(before) || self.half_a_thing(before, problems) => {
                Looks::Partial
            }
            _ => Looks::Whole,
        }
    }

    /// Whether a file of the whole site says nothing any more.
    fn lacks_a_file_of(&self, before: &SiteFiles) -> bool {
        let lost = |now: &Known<Source>, then| says(then) && !says(Some(now));
        self.workbench.iter().any(|(kind, now)| lost(now, before.workbench.get(kind)))
            || lost(&self.wharf, Some(&before.wharf))
    }

    /// Whether a thing's own file has errors and is not what it was.
    fn half_a_thing(&self, before: &SiteFiles, problems: &[Problem]) -> bool {
        let errors = problems.iter().filter(|problem| problem.is_error());
        let named: BTreeSet<&str> =
            errors.filter_map(|problem| Some(&*problem.labels.first()?.file)).collect();
        DropIn::ALL.into_iter().any(|drop_in| {
            let (now, before) = (self.managed(drop_in).shared(), before.managed(drop_in).shared());
            let mut changes = now.changes_by(&before, is_same_file);
            changes.any(|change| match (change.now.unwrap_or(&Known::Absent), change.before) {
                (Known::Present(now), then) if named.contains(&*now.file) => {
                    then.and_then(Known::present).is_none_or(|then| now.text != then.text)
                }
                (Known::Unknown { reason, .. }, Some(Known::Unknown { reason: before, .. })) => {
                    reason != before
                }
                (Known::Unknown { .. }, _) => true,
                (Known::Present(_) | Known::Absent, _) => false,
            })
        })
    }
}

fn says(file: Option<&Known<Source>>) -> bool {
    file.and_then(Known::present).is_some_and(|source| !source.text.trim().is_empty())
}

/// Makes a file unknown that says nothing any more, where it said something in the set in force.
fn missing(
    file: &mut Known<Source>,
    in_force: Option<&Known<Source>>,
    now: Moment,
) -> Option<FileProblem> {
    let before = in_force.filter(|before| says(Some(before)))?.present()?;
    let kind = match file {
        Known::Absent => FileProblemKind::Gone,
        Known::Present(source) if source.text.trim().is_empty() => FileProblemKind::Emptied,
        Known::Present(_) | Known::Unknown { .. } => return None,
    };
    *file = unknown(&kind, now);
    Some(FileProblem { file: Arc::clone(&before.file), kind })
}

fn unknown(kind: &FileProblemKind, now: Moment) -> Known<Source> {
    Known::Unknown { since: now, reason: kind.reason() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str, text: &str) -> Known<Source> {
        Known::Present(Source::new(file, text))
    }

    /// A site with a policy, an `rserver.conf` and one session.
    fn site() -> SiteFiles {
        let mut site = SiteFiles::nothing("/etc/rstudio", "/etc/wharf");
        site.wharf = source("/etc/wharf/wharf.toml", "mode = \"serve\"\n");
        let conf = source("/etc/rstudio/rserver.conf", "www-port=8787\n");
        site.workbench.insert(FileKind::RserverConf, conf);
        set_session(&mut site, Some("workbench = \"demo\"\n"));
        site
    }

    fn set_session(site: &mut SiteFiles, text: Option<&str>) {
        let file = |text| ("lab".to_owned(), source("/etc/wharf/sessions.d/lab.toml", text));
        site.sessions = Managed::Managed(text.map(file).into_iter().collect());
    }

    fn set_conf(site: &mut SiteFiles, file: Known<Source>) {
        site.workbench.insert(FileKind::RserverConf, file);
    }

    fn problems(site: &SiteFiles) -> Vec<(String, FileProblemKind)> {
        site.unreadable.iter().map(|found| (found.file.to_string(), found.kind.clone())).collect()
    }

    /// The site as a reading finds it with an empty directory, beside one in force with these mounts.
    fn emptied(dir: &str, mounts: &[&str]) -> SiteFiles {
        let mut before = site();
        before.mounts = mounts.iter().map(|dir| Arc::from(*dir)).collect();
        let mut now = site();
        now.empty.insert(Arc::from(dir));
        set_session(&mut now, None);
        now.doubt(&before, Moment(7));
        now
    }

    #[test]
    fn a_directory_that_was_mounted_and_is_empty_now_is_unknown_and_another_is_empty() {
        let dir = "/etc/wharf/sessions.d";
        let now = emptied(dir, &[dir]);
        assert!(matches!(now.sessions, Managed::Unknown { since: Moment(7), .. }));
        assert!(matches!(now.nodes, Managed::NotManaged));
        assert_eq!(problems(&now), [(dir.to_owned(), FileProblemKind::Unmounted)]);
        let never = emptied(dir, &["/etc/rstudio"]);
        assert!(matches!(&never.sessions, Managed::Managed(files) if files.is_empty()));
        assert_eq!(problems(&never), []);
    }

    #[test]
    fn with_a_whole_directory_all_that_was_in_it_is_unknown() {
        let own = emptied("/etc/wharf", &["/etc/wharf"]);
        assert!(own.wharf.is_unknown() && matches!(own.gateways, Managed::Unknown { .. }));
        assert!(own.workbench[&FileKind::RserverConf].present().is_some());
        let workbench = emptied("/etc/rstudio", &["/etc/rstudio"]);
        assert!(workbench.workbench.values().all(Known::is_unknown));
        assert!(workbench.wharf.present().is_some() && !workbench.is_readable());
    }

    #[test]
    fn what_decides_who_gets_in_is_missing_where_it_is_gone_or_empty_and_was_not() {
        let (wharf, conf) = ("/etc/wharf/wharf.toml", "/etc/rstudio/rserver.conf");
        let missed = |edit: fn(&mut SiteFiles)| {
            let mut now = site();
            edit(&mut now);
            now.doubt(&site(), Moment(7));
            assert!(!now.is_readable());
            problems(&now)
        };
        let (gone, emptied) = (FileProblemKind::Gone, FileProblemKind::Emptied);
        let is = |file: &str, kind: &FileProblemKind| vec![(file.to_owned(), kind.clone())];
        assert_eq!(missed(|site| site.wharf = Known::Absent), is(wharf, &gone));
        assert_eq!(missed(|site| site.wharf = source("f", " \n")), is(wharf, &emptied));
        assert_eq!(missed(|site| set_conf(site, Known::Absent)), is(conf, &gone));
        assert_eq!(missed(|site| set_conf(site, source("f", ""))), is(conf, &emptied));
        let mut commented = site();
        set_conf(&mut commented, source("f", "# nothing\n"));
        commented.doubt(&site(), Moment(7));
        assert!(commented.is_readable() && commented.unreadable.is_empty());
    }

    #[test]
    fn what_said_nothing_before_is_not_missed() {
        let (mut before, mut now) = (site(), site());
        (before.wharf, now.wharf) = (source("f", ""), Known::Absent);
        set_conf(&mut before, Known::Absent);
        set_conf(&mut now, source("f", ""));
        now.doubt(&before, Moment(7));
        assert!(matches!(now.wharf, Known::Absent) && now.unreadable.is_empty());
    }

    #[test]
    fn a_file_of_the_site_that_says_nothing_any_more_looks_partial() {
        let looks = |edit: fn(&mut SiteFiles)| {
            let mut now = site();
            edit(&mut now);
            now.looks(Some(&site()), true, &[])
        };
        assert_eq!(looks(|_| {}), Looks::Whole);
        assert_eq!(looks(|site| set_conf(site, source("f", "www-port=1\n"))), Looks::Whole);
        assert_eq!(looks(|site| set_conf(site, Known::Absent)), Looks::Partial);
        assert_eq!(looks(|site| set_conf(site, source("f", " \n"))), Looks::Partial);
        assert_eq!(looks(|site| site.wharf = source("f", "")), Looks::Partial);
        // One thing less is an ordinary edit: what that hurts waits for harm-delay.
        assert_eq!(looks(|site| set_session(site, None)), Looks::Whole);
        assert_eq!(site().looks(Some(&site()), false, &[]), Looks::Broken);
        assert_eq!(site().looks(None, true, &[]), Looks::Whole);
    }

    #[test]
    fn a_things_own_file_with_errors_looks_partial_until_it_is_in_force_so() {
        let file: Arc<str> = Arc::from("/etc/wharf/sessions.d/lab.toml");
        let error = Problem::new(Code(1), Severity::Error, "x").label(&file, None, "");
        let mut now = site();
        set_session(&mut now, Some("workbench = \"de"));
        assert_eq!(now.looks(Some(&site()), true, std::slice::from_ref(&error)), Looks::Partial);
        assert_eq!(now.looks(Some(&now), true, std::slice::from_ref(&error)), Looks::Whole);
        assert_eq!(now.looks(Some(&site()), true, &[]), Looks::Whole);
        let unreadable = |since: i64, reason: &str| {
            let file = Known::Unknown { since: Moment(since), reason: reason.to_owned() };
            let sessions = Managed::Managed([("lab".to_owned(), file)].into());
            SiteFiles { sessions, ..site() }
        };
        let fifo = unreadable(1, "is a FIFO");
        assert_eq!(fifo.looks(Some(&site()), true, &[]), Looks::Partial);
        assert_eq!(fifo.looks(Some(&fifo), true, &[]), Looks::Whole);
        // Known since another moment it is as it was; for another reason it is not.
        assert_eq!(unreadable(2, "is a FIFO").looks(Some(&fifo), true, &[]), Looks::Whole);
        assert_eq!(unreadable(1, "is a socket").looks(Some(&fifo), true, &[]), Looks::Partial);
    }

    #[test]
    fn a_directory_that_was_searched_before_makes_the_products_files_unknown_too() {
        let mut before = site();
        before.searched = vec![Arc::from("/mnt/configmap")];
        before.mounts = [Arc::from("/mnt/configmap"), Arc::from("/mnt/other")].into();
        let after = |dir: &str| {
            let mut now = before.clone();
            now.empty.insert(Arc::from(dir));
            now.doubt(&before, Moment(7));
            now
        };
        assert!(!after("/mnt/configmap").is_readable());
        let other = after("/mnt/other");
        assert!(other.workbench[&FileKind::RserverConf].present().is_some());
    }
}
