//! The lossless tree of a file: lines of tokens that tile the text, and what they say.
//!
//! One type for all readers. A tree holds every byte of its text, the broken parts included, and is
//! printed by [`crate::print`] from its tokens alone. It knows no option and no type: the readers
//! build it ([`crate::options`] is the simplest), and turn it into a [`crate::document::Document`].

use std::borrow::Cow;

use crate::span::Span;

/// What a token is to the reader that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Blanks that mean nothing.
    Space,
    /// A comment.
    Comment,
    /// The bracket that opens a section's header.
    Open,
    /// The name of a section.
    SectionName,
    /// The bracket that closes a section's header.
    Close,
    /// Text that the reader passes over.
    Junk,
    /// The name of an option or field.
    Key,
    /// What stands between a name and its value.
    Separator,
    /// A value, or one line of it. The only kind that can be changed.
    Value,
    /// The rest of a value that the reader throws away, such as what follows a `#` in options.
    Cut,
    /// The end of a line.
    Eol,
    /// Text that the reader refuses.
    Error,
}

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text; borrowed until it is changed.
    pub text: Cow<'a, str>,
    /// Where it stood in the text that was parsed. A change does not move the spans behind it.
    pub span: Span,
}

/// A token of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(u32);

/// An entry of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// Nothing but blanks.
    Blank,
    /// Nothing but a comment.
    Comment,
    /// A section's header.
    Header,
    /// An option or field with its value.
    Entry,
    /// A further line of the value above.
    Continuation,
    /// Passed over by the reader.
    Ignored,
    /// Refused by the reader.
    Refused,
}

/// One line: the tokens from `first` up to the next line's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    first: u32,
}

/// What a file says, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A section or record begins.
    Section {
        /// The name between brackets; a record has none.
        name: Option<TokenId>,
        /// Its line, from 1.
        line: u32,
    },
    /// An option or field.
    Entry(Entry),
}

/// An option or field with the tokens of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; a bare line has none.
    pub key: Option<TokenId>,
    /// The value on the line of the name; may be empty.
    pub value: TokenId,
    /// The value's further lines.
    pub more: Vec<TokenId>,
    /// The line of the name, from 1.
    pub line: u32,
}

/// A new value that would not stay on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOneLine;

/// A parsed text. See the module.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tree<'a> {
    tokens: Vec<Token<'a>>,
    lines: Vec<Line>,
    items: Vec<Item>,
}

impl<'a> Tree<'a> {
    /// All tokens, in the text's order; they tile it.
    #[must_use]
    pub fn tokens(&self) -> &[Token<'a>] {
        &self.tokens
    }

    /// All lines with their tokens.
    pub fn lines(&self) -> impl Iterator<Item = (LineKind, &[Token<'a>])> {
        self.lines.iter().enumerate().map(|(at, line)| {
            let end = self.lines.get(at + 1).map_or(self.tokens.len(), |next| next.first as usize);
            (line.kind, &self.tokens[line.first as usize..end])
        })
    }

    /// What the file says.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The entries among the items.
    pub fn entries(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        self.items.iter().enumerate().filter_map(|(at, item)| match item {
            Item::Entry(entry) => Some((EntryId(index(at)), entry)),
            Item::Section { .. } => None,
        })
    }

    /// A token of this tree.
    #[must_use]
    pub fn token(&self, id: TokenId) -> &Token<'a> {
        &self.tokens[id.0 as usize]
    }

    /// Changes the value on an entry's own line: exactly its bytes, nothing around them.
    ///
    /// Whether the reader takes the new text as it is meant (a `#` cuts it in options, blanks at the
    /// ends are dropped) is seen by parsing the printed tree again.
    ///
    /// # Errors
    /// [`NotOneLine`] if the text has a line break; the tree is unchanged.
    pub fn set_value(&mut self, entry: EntryId, new: &str) -> Result<(), NotOneLine> {
        let Item::Entry(entry) = &self.items[entry.0 as usize] else { return Ok(()) };
        self.set(entry.value, new)
    }

