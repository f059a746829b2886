//! The audit of a running counter store: whether its counters and open reservations are what the ledger and the journal beyond it
//! make them.
//!
//! The ledger answers as of a watermark; the store is read after that, in one step, as of an entry of its journal; the entries
//! between the two are added by `follower`. So each comparison is exact although nobody stops, and what differs is compared
//! again before it is told.

mod auditor;
mod counters;
mod expected;
mod follower;
mod look;
mod partition;
mod reservations;
mod trouble;

pub use auditor::{LiveAuditor, LiveStore};
