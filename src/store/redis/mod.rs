//! The counters port on Redis: one script call runs a batch of operations on one partition (`src/lua/README.md`).

mod adopt;
pub mod barred;
pub mod batch;
mod blob;
pub mod breaker;
pub mod command;
mod commands;
pub mod counters;
pub mod denial;
pub mod entry;
mod fault;
mod granted;
mod handover;
pub mod inspect;
mod join;
pub mod keys;
pub mod link;
mod load;
mod meta;
pub mod options;
pub mod pack;
mod patience;
mod pool;
pub mod probe;
pub mod queue;
pub mod quick;
pub mod readable;
pub mod record;
pub mod recover;
mod redirect;
pub mod reply;
pub mod request;
pub mod scripts;
mod seen;
mod shown;
mod unpack;
mod url;
pub mod value;
pub mod verify;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
