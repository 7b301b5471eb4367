//! The catalogue: every option of every file that is known, what it means and what is done with it.
//!
//! Data only. The rows stand in `catalogue/<file>.toml`, are checked and compiled into static tables by
//! `build.rs`, and are read by `check`, `plan`, the manual and the tests alike. Who looks options up
//! while reading a file is [`crate::lookup`].
//!
//! The public list of the product's options is incomplete (open-questions.md A), so a name that is
//! missing here may still exist.

use crate::suggest::{self, Meant};
use crate::value::{
    self, AddressForm, Separator, SizeUnit, TimeUnit, Value, ValueError, ValueKind,
};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// When a change of an option takes effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// At once, touching no session.
    Live,
    /// When a session starts next; running ones are outdated until then.
    NextStart,
    /// Running sessions have to be restarted for it.
    SessionRestart,
    /// The engine has to be restarted for it.
    DaemonRestart,
}

impl Effect {
    /// The word in the catalogue and in plans.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Effect::Live => "live",
            Effect::NextStart => "next-start",
            Effect::SessionRestart => "session-restart",
            Effect::DaemonRestart => "daemon-restart",
        }
    }
}

/// What the engine does with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It does what it says, and a test proves it.
    Acts {
        /// The name of that test's function.
        test: &'static str,
    },
    /// It is going to.
    Arrives {
        /// Where: an issue or a step of the roadmap.
        issue: &'static str,
    },
    /// It is understood and has no meaning here.
    Accepted {
        /// Why it has none.
        why: &'static str,
    },
    /// It is understood and not done.
    Unsupported {
        /// Why not.
        why: &'static str,
    },
}

impl State {
    /// The word in the catalogue.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Acts { .. } => "acts",
            State::Arrives { .. } => "arrives",
            State::Accepted { .. } => "accepted",
            State::Unsupported { .. } => "unsupported",
        }
    }
}

/// What the incumbent product itself must do to take a change up (product.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Incumbent {
    /// Restart its services.
    Restart,
    /// Reload its server.
    Reload,
    /// Reload its launcher.
    LauncherReload,
    /// Nothing: new sessions see it.
    NewSession,
    /// Nothing: it looks at once.
    Immediate,
    /// Not established; to be reckoned with as a restart, and to be marked as not proven.
    Unknown,
}

impl Incumbent {
    /// The word in the catalogue and in plans.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Incumbent::Restart => "restart",
            Incumbent::Reload => "reload",
            Incumbent::LauncherReload => "launcher-reload",
            Incumbent::NewSession => "new-session",
            Incumbent::Immediate => "immediate",
            Incumbent::Unknown => "unknown",
        }
    }
}

/// One option of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionRow {
    /// The file's name in a configuration directory.
    pub file: &'static str,
    /// The section, `record` in files of records, empty in flat files.
    pub section: &'static str,
    /// The option's name, in its own spelling.
    pub name: &'static str,
    /// The type of its value.
    pub kind: ValueKind,
    /// Its default; none where it is not established or computed.
    pub default: Option<&'static str>,
    /// The words it takes: all there are for a word or the items of a list, in place of a value for other
    /// types. A word in angle brackets stands for any text.
    pub values: &'static [&'static str],
    /// Smallest number allowed.
    pub min: Option<i64>,
    /// Largest number allowed.
    pub max: Option<i64>,
    /// Whether it may stand several times.
    pub repeatable: bool,
    /// Whether the product needs it.
    pub required: bool,
    /// When a change takes effect here.
    pub effect: Effect,
    /// What is done with it here.
    pub state: State,
    /// Whether it restricts who gets in: one that is set and does not act is an error (design.md §5).
    pub narrows_access: bool,
    /// What the incumbent must do to take a change up.
    pub incumbent: Incumbent,
    /// The product's release that brought it, where known.
    pub since: Option<&'static str>,
    /// It is out of use: what to do instead.
    pub deprecated: Option<&'static str>,
    /// The product takes it on the command line only; in the file it is an unknown option.
    pub command_line: bool,
    /// What it is for, in one sentence.
    pub summary: &'static str,
    /// What else is known about it.
    pub note: Option<&'static str>,
    /// Where all this is read.
    pub source: &'static str,
}

