//! Ansible and Puppet write a site through `wharf check --as`, with the samples that we give to people.
//!
//! Of both: a bad file is refused and the one on disk unchanged; a change of three files, each of which fits the
//! others only once all are there, passes one after another; a set that is broken already can be repaired.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use golden::real;

/// What the samples are told, and differs from case to case.
#[derive(Clone)]
struct Values {
    port: &'static str,
    default_cluster: &'static str,
    /// Name and type, in YAML's flow form.
    clusters: &'static str,
    environment: &'static str,
}

const FIRST: Values = Values {
    port: "8787",
    default_cluster: "Local",
    clusters: "{ Local: Local }",
    environment: "{ LC_ALL: C.UTF-8 }",
};

/// All three files differ from those of `FIRST`, and the first of them names what the second brings.
const SECOND: Values = Values {
    port: "9797",
    default_cluster: "Slurm",
    clusters: "{ Local: Local, Slurm: Slurm }",
    environment: "{ LC_ALL: C, TZ: UTC }",
};

/// A tool that writes files.
trait Tool {
    /// Lets it write; what it said, and whether it is content.
    fn write(&self, dir: &Path, values: &Values) -> (bool, String);
}

/// A directory with a site's files, and one for the tool's own things.
struct Machine {
    all: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let all = tempfile::tempdir().expect("a directory can be made");
        for name in ["site", "home"] {
            std::fs::create_dir(all.path().join(name)).expect("a directory can be made");
        }
        Self { all }
    }

    fn site(&self) -> PathBuf {
        self.all.path().join("site")
    }

    /// Every file of the site with its text.
    fn texts(&self) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.site()).expect("the site is there");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.expect("the site can be listed").path();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("it can be read"))
        };
        entries.map(read).collect()
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.site().join(name), text).expect("a file can be written");
    }

    /// A command with a home of its own, and nothing of the machine's `/etc/wharf`.
    fn command(&self, program: &Path) -> Command {
        let home = self.all.path().join("home");
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).current_dir(&home).env("HOME", &home).env("LANG", "C.UTF-8");
        command.env("WHARF_OWN_DIR", self.all.path().join("none"));
        command
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

struct Ansible<'a>(&'a Machine);

impl Tool for Ansible<'_> {
    fn write(&self, dir: &Path, values: &Values) -> (bool, String) {
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/ansible/bin");
        let program = cache.join("ansible-playbook");
        assert!(program.is_file(), "ansible-core is not installed; golden/run installs it");
        let vars = self.0.all.path().join("vars.yml");
        let Values { port, default_cluster, clusters, environment } = values;
        let text = format!(
            "config_dir: {}\nwharf: {}\nwww_port: {port}\ndefault_cluster: {default_cluster}\n\
             clusters: {clusters}\nsession_environment: {environment}\n\
             ansible_python_interpreter: /usr/bin/python3\n",
            dir.display(),
            real::wharf().display()
        );
        std::fs::write(&vars, text).expect("a file can be written");
        let mut command = self.0.command(&program);
        command.args(["-i", "localhost,", "-e"]).arg(format!("@{}", vars.display()));
        command.arg(samples().join("ansible/site.yml"));
        command.env("ANSIBLE_NOCOLOR", "1").env("ANSIBLE_NOCOWS", "1");
        let output = command.output().expect("ansible-playbook runs");
        (output.status.success(), said(&output))
    }
}

struct Puppet<'a>(&'a Machine);

impl Tool for Puppet<'_> {
    fn write(&self, dir: &Path, values: &Values) -> (bool, String) {
        let own = self.0.all.path();
        let Values { port, default_cluster, clusters, environment } = values;
        let key = "workbench_files::";
        let data = format!(
            "{key}config_dir: {}\n{key}wharf: {}\n{key}www_port: {port}\n\
             {key}default_cluster: {default_cluster}\n{key}clusters: {clusters}\n\
             {key}session_environment: {environment}\n",
            dir.display(),
            real::wharf().display()
        );
        let hiera = "version: 5\ndefaults: { datadir: ., data_hash: yaml_data }\nhierarchy: [{ name: all, path: data.yaml }]\n";
        std::fs::write(own.join("data.yaml"), data).expect("a file can be written");
        std::fs::write(own.join("hiera.yaml"), hiera).expect("a file can be written");
        let mut command = self.0.command(Path::new("puppet"));
        command.args(["apply", "--detailed-exitcodes", "--color=false", "--hiera_config"]);
        command.arg(own.join("hiera.yaml"));
        for setting in ["confdir", "codedir", "vardir", "rundir", "logdir"] {
            command.arg(format!("--{setting}")).arg(own.join("home").join(setting));
        }
        command.arg(samples().join("puppet/workbench.pp"));
        let output = command.output().expect("puppet is installed; golden/run installs it");
        // 0: nothing to do, 2: changed; 4 and 6: something failed.
        (matches!(output.status.code(), Some(0 | 2)), said(&output))
    }
}

#[track_caller]
fn passes(tool: &dyn Tool, machine: &Machine, values: &Values) -> String {
    let (content, said) = tool.write(&machine.site(), values);
    assert!(content, "{said}");
    said
}

#[track_caller]
fn is_refused(tool: &dyn Tool, machine: &Machine, values: &Values) -> String {
    let (content, said) = tool.write(&machine.site(), values);
    assert!(!content, "{said}");
    said
}

/// The three promises, kept with a tool.
fn keeps_promises(tool: &dyn Tool, machine: &Machine) {
    // A site from nothing.
    passes(tool, machine, &FIRST);
    let first = machine.texts();
    assert_eq!(first.keys().collect::<Vec<_>>(), ["launcher-env", "launcher.conf", "rserver.conf"]);

    // A bad file is refused, with the place and the reason; the one on disk is as it was.
    let said = is_refused(tool, machine, &Values { port: "80 80", ..FIRST });
    assert!(said.contains("rserver.conf:1:10") && said.contains("WH0111"), "{said}");
    assert_eq!(machine.texts(), first);

    // Three files, written one after another: the first one names a cluster that the second one brings.
    passes(tool, machine, &SECOND);
    let second = machine.texts();
    assert!(first.iter().all(|(name, text)| second[name] != *text), "{second:?}");

    // A set that is broken already, in each of its files, can be repaired.
    machine.put("rserver.conf", "www-prot=1\nlauncher-default-cluster=Nowhere\n");
    machine.put("launcher.conf", "[server]\naddress=localhost\n[cluster]\nname=Other\n");
    machine.put("launcher-env", "JobType: session\nEnvironment LC_ALL\n");
    passes(tool, machine, &SECOND);
    assert_eq!(machine.texts(), second);
}

#[test]
fn ansible_writes_through_check() {
    let machine = Machine::new();
    let ansible = Ansible(&machine);
    keeps_promises(&ansible, &machine);
    let again = passes(&ansible, &machine, &SECOND);
    assert!(again.contains("changed=0"), "{again}");
}

#[test]
fn puppet_writes_through_check() {
    let machine = Machine::new();
    keeps_promises(&Puppet(&machine), &machine);
}
