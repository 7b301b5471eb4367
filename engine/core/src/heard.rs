//! What was heard of the files since the last look, and whether the next one may look at that alone.
//!
//! A *narrow* look looks in our drop-in directories only at the names that something was heard of (and at what is not
//! firmly remembered); at everything else it looks as ever. It rests on every event being heard. So a look is
//! complete wherever one may have been lost, and wherever something was heard that is not such a name. Which looks may
//! be narrow at all is said by [`crate::accept::Acceptance::may_be_narrow`]. Knows no file system: paths are texts.

use std::collections::{BTreeMap, BTreeSet};

/// More names than this are not kept: looking at all of them is looking at everything.
const MOST: usize = 1_000;

/// What was heard since the last look began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    paths: BTreeSet<String>,
    /// Something may have happened anywhere.
    anywhere: bool,
}

/// The names to look at, by directory.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// What a look stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It may be narrow.
    pub may_be_narrow: bool,
    /// Every directory that has to be watched or polled was watched, without a gap, since the last look began.
    pub watched: bool,
}

/// What the last look has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLook<'a> {
    /// The real paths of our drop-in directories, as far as they are there.
    pub drop_ins: Vec<&'a str>,
    /// It found every directory to be the same one from its beginning to its end.
    pub was_steady: bool,
}

impl Heard {
    /// As if something had happened everywhere: for whoever does not listen.
    #[must_use]
    pub fn anywhere() -> Self {
        Self { paths: BTreeSet::new(), anywhere: true }
    }

    /// Something happened at a path; one that is no text is anywhere.
    pub fn at(&mut self, path: Option<&str>) {
        match path {
            Some(path) if self.anywhere || self.paths.contains(path) => {}
            Some(path) if self.paths.len() < MOST => drop(self.paths.insert(path.to_owned())),
            _ => *self = Self::anywhere(),
        }
    }

    /// Something may have happened anywhere: an event was lost, or had no path.
    pub fn lost(&mut self) {
        *self = Self::anywhere();
    }

    /// The names to look at in our drop-in directories; none = the look has to be complete.
    #[must_use]
    pub fn names(&self, standing: Standing, last: &LastLook<'_>) -> Option<Names> {
        let Standing { may_be_narrow, watched } = standing;
        if !may_be_narrow || !watched || !last.was_steady || self.anywhere {
            return None;
        }
        let mut names = Names::new();
        for path in &self.paths {
            let (dir, name) = path.rsplit_once('/')?;
            if name.is_empty() || !last.drop_ins.contains(&dir) {
                return None;
            }
            names.entry(dir.to_owned()).or_default().insert(name.to_owned());
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURE: Standing = Standing { may_be_narrow: true, watched: true };

    fn last() -> LastLook<'static> {
        LastLook { drop_ins: vec!["/w/sessions.d", "/w/nodes.d"], was_steady: true }
    }

    fn heard(paths: &[&str]) -> Heard {
        let mut heard = Heard::default();
        paths.iter().for_each(|path| heard.at(Some(path)));
        heard
    }

    fn names(paths: &[&str]) -> Option<Vec<String>> {
        let names = heard(paths).names(SURE, &last())?;
        let each = names
            .into_iter()
            .flat_map(|(dir, names)| names.into_iter().map(move |name| format!("{dir} {name}")));
        Some(each.collect())
    }

    #[test]
    fn a_look_is_narrowed_to_entries_of_drop_in_directories() {
        assert_eq!(names(&[]), Some(vec![]));
        let some = ["/w/sessions.d/b.toml", "/w/nodes.d/n.toml", "/w/sessions.d/a.toml"];
        let by_dir = ["/w/nodes.d n.toml", "/w/sessions.d a.toml", "/w/sessions.d b.toml"];
        assert_eq!(names(&some), Some(by_dir.map(str::to_owned).to_vec()));
    }

    #[test]
    fn whatever_else_was_heard_makes_it_complete() {
        for path in [
            "/w/sessions.d",
            "/w/wharf.toml",
            "/w/sessions.d/d/a.toml",
            "/w/sessions.d/",
            "/etc/rstudio/rserver.conf",
            "/data/current",
            "/",
            "",
        ] {
            assert_eq!(names(&["/w/sessions.d/a.toml", path]), None, "{path}");
        }
    }

    #[test]
    fn what_was_lost_is_anywhere_until_a_look_begins_anew() {
        let mut lost = heard(&["/w/sessions.d/a.toml"]);
        lost.lost();
        lost.at(Some("/w/sessions.d/b.toml"));
        assert_eq!(lost.names(SURE, &last()), None);
        let mut no_text = Heard::default();
        no_text.at(None);
        assert_eq!(
            (no_text.names(SURE, &last()), Heard::anywhere().names(SURE, &last())),
            (None, None)
        );
        assert_eq!(std::mem::take(&mut no_text), Heard::anywhere());
        assert!(no_text.names(SURE, &last()).is_some());
    }

    #[test]
    fn a_thousand_names_are_looked_at_by_name_and_one_more_is_everything() {
        let mut many = Heard::default();
        for n in 0..1_000 {
            many.at(Some(&format!("/w/sessions.d/s{n}.toml")));
        }
        // One that was heard of already is no further one.
        many.at(Some("/w/sessions.d/s7.toml"));
        let names = many.names(SURE, &last()).map(|names| names["/w/sessions.d"].len());
        assert_eq!(names, Some(1_000));
        many.at(Some("/w/sessions.d/one-more.toml"));
        assert_eq!(many.names(SURE, &last()), None);
    }

    #[test]
    fn it_stands_on_watches_a_steady_look_and_the_leave_to_be_narrow() {
        let it = heard(&["/w/sessions.d/a.toml"]);
        assert!(it.names(SURE, &last()).is_some());
        assert_eq!(it.names(Standing { may_be_narrow: false, ..SURE }, &last()), None);
        assert_eq!(it.names(Standing { watched: false, ..SURE }, &last()), None);
        assert_eq!(it.names(SURE, &LastLook { was_steady: false, ..last() }), None);
    }
}
