//! gRPC controllers: proto in, domain in the middle, proto out; no decisions.

mod actor;
mod admin;
mod batch;
mod catalog;
pub(crate) mod convert;
mod detach;
mod enforce;
mod page;
mod pool;
mod quota;
mod status;
mod test_clock;
mod usage;
mod violations;

pub use admin::AdminApi;
pub use catalog::CatalogApi;
pub use enforce::{Admission, Place};
pub use quota::QuotaApi;
pub use test_clock::{Settable, TestClockApi};
pub use usage::UsageApi;
