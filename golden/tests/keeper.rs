//! Recorded transcripts of keeper protocol 1 against a real keeper: what is frozen, word by word.
//!
//! A case in `cases/keeper` is one connection: `session` is a shell script to hold, `log` waits for a
//! text in its log, `>` is sent, `<` must come, `exit` must be the exit record. Pids and times are
//! written as PID and TIME. `UPDATE_GOLDEN=1` rewrites the answers, which is refused when `CI` is set:
//! a case that changes breaks every session that an earlier keeper holds.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod instance;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engine::keeper::child::Environment;
use engine::ports::Warden;
use engine::warden::protocol::Call;
use engine_core::desired::Program;
use engine_core::ids::{Incarnation, SessionId};

use instance::{Instance, LIMIT, wait, wharf};

#[test]
fn every_recorded_transcript_still_holds() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/keeper");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "cases are missing: {files:?}");
    let wharf = wharf();
    let mut wrong = Vec::new();
    for file in files {
        let recorded = std::fs::read_to_string(&file).unwrap();
        let begun = Instant::now();
        let found = Session::new(&wharf).play(&recorded);
        println!("{}: {} ms", file.display(), begun.elapsed().as_millis());
        if found == recorded {
            continue;
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            assert!(std::env::var_os("CI").is_none(), "UPDATE_GOLDEN is refused where CI is set");
            std::fs::write(&file, found).unwrap();
        } else {
            let diff = similar::TextDiff::from_lines(&recorded, &found).unified_diff().to_string();
            wrong.push(format!("{}\n{diff}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Session {
    instance: Instance,
    incarnation: Incarnation,
}

impl Session {
    fn new(wharf: &Path) -> Self {
        let incarnation = Incarnation::new(SessionId::new("case").unwrap(), 3);
        Self { instance: Instance::new(wharf), incarnation }
    }

    /// Plays a case and gives it back with what really came.
    fn play(&self, case: &str) -> String {
        let mut found = String::new();
        let mut connection = None;
        for line in case.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let said = match word {
                "session" => {
                    connection = Some(self.start(rest));
                    line.to_owned()
                }
                "log" => {
                    let log = self.file("log");
                    wait(|| std::fs::read_to_string(&log).ok().filter(|log| log.contains(rest)));
                    line.to_owned()
                }
                ">" => {
                    let stream = connection.as_ref().expect("`session` comes first").get_ref();
                    writeln!(&*stream, "{rest}").unwrap();
                    line.to_owned()
                }
                "<" => {
                    let mut answer = String::new();
                    connection.as_mut().unwrap().read_line(&mut answer).unwrap();
                    format!("< {}", without_numbers(answer.trim_end()))
                }
                "exit" => {
                    let file = self.file("exit.json");
                    let exit = wait(|| std::fs::read_to_string(&file).ok());
                    format!("exit {}", without_numbers(exit.trim_end()))
                }
                _ => line.to_owned(),
            };
            found.push_str(&said);
            found.push('\n');
        }
        found
    }

    fn file(&self, name: &str) -> PathBuf {
        self.instance.file(&self.incarnation, name)
    }

    fn start(&self, script: &str) -> BufReader<UnixStream> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let program = Program { exe: None, args: args.clone(), env: BTreeMap::new() };
        let order = Box::new(self.instance.order("case", 3, "/bin/sh", program));
        let working_dir = "/".to_owned();
        let start = Call::Start { order, env: Environment::default(), args, working_dir };
        self.instance.warden.call(&start).unwrap();
        let identity = self.file("identity.json");
        wait(|| identity.exists().then_some(()));
        let stream = UnixStream::connect(self.file("keeper.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        BufReader::new(stream)
    }
}

/// Pids and times differ from run to run.
fn without_numbers(line: &str) -> String {
    let line = without_number(line, "\"pid\":", "PID");
    without_number(&line, "\"at\":", "TIME")
}

fn without_number(line: &str, before: &str, word: &str) -> String {
    let Some((head, tail)) = line.split_once(before) else { return line.to_owned() };
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{head}{before}{word}{rest}")
}
