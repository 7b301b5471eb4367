//! The command line: one file a command. Exit codes are those of interface.md §2.
//!
//! Every command that needs the world asks a running engine over its admin socket; `plan` without one
//! works from what can be read, and says so.

mod apply;
mod ask;
mod change;
mod check;
mod completions;
mod diff;
mod doctor;
mod dump;
mod explain;
mod history;
mod in_time;
mod man;
mod option;
mod overrides;
mod place;
mod plan;
mod render;
mod replan;
mod schema;
mod serve;
mod session;
mod state;
mod status;
mod support;
mod terminal;
mod uninstall;
mod version;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use grammar::report::{for_terminal, json_for_terminal};

pub use place::Place;

/// Done, or nothing to do.
const OK: u8 = 0;
/// Problems, refused, or failed.
const FAILED: u8 = 1;
/// Changes (`plan --detailed-exitcode`), degraded or pending (`status`).
const CHANGES: u8 = 2;
/// The same, and somebody would be hurt.
const HARM: u8 = 3;
/// The approved plan does not cover what would happen now.
const UNCOVERED: u8 = 4;
/// The command line makes no sense.
const USAGE: u8 = 64;
/// The engine does not answer.
const UNAVAILABLE: u8 = 69;

/// A cluster engine for interactive data-science sessions, driven by files.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, disable_version_flag = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The Workbench configuration directory [default: the product's search path, /etc/rstudio last]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "WHARF_CONFIG_DIR",
        hide_env_values = true
    )]
    config: Option<PathBuf>,
    /// Put DIR before absolute paths: of the packages' directories, and of those that values name
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The engine to ask, by its instance's name
    #[arg(long, global = true, value_name = "NAME", value_parser = instance_name)]
    instance: Option<String>,
    /// The engine to ask, by its admin socket
    #[arg(long, global = true, value_name = "PATH", env = "WHARF_SOCKET", hide_env_values = true)]
    socket: Option<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Say less
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Debug builds: wait for the files so long, in milliseconds
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, global = true, value_name = "MS")]
    patience: Option<u64>,
}

