//! The configuration files of a site: text to spanned trees to typed values.
//!
//! Knows no session, no tokio and no file system: bytes come in, values and problems go out.
//! Read next: [`source`], then a reader ([`options`] is the simplest), then [`document`].

pub mod access;
pub mod catalogue;
pub mod check;
pub mod codes;
pub mod document;
pub mod error;
pub mod exercise;
pub mod ini;
pub mod items;
pub mod kind;
pub mod launcher;
mod line;
pub mod load_balancer;
mod lookup;
pub mod manual;
pub mod options;
pub mod own;
pub mod print;
pub mod read;
pub mod records;
pub mod report;
pub mod repositories;
pub mod secret;
pub mod sections;
pub mod settings;
pub mod source;
pub mod span;
pub mod suggest;
pub mod text;
pub mod tree;
pub mod value;
pub mod variables;
