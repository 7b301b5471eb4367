//! Reader of options files: `rserver.conf` and others of its form (files.md A).
//!
//! One `name=value` a line, split at the first `=`, both sides without their blanks. `#` cuts a line
//! anywhere, also inside a value; `;` makes a comment in column 0 only. `[name]` turns the keys below
//! into `name.key`, which no such file has. No quotes, no continuation, no variables.
//!
//! `jupyter.conf`, `vscode.conf` and their like are read by the same rules, though the product's reader
//! of them was never seen (files.md 14): what depends on a rule that may not hold is a warning there.

use crate::codes;
use crate::document::Document;
use crate::error::{Problem, Severity, quoted};
use crate::line::{Setting, is_blank, lines, setting, trimmed};
use crate::lookup::{Lookup, Rules, Seen, Written};
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::tree::{Builder, Entry, Item, LineKind, Parse, TokenKind, Tree};

/// What goes wrong in writing an options file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A line without `=`.
    NoEquals {
        /// What stands there.
        line: Span,
        /// It has an `=`, behind the `#` that ends it.
        cut: bool,
    },
    /// Nothing before `=`.
    NoName {
        /// The `=`.
        at: Span,
    },
    /// A section's header.
    Section {
        /// The header.
        header: Span,
    },
    /// A `#` right behind a value's text.
    CutShort {
        /// What is thrown away.
        cut: Span,
    },
    /// A value in quotes, which stay.
    LiteralQuotes {
        /// The value with its quotes.
        value: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    ///
    /// `established`: whether these rules are known to be the product's for this file.
    #[must_use]
    pub fn problem(self, source: &Source, established: bool) -> Problem {
        let at = source.problems_at();
        match self {
            Mistake::NoEquals { line, cut } => {
                let message = "this line is no `name=value`";
                let problem = at(
                    codes::UNRECOGNISED_LINE,
                    Severity::Error,
                    message,
                    line,
                    if established { "the product refuses to start on it" } else { "no `=`" },
                );
                let text = source.slice(line);
                if cut {
                    problem.help("the `=` stands behind a `#`, which starts a comment anywhere")
                } else if text.starts_with(';') {
                    problem.help("`;` makes a comment in the first column only; use `#`")
                } else if text.contains(':') {
                    problem.help("name and value are separated by `=` in this file")
                } else {
                    problem
                }
            }
            Mistake::NoName { at: span } => {
                let message = "a name is missing";
                at(codes::NO_NAME, Severity::Error, message, span, "nothing before it")
            }
            Mistake::Section { header } => {
                let message = "this file has no sections";
                let label = "makes every name below it unknown";
                at(codes::UNKNOWN_SECTION, Severity::Error, message, header, label)
                    .help(format!("remove the line {}", quoted(source.slice(header))))
            }
            Mistake::CutShort { cut } if !established => {
                let message = "it is not known whether `#` cuts this value short";
                at(codes::NOT_PROVEN, Severity::Warning, message, cut, "read as a comment here")
            }
            Mistake::LiteralQuotes { value } if !established => {
                let message = "it is not known whether the quotes are part of this value";
                at(codes::NOT_PROVEN, Severity::Warning, message, value, "")
                    .help("write it without quotes")
            }
            Mistake::CutShort { cut } => {
                let message = "`#` cuts this value short";
                let label = "ignored by the reader of this file";
                at(codes::CUT_SHORT, Severity::Warning, message, cut, label)
                    .note("nothing quotes or escapes a `#` in this file")
            }
            Mistake::LiteralQuotes { value } => {
                let message = "the quotes are part of this value";
                at(codes::LITERAL_QUOTES, Severity::Warning, message, value, "")
                    .help("write it without quotes")
            }
        }
    }
}

/// Reads the form of an options file.
#[must_use]
pub fn parse(text: &str) -> Parse<'_, Mistake> {
    let mut builder = Builder::new(text);
    let mut mistakes = Vec::new();
    for line in lines(text) {
        builder.piece(TokenKind::Junk, line.mark);
        if line.body.starts_with(';') {
            builder.token(TokenKind::Comment, line.body);
            builder.end_line(LineKind::Comment, line.eol);
            continue;
        }
        let (body, comment) = line.body.split_at(line.body.find('#').unwrap_or(line.body.len()));
        let (indent, inner, trail) = trimmed(body, is_blank);
        let kind = if inner.is_empty() {
            builder.piece(TokenKind::Space, body);
            builder.piece(TokenKind::Comment, comment);
            if comment.is_empty() { LineKind::Blank } else { LineKind::Comment }
        } else if inner.starts_with('[') && inner.ends_with(']') {
            builder.piece(TokenKind::Space, indent);
            let header = builder.next_span(inner);
            push_header(&mut builder, inner, line.number);
            builder.piece(TokenKind::Space, trail);
            builder.piece(TokenKind::Comment, comment);
            mistakes.push(Mistake::Section { header });
            LineKind::Header
        } else if let Some(setting) = setting(body, is_blank) {
            push_setting(&mut builder, &setting, line.number, &mut mistakes);
            push_cut(&mut builder, &setting, comment, &mut mistakes);
            LineKind::Entry
        } else {
            builder.piece(TokenKind::Space, indent);
            let refused = builder.token(TokenKind::Error, inner);
            let cut = comment.contains('=');
            mistakes.push(Mistake::NoEquals { line: builder.span(refused), cut });
            builder.piece(TokenKind::Space, trail);
            builder.piece(TokenKind::Comment, comment);
            LineKind::Refused
        };
        builder.end_line(kind, line.eol);
    }
    Parse { tree: builder.finish(), mistakes }
}

