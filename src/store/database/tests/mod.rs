//! Tests of the database on real files in the temporary directory.

mod appending;
mod incarnations;
mod opening;
mod reserving;
mod summing;
pub(super) mod support;
