//! From an entry as written to an entry in the document: its row in the catalogue, its typed value,
//! and the mistakes about names and values that can be made in every file.
//!
//! Does not know how a file is written: the readers do, and each says with [`Rules`] in which way its
//! file differs. Read next: [`crate::options`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::catalogue::{self, OptionRow};
use crate::codes;
use crate::document::{Entry, Part};
use crate::error::{Code, Problem, Problems, Severity, quoted};
use crate::kind::{FileKind, Names, Reader};
use crate::source::Source;
use crate::span::Span;
use crate::suggest::Meant;
use crate::value::{Value, ValueError, ValueKind};

/// How a file treats names and values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The file, as the catalogue calls it.
    pub(crate) file: &'static str,
    /// What a name is called in messages.
    pub(crate) noun: &'static str,
    /// Whether names are matched in any letter case.
    pub(crate) any_case: bool,
    /// Whether the product refuses a name it does not know.
    pub(crate) refuses_unknown: bool,
    /// Whether the first of two wins silently; otherwise two are an error.
    pub(crate) first_wins: bool,
    /// Whether an empty value turns a switch on.
    pub(crate) empty_is_on: bool,
    /// Words for switches that are known to work; empty for all eight.
    pub(crate) switches: &'static [&'static str],
    /// What silently stands in for a word that is none of the option's, by option.
    pub(crate) words_fall_back: &'static [(&'static str, &'static str)],
}

/// What an unknown word of `logging.conf` means (files.md 15).
const LOGGING_WORDS: [(&str, &str); 3] =
    [("log-level", "warn"), ("logger-type", "syslog"), ("log-message-format", "pretty")];

impl Rules {
    /// The rules of a kind of file.
    pub(crate) fn of(kind: FileKind) -> Self {
        let facts = kind.facts();
        let (noun, switches): (_, &[&str]) = match facts.reader {
            Reader::Records => ("field", &["true", "false"]),
            Reader::Settings => ("setting", &["1", "0"]),
            // Only these two were ever seen in files whose reader is closed.
            Reader::Options if !facts.is_established() => ("option", &["1", "0"]),
            _ => ("option", &[]),
        };
        Self {
            file: facts.file_name,
            noun,
            any_case: facts.reader == Reader::Records && !facts.is_established(),
            refuses_unknown: facts.names == Names::Refused,
            first_wins: matches!(facts.reader, Reader::Settings | Reader::Records),
            empty_is_on: facts.reader == Reader::Options && facts.is_established(),
            switches,
            words_fall_back: match kind {
                FileKind::LoggingConf => &LOGGING_WORDS,
                _ => &[],
            },
        }
    }
}

