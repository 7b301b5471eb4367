//! The project's own files, for the tests that hold its rules: which there are, and what of a Rust file is code.
//!
//! Reads and tells apart; which rule holds is said by `tests/tidy.rs`. The reading of Rust is as small as that
//! needs: comments, strings, `#[cfg(test)]` items, and the paths that begin in the crate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Directories that are made, not written.
const MADE: [&str; 5] = ["target", ".git", ".cache", "__pycache__", "out"];

/// A file of the project.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the top of the checkout.
    pub path: String,
    /// What is in it; none where it is no text.
    pub text: String,
}

/// The top of the checkout.
#[must_use]
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the project, by path.
///
/// # Panics
/// The checkout cannot be read.
#[must_use]
pub fn all() -> Vec<Source> {
    let mut found = Vec::new();
    walk(&top(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.iter().any(|source| source.path == "Cargo.toml"), "this is no checkout");
    found
}

/// Every Rust file of the project.
#[must_use]
pub fn rust() -> Vec<Source> {
    let mut all = all();
    all.retain(Source::is_rust);
    all
}

/// One file.
///
/// # Panics
/// It is not there.
#[must_use]
#[track_caller]
pub fn read(path: &str) -> Source {
    let found = all().into_iter().find(|source| source.path == path);
    found.unwrap_or_else(|| panic!("no {path}"))
}

/// Fails with all findings at once.
///
/// # Panics
/// There are any.
#[track_caller]
pub fn check(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn walk(dir: &Path, prefix: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
    {
        let entry = entry.expect("the checkout can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("the checkout can be read");
        if kind.is_dir() && !MADE.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file()
            // Of a worktree it is a file.
            && name != ".git"
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            found.push(Source { path, text });
        }
    }
}

impl Source {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is there for tests only.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/tests/") || name == "tests.rs" || name.ends_with("_tests.rs")
    }

    /// Its code: comments are blanks, and so is what stands in strings and characters.
    #[must_use]
    pub fn code(&self) -> String {
        blanked(&self.text, true)
    }

    /// Its code with what stands in strings.
    #[must_use]
    pub fn code_and_strings(&self) -> String {
        blanked(&self.text, false)
    }

    /// Its code without the items that are compiled for tests only.
    #[must_use]
    pub fn production(&self) -> String {
        if self.is_test() { String::new() } else { without_tests(&self.code()) }
    }

    /// The module of its crate that it is in: `proxy` for `engine/src/proxy/tunnel.rs`.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        let (_, inside) = self.path.split_once("src/")?;
        inside.split('/').next()?.split('.').next()
    }

    /// What its code names of its own crate from the top: `identity::SignedIn`.
    #[must_use]
    pub fn crate_paths(&self) -> BTreeSet<String> {
        let code = self.production();
        let mut found = BTreeSet::new();
        for (at, _) in code.match_indices("crate::") {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !is_word(c) && c != '$') {
                take_paths(&code[at + "crate::".len()..], "", &mut found);
            }
        }
        found
    }

    /// Whether its code names a crate.
    #[must_use]
    pub fn names_crate(&self, name: &str) -> bool {
        let code = self.production();
        code.match_indices(name).any(|(at, _)| {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let head = before.strip_suffix("::").unwrap_or(before);
            let from_the_top = !head.ends_with(|c| is_word(c) || c == ':' || c == '>');
            let imported = before.ends_with("use ") && after.starts_with(';');
            from_the_top && (after.starts_with("::") || imported)
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths at the beginning of `code`; of a group each, one level deep.
fn take_paths(code: &str, prefix: &str, found: &mut BTreeSet<String>) {
    if let Some(group) = code.strip_prefix('{') {
        let mut depth = 0_u32;
        let mut begin = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    take_paths(group[begin..at].trim(), prefix, found);
                    begin = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let end = code.find(|c| !is_word(c) && c != ':').unwrap_or(code.len());
    let path = code[..end].trim_end_matches(':');
    if !path.is_empty() {
        found.insert(format!("{prefix}{path}"));
    }
}

/// `text` with comments as blanks and, where asked, what stands in strings too. Lines stay lines.
fn blanked(text: &str, strings: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let (end, blank) = if rest.starts_with("//") {
            (at + rest.find('\n').unwrap_or(rest.len()), at..usize::MAX)
        } else if rest.starts_with("/*") {
            (at + block_comment(rest), at..usize::MAX)
        } else if let Some((open, close)) = raw_string(rest).filter(|_| !follows_word(text, at)) {
            let inside = at + open;
            let end = text[inside..].find(&close).map_or(text.len(), |end| inside + end);
            (end + close.len(), inside..end)
        } else if rest.starts_with('"') {
            let end = at + quoted(rest, b'"');
            (end, at + 1..end - 1)
        } else if let Some(length) = character(rest) {
            (at + length, at + 1..at + length - 1)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let end = end.min(bytes.len());
        if strings || blank.end == usize::MAX {
            for byte in &mut out[blank.start..blank.end.min(end)] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters were replaced")
}

fn follows_word(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_some_and(is_word)
}

/// Length of the block comment at the beginning; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Where the inside of the raw string at the beginning starts, and what ends it.
fn raw_string(text: &str) -> Option<(usize, String)> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    after[hashes..]
        .starts_with('"')
        .then(|| (text.len() - after.len() + hashes + 1, format!("\"{}", "#".repeat(hashes))))
}

/// Length of the quoted text at the beginning, its quotes with it.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Length of the character literal at the beginning; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return Some(quoted(text, b'\''));
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

/// `code` without the items behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let mut depth = 0_u32;
        let end = item.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && matches!(c, ';' | '}')).then_some(at + 1)
        });
        rest = &item[end.unwrap_or(item.len())..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "a(\"b // \\\" c\"); // d\n/* e /* f */ g */ h('\"', r#\"i \" j\"#, 'k') // 'l\nm::<'n>()";
        let code = source("x.rs", text).code();
        let words: Vec<&str> =
            code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        assert_eq!(words, ["a", "h", "r", "m", "n"]);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(source("x.rs", text).code_and_strings().contains("i \" j"));
    }

    #[test]
    fn what_is_compiled_for_tests_is_left_out() {
        let text = "use a;\n#[cfg(test)]\nmod tests { fn x() { y() } }\nuse b;\n#[cfg(test)]\nmod more;\nuse c;";
        let code = source("x.rs", text).production();
        assert!(["use a", "use b", "use c"].iter().all(|part| code.contains(part)), "{code}");
        assert!(!code.contains("mod"), "{code}");
    }

    #[test]
    fn paths_that_begin_in_the_crate_are_found_also_in_groups() {
        let text = "use crate::a::B;\nuse crate::{c, d::{E, F}, g::H};\nlet x = crate::i::j(k);";
        let paths = source("x.rs", text).crate_paths();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        assert_eq!(paths, ["a::B", "c", "d", "g::H", "i::j"]);
    }

    #[test]
    fn a_crate_is_named_from_the_top_only() {
        let names = |text: &str| source("x.rs", text).names_crate("sled");
        assert!(
            names("use sled::Db;") && names("let x = ::sled::open();") && names("f(sled::open())")
        );
        assert!(
            !names("use crate::store::sled::SledStore;")
                && !names("mod sled;")
                && !names("unsled::x")
        );
    }
}
