//! How fast files are read: valid ones of one mebibyte, and one in which every line is wrong.
//!
//! *tree* is the lossless tree alone: every byte, comments and places included. *document* is what `check` of a file
//! does: tree, options looked up, values in their types, every problem. *lowered* is the whole of what the engine
//! makes of a site that has this file.
//!
//! Beside them, in turns: the crate `rust-ini` (texts by name, no comments, no places) and Python's `configparser`
//! in a process of its own, which times itself. All in processor time: the machines that run this are shared.
//!
//! `read_speed [RUNS]`, 15 runs unless said. Raw samples go to `benches/results/read_speed.csv`.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use benches::running::{ground, read};
use benches::samples::{Raw, Samples};
use benches::{Outcome, machine};
use engine_core::desired::lower;
use grammar::read::{parse_tree, read_file};
use grammar::source::{FileKind, Source};

const MIB: usize = 1 << 20;

/// `configparser` as near to these files as it comes: it knows no file without a section.
const PYTHON: &str = r##"
import configparser, sys, time
text = "[all]\n" + open(sys.argv[1], encoding="utf-8").read()
parser = configparser.RawConfigParser(strict=False, allow_no_value=True, comment_prefixes=("#",))
begun = time.process_time()
parser.read_string(text)
print(time.process_time() - begun)
"##;

/// One of the texts that are read.
struct Subject {
    name: &'static str,
    kind: FileKind,
    text: String,
    /// Whether nothing is wrong with it.
    valid: bool,
}

fn main() -> Outcome<()> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(15), |text| text.parse())?;
    println!("before: {}\n", machine::describe());
    let mut raw = Raw::create("read_speed", "file,reader,run,megabytes_per_s,load")?;
    println!(
        "{runs} runs each, in turns; MB per second of processor time, median (least to greatest)\n"
    );
    println!("| file | reader | MB/s | to rust-ini |\n|---|---|---:|---:|");
    for subject in [rserver(), environment(), mistakes()] {
        measure(&subject, runs, &mut raw)?;
    }
    println!("\nafter: {}", machine::describe());
    Ok(())
}

const READERS: [&str; 5] = ["rust-ini", "configparser", "tree", "document", "lowered"];

fn measure(subject: &Subject, runs: usize, raw: &mut Raw) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join(subject.kind.file_name());
    fs::write(&path, &subject.text)?;
    expect_what_it_is(subject)?;
    let files = read(dir.path());
    let ground = ground();
    let mut speeds: [Samples; 5] = Default::default();
    for run in 0..runs {
        for (reader, speeds) in READERS.iter().zip(&mut speeds) {
            let begun = machine::thread_cpu_s();
            let seconds = match *reader {
                "rust-ini" => {
                    black_box(ini::Ini::load_from_str(&subject.text).ok());
                    machine::thread_cpu_s() - begun
                }
                "configparser" => python(&path)?,
                "tree" => {
                    black_box(parse_tree(subject.kind, &subject.text));
                    machine::thread_cpu_s() - begun
                }
                "document" => {
                    let source = Source::new(subject.kind.file_name(), &*subject.text);
                    black_box(read_file(subject.kind, &source));
                    machine::thread_cpu_s() - begun
                }
                _ => {
                    black_box(lower(&files, &ground));
                    machine::thread_cpu_s() - begun
                }
            };
            speeds.add(subject.text.len() as f64 / 1e6 / seconds);
            let (speed, load) = (speeds.last(), machine::load_average());
            raw.row(&format!("{},{reader},{run},{speed:.2},{load}", subject.name))?;
        }
    }
    let peer = speeds[0].median();
    for (reader, speeds) in READERS.iter().zip(&speeds) {
        let (shown, ratio) = (speeds.shown(1), speeds.median() / peer);
        println!("| {} | {reader} | {shown} | {ratio:.2} |", subject.name);
    }
    Ok(())
}

/// A benchmark of a valid file whose file is refused would measure something else.
fn expect_what_it_is(subject: &Subject) -> Outcome<()> {
    let read = read_file(subject.kind, &Source::new(subject.kind.file_name(), &*subject.text));
    match (subject.valid, read.problems.first()) {
        (true, Some(problem)) => Err(format!("{}: {}", subject.name, problem.message).into()),
        (false, None) => Err(format!("{}: nothing is wrong with it", subject.name).into()),
        _ => Ok(()),
    }
}

fn python(path: &Path) -> Outcome<f64> {
    let output = Command::new("python3").args(["-c", PYTHON]).arg(path).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    said.trim().parse().map_err(|_| format!("configparser: {}", complaint()).into())
}

/// A valid `rserver.conf`: the scalars once, then what may be repeated, with comments.
fn rserver() -> Subject {
    let mut text =
        "# one mebibyte\nwww-port=8787\nwww-address=127.0.0.1\nadmin-enabled=0\n".to_owned();
    for n in 0.. {
        let line = match n % 8 {
            0 => format!("\n# Origin {n}, asked for by somebody.\n"),
            1 | 4 | 6 => format!("server-add-header=X-Header-{n}: a value of its own\n"),
            _ => format!("www-allow-origin=https://host-{n}.example.com\n"),
        };
        if text.len() + line.len() > MIB {
            break;
        }
        text.push_str(&line);
    }
    Subject { name: "rserver.conf", kind: FileKind::RserverConf, text, valid: true }
}

/// A valid `launcher-env`: records of ten variables.
fn environment() -> Subject {
    let mut text = "# one mebibyte\n".to_owned();
    for n in 0.. {
        let mut record = format!("JobType: session\nEnvironment: FIRST_{n}=/opt/tools/{n}\n");
        for pair in 0..9 {
            let _ = writeln!(record, "  VARIABLE_{n}_{pair}=a value of some length");
        }
        record.push('\n');
        if text.len() + record.len() > MIB {
            break;
        }
        text.push_str(&record);
    }
    Subject { name: "launcher-env", kind: FileKind::LauncherEnv, text, valid: true }
}

/// An `rserver.conf` in which every line is wrong, in turns in the ways in which lines are.
fn mistakes() -> Subject {
    let mut text = String::new();
    for n in 0.. {
        let line = match n % 4 {
            0 => format!("www-prot={n}\n"),
            1 => format!("an-option-{n}-that-nobody-knows=1\n"),
            2 => format!("no equals sign in line {n}\n"),
            _ => "admin-enabled=maybe\n".to_owned(),
        };
        if text.len() + line.len() > MIB {
            break;
        }
        text.push_str(&line);
    }
    Subject { name: "every line wrong", kind: FileKind::RserverConf, text, valid: false }
}
