//! `quotad.v1.CatalogService`: what is configured, changed by documents and read one by one.
//!
//! `api` is the service; `apply` takes and gives documents; `read` gets and lists; `listing` cuts lists into pages;
//! `errors` says what a refused document is answered with.

mod api;
mod apply;
mod errors;
mod listing;
mod read;

#[cfg(test)]
mod tests;

pub use api::CatalogApi;
