//! A GET of 1 KiB, and WebSocket-like round trips, through `wharf` and through nginx, to one upstream.
//!
//! The upstream is a session of the engine: nginx is led to the very same Unix socket. `wharf` checks the
//! sign-in cookie, who may enter the session and who listens at its socket, rewrites headers, counts and
//! logs as shipped; nginx does none of that. Each has one thread. `direct` is the upstream without a
//! proxy: what load and upstream cost by themselves. In turns, so that each meets the same noise.
//!
//! `proxy_vs_nginx [ROUNDS [PEER TASK CONNECTIONS]]`, 5 rounds unless said; with the last three only that,
//! for a profiler that watches it (`proxy_vs_nginx 8 wharf get 64`).

use std::time::Duration;

use benches::load::{Measured, Target, Task, run};
use benches::nginx::Nginx;
use benches::running::{DataThreads, Running};
use benches::samples::{Raw, Samples};
use benches::site::{Settle, Site, State, session_text};
use benches::{Outcome, machine};

const WARM_UP: Duration = Duration::from_millis(400);
const MEASURED: Duration = Duration::from_millis(2_500);
const PEERS: [&str; 3] = ["wharf", "nginx", "direct"];
/// What is done, with how many connections.
const RUNS: [(&str, usize); 4] = [("get", 1), ("get", 64), ("get", 512), ("echo", 200)];

/// What was measured of one peer in one kind of run.
#[derive(Default)]
struct Cell {
    per_second: Samples,
    cpu_us: Samples,
    p50_us: Samples,
    p99_us: Samples,
    accepted: Samples,
}

struct Peer {
    target: Target,
    pid: Option<u32>,
    headers: String,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds: usize = args.first().map_or(Ok(5), |text| text.parse())?;
    let only = args.get(1..4).map(|words| words.join(" "));
    println!("before: {}", machine::describe());
    // Of the engine, too: it does not raise its own, and 1,024 would let 409 people in.
    machine::raise_descriptor_limit()?;
    let (engine, nginx, peers) = start()?;
    let mut raw = Raw::create(
        "proxy_vs_nginx",
        "round,task,connections,peer,answers,seconds,cpu_us_per_answer,p50_us,p99_us,\
         upstream_connections,load",
    )?;
    let mut cells: Vec<Vec<Cell>> =
        RUNS.iter().map(|_| PEERS.iter().map(|_| Cell::default()).collect()).collect();
    for round in 0..rounds {
        for (kind, (task, connections)) in RUNS.into_iter().enumerate() {
            for turn in 0..PEERS.len() {
                let at = (round + turn) % PEERS.len();
                let this = format!("{} {task} {connections}", PEERS[at]);
                if only.as_ref().is_some_and(|only| *only != this) {
                    continue;
                }
                let before = accepted(&peers[2])?;
                let (measured, cpu) = measure(&peers[at], task, connections)
                    .map_err(|error| format!("{}: {task}: {error}", PEERS[at]))?;
                let opened = accepted(&peers[2])? - before - 1.0;
                let cell = &mut cells[kind][at];
                cell.add(&measured, cpu, opened);
                raw.row(&row(round, task, connections, PEERS[at], &measured, cell))?;
            }
        }
    }
    report(&cells, rounds);
    println!("after: {}", machine::describe());
    nginx.stop()?;
    engine.stop()
}

/// Both proxies, with one upstream.
fn start() -> Outcome<(Running, Nginx, Vec<Peer>)> {
    let exe = std::env::current_exe()?.with_file_name("upstream");
    let site = Site::write(0, Settle::None, "")?;
    // Sessions of an engine that root runs are another account's, which must reach the program.
    let copy = site.scratch().join("upstream");
    std::fs::copy(&exe, &copy)?;
    let table = format!(
        "[workbenches.bench]\nexe = \"{}\"\nargs = [\"--socket\", \"{{SOCKET}}\"]\n\
         ready-path = \"/\"\nbase = \"keep\"\n",
        copy.display()
    );
    let policy = site.dir().join("wharf.toml");
    let text = std::fs::read_to_string(&policy)? + &table;
    std::fs::write(policy, text)?;
    let engine = Running::start(site, DataThreads::One)?;
    let threads = machine::threads_named(engine.pid(), "data-");
    println!("wharf: {threads} data thread(s)");
    let cookie = engine.sign_in()?;
    engine.declare("bench", &session_text("bench", "Bench", State::Running), "/", &cookie)?;
    let socket = engine.runtime().join("s/bench/1/u/app.sock");
    let nginx = Nginx::start(engine.site.scratch(), &socket)?;
    let port = engine.site.port;
    let wharf = Peer {
        target: Target::Port(port),
        pid: Some(engine.pid()),
        headers: format!("Host: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"),
    };
    // The same bytes arrive at nginx, which passes the cookie on.
    let plain = Peer {
        target: Target::Port(nginx.port),
        pid: Some(nginx.worker()?),
        headers: wharf.headers.clone(),
    };
    let direct = Peer { target: Target::Socket(socket), pid: None, headers: wharf.headers.clone() };
    Ok((engine, nginx, vec![wharf, plain, direct]))
}

