//! The plan as one JSON object. `format_version`: minor = additive, major = breaking.

use serde::Serialize;

use super::{Act, Held, PlannedStep, Report};
use crate::ids::{Generation, Moment};
use crate::plan::{Because, Impact};
use crate::settings::OptionChange;
use crate::window::ChangeWindow;

/// The version of the object's form.
pub const FORMAT_VERSION: &str = "1.3";

#[derive(Serialize)]
struct Object<'a> {
    format_version: &'static str,
    site: &'a str,
    generation: Option<Generation>,
    since: Option<Moment>,
    against: &'a str,
    remark: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    change_windows: &'a [ChangeWindow],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    overrides: &'a [super::Overridden],
    inert: Option<&'a str>,
    options: &'a [OptionChange],
    acts: Vec<ActObject<'a>>,
    held: Vec<HeldObject<'a>>,
    outdated: Vec<OutdatedObject<'a>>,
    steps: &'a [PlannedStep],
    unchanged: Unchanged,
    summary: SummaryObject<'a>,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    incumbent: Option<super::incumbent::IncumbentObject<'a>>,
}

#[derive(Serialize)]
struct ActObject<'a> {
    act: &'static str,
    resource: String,
    what: &'a str,
    user: Option<&'a str>,
    workbench: &'a str,
    impact: Impact,
    delayed_until: Option<Moment>,
    because: &'a [Because],
    note: Option<&'a str>,
    steps: &'a [String],
    pending: bool,
}

#[derive(Serialize)]
struct HeldObject<'a> {
    act: &'static str,
    resource: String,
    user: Option<&'a str>,
    workbench: &'a str,
    wanted: &'a str,
    waiting_on: &'a crate::plan::WaitingOn,
    kind: crate::plan::HoldKind,
    impact: Impact,
    until: Option<Moment>,
    because: &'a [Because],
    note: Option<&'a str>,
    pending: bool,
}

#[derive(Serialize)]
struct OutdatedObject<'a> {
    session: &'a str,
    workbench: &'a str,
    differs: &'a [String],
    generation: Option<Generation>,
    because: &'a [Because],
    pending: bool,
}

#[derive(Serialize)]
struct Unchanged {
    sessions: usize,
    routes: usize,
    gateways: usize,
}

#[derive(Serialize)]
struct SummaryObject<'a> {
    end: usize,
    restart: usize,
    #[serde(rename = "move")]
    moved: usize,
    suspend: usize,
    start: usize,
    change: usize,
    held: usize,
    outdated: usize,
    pending: usize,
    people: Vec<&'a str>,
    new: bool,
    harmful: bool,
}

/// Writes the report as one line of JSON.
///
/// # Panics
/// Never: the object has string keys only.
#[must_use]
pub fn render(report: &Report) -> String {
    let summary = report.summary();
    let object = Object {
        format_version: FORMAT_VERSION,
        site: &report.about.site,
        generation: report.about.in_force.map(|(generation, _)| generation),
        since: report.about.in_force.map(|(_, since)| since),
        against: &report.about.against,
        remark: &report.about.remark,
        change_windows: &report.about.windows,
        overrides: &report.about.overrides,
        inert: report.inert.as_deref(),
        options: &report.options,
        acts: report.acts.iter().map(act).collect(),
        held: report.held.iter().map(held).collect(),
        outdated: report
            .outdated
            .iter()
            .map(|outdated| OutdatedObject {
                session: outdated.session.as_str(),
                workbench: &outdated.workbench,
                differs: &outdated.differs,
                generation: outdated.generation,
                because: &outdated.because,
                pending: outdated.pending,
            })
            .collect(),
        steps: &report.steps,
        unchanged: Unchanged {
            sessions: report.untouched,
            routes: report.routes,
            gateways: report.gateways,
        },
        summary: SummaryObject {
            end: summary.end,
            restart: summary.restart,
            moved: summary.moved,
            suspend: summary.suspend,
            start: summary.start,
            change: summary.change,
            held: summary.held,
            outdated: summary.outdated,
            pending: summary.pending,
            people: summary.people.iter().map(String::as_str).collect(),
            new: report.is_new(),
            harmful: report.is_harmful(),
        },
        warnings: &report.warnings,
        incumbent: report.incumbent.as_deref().map(|plan| super::incumbent::object(report, plan)),
    };
    serde_json::to_string(&object).expect("the object has string keys only")
}

fn act(act: &Act) -> ActObject<'_> {
    ActObject {
        act: act.mark.word(),
        resource: act.resource.to_string(),
        what: &act.what,
        user: act.user.as_deref(),
        workbench: &act.workbench,
        impact: act.impact,
        delayed_until: act.delayed_until,
        because: &act.because,
        note: act.note.as_deref(),
        steps: &act.steps,
        pending: act.pending,
    }
}

fn held(held: &Held) -> HeldObject<'_> {
    HeldObject {
        act: held.hold.mark().word(),
        resource: held.hold.resource.to_string(),
        user: held.user.as_deref(),
        workbench: &held.detail,
        wanted: &held.hold.wanted,
        waiting_on: &held.hold.waiting_on,
        kind: held.hold.kind(),
        impact: held.hold.impact,
        until: held.hold.until,
        because: &held.hold.because,
        note: held.note.as_deref(),
        pending: held.pending,
    }
}
