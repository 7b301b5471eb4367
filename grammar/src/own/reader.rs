//! What reading one of our files gathers: places and problems, and the values that fit.
//!
//! Everything that does not fit becomes a problem at its place, and reading goes on. Knows TOML's values and
//! how a mistake is worded, not what any field means.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::Check;
use super::leaf::{Leaf, Wrong, shown, type_name};
use super::lines::{Lines, Place};
use super::schema::{Outline, Schema};
use super::table::{Keys, Table};
use super::{BAD_VALUE, CONTRADICTION, OwnKind, UNKNOWN_KEY, WRONG_TYPE, unknown};
use crate::error::{Code, Problem, Severity};
use crate::source::Source;
use crate::span::Span;
use crate::suggest::nearest;

/// "Did you mean" is said for at most so many in a file (design.md 13).
const GUESSES_MAX: u32 = 50;

/// A TOML value with its place.
pub(crate) type Item<'t> = Spanned<DeValue<'t>>;

/// What reading one file gathers.
pub(crate) struct Reader<'s> {
    source: &'s Source,
    kind: OwnKind,
    problems: Vec<Problem>,
    lines: Lines,
    guesses_left: u32,
    /// What the table at hand has told, while a schema is made.
    outline: Option<Outline>,
}

impl<'s> Reader<'s> {
    /// A reader that has read nothing.
    pub(crate) fn new(source: &'s Source, kind: OwnKind) -> Self {
        let mut lines = Lines::default();
        lines.insert("", Place { line: 1, span: Span::new(0, 0) });
        Self { source, kind, problems: Vec::new(), lines, guesses_left: GUESSES_MAX, outline: None }
    }

