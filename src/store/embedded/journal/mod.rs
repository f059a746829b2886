//! The journal: what each group commit did, appended to a file before anybody is answered.
//!
//! A folder of segments, each of them a header and frames (`frame.rs`); the newest is written, and what the ledger has goes away
//! by whole segments. A group commit is one write. SQLite, which had this before (`legacy.rs`), took four fifths of the
//! processor time of a commit for pages, their log and their removal, none of which a file that is only appended to needs.

mod frame;
mod legacy;
mod log;
mod segment;
mod syncing;
#[cfg(test)]
mod tests;

pub(super) use legacy::{Legacy, import};
pub(super) use log::beyond;
pub use log::{Journal, JournalRow, Leaving, Safety};
#[cfg(test)]
pub(super) use tests::Full;
