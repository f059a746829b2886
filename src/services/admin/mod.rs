//! `quotad.v1.AdminService`: what administrators do beside the catalog.
//!
//! `api` is the service; `adjust` corrects what was used, also by what was measured; `requests` takes and decides what people
//! ask for beyond their limits; `audit` lists who changed what.

mod adjust;
mod api;
mod audit;
mod requests;

pub use api::AdminApi;
