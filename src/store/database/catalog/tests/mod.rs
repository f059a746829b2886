//! Tests of the catalog in a real database, through the use cases that write it.

mod applying;
mod changes;
mod hearing;
mod helpers;
mod history;
mod races;