    /// Changes one further line of an entry's value, counted from 0.
    ///
    /// # Errors
    /// [`NotOneLine`] if the text has a line break or there is no such line; the tree is unchanged.
    pub fn set_more(&mut self, entry: EntryId, at: usize, new: &str) -> Result<(), NotOneLine> {
        let Item::Entry(entry) = &self.items[entry.0 as usize] else { return Ok(()) };
        let id = entry.more.get(at).copied().ok_or(NotOneLine)?;
        self.set(id, new)
    }

    fn set(&mut self, id: TokenId, new: &str) -> Result<(), NotOneLine> {
        if new.contains('\n') {
            return Err(NotOneLine);
        }
        let token = &mut self.tokens[id.0 as usize];
        debug_assert_eq!(token.kind, TokenKind::Value, "entries point at values only");
        token.text = Cow::Owned(new.to_owned());
        Ok(())
    }
}

/// Indexes fit 32 bits because texts do.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Builds a tree from the pieces of a text, given in order and without gaps.
pub(crate) struct Builder<'a> {
    text: &'a str,
    at: usize,
    tree: Tree<'a>,
    line_first: u32,
}

impl<'a> Builder<'a> {
    /// Begins at the start of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, tree: Tree::default(), line_first: 0 }
    }

    /// Adds the next piece as a token, even if it is empty.
    pub(crate) fn token(&mut self, kind: TokenKind, piece: &'a str) -> TokenId {
        let end = self.at + piece.len();
        debug_assert_eq!(self.text.get(self.at..end), Some(piece), "pieces tile the text");
        let id = TokenId(index(self.tree.tokens.len()));
        let span = Span::new(self.at, end);
        self.tree.tokens.push(Token { kind, text: Cow::Borrowed(piece), span });
        self.at = end;
        id
    }

    /// Adds the next piece, if there is any.
    pub(crate) fn piece(&mut self, kind: TokenKind, piece: &'a str) {
        if !piece.is_empty() {
            self.token(kind, piece);
        }
    }

    /// Ends the line that consists of the tokens since the last end.
    pub(crate) fn end_line(&mut self, kind: LineKind, eol: &'a str) {
        self.piece(TokenKind::Eol, eol);
        self.tree.lines.push(Line { kind, first: self.line_first });
        self.line_first = index(self.tree.tokens.len());
    }

    /// Notes that a section begins.
    pub(crate) fn section(&mut self, name: Option<TokenId>, line: u32) {
        self.tree.items.push(Item::Section { name, line });
    }

    /// Notes an entry.
    pub(crate) fn entry(&mut self, key: Option<TokenId>, value: TokenId, line: u32) {
        self.tree.items.push(Item::Entry(Entry { key, value, more: Vec::new(), line }));
    }

    /// Notes a further line of the last entry's value. Without an entry nothing is noted.
    pub(crate) fn more(&mut self, value: TokenId) {
        if let Some(Item::Entry(entry)) = self.tree.items.last_mut() {
            entry.more.push(value);
        }
    }

    /// Where a token stands.
    pub(crate) fn span(&self, id: TokenId) -> Span {
        self.tree.token(id).span
    }

    /// Where the next piece will stand.
    pub(crate) fn next_span(&self, piece: &str) -> Span {
        Span::new(self.at, self.at + piece.len())
    }

    /// The finished tree.
    pub(crate) fn finish(self) -> Tree<'a> {
        debug_assert_eq!(self.at, self.text.len(), "every byte is in a token");
        self.tree
    }
}

/// What a reader makes of a text: always a tree, and the mistakes of the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse<'a, M> {
    /// The whole text.
    pub tree: Tree<'a>,
    /// What is wrong with its form, in the text's order.
    pub mistakes: Vec<M>,
}
