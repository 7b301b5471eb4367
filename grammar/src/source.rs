//! One file's text as it was read.
//!
//! Opens nothing: whoever reads files hands the bytes in. Which kinds of files there are stands in
//! [`crate::kind`].

use std::sync::{Arc, OnceLock};

use crate::codes;
use crate::error::{Code, Problem, Problems, Severity};
pub use crate::kind::FileKind;
use crate::span::{LineIndex, Span};

/// A text with its shown name and its line starts.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as shown to a person.
    pub file: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Where its lines start.
    pub lines: LineIndex,
    /// Its hash, for whoever tells texts apart by one: made once, whatever copies there are.
    hash: Arc<OnceLock<[u8; 32]>>,
}

impl Source {
    /// Takes a text in.
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let (file, lines) = (file.into(), LineIndex::new(&text));
        Self { file, lines, text, hash: Arc::default() }
    }

    /// The hash of its text, by `hash` where nobody has asked before: always call it with the same one.
    #[must_use]
    pub fn hash_by(&self, hash: impl FnOnce(&[u8]) -> [u8; 32]) -> &[u8; 32] {
        self.hash.get_or_init(|| hash(self.text.as_bytes()))
    }

    /// Whether it is the same file with the same text; costs nothing where both share their text.
    #[must_use]
    pub fn is(&self, other: &Source) -> bool {
        self.file == other.file && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }

    /// The text of a place; empty for a place outside of it.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Makes problems that stand at a place of this text: code, severity, message, place, what stands there.
    pub(crate) fn problems_at(&self) -> impl Fn(Code, Severity, &str, Span, &str) -> Problem {
        |code, severity, message, span, text| {
            Problem::new(code, severity, message).label(&self.file, Some(span), text)
        }
    }
}

/// Takes the bytes of a file in.
///
/// # Errors
/// A problem with the line and column of the first byte that is not UTF-8.
pub fn decode(file: impl Into<Arc<str>>, bytes: &[u8]) -> Result<Source, Problem> {
    let file = file.into();
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(file, text)),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            let lines = good.split(|&byte| byte == b'\n');
            let (line, last) = lines.enumerate().last().unwrap_or_default();
            let column = String::from_utf8_lossy(last).chars().count() + 1;
            let byte = bad.first().copied().unwrap_or_default();
            let place = format!("byte 0x{byte:02x} at line {}, column {column}", line + 1);
            let problem = Problem::new(codes::NOT_TEXT, Severity::Error, "this file is not UTF-8");
            Err(problem.label(&file, None, place).help("convert it, for example with iconv"))
        }
    }
}

/// Notes what no reader can make sense of: a byte order mark in front, a NUL anywhere.
pub(crate) fn check_text(source: &Source, problems: &mut Problems) {
    let at = |code, message: &str, span, text: &str| {
        Problem::new(code, Severity::Error, message).label(&source.file, Some(span), text)
    };
    if source.text.starts_with('\u{feff}') {
        let span = Span::new(0, '\u{feff}'.len_utf8());
        let message = "this file begins with a byte order mark";
        problems.push(|| {
            at(codes::BYTE_ORDER_MARK, message, span, "part of the first name to the product")
                .help("save it as UTF-8 without one")
        });
    }
    if let Some(nul) = source.text.find('\0') {
        let span = Span::new(nul, nul + 1);
        problems.push(|| at(codes::NOT_TEXT, "this file has a NUL in it", span, "here"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_place() {
        let problem = decode("f", b"a=1\nb=\xe4\xff").expect_err("it is not UTF-8");
        assert_eq!(problem.labels[0].text, "byte 0xe4 at line 2, column 3");
        let problem = decode("f", b"\xff").expect_err("it is not UTF-8");
        assert_eq!(problem.labels[0].text, "byte 0xff at line 1, column 1");
        assert_eq!(&*decode("f", "ä".as_bytes()).expect("it is UTF-8").text, "ä");
    }

    #[test]
    fn a_mark_and_a_nul_are_problems_wherever_they_stand() {
        let source = Source::new("f", "\u{feff}a=b\0c");
        let mut problems = Problems::new(&source.file);
        check_text(&source, &mut problems);
        let codes: Vec<_> = problems.finish().iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [codes::BYTE_ORDER_MARK, codes::NOT_TEXT]);
    }
}
