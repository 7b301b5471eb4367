//! The commands of scripts. Each acts on the world or shows something; [`run`] tells them apart.
//!
//! | files | `file PATH`, `edit PATH: OLD -> NEW`, `remove PATH`, `mkdir DIR`, `remove-dir DIR`, `unreadable PATH WHY` |
//! |---|---|
//! | engine | `accept`, `round`, `settle`, `plan [--json|--verbose|--markdown [--people]|--pending [--verbose]|--out]`, `sessions`, `routes`, `restart-engine` |
//! | time | `advance SPAN`, `now` |
//! | sessions | `ready X`, `ended X`, `crash X [CODE]`, `vanish X`, `unknown X WHY`, `known X`, `keeper-lost X`, `beside X`, `at X NODE`, `foreign X USER`, `connections X N`, `reboot` |
//! | world | `silent CLUSTER WHY`, `answers CLUSTER`, `store lost`, `store unreachable WHY`, `store back`, `refuse-port PORT WHO`, `free-port PORT`, `user X ...`, `workbench X ...`, `node X ...` |
//! | product | see [`super::incumbent`] |
//! | people | see [`super::people`]; `pause`, `resume` |

use std::fmt::Write as _;

use engine_core::desired::{Lowered, lower};
use engine_core::forecast;
use engine_core::ids::SiteDigest;
use engine_core::known::Known;
use engine_core::observed::Phase;
use engine_core::plan::{HoldKind, Plan, WaitingOn};
use engine_core::planner::Input;
use engine_core::predict;
use engine_core::report::text::{self, Style};
use engine_core::report::{About, Overridden, Report, json, live_sessions, markdown};
use grammar::error::{Problem, Severity, sort_problems};
use grammar::report::Format;
use grammar::value::Millis;

use super::checks;
use super::clock::{span_ms, when};
use super::happen::happen;
use super::incumbent;
use super::people;
use super::script::{Command, parse, transcribe};
use super::site::sources;
use super::table::Reached;
use super::world::World;

/// More rounds than this do not settle anything.
const ROUNDS_MAX: usize = 40;

/// Runs a whole script.
///
/// # Errors
/// The first command that fails, or the first plan that breaks a rule.
pub fn run_script(text: &str) -> Result<(String, Reached), String> {
    let mut world = World::default();
    let transcript = transcribe(&parse(text), |command| run(&mut world, command))?;
    Ok((transcript, world.reached))
}

/// Runs one command.
///
/// # Errors
/// There is no such command, it does not fit the world, or a plan breaks a rule.
pub fn run(world: &mut World, command: &Command) -> Result<String, String> {
    let (verb, rest) = command.line.split_once(' ').unwrap_or((&command.line, ""));
    let rest = rest.trim();
    let quiet = |result: Result<(), String>| result.map(|()| String::new());
    match verb {
        "file" => quiet(write(world, rest, &command.input)),
        "edit" => quiet(edit(world, rest)),
        "remove" => quiet(world.disk.remove(rest)),
        "mkdir" => {
            world.disk.make_dir(rest);
            Ok(String::new())
        }
        "remove-dir" => quiet(world.disk.remove_dir(rest)),
        "unreadable" => {
            let (path, why) = two(rest)?;
            quiet(world.disk.make_unreadable(path, why, world.now))
        }
        "accept" => accept(world),
        "round" => round(world),
        "settle" => settle(world, rest == "quietly"),
        "plan" => plan(world, rest),
        "sessions" => Ok(sessions(world)),
        "routes" => Ok(routes(world)),
        "now" => Ok(format!("{}\n", when(world.now))),
        "advance" => {
            world.now = world.now.plus(Millis(span_ms(rest)?));
            Ok(String::new())
        }
        "apply" => people::apply(world, rest),
        "pause" | "resume" => {
            world.observed.memory.paused = verb == "pause";
            Ok(String::new())
        }
        "deciding" => {
            let until = world.now.plus(Millis(span_ms(rest)?));
            world.observed.deciding_by = Some(until);
            Ok(String::new())
        }
        "files-unknown" => {
            world.observed.files_unknown = Some(rest.to_owned());
            Ok(String::new())
        }
        "decided" => {
            world.observed.deciding_by = None;
            world.observed.files_unknown = None;
            Ok(String::new())
        }
        "override" => people::tell(world, rest),
        "change" => people::change(world, rest),
        "request" => quiet(people::request(world, rest)),
        "request-end" => quiet(people::end_request(world, rest)),
        _ => quiet(happen(world, verb, rest)),
    }
}

pub(super) fn two(rest: &str) -> Result<(&str, &str), String> {
    rest.split_once(' ').ok_or_else(|| format!("`{rest}`: two words are needed"))
}

fn write(world: &mut World, path: &str, input: &[String]) -> Result<(), String> {
    let mut text = input.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    world.disk.write(path, text)
}

fn edit(world: &mut World, rest: &str) -> Result<(), String> {
    let (path, change) = rest.split_once(": ").ok_or("write `edit PATH: OLD -> NEW`")?;
    let (old, new) = change.split_once(" -> ").ok_or("write `edit PATH: OLD -> NEW`")?;
    world.disk.edit(path, &old.replace("\\n", "\n"), &new.replace("\\n", "\n"))
}

