//! Races: many connections on the same limits, over gRPC on the real program. No limit is ever passed, and in the end
//! the ledger's sums equal the counters.

mod exact;
mod history;
mod mixed;
mod ways;
