//! `wharf session`: list, start, stop, logs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{FAILED, Global, OK, USAGE, ask, complain, print, print_exact, print_json, span_ms};
use crate::admin::protocol::{Answer, Request};
use crate::status::{SessionView, StatusView};

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// All sessions, with their state and why
    List(ListArgs),
    /// Start a session that was stopped, or one from a template
    Start(StartArgs),
    /// Stop a session; a declared one stays stopped until it is started, or its time is over
    Stop(StopArgs),
    /// The end of a session's log
    Logs(LogsArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf session start genomics-lab\n  \
    wharf session start --template rstudio-small")]
pub(super) struct StartArgs {
    /// A session's id
    session: Option<String>,
    /// Start a new session from this template
    #[arg(long, conflicts_with = "session")]
    template: Option<String>,
    /// The account it runs as [default: who asks]
    #[arg(long, requires = "template")]
    user: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 told, with --wait: and over; 1 refused, or not over in time; 64 usage; 69 no engine\n\
    answers.\n\n\
    Examples:\n  wharf session stop genomics-lab --reason 'disk full' --for 2h\n  \
    wharf session stop --all --wait"
)]
pub(super) struct StopArgs {
    /// A session's id
    #[arg(required_unless_present = "all")]
    session: Option<String>,
    /// All sessions of this engine
    #[arg(long, conflicts_with = "session")]
    all: bool,
    /// Why, for whoever reads the status
    #[arg(long, default_value = "")]
    reason: String,
    /// How long a declared session stays stopped
    #[arg(long = "for", default_value = "8h", value_name = "TIME")]
    for_time: String,
    /// Wait until no process of it lives any more
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 300, requires = "wait", value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// A session's id
    session: String,
    /// How many bytes at the most
    #[arg(long, default_value_t = 65_536)]
    bytes: u64,
}

pub(super) fn run(global: &Global, command: &SessionCommand) -> u8 {
    match command {
        SessionCommand::List(args) => list(global, args),
        SessionCommand::Start(args) => start(global, args),
        SessionCommand::Stop(args) => stop(global, args),
        SessionCommand::Logs(args) => logs(global, args),
    }
}

fn list(global: &Global, args: &ListArgs) -> u8 {
    let status = match ask::status(global) {
        Ok(status) => status,
        Err(code) => return code,
    };
    if args.json {
        match serde_json::to_string_pretty(&status.sessions) {
            Ok(text) => print_json(text + "\n"),
            Err(error) => {
                complain(&error.to_string());
                return FAILED;
            }
        }
    } else {
        let mut out = String::new();
        super::status::sessions(&mut out, &status.sessions);
        print(&out);
    }
    OK
}

fn start(global: &Global, args: &StartArgs) -> u8 {
    if args.session.is_none() && args.template.is_none() {
        complain("name a session, or a template with --template");
        return USAGE;
    }
    let request = Request::SessionStart {
        session: args.session.clone(),
        template: args.template.clone(),
        user: args.user.clone(),
    };
    ask::simple(global, request)
}

fn stop(global: &Global, args: &StopArgs) -> u8 {
    let for_ms = match span_ms("--for", &args.for_time) {
        Ok(span) => span,
        Err(code) => return code,
    };
    let session = args.session.clone().unwrap_or_default();
    let request = Request::SessionStop { session, reason: args.reason.clone(), for_ms };
    match ask::simple(global, request) {
        OK if args.wait => wait_until_over(global, args),
        code => code,
    }
}

/// Whether it is ours, and a process of it lives.
pub(super) fn lives(session: &SessionView) -> bool {
    session.state != "foreign" && session.pid.is_some()
}

fn wait_until_over(global: &Global, args: &StopArgs) -> u8 {
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    loop {
        let status: StatusView = match ask::status(global) {
            Ok(status) => status,
            Err(code) => return code,
        };
        let meant = |id: &str| args.session.as_deref().is_none_or(|session| session == id);
        let left = status.sessions.iter().filter(|of| lives(of) && meant(&of.id));
        let left: Vec<&str> = left.map(|session| session.id.as_str()).collect();
        if left.is_empty() {
            return OK;
        }
        if Instant::now() >= deadline {
            complain(&format!("not over within {} s: {}", args.timeout, left.join(", ")));
            return FAILED;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn logs(global: &Global, args: &LogsArgs) -> u8 {
    let request = Request::SessionLogs { session: args.session.clone(), bytes: args.bytes };
    match ask::engine(global, None, request) {
        Ok(Answer::Text { text }) => {
            // Whatever a session has written is kept as it is in a file, and obeyed by no terminal.
            if std::io::stdout().is_terminal() {
                print(&text);
            } else {
                print_exact(&text);
            }
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}
