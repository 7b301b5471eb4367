//! Ansible and Puppet write the files of a live engine, with the role and the module of the samples, while a session
//! waits all the time for somebody to be done with it: changed, then unchanged, again and again; check mode and noop
//! change nothing, and show the steps that the real run takes, by their ids; a set that would be refused never comes
//! into force.
//!
//! Each tool runs twice and twice more; `WHARF_RUNS=20` runs it twenty times and twenty times more.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::status::HoldView;
use golden::real::engine::{is, ran};
use golden::real::process::all_of;
use golden::real::site::wharf_toml;
use golden::real::{Engine, Process, Ran, Site, Socket, wait_for, wharf};
use rustix::process::Signal;

/// Files by their names in the site.
type Files<'a> = BTreeMap<&'a str, String>;

/// A live engine, somebody at work in a session of it, and what is to be written.
struct Managed {
    engine: Engine,
    demo: Process,
    idle: Process,
    at_work: Socket,
    node: String,
}

impl Managed {
    #[track_caller]
    fn new() -> Self {
        let site = Site::demo();
        site.write("wharf.toml", &wharf_toml("1s"));
        site.write("sessions.d/idle.toml", "workbench = \"demo\"\non-removal = \"when-idle\"\n");
        site.write("sessions.d/extra.toml", "workbench = \"demo\"\nstate = \"stopped\"\n");
        let mut engine = Engine::start(site);
        let demo = engine.running("demo");
        let idle = engine.running("idle");
        let (port, browser) = (engine.listening(), engine.sign_in());
        let at_work = wait_for("a WebSocket", || browser.web_socket(port, "/s/idle/ws"));
        let node = engine.status().expect("it answers").node;
        std::fs::create_dir(engine.site.around().join("tmp")).expect("the directory is ours");
        Self { engine, demo, idle, at_work, node }
    }

    /// Files that belong together: the first names a cluster that the second brings. With each `turn` they give the
    /// node another weight, and let the session `extra` run or not.
    fn files(&self, turn: u32) -> Files<'static> {
        let conf = self.engine.site.rserver_conf(self.engine.site.port());
        let clusters = "[server]\naddress=localhost\n[cluster]\nname=Local\ntype=Local\n[cluster]\nname=Second\ntype=Local\n";
        let state = if turn.is_multiple_of(2) { "stopped" } else { "running" };
        Files::from([
            ("rserver.conf", format!("{conf}launcher-default-cluster=Second\n")),
            ("launcher.conf", clusters.to_owned()),
            (
                "sessions.d/extra.toml",
                format!("workbench = \"demo\"\ncluster = \"Local\"\nstate = \"{state}\"\n"),
            ),
            ("nodes.d", format!("weight = {}\n", turn + 2)),
        ])
    }

    /// The path of a file in the site; the node's own has its name.
    fn path(&self, name: &str) -> PathBuf {
        match name {
            "nodes.d" => self.engine.site.path(&format!("nodes.d/{}.toml", self.node)),
            name => self.engine.site.path(name),
        }
    }

    /// `{ path: text }`, as YAML and JSON have it.
    fn data(&self, files: &Files<'_>) -> String {
        let by_path = files.iter().map(|(name, text)| (self.path(name), text));
        serde_json::to_string(&by_path.collect::<BTreeMap<_, _>>()).expect("strings only")
    }

    /// A program with this engine's directories, and a home of its own.
    fn command(&self, program: &Path) -> Command {
        let around = self.engine.site.around();
        let home = around.join("home");
        std::fs::create_dir_all(&home).expect("the directory is ours");
        let mut command = Command::new(program);
        command.current_dir(&home).env("HOME", &home).env("LANG", "C.UTF-8");
        command
            .env("WHARF_STATE_DIR", around.join("state"))
            .env("WHARF_RUNTIME_DIR", around.join("run"))
            .env("WHARF_OWN_DIR", around.join("wharf"))
            .env("TMPDIR", around.join("tmp"));
        command
    }

    fn generation(&self) -> u64 {
        self.engine.status().expect("it answers").generation.0
    }

    /// Everything that a run which changes nothing leaves as it is.
    fn seen(&self) -> Seen {
        let status = self.engine.status().expect("it answers");
        let around = self.engine.site.around();
        Seen {
            files: files_below(&self.engine.site.dir()),
            temporary: files_below(&around.join("tmp")),
            around: names_in(around).into_iter().filter(|path| !is_a_tools(path)).collect(),
            processes: all_of(around),
            store: self.store(),
            generation: status.generation.0,
            holds: format!("{:?}", status.holds),
            rest: format!(
                "{:?} {:?} {:?}",
                status.change_windows, status.overrides, status.refused
            ),
        }
    }

    fn store(&self) -> Vec<String> {
        let export = self.engine.admin(&["state", "export"]);
        is(&export, 0, "store snapshot");
        let records = export.stdout.lines().filter(|line| line.starts_with("{\"key\""));
        records.map(str::to_owned).collect()
    }

    /// The steps that were taken since the newest generation is in force, once nothing is left to do.
    fn taken(&mut self) -> BTreeSet<String> {
        self.engine.wait_status("nothing is left to do", |status| status.settled.then_some(()));
        let shown = self.engine.admin(&["history", "show", "--json"]);
        is(&shown, 0, "\"steps\"");
        let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("an object");
        let steps = shown["steps"].as_array().expect("a list").iter();
        steps.map(|step| step["step"].as_str().expect("an id").to_owned()).collect()
    }

    /// Whoever is at work still is, and what waits for an idle time still waits.
    #[track_caller]
    fn is_undisturbed(&mut self) {
        self.at_work.echo().expect("the WebSocket is open");
        assert!(self.demo.is_alive() && self.idle.is_alive());
        let status = self.engine.status().expect("it answers");
        let waits = |hold: &HoldView| hold.resource == "session/idle" && hold.standing;
        assert!(status.holds.iter().any(waits), "{:?}", status.holds);
    }
}