/// What the files on disk ask for, with everything that is wrong with them.
fn read(world: &World) -> (Lowered, SiteDigest, Vec<Problem>, Vec<grammar::source::Source>) {
    let files = world.disk.read();
    let mut lowered = lower(&files, &world.ground());
    if let Some(force) = &world.force {
        lowered.origins.follow(&force.lowered.origins);
    }
    let mut problems = files.problems(Severity::Error);
    problems.extend(lowered.problems.iter().cloned());
    sort_problems(&mut problems);
    let sources = sources(&files);
    (lowered, files.digest(), problems, sources)
}

fn short(problems: &[Problem], sources: &[grammar::source::Source]) -> String {
    let style = grammar::report::Style { color: false, width: Some(100) };
    grammar::report::render(problems, sources, Format::Short, style)
}

fn stays(world: &World) -> String {
    match &world.force {
        Some(force) => format!("Generation {} stays in force.", force.mark.generation),
        None => "Nothing is in force.".to_owned(),
    }
}

fn accept(world: &mut World) -> Result<String, String> {
    if let Some(until) = world.windows.held_until(world.now) {
        return Ok(format!("nothing is judged before {}: {}\n", when(until), stays(world)));
    }
    let (lowered, digest, problems, sources) = read(world);
    let mut out = short(&problems, &sources);
    if !lowered.is_acceptable() {
        let _ = writeln!(out, "refused: {}", stays(world));
        let errors = problems.into_iter().filter(Problem::is_error).collect::<Vec<_>>();
        let lines = short(&errors, &sources);
        world.refused = Some((lowered, lines.lines().map(str::to_owned).collect()));
        return Ok(out);
    }
    let known = world.force.as_ref().is_some_and(|force| force.mark.digest == Some(digest));
    let summary = if known {
        "nothing new".to_owned()
    } else {
        let report = report(world, digest, &lowered, Vec::new())?;
        let line = text::summary_line(&report.summary());
        line.strip_prefix("Plan: ").unwrap_or(&line).to_owned()
    };
    let generation = world.accept(lowered, digest);
    let _ = writeln!(out, "generation {generation}: {summary}");
    Ok(out)
}

/// What files would do, as `wharf plan` has it.
fn report(
    world: &mut World,
    digest: SiteDigest,
    lowered: &Lowered,
    warnings: Vec<String>,
) -> Result<Report, String> {
    let would_act = world.acts_of(lowered);
    let new = world.merged(&would_act);
    let (old, old_origins) = world.desired();
    world.look(&old);
    world.look(&new);
    let mut observed = world.observed.clone();
    observed.in_force.digest = Some(digest);
    observed.refused_files = None;
    let input =
        Input { desired: &new, origins: &would_act.origins, observed: &observed, now: world.now };
    let ahead = checks::forecast_proven(&input)?;
    let options = match &world.force {
        Some(force) => force.lowered.settings.changes(&lowered.settings),
        None => Lowered::default().settings.changes(&lowered.settings),
    };
    let about = about(world, "on disk");
    let mut report = Report::new(about, options, &new, &observed, &ahead, warnings);
    if world.force.is_some() {
        let observed = &world.observed;
        let before = forecast::forecast(&old, &old_origins, observed, world.now);
        let about = report.about.clone();
        let before = Report::new(about, Vec::new(), &old, observed, &before, Vec::new());
        report = report.compared_with(&before);
    }
    report.incumbent = incumbent::plan_of(world, &report, lowered, &new, &observed);
    checks::causes_are_changes(&report)?;
    world.reached.report(&report);
    Ok(report)
}

fn about(world: &World, against: &str) -> About {
    About {
        site: "/etc/rstudio".to_owned(),
        in_force: world.force.as_ref().map(|f| (f.mark.generation, f.mark.since)),
        against: against.to_owned(),
        windows: world.windows.open(world.now).cloned().collect(),
        overrides: Overridden::all(&world.overrides, &world.desired().1, world.now),
        ..About::default()
    }
}

/// What waits and drifts of the set in force.
fn pending(world: &mut World) -> Result<Report, String> {
    let (desired, origins) = world.desired();
    world.look(&desired);
    let observed = &world.observed;
    let input = Input { desired: &desired, origins: &origins, observed, now: world.now };
    let ahead = checks::forecast_proven(&input)?;
    let none = Vec::new();
    let report = Report::new(about(world, ""), none, &desired, observed, &ahead, Vec::new());
    Ok(report.of_what_is_pending())
}

