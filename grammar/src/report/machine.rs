//! Problems for programs: a line for editors, JSON, annotations of a build.

use std::fmt::Write as _;

use serde::Serialize;

use super::snippet::{escaped, is_obeyed};
use super::{Beside, Sources, level, place};
use crate::error::{Problem, Severity};

/// Minor changes add, major ones break.
const FORMAT_VERSION: &str = "1.1";

/// `file:line:column: level[code]: message: label`.
pub(super) fn render_short(out: &mut String, problem: &Problem, sources: &Sources<'_>) {
    let label = problem.labels.first();
    if let Some(label) = label {
        let _ = write!(out, "{}:", escaped(&label.file));
        if let Some((start, _)) = place(label, sources) {
            let _ = write!(out, "{start}:");
        }
        out.push(' ');
    }
    let message = escaped(&problem.message);
    let _ = write!(out, "{}[{}]: {message}", level(problem.severity), problem.code);
    match label {
        Some(label) if !label.text.is_empty() => {
            let _ = writeln!(out, ": {}", escaped(&label.text));
        }
        _ => out.push('\n'),
    }
}

#[derive(Serialize)]
struct JsonReport<'a> {
    format_version: &'static str,
    problems: Vec<JsonProblem<'a>>,
    #[serde(flatten)]
    beside: &'a Beside,
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    code: String,
    severity: &'static str,
    message: &'a str,
    labels: Vec<JsonLabel<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
}

/// Lines and columns from 1, columns in characters; the end is one past the last.
#[derive(Serialize)]
struct JsonLabel<'a> {
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
    text: &'a str,
}

/// One object, indented, with a line end.
pub(super) fn render_json(problems: &[Problem], sources: &Sources<'_>, beside: &Beside) -> String {
    let json_label = |label| {
        let (start, end) = place(label, sources).unzip();
        JsonLabel {
            file: &label.file,
            line: start.map(|start| start.line),
            column: start.map(|start| start.column),
            end_line: end.map(|end| end.line),
            end_column: end.map(|end| end.column),
            text: &label.text,
        }
    };
    let problems = problems.iter().map(|problem| JsonProblem {
        code: problem.code.to_string(),
        severity: level(problem.severity),
        message: &problem.message,
        labels: problem.labels.iter().map(json_label).collect(),
        notes: &problem.notes,
        help: problem.help.as_deref(),
    });
    let problems = problems.collect();
    let report = JsonReport { format_version: FORMAT_VERSION, problems, beside };
    let text = serde_json::to_string_pretty(&report).expect("strings and numbers serialise");
    json_for_terminal(text) + "\n"
}

/// JSON may hold what a terminal obeys (DEL, C1, turned writing) unescaped, and somebody looks at it with `cat`.
/// Outside of strings it has none of it but line ends, so that the same text is read back.
#[must_use]
pub fn json_for_terminal(json: String) -> String {
    let obeyed = |c: char| c != '\n' && is_obeyed(c);
    if !json.contains(obeyed) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if obeyed(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A workflow command: `%`, line ends and, in properties, `:` and `,` are escaped by percent codes.
pub(super) fn render_github(out: &mut String, problem: &Problem, sources: &Sources<'_>) {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let word = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(label) = problem.labels.first() {
        properties.push(format!("file={}", property(&escaped(&label.file))));
        if let Some((start, end)) = place(label, sources) {
            properties.push(format!("line={},col={}", start.line, start.column));
            if end.line == start.line {
                properties.push(format!("endColumn={}", end.column));
            }
        }
    }
    properties.push(format!("title={}", problem.code));
    let label = problem.labels.first().map_or("", |label| &label.text);
    let help = problem.help.as_deref().unwrap_or("");
    let texts = [&*problem.message, label, help].map(|text| data(&escaped(text)));
    let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    let _ = writeln!(out, "::{word} {}::{}", properties.join(","), texts.join("%0A"));
}
