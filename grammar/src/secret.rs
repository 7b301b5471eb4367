//! What must not be shown: names that promise a secret, and secrets inside of values and lines.
//!
//! The one rule that diagnostics, plans and stored settings share. It guesses: files are shown while they are
//! wrong, so a slip in a name (`passwrd`) must not show what stands behind it. Covering too much costs a word in a
//! message; covering too little costs a password. Knows no file and no option but those whose value is a path.

use std::ops::Range;

use crate::catalogue;
use crate::suggest::{self, Candidate};
use crate::value::ValueKind;

/// What is shown instead.
pub const COVER: &str = "(secret)";

/// Parts of a name that promise a secret behind it.
const WORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey"];

/// The same, for names that are near one.
const NEAR: [Candidate<'static>; WORDS.len()] = {
    let mut near = [Candidate::new(""); WORDS.len()];
    let mut at = 0;
    while at < WORDS.len() {
        near[at] = Candidate::new(WORDS[at]);
        at += 1;
    }
    near
};

/// Last words of a name that promise the place of a secret rather than the secret.
const PLACES: [&str; 7] = ["file", "path", "ref", "name", "dir", "url", "id"];

/// The same as the end of a word: `SecretFile`.
const PLACE_ENDS: [&str; 4] = ["file", "path", "ref", "name"];

/// Names of a line that are tried for slips: what a line is about stands first, and a hostile line is long.
const TRIED_FOR_SLIPS: usize = 3;

/// Whether a name says that its value is a secret; a slip of the finger in such a name counts.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let name = folded(name);
    promises(&name) || (!is_place(&name) && name.split('_').any(is_slip))
}

/// A name in lower case, its words separated by `_`.
fn folded(name: &str) -> String {
    let fold = |c: char| if matches!(c, '-' | '.' | ' ') { '_' } else { c.to_ascii_lowercase() };
    name.chars().map(fold).collect()
}

/// Of a name that is folded.
fn promises(name: &str) -> bool {
    (has_word(name.as_bytes()) || name.split('_').any(|word| word == "key")) && !is_place(name)
}

/// Whether one of the words is anywhere in it; one pass.
fn has_word(name: &[u8]) -> bool {
    name.iter().enumerate().any(|(at, first)| {
        matches!(first, b'p' | b's' | b't' | b'c' | b'a')
            && WORDS.iter().any(|word| name[at..].starts_with(word.as_bytes()))
    })
}

fn is_place(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or_default();
    PLACES.contains(&last) || PLACE_ENDS.iter().any(|end| last.ends_with(end))
}

fn is_slip(word: &str) -> bool {
    word.len() > 3 && suggest::is_near(word, &NEAR)
}

/// The part of a value that must not be shown, whatever its name: the password in a URL, `--token=...`.
#[must_use]
pub fn in_value(value: &str) -> Option<Range<usize>> {
    named(value, &['=', ':']).or_else(|| in_url(value))
}

/// The part of a line that must not be shown, if there is one.
#[must_use]
pub fn in_line(line: &str) -> Option<Range<usize>> {
    named(line, &['=', ':', ' ', '\t']).or_else(|| in_url(line))
}

/// What stands behind the first name that promises a secret and one of `separators`. Looks at each name once.
fn named(line: &str, separators: &[char]) -> Option<Range<usize>> {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut rest = line;
    let mut tried = 0;
    while let Some(start) = rest.find(is_name_char) {
        let name_and_behind = &rest[start..];
        let end = name_and_behind.find(|c| !is_name_char(c)).unwrap_or(name_and_behind.len());
        let (name, behind) = name_and_behind.split_at(end);
        // A key may be quoted.
        let open = behind.trim_start_matches(['"', '\'']);
        let value = open.trim_start();
        let value = value.strip_prefix(['=', ':']).map_or(value, str::trim_start);
        let separated = match open.trim_start_matches([' ', '\t']).chars().next() {
            Some('=' | ':') => true,
            _ => open.starts_with(separators),
        };
        if separated && !value.is_empty() {
            tried += 1;
            let promised = promises(&folded(name)) || (tried <= TRIED_FOR_SLIPS && is_name(name));
            if promised && !is_path(name, value) {
                return Some(line.len() - value.len()..line.trim_end().len());
            }
        }
        rest = behind;
    }
    None
}

