//! Reports.

pub mod usage;
