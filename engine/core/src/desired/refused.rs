//! Files that are on disk and refused, beside those that act: of what do they ask for something else?
//!
//! Somebody who puts a removed session's file back and mistypes a line elsewhere has said all the same that the
//! session is to stay. Decides nothing: `planner::harm` says what waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Desired, SessionSpec};
use crate::ids::SessionId;
use crate::known::Known;

/// The newest files, which are on disk and refused, as far as they say otherwise than those that act. As JSON it is
/// part of a recorded round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFiles {
    /// Why they are refused, in one line.
    pub problem: String,
    /// Whether they say otherwise of everything: of how harm waits, or of whether sessions are managed at all.
    pub everything: bool,
    /// Sessions of which they ask for something else.
    pub sessions: BTreeSet<SessionId>,
}

impl RefusedFiles {
    /// What `refused` asks for otherwise than `acts`. `problems`: why it is refused, each in a line, the worst first.
    #[must_use]
    pub fn beside(acts: &Desired, refused: &Desired, problems: &[String]) -> Self {
        let everything = acts.policy != refused.policy
            || acts.mode != refused.mode
            || acts.sessions.managed != refused.sessions.managed;
        let problem = match problems {
            [] => "see `wharf status`".to_owned(),
            [only] => only.clone(),
            [first, others @ ..] => format!("{first} (and {} more)", others.len()),
        };
        let both = acts.sessions.things.keys().chain(refused.sessions.things.keys());
        let otherwise = |id: &&SessionId| {
            !same(acts.sessions.things.get(*id), refused.sessions.things.get(*id))
        };
        Self { problem, everything, sessions: both.filter(otherwise).cloned().collect() }
    }

    /// Whether they ask for something else of a session.
    #[must_use]
    pub fn say_otherwise_of(&self, session: &SessionId) -> bool {
        self.everything || self.sessions.contains(session)
    }
}

/// Whether two sets ask for the same of a session. Lowering reuses what has not changed, so most are the same pointer.
fn same(a: Option<&Known<Arc<SessionSpec>>>, b: Option<&Known<Arc<SessionSpec>>>) -> bool {
    match (a, b) {
        (Some(Known::Present(a)), Some(Known::Present(b))) => Arc::ptr_eq(a, b) || a == b,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Ground;
    use crate::desired::{Lowered, Mode, lower};
    use crate::site::{Managed, SiteFiles};
    use grammar::source::Source;

    fn lowered(sessions: &[(&str, &str)]) -> Lowered {
        let mut files = SiteFiles::nothing("/e", "/w");
        let file = |(id, text): &(&str, &str)| {
            let source = Source::new(format!("/w/sessions.d/{id}.toml"), *text);
            ((*id).to_owned(), Known::Present(source))
        };
        files.sessions = Managed::Managed(sessions.iter().map(file).collect());
        let ground = Ground {
            node: "n1".parse().unwrap(),
            default_user: "alice".parse().unwrap(),
            digest_key: b"key".to_vec(),
            self_contained: true,
        };
        lower(&files, &ground)
    }

    fn otherwise(acts: &Lowered, refused: &Lowered) -> (bool, Vec<String>) {
        let of = RefusedFiles::beside(&acts.desired, &refused.desired, &[]);
        (of.everything, of.sessions.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn only_sessions_of_which_they_differ_are_named() {
        let demo = "workbench = \"demo\"\n";
        let acts = lowered(&[("stays", demo), ("goes", demo), ("changes", demo)]);
        let changed = "workbench = \"demo\"\nstate = \"stopped\"\n";
        let refused = lowered(&[
            ("stays", "# said\nworkbench = \"demo\"\n"),
            ("changes", changed),
            ("back", demo),
        ]);
        let names = ["back", "changes", "goes"].map(str::to_owned).to_vec();
        assert_eq!(otherwise(&acts, &refused), (false, names));
        assert_eq!(otherwise(&acts, &acts), (false, vec![]));
        let of = RefusedFiles::beside(&acts.desired, &refused.desired, &[]);
        assert!(of.say_otherwise_of(&"back".parse().unwrap()));
        assert!(!of.say_otherwise_of(&"stays".parse().unwrap()));
    }

    #[test]
    fn the_first_problem_is_said_and_how_many_there_are() {
        let said = |problems: &[&str]| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            RefusedFiles::beside(&Desired::default(), &Desired::default(), &problems).problem
        };
        assert_eq!(said(&["a:1: x", "b:1: y", "c:1: z"]), "a:1: x (and 2 more)");
        assert_eq!(said(&["a:1: x"]), "a:1: x");
        assert_eq!(said(&[]), "see `wharf status`");
    }

    #[test]
    fn a_mistake_in_a_sessions_own_file_says_otherwise_of_it() {
        let acts = lowered(&[("a", "workbench = \"demo\"\n")]);
        let refused = lowered(&[("a", "workbench = \"demo\n")]);
        assert_eq!(otherwise(&acts, &refused), (false, vec!["a".to_owned()]));
    }

    #[test]
    fn rules_of_harm_and_a_directory_that_is_gone_concern_every_session() {
        let acts = lowered(&[]);
        let everything = |edit: fn(&mut Desired)| {
            let mut refused = lowered(&[]);
            edit(&mut refused.desired);
            let of = RefusedFiles::beside(&acts.desired, &refused.desired, &[]);
            assert_eq!(of.everything, of.say_otherwise_of(&"any".parse().unwrap()));
            of.everything
        };
        assert!(!everything(|_| {}));
        assert!(everything(|refused| refused.policy.max_harmed += 1));
        assert!(everything(|refused| refused.mode = Mode::Observe));
        assert!(everything(|refused| refused.sessions.managed = false));
    }
}
