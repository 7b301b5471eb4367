//! Where each part of what is asked for stands in the files. Lies beside `Desired`, never in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::Because;

/// A line of a file that asks for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file's short name: `launcher-env`, `sessions.d/demo.toml`.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The option or field.
    pub option: String,
}

/// Origins by what they are the origin of: `listen`, `balancer`, `session/demo`,
/// `session/demo/env LC_ALL`, `node/n3/weight`, `gateway/lab`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    map: BTreeMap<String, Vec<Origin>>,
    /// Where things last stood that no file speaks of any more.
    former: BTreeMap<String, Vec<Origin>>,
    /// Those of what waits for approval; see [`super::Desired::waiting`].
    pub(crate) waiting: Option<Arc<Origins>>,
}

impl Origins {
    /// Adds one place for `what`.
    pub fn add(&mut self, what: impl Into<String>, origin: Origin) {
        let places = self.map.entry(what.into()).or_default();
        if !places.contains(&origin) {
            places.push(origin);
        }
    }

    /// The places of `what`; those of its parent (`session/demo` for `session/demo/args`) where it
    /// has none of its own.
    #[must_use]
    pub fn of(&self, what: &str) -> &[Origin] {
        let mut key = what;
        loop {
            if let Some(places) = self.map.get(key) {
                return places;
            }
            match key.rfind('/') {
                Some(at) => key = &key[..at],
                None => return &[],
            }
        }
    }

    /// The places of `what` itself only.
    #[must_use]
    pub fn exactly(&self, what: &str) -> &[Origin] {
        self.map.get(what).map_or(&[], Vec::as_slice)
    }

    /// The places of exactly `what` as causes; where it last stood, if no file speaks of it any more; else
    /// the default of `option`.
    #[must_use]
    pub fn because_exactly(&self, what: &str, option: &str) -> Vec<Because> {
        if let Some(places) = self.map.get(what) {
            return places.iter().map(Because::from).collect();
        }
        match self.former.get(what) {
            Some(places) => places.iter().map(Origin::removed).collect(),
            None => vec![Because::Default { option: option.to_owned() }],
        }
    }

    /// Remembers where things stood in the set before this one, so that what is gone can be named by the
    /// line that was removed. Things of sessions that are gone themselves are not kept.
    pub fn follow(&mut self, before: &Origins) {
        let gone = |what: &str| {
            let mut parts = what.splitn(3, '/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("session"), Some(id), Some(_)) => {
                    !self.map.contains_key(&format!("session/{id}"))
                }
                _ => false,
            }
        };
        let mut former = BTreeMap::new();
        for (what, places) in before.former.iter().chain(&before.map) {
            if !self.map.contains_key(what) && !gone(what) {
                former.insert(what.clone(), places.clone());
            }
        }
        self.former = former;
    }

    /// The places of `what` as causes; the default of `option` where no file speaks of it.
    #[must_use]
    pub fn because(&self, what: &str, option: &str) -> Vec<Because> {
        let places = self.of(what);
        if places.is_empty() {
            return vec![Because::Default { option: option.to_owned() }];
        }
        places.iter().map(Because::from).collect()
    }

    /// Everything, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Origin])> {
        self.map.iter().map(|(what, places)| (what.as_str(), places.as_slice()))
    }
}

impl Origin {
    /// The line as one that is gone.
    fn removed(&self) -> Because {
        Because::LineRemoved {
            file: Arc::clone(&self.file),
            line: self.line,
            option: self.option.clone(),
        }
    }
}

impl From<&Origin> for Because {
    fn from(origin: &Origin) -> Because {
        Because::Line {
            file: Arc::clone(&origin.file),
            line: origin.line,
            option: origin.option.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32) -> Origin {
        Origin { file: "f".into(), line, option: "x".into() }
    }

    #[test]
    fn what_is_gone_is_named_by_where_it_last_stood() {
        let (mut first, mut second, mut third) = <(Origins, Origins, Origins)>::default();
        first.add("session/a", at(1));
        first.add("session/a/env X", at(4));
        first.add("session/b/env X", at(5));
        second.add("session/a", at(1));
        second.follow(&first);
        let removed = [at(4).removed()];
        assert_eq!(second.because_exactly("session/a/env X", "X"), removed);
        // What is gone with its session is not kept, and what was gone before stays known.
        assert!(matches!(
            second.because_exactly("session/b/env X", "X")[..],
            [Because::Default { .. }]
        ));
        third.add("session/a", at(1));
        third.follow(&second);
        assert_eq!(third.because_exactly("session/a/env X", "X"), removed);
        let mut back = Origins::default();
        back.add("session/a/env X", at(9));
        back.follow(&third);
        assert_eq!(back.because_exactly("session/a/env X", "X"), [Because::from(&at(9))]);
    }

    #[test]
    fn a_part_without_a_place_has_its_parents() {
        let mut origins = Origins::default();
        let at = |line| Origin { file: "sessions.d/a.toml".into(), line, option: "x".into() };
        origins.add("session/a", at(1));
        origins.add("session/a/env X", at(4));
        assert_eq!(origins.of("session/a/env X"), [at(4)]);
        assert_eq!(origins.of("session/a/args"), [at(1)]);
        assert_eq!(origins.of("session/b"), []);
        assert_eq!(
            origins.because("balancer", "balancer"),
            [Because::Default { option: "balancer".into() }]
        );
    }
}
