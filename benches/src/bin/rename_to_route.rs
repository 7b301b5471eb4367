//! From one rename into `sessions.d` to the route in force, at 10, 1,000 and 10,000 declared sessions.
//!
//! Three kinds of change, each by one rename of a finished file: *new* declares one more session without
//! a process, until its path answers with its page instead of 404; *edit* gives a declared one another
//! name, until its page shows that; *start* declares a demo, until it answers 200 itself. The bulk is
//! declared as stopped. Asked over one open connection, signed in, 0.3 ms after each answer.
//!
//! The floor, in turns with them: reading the same files once and hashing their bytes.
//! And in this process, without an engine: the same functions that the engine calls.
//!
//! `rename_to_route [RUNS [SESSIONS]]`, 7 runs unless said; with the last only that size and no settling
//! time, for a profiler that watches it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use benches::http::Client;
use benches::running::{DataThreads, PATIENCE, Running, ground, read};
use benches::samples::{Raw, Samples};
use benches::site::{Settle, Site, State, session_name, session_text};
use benches::{Outcome, machine};
use engine_core::desired::{Lowered, lower, merge};
use engine_core::forecast::forecast;
use engine_core::ids::{Digest, Moment};
use engine_core::known::Known;
use engine_core::observed::Observed;
use engine_core::planner::{Input, plan};
use engine_core::site::{Managed, SiteFiles};
use grammar::source::Source;

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const STEP: Duration = Duration::from_micros(300);

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runs: usize = args.first().map_or(Ok(7), |text| text.parse())?;
    let only: Option<usize> = args.get(1).map(|text| text.parse()).transpose()?;
    println!("before: {}", machine::describe());
    let mut raw = Raw::create("rename_to_route", "sessions,settle,run,what,ms,engine_cpu_ms,load")?;
    println!("\n{runs} runs each, in turns; ms, median (least to greatest)\n");
    println!("| sessions | settle | what | ms | engine CPU ms | to the floor |");
    println!("|---:|---|---|---:|---:|---:|");
    if let Some(sessions) = only {
        return renames(sessions, Settle::None, runs, &mut raw);
    }
    for sessions in SIZES {
        for settle in [Settle::None, Settle::Shipped] {
            renames(sessions, settle, runs, &mut raw)?;
        }
    }
    println!("\nIn process, ms: median (least to greatest); us per session from the median\n");
    println!("| sessions | what | ms | us per session |\n|---:|---|---:|---:|");
    for sessions in SIZES {
        in_process(sessions, runs, &mut raw)?;
    }
    println!("\nafter: {}", machine::describe());
    Ok(())
}

#[derive(Clone, Copy)]
enum Change {
    New,
    Edit,
    Start,
}

const CHANGES: [(Change, &str); 3] =
    [(Change::New, "new"), (Change::Edit, "edit"), (Change::Start, "start")];

fn renames(sessions: usize, settle: Settle, runs: usize, raw: &mut Raw) -> Outcome<()> {
    let engine = Running::start(Site::write(sessions, settle, "")?, DataThreads::AsShipped)?;
    let cookie = engine.sign_in()?;
    let mut client = Client::connect(engine.site.port, &cookie)?;
    let mut times: [Samples; 4] = Default::default();
    let mut clocks: [Samples; 3] = Default::default();
    for run in 0..runs {
        let began = Instant::now();
        read_and_hash(&engine.site.dir())?;
        let floor = began.elapsed().as_secs_f64() * 1e3;
        times[3].add(floor);
        let (settle, load) = (settle.name(), machine::load_average());
        raw.row(&format!("{sessions},{settle},{run},floor,{floor:.3},,{load}"))?;
        for (at, (change, name)) in CHANGES.into_iter().enumerate() {
            rest(&engine)?;
            let (ms, cpu) = rename(&engine, &mut client, change, run)?;
            times[at].add(ms);
            clocks[at].add(cpu);
            raw.row(&format!("{sessions},{settle},{run},{name},{ms:.3},{cpu:.0},{load}"))?;
        }
    }
    let floor = times[3].median();
    for ((_, name), (times, clocks)) in CHANGES.iter().zip(times.iter().zip(&clocks)) {
        println!(
            "| {sessions} | {} | {name} | {} | {} | {:.1} |",
            settle.name(),
            times.shown(1),
            clocks.shown(0),
            times.median() / floor
        );
    }
    println!("| {sessions} | {} | floor | {} | | 1 |", settle.name(), times[3].shown(2));
    engine.stop()
}

/// Waits until the engine has nothing to do: no round is one change behind.
fn rest(engine: &Running) -> Outcome<()> {
    let since = Instant::now();
    let mut used = machine::cpu_us(engine.pid())?;
    let mut quiet = 0;
    while quiet < 3 && since.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(60));
        let now = machine::cpu_us(engine.pid())?;
        quiet = if now - used < 10_000.5 { quiet + 1 } else { 0 };
        used = now;
    }
    Ok(())
}

