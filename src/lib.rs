#![doc = include_str!("ARCHITECTURE.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod bench;
pub mod cli;
pub mod client;
pub mod domain;
pub mod engine;
pub mod proto;
pub mod services;
pub mod store;
pub mod telemetry;
pub mod transport;
