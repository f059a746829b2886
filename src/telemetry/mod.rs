//! Logs, metrics and traces: what an operator sees. A leaf: names no other layer.

pub mod calls;
pub mod decisions;
pub mod fields;
pub mod logs;
pub mod metrics;
pub mod otlp;
pub mod traces;