fn measure(peer: &Peer, task: &str, connections: usize) -> Outcome<(Measured, f64)> {
    let headers = &peer.headers;
    let task = match task {
        "echo" => Task::Echo {
            handshake: format!(
                "GET /s/bench/echo HTTP/1.1\r\n{headers}Connection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            .into_bytes(),
            // A masked text frame of 64 bytes; the upstream sends the same bytes back.
            frame: [&[0x81, 0x80 | 64, 0, 0, 0, 0][..], &[b'x'; 64]].concat(),
        },
        _ => Task::Get {
            request: format!("GET /s/bench/1k HTTP/1.1\r\n{headers}\r\n").into_bytes(),
            body: 1024,
        },
    };
    let clock = || peer.pid.and_then(|pid| machine::cpu_us(pid).ok()).unwrap_or(f64::NAN);
    let (mut began, mut ended) = (0.0, 0.0);
    let measured = run(
        &peer.target,
        &task,
        connections,
        WARM_UP,
        MEASURED,
        || began = clock(),
        || ended = clock(),
    )
    .map_err(|error| format!("{connections} connections: {error}"))?;
    Ok((measured, ended - began))
}

/// How many connections the upstream has accepted; asking adds one.
fn accepted(direct: &Peer) -> Outcome<f64> {
    let Target::Socket(path) = &direct.target else { return Err("no socket".into()) };
    let stream = std::os::unix::net::UnixStream::connect(path)?;
    let answer = benches::http::Client::over(stream, "Host: x\r\n").get("/accepted")?;
    Ok(String::from_utf8(answer.body)?.parse()?)
}

impl Cell {
    fn add(&mut self, measured: &Measured, cpu_us: f64, accepted: f64) {
        let answers = measured.answers as f64;
        self.per_second.add(answers / measured.seconds);
        self.cpu_us.add(cpu_us / answers);
        self.p50_us.add(measured.latencies_us.quantile(0.5));
        self.p99_us.add(measured.latencies_us.quantile(0.99));
        self.accepted.add(accepted);
    }
}

fn row(
    round: usize,
    task: &str,
    connections: usize,
    peer: &str,
    measured: &Measured,
    cell: &Cell,
) -> String {
    let cpu = cell.cpu_us.last();
    format!(
        "{round},{task},{connections},{peer},{},{:.3},{cpu:.3},{:.1},{:.1},{:.0},{}",
        measured.answers,
        measured.seconds,
        measured.latencies_us.quantile(0.5),
        measured.latencies_us.quantile(0.99),
        cell.accepted.last(),
        machine::load_average()
    )
}

fn report(cells: &[Vec<Cell>], rounds: usize) {
    println!(
        "\n{rounds} rounds in turns, {} s each; median (least to greatest)\n",
        MEASURED.as_secs_f64()
    );
    println!(
        "| run | peer | answers/s | proxy CPU us/answer | p50 us | p99 us | new upstream connections |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for ((task, connections), row) in RUNS.iter().zip(cells) {
        for (peer, cell) in PEERS.iter().zip(row) {
            let cpu = if *peer == "direct" { "-".to_owned() } else { cell.cpu_us.shown(1) };
            println!(
                "| {task}, {connections} connections | {peer} | {} | {cpu} | {} | {} | {} |",
                cell.per_second.shown(0),
                cell.p50_us.shown(0),
                cell.p99_us.shown(0),
                cell.accepted.shown(0)
            );
        }
    }
    println!("\n| wharf / nginx | answers/s, median of rounds | CPU/answer, least | p50 | p99 |");
    println!("|---|---:|---:|---:|---:|");
    for ((task, connections), row) in RUNS.iter().zip(cells) {
        let [wharf, nginx, _] = row.as_slice() else { continue };
        println!(
            "| {task}, {connections} connections | {:.2} | {:.2} | {:.2} | {:.2} |",
            wharf.per_second.median() / nginx.per_second.median(),
            wharf.cpu_us.least() / nginx.cpu_us.least(),
            wharf.p50_us.median() / nginx.p50_us.median(),
            wharf.p99_us.median() / nginx.p99_us.median()
        );
    }
}
