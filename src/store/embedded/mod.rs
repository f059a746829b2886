//! The embedded store: counters in this process, their journal in files. It needs no server at all.

mod adjust;
mod admit;
mod counters;
mod due;
mod free;
mod group;
mod ids;
pub mod inspect;
mod install;
mod journal;
mod open;
mod partition;
mod passing;
mod recover;
mod settle;
mod slots;
mod step;
mod table;
mod tail;
mod used;
mod waiters;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::engine::operation::Caps;
pub use counters::{EmbeddedCounters, INCARNATION};
pub use journal::Safety;
pub use open::{Embedded, EmbeddedOptions};
pub use recover::refuse_a_lost_ledger;
