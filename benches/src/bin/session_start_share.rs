//! What the engine adds to the start of a session, over the same program started directly.
//!
//! Both are the demo, both are asked over HTTP until they answer, every 0.5 ms. `bare` is spawned and
//! asked at its socket. `wharf` is told by a command to start a stopped session, and asked twice: at the
//! session's own socket (everything up to the process: command, plan, store, warden, keeper) and through
//! the proxy, signed in (that, and noticing that the session answers, and the route). In turns.
//!
//! `session_start_share [RUNS]`, 25 unless said.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::http::Client;
use benches::running::{DataThreads, PATIENCE, Running, terminate, wait_for, wharf};
use benches::samples::{Raw, Samples};
use benches::site::{Settle, Site, State, session_text};
use benches::{Outcome, machine};
use engine::admin::protocol::Request;

const STEP: Duration = Duration::from_micros(500);

fn main() -> Outcome<()> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(25), |text| text.parse())?;
    println!("before: {}", machine::describe());
    let engine = Running::start(Site::write(0, Settle::Shipped, "")?, DataThreads::AsShipped)?;
    let cookie = engine.sign_in()?;
    let text = session_text("demo", "Demo", State::Running);
    engine.declare("demo", &text, "/status", &cookie)?;
    let mut raw = Raw::create("session_start_share", "run,what,ms,engine_cpu_ms,load")?;
    let (mut bare, mut process, mut route, mut cpu) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for run in 0..runs {
        // Whoever comes first in a pair meets colder caches: by turns.
        for first in [run % 2 == 0, run % 2 == 1] {
            let load = machine::load_average();
            if first {
                let ms = start_bare(engine.site.scratch())?;
                bare.add(ms);
                raw.row(&format!("{run},bare,{ms:.3},,{load}"))?;
            } else {
                let started = start_session(&engine, &cookie)?;
                process.add(started.process_ms);
                route.add(started.route_ms);
                cpu.add(started.cpu_ms);
                raw.row(&format!("{run},wharf-process,{:.3},,{load}", started.process_ms))?;
                raw.row(&format!(
                    "{run},wharf-route,{:.3},{:.0},{load}",
                    started.route_ms, started.cpu_ms
                ))?;
            }
        }
    }
    println!("\n{runs} starts each, in turns; ms, median (least to greatest)\n");
    println!("| what | ms |\n|---|---:|");
    println!("| bare: spawned -> its socket answers | {} |", bare.shown(1));
    println!("| wharf: command -> its socket answers | {} |", process.shown(1));
    println!("| wharf: command -> 200 through the proxy | {} |", route.shown(1));
    for (where_to, samples) in [("process", &process), ("route", &route)] {
        let medians = samples.median() - bare.median();
        let least = samples.least() - bare.least();
        println!(
            "| own share, to the {where_to}: of medians, of least values | {medians:.1}, {least:.1} |"
        );
    }
    println!("| ratio to bare | {:.1} |", route.median() / bare.median());
    println!("| engine CPU from command to 200 (10 ms steps) | {} |", cpu.shown(0));
    println!("\nafter: {}", machine::describe());
    engine.stop()
}

/// Spawns the demo; milliseconds until it answers.
fn start_bare(dir: &Path) -> Outcome<f64> {
    let socket = dir.join("bare.sock");
    let began = Instant::now();
    let mut child = Command::new(wharf()?)
        .arg("__demo")
        .arg("--socket")
        .arg(&socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let answered = poll(began, || answers(&socket, "/status"));
    terminate(&mut child)?;
    answered
}

struct Started {
    process_ms: f64,
    route_ms: f64,
    cpu_ms: f64,
}

/// Stops the session, waits for that, starts it by a command.
fn start_session(engine: &Running, cookie: &str) -> Outcome<Started> {
    engine.ask(Request::SessionStop {
        session: "demo".to_owned(),
        reason: "the next start is measured".to_owned(),
        for_ms: 600_000,
    })?;
    let mut incarnation = 0;
    wait_for("the session's end", || {
        let status = engine.status()?;
        let demo = status.sessions.iter().find(|session| session.id == "demo");
        incarnation = demo.map_or(incarnation, |demo| demo.incarnation.max(incarnation));
        Ok(engine.keepers().is_empty() && demo.is_some_and(|demo| demo.state == "stopped"))
    })?;
    let mut client = Client::connect(engine.site.port, cookie)?;
    let directories = engine.runtime().join("s/demo");
    let clock = || machine::cpu_us(engine.pid());
    let used = clock()?;
    let began = Instant::now();
    engine.ask(Request::SessionStart {
        session: Some("demo".to_owned()),
        template: None,
        user: None,
    })?;
    // Directories of earlier incarnations have no listener any more.
    let process_ms = poll(began, || {
        let Ok(found) = std::fs::read_dir(&directories) else { return false };
        found.flatten().any(|dir| answers(&dir.path().join("u/app.sock"), "/s/demo/status"))
    })?;
    let route_ms =
        poll(began, || client.get("/s/demo/status").is_ok_and(|answer| answer.status == 200))?;
    let cpu_ms = (clock()? - used) / 1e3;
    Ok(Started { process_ms, route_ms, cpu_ms })
}

fn answers(socket: &Path, path: &str) -> bool {
    let Ok(stream) = UnixStream::connect(socket) else { return false };
    let limit = stream.set_read_timeout(Some(Duration::from_secs(2)));
    limit.is_ok()
        && Client::over(stream, "Host: localhost\r\n")
            .get(path)
            .is_ok_and(|answer| answer.status == 200)
}

/// Milliseconds since `began` when `done` says yes for the first time.
fn poll(began: Instant, mut done: impl FnMut() -> bool) -> Outcome<f64> {
    while began.elapsed() < PATIENCE {
        if done() {
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(STEP);
    }
    Err("no answer".into())
}