fn push_header<'a>(builder: &mut Builder<'a>, inner: &'a str, line: u32) {
    let (open, rest) = inner.split_at(1);
    let (name, close) = rest.split_at(rest.len() - 1);
    builder.token(TokenKind::Open, open);
    let name = builder.token(TokenKind::SectionName, name);
    builder.token(TokenKind::Close, close);
    builder.section(Some(name), line);
}

fn push_setting<'a>(
    builder: &mut Builder<'a>,
    setting: &Setting<'a>,
    line: u32,
    mistakes: &mut Vec<Mistake>,
) {
    builder.piece(TokenKind::Space, setting.indent);
    let key = builder.token(TokenKind::Key, setting.key);
    builder.piece(TokenKind::Space, setting.before);
    let separator = builder.token(TokenKind::Separator, setting.separator);
    builder.piece(TokenKind::Space, setting.after);
    let value = builder.token(TokenKind::Value, setting.value);
    builder.entry(Some(key), value, line);
    if setting.key.is_empty() {
        mistakes.push(Mistake::NoName { at: builder.span(separator) });
    }
    if setting.value.len() > 1 && setting.value.starts_with('"') && setting.value.ends_with('"') {
        mistakes.push(Mistake::LiteralQuotes { value: builder.span(value) });
    }
}

/// What follows a setting: a comment behind a blank is meant as one; right behind text it is a trap.
fn push_cut<'a>(
    builder: &mut Builder<'a>,
    setting: &Setting<'a>,
    comment: &'a str,
    mistakes: &mut Vec<Mistake>,
) {
    builder.piece(TokenKind::Space, setting.trail);
    let blank_before =
        !setting.trail.is_empty() || setting.value.is_empty() && !setting.after.is_empty();
    if comment.is_empty() || blank_before {
        builder.piece(TokenKind::Comment, comment);
    } else {
        let cut = builder.token(TokenKind::Cut, comment);
        mistakes.push(Mistake::CutShort { cut: builder.span(cut) });
    }
}

/// Reads an options file.
///
/// Entries below a section's header are in a section of that name: to the product they are unknown.
pub(crate) fn read(kind: FileKind, source: &Source) -> Read {
    let Parse { tree, mistakes } = parse(&source.text);
    let mut lookup = Lookup::new(source, Rules::of(kind));
    check_text(source, &mut lookup.problems);
    let established = kind.facts().is_established();
    for mistake in mistakes {
        lookup.problems.push(|| mistake.problem(source, established));
    }
    let mut sections = vec![new_section(source, None, Span::default())];
    let mut seen = Seen::new();
    let mut below_header = false;
    for item in tree.items() {
        match item {
            Item::Section { name, .. } => {
                let name = name.map(|id| tree.token(id));
                let span = name.map_or(Span::default(), |name| name.span);
                sections.push(new_section(source, name.map(|name| &*name.text), span));
                below_header = true;
            }
            Item::Entry(entry) => {
                let Some(written) = written(&tree, entry) else { continue };
                let entry = if below_header {
                    Some(lookup.unlisted(written))
                } else {
                    lookup.entry("", written, &mut seen)
                };
                let section = sections.last_mut().expect("the unnamed section is always there");
                if let Some(entry) = entry {
                    section.last_line = entry.line;
                    section.entries.push(entry);
                }
            }
        }
    }
    let document = Document { kind, bare: false, sections };
    Read { document, problems: lookup.problems.finish() }
}

