//! What can be wrong with a file as a file, before anybody reads its text: codes WH0601 to WH0619.
//!
//! Knows nothing of contents; the words are for people, the codes are stable. WH0611 is a rule
//! between files and not here.

use std::sync::Arc;

use grammar::error::{Code, Problem, Severity};
use grammar::kind::FileKind;
use grammar::suggest::nearest;

use super::MAX_FILE_BYTES;

/// A file that was found and that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    /// Its path as shown.
    pub file: Arc<str>,
    /// What is odd about it.
    pub kind: StrayKind,
}

/// Why nobody reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrayKind {
    /// One of ours in a Workbench directory that is not self-contained: there is no precedence
    /// between two places, so it is an error (product.md §4, rule 4).
    OwnInWorkbench,
    /// A `.toml` in one of our directories whose name is none that is read.
    OddName,
    /// A file in a Workbench directory that is no kind we read; the catalogue may know it.
    Unread,
    /// The product knows it; here it has no meaning ([`grammar::kind::WITHOUT_MEANING`]).
    WithoutMeaning,
}

/// A file or directory that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileProblem {
    /// Its path as shown.
    pub file: Arc<str>,
    /// What is wrong with it.
    pub kind: FileProblemKind,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileProblemKind {
    /// It is a FIFO, a device, a socket or a directory: this word says which.
    NotRegular(&'static str),
    /// It has more than [`MAX_FILE_BYTES`].
    TooBig {
        /// How many it has.
        bytes: u64,
    },
    /// Its bytes are not UTF-8 from here on.
    NotUtf8 {
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// This account may not read it.
    Denied,
    /// A symbolic link whose target does not exist.
    Dangling,
    /// It was there and was gone when it was opened, again and again.
    Vanished,
    /// It does not exist though it has to be there: the directory is self-contained, or the set in force has it.
    Gone,
    /// The system's words for why not.
    Unreadable(String),
    /// A directory that was named does not exist.
    DirectoryMissing,
    /// A directory could not be read, in the system's words.
    DirectoryUnreadable(String),
    /// It is empty, and said something in the set in force.
    Emptied,
    /// A directory that a file system was mounted on when the set in force was read; none is now, and it is empty.
    Unmounted,
}

impl FileProblemKind {
    /// One line without the file's name: the reason of a [`Known::Unknown`](crate::known::Known).
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::NotRegular(what) => format!("is a {what}, not a regular file"),
            Self::TooBig { bytes } => format!("has {bytes} bytes, more than {MAX_FILE_BYTES}"),
            Self::NotUtf8 { line, column } => format!("is not UTF-8 at {line}:{column}"),
            Self::Denied => "permission denied".to_owned(),
            Self::Dangling => "is a symbolic link to a file that does not exist".to_owned(),
            Self::Vanished => "vanishes and comes back while it is read".to_owned(),
            Self::Gone => "is gone, and has to be there".to_owned(),
            Self::Unreadable(reason) => format!("cannot be read: {reason}"),
            Self::DirectoryMissing => "the directory does not exist".to_owned(),
            Self::DirectoryUnreadable(reason) => format!("the directory cannot be read: {reason}"),
            Self::Emptied => "is empty, and said something before".to_owned(),
            Self::Unmounted => {
                "the directory is empty, and nothing is mounted on it any more".to_owned()
            }
        }
    }

    /// The stable code of this kind of problem.
    #[must_use]
    pub fn code(&self) -> Code {
        Code(match self {
            Self::NotRegular(_) => 601,
            Self::TooBig { .. } => 602,
            Self::NotUtf8 { .. } => 603,
            Self::Denied => 604,
            Self::Unreadable(_) => 605,
            Self::Vanished => 606,
            Self::Dangling => 607,
            Self::DirectoryMissing => 608,
            Self::DirectoryUnreadable(_) => 609,
            Self::Gone => 613,
            Self::Unmounted => 618,
            Self::Emptied => 619,
        })
    }

    fn help(&self) -> &'static str {
        match self {
            Self::NotRegular(_) => "put a regular file, or a symbolic link to one, in its place",
            Self::TooBig { .. } => "configuration files end at 8 MiB; is it the right file?",
            Self::NotUtf8 { .. } => "save it as UTF-8; a text in Latin-1 has to be converted",
            Self::Denied => "run as an account that may read it, or change its mode",
            Self::Dangling => "create the target, or remove the link",
            Self::Vanished => "something removes and writes it all the time; write it by rename",
            Self::Gone => "put it back; if it is to say nothing, one with a comment in it will do",
            Self::Unreadable(_) => "the files in force stay until it can be read",
            Self::DirectoryMissing => "a directory that is gone is never read as \"no files\"",
            Self::DirectoryUnreadable(_) => "the files in force stay until it can be read",
            Self::Emptied => {
                "write it anew; if it is to say nothing from now on, write a comment into it"
            }
            Self::Unmounted => {
                "mount it; if it is to be empty from now on, put any file into it that nobody reads (`.empty`)"
            }
        }
    }
}