/// Milliseconds from a rename until it shows, and the engine's processor time in between.
fn rename(
    engine: &Running,
    client: &mut Client<std::net::TcpStream>,
    change: Change,
    run: usize,
) -> Outcome<(f64, f64)> {
    let named = format!("Name {run}");
    let (session, text) = match change {
        Change::New => (format!("new{run}"), session_text("demo", &named, State::Stopped)),
        Change::Edit => (session_name(run % 10), session_text("demo", &named, State::Stopped)),
        Change::Start => (format!("start{run}"), session_text("demo", &named, State::Running)),
    };
    let path = match change {
        Change::Start => format!("/s/{session}/status"),
        Change::New | Change::Edit => format!("/s/{session}/"),
    };
    let staged = engine.site.stage(&session, &text)?;
    let used = machine::cpu_us(engine.pid())?;
    let began = Instant::now();
    staged.rename()?;
    while began.elapsed() < PATIENCE {
        let answer = client.get(&path)?;
        let shown = match change {
            Change::New => answer.status == 503,
            Change::Edit => String::from_utf8_lossy(&answer.body).contains(&named),
            Change::Start => answer.status == 200,
        };
        if shown {
            let ms = began.elapsed().as_secs_f64() * 1e3;
            return Ok((ms, (machine::cpu_us(engine.pid())? - used) / 1e3));
        }
        std::thread::sleep(STEP);
    }
    Err(format!("{path} did not change in {} s", PATIENCE.as_secs()).into())
}

/// The least that anybody must do who looks at all files.
fn read_and_hash(dir: &Path) -> Outcome<Digest> {
    let mut all = Vec::new();
    let mut names: Vec<_> = fs::read_dir(dir.join("sessions.d"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    names.extend([dir.join("wharf.toml"), dir.join("rserver.conf")]);
    names.sort();
    for name in names {
        all.extend(fs::read(name)?);
    }
    Ok(Digest::of(&all))
}

/// What happens between bytes and steps, function by function, as the engine calls them.
fn in_process(sessions: usize, runs: usize, raw: &mut Raw) -> Outcome<()> {
    let site = Site::write(sessions, Settle::None, "")?;
    let names = [
        "floor: read and hash",
        "load: read into values",
        "digest",
        "lower: texts to desired",
        "merge",
        "plan",
        "forecast",
        "one line edited: take over, digest, lower, merge, plan",
    ];
    let mut times: Vec<Samples> = names.iter().map(|_| Samples::default()).collect();
    for run in 0..runs {
        let mut at = 0;
        let mut lap = |since: Instant| -> Outcome<()> {
            let ms = since.elapsed().as_secs_f64() * 1e3;
            times[at].add(ms);
            let name = names[at].replace(',', ";");
            at += 1;
            let load = machine::load_average();
            Ok(raw.row(&format!("{sessions},in process,{run},{name},{ms:.4},,{load}"))?)
        };
        let began = Instant::now();
        read_and_hash(&site.dir())?;
        lap(began)?;
        let began = Instant::now();
        let files = read(&site.dir());
        lap(began)?;
        let began = Instant::now();
        let digest = files.digest();
        lap(began)?;
        let ground = ground();
        let began = Instant::now();
        let lowered = lower(&files, &ground);
        lap(began)?;
        check(&lowered, sessions)?;
        let now = Moment(1_000);
        let began = Instant::now();
        let desired = merge(lowered.desired.clone(), &[], &[], now);
        lap(began)?;
        let mut observed = Observed::empty(ground.node.clone());
        observed.cores = 2;
        observed.in_force.digest = Some(digest);
        let origins = &lowered.origins;
        let input = Input { desired: &desired, origins, observed: &observed, now };
        let began = Instant::now();
        let first = plan(&input);
        lap(began)?;
        let began = Instant::now();
        let whole = forecast(&desired, origins, &observed, now);
        lap(began)?;
        let mut again = edited(files.clone(), &site, run)?;
        let began = Instant::now();
        again.take_over(&files);
        observed.in_force.digest = Some(again.digest());
        let lowered = lower(&again, &ground);
        let desired = merge(lowered.desired.clone(), &[], &[], now);
        let origins = &lowered.origins;
        let second = plan(&Input { desired: &desired, origins, observed: &observed, now });
        lap(began)?;
        // What was computed is used, so that none of it can be left out.
        std::hint::black_box((first, whole, second));
    }
    for (name, times) in names.iter().zip(&times) {
        let each = times.median() * 1e3 / sessions as f64;
        println!("| {sessions} | {name} | {} | {each:.2} |", times.shown(2));
    }
    Ok(())
}

fn check(lowered: &Lowered, sessions: usize) -> Outcome<()> {
    if !lowered.is_acceptable() || lowered.desired.sessions.known().count() != sessions {
        return Err(format!("the site is not acceptable: {:?}", lowered.problems).into());
    }
    Ok(())
}

/// The same files with another name for one session.
fn edited(mut files: SiteFiles, site: &Site, run: usize) -> Outcome<SiteFiles> {
    let Managed::Managed(sessions) = &mut files.sessions else {
        return Err("the site has no sessions.d".into());
    };
    let name = session_name(run % 10);
    let text = session_text("demo", &format!("Edited {run}"), State::Stopped);
    let path = site.session_file(&name).display().to_string();
    sessions.insert(name, Known::Present(Source::new(path, text)));
    Ok(files)
}
