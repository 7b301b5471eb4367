//! What a plan costs, and how that grows: sessions at rest on some nodes, and after one edit.
//!
//! *lowered* is the whole set of files anew, from texts in memory; *edit* the same after one session's file
//! changed, with what the earlier lowering kept; *plan* one round of the planner over everything, *plan after
//! the edit* the round that finds the change, with what the round before left; *one line* all of that from the new
//! text, with the set's digest; *forecast* the whole way that `wharf plan` looks ahead. *bytes* is the floor: one
//! SHA-256 over all texts. Memory is what the process grew by, a session.
//!
//! `plan_scale [RUNS] [SESSIONS ...]`, 5 runs of 1,000, 10,000 and 100,000 unless said. Raw samples go to
//! `benches/results/plan_scale.csv`. Each session's file has seven lines; `launcher-env` gives 20 variables.

use std::fmt::Write as _;
use std::hint::black_box;

use benches::running::ground;
use benches::samples::{Raw, Samples};
use benches::{Outcome, machine};
use engine_core::desired::{Desired, Lowered, Origins, lower, lower_after, merge};
use engine_core::forecast::{forecast, forecast_after};
use engine_core::ids::{Digest, Incarnation, Moment, NodeId, SiteDigest};
use engine_core::known::Known;
use engine_core::observed::{
    IncarnationSeen, NodeSeen, Observed, Phase, Placed, Records, Terms, UserSeen,
};
use engine_core::planner::{self, Input, Kept};
use engine_core::predict;
use engine_core::site::{Managed, SiteFiles};
use grammar::source::{FileKind, Source};

const NODES: [usize; 3] = [1, 100, 1000];
const WHATS: [&str; 8] = [
    "bytes",
    "lowered",
    "edit",
    "plan",
    "plan after the edit",
    "one line, from its bytes to the plan",
    "forecast",
    "forecast after the edit",
];
const NOW: Moment = Moment(2_000_000);

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let runs: usize = args.next().map_or(Ok(5), |text| text.parse())?;
    let mut sizes: Vec<usize> = args.map(|text| text.parse()).collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    println!("before: {}\n", machine::describe());
    let mut raw = Raw::create("plan_scale", "sessions,nodes,what,run,ms,load")?;
    println!("{runs} runs each, ms of processor time, median (least to greatest)\n");
    println!("| sessions | nodes | what | ms | us a session |\n|---:|---:|---|---:|---:|");
    for sessions in sizes {
        measure(sessions, runs, &mut raw)?;
    }
    println!("\nafter: {}", machine::describe());
    Ok(())
}

fn measure(sessions: usize, runs: usize, raw: &mut Raw) -> Outcome<()> {
    let before = machine::memory(std::process::id())?.private_kib;
    let files = site(sessions);
    let lowered = lower(&files, &ground());
    let grown = machine::memory(std::process::id())?.private_kib.saturating_sub(before);
    let edited = edited(&files);
    for nodes in NODES {
        let world = world(&lowered, nodes);
        let mut samples: [Samples; WHATS.len()] = Default::default();
        for run in 0..runs {
            for (what, samples) in WHATS.iter().zip(&mut samples) {
                // What does not depend on nodes is measured once.
                if nodes != 1 && matches!(*what, "bytes" | "lowered" | "edit") {
                    continue;
                }
                let ms = once(what, &files, &edited, &lowered, &world);
                samples.add(ms);
                let load = machine::load_average();
                let named = what.replace(',', ";");
                raw.row(&format!("{sessions},{nodes},{named},{run},{ms:.3},{load}"))?;
            }
        }
        for (what, samples) in WHATS.iter().zip(&samples).filter(|(_, s)| !s.is_empty()) {
            let each = samples.least() * 1000.0 / sessions as f64;
            println!("| {sessions} | {nodes} | {what} | {} | {each:.2} |", samples.shown(1));
        }
    }
    println!("| {sessions} | | memory of files and what they ask for | | {:.1} KiB |", {
        grown as f64 / sessions as f64
    });
    Ok(())
}

