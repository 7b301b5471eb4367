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
