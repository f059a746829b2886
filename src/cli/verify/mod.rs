//! `quotad verify`: whether the ledger's sums are those of its entries, and what is live in Redis that of the ledger.

mod command;
mod render;

pub(super) use command::{BLIND, blind};
pub use command::{VerifyArgs, run};
