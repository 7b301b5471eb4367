//! `wharf check` of a full site beside `nginx -t` and `haproxy -c` of configurations with as many lines.
//!
//! Each run is a process of its own, from its start to its end, by turns; files are in the page cache.
//! The site has every kind of file that there is and, of what grows with a site, what a large one has:
//! variables, mounts, levels of limits, declared sessions, gateways, nodes. nginx and HAProxy get
//! servers and upstreams by address (no name is looked up), in the forms that people write.
//!
//! `cold_check [RUNS]`, 40 unless said.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use benches::running::wharf;
use benches::samples::{Raw, Samples};
use benches::{Outcome, machine};

fn main() -> Outcome<()> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(40), |text| text.parse())?;
    println!("before: {}", machine::describe());
    let scratch = tempfile::Builder::new().prefix("wb-").tempdir()?;
    let site = scratch.path().join("site");
    let (files, lines, bytes) = write_site(&site)?;
    let nginx = scratch.path().join("nginx.conf");
    fs::write(&nginx, nginx_text(scratch.path(), lines))?;
    let haproxy = scratch.path().join("haproxy.cfg");
    fs::write(&haproxy, haproxy_text(lines))?;
    let wharf = wharf()?;
    let programs: [(&str, &Path, Vec<&str>); 3] = [
        ("wharf check", &wharf, vec!["check", path(&site)?]),
        ("nginx -t", Path::new("nginx"), vec!["-q", "-t", "-c", path(&nginx)?]),
        ("haproxy -c", Path::new("haproxy"), vec!["-q", "-c", "-f", path(&haproxy)?]),
    ];
    let mut raw = Raw::create("cold_check", "run,what,ms,load")?;
    let mut samples = [Samples::default(), Samples::default(), Samples::default()];
    for run in 0..runs {
        // Whoever comes first meets colder caches: by turns.
        for at in (0..programs.len()).map(|at| (at + run) % programs.len()) {
            let (name, program, args) = &programs[at];
            let ms = once(program, args)?;
            samples[at].add(ms);
            raw.row(&format!("{run},{name},{ms:.3},{}", machine::load_average()))?;
        }
    }
    println!(
        "\nThe site: {files} files, {lines} lines, {bytes} bytes; {runs} runs each, by turns.\n"
    );
    println!(
        "| what | ms, median (least to greatest) | of medians | of least |\n|---|---:|---:|---:|"
    );
    for ((name, ..), taken) in programs.iter().zip(&samples) {
        let ratios = (taken.median() / samples[0].median(), taken.least() / samples[0].least());
        println!("| `{name}` | {} | {:.2} | {:.2} |", taken.shown(2), ratios.0, ratios.1);
    }
    println!("\nafter: {}", machine::describe());
    Ok(())
}

fn path(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| format!("{} is no text", path.display()).into())
}

/// Milliseconds from the start of a program to its end. It must find nothing wrong.
fn once(program: &Path, args: &[&str]) -> Outcome<f64> {
    let mut command = Command::new(program);
    command.args(args).env("WHARF_OWN_DIR", "/nonexistent").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let output = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    if !output.status.success() {
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} {args:?}: {}: {said}", program.display(), output.status).into());
    }
    Ok(ms)
}

