//! Where each part of what is asked for stands in the files. Lies beside `Desired`, never in it.
//!
//! Read next: [`SessionOrigins`], which are not written down part by part but looked up in the lines of
//! the session's file: there are many sessions, and few of their lines are ever asked for.

mod session;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::session::{GoneVariables, SESSION};
pub use self::session::{SessionOrigins, Variables};
use crate::ids::SessionId;
use crate::plan::Because;
use crate::shared_map::SharedMap;

/// A line of a file that asks for something. As JSON it is part of a recorded round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The file's short name: `launcher-env`, `sessions.d/demo.toml`.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The option or field.
    pub option: String,
}

/// Where things last stood that no file speaks of any more.
pub type Former = Arc<BTreeMap<String, Vec<Origin>>>;

/// Origins by what they are the origin of: `listen`, `balancer`, `session/demo`,
/// `session/demo/env LC_ALL`, `node/n3/weight`, `gateway/lab`. Cheap to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    map: Arc<BTreeMap<String, Vec<Origin>>>,
    sessions: SharedMap<SessionId, Arc<SessionOrigins>>,
    /// Where things last stood that no file speaks of any more.
    former: Former,
    /// Those of what waits for approval; see [`super::Desired::waiting`].
    pub(crate) waiting: Option<Arc<Origins>>,
}

impl Origins {
    /// Adds one place for `what`.
    pub fn add(&mut self, what: impl Into<String>, origin: Origin) {
        let places = Arc::make_mut(&mut self.map).entry(what.into()).or_default();
        if !places.contains(&origin) {
            places.push(origin);
        }
    }

    /// Takes the places of a session and of its parts.
    pub fn add_session(&mut self, id: SessionId, places: Arc<SessionOrigins>) {
        self.sessions.insert(id, places);
    }

    /// Takes the places of all sessions and of their parts.
    pub(super) fn set_sessions(&mut self, sessions: SharedMap<SessionId, Arc<SessionOrigins>>) {
        self.sessions = sessions;
    }

    /// The places of `what`; those of its parent (`session/demo` for `session/demo/args`) where it
    /// has none of its own.
    #[must_use]
    pub fn of(&self, what: &str) -> Vec<Origin> {
        let mut key = what;
        loop {
            let places = self.exactly(key);
            if !places.is_empty() {
                return places;
            }
            match key.rfind('/') {
                Some(at) => key = &key[..at],
                None => return Vec::new(),
            }
        }
    }

    /// The places of `what` itself only.
    #[must_use]
    pub fn exactly(&self, what: &str) -> Vec<Origin> {
        if let Some(places) = self.map.get(what) {
            return places.clone();
        }
        let Some((id, part)) = of_session(what) else { return Vec::new() };
        self.sessions.get(id).map_or_else(Vec::new, |session| session.places(part))
    }

