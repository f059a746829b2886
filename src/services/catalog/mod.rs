//! `quotad.v1.CatalogService`: what is configured, changed by documents and read one by one.
//!
//! `api` is the service; `apply` takes and gives documents; `quotas` sets them one by
//! one, `records` accounts and pools, `definitions` meters, plans and rate cards, `moves` gives accounts other names; `read` gets and lists; `listing` cuts lists into pages;
//! `errors` says what a refused document is answered with.

mod api;
mod apply;
mod definitions;
mod errors;
mod listing;
mod moves;
mod quotas;
mod read;
mod records;

#[cfg(test)]
mod tests;

pub use api::CatalogApi;
pub use apply::scope;
pub use errors::{from_quota, from_store};
