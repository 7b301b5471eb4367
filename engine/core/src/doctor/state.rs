//! What the store says of sessions, held against the directories that sessions leave: the two disagree after a loss.
//!
//! Pure: the shell reads both (`cli/state` in the engine). The directories are the truth of what lives, and their
//! numbers are never given again; the store is the truth of what is wanted. So most disagreement mends itself, and
//! what is said is how.

use std::collections::BTreeMap;

use super::{Finding, Verdict};
use crate::ids::{Incarnation, NodeId, SessionId};
use crate::observed::Records;

/// What an incarnation's directory tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectorySeen {
    /// Its processes live.
    Lives {
        /// Its leader.
        pid: u32,
    },
    /// It was made, and nothing runs yet, or somebody is about to start it.
    Begun,
    /// It has ended and says how; the engine writes that down and removes it.
    Over,
    /// Its processes are gone, and nobody has recorded their end: a kill, or a reboot.
    Lost,
    /// It cannot be read.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// Holds records against directories. `node` is this machine; `engine_runs`: what differs may be on its way.
#[must_use]
pub fn compare(
    records: &Records,
    directories: &BTreeMap<Incarnation, DirectorySeen>,
    node: &NodeId,
    engine_runs: bool,
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut live: BTreeMap<&SessionId, Vec<&Incarnation>> = BTreeMap::new();
    for (incarnation, seen) in directories {
        if matches!(seen, DirectorySeen::Lives { .. }) {
            live.entry(&incarnation.session).or_default().push(incarnation);
        }
        out.extend(of_directory(incarnation, seen, records, engine_runs));
    }
    for (session, all) in live.iter().filter(|(_, all)| all.len() > 1) {
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let text = format!("lives more than once: {}", names.join(", "));
        let help = "the engine ends all but the newest; see `wharf why`";
        out.push(Finding::new(format!("session {session}"), Verdict::Failed, text).help(help));
    }
    for (session, placed) in &records.placements {
        let of = Incarnation::new(session.clone(), placed.n);
        if placed.node == *node && !directories.contains_key(&of) {
            let text = format!("{of} was to start here, and has no directory");
            let help = "it is carried out with its number once the engine runs";
            let verdict = Verdict::Note;
            out.push(Finding::new(format!("session {session}"), verdict, text).help(help));
        }
    }
    out.push(summary(records, directories));
    out
}

/// What is wrong with one directory, by itself or against what the store knows.
fn of_directory(
    incarnation: &Incarnation,
    seen: &DirectorySeen,
    records: &Records,
    engine_runs: bool,
) -> Option<Finding> {
    let area = format!("session {}", incarnation.session);
    let finding = |verdict, text: String| Finding::new(area.clone(), verdict, text);
    match seen {
        DirectorySeen::Unreadable { reason } => {
            let text = format!("the directory of {incarnation} cannot be read: {reason}");
            let help = "it counts as living until somebody can say otherwise: its session is not started anew";
            return Some(finding(Verdict::Failed, text).help(help));
        }
        DirectorySeen::Lost if !engine_runs => {
            let text = format!("{incarnation} is gone without a record of its end");
            let help =
                "the engine records it when it runs, and starts the session again as its file says";
            return Some(finding(Verdict::Note, text).help(help));
        }
        DirectorySeen::Lost
        | DirectorySeen::Lives { .. }
        | DirectorySeen::Begun
        | DirectorySeen::Over => {}
    }
    let number = records.numbers.get(&incarnation.session).copied().unwrap_or(0);
    (incarnation.n > number).then(|| {
        let known = match number {
            0 => "the store knows no start of it".to_owned(),
            n => format!("the store knows {n} starts of it"),
        };
        let help = "the store is older than this session, or was lost; the session is adopted, and its number is not given again";
        finding(Verdict::Degraded, format!("{incarnation} has a directory, and {known}")).help(help)
    })
}

fn summary(records: &Records, directories: &BTreeMap<Incarnation, DirectorySeen>) -> Finding {
    let lives = |seen: &&DirectorySeen| matches!(seen, DirectorySeen::Lives { .. });
    let live = directories.values().filter(lives).count();
    let (all, known) = (directories.len(), records.numbers.len());
    let text = format!(
        "{all} {}, {live} of them with a living session; the store knows {known} {}",
        if all == 1 { "directory" } else { "directories" },
        if known == 1 { "session" } else { "sessions" },
    );
    Finding::new("directories", Verdict::Ok, text)
}

/// That the key cannot be had (`lacks`: why), where `sealed`: something is stored that only it opens.
#[must_use]
pub fn of_key(sealed: bool, lacks: Option<String>) -> Option<Finding> {
    let help = "without it accepted files cannot act again: the files on disk come into force anew";
    let lacks = lacks.filter(|_| sealed)?;
    Some(Finding::new("key", Verdict::Unknown, lacks).help(help))
}

