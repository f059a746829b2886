//! `quotad pool`: accounts that others spend from, and who chose them.
//!
//! `command` has the commands; `content` what they say of a pool.

mod command;
mod content;

pub use command::{PoolArgs, PoolCommand};