/// What must be the same before and after a run that changes nothing.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Path to text, inode and time of the last change of each file of the site.
    files: BTreeMap<PathBuf, (String, u64, i64)>,
    /// The same of the directory for temporary files.
    temporary: BTreeMap<PathBuf, (String, u64, i64)>,
    /// Names beside the site.
    around: BTreeSet<PathBuf>,
    processes: BTreeSet<Process>,
    /// Each record of the store with its version; leases are renewed all the time.
    store: Vec<String>,
    generation: u64,
    holds: String,
    rest: String,
}

/// What the tests themselves give a tool.
fn is_a_tools(path: &Path) -> bool {
    ["home", "vars.json", "site.pp"].iter().any(|name| path.ends_with(name))
}

fn files_below(dir: &Path) -> BTreeMap<PathBuf, (String, u64, i64)> {
    let mut files = BTreeMap::new();
    for path in names_in(dir) {
        let meta = path.symlink_metadata().expect("it was just there");
        if meta.is_dir() {
            files.extend(files_below(&path));
        } else {
            let text = std::fs::read_to_string(&path).expect("it is text");
            files.insert(path, (text, meta.ino(), meta.ctime_nsec()));
        }
    }
    files
}

fn names_in(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("it is ours").flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The ids below the plan's line on steps, whatever a tool puts around each line.
fn steps_shown(said: &str) -> BTreeSet<String> {
    let (_, behind) = said.split_once("Steps, by the ids").expect("the plan names its steps");
    let lines = behind.lines().skip(1).map(|line| line.trim_matches([' ', '"', ',']));
    let lines = lines.take_while(|line| !line.is_empty());
    lines.flat_map(|line| line.split(", ")).map(str::to_owned).collect()
}

/// How often each tool runs: 2 unless `WHARF_RUNS` says another number, as for the whole proof of 20.
fn runs() -> u32 {
    std::env::var("WHARF_RUNS").map_or(2, |runs| runs.parse().expect("WHARF_RUNS is a number"))
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

fn ansible(managed: &Managed, files: &Files<'_>, more: &[&str]) -> Ran {
    ansible_with(wharf(), managed, files, more)
}

/// With this program as the command.
fn ansible_with(wharf: &Path, managed: &Managed, files: &Files<'_>, more: &[&str]) -> Ran {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/ansible/bin/ansible-playbook");
    assert!(program.is_file(), "ansible-core is not installed; golden/run installs it");
    let vars = managed.engine.site.around().join("vars.json");
    let text = format!(
        "{{\"wharf_site_command\": \"{}\", \"wharf_site_files\": {}, \
         \"ansible_python_interpreter\": \"/usr/bin/python3\"}}",
        wharf.display(),
        managed.data(files)
    );
    std::fs::write(&vars, text).expect("a file can be written");
    let mut command = managed.command(&program);
    command.args(["-i", "localhost,", "-e"]).arg(format!("@{}", vars.display())).args(more);
    command.arg(samples().join("ansible/wharf.yml"));
    command.env("ANSIBLE_NOCOLOR", "1").env("ANSIBLE_NOCOWS", "1");
    command.env("ANSIBLE_PIPELINING", "1");
    command.env("ANSIBLE_ROLES_PATH", samples().join("ansible/roles"));
    ran(&mut command)
}

fn puppet(managed: &Managed, files: &Files<'_>, more: &[&str]) -> Ran {
    let around = managed.engine.site.around();
    let manifest = around.join("site.pp");
    let text: String = files.iter().fold(String::new(), |all, (name, text)| {
        let text = text.replace('\n', "\\n").replace('"', "\\\"");
        all + &format!("    '{}' => \"{text}\",\n", managed.path(name).display())
    });
    let text = format!(
        "class {{ 'wharf_site':\n  wharf => '{}',\n  files => {{\n{text}  }},\n}}\n",
        wharf().display()
    );
    std::fs::write(&manifest, text).expect("a file can be written");
    let mut command = managed.command(Path::new("puppet"));
    command.args(["apply", "--detailed-exitcodes", "--color=false", "--modulepath"]);
    command.arg(samples().join("puppet/modules")).args(more);
    for setting in ["confdir", "codedir", "vardir", "rundir", "logdir"] {
        command.arg(format!("--{setting}")).arg(around.join("home").join(setting));
    }
    ran(command.arg(&manifest))
}

/// How a tool is run and read.
struct Tool {
    run: fn(&Managed, &Files<'_>, &[&str]) -> Ran,
    /// What makes it only look.
    dry: &'static [&'static str],
    changed: fn(&Ran) -> bool,
    failed: fn(&Ran) -> bool,
}

/// What both tools hold to, while a session waits all the time for somebody to be done with it.
fn promises(managed: &mut Managed, tool: &Tool) -> Ran {
    std::fs::create_dir_all(managed.engine.site.path("nodes.d")).expect("it is ours");
    managed.engine.site.remove("sessions.d/idle.toml");
    managed.engine.wait_status("the hold", |status| {
        let waits = |hold: &HoldView| hold.resource == "session/idle" && hold.standing;
        (status.holds.iter().any(waits) && status.settled).then_some(())
    });

    let mut shown = None;
    for turn in 1..=runs() {
        let files = managed.files(turn);
        if turn <= 2 {
            let ran = only_looks(managed, tool, &files);
            let before = managed.generation();
            assert_eq!(turn_of(managed, tool, &files), steps_shown(&ran.stdout), "{ran:?}");
            assert_eq!(managed.generation(), before + 1, "one generation for all files");
            shown = Some(ran);
        } else {
            turn_of(managed, tool, &files);
        }
        println!("turn {turn}: changed, then unchanged; {}", managed.generation());
    }
    refuses(managed, tool);
    writes_without_an_engine(managed, tool);
    shown.expect("there is at least one turn")
}

/// Check mode, noop: nothing is written, held, started or left behind, and nothing comes into force.
#[track_caller]
fn only_looks(managed: &mut Managed, tool: &Tool, files: &Files<'_>) -> Ran {
    let before = managed.seen();
    let ran = (tool.run)(managed, files, tool.dry);
    assert!(!(tool.failed)(&ran), "{ran:?}");
    assert_eq!(managed.seen(), before, "{ran:?}");
    ran
}

/// One change and one run more that finds nothing to do; the steps that came of the change.
#[track_caller]
fn turn_of(managed: &mut Managed, tool: &Tool, files: &Files<'_>) -> BTreeSet<String> {
    let first = (tool.run)(managed, files, &[]);
    assert!((tool.changed)(&first) && !(tool.failed)(&first), "{first:?}");
    let (generation, taken) = (managed.generation(), managed.taken());
    let second = (tool.run)(managed, files, &[]);
    assert!(!(tool.changed)(&second) && !(tool.failed)(&second), "{second:?}");
    assert_eq!((managed.generation(), managed.taken()), (generation, taken.clone()), "{second:?}");
    let status = managed.engine.status().expect("it answers");
    assert!(status.change_windows.is_empty(), "{status:?}");
    managed.is_undisturbed();
    taken
}

/// What would be refused is not even written, and the tool says why.
fn refuses(managed: &mut Managed, tool: &Tool) {
    let mut wrong = managed.files(runs() + 7);
    wrong.insert("rserver.conf", "www-prot=1\n".to_owned());
    let before = managed.seen();
    let refused = (tool.run)(managed, &wrong, &[]);
    assert!((tool.failed)(&refused), "{refused:?}");
    assert!((refused.stdout.clone() + &refused.stderr).contains("www-prot"), "{refused:?}");
    assert_eq!(managed.seen(), before, "{refused:?}");
    managed.is_undisturbed();
}

#[test]
fn ansible_writes_for_a_live_engine() {
    let mut managed = Managed::new();
    let tool = Tool {
        run: ansible,
        dry: &["--check", "--diff"],
        changed: |ran| !ran.stdout.contains("changed=0"),
        failed: |ran| ran.code != Some(0),
    };
    fails_without_the_program(&managed);
    let shown = promises(&mut managed, &tool);
    for part in ["weight ", " -> ", "nodes.d/", "Steps, by the ids"] {
        assert!(shown.stdout.contains(part), "the plan, with {part}: {}", shown.stdout);
    }
}

/// A program that is not there ends with the number that a plan with changes ends with (ENOENT is 2): a failure all the
/// same, in check mode as well.
#[track_caller]
fn fails_without_the_program(managed: &Managed) {
    let before = managed.seen();
    for more in [&["--check", "--diff"][..], &[]] {
        let ran = ansible_with(Path::new("/nonexistent/wharf"), managed, &managed.files(1), more);
        assert!(ran.code == Some(2) && ran.stdout.contains("failed=1"), "{ran:?}");
        assert!(ran.stdout.contains("/nonexistent/wharf"), "it says which: {ran:?}");
        assert_eq!(managed.seen(), before, "{ran:?}");
    }
}

#[test]
fn puppet_writes_for_a_live_engine() {
    let mut managed = Managed::new();
    let tool = Tool {
        run: puppet,
        dry: &["--noop"],
        // 0: nothing to do, 2: changed; 4 and 6: something failed.
        changed: |ran| matches!(ran.code, Some(2 | 6)),
        failed: |ran| !matches!(ran.code, Some(0 | 2)),
    };
    promises(&mut managed, &tool);
}

/// Files for a machine on which no engine runs yet: written, and nothing to do in the next run.
#[track_caller]
fn writes_without_an_engine(managed: &mut Managed, tool: &Tool) {
    managed.engine.end(Signal::TERM);
    let files = Files::from([("launcher-env", "JobType: session\nEnvironment: A=b\n".to_owned())]);
    let first = (tool.run)(managed, &files, &[]);
    assert!((tool.changed)(&first) && !(tool.failed)(&first), "{first:?}");
    let second = (tool.run)(managed, &files, &[]);
    assert!(!(tool.changed)(&second) && !(tool.failed)(&second), "{second:?}");
    assert!(managed.path("launcher-env").exists());
    managed.engine.restart();
}

#[test]
fn a_staged_file_is_found_in_a_site_that_the_engine_was_told_by_a_relative_path() {
    let site = Site::demo();
    let relative = site.dir().strip_prefix("/").expect("an absolute path").to_owned();
    let engine = Engine::start_in(site, relative);
    let staged = engine.site.around().join("new");
    std::fs::write(&staged, "TZ=UTC\n").expect("the directory is ours");
    let pair = format!("{}={}", engine.site.path("launcher-env").display(), staged.display());
    let mut plan = engine.command();
    plan.current_dir(engine.site.around());
    let plan = ran(plan.args(["plan", "--detailed-exitcode", "--as", &pair]));
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.stdout.contains("launcher-env:1"), "{plan:?}");
}
