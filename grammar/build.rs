//! Compiles `catalogue/*.toml` into sorted static tables, so that nothing is parsed at start.
//!
//! An incomplete or contradictory row fails the build with the file and the option's name. What the
//! columns mean stands in `src/catalogue.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    file: String,
    #[serde(default)]
    option: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    section: String,
    r#type: String,
    separator: Option<String>,
    unit: Option<String>,
    form: Option<String>,
    default: Option<String>,
    #[serde(default)]
    values: Vec<String>,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    repeatable: bool,
    #[serde(default)]
    required: bool,
    effect: String,
    state: String,
    test: Option<String>,
    issue: Option<String>,
    why: Option<String>,
    #[serde(default)]
    narrows_access: bool,
    incumbent: String,
    since: Option<String>,
    deprecated: Option<String>,
    #[serde(default)]
    command_line: bool,
    summary: String,
    note: Option<String>,
    source: String,
}

fn main() {
    println!("cargo::rerun-if-changed=catalogue");
    println!("cargo::rerun-if-changed=build.rs");
    let tables = match read_tables(Path::new("catalogue")) {
        Ok(tables) => tables,
        Err(problem) => {
            println!("cargo::error=catalogue: {problem}");
            return;
        }
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    fs::write(out.join("catalogue.rs"), tables).expect("cargo's OUT_DIR can be written");
}

/// The generated source: all rows, sorted by file, section and name.
fn read_tables(folder: &Path) -> Result<String, String> {
    let mut rows: Vec<(String, Row)> = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|error| format!("{shown}: {error}"))?;
        let table: Table = toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
        if path.file_stem().is_none_or(|stem| *stem != *table.file) {
            return Err(format!("{shown}: says `file = {:?}`", table.file));
        }
        for row in table.option {
            check_row(&row).map_err(|error| format!("{shown}: option `{}`: {error}", row.name))?;
            rows.push((table.file.clone(), row));
        }
    }
    rows.sort_by(|(a, x), (b, y)| (a, &x.section, &x.name).cmp(&(b, &y.section, &y.name)));
    let mut seen = BTreeSet::new();
    for (file, row) in &rows {
        if !seen.insert((file, &row.section, &row.name)) {
            return Err(format!("{file}: option `{}` stands twice", row.name));
        }
    }
    let mut out = String::from("pub(super) static ROWS: &[OptionRow] = &[\n");
    for (file, row) in &rows {
        write_row(&mut out, file, row).map_err(|error| format!("{file}: {error}"))?;
    }
    out.push_str("];\n\n");
    write_sections(&mut out, &rows).map_err(|error| error.to_string())?;
    Ok(out)
}

/// Where the rows of each section of each file stand among all.
fn write_sections(out: &mut String, rows: &[(String, Row)]) -> std::fmt::Result {
    out.push_str("static SECTIONS: &[SectionRows] = &[\n");
    let mut begin = 0;
    for same in rows.chunk_by(|(a, x), (b, y)| (a, &x.section) == (b, &y.section)) {
        let ((file, Row { section, .. }), end) = (&same[0], begin + same.len());
        writeln!(
            out,
            "SectionRows {{ file: {file:?}, section: {section:?}, begin: {begin}, end: {end} }},"
        )?;
        begin = end;
    }
    out.push_str("];\n");
    Ok(())
}