/// Milliseconds of processor time of one of [`WHATS`].
fn once(
    what: &str,
    files: &SiteFiles,
    edited: &SiteFiles,
    lowered: &Lowered,
    world: &Observed,
) -> f64 {
    let timed = |act: &mut dyn FnMut()| {
        let begun = machine::thread_cpu_s();
        act();
        (machine::thread_cpu_s() - begun) * 1000.0
    };
    let after = |edited: &SiteFiles| {
        let after = lower_after(edited, &ground(), &lowered.pieces);
        let mut origins = after.origins.clone();
        origins.follow(&lowered.origins);
        (merge(after.desired, &[], &[], NOW), origins)
    };
    let plan = |desired: &Desired, origins: &Origins| {
        black_box(planner::plan(&Input { desired, origins, observed: world, now: NOW }));
    };
    match what {
        "bytes" => timed(&mut || {
            let texts = files.sessions.files().filter_map(|(_, file)| file.present());
            let digests = texts.map(|source| Digest::of(source.text.as_bytes()));
            black_box(digests.collect::<Vec<_>>());
        }),
        "lowered" => timed(&mut || drop(black_box(lower(files, &ground())))),
        "edit" => {
            let mut kept = None;
            timed(&mut || kept = Some(black_box(lower_after(edited, &ground(), &lowered.pieces))))
        }
        "plan" => timed(&mut || plan(&lowered.desired, &lowered.origins)),
        "plan after the edit" => {
            let (desired, origins) = after(edited);
            let mut kept = kept_of(lowered, world);
            timed(&mut || {
                let input =
                    Input { desired: &desired, origins: &origins, observed: world, now: NOW };
                black_box(planner::plan_after(&input, &mut kept));
            })
        }
        "one line, from its bytes to the plan" => {
            black_box(files.digest());
            let mut kept = kept_of(lowered, world);
            timed(&mut || {
                let edited = self::edited(files);
                black_box(edited.digest());
                let (desired, origins) = after(&edited);
                let input =
                    Input { desired: &desired, origins: &origins, observed: world, now: NOW };
                black_box(planner::plan_after(&input, &mut kept));
            })
        }
        "forecast after the edit" => {
            let (desired, origins) = after(edited);
            let kept = kept_of(lowered, world);
            timed(&mut || {
                black_box(forecast_after(&desired, &origins, world, NOW, &kept));
            })
        }
        _ => {
            let (desired, origins) = after(edited);
            timed(&mut || {
                black_box(forecast(&desired, &origins, world, NOW));
            })
        }
    }
}

/// What the round before the edit leaves.
fn kept_of(lowered: &Lowered, world: &Observed) -> Kept {
    let (desired, origins) = (&lowered.desired, &lowered.origins);
    let mut kept = Kept::default();
    let _ = planner::plan_after(&Input { desired, origins, observed: world, now: NOW }, &mut kept);
    kept
}

/// A site with so many declared sessions.
fn site(sessions: usize) -> SiteFiles {
    let mut files = SiteFiles::nothing("/site", "/site");
    let mut put = |kind: FileKind, text: String| {
        let source = Source::new(format!("/site/{}", kind.file_name()), text);
        files.workbench.insert(kind, Known::Present(source));
    };
    put(FileKind::RserverConf, "www-address=127.0.0.1\nwww-port=8787\n".to_owned());
    let mut env = String::new();
    for n in 0..20 {
        let _ = write!(env, "Environment: VARIABLE_{n}=the value of {n}\n\n");
    }
    put(FileKind::LauncherEnv, env);
    files.wharf = Known::Present(Source::new("/site/wharf.toml", "mode = \"serve\"\n"));
    let file = |n: usize| {
        let text = format!(
            "workbench = \"demo\"\nuser = \"user{}\"\ndisplay-name = \"Session {n}\"\n\n[resources]\n\
             cpus = 2\nmemory = \"4GiB\"\n",
            n % 5000
        );
        let path = format!("/site/sessions.d/s{n:06}.toml");
        (format!("s{n:06}"), Known::Present(Source::new(path, text)))
    };
    files.sessions = Managed::Managed((0..sessions).map(file).collect());
    files
}

/// The same with one line more in one file.
fn edited(files: &SiteFiles) -> SiteFiles {
    let mut edited = files.clone();
    if let Managed::Managed(sessions) = &mut edited.sessions
        && let Some(Known::Present(source)) = sessions.get("s000001")
    {
        let text = format!("args = [\"--verbose\"]\n{}", source.text);
        let source = Source::new(&*source.file, text);
        sessions.insert("s000001".to_owned(), Known::Present(source));
    }
    edited
}

/// A world in which all of them run, on so many nodes, and nothing is to be done.
fn world(lowered: &Lowered, nodes: usize) -> Observed {
    let node = |n: usize| -> NodeId { format!("n{n:04}").parse().expect("a node's name") };
    let mut world = Observed::empty(node(0));
    world.in_force.digest = Some(SiteDigest(Digest::of(b"")));
    for n in 0..nodes {
        world.nodes.insert(node(n), Known::Present(NodeSeen::default()));
    }
    let mut records = Records::default();
    for (n, (id, spec)) in lowered.desired.sessions.known().enumerate() {
        let account = UserSeen {
            uid: 1000,
            gid: 1000,
            home: "/home/somebody".to_owned(),
            shell: "/bin/sh".to_owned(),
            reachable: true,
        };
        world.users.entry(spec.launch.user.clone()).or_insert(Known::Present(account));
        let seen = IncarnationSeen {
            phase: Phase::Ready,
            launch: spec.launch.clone(),
            node: node(n % nodes),
            uid: 1000,
            pid: Some(4711),
            started_at: Moment(1),
            socket_dir: format!("/run/wharf/sessions/{id}.1/u"),
            socket: "s".to_owned(),
            ours: true,
            kept: true,
            last_used: None,
            terms: Terms::default(),
            generation: None,
        };
        world.incarnations.insert(Incarnation::new(id.clone(), 1), Known::Present(seen));
        let placed = Placed { n: 1, node: node(n % nodes), at: Moment(1) };
        records.placements.insert(id.clone(), placed);
    }
    world.records = Known::Present(records);
    let (desired, origins) = (&lowered.desired, &lowered.origins);
    let first = planner::plan(&Input { desired, origins, observed: &world, now: Moment(1_000) });
    predict::predict(world, &first, Moment(1_000))
}
