//! The configuration files of a site: text to spanned trees to typed values.
//!
//! Knows no session, no tokio and no file system: bytes come in, values and problems go out.
//! Read next: [`source`], then a reader ([`options`] is the simplest), then [`document`].

pub mod catalogue;
pub mod document;
pub mod error;
pub mod source;
pub mod span;
pub mod suggest;
pub mod value;
