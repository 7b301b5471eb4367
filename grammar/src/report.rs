//! Problems as people and programs read them.
//!
//! The only file that names miette: a problem is shown as one of its diagnostics, by a handler of our
//! own in the shape that rustc made familiar. How one line of a source is made fit to be shown is in
//! [`mod@snippet`]. Knows no file system: the sources are handed in, and a problem in a file that is not
//! among them is shown without its line.

mod machine;
mod snippet;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use miette::{Diagnostic, LabeledSpan, MietteError, MietteSpanContents, ReportHandler, SourceCode};
use miette::{SourceSpan, SpanContents};

use crate::error::{Label, Problem, Severity};
use crate::source::Source;
use crate::span::{LineColumn, Span};
pub use machine::json_for_terminal;
use snippet::snippet;
pub use snippet::{escaped, for_terminal, said};

/// For whom problems are rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: several lines with the source.
    Human,
    /// For editors: `file:line:column: level[code]: text`.
    Short,
    /// For programs: one object with a `format_version`.
    Json,
    /// For annotations of a build on GitHub.
    Github,
}

/// How the form for people looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours; never the only carrier of a meaning.
    pub color: bool,
    /// Columns to keep to; none = wrap nothing, and show long source lines in 120.
    pub width: Option<usize>,
}

/// What an object of problems says besides them, by key.
pub type Beside = serde_json::Map<String, serde_json::Value>;

/// Columns for a source line where no width is known.
const DEFAULT_WIDTH: usize = 120;

/// Renders problems in the order given; every form ends with a line end unless it is empty.
#[must_use]
pub fn render<'s>(
    problems: &[Problem],
    sources: impl IntoIterator<Item = &'s Source>,
    format: Format,
    style: Style,
) -> String {
    let sources: Sources<'s> = sources.into_iter().map(|source| (&*source.file, source)).collect();
    let mut out = String::new();
    match format {
        Format::Human => {
            for problem in problems {
                let shown = Shown::new(problem, &sources);
                let _ = write!(out, "{}", Handled { shown: &shown, handler: Handler { style } });
            }
        }
        Format::Short => {
            for problem in problems {
                machine::render_short(&mut out, problem, &sources);
            }
        }
        Format::Json => out = machine::render_json(problems, &sources, &Beside::new()),
        Format::Github => {
            for problem in problems {
                machine::render_github(&mut out, problem, &sources);
            }
        }
    }
    out
}

/// Renders problems as one JSON object with further keys.
#[must_use]
pub fn render_json<'s>(
    problems: &[Problem],
    sources: impl IntoIterator<Item = &'s Source>,
    beside: &Beside,
) -> String {
    let sources: Sources<'s> = sources.into_iter().map(|source| (&*source.file, source)).collect();
    machine::render_json(problems, &sources, beside)
}

type Sources<'s> = BTreeMap<&'s str, &'s Source>;

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Where a label begins and ends, if its source is known.
fn place(label: &Label, sources: &Sources<'_>) -> Option<(LineColumn, LineColumn)> {
    let (source, span) = (sources.get(&*label.file)?, label.span?);
    let at = |byte| source.lines.place(&source.text, byte);
    Some((at(span.start), at(span.end)))
}

/// A problem as a diagnostic: the first label is its own, the others and the notes are related.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    place: Option<Place<'a>>,
    related: Vec<Related<'a>>,
}

/// A further label, or a note.
#[derive(Debug)]
struct Related<'a> {
    text: &'a str,
    place: Option<Place<'a>>,
}

/// A label's file as miette reads sources: one line of it, or nothing but its name.
#[derive(Debug)]
struct Place<'a> {
    label: &'a Label,
    source: Option<&'a Source>,
}

impl<'a> Shown<'a> {
    fn new(problem: &'a Problem, sources: &Sources<'a>) -> Self {
        let mut places = problem.labels.iter().map(|label| Place {
            label,
            source: sources.get(&*label.file).copied().filter(|_| label.span.is_some()),
        });
        let first = places.next();
        let labels = places.map(|place| Related { text: &place.label.text, place: Some(place) });
        let notes = problem.notes.iter().map(|text| Related { text, place: None });
        Self { problem, place: first, related: labels.chain(notes).collect() }
    }
}

impl Place<'_> {
    fn labeled_span(&self) -> LabeledSpan {
        let span = self.label.span.unwrap_or_default();
        LabeledSpan::new(Some(self.label.text.clone()), span.start as usize, span.len())
    }
}

impl SourceCode for Place<'_> {
    /// The whole line that holds the span's begin; a file without a known text has no lines.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let file = self.label.file.to_string();
        let Some(source) = self.source else {
            let nothing = MietteSpanContents::new_named(file, b"", (0, 0).into(), 0, 0, 0);
            return Ok(Box::new(nothing));
        };
        let at = Span::new(span.offset(), span.offset()).start;
        let line = source.lines.line(at);
        let place = source.lines.line_span(&source.text, line);
        let data = source.slice(place).as_bytes();
        let shown = (place.start as usize, place.len()).into();
        let column = source.lines.place(&source.text, at).column as usize - 1;
        Ok(Box::new(MietteSpanContents::new_named(file, data, shown, line as usize - 1, column, 1)))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl fmt::Display for Related<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for Shown<'_> {}
impl std::error::Error for Related<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| place as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.place.as_ref()?.labeled_span();
        Some(Box::new(std::iter::once(label)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.related.iter().map(|related| related as &dyn Diagnostic)))
    }
}

