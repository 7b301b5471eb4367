//! The product in the world of a script: it runs, or not, and has sessions. Nothing of ours ever touches it.
//!
//! | `product runs VERSION` | its server (pid 812) and its launcher (pid 900) run, with port 8787 |
//! |---|---|
//! | `product session KIND USER by server` | a session on this node; or `by launcher`, `by nobody` |
//! | `product node HOST USER...` | a node of its list, with sessions of those users |
//! | `product jobs CLUSTER N`, `product jobs CLUSTER unknown WHY` | jobs in a scheduler |
//! | `product sessions unknown WHY`, `product nodes unknown WHY` | what could not be read |
//! | `product gone`, `product unknown WHY` | it does not run; nobody knows |

use std::sync::Arc;

use engine_core::desired::{Desired, Lowered};
use engine_core::incumbent::behind::{Behind, began_with, behind};
use engine_core::incumbent::pages::NodeStatus;
use engine_core::incumbent::{
    Found, FoundJob, FoundService, FoundSession, HeldPort, Kind, Service,
};
use engine_core::known::Known;
use engine_core::observed::Observed;
use engine_core::report::Report;
use engine_core::report::incumbent::{IncumbentPlan, serving};

use super::run::two;
use super::world::World;

/// What a plan says of the product, as the engine makes it.
pub(super) fn plan_of(
    world: &World,
    report: &Report,
    lowered: &Lowered,
    desired: &Desired,
    observed: &Observed,
) -> Option<Box<IncumbentPlan>> {
    let from = world.force.as_ref().map(|force| &force.lowered.settings);
    let mut plan = IncumbentPlan::new(report, from, &lowered.settings, desired, observed)?;
    plan.behind = behind_of(world, &plan);
    if let (Some(force), true) = (&world.force, plan.observing && !report.options.is_empty()) {
        let new = world.disk.read();
        plan.serving = Some(serving(&force.files, &new, &world.ground(), observed, world.now));
    }
    Some(Box::new(plan))
}

/// What the product has not taken up yet.
fn behind_of(world: &World, plan: &IncumbentPlan) -> Vec<Behind> {
    let (Some(found), Some(force)) = (plan.found.present(), &world.force) else {
        return Vec::new();
    };
    let all: Vec<_> = world.history.iter().chain([force]).collect();
    let marks: Vec<_> = all.iter().map(|f| (f.mark.generation, f.mark.since)).collect();
    let services = [Service::Server, Service::Launcher].into_iter();
    let mains = services.filter_map(|service| found.main(service));
    let of = |main: &FoundService| {
        let generation = began_with(main.since, &marks)?;
        let then = all.iter().find(|f| f.mark.generation == generation)?;
        behind(main, &then.lowered.settings, &force.lowered.settings)
    };
    mains.filter_map(of).collect()
}

/// What happens to the product.
pub(super) fn happen(world: &mut World, rest: &str) -> Result<(), String> {
    let (what, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let now = world.now;
    match (what, rest) {
        ("runs", version) => {
            world.observed.incumbent = Known::Present(Arc::new(runs(world, version)));
            return Ok(());
        }
        ("gone", _) => {
            world.observed.incumbent = Known::Absent;
            return Ok(());
        }
        ("unknown", why) => {
            world.observed.incumbent = Known::Unknown { since: now, reason: why.to_owned() };
            return Ok(());
        }
        _ => {}
    }
    let Known::Present(found) = &mut world.observed.incumbent else {
        return Err("it does not run".to_owned());
    };
    let found = Arc::make_mut(found);
    match what {
        "session" => session(found, rest)?,
        "node" => node(found, rest),
        "jobs" => jobs(found, rest, now)?,
        "sessions" => found.sessions = Known::Unknown { since: now, reason: why(rest)? },
        "nodes" => found.nodes = Known::Unknown { since: now, reason: why(rest)? },
        _ => return Err(format!("the product has no {what}")),
    }
    Ok(())
}

fn why(rest: &str) -> Result<String, String> {
    let why = rest.strip_prefix("unknown ").ok_or("write `unknown WHY`")?;
    Ok(why.to_owned())
}

fn runs(world: &World, version: &str) -> Found {
    let now = world.now;
    let service = |program: &str, service, pid, user: &str| FoundService {
        program: program.to_owned(),
        service,
        pid,
        since: now,
        user: user.to_owned(),
        trusted: true,
    };
    Found {
        looked_at: now,
        version: Known::Present(version.to_owned()),
        services: vec![
            service("rserver", Service::Server, 812, "rstudio-server"),
            service("rstudio-launcher", Service::Launcher, 900, "root"),
        ],
        sessions: Known::Present(Vec::new()),
        nodes: Known::Absent,
        health: Known::Absent,
        metrics: Known::Absent,
        jobs: std::collections::BTreeMap::new(),
        ports: vec![HeldPort { port: 8787, pid: 812, program: "rserver".to_owned() }],
        of_this_site: true,
    }
}

fn session(found: &mut Found, rest: &str) -> Result<(), String> {
    let (kind, rest) = two(rest)?;
    let (user, by) = rest.split_once(" by ").ok_or("write `KIND USER by server`")?;
    let kinds =
        [Kind::Rstudio, Kind::Jupyterlab, Kind::JupyterNotebook, Kind::VsCode, Kind::Positron];
    let kind = kinds.into_iter().find(|k| k.name() == kind).ok_or("there is no such kind")?;
    let held_by = match by {
        "server" => Some(Service::Server),
        "launcher" => Some(Service::Launcher),
        "nobody" => None,
        _ => return Err(format!("`{by}` starts no sessions")),
    };
    let since = found.looked_at;
    let Known::Present(sessions) = &mut found.sessions else {
        return Err("nobody could look for sessions".to_owned());
    };
    let pid = 5_000 + u32::try_from(sessions.len()).unwrap_or(0);
    sessions.push(FoundSession { kind, pid, since, user: user.to_owned(), held_by });
    Ok(())
}

fn node(found: &mut Found, rest: &str) {
    let mut words = rest.split_whitespace();
    let host = words.next().unwrap_or_default().to_owned();
    let sessions = words.zip(7_000..).map(|(user, pid)| (pid, user.to_owned())).collect();
    let address = "10.0.0.1".to_owned();
    let node = NodeStatus { host, port: 8787, address, load: "0, 0, 0".to_owned(), sessions };
    match &mut found.nodes {
        Known::Present(nodes) => nodes.push(node),
        none => *none = Known::Present(vec![node]),
    }
}

fn jobs(found: &mut Found, rest: &str, now: engine_core::ids::Moment) -> Result<(), String> {
    let (cluster, many) = two(rest)?;
    let known = match many.strip_prefix("unknown ") {
        Some(why) => Known::Unknown { since: now, reason: why.to_owned() },
        None => {
            let many: usize = many.parse().map_err(|_| format!("`{many}` is no number"))?;
            let job = |at: usize| FoundJob {
                id: at.to_string(),
                user: "eve".to_owned(),
                state: "RUNNING".to_owned(),
            };
            Known::Present((0..many).map(job).collect())
        }
    };
    found.jobs.insert(cluster.to_owned(), known);
    Ok(())
}
