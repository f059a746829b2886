//! The rules, pure: no async, no I/O, no clock, no randomness, no wire types. Time and catalogs come in as arguments.

pub mod account;
pub mod adjustment;
pub mod admission;
pub mod amount;
pub mod counter;
pub mod decision;
pub mod entry;
pub mod error;
pub mod exact;
mod holds;
pub mod legacy;
pub mod levels;
pub mod limit_request;
pub mod meter;
pub mod moved;
pub mod name;
pub mod pool;
pub mod price;
pub mod quota;
pub mod rate_card;
pub mod reservation;
pub mod settlement;
pub mod time;
pub mod window;
mod window_plan;
