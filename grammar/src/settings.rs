//! Reader of settings files: `database.conf` and others of its form (files.md C).
//!
//! Lines are trimmed; blank ones and ones without `=` are passed over by the product without a word.
//! There is no comment: `#host=x` is a setting called `#host`, which nobody reads. A value that begins
//! and ends with `"` is a JSON string. Of two settings of one name the first wins.

use crate::codes;
use crate::document::{Document, Section};
use crate::error::{Problem, Severity, quoted};
use crate::line::{is_space, lines, setting, trimmed};
use crate::lookup::{Lookup, Rules, Seen, Written};
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Builder, Entry, LineKind, Parse, TokenKind, Tree};

/// What goes wrong in writing a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Lines that begin with `#` and have an `=`.
    Commented {
        /// The first such name.
        name: Span,
        /// How many there are.
        count: usize,
    },
    /// A `#` behind a value.
    NoComment {
        /// From the `#` on.
        at: Span,
    },
    /// A line without `=`.
    Ignored {
        /// What stands there.
        line: Span,
    },
    /// Nothing before `=`.
    NoName {
        /// The `=`.
        at: Span,
    },
    /// In quotes, but no JSON string.
    BadQuotes {
        /// The value.
        value: Span,
        /// What the JSON reader says.
        reason: String,
    },
    /// A quote on one side only.
    HalfQuoted {
        /// The value.
        value: Span,
    },
    /// Settings that `connection-uri` makes meaningless.
    Overridden {
        /// The one.
        name: Span,
        /// The name `connection-uri`.
        uri: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Note, Warning};
        let at = source.problems_at();
        match self {
            Mistake::Commented { name, count } => {
                let shown = quoted(source.slice(name));
                let message = "`#` starts no comment in this file";
                let label = format!("a setting called {shown}, which nobody reads");
                let problem = at(codes::NO_COMMENTS, Note, message, name, &label);
                match count {
                    1 => problem,
                    2 => problem.note("1 more line like it does no harm either"),
                    _ => {
                        problem.note(format!("{} more lines like it do no harm either", count - 1))
                    }
                }
            }
            Mistake::NoComment { at: span } => {
                let message = "no comment can follow a value in this file";
                at(codes::NO_COMMENTS, Warning, message, span, "part of the value")
                    .help("remove it; a line of its own that begins with `#` does no harm")
            }
            Mistake::Ignored { line } => {
                let message = "a line without `=` is passed over";
                at(codes::LINE_IGNORED, Warning, message, line, "ignored")
            }
            Mistake::NoName { at: span } => {
                let message = "a name is missing";
                at(codes::NO_NAME, Error, message, span, "nothing before it")
            }
            Mistake::BadQuotes { value, reason } => {
                let message = "this quoted value is no JSON string";
                at(codes::BAD_QUOTES, Error, message, value, &reason)
                    .note("a value between quotes is read as a JSON string in this file")
                    .help("write `\\\"` for a quote and `\\\\` for a backslash")
            }
            Mistake::HalfQuoted { value } => {
                let message = "the quote is part of this value";
                at(codes::LITERAL_QUOTES, Warning, message, value, "quoted on one side only")
            }
            Mistake::Overridden { name, uri } => {
                let message = format!("{} has no effect", quoted(source.slice(name)));
                at(codes::OVERRIDDEN, Warning, &message, name, "ignored").label(
                    &source.file,
                    Some(uri),
                    "this wins",
                )
            }
        }
    }
}

