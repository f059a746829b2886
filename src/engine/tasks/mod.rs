//! What runs beside the calls: journal to ledger, ledger to counters, deadlines, spool to counters, catalog to decisions.

pub mod expire;
pub mod flush;
mod gently;
pub mod moves;
mod portion;
mod progress;
pub mod refill;
pub mod refresh;
pub mod replay;
pub mod tidy;
