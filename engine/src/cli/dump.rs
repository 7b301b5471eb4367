//! `wharf dump`: the configuration that is in effect, each value with where it comes from.
//!
//! Which value counts is decided in [`engine_core::effective`]; here are the places that flags and the
//! environment decide, and the printing. A flag goes before the environment, that before a file.

use std::path::PathBuf;

use clap::Args;
use engine_core::effective::{Configuration, Effective, configuration};
use serde_json::json;

use super::{FAILED, Global, OK, Place, complain, print, print_json};
use crate::load::{SiteDirs, Workbench, load, open_to_read};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf dump\n  wharf dump /etc/rstudio --defaults\n  wharf dump --json | jq '.options[]'"
)]
pub(super) struct DumpArgs {
    /// The configuration directory
    dir: Option<PathBuf>,
    /// Also options that no file sets, with the product's defaults as far as they are established
    #[arg(long)]
    defaults: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A place of the engine, and what decided it.
struct Where {
    name: &'static str,
    value: String,
    by: String,
}

pub(super) fn run(global: &Global, args: &DumpArgs) -> u8 {
    let given = args.dir.as_deref().or(global.config.as_deref());
    if let Some(dir) = given.filter(|dir| !dir.is_dir()) {
        complain(&format!("{}: there is no such directory", dir.display()));
        return FAILED;
    }
    let dirs = global.site_dirs(given);
    let files = load(&dirs, &[], &open_to_read, super::now()).files;
    let ground = super::ground_for_check(&files);
    let found = configuration(&files, &ground, args.defaults);
    let places = places(global, args, &dirs, &found);
    if args.json {
        print_json(format!("{:#}\n", json_of(&places, &found)));
    } else {
        print(&text_of(&places, &found));
    }
    OK
}

/// Where things are, each with the flag, variable or line that says so.
fn places(global: &Global, args: &DumpArgs, dirs: &SiteDirs, found: &Configuration) -> Vec<Where> {
    let env = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let by_env = |name: &str| if env(name) { name.to_owned() } else { "default".to_owned() };
    let by_line = |option: &str| {
        let ours = |row: &&Effective| &*row.file == "wharf.toml" && row.option == option;
        let row = found.options.iter().find(ours);
        row.and_then(|row| Some(format!("{}:{}", row.file, row.line?)))
    };
    let config = match (&dirs.workbench, &args.dir, &global.config) {
        (_, Some(_), _) => "argument".to_owned(),
        (_, None, Some(_)) if flag_given("--config") => "--config".to_owned(),
        (_, None, Some(_)) => "WHARF_CONFIG_DIR".to_owned(),
        (Workbench::Explicit(_), None, None) => "RSTUDIO_CONFIG_DIR".to_owned(),
        (Workbench::Search(_), None, None) => by_env("XDG_CONFIG_DIRS"),
    };
    let own = match dirs.own {
        crate::load::Own::SelfContained => "the directory is self-contained".to_owned(),
        _ => by_env("WHARF_OWN_DIR"),
    };
    let instance = match (&found.engine.instance, &args.dir.as_ref().or(global.config.as_ref())) {
        (Some(name), _) => name.clone(),
        (None, Some(dir)) => super::place::instance_of_path(dir),
        (None, None) => super::place::MAIN.to_owned(),
    };
    let layout = Place::here().layout(&instance);
    let store = match &found.engine.store_path {
        Some(path) => (path.clone(), by_line("store.path")),
        None => (layout.store().display().to_string(), None),
    };
    let default = || "default".to_owned();
    let place = |name, value, by| Where { name, value, by };
    vec![
        place("configuration", dirs.workbench_dir().display().to_string(), config),
        place("own files", dirs.own_dir().display().to_string(), own),
        place("instance", instance, by_line("instance").unwrap_or_else(default)),
        place("state", layout.state.display().to_string(), by_env("WHARF_STATE_DIR")),
        place("runtime", layout.runtime.display().to_string(), by_env("WHARF_RUNTIME_DIR")),
        place("store", store.0, store.1.unwrap_or_else(default)),
    ]
}

/// Whether a flag stands on this command line.
fn flag_given(flag: &str) -> bool {
    let with_value = format!("{flag}=");
    let mut words = std::env::args_os().skip(1);
    words.any(|word| {
        let word = word.to_string_lossy();
        word == flag || word.starts_with(&with_value)
    })
}

fn text_of(places: &[Where], found: &Configuration) -> String {
    let mut rows: Vec<[String; 3]> = vec![["# places".to_owned(), String::new(), String::new()]];
    let own = places.iter().map(|p| [format!("  {}", p.name), p.value.clone(), p.by.clone()]);
    rows.extend(own);
    let mut file = None;
    for option in &found.options {
        if file != Some(&option.file) {
            rows.push([format!("# {}", option.file), String::new(), String::new()]);
            file = Some(&option.file);
        }
        rows.push([format!("  {}", name_of(option)), option.value.clone(), origin_of(option)]);
    }
    let mut text = columns(&rows);
    for file in &found.unknown {
        text.push_str(&format!("# {file}: not read, so nothing is known of it\n"));
    }
    if found.without_default > 0 {
        let n = found.without_default;
        text.push_str(&format!("# {n} more options have no established default\n"));
    }
    text
}

/// The option with what it applies to in front.
fn name_of(option: &Effective) -> String {
    if option.scope.is_empty() {
        return option.option.clone();
    }
    format!("[{}] {}", option.scope, option.option)
}

fn origin_of(option: &Effective) -> String {
    match option.line {
        Some(line) => format!("{}:{line}", option.file),
        None => "default".to_owned(),
    }
}

/// Three columns; the widths of the first two fit all but the longest.
fn columns(rows: &[[String; 3]]) -> String {
    const WIDEST: usize = 44;
    let width = |at: usize| {
        let lengths = rows.iter().map(|row| row[at].chars().count()).filter(|n| *n <= WIDEST);
        lengths.max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let line = |[a, b, c]: &[String; 3]| format!("{a:<first$}  {b:<second$}  {c}");
    rows.iter().map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

fn json_of(places: &[Where], found: &Configuration) -> serde_json::Value {
    let place =
        |place: &Where| (place.name.to_owned(), json!({ "value": place.value, "by": place.by }));
    let option = |option: &Effective| {
        json!({
            "file": option.file,
            "scope": option.scope,
            "option": option.option,
            "value": option.value,
            "line": option.line,
            "effect": option.takes.to_string(),
        })
    };
    json!({
        "format_version": "1.0",
        "places": places.iter().map(place).collect::<serde_json::Map<_, _>>(),
        "options": found.options.iter().map(option).collect::<Vec<_>>(),
        "unknown": found.unknown,
        "without_default": found.without_default,
    })
}
