//! Tests of the database on real files in the temporary directory.

mod opening;
mod support;
