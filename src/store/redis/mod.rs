//! The counters port on Redis: one script call runs a batch of operations on one partition (`src/lua/README.md`).

pub mod breaker;
mod commands;
mod fault;
pub mod keys;
pub mod link;
pub mod options;
mod pool;
pub mod probe;
mod redirect;
pub mod scripts;
mod url;
