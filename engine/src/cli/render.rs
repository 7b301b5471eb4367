//! `wharf render`: what one session would get, each part with where it comes from. Starts nothing.
//!
//! What is asked for is lowered by the function that sessions are lowered by, and its environment is put
//! together by the one that the launcher uses: what is shown is what would be started. What only a start
//! knows stays a token: `{ID}`, `{SOCKET}`, `{RUNTIME}`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine_core::desired::{
    Asked, EnvValue, Origin, Rendered, Secrets, StopSpec, WorkbenchSpec, render,
};
use engine_core::ids::{Incarnation, NodeId, UserName};
use engine_core::known::Known;
use engine_core::observed::UserSeen;
use engine_core::plan::StartOrder;
use serde_json::json;

use super::{FAILED, Global, OK, complain, print_as};
use crate::identity::{GroupLookup, SystemGroups};
use crate::launcher::accounts::SystemAccounts;
use crate::launcher::local::environment::{Tokens, environment, working_dir};
use crate::launcher::workbench::definition;
use crate::launcher::workbench::discovery::{Found, find};
use crate::load::{load, open_to_read};
use crate::ports::Accounts;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf render --user alice --workbench jupyterlab\n  \
    wharf render --user alice --workbench vs-code --cluster Slurm --groups staff,gpu\n  \
    wharf render --user alice --workbench rstudio --job-type adhoc --json")]
pub(super) struct RenderArgs {
    /// The configuration directory
    dir: Option<PathBuf>,
    /// For whom
    #[arg(long, value_name = "USER")]
    user: String,
    /// What: rstudio, jupyterlab, jupyter-notebook, vs-code, or a [workbenches.NAME]
    #[arg(long, value_name = "NAME")]
    workbench: String,
    /// Where [default: the site's default cluster]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// What records are told that it is
    #[arg(long, value_name = "TYPE", default_value = "session")]
    job_type: JobType,
    /// The user's groups, for limits [default: those that this machine knows]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum JobType {
    Session,
    Adhoc,
}

/// One line: what about, what, and where it comes from.
struct Line {
    about: &'static str,
    text: String,
    from: String,
}

pub(super) fn run(global: &Global, args: &RenderArgs) -> u8 {
    match lines(global, args) {
        Ok(lines) => {
            print_as(args.json, if args.json { json_of(&lines) } else { text_of(&lines) });
            OK
        }
        Err(message) => {
            complain(&message);
            FAILED
        }
    }
}

fn lines(global: &Global, args: &RenderArgs) -> Result<Vec<Line>, String> {
    let given = args.dir.as_deref().or(global.config.as_deref());
    if let Some(dir) = given.filter(|dir| !dir.is_dir()) {
        return Err(format!("{}: there is no such directory", dir.display()));
    }
    let dirs = global.site_dirs(given);
    let files = load(&dirs, &[], &open_to_read, super::now()).files;
    let user = UserName::new(&args.user).map_err(|error| error.to_string())?;
    let groups = args.groups.clone().unwrap_or_else(|| {
        let known = SystemGroups.look_up(&user, super::now());
        known.present().into_iter().flatten().cloned().collect()
    });
    let asked = Asked {
        user,
        groups,
        workbench: args.workbench.clone(),
        cluster: args.cluster.clone(),
        job_type: match args.job_type {
            JobType::Session => "session".to_owned(),
            JobType::Adhoc => "adhoc".to_owned(),
        },
    };
    let ground = super::ground_for_check(&files);
    let rendered = render(&files, &ground, &asked)?;
    let account = SystemAccounts::new().look_up(&asked.user, super::now());
    let mut lines = vec![cluster_line(&rendered)];
    if args.job_type == JobType::Session {
        lines.push(command_line(&rendered, &account));
    }
    lines.extend(env_lines(&rendered, &account, ground.node)?);
    lines.extend(allowance_lines(&rendered));
    lines.extend(container_lines(&rendered));
    Ok(lines)
}

fn cluster_line(rendered: &Rendered) -> Line {
    let from =
        place(rendered, "cluster").unwrap_or_else(|| "--cluster, or the only one".to_owned());
    Line { about: "cluster", text: rendered.spec.launch.cluster.to_string(), from }
}

/// Where a part of the session stands.
fn place(rendered: &Rendered, part: &str) -> Option<String> {
    let key = format!("session/{}/{part}", rendered.spec.id);
    rendered.origins.exactly(&key).first().map(shown)
}

fn shown(origin: &Origin) -> String {
    format!("{}:{}", origin.file, origin.line)
}

/// The account as tokens; what this machine does not know of it stays a token.
fn tokens<'a>(rendered: &'a Rendered, account: &'a Known<UserSeen>) -> Tokens<'a> {
    Tokens {
        socket: "{SOCKET}",
        runtime: "{RUNTIME}",
        base: "/s/{ID}",
        user: rendered.spec.launch.user.as_str(),
        home: account.present().map_or("{HOME}", |account| &account.home),
        id: "{ID}",
    }
}

/// What would be run. Of other clusters than this machine nobody here knows what is installed.
fn command_line(rendered: &Rendered, account: &Known<UserSeen>) -> Line {
    let launch = &rendered.spec.launch;
    let spec = WorkbenchSpec { exe: launch.program.exe.clone(), ..WorkbenchSpec::default() };
    let tokens = tokens(rendered, account);
    let from = place(rendered, "exe").unwrap_or_else(|| format!("workbench {}", launch.workbench));
    let exe = match find(&definition(&launch.workbench, &spec)) {
        Found::At(exe) => exe,
        Found::Not { help } => {
            let text = format!("not here: {}", help.replace("{NAME}", launch.workbench.as_str()));
            return Line { about: "command", text, from };
        }
    };
    let args = launch.program.args.iter().map(|arg| tokens.fill(arg));
    let words: Vec<String> = std::iter::once(exe).chain(args).collect();
    Line { about: "command", text: words.join(" "), from }
}

