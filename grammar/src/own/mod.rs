//! Our own files.

pub mod window;
