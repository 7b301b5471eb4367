//! Each mistake with its place, its message and its advice.

mod gateway;
mod node;
mod session;
mod syntax;
mod template;
mod wharf;

use super::said;
use crate::own::OwnKind;

/// An expected line is: the marked places with their text, the code and message, then labels and advice.
#[track_caller]
fn check(kind: OwnKind, text: &str, expected: &[&str]) {
    assert_eq!(said(kind, text), expected, "{kind:?}:\n{text}");
}
