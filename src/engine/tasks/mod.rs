//! What runs beside the calls: journal to ledger, ledger to counters, deadlines.

pub mod expire;
pub mod flush;
pub mod refill;
pub mod tidy;