/// A mistake about a name or a value.
#[derive(Clone, Debug)]
pub(crate) enum Mistake {
    /// Close to a known name.
    Misspelt { name: Span, nearest: &'static str },
    /// A name of another file or section.
    Elsewhere { name: Span, places: Vec<String>, refused: bool },
    /// A name that the catalogue does not have; one of its names that could be meant.
    Unknown { name: Span, guess: Option<&'static str> },
    /// A name that the product takes on the command line only.
    CommandLineOnly { name: Span },
    /// Stands twice where once is allowed.
    Twice { name: Span, first: Span },
    /// Stands twice; the first wins.
    Second { name: Span, first: Span },
    /// Not of its type.
    WrongValue { row: &'static OptionRow, value: Span, error: ValueError },
    /// No word of the option, which the product takes for another.
    FallsBack { row: &'static OptionRow, value: Span, error: ValueError, other: &'static str },
    /// An empty switch, which is on.
    EmptyIsOn { row: &'static OptionRow, name: Span },
    /// A word for a switch that is not known to work here.
    UnprovenSwitch { row: &'static OptionRow, value: Span, words: &'static [&'static str] },
    /// Out of use.
    Deprecated { row: &'static OptionRow, name: Span, instead: &'static str },
}

/// An entry as a reader found it.
#[derive(Clone, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) key: &'a str,
    pub(crate) key_span: Span,
    pub(crate) value: &'a str,
    pub(crate) value_span: Span,
    pub(crate) parts: Vec<Part>,
    pub(crate) line: u32,
}

/// The names of a section so far, each with its first place.
pub(crate) type Seen = BTreeMap<&'static str, Span>;

/// Looks up the entries of one file and collects its problems.
pub(crate) struct Lookup<'s> {
    pub(crate) source: &'s Source,
    pub(crate) problems: Problems,
    rules: Rules,
    /// The rows of the section that was asked for last: most entries follow another of theirs.
    section_rows: &'static [OptionRow],
}

impl<'s> Lookup<'s> {
    pub(crate) fn new(source: &'s Source, rules: Rules) -> Self {
        let problems = Problems::new(&source.file);
        Self { source, problems, rules, section_rows: &[] }
    }

    /// The entry for the document; none if an earlier one of that name stands.
    ///
    /// `section` is the catalogue's name of the section.
    pub(crate) fn entry(
        &mut self,
        section: &str,
        written: Written<'_>,
        seen: &mut Seen,
    ) -> Option<Entry> {
        let found = self.find(section, written.key);
        let Some(row) = found.filter(|row| !row.command_line) else {
            if found.is_some() {
                self.mistake(Mistake::CommandLineOnly { name: written.key_span });
            } else {
                self.unknown(section, written.key, written.key_span);
            }
            return Some(self.unlisted(written));
        };
        if !row.repeatable {
            let name = written.key_span;
            let first = *seen.entry(row.name).or_insert(name);
            if first != name {
                self.mistake(if self.rules.first_wins {
                    Mistake::Second { name, first }
                } else {
                    Mistake::Twice { name, first }
                });
                return None;
            }
        }
        if let Some(instead) = row.deprecated {
            self.mistake(Mistake::Deprecated { row, name: written.key_span, instead });
        }
        let typed = self.typed(row, &written);
        Some(into_entry(row.name, written, Some(row), typed))
    }

    /// An entry at a place where every name is unknown, which has been said already.
    pub(crate) fn unlisted(&self, written: Written<'_>) -> Entry {
        into_entry(written.key.to_owned(), written, None, None)
    }

    fn find(&mut self, section: &str, key: &str) -> Option<&'static OptionRow> {
        if self.section_rows.first().is_none_or(|row| row.section != section) {
            self.section_rows = catalogue::section_rows(self.rules.file, section);
        }
        if self.rules.any_case {
            self.section_rows.iter().find(|row| row.name.eq_ignore_ascii_case(key))
        } else {
            catalogue::named(self.section_rows, key)
        }
    }

    fn unknown(&mut self, section: &str, key: &str, name: Span) {
        let file = self.rules.file;
        if self.problems.is_full() {
            self.problems.leave_out(Severity::Warning);
            return;
        }
        let mut places: Vec<String> = catalogue::others(key, file, section)
            .filter(|row| !row.command_line)
            .map(|row| place(file, row))
            .collect();
        places.dedup();
        let same_file = places.iter().any(|place| place.starts_with('['));
        if !places.is_empty() {
            // Launchers share options, and of none the list is complete.
            let of_launcher = |file: &str| file.starts_with("launcher.") && file.ends_with(".conf");
            let shared = of_launcher(file) && places.iter().any(|place| of_launcher(place));
            let refused = same_file || (self.rules.refuses_unknown && !shared);
            self.mistake(Mistake::Elsewhere { name, places, refused });
            return;
        }
        let meant = self.problems.may_suggest().then(|| catalogue::meant(file, section, key));
        self.mistake(match meant.flatten() {
            Some(Meant { name: nearest, sure: true }) => Mistake::Misspelt { name, nearest },
            meant => Mistake::Unknown { name, guess: meant.map(|meant| meant.name) },
        });
    }

    fn typed(&mut self, row: &'static OptionRow, written: &Written<'_>) -> Option<Value> {
        let Written { value, value_span, key_span, .. } = *written;
        if row.kind == ValueKind::Bool && value.is_empty() && self.rules.empty_is_on {
            self.mistake(Mistake::EmptyIsOn { row, name: key_span });
            return Some(Value::Bool(true));
        }
        if matches!(row.kind, ValueKind::List(crate::value::Separator::Line)) {
            return Some(Value::List(written.parts.iter().map(|part| part.text.clone()).collect()));
        }
        match row.parse_value(value) {
            Ok(typed) => {
                let words = self.rules.switches;
                if row.kind == ValueKind::Bool
                    && !words.is_empty()
                    && !words.iter().any(|word| word.eq_ignore_ascii_case(value))
                {
                    self.mistake(Mistake::UnprovenSwitch { row, value: value_span, words });
                }
                Some(typed)
            }
            Err(mut error) => {
                if let ValueError::NotAWord { nearest: nearest @ Some(_), .. } = &mut error
                    && !self.problems.may_suggest()
                {
                    *nearest = None;
                }
                let words = self.rules.words_fall_back;
                if let Some(&(_, other)) = words.iter().find(|(name, _)| *name == row.name) {
                    self.mistake(Mistake::FallsBack { row, value: value_span, error, other });
                    return Some(Value::Word(other.into()));
                }
                let as_written = match error {
                    ValueError::NotAUrl => Some(Value::Url(value.into())),
                    ValueError::BelowZero => Some(Value::Text(value.into())),
                    _ => None,
                };
                self.mistake(Mistake::WrongValue { row, value: value_span, error });
                as_written
            }
        }
    }

    fn mistake(&mut self, mistake: Mistake) {
        let Self { source, rules, problems, .. } = self;
        problems.push(|| mistake.problem(source, *rules));
    }
}

fn into_entry(
    name: impl Into<Cow<'static, str>>,
    written: Written<'_>,
    row: Option<&'static OptionRow>,
    typed: Option<Value>,
) -> Entry {
    Entry {
        name: name.into(),
        name_span: written.key_span,
        value: written.value.into(),
        value_span: written.value_span,
        parts: written.parts,
        line: written.line,
        row,
        typed,
    }
}

/// Where a row belongs, as a person would say it.
fn place(file: &str, row: &OptionRow) -> String {
    if row.file == file { format!("[{}]", row.section) } else { row.file.to_owned() }
}

impl Mistake {
    fn problem(self, source: &Source, rules: Rules) -> Problem {
        let Rules { noun, file, .. } = rules;
        let problem = |code: Code, severity, message: String| Problem::new(code, severity, message);
        let at = |problem: Problem, span: Span, text: &str| {
            problem.label(&source.file, Some(span), text)
        };
        let name = |span: Span| quoted(source.slice(span));
        use Severity::{Error, Warning};
        match self {
            Mistake::Misspelt { name: span, nearest } => {
                let message = format!("unknown {noun} {}", name(span));
                let label = format!("did you mean `{nearest}`?");
                at(problem(codes::UNKNOWN_OPTION, Error, message), span, &label)
            }
            Mistake::Elsewhere { name: span, places, refused } => {
                let message = format!("{noun} {} does not belong here", name(span));
                let severity = if refused { Error } else { Warning };
                let shown = places[..places.len().min(3)].join(", ");
                let label = format!("belongs in {shown}");
                at(problem(codes::OTHER_FILE, severity, message), span, &label)
            }
            Mistake::Unknown { name: span, guess } => {
                let message = format!("{noun} {} is unknown to us", name(span));
                let label = guess.map_or(String::new(), |guess| format!("did you mean `{guess}`?"));
                let found = at(problem(codes::NOT_IN_CATALOGUE, Warning, message), span, &label);
                let note = "the public list of options is not complete, so it may exist";
                if rules.refuses_unknown {
                    let risk = "if it does not, the product refuses to start";
                    found.note(format!("{note}; {risk}"))
                } else {
                    found.note(note)
                }
            }
            Mistake::CommandLineOnly { name: span } => {
                let message = format!("{} is a flag of the command line", name(span));
                let label = format!("an unknown {noun} in {file}");
                at(problem(codes::COMMAND_LINE_ONLY, Error, message), span, &label)
            }
            Mistake::Twice { name: span, first } => {
                let message = format!("{noun} {} stands twice", name(span));
                let found = at(problem(codes::DUPLICATE, Error, message), span, "again here");
                at(found, first, "first here").help("keep one of the two")
            }
            Mistake::Second { name: span, first } => {
                let message = format!("this {} is ignored, the first one wins", name(span));
                let found = at(problem(codes::FIRST_WINS, Warning, message), span, "ignored");
                at(found, first, "this one counts")
            }
            Mistake::WrongValue { row, value, error } => wrong_value(source, row, value, &error),
            Mistake::FallsBack { row, value, error, other } => {
                let mut found = wrong_value(source, row, value, &error);
                found.severity = Warning;
                found.note(format!("the product takes it for `{other}` without a word"))
            }
            Mistake::EmptyIsOn { row, name: span } => {
                let message = format!("an empty value turns `{}` on", row.name);
                let help = format!("write `{}=1` or `{0}=0`", row.name);
                at(problem(codes::EMPTY_IS_ON, Warning, message), span, "on").help(help)
            }
            Mistake::UnprovenSwitch { row, value, words } => {
                let message = format!("it is not known how the product reads this `{}`", row.name);
                let found = at(problem(codes::NOT_PROVEN, Warning, message), value, "");
                found.help(format!("write {}", words.join(" or ")))
            }
            Mistake::Deprecated { row, name: span, instead } => {
                let message = format!("{noun} `{}` is out of use", row.name);
                at(problem(codes::DEPRECATED, Warning, message), span, instead)
            }
        }
    }
}

/// The product passes a URL on unread, so one without a scheme does not stop it; and a number below zero is a
/// number to it.
fn wrong_value(source: &Source, row: &OptionRow, value: Span, error: &ValueError) -> Problem {
    let severity = match error {
        ValueError::NotAUrl | ValueError::BelowZero => Severity::Warning,
        _ => Severity::Error,
    };
    let message = match error {
        ValueError::Empty => format!("`{}` has no value", row.name),
        _ => format!("wrong value for `{}` (type: {})", row.name, row.kind.name()),
    };
    let problem = Problem::new(codes::WRONG_VALUE, severity, message);
    let problem = problem.label(&source.file, Some(value), error.to_string());
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}
