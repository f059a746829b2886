//! Logs and metrics: what an operator sees. A leaf: names no other layer.

pub mod fields;
pub mod logs;
pub mod metrics;
