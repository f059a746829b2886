//! Failing open (rule 14): while the counter store can't be reached, calls on meters with FAIL_OPEN are granted without it,
//! kept in a spool on this process's disk, and sent after it as what has happened.
//!
//! [`entry`] is one such call, [`shelf`] what stands in the spool, `unenforced` answers calls without the store, `replay` brings
//! them to it.

pub mod entry;
mod legacy;
mod replay;
pub mod shelf;
pub(in crate::engine) mod unenforced;
