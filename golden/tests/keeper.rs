//! Recorded transcripts of keeper protocol 1 against a real keeper: what is frozen, word by word.
//!
//! A case in `cases/keeper` is one connection: `session` is a shell script to hold, `log` waits for a
//! text in its log, `>` is sent, `<` must come, `exit` must be the exit record. Pids and times are
//! written as PID and TIME. `UPDATE_GOLDEN=1` rewrites the answers, which is refused when `CI` is set:
//! a case that changes breaks every session that an earlier keeper holds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::launcher::accounts::{SystemAccounts, fallback_user};
use engine::layout::Layout;
use engine::ports::{Accounts, Warden};
use engine::warden::protocol::Call;
use engine::warden::{Bounds, InProcess};
use engine_core::desired::{BasePath, HealthSpec, LaunchSpec, Program, Resources, StopSpec};
use engine_core::ids::{ClusterName, Incarnation, Moment, NodeId, SessionId, WorkbenchName};
use engine_core::plan::StartOrder;

const LIMIT: Duration = Duration::from_secs(20);

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
        let found = Session::new(&wharf).play(&recorded);
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

/// The binary whose keepers are asked: `WHARF_BIN`, else the one that cargo builds now.
fn wharf() -> PathBuf {
    if let Some(path) = std::env::var_os("WHARF_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let target = profile.parent().expect("target/PROFILE");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "engine", "--bin", "wharf", "--target-dir"]);
        build.arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "wharf does not build");
    }
    profile.join("wharf")
}

struct Session {
    dir: tempfile::TempDir,
    warden: InProcess,
    incarnation: Incarnation,
}

impl Session {
    fn new(wharf: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("wh").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let own = std::fs::metadata(dir.path()).unwrap();
        let warden = InProcess::new(Bounds {
            layout: Layout { state: dir.path().join("state"), runtime: dir.path().join("run") },
            readable: Vec::new(),
            engine_uid: std::os::unix::fs::MetadataExt::uid(&own),
            engine_gid: std::os::unix::fs::MetadataExt::gid(&own),
            allow_root: false,
            exe: wharf.to_owned(),
        });
        let incarnation = Incarnation::new(SessionId::new("case").unwrap(), 3);
        Self { dir, warden: warden.unwrap(), incarnation }
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
        self.warden.layout().incarnation(&self.incarnation).join(name)
    }

    fn start(&self, script: &str) -> BufReader<UnixStream> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let name = fallback_user().unwrap().name;
        println!("sessions run as {name}, below {}", self.dir.path().display());
        let user = SystemAccounts::new().look_up(&name, Moment(0)).present().unwrap().clone();
        let launch = Arc::new(LaunchSpec {
            workbench: WorkbenchName::new("test").unwrap(),
            user: name,
            cluster: ClusterName::new("Local").unwrap(),
            program: Program { exe: None, args: args.clone(), env: BTreeMap::new() },
            env: BTreeMap::new(),
            working_dir: None,
            resources: Resources::default(),
            base: BasePath::Keep,
        });
        let order = StartOrder {
            incarnation: self.incarnation.clone(),
            node: NodeId::new("here").unwrap(),
            digest: launch.digest(),
            launch,
            user,
            exe: "/bin/sh".to_owned(),
            stop: StopSpec::default(),
            health: HealthSpec { path: "/".to_owned(), start_timeout_ms: 1000 },
        };
        let order = Box::new(order);
        let working_dir = "/".to_owned();
        self.warden.call(&Call::Start { order, env: Vec::new(), args, working_dir }).unwrap();
        let identity = self.file("identity.json");
        wait(|| identity.exists().then_some(()));
        let stream = UnixStream::connect(self.file("keeper.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        BufReader::new(stream)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let incarnation = self.incarnation.clone();
        if self.file("spec.json").exists() {
            let _ = self.warden.call(&Call::End { incarnation, signal: 9, grace_ms: 0 });
            let exit = self.file("exit.json");
            wait(|| exit.exists().then_some(()));
        }
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

fn wait<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < limit, "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}
