//! OTLP: what goes to a collector, traces and metrics, and what becomes of it when the collector does not take it.

mod collector;
mod families;
mod outlet;
pub mod push;
pub(super) mod spans;

pub use collector::BadEndpoint;
pub(super) use collector::{channel, resource};
