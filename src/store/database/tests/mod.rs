//! Tests of the database: the same ones on real files in the temporary directory and on a real PostgreSQL.

mod appending;
mod auditing;
mod flushing;
mod incarnations;
mod opening;
mod planning;
mod pricing;
mod reserving;
mod retention;
pub(super) mod server;
mod summing;
pub(super) mod support;
