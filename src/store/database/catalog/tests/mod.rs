//! Tests of the catalog in a real database, through the use cases that write it.

mod applying;
mod helpers;
mod history;
mod races;
