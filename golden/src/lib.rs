//! Golden cases: scripts and what they print, in one file each, and the runners that hold them to it.

pub mod cases;
pub mod converge;