impl OptionRow {
    /// Reads a value of this option's type.
    ///
    /// One of the option's own words in place of a number, path or the like is answered as
    /// [`Value::Word`]. An empty text is a value for text, path, address, URL and list; for the other
    /// types it is [`ValueError::Empty`] (files.md A; the reader of options takes an empty switch for
    /// on, and says so before it gets here).
    ///
    /// # Errors
    /// A [`ValueError`] that says why the text does not fit.
    pub fn parse_value(&self, text: &str) -> Result<Value, ValueError> {
        if self.kind != ValueKind::Word && self.values.contains(&text) {
            return Ok(Value::Word(text.into()));
        }
        let (min, max) = (self.min.unwrap_or(i64::MIN), self.max.unwrap_or(i64::MAX));
        match self.kind {
            ValueKind::Bool if text.is_empty() => Err(ValueError::Empty),
            ValueKind::Bool => value::parse_bool(text).map(Value::Bool),
            ValueKind::Int => value::parse_int(text, min, max).map(Value::Int),
            ValueKind::Decimal => value::parse_decimal(text).map(Value::Decimal),
            ValueKind::Duration(unit) => value::parse_count(text, unit.millis(), min, max)
                .map(|ms| Value::Duration(value::Millis(ms))),
            ValueKind::Size(unit) => {
                value::parse_count(text, unit.bytes(), min, max).map(Value::Size)
            }
            ValueKind::Port => {
                let lowest = u16::try_from(min).unwrap_or(1);
                let highest = u16::try_from(max).unwrap_or(u16::MAX);
                value::parse_port(text, lowest, highest).map(Value::Port)
            }
            ValueKind::PortRange => value::parse_port_range(text).map(Value::PortRange),
            ValueKind::Text => Ok(Value::Text(text.into())),
            ValueKind::Account | ValueKind::Group => value::parse_name(text).map(Value::Name),
            ValueKind::Pattern => value::parse_pattern(text).map(Value::Pattern),
            ValueKind::Moment => value::parse_moment(text).map(Value::Moment),
            ValueKind::Path => Ok(Value::Path(text.into())),
            ValueKind::Address(form) => value::parse_address(text, form).map(Value::Address),
            ValueKind::List(separator) => self.parse_items(text, separator),
            ValueKind::Word => value::parse_word(text, self.values).map(Value::Word),
            ValueKind::Url => value::parse_url(text).map(Value::Url),
        }
    }

    /// The items of a list; those of a closed set are words of it.
    fn parse_items(&self, text: &str, separator: Separator) -> Result<Value, ValueError> {
        let items = value::parse_list(text, separator);
        if self.values.is_empty() {
            return Ok(Value::List(items));
        }
        let words = items.iter().map(|item| value::parse_word(item, self.values).map(Into::into));
        words.collect::<Result<_, _>>().map(Value::List)
    }

    /// The default in its type; none where it is not established, or computed.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        self.parse_value(self.default?).ok()
    }
}

/// Every row, sorted by file, section and name.
#[must_use]
pub fn all() -> &'static [OptionRow] {
    ROWS
}

/// Where the rows of one section of a file stand among all.
struct SectionRows {
    file: &'static str,
    section: &'static str,
    begin: usize,
    end: usize,
}

/// The rows of a file, sorted by section and name; none for a file that is not in the catalogue.
#[must_use]
pub fn rows(file: &str) -> &'static [OptionRow] {
    let start = SECTIONS.partition_point(|section| section.file < file);
    let sections = SECTIONS[start..].iter().take_while(|section| section.file == file);
    let end = sections.map(|section| section.end).last();
    end.map_or(&[], |end| &ROWS[SECTIONS[start].begin..end])
}

/// The rows of one section of a file, sorted by name.
pub(crate) fn section_rows(file: &str, section: &str) -> &'static [OptionRow] {
    let found = SECTIONS.binary_search_by(|rows| (rows.file, rows.section).cmp(&(file, section)));
    found.map_or(&[], |at| &ROWS[SECTIONS[at].begin..SECTIONS[at].end])
}

