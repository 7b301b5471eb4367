//! Cases of the command line: files, commands, and what each command prints and how it ends.
//!
//! One file a case, in `cases/cli`:
//!
//! ```text
//! # What the case shows.
//! --- site/rserver.conf
//! www-port=8787
//! $ wharf check site
//! no problems in 1 file (1 option)
//! ```
//!
//! Behind a command stands what it prints: lines of stdout as they are, lines of stderr after `2> `, and
//! `exit N` where it does not end with 0. `--- PATH` writes a file below a directory of its own, in which
//! the commands run with the real `wharf` in front of PATH. A command behind `%` instead of `$` runs as an
//! account that is not root. `UPDATE_GOLDEN=1` rewrites what commands print. Read next: [`crate::cases`].

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::real;

/// Who commands behind `%` run as where the tests run as root: `nobody` of every system.
const NOBODY: u32 = 65534;

/// One piece of a case.
enum Piece<'a> {
    /// A line for the reader, as it stands.
    Words(&'a str),
    /// A file with its text.
    File(&'a str, String),
    /// A command; true: as an account that is not root.
    Run(&'a str, bool),
}

/// The program in a directory that any account can reach: the checkout may lie where only root can go.
///
/// Made once, before anything else runs: a program that is still being written while another thread starts
/// a process cannot be run ("text file busy").
pub struct Reachable(tempfile::TempDir);

impl Reachable {
    /// Copies the built `wharf` where the tests run as root; as anybody else the checkout's own will do.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let wharf = real::wharf();
        if rustix::process::geteuid().is_root() {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
            std::fs::copy(wharf, dir.path().join("wharf"))?;
        }
        Ok(Self(dir))
    }
}

/// Runs a case, and gives its text as it ought to be.
///
/// # Errors
/// The case itself is wrong, or a file cannot be written.
pub fn run(text: &str, program: &Reachable) -> Result<String, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).map_err(|error| error.to_string())?;
    let site = dir.path().join("d");
    std::fs::create_dir(&site).map_err(|error| error.to_string())?;
    let mut out = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Words(line) => {
                let _ = writeln!(out, "{line}");
            }
            Piece::File(path, text) => {
                let _ = write!(out, "--- {path}\n{text}");
                write(&site.join(path), &text)?;
            }
            Piece::Run(command, ordinary) => {
                let sign = if ordinary { '%' } else { '$' };
                let _ = writeln!(out, "{sign} {command}");
                out.push_str(&printed(program, &site, command, ordinary)?);
            }
        }
    }
    Ok(out)
}

/// The pieces of a case, without what commands printed.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("--- ") {
            pieces.push(Piece::File(path, String::new()));
        } else if let Some(command) = line.strip_prefix("$ ") {
            pieces.push(Piece::Run(command, false));
        } else if let Some(command) = line.strip_prefix("% ") {
            pieces.push(Piece::Run(command, true));
        } else {
            match pieces.last_mut() {
                Some(Piece::File(_, text)) => {
                    text.push_str(line);
                    text.push('\n');
                }
                Some(Piece::Run(..)) => {}
                Some(Piece::Words(_)) | None if line.starts_with('#') => {
                    pieces.push(Piece::Words(line));
                }
                Some(Piece::Words(_)) | None => {
                    return Err(format!("before the first file a line begins with `#`: {line}"));
                }
            }
        }
    }
    Ok(pieces)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

/// What a command prints, and how it ends.
fn printed(
    program: &Reachable,
    site: &Path,
    command: &str,
    ordinary: bool,
) -> Result<String, String> {
    let mut shell = Command::new("/bin/sh");
    let mut bin = real::wharf().parent().unwrap_or(Path::new("/")).to_owned();
    if ordinary && rustix::process::geteuid().is_root() {
        program.0.path().clone_into(&mut bin);
        shell.uid(NOBODY).gid(NOBODY);
    }
    shell.arg("-c").arg(command).current_dir(site).stdin(Stdio::null()).env_clear();
    shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    shell.env("HOME", site).env("LANG", "C.UTF-8").env("TZ", "UTC");
    // Nothing of the machine's own: neither its files nor an engine that runs on it.
    shell.env("WHARF_OWN_DIR", "etc-wharf");
    shell.env("WHARF_STATE_DIR", "state").env("WHARF_RUNTIME_DIR", "run");
    let output = shell.output().map_err(|error| format!("{command}: {error}"))?;
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&site.display().to_string(), "$DIR");
    let mut out = text(&output.stdout);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(" (no line end)\n");
    }
    for line in text(&output.stderr).lines() {
        let _ = writeln!(out, "2> {line}");
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => {
            let _ = writeln!(out, "exit {code}");
        }
        None => out.push_str("killed\n"),
    }
    let piece = |line: &str| ["$ ", "% ", "--- "].iter().any(|sign| line.starts_with(sign));
    match out.lines().find(|line| piece(line)) {
        Some(line) => Err(format!("{command} prints what would be read as a piece: {line}")),
        None => Ok(out),
    }
}
