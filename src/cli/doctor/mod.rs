//! `quotad doctor`: for this deployment, which promises are met, weakened or broken, and why.
//!
//! `command` gathers what the stores say of themselves; `embedded`, `counters` and `database` judge it; `report` has the promises.

mod command;
mod counters;
mod database;
mod embedded;
mod report;

pub use command::{DoctorArgs, run};