/// 1 if anything is damaged or disagrees, else 0.
pub fn exit_code<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> u8 {
    u8::from(findings.into_iter().any(|finding| finding.verdict >= Verdict::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Moment;
    use crate::observed::Placed;

    fn incarnation(text: &str) -> Incarnation {
        let (session, n) = text.split_once('#').unwrap();
        Incarnation::new(session.parse().unwrap(), n.parse().unwrap())
    }

    fn found(
        numbers: &[(&str, u32)],
        placed: &[&str],
        directories: &[(&str, DirectorySeen)],
        engine_runs: bool,
    ) -> (u8, Vec<String>) {
        let node: NodeId = "n1".parse().unwrap();
        let mut records = Records::default();
        for (session, n) in numbers {
            records.numbers.insert(session.parse().unwrap(), *n);
        }
        for text in placed {
            let Incarnation { session, n } = incarnation(text);
            let placed = Placed { n, node: node.clone(), at: Moment(0) };
            records.placements.insert(session, placed);
        }
        let directories = directories.iter().map(|(text, seen)| (incarnation(text), seen.clone()));
        let found = compare(&records, &directories.collect(), &node, engine_runs);
        let code = exit_code(&found);
        let lines = found.iter().filter(|finding| finding.area != "directories");
        (code, lines.map(|of| format!("{} {}: {}", of.verdict.word(), of.area, of.text)).collect())
    }

    #[test]
    fn the_summary_counts_what_lives() {
        let said = |directories: &[(&str, DirectorySeen)], numbers: &[&str]| {
            let mut records = Records::default();
            for session in numbers {
                records.numbers.insert(session.parse().unwrap(), 9);
            }
            let all = directories.iter().map(|(text, seen)| (incarnation(text), seen.clone()));
            let node: NodeId = "n1".parse().unwrap();
            let found = compare(&records, &all.collect(), &node, true);
            let summary = found.last().unwrap();
            assert_eq!((summary.area.as_str(), summary.verdict), ("directories", Verdict::Ok));
            summary.text.clone()
        };
        assert_eq!(
            said(&[("a#1", LIVES)], &["a"]),
            "1 directory, 1 of them with a living session; the store knows 1 session"
        );
        assert_eq!(
            said(&[("a#1", LIVES), ("b#2", DirectorySeen::Over)], &["a", "b"]),
            "2 directories, 1 of them with a living session; the store knows 2 sessions"
        );
    }

    #[test]
    fn a_key_is_missed_only_where_something_is_sealed_with_it() {
        let lacks = || Some("cannot read the key /var/lib/wharf/key: no such file".to_owned());
        assert_eq!(of_key(true, None), None);
        assert_eq!(of_key(false, lacks()), None);
        let found = of_key(true, lacks()).unwrap();
        assert_eq!((found.area.as_str(), found.verdict), ("key", Verdict::Unknown));
        assert_eq!(Some(&found.text), lacks().as_ref());
        assert_eq!(exit_code([&found]), 1, "what is stored may be of no use");
    }

    #[test]
    fn an_intent_on_another_node_is_not_ours_to_miss() {
        let node: NodeId = "n1".parse().unwrap();
        let mut records = Records::default();
        let placed = Placed { n: 1, node: "n2".parse().unwrap(), at: Moment(0) };
        records.placements.insert("a".parse().unwrap(), placed);
        records.numbers.insert("a".parse().unwrap(), 1);
        assert_eq!(compare(&records, &BTreeMap::new(), &node, false).len(), 1);
    }

    const LIVES: DirectorySeen = DirectorySeen::Lives { pid: 4711 };

    #[test]
    fn what_agrees_is_not_spoken_of() {
        let agrees = [("a#2", LIVES), ("b#1", DirectorySeen::Over), ("c#1", DirectorySeen::Begun)];
        let numbers = [("a", 2), ("b", 1), ("c", 1)];
        assert_eq!(found(&numbers, &["a#2", "c#1"], &agrees, false), (0, vec![]));
    }

    #[test]
    fn a_store_older_than_its_sessions_is_a_disagreement() {
        let (code, lines) = found(&[("a", 1)], &[], &[("a#2", LIVES), ("b#1", LIVES)], true);
        assert_eq!(code, 1);
        assert_eq!(
            lines,
            [
                "warn session a: a#2 has a directory, and the store knows 1 starts of it",
                "warn session b: b#1 has a directory, and the store knows no start of it",
            ]
        );
    }

    #[test]
    fn two_lives_and_what_cannot_be_read_are_damage() {
        let unreadable = DirectorySeen::Unreadable { reason: "spec.json is cut off".to_owned() };
        let directories = [("a#1", LIVES), ("a#2", LIVES), ("b#1", unreadable)];
        let (code, lines) = found(&[("a", 2), ("b", 1)], &[], &directories, false);
        assert_eq!(code, 1);
        assert_eq!(
            lines,
            [
                "FAIL session b: the directory of b#1 cannot be read: spec.json is cut off",
                "FAIL session a: lives more than once: a#1, a#2",
            ]
        );
    }

    #[test]
    fn what_a_crash_leaves_is_noted_and_no_damage() {
        let directories = [("a#1", DirectorySeen::Lost)];
        let (code, lines) = found(&[("a", 1), ("b", 4)], &["b#4"], &directories, false);
        assert_eq!(code, 0);
        assert_eq!(
            lines,
            [
                "note session a: a#1 is gone without a record of its end",
                "note session b: b#4 was to start here, and has no directory",
            ]
        );
        assert_eq!(found(&[("a", 1)], &[], &directories, true), (0, vec![]));
    }
}
