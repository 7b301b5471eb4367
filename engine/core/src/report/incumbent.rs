//! What a plan says of the product that runs on the same files: what it must do for an edit, whose sessions
//! that ends, and what the same edit would do with this engine serving.
//!
//! Values and JSON; the text is in `text/incumbent.rs`. Read next: [`crate::incumbent::consequence`].

mod serving;

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::catalogue;
use serde::Serialize;

use super::{Report, Summary};
use crate::desired::{Desired, Mode};
use crate::ids::Moment;
use crate::incumbent::behind::Behind;
use crate::incumbent::consequence::{Consequence, Fate, consequence};
use crate::incumbent::{Found, Kind};
use crate::known::Known;
use crate::observed::Observed;
use crate::settings::{OptionChange, Settings};

pub use serving::{Serving, as_serving, serving};

/// What a plan says of the product.
#[derive(Clone, Debug, PartialEq)]
pub struct IncumbentPlan {
    /// Whether the engine observes only: then this is what the plan is about.
    pub observing: bool,
    /// Whether no set was in force before: the product is taken to run on this one.
    pub first: bool,
    /// The product as found.
    pub found: Known<Arc<Found>>,
    /// What the edit makes it do.
    pub consequence: Consequence,
    /// What its services have not taken up yet of the set in force.
    pub behind: Vec<Behind>,
    /// What the same edit would do with this engine serving; none where that was not asked.
    pub serving: Option<Serving>,
}

impl IncumbentPlan {
    /// What an edit makes the product do: none in mode `serve`, where nobody asks. Without a set that the edit
    /// begins `from` nothing is an edit: the product is taken to run on these files.
    #[must_use]
    pub fn new(
        report: &Report,
        from: Option<&Settings>,
        to: &Settings,
        desired: &Desired,
        observed: &Observed,
    ) -> Option<Self> {
        if desired.mode == Mode::Serve {
            return None;
        }
        let found = observed.incumbent.clone();
        let node = observed.node.as_str();
        let nothing = Settings::default();
        let changes = if from.is_some() { &report.options[..] } else { &[] };
        Some(Self {
            observing: desired.mode == Mode::Observe,
            first: from.is_none(),
            consequence: consequence(changes, from.unwrap_or(&nothing), to, &found, node),
            found,
            behind: Vec::new(),
            serving: None,
        })
    }

    /// The product's name, with its version where it is known; `Workbench` where none was found.
    #[must_use]
    pub fn name(&self) -> String {
        self.found.present().map_or_else(|| "Workbench".to_owned(), |found| found.name())
    }

    /// The same without the version.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.found.present().map_or("Workbench", |found| found.product())
    }

    /// The counts of the summary line.
    #[must_use]
    pub fn summary(&self, warnings: usize) -> Summary {
        let ending = || self.consequence.ending();
        Summary {
            end: ending().count(),
            change: self.consequence.changes(),
            people: ending().map(|fate| fate.user.clone()).collect(),
            pending: self.behind.iter().map(|behind| behind.options.len()).sum(),
            warnings,
            ..Summary::default()
        }
    }

    /// Fates that are the same but for whose they are, worst first.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for fate in &self.consequence.fates {
            match groups.iter_mut().find(|group| group.first.is_like(fate)) {
                Some(group) => *group.people.entry(&fate.user).or_default() += 1,
                None => {
                    let people = BTreeMap::from([(fate.user.as_str(), 1)]);
                    groups.push(Group { first: fate, people });
                }
            }
        }
        groups.sort_by_key(|group| {
            let Fate { ends, proven, kind, node, .. } = group.first;
            (!ends, !proven, *kind, node.clone())
        });
        groups
    }
}

/// Sessions of the same kind that the same becomes of, for the same reason.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// One of them.
    pub first: &'a Fate,
    /// Whose they are, and how many each has.
    pub people: BTreeMap<&'a str, usize>,
}

impl Group<'_> {
    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.people.values().sum()
    }

    /// What they are called: `3 rstudio sessions`, `1 session on n2`.
    #[must_use]
    pub fn label(&self) -> String {
        let kind = match self.first.kind {
            Kind::Unsaid => "session".to_owned(),
            kind => format!("{} session", kind.name()),
        };
        let on = self.first.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
        format!("{}{on}", super::text::count(self.sessions(), &kind))
    }
}

impl Fate {
    fn is_like(&self, other: &Fate) -> bool {
        let of = |fate: &Fate| (fate.kind, fate.node.clone(), fate.ends, fate.proven, fate.why);
        of(self) == of(other)
    }
}

/// The object in the JSON of a plan.
#[derive(Serialize)]
pub(super) struct IncumbentObject<'a> {
    found: bool,
    name: Option<String>,
    looked_at: Option<Moment>,
    unknown: Vec<String>,
    options: Vec<MustObject<'a>>,
    restart: Vec<&'static str>,
    reload: Vec<&'static str>,
    proven: bool,
    nodes: &'a [String],
    sessions: Vec<FateObject<'a>>,
    jobs_stay: BTreeMap<&'a str, usize>,
    harmful: bool,
    not_taken_up: Vec<BehindObject<'a>>,
    with_wharf_serving: Option<serving::ServingObject<'a>>,
}

#[derive(Serialize)]
struct MustObject<'a> {
    file: &'a str,
    line: u32,
    option: &'a str,
    must: &'static str,
    proven: bool,
}

#[derive(Serialize)]
struct FateObject<'a> {
    kind: &'static str,
    user: &'a str,
    pid: u32,
    node: Option<&'a str>,
    ends: bool,
    proven: bool,
    why: &'a str,
}

pub(super) fn object<'a>(report: &'a Report, plan: &'a IncumbentPlan) -> IncumbentObject<'a> {
    let found = plan.found.present();
    let all = &plan.consequence;
    let mut unknown = found.map_or_else(Vec::new, |found| found.unknowns());
    unknown.extend(plan.found.unknown_reason().map(str::to_owned));
    let musts = report.options.iter().zip(&all.musts);
    IncumbentObject {
        found: found.is_some(),
        name: found.map(|found| found.name()),
        looked_at: found.map(|found| found.looked_at),
        unknown,
        options: musts
            .filter_map(|(option, must)| {
                let must = (*must)?;
                Some(MustObject {
                    file: &option.file,
                    line: option.line,
                    option: &option.option,
                    must: must.name(),
                    proven: must != catalogue::Incumbent::Unknown,
                })
            })
            .collect(),
        restart: all.restart.iter().map(|service| service.name()).collect(),
        reload: all.reload.iter().map(|service| service.name()).collect(),
        proven: all.proven,
        nodes: &all.nodes,
        sessions: all.fates.iter().map(fate).collect(),
        jobs_stay: all.jobs.iter().map(|(cluster, n)| (cluster.as_str(), *n)).collect(),
        harmful: all.is_harmful(),
        not_taken_up: plan.behind.iter().map(behind).collect(),
        with_wharf_serving: plan.serving.as_ref().map(serving::object),
    }
}

#[derive(Serialize)]
struct BehindObject<'a> {
    service: &'static str,
    since: Moment,
    options: &'a [OptionChange],
}

fn behind(behind: &Behind) -> BehindObject<'_> {
    let (service, since) = (behind.service.name(), behind.since);
    BehindObject { service, since, options: &behind.options }
}

fn fate(fate: &Fate) -> FateObject<'_> {
    FateObject {
        kind: fate.kind.name(),
        user: &fate.user,
        pid: fate.pid,
        node: fate.node.as_deref(),
        ends: fate.ends,
        proven: fate.proven,
        why: fate.why,
    }
}
