//! The rules, pure: no async, no I/O, no clock, no randomness, no wire types. Time and catalogs come in as arguments.

pub mod amount;
pub mod name;
pub mod time;
