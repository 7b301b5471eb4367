//! A plan without an engine, from what can be read without writing: the world is taken as empty, but for the product that
//! runs on the same files. A staged file is held against those in place, so that one that changes nothing says so.

use std::path::Path;

use engine_core::desired::{Ground, Lowered, Mode, Pieces, lower};
use engine_core::forecast::forecast;
use engine_core::ids::Moment;
use engine_core::observed::Observed;
use engine_core::report::incumbent::{IncumbentPlan, serving};
use engine_core::report::{About, Report};
use engine_core::site::SiteFiles;

use crate::admin::protocol::Answer;
use crate::cli::{ground_for_check, now, serve, when};
use crate::control::planning::{self, Wish};
use crate::launcher::accounts::SystemAccounts;
use crate::launcher::workbench::LocalWorkbenches;

/// What there is around files that are planned for without an engine.
pub(super) struct Around<'a> {
    /// The files in place, where what is planned for is staged over them.
    pub(super) in_place: Option<&'a SiteFiles>,
    /// What goes before absolute paths: a copy of a machine.
    pub(super) root: Option<&'a Path>,
    /// Whether an engine was looked for, and none runs.
    pub(super) asked: bool,
}

/// Plans for `files`, called `against`.
pub(super) fn plan(files: &SiteFiles, against: &str, wish: Wish, around: &Around<'_>) -> Answer {
    let ground = ground_for_check(files);
    let (lowered, acceptable) =
        crate::control::lower_for_serving(files, &ground, &Pieces::default());
    let problems = crate::control::serving_problems(files, &lowered);
    if !acceptable {
        return planning::refused(&problems, files, None, 0, when);
    }
    let now = now();
    let before = around.in_place.map(|files| lower(files, &ground));
    let about = About {
        site: files.workbench_dir.to_string(),
        against: against.to_owned(),
        remark: remark(around.asked, before.is_some(), lowered.desired.mode),
        ..About::default()
    };
    let mut observed = Observed::empty(ground.node.clone());
    observed.cores = u32::try_from(serve::cores()).unwrap_or(1);
    observed.in_force.digest = Some(files.digest());
    let mut accounts = SystemAccounts::new();
    let mut workbenches = LocalWorkbenches::new(Path::new("/nonexistent"), None);
    for desired in before.iter().chain([&lowered]).map(|lowered| &lowered.desired) {
        let wanted = (desired, &crate::observe::SpokenOf::of(desired));
        crate::observe::look_around(&mut observed, &mut accounts, &mut workbenches, wanted, now);
    }
    let from = before.as_ref().map(|before| before.settings.clone()).unwrap_or_default();
    let options = from.changes(&lowered.settings);
    let warnings = planning::rendered_each(&problems, files);
    let report = |lowered: &Lowered, about, options, warnings| {
        let ahead = forecast(&lowered.desired, &lowered.origins, &observed, now);
        Report::new(about, options, &lowered.desired, &observed, &ahead, warnings)
    };
    let mut told = report(&lowered, about, options, warnings);
    if let Some(before) = &before {
        told = told.compared_with(&report(before, About::default(), Vec::new(), Vec::new()));
    }
    let beside = Beside { lowered: &lowered, before: before.as_ref(), ground: &ground };
    beside.tell(&mut told, &mut observed, files, around, now);
    planning::answer(told, wish, files.digest(), now, when, Some(&observed))
}

/// What the plan is held against.
fn remark(asked: bool, staged: bool, mode: Mode) -> String {
    let engine = if asked { "No engine runs" } else { "No engine was asked" };
    let against = match (staged, mode) {
        (true, Mode::Serve) => "held against the files in place, as if nothing ran",
        (true, _) => "held against the files in place, and what runs here",
        (false, _) => "planned from the files alone, everything is to start",
    };
    format!("{engine}: {against}.")
}

/// What is planned for, beside the product that runs on the same files.
struct Beside<'a> {
    lowered: &'a Lowered,
    before: Option<&'a Lowered>,
    ground: &'a Ground,
}

impl Beside<'_> {
    /// Looks for the product, and tells what the files mean to it.
    fn tell(
        &self,
        report: &mut Report,
        observed: &mut Observed,
        files: &SiteFiles,
        around: &Around<'_>,
        now: Moment,
    ) {
        let Self { lowered, before, ground } = self;
        if let Some(questions) = crate::reconcile::questions(lowered, ground) {
            let procfs = around.root.unwrap_or(Path::new("/")).join("proc");
            observed.incumbent =
                crate::incumbent::look(&procfs, &questions, around.root.is_none(), now);
        }
        let observes = lowered.desired.mode != Mode::Serve;
        let from = before.filter(|_| observes).map(|before| &before.settings);
        let (to, desired) = (&lowered.settings, &lowered.desired);
        if let Some(mut plan) = IncumbentPlan::new(report, from, to, desired, observed) {
            let in_place = around.in_place.filter(|_| observes);
            plan.serving = in_place.map(|old| serving(old, files, ground, observed, now));
            report.incumbent = Some(Box::new(plan));
        }
    }
}
