//! A tree back to text: its tokens, one after the other.
//!
//! Has no access to the text that was parsed, so that a byte missing from the tree is a byte missing
//! here, and a test sees it.

use crate::tree::Tree;

/// The text of a tree: the bytes that were parsed, with the values that were changed.
#[must_use]
pub fn print(tree: &Tree<'_>) -> String {
    tree.tokens().iter().map(|token| &*token.text).collect()
}
