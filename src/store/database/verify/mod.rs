//! The audit: what the ledger's sums must be by its entries, where they are not, and how they are written anew.
//!
//! `entries` goes through the entries in their order (numbers, postings, reservations), `sums` through the postings by
//! account (roll-ups, counters). Both read one snapshot in pages, so that memory stays bounded.

mod auditor;
mod context;
mod cut;
mod entries;
mod numbers;
mod postings;
mod repair;
mod reservations;
mod streams;
mod sums;

pub use auditor::DatabaseAuditor;
