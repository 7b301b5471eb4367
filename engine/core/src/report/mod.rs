//! A forecast as people read it: who is hurt, what changes, what waits, what stays, because of which line.
//!
//! Pure. [`text`] and [`json`] show the same [`Report`]; the commands, the golden files and the log use
//! nothing else.

pub mod json;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use grammar::value::Millis;

use crate::desired::Desired;
use crate::forecast::Forecast;
use crate::ids::{Generation, Moment, SessionId};
use crate::known::Known;
use crate::observed::Observed;
use crate::plan::{Action, Because, EndPurpose, Hold, HoldKind, Impact, Resource, Step, WaitingOn};
use crate::settings::OptionChange;

/// What the plan is about.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The configuration directory in force, as given.
    pub site: String,
    /// The generation in force and since when; none = none yet.
    pub in_force: Option<(Generation, Moment)>,
    /// What it is compared with: `staged: /root/stage`, `on disk`; empty = the set in force itself.
    pub against: String,
    /// A remark on where the world was read: empty with an engine.
    pub remark: String,
}

/// A forecast in the form in which it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is about.
    pub about: About,
    /// What the files set differently from the generation in force.
    pub options: Vec<OptionChange>,
    /// Things that happen, worst first.
    pub acts: Vec<Act>,
    /// Things that wait when all that can happen has happened.
    pub held: Vec<Held>,
    /// Sessions that run as once asked and wait for their next start.
    pub outdated: Vec<Outdated>,
    /// Live sessions that nothing happens to.
    pub untouched: usize,
    /// Routes that stay.
    pub routes: usize,
    /// Gateways that stay.
    pub gateways: usize,
    /// Rendered warnings, if any.
    pub warnings: Vec<String>,
    /// Waiting for the harm-delay of the policy.
    pub harm_delay: Millis,
}

/// How an act is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// `-`
    End,
    /// `-/+`
    Restart,
    /// `+`
    Start,
    /// `~`
    Change,
}

impl Mark {
    /// The mark itself.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Mark::End => "-",
            Mark::Restart => "-/+",
            Mark::Start => "+",
            Mark::Change => "~",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Mark::End => "end",
            Mark::Restart => "restart",
            Mark::Start => "start",
            Mark::Change => "change",
        }
    }
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// How it is marked.
    pub mark: Mark,
    /// To what.
    pub resource: Resource,
    /// What, in words.
    pub what: String,
    /// Whose session it is, where it is one.
    pub user: Option<String>,
    /// Why.
    pub because: Vec<Because>,
    /// When the first step of it comes, if it waits for harm-delay.
    pub delayed_until: Option<Moment>,
    /// What it does to people.
    pub impact: Impact,
    /// Ids of the steps behind it.
    pub steps: Vec<String>,
}

/// One thing that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The hold.
    pub hold: Hold,
    /// Further words: user and workbench of a session.
    pub detail: String,
    /// Whose session it is, where it is one.
    pub user: Option<String>,
}

/// A session that runs as once asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Outdated {
    /// Which.
    pub session: SessionId,
    /// Its workbench.
    pub workbench: String,
    /// What differs.
    pub differs: Vec<String>,
    /// Why.
    pub because: Vec<Because>,
}

/// Counts for the summary line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sessions that end.
    pub end: usize,
    /// Sessions that restart.
    pub restart: usize,
    /// Sessions that move.
    pub moved: usize,
    /// Sessions that are suspended.
    pub suspend: usize,
    /// Sessions that start.
    pub start: usize,
    /// Other changes.
    pub change: usize,
    /// Things that wait.
    pub held: usize,
    /// People whose session is hurt.
    pub people: BTreeSet<String>,
    /// Outdated sessions.
    pub outdated: usize,
    /// Warnings.
    pub warnings: usize,
}

impl Report {
    /// Makes the report of a forecast.
    #[must_use]
    pub fn new(
        about: About,
        options: Vec<OptionChange>,
        desired: &Desired,
        observed: &Observed,
        forecast: &Forecast,
        warnings: Vec<String>,
    ) -> Self {
        let people = People::of(desired, observed);
        let acts = acts(forecast, &people, desired, observed);
        let touched: BTreeSet<&Resource> = acts.iter().map(|act| &act.resource).collect();
        let live = live_sessions(observed);
        let untouched =
            live.iter().filter(|id| !touched.contains(&Resource::Session((**id).clone()))).count();
        let (held, outdated) = holds(forecast, &people, &touched);
        Report {
            about,
            options,
            held,
            outdated,
            untouched,
            routes: forecast.first().unchanged.routes,
            gateways: forecast.first().unchanged.gateways,
            warnings,
            harm_delay: desired.policy.harm_delay,
            acts,
        }
    }

