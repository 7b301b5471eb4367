//! Memory of the engine: idle, with 20 sessions, with many declared; and of the keeper of each session.
//!
//! Beside it an nginx that proxies to one of the sessions, and one more demo process without an engine:
//! what a proxy and a minimal HTTP server take on this machine.
//!
//! `memory [RUNS]`, 5 unless said.

use std::process::Command;
use std::time::Duration;

use benches::Outcome;
use benches::machine::{self, Memory, memory};
use benches::nginx::Nginx;
use benches::running::{DataThreads, Running, start_on_socket, terminate, wait_for, wharf};
use benches::samples::{Raw, Samples};
use benches::site::{Settle, Site, State, session_text};

const SESSIONS: usize = 20;
/// Let start-up work and its allocations pass.
const REST: Duration = Duration::from_secs(2);

const ROWS: [&str; 9] = [
    "engine, no session",
    "engine, 20 demo sessions",
    "keeper, of 20",
    "demo process, of 20",
    "demo process without an engine",
    "engine, 1,000 declared and stopped",
    "engine, 10,000 declared and stopped",
    "nginx, master and one worker",
    "engine and 20 keepers",
];

struct Table {
    raw: Raw,
    pss: Vec<Samples>,
    rss: Vec<Samples>,
    private: Vec<Samples>,
}

impl Table {
    fn add(&mut self, run: usize, row: usize, memory: Memory) -> Outcome<()> {
        self.pss[row].add(memory.pss_kib as f64);
        self.rss[row].add(memory.rss_kib as f64);
        self.private[row].add(memory.private_kib as f64);
        let Memory { rss_kib, pss_kib, private_kib } = memory;
        let load = machine::load_average();
        let name = ROWS[row].replace(',', ";");
        Ok(self.raw.row(&format!("{run},{name},{rss_kib},{pss_kib},{private_kib},{load}"))?)
    }
}

fn main() -> Outcome<()> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    println!("before: {}", machine::describe());
    let none = || ROWS.iter().map(|_| Samples::default()).collect();
    let raw = Raw::create("memory", "run,what,rss_kib,pss_kib,private_kib,load")?;
    let mut table = Table { raw, pss: none(), rss: none(), private: none() };
    for run in 0..runs {
        with_sessions(&mut table, run)?;
        for (row, declared) in [(5, 1_000), (6, 10_000)] {
            let site = Site::write(declared, Settle::Shipped, "")?;
            let engine = Running::start(site, DataThreads::AsShipped)?;
            std::thread::sleep(REST);
            table.add(run, row, memory(engine.pid())?)?;
            engine.stop()?;
        }
    }
    println!("\n{runs} runs; KiB, median (least to greatest)\n");
    println!("| what | PSS | RSS | private |");
    println!("|---|---:|---:|---:|");
    for (row, name) in ROWS.iter().enumerate() {
        let (pss, rss, private) = (&table.pss[row], &table.rss[row], &table.private[row]);
        println!("| {name} | {} | {} | {} |", pss.shown(0), rss.shown(0), private.shown(0));
    }
    let ratio = |row: usize| table.pss[row].median() / table.pss[7].median();
    println!("\nPSS, ratio to nginx: engine {:.2}, with 20 sessions {:.2}", ratio(0), ratio(1));
    println!("after: {}", machine::describe());
    Ok(())
}

fn with_sessions(table: &mut Table, run: usize) -> Outcome<()> {
    let engine = Running::start(Site::write(0, Settle::Shipped, "")?, DataThreads::AsShipped)?;
    let cookie = engine.sign_in()?;
    std::thread::sleep(REST);
    table.add(run, 0, memory(engine.pid())?)?;
    for n in 0..SESSIONS {
        let text = session_text("demo", &format!("Demo {n}"), State::Running);
        engine.site.stage(&format!("demo{n}"), &text)?.rename()?;
    }
    wait_for("twenty sessions", || {
        let status = engine.status()?;
        let running = status.sessions.iter().filter(|session| session.state == "running");
        Ok(running.count() == SESSIONS)
    })?;
    // Each was used once, as by a person.
    let mut client = benches::http::Client::connect(engine.site.port, &cookie)?;
    for n in 0..SESSIONS {
        client.get(&format!("/s/demo{n}/status"))?;
    }
    std::thread::sleep(REST);
    let with = memory(engine.pid())?;
    table.add(run, 1, with)?;
    let mut together = with;
    for (pid, _) in engine.keepers() {
        let keeper = memory(pid)?;
        together.rss_kib += keeper.rss_kib;
        together.pss_kib += keeper.pss_kib;
        together.private_kib += keeper.private_kib;
        table.add(run, 2, keeper)?;
    }
    table.add(run, 8, together)?;
    for session in engine.status()?.sessions.iter() {
        if let Some(pid) = session.pid {
            table.add(run, 3, memory(pid)?)?;
        }
    }
    let socket = engine.site.scratch().join("bare.sock");
    let mut command = Command::new(wharf()?);
    command.arg("__demo").arg("--socket").arg(&socket);
    let mut bare = start_on_socket(command, &socket)?;
    let nginx = Nginx::start(engine.site.scratch(), &socket)?;
    benches::http::Client::connect(nginx.port, "")?.get("/status")?;
    table.add(run, 4, memory(bare.id())?)?;
    let (master, worker) = (memory(nginx.master())?, memory(nginx.worker()?)?);
    let nginx_memory = Memory {
        rss_kib: master.rss_kib + worker.rss_kib,
        pss_kib: master.pss_kib + worker.pss_kib,
        private_kib: master.private_kib + worker.private_kib,
    };
    table.add(run, 7, nginx_memory)?;
    nginx.stop()?;
    terminate(&mut bare)?;
    engine.stop()
}