/// Writes a full site; how many files, lines and bytes it has.
fn write_site(site: &Path) -> Outcome<(usize, usize, usize)> {
    fs::create_dir_all(site)?;
    // One of every kind, as the readers' own samples have them.
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../grammar/tests/samples");
    for entry in fs::read_dir(samples)? {
        let entry = entry?;
        let name = entry.file_name();
        // Snippets for the product's own nginx cannot act, so a site that serves refuses them.
        if !name.to_string_lossy().starts_with("nginx.") {
            fs::copy(entry.path(), site.join(name))?;
        }
    }
    let clusters = "[server]\naddress=localhost\n\n[cluster]\nname=Local\ntype=Local\n\n\
                    [cluster]\nname=Slurm\ntype=Slurm\n";
    fs::write(site.join("launcher.conf"), clusters)?;
    let append = |name: &str, text: &str| {
        let before = fs::read_to_string(site.join(name)).unwrap_or_default();
        fs::write(site.join(name), before + text)
    };
    let mut env = String::new();
    for n in 0..40 {
        let _ = write!(
            env,
            "\nJobType: session\nCluster: Local\nEnvironment: TOOL_{n}_HOME=/opt/tool{n}\n"
        );
        for m in 0..5 {
            let _ = writeln!(env, " TOOL_{n}_OPTION_{m}=value-{m}");
        }
    }
    append("launcher-env", &env)?;
    let mut mounts = String::new();
    for n in 0..30 {
        let _ = write!(
            mounts,
            "\nMountType: NFS\nMountPath: /data/{n}\nHost: nfs{n}\nPath: /export/{n}\n"
        );
    }
    append("launcher-mounts", &mounts)?;
    let mut levels = String::new();
    for n in 0..60 {
        let _ = write!(levels, "\n[user{n}]\nmax-cpus={}\nmax-mem-mb=8192\n", n % 16 + 1);
    }
    append("launcher.local.profiles.conf", &levels)?;
    fs::write(site.join("wharf.toml"), "format = 1\nmode = \"observe\"\n")?;
    for (dir, count) in [("sessions.d", 40), ("gateways.d", 4), ("nodes.d", 8)] {
        fs::create_dir(site.join(dir))?;
        for n in 0..count {
            let text = match dir {
                "sessions.d" => format!(
                    "workbench = \"jupyterlab\"\nuser = \"team{n}\"\ncluster = \"Local\"\n\
                     display-name = \"Lab of team {n}\"\n\n[resources]\ncpus = 4\nmemory = \"16GiB\"\n\n\
                     [env]\nTEAM = \"{n}\"\n"
                ),
                "gateways.d" => format!(
                    "address = \"127.0.0.1\"\nport-range = \"{}-{}\"\n",
                    10000 + n * 100,
                    10099 + n * 100
                ),
                _ => format!("weight = {}\nmax-sessions = 60\n", n + 1),
            };
            fs::write(site.join(dir).join(format!("a{n}.toml")), text)?;
        }
    }
    count(site)
}

fn count(dir: &Path) -> Outcome<(usize, usize, usize)> {
    let (mut files, mut lines, mut bytes) = (0, 0, 0);
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            let (f, l, b) = count(&path)?;
            (files, lines, bytes) = (files + f, lines + l, bytes + b);
        } else {
            let text = fs::read_to_string(&path)?;
            (files, lines, bytes) = (files + 1, lines + text.lines().count(), bytes + text.len());
        }
    }
    Ok((files, lines, bytes))
}

fn nginx_text(dir: &Path, lines: usize) -> String {
    let dir = dir.display();
    let mut text = format!(
        "pid {dir}/nginx.pid;\nerror_log {dir}/error.log;\nevents {{ worker_connections 1024; }}\n"
    );
    let _ = write!(
        text,
        "http {{\n  access_log off;\n  client_body_temp_path {dir}/b;\n  proxy_temp_path {dir}/p;\n"
    );
    let _ = write!(
        text,
        "  fastcgi_temp_path {dir}/f;\n  uwsgi_temp_path {dir}/u;\n  scgi_temp_path {dir}/s;\n"
    );
    for n in 0.. {
        if text.lines().count() + 13 > lines {
            break;
        }
        let _ = write!(
            text,
            "  upstream u{n} {{\n    server 127.0.0.1:{};\n    keepalive 8;\n  }}\n  server {{\n    \
             listen 127.0.0.1:8080;\n    server_name s{n}.example.org;\n    location / {{\n      \
             proxy_pass http://u{n};\n      proxy_set_header Host $http_host;\n    }}\n  }}\n",
            10000 + n % 5000
        );
    }
    text + "}\n"
}

fn haproxy_text(lines: usize) -> String {
    let mut text = "global\n  maxconn 1000\ndefaults\n  mode http\n  timeout client 30s\n  \
                    timeout server 30s\n  timeout connect 5s\n"
        .to_owned();
    for n in 0.. {
        if text.lines().count() + 8 > lines {
            break;
        }
        let _ = write!(
            text,
            "frontend f{n}\n  bind 127.0.0.1:{}\n  default_backend b{n}\nbackend b{n}\n  \
             balance leastconn\n  option httpchk GET /status\n  server a 127.0.0.1:{} check\n",
            10000 + n,
            30000 + n
        );
    }
    text
}
