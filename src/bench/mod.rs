//! The benchmark: what a decision costs, by the rule alone, by the engine, over gRPC beside a bare echo, and on Redis.
//!
//! Machines differ and are shared, so what counts is a ratio: each round runs the yardstick (a tonic echo with messages
//! of the same sizes on the same design of runtimes) and then every row, and a figure is the median over the rounds.
//! Processor time is the operating system's own accounting, user and system together.
//!
//! `workload.rs` says what is asked and `spread.rs` of whom; `rule.rs`, `engine.rs` and `wire.rs` ask it of one layer
//! each, the last by the calls of `caller.rs`, row by row in `rows.rs`; `calls.rs` is the closed loop and `open.rs` the open one; `cpu.rs`,
//! `memory.rs` and `meter.rs` measure; `report.rs` has the figures. `on_redis` is the same engine on the other store, `catalog.rs` puts
//! very many quotas beside it, `growth.rs` lets a server have ever more accounts, with which `fill.rs` fills it, `start.rs` kills it and starts
//! it again, `soak.rs` keeps it busy for long, and `strict.rs` has answers wait for the disk.

mod caller;
mod calls;
mod catalog;
mod child;
mod cpu;
pub mod echo;
mod engine;
mod fill;
mod growth;
mod histogram;
mod memory;
mod meter;
mod on_redis;
mod open;
mod options;
mod report;
mod rows;
mod rule;
mod run;
mod soak;
mod spread;
mod start;
mod strict;
mod wire;
mod workload;

pub use catalog::Size;
pub use growth::{Grown, Growth};
pub use on_redis::{Cost, Flushing, Memory, RedisReport, Served};
pub use options::{Call, Options, Part, Rate};
pub use report::{OpenRow, Report, Row};
pub use run::run;
pub use soak::{Soak, SoakPart};
pub use spread::Spread;
pub use start::Start;
pub use strict::{Strict, StrictRow};