    /// The places of exactly `what` as causes; where it last stood, if no file speaks of it any more; else
    /// the default of `option`.
    #[must_use]
    pub fn because_exactly(&self, what: &str, option: &str) -> Vec<Because> {
        let places = self.exactly(what);
        if !places.is_empty() {
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
        let mut former = BTreeMap::new();
        let mut keep = |what: &str, places: &[Origin]| {
            if self.exactly(what).is_empty() && !self.is_of_gone_session(what) {
                former.insert(what.to_owned(), places.to_vec());
            }
        };
        for (what, places) in before.former.iter().chain(&*before.map) {
            keep(what, places);
        }
        let mut variables = GoneVariables::default();
        for change in self.sessions.changes_since(&before.sessions) {
            let (Some(session), Some(earlier)) = (change.now, change.before) else { continue };
            let id = change.key;
            for (part, places) in session.gone_since(earlier, &mut variables) {
                keep(&format!("{SESSION}{id}/{part}"), &places);
            }
        }
        self.former = Arc::new(former);
    }

    /// Where things last stood, of what is there and of what waits: no set of files has it.
    #[must_use]
    pub fn former(&self) -> [Former; 2] {
        let waiting = self.waiting.as_ref().map(|waiting| Arc::clone(&waiting.former));
        [Arc::clone(&self.former), waiting.unwrap_or_default()]
    }

    /// Takes up where things last stood, as [`Origins::former`] gave it.
    pub fn recall(&mut self, [own, waiting]: [Former; 2]) {
        self.former = own;
        if let Some(of_waiting) = &mut self.waiting {
            Arc::make_mut(of_waiting).former = waiting;
        }
    }

    /// Whether `what` is a part of a session of which nothing is known any more.
    fn is_of_gone_session(&self, what: &str) -> bool {
        match of_session(what) {
            Some((id, part)) if !part.is_empty() => {
                !self.sessions.contains_key(id) && !self.map.contains_key(&format!("{SESSION}{id}"))
            }
            _ => false,
        }
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

    /// Everything that has places.
    pub fn iter(&self) -> impl Iterator<Item = (String, Vec<Origin>)> {
        let listed = self.map.iter().map(|(what, places)| (what.clone(), places.clone()));
        let parts = self.sessions.iter().flat_map(|(id, session)| {
            let named = move |part: String| match part.is_empty() {
                true => (format!("{SESSION}{id}"), session.places("")),
                false => (format!("{SESSION}{id}/{part}"), session.places(&part)),
            };
            session.parts().into_iter().map(named)
        });
        listed.chain(parts)
    }
}

/// The session and the part of it that `what` names; the part is empty for the session itself.
fn of_session(what: &str) -> Option<(&str, &str)> {
    let rest = what.strip_prefix(SESSION)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
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

    #[test]
    fn everything_that_has_a_place_is_listed_with_it() {
        let mut origins = Origins::default();
        origins.add("balancer", at(1));
        let text = "workbench = \"demo\"\n[env]\nA = \"1\"\n";
        let source = grammar::source::Source::new("sessions.d/a.toml", text);
        let own = grammar::own::read_session(&source).own.unwrap();
        let session = SessionOrigins {
            own: Some((source.file, own.lines)),
            site: vec![("cluster", at(7))],
            variables: Arc::new([("B".to_owned(), at(9))].into()),
        };
        origins.add_session("a".parse().unwrap(), Arc::new(session));
        let listed: Vec<(String, Vec<u32>)> = origins
            .iter()
            .map(|(what, places)| (what, places.iter().map(|place| place.line).collect()))
            .collect();
        let row = |what: &str, line| (what.to_owned(), vec![line]);
        let wanted = [
            row("balancer", 1),
            row("session/a", 1),
            row("session/a/cluster", 7),
            row("session/a/env", 2),
            row("session/a/env A", 3),
            row("session/a/env B", 9),
            row("session/a/workbench", 1),
        ];
        assert_eq!(listed, wanted);
    }

    #[test]
    fn a_session_that_is_gone_is_named_by_the_line_that_it_had() {
        let (mut first, mut second) = <(Origins, Origins)>::default();
        first.add("session/b", at(5));
        first.add("session/b/env X", at(6));
        second.follow(&first);
        assert_eq!(second.because_exactly("session/b", "workbench"), [at(5).removed()]);
    }

    #[test]
    fn where_things_last_stood_is_taken_up_by_a_later_start() {
        let (mut first, mut second) = <(Origins, Origins)>::default();
        first.add("listen/www-port", at(4));
        second.follow(&first);
        let removed = [at(4).removed()];
        let mut waiting = Origins::default();
        waiting.follow(&first);
        second.waiting = Some(Arc::new(waiting));
        let mut later =
            Origins { waiting: Some(Arc::new(Origins::default())), ..Origins::default() };
        later.recall(second.former());
        assert_eq!(later.because_exactly("listen/www-port", "www-port"), removed);
        let waiting = later.waiting.expect("something waits");
        assert_eq!(waiting.because_exactly("listen/www-port", "www-port"), removed);
    }
}