/// The row of an option, by its exact name.
#[must_use]
pub fn find(file: &str, section: &str, name: &str) -> Option<&'static OptionRow> {
    named(section_rows(file, section), name)
}

/// Of the rows of one section, the one of an exact name.
pub(crate) fn named(rows: &'static [OptionRow], name: &str) -> Option<&'static OptionRow> {
    rows.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| &rows[at])
}

/// The row of an option whose name is written in any letter case, as in files of records.
#[must_use]
pub fn find_ignoring_case(file: &str, section: &str, name: &str) -> Option<&'static OptionRow> {
    section_rows(file, section).iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// The option of that section whose name a person may have meant.
#[must_use]
pub fn meant(file: &str, section: &str, name: &str) -> Option<Meant<'static>> {
    let names = section_rows(file, section).iter().filter(|row| !row.command_line);
    suggest::meant(name, names.map(|row| row.name))
}

/// The option of that section whose name a person surely meant.
#[must_use]
pub fn nearest(file: &str, section: &str, name: &str) -> Option<&'static str> {
    meant(file, section, name).filter(|meant| meant.sure).map(|meant| meant.name)
}

/// Options of exactly that name elsewhere: in other files, or in other sections of `file`.
pub fn others(name: &str, file: &str, section: &str) -> impl Iterator<Item = &'static OptionRow> {
    let here = (file, section);
    ROWS.iter().filter(move |row| row.name == name && (row.file, row.section) != here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_in_the_catalogue_has_no_rows() {
        assert!(rows("nothing.conf").is_empty());
        assert!(all().len() >= 562);
    }

    #[test]
    fn rows_are_found_by_file_section_and_name() {
        for row in all() {
            assert_eq!(find(row.file, row.section, row.name), Some(row));
        }
        assert_eq!(find("rserver.conf", "", "www-prot"), None);
        assert_eq!(find("launcher.conf", "", "port"), None);
        let row = find_ignoring_case("launcher-env", "record", "ENVIRONMENT");
        assert_eq!(row.map(|row| row.name), Some("Environment"));
    }

    #[test]
    fn near_misses_and_options_of_other_files_are_found() {
        assert_eq!(nearest("rserver.conf", "", "www-prot"), Some("www-port"));
        assert_eq!(nearest("launcher.conf", "cluster", "nmae"), Some("name"));
        let elsewhere: Vec<_> =
            others("balancer", "rserver.conf", "").map(|row| row.file).collect();
        assert_eq!(elsewhere, ["load-balancer"]);
    }

    #[test]
    fn defaults_are_values_of_their_own_type() {
        for row in all() {
            let Some(default) = row.default.filter(|default| !default.is_empty()) else { continue };
            let open = default.contains(['{', '*']) || matches!(row.kind, ValueKind::Path);
            assert!(open || row.parse_value(default).is_ok(), "{} {}", row.file, row.name);
        }
    }

    #[test]
    fn an_option_that_narrows_access_is_never_waved_through() {
        for row in all().iter().filter(|row| row.narrows_access) {
            assert!(!matches!(row.state, State::Accepted { .. }), "{} {}", row.file, row.name);
        }
    }

    #[test]
    fn an_options_own_words_stand_in_for_a_number() {
        let row = find("rserver.conf", "", "auth-minimum-user-id").expect("it is in the catalogue");
        assert_eq!(row.parse_value("auto"), Ok(Value::Word("auto".into())));
        assert_eq!(row.parse_value("500"), Ok(Value::Int(500)));
        let row = find("rserver.conf", "", "www-port").expect("it is in the catalogue");
        assert_eq!(row.parse_value(""), Ok(Value::Word("".into())));
        assert_eq!(row.parse_value("8787"), Ok(Value::Port(8787)));
        assert_eq!(row.parse_value("70000"), Err(ValueError::OutOfRange { min: 1, max: 65535 }));
    }
}
