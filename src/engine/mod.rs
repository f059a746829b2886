//! Use cases: verbs, step by step. Knows ports, not products.

pub mod audit;
pub mod authority;
pub mod authorize;
pub mod call;
mod catalog_port;
mod check;
mod commit;
mod contents;
mod extend;
mod fingerprint;
mod free;
mod listed;
mod lookup;
pub mod manage;
pub mod operation;
pub mod plan;
pub mod ports;
pub mod publish;
mod release;
pub mod report;
mod reserve;
pub mod run;
pub mod snapshot;
pub mod snapshots;
pub mod spool;
pub mod tasks;
pub mod verdict;
