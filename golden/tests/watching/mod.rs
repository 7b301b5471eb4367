//! A site in which one number shows what is in force, and the tests that change it.

mod bursts;
mod commands;
mod disasters;
mod limits;
mod mounts;
mod starts;
mod temporary;
mod ways;

use std::path::{Path, PathBuf};
use std::process::Command;

use engine::status::StatusView;
use golden::real::engine::{is, session};
use golden::real::{Engine, Process, Site, Socket, wait_for};

/// A policy. The quiet time is longer than what lies between two commands of a script on a busy machine, so that
/// an edit in two steps is one generation; files are read without an event every `poll` or ten of it.
pub(crate) fn wharf_toml(poll: &str, harm_delay: &str) -> String {
    format!(
        "instance = \"t\"\n\
         [site]\n\
         settle = {{ quiet = \"200ms\", invalid = \"500ms\", max = \"20s\" }}\n\
         poll = \"{poll}\"\n\
         [policy]\n\
         harm-delay = \"{harm_delay}\"\n"
    )
}

/// So rarely that a test never sees it.
pub(crate) const NEVER: &str = "10h";

/// An engine whose node's weight is a number in a file.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) node: String,
}

impl Bench {
    /// With the file at weight 1.
    pub(crate) fn new(site: Site) -> Self {
        let engine = Engine::start(site);
        let node = engine.status().expect("it answers").node;
        let mut bench = Self { engine, node };
        std::fs::create_dir_all(bench.dir()).expect("it is ours");
        std::fs::write(bench.file(), text(1)).expect("it is ours");
        bench.in_force(1);
        bench
    }

    /// The directory of nodes' files.
    pub(crate) fn dir(&self) -> PathBuf {
        self.engine.site.path("nodes.d")
    }

    /// The file with the number.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir().join(self.name())
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        format!("{}.toml", self.node)
    }

    /// A path outside of the site, in the same file system.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.engine.site.around().join(name)
    }

    /// Runs a script that writes the number `N`: the file is `F`, its directory `D`, its name `B`. The same file
    /// with the number is `T` in a directory `S` elsewhere; `O` is a directory for whatever else.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str, n: u32) {
        let other = self.outside(&format!("row-{n}"));
        let staged = other.join("staged");
        std::fs::create_dir_all(&staged).expect("it is ours");
        std::fs::write(staged.join(self.name()), text(n)).expect("it is ours");
        let (number, name) = (n.to_string(), self.name());
        let variables: [(&str, &Path); 7] = [
            ("N", Path::new(&number)),
            ("F", &self.file()),
            ("D", &self.dir()),
            ("B", Path::new(&name)),
            ("S", &staged),
            ("T", &staged.join(&name)),
            ("O", &other),
        ];
        sh(script, &variables);
    }

    /// Waits until the number is in force.
    #[track_caller]
    pub(crate) fn in_force(&mut self, n: u32) -> StatusView {
        let node = self.node.clone();
        self.engine.wait_status(&format!("weight {n}"), |status| {
            let weight = status.nodes.get(&node)?.weight;
            (weight == n && status.refused.is_none()).then(|| status.clone())
        })
    }

    /// What is on disk is in force, and it was read after now.
    #[track_caller]
    pub(crate) fn reload(&self) -> StatusView {
        is(&self.engine.admin(&["reload", "--wait"]), 0, "is in force");
        self.status()
    }

    pub(crate) fn status(&self) -> StatusView {
        self.engine.status().expect("it answers")
    }
}

/// A node's file of this weight.
pub(crate) fn text(n: u32) -> String {
    format!("weight = {n}\n")
}

/// Runs a script with these variables.
#[track_caller]
pub(crate) fn sh(script: &str, variables: &[(&str, &Path)]) {
    let mut command = Command::new("sh");
    let output = command.args(["-ec", script]).envs(variables.iter().copied()).output();
    let output = output.expect("there is a shell");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Sessions that run, with somebody connected to each.
pub(crate) struct Connected {
    sessions: Vec<(String, Process, Socket)>,
}

impl Connected {
    #[track_caller]
    pub(crate) fn to(engine: &mut Engine, ids: &[&str]) -> Self {
        let pids: Vec<Process> = ids.iter().map(|id| engine.running(id)).collect();
        let browser = engine.sign_in();
        let port = engine.listening();
        let connected = ids.iter().zip(pids).map(|(id, process)| {
            let path = format!("/s/{id}/ws");
            let socket = wait_for("a WebSocket", || browser.web_socket(port, &path));
            ((*id).to_owned(), process, socket)
        });
        Self { sessions: connected.collect() }
    }

    /// The same processes, and the connections that were open before.
    #[track_caller]
    pub(crate) fn are_untouched(&mut self) {
        for (id, process, socket) in &mut self.sessions {
            assert!(process.is_alive(), "{id}");
            socket.echo().unwrap_or_else(|error| panic!("{id}: {error}"));
        }
    }

    /// The same processes after the engine was killed, and connections anew.
    #[track_caller]
    pub(crate) fn are_adopted_by(self, engine: &mut Engine) -> Self {
        let ids: Vec<&str> = self.sessions.iter().map(|(id, ..)| id.as_str()).collect();
        let again = Self::to(engine, &ids);
        let pids = |all: &Self| all.sessions.iter().map(|(_, pid, _)| *pid).collect::<Vec<_>>();
        assert_eq!(pids(&again), pids(&self));
        again
    }

    /// The engine says that they run, as these processes.
    #[track_caller]
    pub(crate) fn are_known_to(&mut self, engine: &mut Engine) {
        self.are_untouched();
        for (id, process, _) in &self.sessions {
            engine.wait_status(&format!("{id} runs"), |status| {
                let seen = session(status, id)?;
                (seen.state == "running" && seen.pid == Some(process.pid)).then_some(())
            });
        }
    }
}

/// The holds of sessions: how many wait for what.
pub(crate) fn held(status: &StatusView, waiting: &str) -> usize {
    let holds = status.holds.iter().filter(|hold| hold.resource.starts_with("session/"));
    holds.filter(|hold| hold.waiting.contains(waiting)).count()
}