/// A variable as it may be shown.
fn covered_variable((name, value): (&String, &EnvValue)) -> (String, EnvValue) {
    let value = match value {
        EnvValue::Secret(_) => EnvValue::Plain(grammar::secret::COVER.to_owned()),
        EnvValue::Plain(_) => value.clone(),
    };
    (name.clone(), value)
}

/// Its environment, as the launcher puts it together.
fn env_lines(
    rendered: &Rendered,
    account: &Known<UserSeen>,
    node: NodeId,
) -> Result<Vec<Line>, String> {
    let launch = &rendered.spec.launch;
    let tokens = tokens(rendered, account);
    let unknown = UserSeen {
        uid: 0,
        gid: 0,
        home: "{HOME}".to_owned(),
        shell: "{SHELL}".to_owned(),
        reachable: false,
    };
    let covered =
        launch.with(|covered| covered.env = launch.env.iter().map(covered_variable).collect());
    let order = StartOrder {
        incarnation: Incarnation { session: rendered.spec.id.clone(), n: 1 },
        node,
        launch: covered,
        digest: launch.digest(),
        user: account.present().cloned().unwrap_or(unknown),
        exe: String::new(),
        stop: StopSpec::default(),
        on_removal: rendered.spec.on_removal,
        health: rendered.spec.health.clone(),
        generation: engine_core::ids::Generation(0),
    };
    let lang = std::env::var("LANG").ok();
    let env = environment(&order, &tokens, &Secrets::default(), lang.as_deref())?;
    let line = |(name, value): (String, String)| {
        let from = place(rendered, &format!("env {name}")).unwrap_or_else(|| {
            let of_program = launch.program.env.contains_key(&name);
            if launch.env.get(&name).is_some() || of_program {
                let table = place(rendered, "workbench-env");
                table.unwrap_or_else(|| format!("workbench {}", launch.workbench))
            } else if name.starts_with("WHARF_") {
                "the engine".to_owned()
            } else {
                "login".to_owned()
            }
        });
        Line { about: "env", text: format!("{name}={value}"), from }
    };
    let mut lines: Vec<Line> = env.into_iter().map(line).collect();
    let text = working_dir(launch, &tokens);
    lines.push(Line { about: "directory", text, from: "home".to_owned() });
    Ok(lines)
}

/// Limits and sizes of the cluster.
fn allowance_lines(rendered: &Rendered) -> Vec<Line> {
    let limits = rendered.limits.iter().map(|limit| Line {
        about: "limits",
        text: format!("{}={}", limit.option, limit.value),
        from: format!("{} [{}]", shown(&limit.origin), limit.level),
    });
    let mut lines: Vec<Line> = limits.collect();
    if lines.is_empty() {
        let (text, from) = ("none".to_owned(), "no profile applies".to_owned());
        lines.push(Line { about: "limits", text, from });
    }
    lines.extend(rendered.sizes.iter().map(|size| {
        let fields: Vec<String> =
            size.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = format!("{}: {}", size.id, fields.join(" "));
        Line { about: "sizes", text, from: shown(&size.origin) }
    }));
    lines
}

/// Mounts and ports, or why there are none.
fn container_lines(rendered: &Rendered) -> Vec<Line> {
    let none = |about, text: &str, from: String| Line { about, text: text.to_owned(), from };
    if !rendered.in_container {
        let from = format!("cluster {} runs no containers", rendered.spec.launch.cluster);
        return vec![none("mounts", "none", from.clone()), none("ports", "none", from)];
    }
    let mut lines: Vec<Line> = rendered
        .mounts
        .iter()
        .map(|mount| {
            let fields = mount.fields.iter().map(|(name, value)| format!(" {name}={value}"));
            let fields: String = fields.collect();
            let text = format!("{} {}{fields}", mount.path, mount.kind);
            Line { about: "mounts", text, from: shown(&mount.origin) }
        })
        .collect();
    if lines.is_empty() {
        lines.push(none("mounts", "none", "no record applies".to_owned()));
    }
    let ports = rendered.ports.iter().map(|port| Line {
        about: "ports",
        text: port.port.clone(),
        from: shown(&port.origin),
    });
    lines.extend(ports);
    if rendered.ports.is_empty() {
        lines.push(none("ports", "none", "no record applies".to_owned()));
    }
    lines
}

fn text_of(lines: &[Line]) -> String {
    const WIDEST: usize = 60;
    let lengths = lines.iter().map(|line| line.text.chars().count()).filter(|n| *n <= WIDEST);
    let width = lengths.max().unwrap_or(0);
    let mut out = String::new();
    let mut above = "";
    for line in lines {
        let about = if line.about == above { "" } else { line.about };
        above = line.about;
        out.push_str(&format!("{about:<10} {:<width$}  {}\n", line.text, line.from));
    }
    out
}

fn json_of(lines: &[Line]) -> String {
    let line = |line: &Line| json!({ "about": line.about, "text": line.text, "from": line.from });
    let lines: Vec<_> = lines.iter().map(line).collect();
    format!("{:#}\n", json!({ "format_version": "1.0", "lines": lines }))
}
