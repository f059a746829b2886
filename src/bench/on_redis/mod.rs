//! The engine on Redis, beside yardsticks on the same server: what a decision costs Redis through the real script, what
//! replicas make of it over gRPC, how fast the ledger takes it, and how much memory it needs.
//!
//! A `redis-server` without persistence is started for it, and a PostgreSQL where one is installed; else the ledger is SQLite
//! and there is one replica. `client.rs`, `server.rs` and `ledger.rs` are what stands around; `load.rs` makes the batches;
//! `script.rs` sends them, `flush.rs` carries them on, `memory.rs` weighs what they left; `served.rs` is over gRPC.

mod client;
mod flush;
mod ledger;
mod load;
mod memory;
mod report;
mod run;
mod script;
mod served;
mod server;

pub use report::{Cost, Flushing, Memory, RedisReport, Served};
pub(super) use run::run;
