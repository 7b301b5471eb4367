//! What goes wrong in writing records.

use crate::codes;
use crate::error::{Problem, Severity, quoted};
use crate::source::Source;
use crate::span::Span;

/// What goes wrong in writing a file of records, or its bare form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A line that is no field, continuation or comment.
    NotAField {
        /// What stands there.
        at: Span,
    },
    /// An indented line with no field above it.
    NothingAbove {
        /// What stands there.
        at: Span,
    },
    /// A pair or port in column 0 among records.
    NotIndented {
        /// What stands there.
        at: Span,
        /// The field that it would be with a `:` for its `=`.
        field: Option<&'static str>,
    },
    /// The first field in a file of bare lines.
    FieldAmongBare {
        /// What stands there.
        at: Span,
        /// The line that made the file, or this record of it, one of bare lines.
        first: Span,
        /// Whether it is a matter of this record only.
        of_record: bool,
    },
    /// A second record without a blank line before it.
    RunsOn {
        /// The name of its first field.
        at: Span,
        /// The same field of the record that it runs into.
        first: Span,
    },
    /// A line of blanks between records, where only an empty one separates.
    BlanksOnly {
        /// The line.
        at: Span,
    },
    /// A continuation line that looks like a field.
    LooksLikeField {
        /// What stands there.
        at: Span,
        /// The field that it looks like.
        field: &'static str,
    },
    /// A further line for a field that has one line.
    OneLine {
        /// What stands there.
        at: Span,
        /// The field.
        field: &'static str,
    },
    /// No `NAME=VALUE` pair.
    NotAPair {
        /// What stands there.
        at: Span,
    },
    /// A pair whose name cannot be a variable's.
    BadVariable {
        /// The name.
        name: Span,
    },
    /// No port.
    NotAPort {
        /// What stands there.
        at: Span,
    },
    /// A field that the record needs.
    Missing {
        /// The record's first field.
        record: Span,
        /// The field.
        field: &'static str,
        /// What the record stands for: a mount, a version, a notice.
        noun: &'static str,
        /// The type of mount that needs it; none = every one does.
        mount: Option<&'static str>,
        /// Whether the record has the fields of the older form without `MountType`.
        old_form: bool,
    },
    /// A field that this type of mount does not have.
    NotOfThisMount {
        /// Its name.
        name: Span,
        /// The type.
        mount: &'static str,
    },
}

impl Mistake {
    /// The mistake as a problem of its file.
    #[must_use]
    pub fn problem(self, source: &Source) -> Problem {
        use Severity::{Error, Warning};
        let at = source.problems_at();
        match self {
            Mistake::NotAField { at: span } => {
                let message = "this line is neither a field nor a comment";
                let problem = at(codes::UNRECOGNISED_LINE, Error, message, span, "no `Key: value`");
                if source.slice(span).contains('=') {
                    problem.help("key and value are separated by `:` in this file")
                } else {
                    problem
                }
            }
            Mistake::NothingAbove { at: span } => {
                let message = "an indented line continues a field, and there is none above";
                at(codes::NOTHING_TO_CONTINUE, Error, message, span, "nothing to continue")
                    .help("begin a field in the first column")
            }
            Mistake::NotIndented { at: span, field } => {
                let message = "this line is no field; further lines of a value are indented";
                let problem =
                    at(codes::NOT_INDENTED, Error, message, span, "begins in the first column");
                match field {
                    Some(field) => problem.help(format!("for a field write `{field}: ...`")),
                    None => problem
                        .help("indent it below its field, or write the whole file as bare lines"),
                }
            }
            Mistake::FieldAmongBare { at: span, first, of_record: true } => {
                let message = "a field in a list of paths";
                at(codes::FIELD_AMONG_BARE, Warning, message, span, "taken for a path, and skipped")
                    .label(&source.file, Some(first), "the list begins here")
                    .help("put an empty line between the list and a record")
            }
            Mistake::FieldAmongBare { at: span, first, of_record: false } => {
                let message = "a field among bare lines";
                let label = "no field in a file of bare lines";
                at(codes::FIELD_AMONG_BARE, Error, message, span, label)
                    .label(&source.file, Some(first), "the file begins with this bare line")
                    .help("write the whole file in one of the two forms")
            }
            Mistake::RunsOn { at: span, first } => {
                let message = "no blank line before this record";
                let label = "read as part of the record above";
                at(codes::RECORDS_RUN_TOGETHER, Warning, message, span, label)
                    .label(&source.file, Some(first), "the first one wins")
                    .note("fields that the record above has already are lost")
                    .help("separate records by a blank line")
            }
            Mistake::BlanksOnly { at: span } => {
                let message = "a line of blanks does not separate records in this file";
                at(codes::RECORDS_RUN_TOGETHER, Warning, message, span, "not empty")
                    .help("remove the blanks")
            }
            Mistake::LooksLikeField { at: span, field } => {
                let message = "an indented line is never a field";
                let label = format!("part of the value above, not `{field}`");
                at(codes::LOOKS_LIKE_FIELD, Error, message, span, &label)
                    .help("begin the field in the first column")
            }
            Mistake::OneLine { at: span, field } => {
                let message = format!("`{field}` takes one line");
                at(codes::WRONG_VALUE, Error, &message, span, "a second line of it")
            }
            Mistake::NotAPair { at: span } => {
                let message = "this is no `NAME=VALUE` pair";
                let problem = at(codes::BAD_PAIR, Error, message, span, "no `=`");
                comment_help(problem, source.slice(span))
            }
            Mistake::BadVariable { name } => {
                let text = source.slice(name);
                let message = format!("{} cannot name a variable", quoted(text));
                let label = "letters, digits and `_`, no digit first";
                let problem = at(codes::BAD_PAIR, Error, &message, name, label);
                if text.starts_with("export ") {
                    problem.help("write the pair without `export`")
                } else {
                    comment_help(problem, text)
                }
            }
            Mistake::NotAPort { at: span } => {
                let message = "this is no port";
                let label = "a number from 1 to 65535 is needed";
                let problem = at(codes::BAD_PORT, Error, message, span, label);
                let text = source.slice(span);
                if text.contains([',', ' ']) && !text.starts_with('#') {
                    problem.help("write one port a line, further ones indented")
                } else {
                    comment_help(problem, text)
                }
            }
            Mistake::Missing { record, field, noun, mount, old_form } => {
                let message = match mount {
                    Some(mount) => format!("a mount of type {mount} needs `{field}`"),
                    None => format!("this {noun} has no `{field}`"),
                };
                // Without a mount sessions break; a version or notice is passed over.
                let severity = if noun == "mount" { Error } else { Warning };
                let label = format!("this record has no `{field}`");
                let problem = at(codes::MISSING, severity, &message, record, &label);
                if old_form {
                    problem
                        .note("an older form took Host and Path for NFS")
                        .help("add MountType: NFS")
                } else {
                    problem
                }
            }
            Mistake::NotOfThisMount { name, mount } => {
                let shown = quoted(source.slice(name));
                let message = format!("{shown} is no field of a mount of type {mount}");
                at(codes::FIELD_IGNORED, Warning, &message, name, "ignored")
            }
        }
    }
}

fn comment_help(problem: Problem, text: &str) -> Problem {
    if text.starts_with('#') {
        problem.help("`#` makes a comment in the first column only")
    } else {
        problem
    }
}