    /// The counts of the summary line.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            held: self.held.len(),
            outdated: self.outdated.len(),
            warnings: self.warnings.len(),
            ..Summary::default()
        };
        for act in &self.acts {
            match act.mark {
                Mark::End => summary.end += 1,
                Mark::Restart => summary.restart += 1,
                Mark::Start => summary.start += 1,
                Mark::Change => summary.change += 1,
            }
            if act.impact.is_harm() {
                summary.people.extend(act.user.clone());
            }
        }
        summary
    }

    /// Whether the files differ from the generation in force: what `--detailed-exitcode` goes by.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.options.is_empty()
    }

    /// Whether anything new would hurt somebody, now or once a hold ends.
    #[must_use]
    pub fn is_harmful(&self) -> bool {
        self.acts.iter().any(|act| act.impact.is_harm())
            || self.held.iter().any(|held| held.hold.impact.is_harm())
    }
}

/// Whose each session is, and of what kind.
struct People {
    by_session: BTreeMap<SessionId, (String, String)>,
}

impl People {
    fn of(desired: &Desired, observed: &Observed) -> Self {
        let mut by_session = BTreeMap::new();
        for (id, spec) in desired.sessions.known() {
            let launch = &spec.launch;
            by_session.insert(id.clone(), (launch.user.to_string(), launch.workbench.to_string()));
        }
        for (incarnation, known) in &observed.incarnations {
            if let Known::Present(seen) = known {
                let whose = (seen.launch.user.to_string(), seen.launch.workbench.to_string());
                by_session.insert(incarnation.session.clone(), whose);
            }
        }
        Self { by_session }
    }

    fn user(&self, resource: &Resource) -> Option<String> {
        self.get(resource).map(|(user, _)| user.clone())
    }

    fn get(&self, resource: &Resource) -> Option<&(String, String)> {
        match resource {
            Resource::Session(id) | Resource::Route(id) => self.by_session.get(id),
            _ => None,
        }
    }
}

fn live_sessions(observed: &Observed) -> BTreeSet<&SessionId> {
    let live = observed.incarnations.iter().filter(|(_, known)| {
        known.is_unknown() || known.present().is_some_and(|seen| seen.phase.is_live())
    });
    live.map(|(incarnation, _)| &incarnation.session).collect()
}

/// One act per resource over all rounds, worst first.
fn acts(forecast: &Forecast, people: &People, desired: &Desired, observed: &Observed) -> Vec<Act> {
    let delayed = delays(forecast);
    let mut acts: BTreeMap<Resource, Act> = BTreeMap::new();
    for round in &forecast.rounds {
        for step in &round.plan.steps {
            for (resource, mark, what) in told(step, desired, observed) {
                let user = people.user(&resource);
                let act = acts.entry(resource.clone()).or_insert_with(|| Act {
                    mark,
                    what: what.clone(),
                    user,
                    because: Vec::new(),
                    delayed_until: delayed.get(&resource).copied(),
                    impact: step.impact,
                    steps: Vec::new(),
                    resource,
                });
                absorb(act, mark, &what, step);
            }
        }
    }
    let mut acts: Vec<Act> = acts.into_values().collect();
    acts.sort_by(|a, b| a.mark.cmp(&b.mark).then_with(|| a.resource.cmp(&b.resource)));
    acts
}

/// Joins a further step to what is told of its resource.
fn absorb(act: &mut Act, mark: Mark, what: &str, step: &Step) {
    let restarted = matches!((act.mark, mark), (Mark::End, Mark::Start));
    if restarted {
        act.mark = Mark::Restart;
        act.impact = act.impact.max(Impact::Restarted);
    } else if step.impact > act.impact {
        act.mark = mark;
        what.clone_into(&mut act.what);
        act.impact = step.impact;
    }
    if !restarted && !step.id.starts_with("start/") || act.because.is_empty() {
        for because in &step.because {
            if !act.because.contains(because) {
                act.because.push(because.clone());
            }
        }
    }
    act.steps.push(step.id.clone());
}

/// When harm that waits goes on.
fn delays(forecast: &Forecast) -> BTreeMap<Resource, Moment> {
    let holds = forecast.rounds.iter().flat_map(|round| &round.plan.holds);
    let delayed = holds.filter(|hold| hold.waiting_on == WaitingOn::HarmDelay);
    delayed.filter_map(|hold| Some((hold.resource.clone(), hold.until?))).collect()
}

