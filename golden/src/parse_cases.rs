//! Cases of single files: a text, the problems a person sees, and what the file says.
//!
//! One file a case, in `cases/parse`: a line that names the kind of file, the text, a line `-----`, then
//! the problems as they are shown and the document. Behind the kind may stand `escaped`: then `\r`,
//! `\t`, `\0`, `\e`, `\\`, `\u{..}` in the text stand for what cannot be seen, and a line that ends in
//! `\` has no line end. `UPDATE_GOLDEN=1` writes what is found behind the line; read it before it is
//! committed. It is refused where `CI` is set.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use grammar::document::{Document, Section};
use grammar::read::{Read, read_file};
use grammar::report::{Format, Style, render};
use grammar::source::{FileKind, Source};
use similar::TextDiff;

const RULE: &str = "-----\n";
const WIDTH: usize = 100;

/// The cases of this workspace, in the order of their names.
///
/// # Errors
/// A sentence, if there are none or the folder cannot be read.
pub fn cases() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/parse");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut cases: Vec<_> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    cases.sort();
    if cases.is_empty() {
        return Err(format!("{}: no cases", folder.display()));
    }
    Ok(cases)
}

/// Runs one case, or writes it anew.
///
/// # Errors
/// What differs, or what is wrong with the case itself: an orphan is a file that is no case.
pub fn run(case: &Path) -> Result<(), String> {
    if case.extension().is_none_or(|extension| extension != "txt") {
        return Err("not a case: cases end in .txt".into());
    }
    let text = fs::read_to_string(case).map_err(|error| error.to_string())?;
    let (input, expected) = text
        .split_once(&format!("\n{RULE}"))
        .unwrap_or((text.strip_suffix('\n').unwrap_or(&text), ""));
    let (header, body) = input.split_once('\n').unwrap_or((input, ""));
    let mut words = header.split(' ');
    let kind =
        words.next().and_then(FileKind::of_file_name).ok_or("the first line names no kind")?;
    let body = if body.is_empty() { String::new() } else { format!("{body}\n") };
    let body = match words.next() {
        None => body,
        Some("escaped") => unescaped(&body)?,
        Some(word) => return Err(format!("unknown word `{word}` in the first line")),
    };
    let found = shown(kind, &body);
    if found == expected {
        return Ok(());
    }
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        if env::var_os("CI").is_some() {
            return Err("UPDATE_GOLDEN is refused where CI is set".into());
        }
        let text = format!("{}\n{RULE}{found}", input.trim_end_matches('\n'));
        return fs::write(case, text).map_err(|error| error.to_string());
    }
    if expected.is_empty() {
        return Err("the case has nothing behind its rule".into());
    }
    let diff = TextDiff::from_lines(expected, &*found);
    Err(format!("expected (-) and found (+) differ\n{}", diff.unified_diff()))
}

/// The problems as people see them, and the document.
fn shown(kind: FileKind, text: &str) -> String {
    let source = Source::new(kind.file_name(), text);
    let Read { document, problems } = read_file(kind, &source);
    let style = Style { color: false, width: Some(WIDTH) };
    let mut out = render(&problems, [&source], Format::Human, style);
    if problems.is_empty() {
        out.push_str("no problems\n");
    }
    out.push('\n');
    out.push_str(&render_document(&document));
    out
}

/// A document, a line for each section, entry and part.
fn render_document(document: &Document) -> String {
    let mut out = String::new();
    let form = if document.bare { " (bare)" } else { "" };
    let _ = writeln!(out, "{}{form}", document.kind.file_name());
    for section in &document.sections {
        render_section(&mut out, section);
    }
    out
}

fn render_section(out: &mut String, section: &Section) {
    let Section { name, line, last_line, .. } = section;
    let name = name.as_deref().map(|name| format!(" [{name}]")).unwrap_or_default();
    let _ = writeln!(out, "section{name} {line}-{last_line}");
    for entry in &section.entries {
        let typed = match &entry.typed {
            Some(typed) => format!("{typed:?}"),
            None => "-".to_owned(),
        };
        let _ = writeln!(
            out,
            "  {:>2} {} = {:?}  {typed}",
            entry.line,
            entry.name.escape_debug(),
            entry.value
        );
        for part in entry.parts.iter().filter(|_| entry.parts.len() > 1) {
            let _ = writeln!(out, "       {:>2} {:?}", part.line, part.text);
        }
    }
}

/// The text that an escaped one stands for.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('0') => out.push('\0'),
            Some('e') => out.push('\u{1b}'),
            Some('\\') => out.push('\\'),
            Some('\n') => {}
            Some('u') => {
                let code: String = chars.by_ref().skip(1).take_while(|&c| c != '}').collect();
                let number = u32::from_str_radix(&code, 16).map_err(|error| error.to_string())?;
                out.push(char::from_u32(number).ok_or("no such character")?);
            }
            other => return Err(format!("unknown escape {other:?}")),
        }
    }
    Ok(out)
}
