//! The database: what was agreed (the catalog) and what happened (the ledger), on SQLite or PostgreSQL.
//!
//! Everything goes through `connection`, so that each function exists once; `sqlite` and `postgres` open one.
//! Statements stand in `src/sql/queries`, one to a file; the schema in `src/sql/migrations`.

mod append;
mod bulk;
mod catalog;
mod connection;
mod errors;
mod fold;
mod incarnation;
mod inspect;
mod ledger;
mod listen;
mod migrate;
mod paperwork;
mod pool;
mod postgres;
mod prune;
mod reservations;
mod resolve;
mod retention;
mod row;
mod rows;
mod settings;
mod sqlite;
mod usage;
mod values;
mod verify;

#[cfg(test)]
mod tests;

pub use catalog::DatabaseCatalog;
pub use inspect::LedgerFacts;
pub use ledger::DatabaseLedger;
pub use listen::CatalogListener;
pub use pool::Database;
pub use retention::LEAST_RETENTION;
pub use sqlite::Sync;
pub use verify::DatabaseAuditor;
