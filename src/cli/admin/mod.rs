//! What administrators do beside the catalog: adjustments, recalculation, requests for more, the audit.

mod adjust;
mod audit;
mod recalculate;
mod request;
mod sizes;

pub use adjust::AdjustArgs;
pub use audit::AuditArgs;
pub use recalculate::RecalculateArgs;
pub use request::{RequestArgs, RequestCommand};
