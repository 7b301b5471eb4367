//! Reader of `ip-rules`: `allow` and `deny` lines, each for an address, a range or `all` (files.md 19).
//!
//! The first rule that fits a caller decides. `#` makes a comment as the first character that is no
//! blank. How the product's reader takes anything else was never seen: here it is refused, since a
//! rule that is misread lets somebody in.

use crate::codes;
use crate::document::Document;
use crate::error::{Problem, Problems, Severity, quoted};
use crate::line::{is_space, lines, trimmed};
use crate::lookup::{Lookup, Rules, Seen};
use crate::options::written;
use crate::read::{Read, new_section};
use crate::source::{FileKind, Source, check_text};
use crate::span::Span;
use crate::suggest;
use crate::tree::{Builder, LineKind, Parse, TokenKind};

const VERBS: [&str; 2] = ["allow", "deny"];

/// What goes wrong in writing rules of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A line that begins with neither word.
    NoVerb {
        /// Its first word.
        word: Span,
        /// The word that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A rule for nobody.
    ForNobody {
        /// The word.
        verb: Span,
    },
    /// A rule below one for all.
    NeverReached {
        /// The first such rule's word.
        verb: Span,
        /// The word of the rule for all.
        all: Span,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Warning};
        let at = source.problems_at();
        match self {
            Mistake::NoVerb { word, nearest } => {
                let message = format!("{} is no rule", quoted(source.slice(word)));
                let label = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "neither `allow` nor `deny`".to_owned(),
                };
                at(codes::UNRECOGNISED_LINE, Error, &message, word, &label)
            }
            Mistake::ForNobody { verb } => {
                let message = "this rule says nobody";
                at(codes::MISSING, Error, message, verb, "an address, a range or `all` is missing")
            }
            Mistake::NeverReached { verb, all } => {
                let message = "this rule and those below it are never reached";
                at(codes::NEVER_REACHED, Warning, message, verb, "never looked at")
                    .label(&source.file, Some(all), "decides for everybody")
                    .note("the first rule that fits decides")
            }
        }
    }
}

/// Reads the form of a file of rules.
#[must_use]
pub fn parse(text: &str) -> Parse<'_, Mistake> {
    let mut builder = Builder::new(text);
    let mut mistakes = Vec::new();
    let mut all: Option<Span> = None;
    let mut said = false;
    for line in lines(text) {
        builder.piece(TokenKind::Junk, line.mark);
        let (indent, inner, trail) = trimmed(line.body, is_space);
        if inner.is_empty() {
            builder.piece(TokenKind::Space, line.body);
            builder.end_line(LineKind::Blank, line.eol);
            continue;
        }
        builder.piece(TokenKind::Space, indent);
        let (verb, rest) = inner.split_at(inner.find(is_space).unwrap_or(inner.len()));
        let kind = if inner.starts_with('#') {
            builder.token(TokenKind::Comment, inner);
            LineKind::Comment
        } else if VERBS.contains(&verb) {
            let verb = builder.token(TokenKind::Key, verb);
            let (between, value, _) = trimmed(rest, is_space);
            builder.piece(TokenKind::Separator, between);
            let token = builder.token(TokenKind::Value, value);
            builder.entry(Some(verb), token, line.number);
            let verb = builder.span(verb);
            if value.is_empty() {
                mistakes.push(Mistake::ForNobody { verb });
            }
            if let Some(all) = all.filter(|_| !said) {
                said = true;
                mistakes.push(Mistake::NeverReached { verb, all });
            }
            all = all.or((value == "all").then_some(verb));
            LineKind::Entry
        } else {
            let word = builder.token(TokenKind::Error, verb);
            let may = mistakes.len() < Problems::SUGGESTED;
            let meant = may.then(|| suggest::meant(verb, VERBS.into_iter())).flatten();
            let nearest = meant.map(|meant| meant.name);
            mistakes.push(Mistake::NoVerb { word: builder.span(word), nearest });
            builder.piece(TokenKind::Error, rest);
            LineKind::Refused
        };
        builder.piece(TokenKind::Space, trail);
        builder.end_line(kind, line.eol);
    }
    Parse { tree: builder.finish(), mistakes }
}

/// Reads a file of rules: an entry a rule, in their order.
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
        let Some(written) = written(&tree, entry) else { continue };
        section.last_line = written.line;
        // A rule for nobody has been spoken of; an empty text would be an address to the catalogue.
        section.entries.extend(if written.value.is_empty() {
            Some(lookup.unlisted(written))
        } else {
            lookup.entry("", written, &mut seen)
        });
    }
    let document = Document { kind, bare: false, sections: vec![section] };
    Read { document, problems: lookup.problems.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::print;

    fn read_text(text: &str) -> Read {
        assert_eq!(print(&parse(text).tree), text);
        read(FileKind::IpRules, &Source::new("ip-rules", text))
    }

    fn codes_of(text: &str) -> Vec<u16> {
        read_text(text).problems.iter().map(|problem| problem.code.0).collect()
    }

    #[test]
    fn rules_are_read_in_their_order() {
        let text = "# inside\nallow 10.0.0.0/8\nallow\tfd00::1\n  deny 10.1.2.3\ndeny all\n";
        let read = read_text(text);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let entries = &read.document.sections[0].entries;
        let said: Vec<_> = entries.iter().map(|e| (&*e.name, &*e.value)).collect();
        let wanted =
            [("allow", "10.0.0.0/8"), ("allow", "fd00::1"), ("deny", "10.1.2.3"), ("deny", "all")];
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_rule_is_for_an_address_a_range_or_all() {
        for right in ["10.0.0.0/8", "2001:db8::/32", "all"] {
            assert!(codes_of(&format!("allow {right}\n")).is_empty(), "{right}");
        }
        for wrong in ["10.0.0.0/33", "10.0.0", "lab.example.org", "all;", "10.0.0.1 10.0.0.2"] {
            assert_eq!(codes_of(&format!("allow {wrong}\n")), [111], "{wrong}");
        }
        for wrong in ["10.0.0.0/", "10.0.0.0/+8", "fd00::/129"] {
            assert_eq!(codes_of(&format!("allow {wrong}\n")), [111], "{wrong}");
        }
        assert_eq!(codes_of("allow\n"), [113]);
    }

    #[test]
    fn other_lines_are_no_rules() {
        let problems = read_text("alow 10.0.0.1\n").problems;
        assert_eq!(problems[0].labels[0].text, "did you mean `allow`?");
        assert_eq!(codes_of("allow=10.0.0.1\n"), [101]);
    }

    #[test]
    fn nothing_is_reached_below_a_rule_for_all() {
        assert_eq!(codes_of("deny all\nallow 10.0.0.1\nallow 10.0.0.2\n"), [215]);
        assert!(codes_of("allow 10.0.0.1\ndeny all\n").is_empty());
    }
}
