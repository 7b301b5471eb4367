//! Ansible and Puppet write the files of a live engine, with the role and the module of the samples: changed, then
//! unchanged, also while something of the first run waits; a set that would be refused never comes into force; check
//! mode and noop change nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use golden::real::engine::ran;
use golden::real::site::wharf_toml;
use golden::real::{Engine, Process, Ran, Site, wharf};

/// Files by their names in the site.
type Files<'a> = BTreeMap<&'a str, String>;

/// A live engine, and what is to be written.
struct Managed {
    engine: Engine,
    demo: Process,
    node: String,
}

impl Managed {
    #[track_caller]
    fn new() -> Self {
        let site = Site::demo();
        site.write("wharf.toml", &wharf_toml("60s"));
        site.write("sessions.d/idle.toml", "workbench = \"demo\"\non-removal = \"when-idle\"\n");
        let mut engine = Engine::start(site);
        let demo = engine.running("demo");
        engine.running("idle");
        let node = engine.status().expect("it answers").node;
        Self { engine, demo, node }
    }

    /// Three files that belong together: the first names a cluster that the second brings.
    fn files(&self, weight: u32) -> Files<'static> {
        let conf = self.engine.site.rserver_conf(self.engine.site.port());
        let clusters = "[server]\naddress=localhost\n[cluster]\nname=Local\ntype=Local\n[cluster]\nname=Second\ntype=Local\n";
        Files::from([
            ("a-first/rserver.conf", format!("{conf}launcher-default-cluster=Second\n")),
            ("launcher.conf", clusters.to_owned()),
            ("launcher-env", "JobType: session\nEnvironment: TZ=UTC\n".to_owned()),
            ("nodes.d", format!("weight = {weight}\n")),
        ])
        .into_iter()
        .map(|(name, text)| (name.trim_start_matches("a-first/"), text))
        .collect()
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
            .env("WHARF_OWN_DIR", around.join("wharf"));
        command
    }

    fn generation(&self) -> u64 {
        self.engine.status().expect("it answers").generation.0
    }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

fn ansible(managed: &Managed, files: &Files<'_>, more: &[&str]) -> Ran {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/ansible/bin/ansible-playbook");
    assert!(program.is_file(), "ansible-core is not installed; golden/run installs it");
    let vars = managed.engine.site.around().join("vars.json");
    let text = format!(
        "{{\"wharf_site_command\": \"{}\", \"wharf_site_files\": {}, \
         \"ansible_python_interpreter\": \"/usr/bin/python3\"}}",
        wharf().display(),
        managed.data(files)
    );
    std::fs::write(&vars, text).expect("a file can be written");
    let mut command = managed.command(&program);
    command.args(["-i", "localhost,", "-e"]).arg(format!("@{}", vars.display())).args(more);
    command.arg(samples().join("ansible/wharf.yml"));
    command.env("ANSIBLE_NOCOLOR", "1").env("ANSIBLE_NOCOWS", "1");
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

/// The same for both: `changed` and `failed` tell by what a tool said and how it ended.
fn promises(
    managed: &mut Managed,
    run: fn(&Managed, &Files<'_>, &[&str]) -> Ran,
    dry: &[&str],
    changed: fn(&Ran) -> bool,
    failed: fn(&Ran) -> bool,
) -> Ran {
    let (before, files) = (managed.generation(), managed.files(3));
    let nothing_there = |managed: &Managed| !managed.path("launcher-env").exists();

    // Check mode, noop: nothing is written, nothing is held, nothing comes into force.
    std::fs::create_dir_all(managed.engine.site.path("nodes.d")).expect("it is ours");
    let before = managed.engine.wait_status("the empty nodes.d is in force", |status| {
        (status.generation.0 > before).then_some(status.generation.0)
    });
    let shown = run(managed, &files, dry);
    assert!(!failed(&shown), "{shown:?}");
    assert!(nothing_there(managed) && managed.generation() == before, "{shown:?}");
    assert!(managed.engine.status().expect("it answers").change_windows.is_empty());

    // All files come into force as one generation; the second run has nothing to do.
    let first = run(managed, &files, &[]);
    assert!(changed(&first) && !failed(&first), "{first:?}");
    assert_eq!(managed.generation(), before + 1, "one generation for all files: {first:?}");
    assert!(managed.engine.status().expect("it answers").change_windows.is_empty(), "{first:?}");
    let second = run(managed, &files, &[]);
    assert!(!changed(&second) && !failed(&second), "{second:?}");

    // The same while something waits: a session whose file is gone waits for an idle time.
    managed.engine.site.remove("sessions.d/idle.toml");
    managed.engine.wait_status("the hold", |status| {
        status.holds.iter().any(|hold| hold.resource == "session/idle").then_some(())
    });
    let waiting = run(managed, &files, &[]);
    assert!(!changed(&waiting) && !failed(&waiting), "{waiting:?}");

    // What would be refused is not in force afterwards, and the tool says so.
    let (generation, weight) = (managed.generation(), managed.path("nodes.d"));
    let mut wrong = managed.files(9);
    wrong.insert("rserver.conf", "www-prot=1\n".to_owned());
    let refused = run(managed, &wrong, &[]);
    assert!(failed(&refused), "{refused:?}");
    assert!((refused.stdout.clone() + &refused.stderr).contains("www-prot"), "{refused:?}");
    assert_eq!(managed.generation(), generation, "{refused:?}");
    let repaired = run(managed, &managed.files(3), &[]);
    assert!(!failed(&repaired), "{repaired:?}");
    assert_eq!(std::fs::read_to_string(weight).ok().as_deref(), Some("weight = 3\n"));
    assert_eq!(managed.generation(), generation, "nothing new came of it");
    assert!(managed.demo.is_alive());
    shown
}

#[test]
fn ansible_writes_for_a_live_engine() {
    let mut managed = Managed::new();
    let changed = |ran: &Ran| !ran.stdout.contains("changed=0");
    let failed = |ran: &Ran| ran.code != Some(0);
    let shown = promises(&mut managed, ansible, &["--check", "--diff"], changed, failed);
    for part in ["weight 1 -> 3", "launcher-default-cluster", "nodes.d/"] {
        assert!(shown.stdout.contains(part), "the plan, with {part}: {}", shown.stdout);
    }
}

#[test]
fn puppet_writes_for_a_live_engine() {
    let mut managed = Managed::new();
    // 0: nothing to do, 2: changed; 4 and 6: something failed.
    let changed = |ran: &Ran| matches!(ran.code, Some(2 | 6));
    let failed = |ran: &Ran| !matches!(ran.code, Some(0 | 2));
    promises(&mut managed, puppet, &["--noop"], changed, failed);
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
