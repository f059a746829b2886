//! The database: what was agreed (the catalog) and what happened (the ledger), on SQLite.
//!
//! Statements stand in `src/sql/queries`, one to a file; the schema in `src/sql/migrations`.

mod append;
mod bulk;
mod catalog;
mod errors;
mod fold;
mod incarnation;
mod ledger;
mod migrate;
mod pool;
mod prune;
mod reservations;
mod resolve;
mod rows;
mod settings;
mod usage;

#[cfg(test)]
mod tests;

pub use catalog::DatabaseCatalog;
pub use ledger::DatabaseLedger;
pub use pool::{Database, Sync};
