//! `wharf session`: list, start, stop, logs.

use clap::{Args, Subcommand};

use super::{FAILED, Global, OK, USAGE, ask, complain, print};
use crate::admin::protocol::{Answer, Request};

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
    after_help = "Examples:\n  wharf session stop genomics-lab --reason 'disk full' --for 2h\n  \
    wharf session stop --all"
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
            Ok(text) => print(&format!("{text}\n")),
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
    let for_ms = match grammar::value::parse_duration(&args.for_time) {
        Ok(span) => span.0,
        Err(error) => {
            complain(&format!("--for {}: {error}", args.for_time));
            return USAGE;
        }
    };
    let session = args.session.clone().unwrap_or_default();
    let request = Request::SessionStop { session, reason: args.reason.clone(), for_ms };
    ask::simple(global, request)
}

fn logs(global: &Global, args: &LogsArgs) -> u8 {
    let request = Request::SessionLogs { session: args.session.clone(), bytes: args.bytes };
    match ask::engine(global, None, request) {
        Ok(Answer::Text { text }) => {
            print(&text);
            OK
        }
        Ok(_) => {
            complain("the engine answered something else than was asked");
            FAILED
        }
        Err(code) => code,
    }
}