/// Reads the form of a settings file.
#[must_use]
pub fn parse(text: &str) -> Parse<'_, Mistake> {
    let mut builder = Builder::new(text);
    let mut mistakes = Vec::new();
    let mut commented: Option<(Span, usize)> = None;
    for line in lines(text) {
        builder.piece(TokenKind::Junk, line.mark);
        let (indent, inner, trail) = trimmed(line.body, is_space);
        let kind = if let Some(setting) = setting(line.body, is_space) {
            builder.piece(TokenKind::Space, setting.indent);
            let key = builder.token(TokenKind::Key, setting.key);
            builder.piece(TokenKind::Space, setting.before);
            let separator = builder.token(TokenKind::Separator, setting.separator);
            builder.piece(TokenKind::Space, setting.after);
            let value = builder.token(TokenKind::Value, setting.value);
            builder.piece(TokenKind::Space, setting.trail);
            builder.entry(Some(key), value, line.number);
            if setting.key.starts_with('#') {
                commented.get_or_insert((builder.span(key), 0)).1 += 1;
            } else if setting.key.is_empty() {
                mistakes.push(Mistake::NoName { at: builder.span(separator) });
            } else {
                mistakes.extend(look_at_value(setting.value, builder.span(value)));
            }
            LineKind::Entry
        } else if inner.is_empty() {
            builder.piece(TokenKind::Space, line.body);
            LineKind::Blank
        } else {
            builder.piece(TokenKind::Space, indent);
            let junk = builder.token(TokenKind::Junk, inner);
            // A line of prose behind a `#` is what it looks like: nothing.
            if !inner.starts_with('#') {
                mistakes.push(Mistake::Ignored { line: builder.span(junk) });
            }
            builder.piece(TokenKind::Space, trail);
            LineKind::Ignored
        };
        builder.end_line(kind, line.eol);
    }
    mistakes.extend(commented.map(|(name, count)| Mistake::Commented { name, count }));
    Parse { tree: builder.finish(), mistakes }
}

fn is_quoted(value: &str) -> bool {
    value.len() > 1 && value.starts_with('"') && value.ends_with('"')
}

fn look_at_value(value: &str, span: Span) -> Option<Mistake> {
    if is_quoted(value) {
        let error = serde_json::from_str::<String>(value).err()?;
        return Some(Mistake::BadQuotes { value: span, reason: json_reason(&error) });
    }
    if value.starts_with('"') != value.ends_with('"') {
        return Some(Mistake::HalfQuoted { value: span });
    }
    let at = [" #", "\t#"].iter().filter_map(|c| value.find(c)).min()?;
    let start = span.start as usize + at + 1;
    Some(Mistake::NoComment { at: Span::new(start, span.end as usize) })
}

/// The JSON reader's words without the place in its own text.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

/// Reads a settings file. Values are un-escaped; settings called `#...` are left out.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = parse(&source.text);
    let mut lookup = Lookup::new(source, Rules::of(kind));
    check_text(source, &mut lookup.problems);
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source));
    }
    let mut section = new_section(source, None, Span::default());
    let mut seen = Seen::new();
    for (_, entry) in tree.entries() {
        let value = unescaped(&tree, entry);
        let Some(written) = crate::options::written(&tree, entry) else { continue };
        if written.key.starts_with('#') {
            continue;
        }
        let written = match &value {
            Some(value) => Written { value, ..written },
            None => written,
        };
        section.last_line = written.line;
        section.entries.extend(lookup.entry("", written, &mut seen));
    }
    for mistake in overridden(&section) {
        lookup.problems.push(|| mistake.problem(source));
    }
    let document = Document { kind, bare: false, sections: vec![section] };
    Read { document, problems: lookup.problems.finish() }
}

/// The text inside the quotes, if they are a JSON string.
fn unescaped(tree: &Tree<'_>, entry: &Entry) -> Option<String> {
    let value = &tree.token(entry.value).text;
    if is_quoted(value) { serde_json::from_str(value).ok() } else { None }
}

