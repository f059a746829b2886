//! What runs beside the calls: journal to ledger, ledger to counters, deadlines, spool to counters.

pub mod expire;
pub mod flush;
mod progress;
pub mod refill;
pub mod replay;
pub mod tidy;
