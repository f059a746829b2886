//! The command line: one file for each family of commands, `args/` for what they share, `render/` for what people read.
//!
//! Exit status: 0 granted or done, 2 denied, 1 error. A closed pipe (`quotad usage ... | head`) is not an error.

mod account;
mod admin;
mod args;
mod bench;
mod bench_redis;
mod bench_text;
mod call;
mod catalog;
mod command;
mod debug;
mod definition;
mod doctor;
mod import;
mod migrate;
mod output;
mod pool;
mod probe;
mod quota;
mod render;
mod reservations;
pub mod serve;
mod storage;
#[cfg(test)]
mod tests;
mod usage;
mod verify;

pub use account::{AccountArgs, AccountCommand};
pub use admin::{AdjustArgs, AuditArgs, RecalculateArgs, RequestArgs, RequestCommand};
pub use args::{ChargeArgs, ConnectionArgs, TenantArgs, WriteArgs};
pub use bench::BenchArgs;
pub use call::{CheckArgs, CommitArgs, ConsumeArgs, ExtendArgs, FreeArgs, ReleaseArgs, ReserveArgs};
pub use catalog::{ApplyArgs, ExportArgs};
pub use command::{Cli, Command, parse, run};
pub use debug::{DebugArgs, DebugCommand, KeyArgs};
pub use definition::{CardArgs, CardCommand, MeterArgs, MeterCommand, PlanArgs, PlanCommand};
pub use doctor::DoctorArgs;
pub use import::ImportUsageArgs;
pub use migrate::MigrateArgs;
pub use pool::{PoolArgs, PoolCommand};
pub use probe::ProbeArgs;
pub use quota::{QuotaArgs, QuotaCommand};
pub use reservations::{ReservationArgs, ReservationsArgs, StateArg};
pub use storage::StorageArgs;
pub use usage::UsageArgs;
pub use verify::VerifyArgs;
