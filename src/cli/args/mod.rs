//! Arguments that several commands share, and the readers of their values.

mod charge;
mod connection;
pub(super) mod value;

pub use charge::ChargeArgs;
pub use connection::{ConnectionArgs, TenantArgs, WriteArgs};
pub(super) use connection::{TENANT_VARIABLE, id_or_fresh};
