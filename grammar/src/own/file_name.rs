//! What the name of a file in one of our directories says.
//!
//! One thing is one file and the name is its identity, so a name that cannot be one is a problem of its own.

use std::sync::Arc;

use super::{FILE_NAME, OwnKind};
use crate::error::{Problem, Severity};

/// The longest id of a session.
pub const SESSION_ID_MAX: usize = 40;

/// What a file name in one of our directories means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileName {
    /// Not one of ours: an editor's copy, a README, a hidden file. Not read, not mentioned.
    Ignored,
    /// The thing's name: the file name without `.toml`.
    Named(String),
    /// Meant as one of ours, but it names nothing; the problem says what a name may hold.
    Bad(Problem),
}

/// Judges the name of a file found where files of `kind` live; `shown` is its path as shown to a person.
///
/// Only `[a-z0-9][a-z0-9._-]*.toml` counts (design.md 6); a session's name must be a `SessionId` as well.
#[must_use]
pub fn file_name_problem(kind: OwnKind, file_name: &str, shown: &Arc<str>) -> FileName {
    let Some(stem) = file_name.strip_suffix(".toml").filter(|stem| is_plain_name(stem)) else {
        return FileName::Ignored;
    };
    let bad = |message: String, help: &str| {
        let problem = Problem::new(FILE_NAME, Severity::Error, message);
        FileName::Bad(problem.label(shown, None, "").help(help))
    };
    match kind {
        OwnKind::Wharf if file_name != "wharf.toml" => FileName::Ignored,
        OwnKind::Session if !is_session_id(stem) => bad(
            format!("`{stem}` cannot be the id of a session"),
            "the file's name is the session's id: a-z, 0-9 and `-`, not first, at most 40 characters",
        ),
        OwnKind::Gateway if stem == "auto" => bad(
            "no gateway can be called `auto`".to_owned(),
            "`gateway = \"auto\"` in [publish] means any gateway; give the file another name",
        ),
        _ => FileName::Named(stem.to_owned()),
    }
}

/// Whether this is `[a-z0-9][a-z0-9._-]*`.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether this is `[a-z0-9][a-z0-9-]{0,39}`, the shape of a session's id (design.md 4).
#[must_use]
pub fn is_session_id(name: &str) -> bool {
    is_plain_name(name)
        && name.len() <= SESSION_ID_MAX
        && !name.bytes().any(|byte| matches!(byte, b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(kind: OwnKind, name: &str) -> FileName {
        file_name_problem(kind, name, &Arc::from(format!("/etc/wharf/{name}")))
    }

    fn named(name: &str) -> FileName {
        FileName::Named(name.to_owned())
    }

    #[test]
    fn a_file_name_is_the_name_of_its_thing() {
        assert_eq!(judge(OwnKind::Session, "genomics-lab.toml"), named("genomics-lab"));
        assert_eq!(judge(OwnKind::Node, "node3.example.org.toml"), named("node3.example.org"));
        assert_eq!(judge(OwnKind::Template, "rstudio_small.toml"), named("rstudio_small"));
        assert_eq!(judge(OwnKind::Wharf, "wharf.toml"), named("wharf"));
    }

    #[test]
    fn leftovers_of_editors_and_packages_are_ignored() {
        for name in [
            ".lab.toml",
            "lab.toml~",
            "#lab.toml#",
            ".lab.toml.swp",
            "lab.toml.rpmnew",
            "README",
            "Lab.toml",
            "-lab.toml",
            ".toml",
            "toml",
            "läb.toml",
            "",
            "a b.toml",
            "a/b.toml",
        ] {
            for kind in OwnKind::ALL {
                assert_eq!(judge(kind, name), FileName::Ignored, "{name} as {kind:?}");
            }
        }
        assert_eq!(judge(OwnKind::Wharf, "wharf2.toml"), FileName::Ignored);
    }

    #[test]
    fn a_session_needs_a_name_that_is_an_id() {
        let long = format!("{}.toml", "a".repeat(41));
        for name in ["genomics.lab.toml", "genomics_lab.toml", long.as_str()] {
            let FileName::Bad(problem) = judge(OwnKind::Session, name) else {
                panic!("{name} was taken");
            };
            assert_eq!(problem.code, FILE_NAME);
            assert_eq!(&*problem.labels[0].file, format!("/etc/wharf/{name}"));
            assert!(problem.help.is_some_and(|help| help.contains("at most 40")));
        }
        assert_eq!(
            judge(OwnKind::Session, &format!("{}.toml", "a".repeat(40))),
            named(&"a".repeat(40))
        );
    }

    #[test]
    fn auto_is_not_a_gateway() {
        assert!(matches!(judge(OwnKind::Gateway, "auto.toml"), FileName::Bad(_)));
        assert_eq!(judge(OwnKind::Node, "auto.toml"), named("auto"));
    }
}
