//! Logs, metrics and traces: what an operator sees. A leaf: names no other layer.

pub mod fields;
pub mod logs;
pub mod meters;
pub mod metrics;
pub mod traces;
