//! Our own files as people write them, right and wrong.

mod mistakes;
mod properties;
mod samples;
mod values;

use crate::error::{Problem, Severity};
use crate::own::{OwnKind, problems_of};
use crate::source::Source;

fn problems(kind: OwnKind, text: &str) -> Vec<Problem> {
    problems_of(kind, &Source::new("f", text))
}

/// The problems of a text, one a line: place, marked text, message, label, help.
fn said(kind: OwnKind, text: &str) -> Vec<String> {
    let source = Source::new("f", text);
    problems_of(kind, &source).iter().map(|problem| show(&source, problem)).collect()
}

fn show(source: &Source, problem: &Problem) -> String {
    let level = match problem.severity {
        Severity::Error => "",
        Severity::Warning => "warning ",
        Severity::Note => "note ",
    };
    let mut out = String::new();
    for label in &problem.labels {
        let Some(span) = label.span else { continue };
        let place = source.lines.place(&source.text, span.start);
        out.push_str(&format!("{place} `{}` ", &source.text[span.range()]));
    }
    out.push_str(&format!("{level}{}: {}", problem.code, problem.message));
    for label in problem.labels.iter().filter(|label| !label.text.is_empty()) {
        out.push_str(&format!(" | {}", label.text));
    }
    if let Some(help) = &problem.help {
        out.push_str(&format!(" | {help}"));
    }
    out
}
