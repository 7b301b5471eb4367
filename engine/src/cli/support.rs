//! `wharf support`: one archive for a bug report. It holds what the commands say, each run as a process of its own, so
//! that one that hangs or breaks costs only itself and says so; secrets are in none of them.
//!
//! Works without an engine: what only an engine knows is then missing, and the archive says that, too.
//! Read next: [`asked`] (what is run), [`machine`] (what is read), [`archive`].

mod archive;
mod asked;
mod machine;

use std::path::{Path, PathBuf};

use clap::Args;
use grammar::report::for_terminal;
use serde_json::json;

use super::in_time::{self, NoAnswer};
use super::state::Kept;
use super::state::directories::newest_log;
use super::{FAILED, Global, OK, complain, print_as};
use crate::admin::client;
use crate::admin::protocol::{Answer, Request};
use archive::Archive;
use asked::{Asked, Command, NotSaid, Said};

/// The version of the JSON object's form.
const FORMAT_VERSION: &str = "1.0";

/// Most bytes that are taken of one log.
const LOG_MAX: u64 = 4 << 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are not in it; names of accounts, sessions, hosts and paths are: read it before you send it\n\
    (tar tf FILE). The file is made for this account only (0600).\n\n\
    Without an engine of this site the plan is of the files alone; what is left out is listed.\n\n\
    Exit codes: 0 done, also where a part is missing; 1 the archive cannot be written; 64 usage.\n\n\
    Examples:\n  wharf support\n  wharf support --out /tmp/case-4711.tar --log /var/log/wharf/wharf.log\n  \
    wharf support --session-log genomics-lab      # what that session wrote: look for secrets yourself"
)]
pub(super) struct SupportArgs {
    /// The configuration directory, as `serve` is given it
    dir: Option<PathBuf>,
    /// Where to [default: wharf-support-INSTANCE-TIME.tar here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put the end of this log of the engine in, too (may be given several times)
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    /// Put the end of this session's log in, too: it holds whatever the session wrote
    #[arg(long, value_name = "SESSION")]
    session_log: Vec<String>,
    /// Say as JSON what is in it
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &SupportArgs) -> u8 {
    match collect(global, args) {
        Ok(text) => {
            print_as(args.json, text);
            OK
        }
        Err(message) => {
            complain(&message);
            FAILED
        }
    }
}

fn collect(global: &Global, args: &SupportArgs) -> Result<String, String> {
    let kept = Kept::find(global, args.dir.as_deref()).ok();
    let socket = kept.as_ref().map(|kept| kept.socket(global, args.dir.as_deref()));
    let status = socket.as_deref().and_then(|socket| match client::ask(socket, Request::Status) {
        Ok(Answer::Status { status }) => Some(status),
        _ => None,
    });
    let instance = match (&status, &kept) {
        (Some(status), _) => status.instance.clone(),
        (None, Some(kept)) => kept.instance.clone(),
        (None, None) => "unknown".to_owned(),
    };
    let now = jiff::Zoned::now();
    let name = format!("wharf-support-{instance}-{}", now.strftime("%Y%m%dT%H%M%S"));
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar")));
    let mut archive = Archive::create(&path, &name).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AlreadyExists => ": it is there already",
            _ => "",
        };
        format!("cannot make {}{hint}: {error}", path.display())
    })?;
    let served = status.as_ref().map(|status| PathBuf::from(&status.site_dir));
    let served = served.or_else(|| kept.as_ref()?.dir.clone());
    let files = Files::find(global, args.dir.clone(), served);
    let mut contents = Contents::default();
    let socket_of_engine = socket.as_deref().filter(|_| status.is_some());
    let asked = Asked::new(global, socket_of_engine, files.dir.as_deref());
    contents.commands(&asked, &args.session_log, files.are_silent);
    contents.rounds(socket.as_deref());
    contents.log_files(&args.log);
    contents.journal();
    contents.file("machine.txt", machine::describe(kept.as_ref().map(|kept| &*kept.layout.state)));
    if status.is_none() {
        contents
            .left_out("what only an engine knows: none answered; the plan is of the files alone");
        for session in &args.session_log {
            contents.session_log(kept.as_ref(), session);
        }
    }
    for left_out in ALWAYS_LEFT_OUT {
        contents.left_out(left_out);
    }
    let readme = contents.readme(&name);
    let bytes = archive
        .file("README.txt", readme.as_bytes())
        .and_then(|()| contents.files.iter().try_for_each(|(name, text)| archive.file(name, text)))
        .and_then(|()| archive.finish())
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(contents.told(&path, bytes, args.json))
}

/// The files that commands are to read.
struct Files {
    /// The configuration directory; none = what is this machine's.
    dir: Option<PathBuf>,
    /// Whether they do not answer: nothing that reads them ends.
    are_silent: bool,
}

impl Files {
    /// Those that were `given`, else those that are `served`, if they are still there.
    fn find(global: &Global, given: Option<PathBuf>, served: Option<PathBuf>) -> Self {
        let is_given = given.is_some();
        let Some(dir) = given.or(served) else { return Self { dir: None, are_silent: false } };
        let of_thread = dir.clone();
        let there = in_time::ask(move || of_thread.is_dir())
            .map_or(Err(NoAnswer::Died), |asked| asked.within(global.patience()));
        let is_wanted = is_given || there != Ok(false);
        Self { dir: is_wanted.then_some(dir), are_silent: there == Err(NoAnswer::Silent) }
    }
}

