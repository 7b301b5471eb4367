//! Places in one text: byte ranges, and what they mean to a person.
//!
//! Does not know which file a span belongs to: [`crate::error::Label`] says that.

use std::fmt;
use std::sync::Arc;

/// A half-open range of bytes in one text; texts end at 8 MiB, so 32 bits suffice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from byte offsets; offsets beyond 32 bits are clamped (no accepted text is that long).
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end.max(start)) }
    }

    /// The bytes it covers, as a range to index a text with.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// How many bytes it covers.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers nothing: a place between two bytes ("missing here").
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A value with the place it was written at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A position as people count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Line starts of a text, built once: `O(n)` to build, `O(log lines)` a question, nothing to copy.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Arc<[u32]>,
}

impl LineIndex {
    /// Reads the line starts of `text`. Lines end at `\n` only; a `\r` belongs to its line.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                starts.push(Span::new(at + 1, at + 1).start);
            }
        }
        Self { starts: starts.into() }
    }

    /// The line (from 1) that holds byte `at`.
    #[must_use]
    pub fn line(&self, at: u32) -> u32 {
        let before = self.starts.partition_point(|&start| start <= at);
        u32::try_from(before.max(1)).unwrap_or(u32::MAX)
    }

    /// The line (from 1) that holds byte `at`, looked for from `line` on: for places that follow each other.
    #[must_use]
    pub fn line_from(&self, line: u32, at: u32) -> u32 {
        let ahead = self.starts.iter().skip(line as usize).take_while(|&&start| start <= at);
        line + ahead.map(|_| 1).sum::<u32>()
    }

    /// Line and column of byte `at` in `text`, the text this index was built from.
    #[must_use]
    pub fn place(&self, text: &str, at: u32) -> LineColumn {
        let line = self.line(at);
        let start = self.starts[line as usize - 1] as usize;
        let end = (at as usize).min(text.len());
        let head = text.get(start..end).unwrap_or("");
        LineColumn { line, column: u32::try_from(head.chars().count()).unwrap_or(0) + 1 }
    }

    /// The bytes of a line (from 1) of `text` without its end; empty for a line that is not there.
    #[must_use]
    pub fn line_span(&self, text: &str, line: u32) -> Span {
        let at = (line as usize).saturating_sub(1);
        let Some(&start) = self.starts.get(at) else { return Span::default() };
        let end = self.starts.get(at + 1).map_or(text.len(), |&next| next as usize);
        let body = text.get(start as usize..end).unwrap_or("");
        let body = body.strip_suffix('\n').unwrap_or(body);
        let body = body.strip_suffix('\r').unwrap_or(body);
        Span::new(start as usize, start as usize + body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a\nbäc\r\n";
        let index = LineIndex::new(text);
        let place = |at| index.place(text, at).to_string();
        assert_eq!((place(0), place(2), place(5)), ("1:1".into(), "2:1".into(), "2:3".into()));
        assert_eq!(place(99), "3:1");
        assert_eq!(
            (index.line_from(1, 1), index.line_from(1, 8), index.line_from(2, 5)),
            (1, 3, 2)
        );
        assert_eq!(index.line_span(text, 2), Span::new(2, 6));
        assert_eq!(index.line_span(text, 3), Span::new(8, 8));
        assert_eq!(index.line_span(text, 9), Span::default());
    }
}
