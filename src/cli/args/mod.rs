//! Arguments that several commands share, and the readers of their values.

mod charge;
mod connection;
pub(super) mod value;

pub use charge::ChargeArgs;
pub(super) use connection::id_or_fresh;
pub use connection::{ConnectionArgs, TenantArgs, WriteArgs};
