//! Golden scripts: a small site, a world, what happens to them, and what the engine says to it.
//!
//! A script is a text of commands (`> round`), their input (`| weight = 3`), prose (`# ...`), and what
//! the commands print. It is run against the planner and a world that does what plans say
//! (`engine_core::predict`); nothing of the real world is touched. Read next: [`run`], the commands;
//! [`checks`], what holds for every plan made in a script; [`table`], what all scripts together reach.

pub mod checks;
pub mod clock;
mod happen;
pub mod incumbent;
pub mod lowering;
mod people;
pub mod run;
pub mod script;
pub mod site;
pub mod table;
pub mod world;