fn instance_name(text: &str) -> Result<String, String> {
    let is_name = grammar::own::is_instance_name(text);
    let rule = "an instance's name has a-z, 0-9 and `-`, not first, at most 32";
    is_name.then(|| text.to_owned()).ok_or_else(|| rule.to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Global {
    /// How long files are waited for.
    fn patience(&self) -> grammar::value::Millis {
        #[cfg(debug_assertions)]
        if let Some(ms) = self.patience {
            return grammar::value::Millis(ms);
        }
        engine_core::accept::PATIENCE
    }

    /// Where the site's files are. `given` is the directory that the command was given, as it is.
    fn site_dirs(&self, given: Option<&std::path::Path>) -> crate::load::SiteDirs {
        let root = self.root.as_deref().unwrap_or(std::path::Path::new(""));
        let env = &crate::load::process_env;
        crate::load::SiteDirs::find_below(root, given, own_default(), env)
    }

    /// The same, as a `wharf.toml` says that was read already.
    fn site_dirs_by(
        &self,
        given: Option<&std::path::Path>,
        policy: &crate::load::Policied<'_>,
    ) -> crate::load::SiteDirs {
        let root = self.root.as_deref().unwrap_or(std::path::Path::new(""));
        let env = &crate::load::process_env;
        crate::load::SiteDirs::find_by(root, given, own_default(), env, policy)
    }

    /// Whether to colour what goes to `stream`.
    fn color_for(&self, stream: &impl std::io::IsTerminal) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto if set("CLICOLOR_FORCE") => true,
            Color::Auto => {
                stream.is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
            }
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Are the files right?
    Check(check::CheckArgs),
    /// What would the files do, to whom, because of which line?
    Plan(plan::PlanArgs),
    /// Which options and lines differ between two sets of files
    Diff(diff::DiffArgs),
    /// A problem's code, or an option, at length
    Explain(explain::ExplainArgs),
    /// The configuration in effect, each value with where it stands
    Dump(dump::DumpArgs),
    /// What one session would get: command, environment, limits, mounts, ports
    Render(render::RenderArgs),
    /// The catalogue of options: type, default, effect, state, source, what Workbench does
    #[command(subcommand)]
    Option(option::OptionCommand),
    /// Let steps go that wait for harm-delay or approval
    Apply(apply::ApplyArgs),
    /// Look at the files now; fails if they are refused
    Reload(ask::ReloadArgs),
    /// Commands that hide a line of a file, until when
    #[command(subcommand)]
    Override(overrides::OverrideCommand),
    /// The generations that are kept; one of them pinned whatever the files say
    History(history::HistoryArgs),
    /// Nodes: list, cordon, uncordon, drain, weight
    #[command(subcommand)]
    Node(overrides::NodeCli),
    /// Several files belong together: judge none of them before the last is written
    #[command(subcommand)]
    Change(change::ChangeCommand),
    /// What is in force, refused, held, overridden, outdated
    Status(status::StatusArgs),
    /// Why is a session, node, gateway or listener as it is?
    Why(why::WhyArgs),
    /// What this machine lacks to serve; what would be lost if wharf took the product's place
    Doctor(doctor::DoctorArgs),
    /// Run the engine
    Serve(serve::ServeArgs),
    /// Stop reconciling; traffic goes on
    Pause(overrides::PauseArgs),
    /// Reconcile again
    Resume,
    /// A one-time sign-in link to the pages
    Open,
    /// Sessions: list, start, stop, logs
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// The store: a copy of it, made of a copy, whether it is whole
    #[command(subcommand)]
    State(state::StateCommand),
    /// Plan again from a round that `serve --record` saved
    Replan(replan::ReplanArgs),
    /// One archive for a bug report, secrets removed
    Support(support::SupportArgs),
    /// What would end, what stays, and the commands for it
    Uninstall(uninstall::UninstallArgs),
    /// Manual pages: of a command, of a configuration file
    Man(man::ManArgs),
    /// The JSON Schema of our own files, for editors
    Schema(schema::SchemaArgs),
    /// Completions for a shell
    Completions(completions::CompletionsArgs),
    /// The program's version
    Version(version::VersionArgs),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes; everything else is, with 64 instead of clap's 2.
            let code = if error.use_stderr() { USAGE } else { OK };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(run(&cli))
}

fn run(cli: &Cli) -> u8 {
    let global = &cli.global;
    match &cli.command {
        Command::Check(args) => check::run(global, args),
        Command::Plan(args) => plan::run(global, args),
        Command::Diff(args) => diff::run(global, args),
        Command::Explain(args) => explain::run(args),
        Command::Dump(args) => dump::run(global, args),
        Command::Render(args) => render::run(global, args),
        Command::Option(command) => option::run(command),
        Command::Apply(args) => apply::run(global, args),
        Command::Reload(args) => ask::reload(global, args),
        Command::Change(command) => change::run(global, command),
        Command::Status(args) => status::run(global, args),
        Command::Why(args) => why::run(global, args),
        Command::Doctor(args) => doctor::run(global, args),
        Command::Serve(args) => serve::run(global, args),
        Command::Pause(args) => overrides::pause(global, args),
        Command::Override(command) => overrides::run(global, command),
        Command::Node(command) => overrides::node(global, command),
        Command::History(args) => history::run(global, args),
        Command::Resume => ask::simple(global, crate::admin::protocol::Request::Resume),
        Command::Open => ask::open(global),
        Command::Session(command) => session::run(global, command),
        Command::State(command) => state::run(global, command),
        Command::Replan(args) => replan::run(args),
        Command::Support(args) => support::run(global, args),
        Command::Uninstall(args) => uninstall::run(global, args),
        Command::Man(args) => man::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Version(args) => version::run(args),
    }
}

/// How long an argument says, in milliseconds; complains and gives the exit code where it is no time.
fn span_ms(argument: &str, text: &str) -> Result<u64, u8> {
    grammar::value::parse_duration(text).map(|span| span.0).map_err(|error| {
        complain(&format!(
            "{argument} {text}: {error}; write a time with its unit, such as 90s, 10m or 1h30m"
        ));
        USAGE
    })
}

/// Writes what people read to stdout. Whoever's words are in it, nothing of them is obeyed by a terminal.
fn print(text: &str) {
    print_exact(&for_terminal(text));
}

/// The same for JSON: read back, it is what it was.
fn print_json(json: String) {
    print_exact(&json_for_terminal(json));
}

/// One or the other.
fn print_as(json: bool, text: String) {
    if json { print_json(text) } else { print(&text) }
}

/// Writes what has nobody's words in it, or what was made harmless before it was coloured. A reader that has gone
/// away (`| head`) is no error.
fn print_exact(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Says what went wrong, on stderr.
fn complain(message: &str) {
    use std::io::Write;
    // What a file, a record or an engine said may be in it.
    let _ = writeln!(std::io::stderr(), "wharf: {}", for_terminal(message));
}

/// A moment as people read it here: `Nov 21 02:14`, or with the year where it is another one.
#[must_use]
pub fn when(moment: engine_core::ids::Moment) -> String {
    let Ok(stamp) = jiff::Timestamp::from_millisecond(moment.0) else {
        return "?".to_owned();
    };
    let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
    let now = jiff::Zoned::now();
    let form = if now.year() == zoned.year() { "%b %e %H:%M" } else { "%b %e %Y" };
    zoned.strftime(form).to_string()
}

/// Minute of the local week, from Monday 00:00.
#[must_use]
pub fn week_minute(moment: engine_core::ids::Moment) -> u16 {
    let Ok(stamp) = jiff::Timestamp::from_millisecond(moment.0) else { return 0 };
    let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
    let day = u16::try_from(zoned.weekday().to_monday_zero_offset()).unwrap_or(0);
    let hour = u16::try_from(zoned.hour()).unwrap_or(0);
    let minute = u16::try_from(zoned.minute()).unwrap_or(0);
    day * 1440 + hour * 60 + minute
}

/// The system's wall time.
#[must_use]
pub fn now() -> engine_core::ids::Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    engine_core::ids::Moment(ms)
}

/// Where our own files are unless the directory given is self-contained.
fn own_default() -> crate::load::Own {
    let dir = std::env::var_os("WHARF_OWN_DIR").map_or_else(|| "/etc/wharf".into(), PathBuf::from);
    crate::load::Own::Optional(dir)
}

/// What lowering is told of this machine.
///
/// # Errors
/// There is no account that sessions could run as.
fn ground(
    self_contained: bool,
    digest_key: Vec<u8>,
) -> Result<engine_core::desired::Ground, String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let node = engine_core::ids::NodeId::new(&host)
        .or_else(|_| engine_core::ids::NodeId::new("localhost"))
        .map_err(|error| error.to_string())?;
    let default_user = crate::launcher::accounts::fallback_user()?.name;
    Ok(engine_core::desired::Ground { node, default_user, digest_key, self_contained })
}

/// The same for checking files, where nothing will run: an account that is missing is no mistake there.
fn ground_for_check(files: &engine_core::site::SiteFiles) -> engine_core::desired::Ground {
    let self_contained = files.own_dir == files.workbench_dir;
    ground(self_contained, Vec::new()).unwrap_or_else(|_| engine_core::desired::Ground {
        node: engine_core::ids::NodeId::new("localhost").expect("the word is a node's name"),
        default_user: engine_core::ids::UserName::new("nobody").expect("the word is a name"),
        digest_key: Vec::new(),
        self_contained,
    })
}
