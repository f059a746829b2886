//! Races: many connections on the same limits, over gRPC on the real program, one server and three replicas, also while a cluster moves
//! what they work on. No limit is
//! ever passed, nothing is charged twice, and in the end the ledger's sums equal the counters.

mod exact;
mod history;
mod late;
mod lost;
mod mixed;
mod moving;
mod overload;
mod place;
mod proxy;
mod rolling;
mod ways;
