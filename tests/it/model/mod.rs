//! A naive specification of the rules and random histories that drive it beside both engines: same answers, same state.
//! The model shares no code with the rules of the engine; it keeps every fact and sums when it is asked.

mod adjust;
mod admit;
pub(crate) mod catalog;
pub(crate) mod digest;
mod drive;
pub(crate) mod engine;
mod facts;
pub(crate) mod generate;
pub(crate) mod history;
mod ledger;
pub(crate) mod reservation;
mod settle;
pub(crate) mod spec;
mod table;
mod windows;

/// The greatest amount.
pub(crate) const MAX: u64 = (1 << 53) - 1;
