//! The catalog's store on the database.
//!
//! `read` loads what a scope sees, `changes` what is otherwise since then, `page` a list's page of it, `write` changes scopes in one
//! transaction with versions and audit, `news` is what is told and heard of it, `requests` keeps who asks for more, `rows` turns domain
//! values into rows and back. Quotas keep every version that they had.

mod changes;
mod name_rows;
pub(super) mod news;
mod page;
mod pool_rows;
mod rate_cards;
mod read;
pub(super) mod requests;
mod rows;
pub(super) mod statements;
mod store;
mod write;

#[cfg(test)]
mod tests;

pub use store::DatabaseCatalog;