impl FileProblem {
    /// As a problem to show. `denied` is how bad a refused permission is: a note for `check` as an
    /// ordinary user ("not read is not wrong"), an error for `serve` (product.md §6).
    #[must_use]
    pub fn problem(&self, denied: Severity) -> Problem {
        let severity = match self.kind {
            FileProblemKind::Denied => denied,
            _ => Severity::Error,
        };
        Problem::new(self.kind.code(), severity, self.kind.reason())
            .label(&self.file, None, "")
            .help(self.kind.help())
    }
}

impl Stray {
    /// As a problem to show; files that the catalogue may know are none.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        match self.kind {
            StrayKind::OwnInWorkbench => Some(
                Problem::new(Code(610), Severity::Error, "a file of ours in a Workbench directory")
                    .label(&self.file, None, "")
                    .note("ours are read in one place only; there is no precedence between two")
                    .help("move it to the directory of our own files; a directory that holds a wharf.toml is self-contained where it is given"),
            ),
            StrayKind::OddName => Some(
                Problem::new(Code(612), Severity::Warning, "nobody reads a file of this name")
                    .label(&self.file, None, "")
                    .help("names are a-z, 0-9, `.`, `_` and `-`, begin with a letter or digit, and end in .toml"),
            ),
            StrayKind::Unread => self.misnamed(),
            StrayKind::WithoutMeaning => None,
        }
    }

    /// A name that is almost one of a file that is read is a slip, and nothing says so at run time.
    fn misnamed(&self) -> Option<Problem> {
        let name = self.name();
        let names = FileKind::ALL.iter().map(|kind| kind.file_name());
        let nearest = nearest(name, names)?;
        let label = format!("did you mean `{nearest}`?");
        Some(
            Problem::new(Code(615), Severity::Warning, "nobody reads a file of this name")
                .label(&self.file, None, label),
        )
    }

    /// The name in its directory.
    fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

/// What is in the directories and not read, in a note for each sort: nothing is wrong with it.
pub(super) fn notes(stray: &[Stray]) -> Vec<Problem> {
    let sort = |kind, code, message: &str| {
        let of_kind = stray.iter().filter(|stray| stray.kind == kind && stray.problem().is_none());
        let all: Vec<&Stray> = of_kind.collect();
        let first = all.first()?;
        let names: Vec<&str> = all.iter().take(SHOWN).map(|stray| stray.name()).collect();
        let more = all.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let problem = Problem::new(Code(code), Severity::Note, message);
        let dir = first.file.rsplit_once('/').map_or(".", |(dir, _)| dir);
        Some(problem.label(&Arc::from(dir), None, format!("{}{more}", names.join(", "))))
    };
    let unread = sort(StrayKind::Unread, 614, "these files are not read as configuration");
    let known = sort(
        StrayKind::WithoutMeaning,
        616,
        "these belong to the product, and have no meaning here",
    );
    unread.into_iter().chain(known).collect()
}

