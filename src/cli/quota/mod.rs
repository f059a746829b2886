//! `quotad quota`: what an administrator sets one by one.
//!
//! `command` has the commands; `limit` reads limits from words.

mod command;
pub(super) mod limit;

pub use command::{QuotaArgs, QuotaCommand};