/// What is never put in, and why.
const ALWAYS_LEFT_OUT: &[&str] = &[
    "the instance's key, and the records of the store",
    "values of secrets in the configuration: they are shown as (secret)",
    "logs of sessions, but for those named with --session-log",
    "recorded rounds (`serve --record`): they hold the files with their secrets",
];

/// What the archive holds.
#[derive(Default)]
struct Contents {
    files: Vec<(String, Vec<u8>)>,
    /// For each file what it is, in a line.
    lines: Vec<(String, String)>,
    left_out: Vec<String>,
}

impl Contents {
    fn file(&mut self, name: &str, text: impl Into<Vec<u8>>) {
        self.lines.push((name.to_owned(), String::new()));
        self.files.push((name.to_owned(), text.into()));
    }

    fn left_out(&mut self, what: &str) {
        self.left_out.push(what.to_owned());
    }

    /// What each command says. Once one that reads the files has not ended, no other one that does is run.
    fn commands(&mut self, asked: &Asked, session_logs: &[String], files_are_silent: bool) {
        let mut are_silent = files_are_silent;
        for Command { name, args, reads_files } in asked.all(session_logs) {
            let said = if reads_files && are_silent {
                Err(NotSaid::Failed("not run, since the files it reads do not answer".to_owned()))
            } else {
                asked.run(&args)
            };
            are_silent |= reads_files && matches!(said, Err(NotSaid::Late));
            self.command(name, &args, said);
        }
    }

    /// What a command said; its complaints lie beside it.
    fn command(&mut self, name: String, command: &[String], said: Result<Said, NotSaid>) {
        let shown = format!("wharf {}", command.join(" "));
        match said {
            Ok(said) => {
                let ended = said.code.map_or("killed".to_owned(), |code| format!("exit {code}"));
                if !said.stderr.is_empty() {
                    self.files.push((format!("{name}.stderr"), said.stderr));
                }
                let cut = if said.is_cut {
                    format!(", cut after {} MiB", asked::MOST >> 20)
                } else {
                    String::new()
                };
                self.lines.push((name.clone(), format!("{shown}   ({ended}{cut})")));
                self.files.push((name, said.stdout));
            }
            Err(why) => self.left_out(&format!("{shown}: {why}")),
        }
    }

    /// The last rounds: what woke each, and what became of its steps.
    fn rounds(&mut self, socket: Option<&Path>) {
        let asked = socket.map(|socket| client::ask(socket, Request::Rounds { after: 0 }));
        if let Some(Ok(Answer::Rounds { rounds })) = asked
            && let Ok(text) = serde_json::to_vec_pretty(&rounds)
        {
            self.file("rounds.json", text);
        }
    }

    /// What a session wrote, from its directory.
    fn session_log(&mut self, kept: Option<&Kept>, session: &str) {
        let log = match kept {
            Some(kept) => newest_log(&kept.layout, session, LOG_MAX),
            None => Err("where its instance keeps its things is not known".to_owned()),
        };
        match log {
            Ok((incarnation, text)) => {
                let name = format!("session-{session}.log");
                self.lines.push((name.clone(), format!("the end of the log of {incarnation}")));
                self.files.push((name, text.into_bytes()));
            }
            Err(why) => self.left_out(&format!("the log of session {session}: {why}")),
        }
    }

    fn log_files(&mut self, logs: &[PathBuf]) {
        for (n, path) in logs.iter().enumerate() {
            match asked::tail(path, LOG_MAX) {
                Ok(text) => {
                    let name = format!("log-{}.txt", n + 1);
                    self.lines.push((name.clone(), path.display().to_string()));
                    self.files.push((name, text));
                }
                Err(error) => self.left_out(&format!("{}: {error}", path.display())),
            }
        }
    }

    fn journal(&mut self) {
        match asked::journal() {
            Ok(text) => self.file("journal.txt", text),
            Err(why) => self.left_out(&format!("the journal of the unit wharf: {why}")),
        }
    }

    fn readme(&self, name: &str) -> String {
        let mut out = format!("{name}\n\n");
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, what) in &self.lines {
            out.push_str(format!("{name:<width$}   {what}").trim_end());
            out.push('\n');
        }
        out.push_str("\nLeft out\n");
        for left_out in &self.left_out {
            out.push_str(&format!("  {left_out}\n"));
        }
        out.push_str("\nNames of accounts, sessions, hosts and paths are in it.\n");
        for_terminal(&out).into_owned()
    }

    fn told(&self, path: &Path, bytes: u64, json: bool) -> String {
        if json {
            let files: Vec<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
            let object = json!({
                "format_version": FORMAT_VERSION,
                "file": path,
                "bytes": bytes,
                "files": files,
                "left_out": self.left_out,
            });
            return format!("{object:#}\n");
        }
        let mut out = format!("{}   {bytes} bytes\n", path.display());
        for (name, what) in &self.lines {
            out.push_str(format!("  {name:<18} {what}").trim_end());
            out.push('\n');
        }
        out.push_str("Left out\n");
        for left_out in &self.left_out {
            out.push_str(&format!("  {left_out}\n"));
        }
        let mut out = for_terminal(&out).into_owned();
        out.push_str(
            "Names of accounts, sessions, hosts and paths are in it: read it before you send it.\n",
        );
        out
    }
}