/// Whether the catalogue says that such a value is the path of the secret: `ssl-certificate-key=/etc/...`.
fn is_path(name: &str, value: &str) -> bool {
    value.starts_with('/')
        && catalogue::all().iter().any(|row| row.name == name && row.kind == ValueKind::Path)
}

/// The password in `scheme://user:password@host`.
fn in_url(text: &str) -> Option<Range<usize>> {
    let start = text.find("://")? + 3;
    let host = &text[start..];
    let end = host.find(['/', ' ', '\t']).unwrap_or(host.len());
    // A password with a slash in it is no URL, and is written all the same.
    let at = host[..end].rfind('@').or_else(|| host.split([' ', '\t']).next()?.rfind('@'))?;
    let colon = host[..at].find(':')?;
    (colon + 1 < at).then(|| start + colon + 1..start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_by_slips_in_them() {
        for secret in [
            "MODEL_KEY",
            "password",
            "DB_PASSWORD",
            "API_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "passwrd",
            "pasword",
            "DB_PASWORD",
            "api-tokn",
            "signing-key",
            "key",
            "apiKey",
            "SSH_PASSPHRASE",
            "credentials",
            "PASSWORD_VALID",
        ] {
            assert!(is_name(secret), "{secret}");
        }
        for plain in [
            "LC_ALL",
            "KEYBOARD",
            "SSL_KEY_FILE",
            "MONKEY",
            "PATH",
            "secure-cookie-key-file",
            "SecretFile",
            "AWS_ACCESS_KEY_ID",
            "TOKEN_URL",
            "port",
            "workbench",
            "www-port",
            "",
        ] {
            assert!(!is_name(plain), "{plain}");
        }
    }

    #[track_caller]
    fn check(line: &str, hidden: Option<&str>) {
        assert_eq!(in_line(line).map(|range| &line[range]), hidden, "{line}");
    }

    #[test]
    fn what_stands_behind_such_a_name_is_the_secret() {
        check("password=hunter2", Some("hunter2"));
        check("  MODEL_KEY = a b ", Some("a b"));
        check("Environment: MODEL_KEY=a OTHER=b", Some("a OTHER=b"));
        check("password hunter2", Some("hunter2"));
        check("\"API_TOKEN\" = [\"x\"]", Some("[\"x\"]"));
        check("\"=TOKEN\" = \"x\"", Some("\"x\""));
        check("passwrd=hunter2", Some("hunter2"));
        check("password=/hunter2", Some("/hunter2"));
        check("args = [\"--token=abc\"]", Some("abc\"]"));
        for open in [
            "SecretFile: /etc/ceph",
            "www-root-path=/token/x",
            "ssl-certificate-key=/a",
            "password=",
            "www-port=1",
        ] {
            check(open, None);
        }
    }

    #[test]
    fn a_password_in_a_url_is_a_secret_wherever_it_stands() {
        check("uri=postgresql://u:p@h/d", Some("p"));
        check("uri=postgresql://u:p/q@h/d", Some("p/q"));
        check("uri=https://h:8787/a", None);
        assert_eq!(in_value("postgresql://u:p@h/d"), Some(15..16));
        assert_eq!(in_value("--token=abc"), Some(8..11));
        assert_eq!(in_value("our secret laboratory"), None);
    }

    #[test]
    fn a_hostile_line_is_looked_at_in_no_time() {
        assert_eq!(in_line(&"aaaaa=".repeat(1 << 17)), None);
    }
}