/// An entry as it stands in a tree; none for one without a name.
pub(crate) fn written<'t>(tree: &'t Tree<'_>, entry: &Entry) -> Option<Written<'t>> {
    let key = tree.token(entry.key?);
    let value = tree.token(entry.value);
    (!key.text.is_empty()).then(|| Written {
        key: &key.text,
        key_span: key.span,
        value: &value.text,
        value_span: value.span,
        parts: Vec::new(),
        line: entry.line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;
    use crate::value::Value;

    fn read_text(text: &str) -> Read {
        let tree = parse(text).tree;
        assert_eq!(print(&tree), text);
        read(FileKind::RserverConf, &Source::new("rserver.conf", text))
    }

    /// The codes of the problems, in order.
    fn codes_of(text: &str) -> Vec<u16> {
        read_text(text).problems.iter().map(|problem| problem.code.0).collect()
    }

    fn value_of(text: &str, name: &str) -> Option<String> {
        let read = read_text(text);
        read.document.sections[0].get(name).map(|entry| entry.value.to_string())
    }

    #[test]
    fn the_first_equals_sign_splits_and_both_sides_lose_their_blanks() {
        assert_eq!(
            value_of(" \twww-address \t=  10.0.0.1\t \r\n", "www-address").as_deref(),
            Some("10.0.0.1")
        );
        let name = "auth-proxy-user-header-rewrite";
        assert_eq!(value_of(&format!("{name}=a=b=c\n"), name).as_deref(), Some("a=b=c"));
    }

    #[test]
    fn a_hash_cuts_anywhere_and_is_a_trap_right_behind_text() {
        let text = "www-address=10.0.0.1 # the inner one\n# all\n  # indented\n";
        assert_eq!(value_of(text, "www-address").as_deref(), Some("10.0.0.1"));
        assert!(codes_of(text).is_empty());
        let text = "auth-proxy-sign-in-url=https://sso/#/login\n";
        assert_eq!(value_of(text, "auth-proxy-sign-in-url").as_deref(), Some("https://sso/"));
        assert_eq!(codes_of(text), [205]);
        assert_eq!(codes_of("www-root-path=\"/a#b\"\n"), [205]);
        assert_eq!(codes_of("www-#port=1\n"), [101]);
    }

    #[test]
    fn a_semicolon_makes_a_comment_in_the_first_column_only() {
        assert!(codes_of("; www-port=1\n").is_empty());
        assert_eq!(codes_of(" ; note\n"), [101]);
    }

    #[test]
    fn a_header_makes_the_names_below_unknown() {
        let read = read_text("www-port=80\n[server]\nwww-address=::1\n");
        assert_eq!(read.problems.len(), 1);
        assert_eq!(read.problems[0].code.0, 102);
        assert!(read.document.sections[0].get("www-address").is_none());
        assert_eq!(read.document.sections[1].name.as_deref(), Some("server"));
    }

    #[test]
    fn a_line_without_equals_sign_is_refused() {
        assert_eq!(codes_of("www-port\n\n  \t\n"), [101]);
        assert_eq!(codes_of("[server\n"), [101]);
        assert_eq!(codes_of("=8787\n"), [103]);
    }

    #[test]
    fn unknown_names_are_told_apart() {
        assert_eq!(codes_of("www-prot=1\n"), [107]);
        assert_eq!(codes_of("WWW-PORT=1\n"), [107]);
        assert_eq!(codes_of("balancer=sessions\n"), [108]);
        assert_eq!(codes_of("flux-capacitor=1\n"), [109]);
        assert_eq!(codes_of("verify-test=r-sessions\n"), [112]);
        let problem = &read_text("www-prot=1\n").problems[0];
        assert_eq!(problem.labels[0].text, "did you mean `www-port`?");
        let problem = &read_text("balancer=sessions\n").problems[0];
        assert_eq!(problem.labels[0].text, "belongs in load-balancer");
    }

    #[test]
    fn a_scalar_stands_once_and_a_repeatable_option_collects() {
        let read = read_text("www-port=1\nwww-port=2\n");
        assert_eq!(read.problems[0].code.0, 110);
        assert_eq!(read.problems[0].labels.len(), 2);
        assert_eq!(read.document.sections[0].entries.len(), 1);
        let read = read_text("www-allow-origin=a.b\nwww-allow-origin=c.d\n");
        assert!(read.problems.is_empty());
        assert_eq!(read.document.sections[0].entries.len(), 2);
    }

    #[test]
    fn an_empty_value_is_text_or_on_or_an_error() {
        assert_eq!(value_of("server-user=\n", "server-user").as_deref(), Some(""));
        let read = read_text("admin-enabled=\n");
        assert_eq!(read.problems[0].code.0, 208);
        assert_eq!(read.document.sections[0].entries[0].typed, Some(Value::Bool(true)));
        assert_eq!(codes_of("auth-timeout-minutes=\n"), [111]);
        assert!(codes_of("www-port=\n").is_empty());
    }

    #[test]
    fn switches_take_eight_words() {
        for word in ["1", "TRUE", "yes", "on", "0", "false", "No", "off"] {
            assert!(codes_of(&format!("admin-enabled={word}\n")).is_empty(), "{word}");
        }
        assert_eq!(codes_of("admin-enabled=enabled\n"), [111]);
    }

    #[test]
    fn quotes_are_part_of_a_value() {
        assert_eq!(value_of("server-user=\"x\"\n", "server-user").as_deref(), Some("\"x\""));
        assert_eq!(codes_of("server-user=\"x\"\n"), [207]);
    }

    #[test]
    fn a_missing_last_line_end_and_a_lone_carriage_return_do_no_harm() {
        assert_eq!(value_of("www-address=::1", "www-address").as_deref(), Some("::1"));
        assert_eq!(value_of("www-address=::1\r", "www-address").as_deref(), Some("::1"));
        assert_eq!(value_of("server-user=a\rb\r\n", "server-user").as_deref(), Some("a\rb"));
    }

    #[test]
    fn a_byte_order_mark_and_a_nul_are_named() {
        assert_eq!(codes_of("\u{feff}www-port=1\n"), [104]);
        assert_eq!(codes_of("server-user=a\0b\n"), [105]);
    }
}