impl Diagnostic for Related<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| place as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.place.as_ref()?.labeled_span();
        Some(Box::new(std::iter::once(label)))
    }
}

struct Handled<'a> {
    shown: &'a Shown<'a>,
    handler: Handler,
}

impl fmt::Display for Handled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handler.debug(self.shown, f)
    }
}

/// The shape that people know from rustc.
struct Handler {
    style: Style,
}

impl ReportHandler for Handler {
    fn debug(&self, diagnostic: &dyn Diagnostic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, color) = match diagnostic.severity() {
            Some(miette::Severity::Warning) => ("warning", "33;1"),
            Some(miette::Severity::Advice) => ("note", "36;1"),
            _ => ("error", "31;1"),
        };
        let code = diagnostic.code().map(|code| format!("[{code}]")).unwrap_or_default();
        let message = diagnostic.to_string();
        let head = self.paint(color, &format!("{word}{code}"));
        writeln!(f, "{head}{}", self.paint("1", &format!(": {}", escaped(&message))))?;
        let mut gutter = 2;
        if let (Some(source), Some(mut labels)) = (diagnostic.source_code(), diagnostic.labels())
            && let Some(label) = labels.next()
            && let Ok(contents) = source.read_span(label.inner(), 0, 0)
        {
            gutter = gutter.max((contents.line() + 1).to_string().len());
            self.first_label(f, &*contents, &label, gutter, color)?;
        }
        let mut notes = Vec::new();
        for related in diagnostic.related().into_iter().flatten() {
            match related.source_code() {
                Some(source) => self.further_label(f, related, source, gutter)?,
                None => notes.push(related.to_string()),
            }
        }
        for note in notes {
            self.footer(f, gutter, "note", &note)?;
        }
        if let Some(help) = diagnostic.help() {
            self.footer(f, gutter, "help", &help.to_string())?;
        }
        Ok(())
    }
}

impl Handler {
    fn paint(&self, color: &str, text: &str) -> String {
        if self.style.color { format!("\u{1b}[{color}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn first_label(
        &self,
        f: &mut fmt::Formatter<'_>,
        contents: &dyn SpanContents<'_>,
        label: &LabeledSpan,
        gutter: usize,
        color: &str,
    ) -> fmt::Result {
        let arrow = self.paint("34;1", &format!("{:gutter$}-->", ""));
        let text = escaped(label.label().unwrap_or_default()).into_owned();
        let place = shown_place(contents);
        if contents.line_count() == 0 {
            let text = if text.is_empty() { text } else { format!("   ({text})") };
            return writeln!(f, "{arrow} {place}{text}");
        }
        let line = std::str::from_utf8(contents.data()).unwrap_or_default();
        let start = label.offset().saturating_sub(contents.span().offset());
        let room = self.style.width.unwrap_or(DEFAULT_WIDTH).saturating_sub(gutter + 3).max(20);
        let shown = snippet(line, start..start + label.len(), room);
        let number = self.paint("34;1", &format!("{:>gutter$} |", contents.line() + 1));
        let bar = self.paint("34;1", &format!("{:gutter$} |", ""));
        let marks =
            format!("{:lead$}{:^<len$}", "", "", lead = shown.marks.start, len = shown.marks.len());
        let (lead, marks) = marks.split_at(shown.marks.start);
        let marks = self.paint(color, format!("{marks} {text}").trim_end());
        writeln!(f, "{arrow} {place}")?;
        writeln!(f, "{bar}")?;
        writeln!(f, "{}", format!("{number} {}", shown.text).trim_end())?;
        writeln!(f, "{bar} {lead}{marks}")
    }

    fn further_label(
        &self,
        f: &mut fmt::Formatter<'_>,
        related: &dyn Diagnostic,
        source: &dyn SourceCode,
        gutter: usize,
    ) -> fmt::Result {
        let label = related.labels().and_then(|mut labels| labels.next());
        let Some(label) = label else { return Ok(()) };
        let Ok(contents) = source.read_span(label.inner(), 0, 0) else { return Ok(()) };
        let arrow = self.paint("34;1", &format!("{:gutter$}:::", ""));
        let text = related.to_string();
        let line = format!("{arrow} {}   {}", shown_place(&*contents), escaped(&text));
        writeln!(f, "{}", line.trim_end())
    }

    /// A note or help, wrapped at the width with its own indentation.
    fn footer(
        &self,
        f: &mut fmt::Formatter<'_>,
        gutter: usize,
        word: &str,
        text: &str,
    ) -> fmt::Result {
        let indent = gutter + " = help: ".len();
        let room =
            self.style.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
        let sign = self.paint("34;1", &format!("{:gutter$} =", ""));
        let mut head = format!("{sign} {}: ", self.paint("1", word));
        for paragraph in text.split('\n') {
            let mut line = String::new();
            for word in paragraph.split(' ') {
                let word = escaped(word);
                let long = line.chars().count() + 1 + word.chars().count() > room;
                if long && !line.is_empty() {
                    writeln!(f, "{head}{line}")?;
                    head = " ".repeat(indent);
                    line.clear();
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(&word);
            }
            writeln!(f, "{head}{line}")?;
            head = " ".repeat(indent);
        }
        Ok(())
    }
}

/// `file:line:column`, or the file alone.
fn shown_place(contents: &dyn SpanContents<'_>) -> String {
    let file = escaped(contents.name().unwrap_or_default()).into_owned();
    if contents.line_count() == 0 {
        return file;
    }
    format!("{file}:{}:{}", contents.line() + 1, contents.column() + 1)
}

#[cfg(test)]
mod tests;