fn plan(world: &mut World, how: &str) -> Result<String, String> {
    let how: Vec<&str> = how.split_whitespace().collect();
    if how.contains(&"--pending") {
        let report = pending(world)?;
        return show(world, &report, &how);
    }
    let (lowered, digest, problems, sources) = read(world);
    let style = grammar::report::Style { color: false, width: Some(100) };
    let human =
        |problems: &[Problem]| grammar::report::render(problems, &sources, Format::Human, style);
    if !lowered.is_acceptable() {
        let errors = problems.iter().filter(|problem| problem.is_error()).count();
        let in_force = world.force.as_ref().map(|f| (f.mark.generation, f.mark.since));
        let untouched = live_sessions(&world.observed).count();
        let none = text::no_plan(errors, in_force, untouched, &when);
        return Ok(format!("{}\n{none}", human(&problems)));
    }
    let warnings: Vec<String> = problems
        .iter()
        .filter(|problem| problem.severity != Severity::Note)
        .map(|problem| human(std::slice::from_ref(problem)))
        .collect();
    let report = report(world, digest, &lowered, warnings)?;
    if how.contains(&"--out") {
        world.kept = Some((digest, report.matters().collect()));
    }
    show(world, &report, &how)
}

/// A report in the form that is asked for.
fn show(world: &World, report: &Report, how: &[&str]) -> Result<String, String> {
    const WORDS: [&str; 6] =
        ["--json", "--verbose", "--markdown", "--people", "--pending", "--out"];
    if let Some(word) = how.iter().find(|word| !WORDS.contains(word)) {
        return Err(format!("plan has no {word}"));
    }
    let has = |word: &str| how.contains(&word);
    let style = Style { when: &when, verbose: has("--verbose") };
    if has("--json") {
        return Ok(format!("{}\n", json::render(report)));
    }
    if has("--markdown") {
        // Set in: headings and tables would be read as a script's prose and input.
        let text = markdown::render(report, has("--people"), &style);
        return Ok(text
            .lines()
            .map(|line| format!("    {line}").trim_end().to_owned() + "\n")
            .collect());
    }
    let named = has("--verbose").then(|| report.clone().with_names(&world.observed));
    Ok(text::render(named.as_ref().unwrap_or(report), &style))
}

fn round(world: &mut World) -> Result<String, String> {
    let plan = world.plan()?;
    world.carry_out(&plan);
    let mut out = text::steps(&plan, &when);
    let stays = [
        (plan.unchanged.sessions, "session"),
        (plan.unchanged.routes, "route"),
        (plan.unchanged.gateways, "gateway"),
    ];
    let stays = stays.into_iter().filter(|(count, _)| *count > 0);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let stays: Vec<String> =
        stays.map(|(count, what)| format!("{count} {what}{}", plural(count))).collect();
    if !stays.is_empty() {
        let _ = writeln!(out, "stay  {}", stays.join(", "));
    }
    Ok(out)
}

/// Rounds until rest; what is under way gets done, no time passes. Quietly: only what waits is shown.
fn settle(world: &mut World, quietly: bool) -> Result<String, String> {
    let mut out = String::new();
    for _ in 0..ROUNDS_MAX {
        let plan = world.plan()?;
        if !plan.steps.is_empty() {
            let steps = Plan { holds: Vec::new(), ..plan.clone() };
            if !quietly {
                out.push_str(&text::steps(&steps, &when));
            }
            world.carry_out(&plan);
            continue;
        }
        let passing = plan.holds.iter().filter(|hold| hold.kind() == HoldKind::Passing);
        let under_way = passing
            .filter(|hold| {
                matches!(hold.waiting_on, WaitingOn::InFlight { .. } | WaitingOn::Budget)
            })
            .count();
        let done = predict::in_flight_done(world.observed.clone(), world.now);
        if under_way > 0 && done != world.observed {
            world.observed = done;
            world.equip();
            continue;
        }
        if !plan.holds.is_empty() || !quietly {
            out.push_str(&text::steps(&plan, &when));
        }
        return Ok(out);
    }
    Err(format!("no rest after {ROUNDS_MAX} rounds:\n{out}"))
}

fn sessions(world: &World) -> String {
    let mut out = String::new();
    for (incarnation, known) in &world.observed.incarnations {
        let line = match known {
            Known::Present(seen) => {
                let phase = match &seen.phase {
                    Phase::Preparing => "preparing".to_owned(),
                    Phase::Starting => "starting".to_owned(),
                    Phase::Ready => "ready".to_owned(),
                    Phase::Ending { since } => format!("ending since {}", when(*since)),
                    Phase::Exited(exit) => format!("over: {exit}"),
                };
                let whose = if seen.ours { "" } else { ", foreign" };
                let kept = if seen.kept { "" } else { ", its keeper is lost" };
                format!("{phase}, {} as {}{whose}{kept}", seen.launch.workbench, seen.launch.user)
            }
            Known::Absent => "not there".to_owned(),
            Known::Unknown { reason, .. } => format!("unknown: {reason}"),
        };
        let _ = writeln!(out, "{incarnation}  {line}");
    }
    if out.is_empty() {
        out.push_str("no sessions\n");
    }
    out
}

fn routes(world: &World) -> String {
    let mut out = String::new();
    for route in world.observed.routes.values() {
        let owner = route.access.owner.as_ref().map_or("nobody".to_owned(), ToString::to_string);
        let ready = if route.ready { "answers" } else { "starting" };
        let _ = writeln!(out, "{} {ready}, for {owner}", route.incarnation);
    }
    out
}