/// The rules that no type can hold.
fn check_row(row: &Row) -> Result<(), String> {
    let given = (row.test.is_some(), row.issue.is_some(), row.why.is_some());
    match (row.state.as_str(), given) {
        ("acts", (true, false, false))
        | ("arrives", (false, true, false))
        | ("accepted" | "unsupported", (false, false, true)) => {}
        ("acts", _) => return Err("`acts` needs `test`, and nothing else".into()),
        ("arrives", _) => return Err("`arrives` needs `issue`, and nothing else".into()),
        (state @ ("accepted" | "unsupported"), _) => {
            return Err(format!("`{state}` needs `why`, and nothing else"));
        }
        (state, _) => return Err(format!("unknown state `{state}`")),
    }
    if row.summary.is_empty() || row.source.is_empty() {
        return Err("needs `summary` and `source`".into());
    }
    if row.r#type == "word" && row.values.is_empty() {
        return Err("a word needs `values`".into());
    }
    let columns = [
        (row.separator.is_some(), "separator", ["list", "list"]),
        (row.unit.is_some(), "unit", ["duration", "size"]),
        (row.form.is_some(), "form", ["address", "address"]),
    ];
    for (given, column, types) in columns {
        if given && !types.contains(&&*row.r#type) {
            return Err(format!("`{}` has no `{column}`", row.r#type));
        }
    }
    Ok(())
}

fn write_row(out: &mut String, file: &str, row: &Row) -> Result<(), String> {
    let kind = kind(row).map_err(|error| format!("option `{}`: {error}", row.name))?;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let state = match row.state.as_str() {
        "acts" => format!("Acts {{ test: {:?} }}", text(&row.test)),
        "arrives" => format!("Arrives {{ issue: {:?} }}", text(&row.issue)),
        "accepted" => format!("Accepted {{ why: {:?} }}", text(&row.why)),
        _ => format!("Unsupported {{ why: {:?} }}", text(&row.why)),
    };
    let effect = match row.effect.as_str() {
        "live" => "Live",
        "next-start" => "NextStart",
        "session-restart" => "SessionRestart",
        "daemon-restart" => "DaemonRestart",
        other => return Err(format!("option `{}`: unknown effect `{other}`", row.name)),
    };
    let incumbent = match row.incumbent.as_str() {
        "restart" => "Restart",
        "reload" => "Reload",
        "launcher-reload" => "LauncherReload",
        "new-session" => "NewSession",
        "immediate" => "Immediate",
        "unknown" => "Unknown",
        other => return Err(format!("option `{}`: unknown incumbent `{other}`", row.name)),
    };
    let Row { name, section, default, values, min, max, repeatable, required, .. } = row;
    let Row { narrows_access, since, deprecated, command_line, summary, note, source, .. } = row;
    writeln!(
        out,
        "OptionRow {{ file: {file:?}, section: {section:?}, name: {name:?}, kind: ValueKind::{kind}, \
         default: {default:?}, values: &{values:?}, min: {min:?}, max: {max:?}, \
         repeatable: {repeatable}, required: {required}, effect: Effect::{effect}, \
         state: State::{state}, narrows_access: {narrows_access}, incumbent: Incumbent::{incumbent}, \
         since: {since:?}, deprecated: {deprecated:?}, command_line: {command_line}, \
         summary: {summary:?}, note: {note:?}, source: {source:?} }},"
    )
    .map_err(|error| error.to_string())
}

/// The type of a row's value, as source of [`ValueKind`].
fn kind(row: &Row) -> Result<String, String> {
    Ok(match row.r#type.as_str() {
        "bool" => "Bool".to_owned(),
        "int" => "Int".to_owned(),
        "decimal" => "Decimal".to_owned(),
        "port" => "Port".to_owned(),
        "port-range" => "PortRange".to_owned(),
        "text" => "Text".to_owned(),
        "account" => "Account".to_owned(),
        "group" => "Group".to_owned(),
        "pattern" => "Pattern".to_owned(),
        "moment" => "Moment".to_owned(),
        "path" => "Path".to_owned(),
        "word" => "Word".to_owned(),
        "url" => "Url".to_owned(),
        "list" => format!("List(Separator::{})", separator(row.separator.as_deref())?),
        "address" => format!("Address(AddressForm::{})", address_form(row.form.as_deref())?),
        "duration" => format!("Duration(TimeUnit::{})", time_unit(row.unit.as_deref())?),
        "size" => format!("Size(SizeUnit::{})", size_unit(row.unit.as_deref())?),
        other => return Err(format!("unknown type `{other}`")),
    })
}

fn address_form(word: Option<&str>) -> Result<&'static str, String> {
    match word {
        Some("host") => Ok("Host"),
        Some("host-port") => Ok("HostPort"),
        Some("host-or-socket") => Ok("HostOrSocket"),
        Some("network") => Ok("Network"),
        None => Ok("Any"),
        Some(other) => Err(format!("unknown form `{other}`")),
    }
}

fn time_unit(word: Option<&str>) -> Result<&'static str, String> {
    match word {
        Some("milliseconds") => Ok("Milliseconds"),
        Some("seconds") => Ok("Seconds"),
        Some("minutes") => Ok("Minutes"),
        Some("hours") => Ok("Hours"),
        Some("days") => Ok("Days"),
        other => Err(format!("a duration has no unit {other:?}")),
    }
}

fn size_unit(word: Option<&str>) -> Result<&'static str, String> {
    match word {
        Some("bytes") => Ok("Bytes"),
        Some("megabytes") => Ok("Megabytes"),
        other => Err(format!("a size has no unit {other:?}")),
    }
}

fn separator(word: Option<&str>) -> Result<&'static str, String> {
    match word {
        None | Some("comma") => Ok("Comma"),
        Some("blank") => Ok("Blank"),
        Some("colon") => Ok("Colon"),
        Some("line") => Ok("Line"),
        Some("none") => Ok("None"),
        Some(other) => Err(format!("unknown separator `{other}`")),
    }
}
