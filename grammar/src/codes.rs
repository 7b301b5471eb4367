//! The stable numbers of the problems that the files' own readers find.
//!
//! `01xx`: the form of a file and the names in it; `02xx`: silent traps, things that are accepted and
//! do not do what they look like. Rules over several files have theirs elsewhere. A number is never
//! given a second meaning.

use crate::error::Code;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code($number);)+

        /// Every code of this module with what it means.
        pub const ALL: &[(Code, &str)] = &[$(($name, concat!($($doc),+)),)+];
    };
}

codes! {
    /// A line that is nothing the reader knows, such as one without `=`.
    UNRECOGNISED_LINE = 101;
    /// A section's header in a file without sections, or a section the file does not have.
    UNKNOWN_SECTION = 102;
    /// A name is missing before `=`.
    NO_NAME = 103;
    /// The file begins with a byte order mark, which no reader removes.
    BYTE_ORDER_MARK = 104;
    /// The file is not text: bytes that are no UTF-8, or a NUL.
    NOT_TEXT = 105;
    /// A section's header without its closing bracket.
    OPEN_HEADER = 106;
    /// An unknown option whose name is close to a known one.
    UNKNOWN_OPTION = 107;
    /// An option of another file or section.
    OTHER_FILE = 108;
    /// An option that our catalogue does not have; the public lists are incomplete.
    NOT_IN_CATALOGUE = 109;
    /// An option or section that stands twice.
    DUPLICATE = 110;
    /// A value that is not of its option's type.
    WRONG_VALUE = 111;
    /// A flag of the command line in a file.
    COMMAND_LINE_ONLY = 112;
    /// A field or option that is needed is missing.
    MISSING = 113;
    /// An option that is out of use.
    DEPRECATED = 114;
    /// An entry before the first section.
    OUTSIDE_SECTION = 115;
    /// Two clusters of one name.
    SAME_CLUSTER = 116;
    /// An indented line with no field above that it could continue.
    NOTHING_TO_CONTINUE = 117;
    /// A line of an environment that is no `NAME=VALUE` pair.
    BAD_PAIR = 118;
    /// A line of ports that is no port.
    BAD_PORT = 119;
    /// A pair or port that is not indented, in a file of records.
    NOT_INDENTED = 120;
    /// A field in a file of bare lines.
    FIELD_AMONG_BARE = 121;
    /// A quoted value that is no JSON string.
    BAD_QUOTES = 122;
    /// A section's header without a name.
    NAMELESS_SECTION = 123;
    /// More problems than are listed.
    NOT_LISTED = 199;

    /// A later value that is ignored because the first wins.
    FIRST_WINS = 201;
    /// A `#` that starts no comment in this file.
    NO_COMMENTS = 202;
    /// A line that is passed over without a word.
    LINE_IGNORED = 203;
    /// Two records without a blank line between them.
    RECORDS_RUN_TOGETHER = 204;
    /// A `#` that cuts a value short.
    CUT_SHORT = 205;
    /// A continuation line that looks like a field.
    LOOKS_LIKE_FIELD = 206;
    /// Quotes that are part of the value.
    LITERAL_QUOTES = 207;
    /// An empty value that turns a switch on.
    EMPTY_IS_ON = 208;
    /// A section that is no longer read.
    SECTION_IGNORED = 209;
    /// Options that another one makes meaningless.
    OVERRIDDEN = 210;
    /// A word whose meaning to the product is not established.
    NOT_PROVEN = 211;
    /// A field that does not go with the record's type.
    FIELD_IGNORED = 212;
    /// Two clusters of one type, one without a file of its own.
    SHARED_SETTINGS = 213;
    /// A section that is more general than one above it.
    SECTION_ORDER = 214;
    /// A rule below one that decides for everybody.
    NEVER_REACHED = 215;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn no_number_has_two_meanings() {
        let numbers: BTreeSet<_> = ALL.iter().map(|(code, _)| code).collect();
        assert_eq!(numbers.len(), ALL.len());
    }
}
