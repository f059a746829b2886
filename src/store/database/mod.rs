//! The database: what was agreed (the catalog) and what happened (the ledger), on SQLite.
//!
//! Statements stand in `src/sql/queries`, one to a file; the schema in `src/sql/migrations`.

mod errors;
mod migrate;
mod pool;
mod settings;

#[cfg(test)]
mod tests;

pub use pool::{Database, Sync};