/// More names than this are counted.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_permission_is_as_bad_as_the_caller_says_and_everything_else_an_error() {
        let severity =
            |kind, denied| FileProblem { file: Arc::from("f"), kind }.problem(denied).severity;
        assert_eq!(severity(FileProblemKind::Denied, Severity::Note), Severity::Note);
        assert_eq!(severity(FileProblemKind::Denied, Severity::Error), Severity::Error);
        assert_eq!(severity(FileProblemKind::Vanished, Severity::Note), Severity::Error);
    }

    #[test]
    fn only_strays_that_the_catalogue_may_know_are_no_problem() {
        let severity = |kind| {
            let problem = Stray { file: Arc::from("f"), kind }.problem();
            problem.map(|problem| problem.severity)
        };
        assert_eq!(severity(StrayKind::OwnInWorkbench), Some(Severity::Error));
        assert_eq!(severity(StrayKind::OddName), Some(Severity::Warning));
        assert_eq!(severity(StrayKind::Unread), None);
        assert_eq!(severity(StrayKind::WithoutMeaning), None);
    }

    #[test]
    fn a_name_that_is_almost_right_is_a_slip_and_other_names_are_notes() {
        let stray = |name: &str, kind| Stray { file: Arc::from(format!("/c/{name}")), kind };
        let slip = stray("rserver.cnf", StrayKind::Unread);
        let problem = slip.problem().expect("it is almost right");
        assert_eq!(problem.labels[0].text, "did you mean `rserver.conf`?");
        let all = [
            slip,
            stray("themes", StrayKind::WithoutMeaning),
            stray("notes.txt", StrayKind::Unread),
            stray("old", StrayKind::Unread),
        ];
        let said: Vec<_> = notes(&all).into_iter().map(|note| (note.code.0, note.labels)).collect();
        let texts: Vec<_> = said.iter().map(|(code, labels)| (*code, &*labels[0].text)).collect();
        assert_eq!(texts, [(614, "notes.txt, old"), (616, "themes")]);
    }

    #[test]
    fn every_problem_of_a_file_says_what_is_wrong_and_what_to_do() {
        use FileProblemKind::{
            Dangling, Denied, DirectoryMissing, DirectoryUnreadable, Emptied, Gone, NotRegular,
            NotUtf8, TooBig, Unmounted, Unreadable, Vanished,
        };
        let io = || "Input/output error".to_owned();
        for (kind, code, reason, help) in [
            (NotRegular("FIFO"), 601, "is a FIFO, not a regular file", "put a regular file"),
            (TooBig { bytes: 9_000_000 }, 602, "has 9000000 bytes, more than 8388608", "8 MiB"),
            (NotUtf8 { line: 3, column: 7 }, 603, "is not UTF-8 at 3:7", "save it as UTF-8"),
            (Denied, 604, "permission denied", "change its mode"),
            (Unreadable(io()), 605, "cannot be read: Input/output error", "files in force stay"),
            (Vanished, 606, "vanishes and comes back", "write it by rename"),
            (Dangling, 607, "a file that does not exist", "create the target"),
            (DirectoryMissing, 608, "the directory does not exist", "never read as \"no files\""),
            (
                DirectoryUnreadable(io()),
                609,
                "the directory cannot be read: Input",
                "in force stay",
            ),
            (Gone, 613, "is gone, and has to be there", "put it back"),
            (Unmounted, 618, "nothing is mounted on it any more", "mount it"),
            (Emptied, 619, "is empty, and said something before", "write it anew"),
        ] {
            let problem = FileProblem { file: Arc::from("f"), kind }.problem(Severity::Error);
            assert_eq!(problem.code, Code(code));
            assert!(problem.message.contains(reason), "{code}: {}", problem.message);
            let said = problem.help.unwrap_or_default();
            assert!(said.contains(help), "{code}: {said}");
        }
    }

    #[test]
    fn of_many_names_the_first_are_listed_and_the_others_counted() {
        let strays = |count: usize| {
            let stray = |n| Stray { file: Arc::from(format!("/c/n{n}")), kind: StrayKind::Unread };
            let all: Vec<_> = (0..count).map(stray).collect();
            notes(&all)[0].labels[0].text.clone()
        };
        assert_eq!(strays(SHOWN), "n0, n1, n2, n3, n4, n5, n6, n7");
        assert_eq!(strays(SHOWN + 3), "n0, n1, n2, n3, n4, n5, n6, n7 and 3 more");
    }
}