/// What of a step is told to people; bookkeeping is not.
fn told(step: &Step, desired: &Desired, observed: &Observed) -> Vec<(Resource, Mark, String)> {
    let one = |resource, mark, what: String| vec![(resource, mark, what)];
    match &step.action {
        Action::End { incarnation, purpose, .. } => {
            let resource = Resource::Session(incarnation.session.clone());
            let (mark, what) = match purpose {
                EndPurpose::Restart => (Mark::Restart, "restarts"),
                EndPurpose::Removed => (Mark::End, "ends, its file is gone"),
                EndPurpose::Stopped => (Mark::End, "ends"),
                EndPurpose::NeverReady => (Mark::Restart, "never became ready, starts again"),
                EndPurpose::Superseded => (Mark::Change, "an older start of it ends"),
            };
            one(resource, mark, what.to_owned())
        }
        Action::Start(order) => {
            let resource = Resource::Session(order.incarnation.session.clone());
            one(resource, Mark::Start, "starts".to_owned())
        }
        Action::Provide { workbench } => {
            one(Resource::Workbench(workbench.clone()), Mark::Change, "is installed".to_owned())
        }
        Action::Listen { listener, address } => {
            let before = observed.listeners.get(listener).and_then(Known::present);
            let what = match before {
                Some(before) => format!("{before} -> {address}"),
                None => format!("listens on {address}"),
            };
            one(Resource::Listener(listener.clone()), Mark::Change, what)
        }
        Action::Unlisten { listener } => {
            let what = "listens no more".to_owned();
            one(Resource::Listener(listener.clone()), Mark::Change, what)
        }
        Action::Lease { gateway, port, session } => {
            let what = format!("port {port} -> {session}");
            one(Resource::Gateway(gateway.clone()), Mark::Change, what)
        }
        Action::Release { gateway, port } => {
            let what = format!("port {port} is free again");
            one(Resource::Gateway(gateway.clone()), Mark::Change, what)
        }
        Action::Balance { .. } => balance_told(desired, observed),
        Action::Place { .. }
        | Action::RecordEnd { .. }
        | Action::Forget { .. }
        | Action::Retire { .. }
        | Action::Remember { .. }
        | Action::SetRoute(_)
        | Action::DropRoute { .. } => Vec::new(),
    }
}

/// Balancer and nodes apart: each node whose weight changes is told for itself.
fn balance_told(desired: &Desired, observed: &Observed) -> Vec<(Resource, Mark, String)> {
    let Some(before) = &observed.balancer else { return Vec::new() };
    let mut told = Vec::new();
    if before.method != desired.balancer {
        let what = format!("{} -> {}", before.method, desired.balancer);
        told.push((Resource::Balancer, Mark::Change, what));
    }
    let nodes: BTreeSet<_> = before.weights.keys().chain(desired.nodes.things.keys()).collect();
    for node in nodes {
        let spec = desired.node(node);
        let old = before.weights.get(node).copied().unwrap_or(1);
        let new = if spec.schedulable && !spec.draining { spec.weight } else { 0 };
        if old != new {
            let word = match (spec.draining, spec.schedulable) {
                (true, _) => "draining, ",
                (false, false) => "not schedulable, ",
                (false, true) => "",
            };
            let what = format!("{word}weight {old} -> {new}");
            told.push((Resource::Node(node.clone()), Mark::Change, what));
        }
    }
    told
}

/// What is held: standing holds at the end, and passing ones of the first round that nothing follows.
fn holds(
    forecast: &Forecast,
    people: &People,
    touched: &BTreeSet<&Resource>,
) -> (Vec<Held>, Vec<Outdated>) {
    let mut held = Vec::new();
    let mut outdated = Vec::new();
    for hold in &forecast.last().holds {
        if let (WaitingOn::NextStart { differs }, Resource::Session(id)) =
            (&hold.waiting_on, &hold.resource)
        {
            let workbench = people.get(&hold.resource).map(|(_, w)| w.clone()).unwrap_or_default();
            outdated.push(Outdated {
                session: id.clone(),
                workbench,
                differs: differs.clone(),
                because: hold.because.clone(),
            });
            continue;
        }
        if hold.kind() == HoldKind::Passing && touched.contains(&hold.resource) {
            continue;
        }
        let detail = people.get(&hold.resource).map(|(_, workbench)| workbench.clone());
        held.push(Held {
            user: people.user(&hold.resource),
            detail: detail.unwrap_or_default(),
            hold: hold.clone(),
        });
    }
    (held, outdated)
}
