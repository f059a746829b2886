//! A naive specification of the rules and random histories that drive it beside both engines: same answers, same state. The model shares no code with the engine's rules; it keeps every fact and sums when it is asked.

mod admit;
mod catalog;
mod digest;
mod drive;
mod engine;
mod facts;
mod generate;
mod history;
mod ledger;
mod reservation;
mod settle;
mod spec;
mod table;
mod windows;

/// The greatest amount.
pub(crate) const MAX: u64 = (1 << 53) - 1;
