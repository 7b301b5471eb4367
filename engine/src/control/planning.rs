//! Answers to `plan`, `apply`, and to who follows what comes of it.

use std::sync::Arc;

use engine_core::ids::{Generation, Moment, SiteDigest};
use engine_core::observed::Observed;
use engine_core::report::text::{self, Style};
use engine_core::report::{About, Report, json, markdown};
use engine_core::site::SiteFiles;
use grammar::error::{Problem, Severity};
use grammar::report::Format;

use super::{Control, lower_for_serving, serving_problems, short_lines, sources, windows};
use crate::admin::protocol::{Answer, PlanForm, Request, RoundView};
use crate::saved_plan::{self, SavedPlan};
use crate::status::hold_view;

/// How a plan is to be shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Everything, also what is usually counted only.
    pub verbose: bool,
    /// Which form of the text.
    pub form: PlanForm,
    /// Whether the plan itself is wanted, for keeping.
    pub keep: bool,
}

pub(super) fn plan(control: &mut Control, request: Request, now: Moment) -> Result<Answer, String> {
    let Request::Plan { site, against, warnings, verbose, form, pending, keep } = request else {
        return Err("this is no plan that is asked for".to_owned());
    };
    let wish = Wish { verbose, form, keep };
    if pending {
        return pending_plan(control, wish, now);
    }
    let files: Arc<SiteFiles> = match site {
        Some(saved) => Arc::new(saved.into_files().map_err(|error| error.to_string())?),
        None => windows::on_disk(control)
            .or_else(|| control.reconciler.in_force().map(|site| Arc::clone(&site.files)))
            .ok_or("no files were read yet")?,
    };
    let (lowered, acceptable) =
        lower_for_serving(&files, control.reconciler.ground(), &control.pieces());
    let problems = serving_problems(&files, &lowered);
    let about = about(control, against, now);
    if !acceptable {
        let status = control.services.status.load();
        let live = status.sessions.iter().filter(|session| session.pid.is_some()).count();
        return Ok(refused(&problems, &files, about.in_force, live, control.services.when));
    }
    let mut shown = warnings;
    shown.extend(rendered_each(&problems, &files));
    let mut report = control.reconciler.report(files.digest(), &lowered, &about, shown, now);
    control.reconciler.tell_incumbent(&mut report, &files, &lowered, now);
    let when = control.services.when;
    Ok(answer(report, wish, files.digest(), now, when, control.reconciler.last_seen()))
}

/// What waits and drifts of the set in force.
fn pending_plan(control: &mut Control, wish: Wish, now: Moment) -> Result<Answer, String> {
    let about = about(control, String::new(), now);
    let site = control.reconciler.in_force().ok_or("nothing is in force yet")?;
    let digest = site.files.digest();
    let report = control.reconciler.pending(&about, now);
    let when = control.services.when;
    Ok(answer(report, wish, digest, now, when, control.reconciler.last_seen()))
}

fn about(control: &mut Control, against: String, now: Moment) -> About {
    let windows = control.reconciler.ledger().windows().open(now).cloned().collect();
    let site = control.reconciler.in_force();
    let dir = site.map(|site| site.files.workbench_dir.to_string());
    About {
        site: dir.unwrap_or_else(|| control.services.site_dir.display().to_string()),
        in_force: site.map(|site| (site.mark.generation, site.mark.since)),
        against,
        windows,
        ..About::default()
    }
}

/// The answer that holds a report, in the form that is wished for.
pub fn answer(
    report: Report,
    wish: Wish,
    digest: SiteDigest,
    now: Moment,
    when: fn(Moment) -> String,
    observed: Option<&Observed>,
) -> Answer {
    let report = match observed.filter(|_| wish.verbose) {
        Some(observed) => report.with_names(observed),
        None => report,
    };
    let style = Style { when: &when, verbose: wish.verbose };
    Answer::Plan {
        text: match wish.form {
            PlanForm::Text => text::render(&report, &style),
            PlanForm::Markdown { people } => markdown::render(&report, people, &style),
        },
        json: json::render(&report),
        new: !report.only_pending && report.is_new(),
        harmful: !report.only_pending && report.is_harmful(),
        plan: wish.keep.then(|| Box::new(saved(&report, digest, now))),
    }
}

fn saved(report: &Report, digest: SiteDigest, now: Moment) -> SavedPlan {
    SavedPlan {
        format: saved_plan::FORMAT,
        site: report.about.site.clone(),
        against: report.about.against.clone(),
        digest,
        generation: report.about.in_force.map_or(Generation(0), |(generation, _)| generation),
        made_at: now,
        summary: text::summary_line(&report.summary()),
        needs_engine_restart: report.needs_engine_restart(),
        steps: report.matters().map(Into::into).collect(),
    }
}

/// The answer for a set that cannot come into force; `live` sessions stay as they are.
pub fn refused(
    problems: &[Problem],
    files: &SiteFiles,
    in_force: Option<(Generation, Moment)>,
    live: usize,
    when: fn(Moment) -> String,
) -> Answer {
    let style = grammar::report::Style { color: false, width: Some(100) };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let mut rendered = grammar::report::render(problems, &sources(files), Format::Human, style);
    rendered.push('\n');
    rendered.push_str(&text::no_plan(errors, in_force, live, &when));
    Answer::Refused { problems: short_lines(problems, files), rendered }
}

/// Each warning rendered for itself; also each mistake in a file that leaves only its own thing alone.
pub fn rendered_each(problems: &[Problem], files: &SiteFiles) -> Vec<String> {
    let style = grammar::report::Style { color: false, width: Some(100) };
    let sources = sources(files);
    problems
        .iter()
        .filter(|problem| problem.severity != Severity::Note)
        .map(|problem| {
            grammar::report::render(std::slice::from_ref(problem), &sources, Format::Human, style)
        })
        .collect()
}

/// Lets go what waits for harm-delay or approval, if the plan that is approved has it.
pub(super) fn apply(
    control: &mut Control,
    plan: Option<&SavedPlan>,
    dry_run: bool,
    now: Moment,
) -> Result<Answer, String> {
    let site = control.reconciler.in_force().ok_or("nothing is in force yet")?;
    let (generation, digest) = (site.mark.generation, site.mark.digest);
    let planned = plan.map(|plan| plan.digest);
    if planned.is_some() && planned != digest {
        let latest = windows::on_disk(control).map(|files| files.digest());
        return Ok(Answer::OtherFiles { generation, on_disk: latest == planned });
    }
    let matters: Option<Vec<_>> =
        plan.map(|plan| plan.steps.iter().cloned().map(Into::into).collect());
    let applied = control.reconciler.apply(matters.as_deref(), dry_run, now)?;
    let round = control.reconciler.rounds().next_back().map_or(0, |round| round.number);
    Ok(Answer::Applied {
        generation,
        site: digest,
        let_go: applied.let_go.iter().map(hold_view).collect(),
        new: applied.new.iter().map(hold_view).collect(),
        round,
    })
}

/// The rounds after one, as far as they are remembered.
pub(super) fn rounds(control: &Control, after: u64) -> Answer {
    let newer = control.reconciler.rounds().filter(|round| round.number > after);
    let view = |round: &crate::reconcile::Round| RoundView {
        number: round.number,
        at: round.at,
        woken_by: round.woken_by.clone(),
        generation: round.generation,
        steps: round.outcomes.iter().map(|o| (o.step.clone(), o.error.clone())).collect(),
    };
    Answer::Rounds { rounds: newer.map(view).collect() }
}