/// `connection-uri` beats the parts it replaces (files.md §5); `password` is still used.
fn overridden(section: &Section) -> impl Iterator<Item = Mistake> {
    let uri = section.get("connection-uri").filter(|uri| !uri.value.is_empty());
    let parts = ["host", "port", "database", "username", "connection-timeout-seconds"];
    parts.into_iter().filter_map(move |part| {
        let name = section.get(part)?.name_span;
        Some(Mistake::Overridden { name, uri: uri?.name_span })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn read_text(text: &str) -> Read {
        assert_eq!(print(&parse(text).tree), text);
        read(FileKind::DatabaseConf, &Source::new("database.conf", text))
    }

    fn codes_of(text: &str) -> Vec<u16> {
        read_text(text).problems.iter().map(|problem| problem.code.0).collect()
    }

    fn value_of(text: &str, name: &str) -> Option<String> {
        let read = read_text(text);
        read.document.sections[0].get(name).map(|entry| entry.value.to_string())
    }

    #[test]
    fn lines_are_trimmed_and_split_at_the_first_equals_sign() {
        assert_eq!(value_of("  host =\t a=b \r\n", "host").as_deref(), Some("a=b"));
        assert_eq!(value_of("host=\x0bx\x0c", "host").as_deref(), Some("x"));
    }

    #[test]
    fn a_line_without_equals_sign_is_passed_over_and_said() {
        assert_eq!(codes_of("provider postgresql\n\n# prose\n"), [203]);
    }

    #[test]
    fn there_are_no_comments() {
        let read = read_text("#host=x\n# port=1\n");
        assert_eq!(read.problems.len(), 1);
        assert_eq!((read.problems[0].code.0, read.problems[0].is_error()), (202, false));
        assert!(read.document.sections[0].entries.is_empty());
        assert_eq!(value_of("host=x # y\n", "host").as_deref(), Some("x # y"));
        assert_eq!(codes_of("host=x # y\n"), [111, 202]);
        assert!(codes_of("username=x#y\n").is_empty());
    }

    #[test]
    fn a_value_in_quotes_is_a_json_string() {
        let text = "username=\"a\\u0062\\\"c\"\n";
        assert_eq!(value_of(text, "username").as_deref(), Some("ab\"c"));
        assert_eq!(codes_of("username=\"a\\q\"\n"), [122]);
        assert_eq!(codes_of("username=\"a\"b\"\n"), [122]);
        assert_eq!(codes_of("username=\"a\n"), [207]);
        assert_eq!(value_of("port=\"5432\"\n", "port").as_deref(), Some("5432"));
        assert!(codes_of("port=\"5432\"\n").is_empty());
    }

    #[test]
    fn the_first_of_two_wins() {
        let text = "host=a\nhost=b\n";
        assert_eq!(value_of(text, "host").as_deref(), Some("a"));
        let read = read_text(text);
        assert_eq!((read.problems[0].code.0, read.problems[0].is_error()), (201, false));
        assert_eq!(read.problems[0].labels.len(), 2);
    }

    #[test]
    fn unknown_names_are_ignored_by_the_product_and_near_misses_refused_by_us() {
        assert_eq!(codes_of("hsot=a\n"), [107]);
        let problem = &read_text("flux=a\n").problems[0];
        assert_eq!((problem.code.0, problem.is_error()), (109, false));
    }

    #[test]
    fn switches_are_safe_as_one_and_zero_only() {
        assert!(codes_of("auto-create=0\n").is_empty());
        assert_eq!(codes_of("auto-create=false\n"), [211]);
        assert_eq!(codes_of("auto-create=\n"), [111]);
    }

    #[test]
    fn the_provider_is_matched_in_any_case() {
        assert!(codes_of("provider=PostgreSQL\n").is_empty());
        assert_eq!(codes_of("provider=postgres\n"), [111]);
    }

    #[test]
    fn a_connection_uri_wins_over_its_parts() {
        let text = "connection-uri=postgresql://h/d\nhost=x\npassword=y\n";
        assert_eq!(codes_of(text), [210]);
    }

    #[test]
    fn an_empty_file_is_a_file() {
        assert!(codes_of("").is_empty());
    }
}
