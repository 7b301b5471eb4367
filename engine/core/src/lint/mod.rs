//! Rules across files: what no reader of one file can see.
//!
//! Each rule is one entry of [`rules`]: its code, what it must have read, and one pure function over
//! the site as read and the facts that came with it. A rule of which something is unknown is *skipped* and
//! said, never failed. What is wrong inside one file is the readers' (`grammar`), what a thing asks for
//! in vain is lowering's. Read next: a short one, [`balancing`]; then [`finding`].

mod access;
mod addresses;
mod balancing;
mod clusters;
mod containers;
mod finding;
mod gateways;
mod keys;
mod launcher;
mod nodes;
mod secrets;
mod store;
mod whole_files;

use std::collections::BTreeMap;

use grammar::error::{Code, Problem, Severity};
use grammar::own::wharf::Mode;
use grammar::source::FileKind;

pub use self::finding::Findings;
use crate::ids::ClusterName;
use crate::known::Known;
use crate::read_site::ReadSite;
use crate::site::{DropIn, Managed, WHARF_TOML};

/// What a rule looks at.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The files as read, with the facts that came with them.
    pub read: &'a ReadSite<'a>,
    /// How much is ours to change.
    pub mode: Mode,
    /// Clusters of `launcher.conf` and of our own, with their types in small letters.
    pub clusters: BTreeMap<ClusterName, &'a str>,
}

/// What a rule must have read to say anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One of Workbench's files, there or not.
    File(FileKind),
    /// `wharf.toml`, without errors.
    Wharf,
    /// One of our directories.
    Dir(DropIn),
}

/// A rule across files.
#[derive(Debug)]
pub struct Rule {
    /// Its stable code.
    pub code: Code,
    /// What it finds, as one line.
    pub title: &'static str,
    /// How bad its findings are at worst.
    pub severity: Severity,
    /// What it must have read.
    pub needs: &'static [Need],
    /// Looks, and says what it finds.
    pub check: fn(&Site<'_>, &mut Findings),
}

impl Rule {
    /// Whether `[accept]` may turn its findings into notes: a warning, or an option that narrows access
    /// and does not act (design.md §5). A set that cannot work is not made to by accepting it.
    #[must_use]
    pub fn may_be_accepted(&self) -> bool {
        self.severity != Severity::Error
            || [access::NARROWS, whole_files::UNHEEDED].contains(&self.code)
    }
}

/// A rule that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its code.
    pub code: Code,
    /// Why, in words for a person: `database.conf: permission denied`.
    pub reason: String,
}

/// What all rules found.
#[derive(Clone, Debug, Default)]
pub struct LintOutcome {
    /// Problems of the set, in the order of the rules.
    pub problems: Vec<Problem>,
    /// Rules that could not be applied, in the order of the rules; one may be there for several reasons.
    pub skipped: Vec<Skipped>,
}

/// Every table of rules.
const TABLES: &[&[Rule]] = &[
    clusters::RULES,
    balancing::RULES,
    store::RULES,
    launcher::RULES,
    addresses::RULES,
    nodes::RULES,
    access::RULES,
    secrets::RULES,
    containers::RULES,
    gateways::RULES,
    keys::RULES,
    whole_files::RULES,
];

/// Every rule, by file of this module.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().copied().flatten()
}

/// The rule of a code; none for the codes of problems inside one file.
#[must_use]
pub fn rule(code: Code) -> Option<&'static Rule> {
    rules().find(|rule| rule.code == code)
}

/// Applies every rule.
#[must_use]
pub fn run(site: &Site<'_>) -> LintOutcome {
    let mut outcome = LintOutcome::default();
    for rule in rules() {
        if let Some(reason) = rule.needs.iter().find_map(|need| unread(site.read, *need)) {
            outcome.skipped.push(Skipped { code: rule.code, reason });
            continue;
        }
        let mut findings = Findings::new(rule);
        (rule.check)(site, &mut findings);
        let (mut problems, skipped) = findings.finish();
        if let Some(reason) = accepted(site.read, rule) {
            for problem in &mut problems {
                problem.severity = Severity::Note;
                problem.notes.push(format!("accepted in {WHARF_TOML}: {reason}"));
            }
        }
        outcome.problems.extend(problems);
        outcome.skipped.extend(skipped);
    }
    outcome
}

/// Why somebody says that a rule's findings are well, if they do and may.
fn accepted<'a>(read: &'a ReadSite<'_>, rule: &Rule) -> Option<&'a String> {
    let codes = read.wharf()?.value.accept.as_ref()?.codes.as_ref()?;
    codes.get(&rule.code.to_string()).filter(|_| rule.may_be_accepted())
}

/// Why something that a rule needs is not known, if it is not.
fn unread(read: &ReadSite<'_>, need: Need) -> Option<String> {
    let files = read.files;
    match need {
        Need::File(kind) => {
            let reason = files.workbench.get(&kind)?.unknown_reason()?;
            Some(format!("{}: {reason}", kind.file_name()))
        }
        Need::Wharf => match (&files.wharf, read.wharf()) {
            (Known::Unknown { reason, .. }, _) => Some(format!("{WHARF_TOML}: {reason}")),
            (Known::Present(_), None) => Some(format!("{WHARF_TOML} has errors")),
            _ => None,
        },
        Need::Dir(dir) => match files.managed(dir) {
            Managed::Unknown { reason, .. } => Some(format!("{}: {reason}", dir.dir_name())),
            Managed::NotManaged | Managed::Managed(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_code_has_two_rules() {
        let codes: BTreeSet<_> = rules().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), rules().count());
    }
}