    /// Reads the file's top level.
    pub(crate) fn root<T>(
        &mut self,
        entries: &DeTable<'_>,
        read: impl FnOnce(&mut Table<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let keys = self.kind.tables().first().expect("every kind declares its top level first");
        Table::read(self, entries, String::new(), None, keys, read)
    }

    /// Has a table tell what it takes: its reader is run over nothing.
    pub(crate) fn tell<T>(
        &mut self,
        keys: &'static Keys,
        read: impl FnOnce(&mut Table<'_, '_>) -> Option<T>,
    ) -> Schema {
        let around = self.outline.replace(Outline::default());
        let nothing = DeTable::new();
        Table::read(self, &nothing, String::new(), None, keys, read);
        let told = std::mem::replace(&mut self.outline, around);
        told.unwrap_or_default().schema()
    }

    /// What the table at hand has told; none where a file is read.
    pub(crate) fn outline(&mut self) -> Option<&mut Outline> {
        self.outline.as_mut()
    }

    /// The places and problems gathered.
    pub(crate) fn finish(self) -> (Lines, Vec<Problem>) {
        (self.lines, self.problems)
    }

    /// Reads a table that stands as a value.
    pub(crate) fn sub<T>(
        &mut self,
        path: String,
        item: &Item<'_>,
        keys: &'static Keys,
        read: impl FnOnce(&mut Table<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        if let DeValue::Table(entries) = item.get_ref() {
            return Table::read(self, entries, path, Some(span_of(item)), keys, read);
        }
        let doubled = matches!(item.get_ref(), DeValue::Array(items)
            if items.iter().any(|item| matches!(item.get_ref(), DeValue::Table(_))));
        let advice = if doubled {
            format!("there is one of it: write [{}], in single brackets", shown(&path))
        } else {
            format!("its keys are: {}", keys.names.join(", "))
        };
        self.refuse(&path, item, "a table", Wrong::Type(Some(advice)));
        None
    }

    /// Remembers where a field stands.
    pub(crate) fn remember(&mut self, path: &str, key: Span, value: Span) {
        let line = self.source.lines.line(key.start);
        self.lines.insert(path, Place { line, span: value });
    }

    /// A problem of this file.
    pub(crate) fn problem(
        &self,
        code: Code,
        message: String,
        span: Option<Span>,
        label: String,
    ) -> Problem {
        Problem::new(code, Severity::Error, message).label(&self.source.file, span, label)
    }

    /// Adds a problem.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The word that was probably meant, while guesses are left.
    pub(crate) fn guess(&mut self, given: &str, words: &[&'static str]) -> Option<&'static str> {
        if self.guesses_left == 0 {
            return None;
        }
        let meant = nearest(given, words.iter().copied())?;
        self.guesses_left -= 1;
        words.iter().copied().find(|word| *word == meant)
    }

    /// Makes a refusal a problem at the value's place.
    pub(crate) fn refuse(&mut self, path: &str, item: &Item<'_>, takes: &str, wrong: Wrong) {
        let span = Some(span_of(item));
        let path = shown(path);
        let problem = match wrong {
            Wrong::Type(help) => {
                let message = format!("`{path}` takes {takes}, not {}", type_name(item.get_ref()));
                let problem = self.problem(WRONG_TYPE, message, span, String::new());
                help.into_iter().fold(problem, Problem::help)
            }
            Wrong::Word { given, words } => {
                let label = match self.guess(&given, words) {
                    Some(word) => format!("did you mean \"{word}\"?"),
                    None => "not one of the words for it".to_owned(),
                };
                let message = format!("`{path}` cannot be \"{}\"", shown(&given));
                let problem = self.problem(BAD_VALUE, message, span, label);
                problem.help(format!("one of: {}", words.join(", ")))
            }
            Wrong::Value { label, help } => {
                let message = format!("bad value for `{path}`: {label}");
                let problem = self.problem(BAD_VALUE, message, span, String::new());
                help.into_iter().fold(problem, Problem::help)
            }
        };
        self.problems.push(problem);
    }

    /// Makes the refusal of a name that the administrator gave a problem at that name's place.
    pub(crate) fn refuse_key(&mut self, given: &str, span: Span, wrong: Wrong) {
        let (label, help) = match wrong {
            Wrong::Value { label, help } => (label, help),
            Wrong::Type(help) => (String::new(), help),
            Wrong::Word { words, .. } => {
                (String::new(), Some(format!("one of: {}", words.join(", "))))
            }
        };
        let message = format!("`{}` cannot be a name here: {label}", shown(given));
        let problem = self.problem(BAD_VALUE, message, Some(span), String::new());
        self.push(help.into_iter().fold(problem, Problem::help));
    }

    /// Says that the fields at `paths` cannot all be meant; those that were not written have no place.
    pub(crate) fn contradiction(
        &mut self,
        severity: Severity,
        message: &str,
        paths: &[String],
        help: &str,
    ) {
        let mut problem = Problem::new(CONTRADICTION, severity, message);
        for place in paths.iter().filter_map(|path| self.lines.written(path)) {
            problem = problem.label(&self.source.file, Some(place.span), "");
        }
        self.push(problem.help(help));
    }

    /// Reports a key that its table does not have.
    pub(crate) fn unknown(&mut self, path: &str, keys: &'static Keys, given: &str, span: Span) {
        let home = unknown::home_of(self.kind, keys, given);
        let message = match &home {
            Some(home) => home.message(given),
            None if path.is_empty() => format!("unknown key `{}`", shown(given)),
            None => format!("unknown key `{}` in `{}`", shown(given), shown(path)),
        };
        let meant = if home.is_none() { self.guess(given, keys.names) } else { None };
        let label = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?"));
        let problem = self.problem(UNKNOWN_KEY, message, Some(span), label);
        let help = match (home, meant) {
            (Some(home), _) => Some(home.help()),
            (None, Some(_)) => None,
            (None, None) => Some(format!("the keys here are: {}", keys.names.join(", "))),
        };
        self.push(help.into_iter().fold(problem, Problem::help));
    }

    /// Reads one value; what does not fit becomes a problem.
    pub(crate) fn leaf<T: Leaf>(
        &mut self,
        path: &str,
        item: &Item<'_>,
        check: Check<T>,
    ) -> Option<T> {
        match T::parse(item.get_ref()).and_then(|value| (check.holds)(&value).map(|()| value)) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.refuse(path, item, T::TAKES, wrong);
                None
            }
        }
    }

    /// Reads a list of values; every one that does not fit becomes a problem.
    pub(crate) fn list<T: Leaf>(
        &mut self,
        path: &str,
        item: &Item<'_>,
        check: Check<T>,
    ) -> Option<Vec<T>> {
        let DeValue::Array(items) = item.get_ref() else {
            let advice = "a list stands in brackets: [\"...\", \"...\"]".to_owned();
            self.refuse(path, item, "a list", Wrong::Type(Some(advice)));
            return None;
        };
        let mut values = Some(Vec::with_capacity(items.len()));
        for item in items {
            let value = self.leaf(path, item, check);
            values = values.zip(value).map(|(mut all, value)| {
                all.push(value);
                all
            });
        }
        values
    }
}

/// The place of a value.
pub(crate) fn span_of(item: &Item<'_>) -> Span {
    Span::new(item.span().start, item.span().end)
}
